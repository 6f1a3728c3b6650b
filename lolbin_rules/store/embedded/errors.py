"""What the errors of SQLite and of the file system mean for us, in one table, by their primary result code."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lolbin_rules.errors import StoreError, StoreOverwhelmed, StoreRejected, StoreUnavailable

__all__ = ["CODES", "Meaning", "code_of", "is_retried", "meaning", "ours", "reason", "told"]


class Meaning(NamedTuple):
    """What an error of SQLite means.

    Attributes:
        raised: what is raised in its place.
        is_retried: whether the same may succeed within seconds.
        remedy: what to do about it.
    """

    raised: type[StoreError]
    is_retried: bool
    remedy: str


_BUSY = Meaning(StoreUnavailable, True, "Another program keeps the database locked: end it, or try again later.")
_FULL = Meaning(StoreUnavailable, False, "Make room on the disk of the data folder; nothing half written stays.")
_BROKEN_DISK = Meaning(
    StoreUnavailable, False, "Look at the disk of the data folder: it may be full, slow, removed or not local."
)
_DAMAGED = Meaning(
    StoreUnavailable, False, "The database is damaged: restore the data folder from a copy, or begin with an empty one."
)
_CLOSED_OFF = Meaning(StoreUnavailable, False, "Give this user the right to write to the data folder and its files.")
_CUT_OFF = Meaning(StoreUnavailable, False, "The program is stopping. Start it again to go on.")
_MEMORY = Meaning(StoreOverwhelmed, False, "Ask for less at once, or give the program more memory.")
_REFUSED = Meaning(StoreRejected, False, "Repeating it is useless; write less in one document.")
_OURS = Meaning(StoreUnavailable, False, "This is a fault of the program or of the database's file: report it.")

CODES: Mapping[int, Meaning] = {
    sqlite3.SQLITE_ABORT: _CUT_OFF,
    sqlite3.SQLITE_AUTH: _CLOSED_OFF,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_CANTOPEN: _CLOSED_OFF,
    sqlite3.SQLITE_CONSTRAINT: _OURS,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_EMPTY: _OURS,
    sqlite3.SQLITE_ERROR: _OURS,
    sqlite3.SQLITE_FORMAT: _DAMAGED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_INTERNAL: _OURS,
    sqlite3.SQLITE_INTERRUPT: _CUT_OFF,
    sqlite3.SQLITE_IOERR: _BROKEN_DISK,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_MISMATCH: _DAMAGED,
    sqlite3.SQLITE_MISUSE: _CUT_OFF,
    sqlite3.SQLITE_NOLFS: _FULL,
    sqlite3.SQLITE_NOMEM: _MEMORY,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_NOTFOUND: _OURS,
    sqlite3.SQLITE_NOTICE: _OURS,
    sqlite3.SQLITE_PERM: _CLOSED_OFF,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_RANGE: _OURS,
    sqlite3.SQLITE_READONLY: _CLOSED_OFF,
    sqlite3.SQLITE_SCHEMA: _BUSY,
    sqlite3.SQLITE_TOOBIG: _REFUSED,
    sqlite3.SQLITE_WARNING: _OURS,
}
"""By primary result code. A test fails on a code of SQLite that is not here."""

_PRIMARY = 0xFF
_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def code_of(error: sqlite3.Error) -> int | None:
    """The primary result code; None for what Python's module itself raises, such as the use of a closed connection."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY


def meaning(error: sqlite3.Error | OSError) -> Meaning:
    """What an error means."""
    if isinstance(error, OSError):
        return _FULL if error.errno in _FULL_DISK else _BROKEN_DISK
    code = code_of(error)
    if code is None:
        return _CUT_OFF if isinstance(error, sqlite3.ProgrammingError) else _OURS
    return CODES.get(code, _OURS)


def is_retried(error: sqlite3.Error) -> bool:
    """Whether the same may succeed within seconds."""
    return meaning(error).is_retried


def reason(error: sqlite3.Error | OSError) -> str:
    """Why, in the words of SQLite or the system."""
    name = getattr(error, "sqlite_errorname", None)
    return f"{error} ({name})" if name else str(error)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Errors of SQLite become ours; `what` begins the message.

    Raises:
        StoreError: of the class and with the remedy that the table has.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise ours(error, what) from error


def ours(error: sqlite3.Error | OSError, what: str) -> StoreError:
    """What to raise in the place of an error; `what` begins the message."""
    meant = meaning(error)
    return meant.raised(f"{what} failed: {reason(error)}. {meant.remedy}")
