"""The file of record: connections, transactions, and who may write when.

SQLite in WAL mode: readers see one point in time and hinder nobody, and what is committed survives a `kill -9` at any
moment. The data folder must be on a local disk: WAL needs memory that all programs share.

SQLite before 3.51.3 can lose a committed transaction when one connection writes while another one checkpoints and the
log is begun anew (the WAL-reset bug). Many systems have such a version, so the two never happen at once here: nothing
is checkpointed automatically, and every write and every checkpoint, of any program, is done under one lock of our own
(`store.lock`), which the system takes back from a program that dies.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import filelock

from lolbin_rules.errors import SettingsError, StoreUnavailable
from lolbin_rules.store.embedded import errors
from lolbin_rules.store.embedded.deadline import Deadline, Stop
from lolbin_rules.store.embedded.schema import foreign, lay_out

__all__ = ["SEGMENT_ROWS", "Database"]

logger = logging.getLogger("lolbin_rules.store")

SEGMENT_ROWS = 65_536
"""Documents of a segment, unless the database was made with another number."""

_PATIENCE = timedelta(seconds=30)
"""How long to wait for others that write or lock."""
_LAST_PATIENCE = timedelta(seconds=5)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(milliseconds=1), timedelta(milliseconds=20)
_BUSY_SECONDS = 0.25
"""How long SQLite itself waits for a lock. Short, as it does not know when we are told to stop; we try again."""
_CHECKPOINT_BYTES = 32 << 20
_LONGEST_LOG_BYTES = 256 << 20
_TRANSACTION_BYTES = 64 << 10
"""What a small transaction adds to the log, about."""
_CACHE_KIB = 32_768
"""Of the writer. Twice as much was no faster, at half a million documents with ids by chance."""
_MOST_IDLE = 8


class Database:
    """The database of one data folder; any number of threads may share it, and any number of programs the folder.

    Args:
        folder: made if it is missing.
        stop: ends every wait.
        is_durable: what is committed survives a power failure, too.
        segment_rows: for a new database, how many documents a segment has: a power of two.

    Attributes:
        path: of the file.
        segment_rows: how many documents a segment of this database has.

    Raises:
        SettingsError: the folder or what is in it cannot be used.
        StoreUnavailable: it is locked, or cannot be used at present.
    """

    def __init__(self, folder: Path, stop: Stop, *, is_durable: bool = True, segment_rows: int = SEGMENT_ROWS) -> None:
        self.path = folder / "store.sqlite"
        self._stop = stop
        self._synchronous = "FULL" if is_durable else "OFF"
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        self._writers = threading.Lock()
        self._unsaved_bytes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "store.lock").touch()
            self._lock = filelock.FileLock(folder / "store.lock", thread_local=False)
            with self._turn(_PATIENCE):
                self._writer, self.segment_rows = self._open(segment_rows)
        except (OSError, NotImplementedError) as error:
            raise SettingsError(
                f"The data folder {folder} cannot be used: {error}. Name a folder on a local disk that this user may "
                "write to."
            ) from error

    def _open(self, segment_rows: int) -> tuple[sqlite3.Connection, int]:
        with errors.told(f"Opening {self.path}"), contextlib.ExitStack() as unless_well:
            try:
                writer = unless_well.enter_context(contextlib.closing(self._connect()))
                rows = lay_out(writer, self.path, segment_rows)
            except sqlite3.DatabaseError as error:
                if errors.code_of(error) == sqlite3.SQLITE_NOTADB:
                    raise SettingsError(foreign(self.path)) from error
                raise
            writer.execute(f"PRAGMA cache_size = {-_CACHE_KIB:d}")
            unless_well.pop_all()
            return writer, rows

    def _connect(self) -> sqlite3.Connection:
        # Autocommit: transactions are begun and ended in so many words. Any thread may close what a scan left behind.
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the database as it is now, whatever is written meanwhile, until it is given back.

        Raises:
            StoreUnavailable, StoreOverwhelmed: SQLite or the disk failed, here or in the block; or the end has come.
        """
        self._stop.check()
        with errors.told(f"Reading {self.path}"):
            connection = self._take()
            is_well = False
            try:
                self._patiently(connection, "BEGIN", "SELECT 1 FROM meta")  # the first look fixes the point in time
                yield connection
                is_well = True
            finally:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                self._give_back(connection, is_well=is_well)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, committed if the block ends well, else as if it had never been; one at a time of all programs.

        Raises:
            StoreUnavailable: others did not let us write in time; SQLite or the disk failed; or the end has come.
        """
        with errors.told(f"Writing to {self.path}"), self._turn(_PATIENCE):
            self._stop.check()
            writer = self._writer
            self._patiently(writer, "BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            finally:
                if writer.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        writer.rollback()
            self.note_written(_TRANSACTION_BYTES)
            self._checkpoint_if_due()

    def note_written(self, size: int) -> None:
        """Within `writing`: so many bytes more are in the log."""
        self._unsaved_bytes += size

    def close(self) -> None:
        """Let go of the file. Whoever closes it last checkpoints it, so that is done in a turn of ours, too."""
        turn = contextlib.ExitStack()
        with turn:
            try:
                turn.enter_context(self._turn(_LAST_PATIENCE, Stop()))
            except StoreUnavailable as error:
                # Somebody else has the file open, so that we are not the last.
                logger.info("Closing %s in no turn of ours: %s", self.path, error)
            self._is_closed = True
            while self._idle:
                self._idle.pop().close()
            self._writer.close()

    def _take(self) -> sqlite3.Connection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection, *, is_well: bool) -> None:
        if is_well and not self._is_closed and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _checkpoint_if_due(self) -> None:
        if self._unsaved_bytes < _CHECKPOINT_BYTES:
            return
        self._unsaved_bytes = 0
        try:
            _, pages, saved = self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            (page,) = self._writer.execute("PRAGMA page_size").fetchone()
            if saved == pages and pages * page > _LONGEST_LOG_BYTES:
                # Somebody has always been reading, so that the log was never begun anew. Wait for them once.
                self._writer.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.Error as error:
            logger.warning("%s was not checkpointed: %s; its log grows.", self.path, errors.reason(error))

    @contextlib.contextmanager
    def _turn(self, patience: timedelta, stop: Stop | None = None) -> Iterator[None]:
        """The only turn to write, among the threads of this program and then among all programs."""
        deadline = Deadline(stop or self._stop, patience)
        with contextlib.ExitStack() as held:
            wait = _FIRST_WAIT
            while not self._writers.acquire(timeout=_LONGEST_WAIT.total_seconds()):
                self._check_turn(deadline)
            held.callback(self._writers.release)
            while True:
                self._check_turn(deadline)
                try:
                    self._lock.acquire(timeout=0)
                except filelock.Timeout:  # it is an OSError as well
                    deadline.wait(wait)
                    wait = min(wait * 2, _LONGEST_WAIT)
                except OSError as error:
                    raise errors.ours(error, f"Locking {self._lock.lock_file}") from error
                else:
                    break
            held.callback(self._lock.release)
            yield

    def _check_turn(self, deadline: Deadline) -> None:
        deadline.stop.check()
        if deadline.is_over:
            raise StoreUnavailable(
                f"Others have kept writing to {self.path} for {_PATIENCE}, so nothing was written. "
                "Try again later; end a program that hangs."
            )

    def _patiently(self, connection: sqlite3.Connection, *statements: str) -> None:
        """Begin a transaction, again and again while others lock the file."""
        deadline = Deadline(self._stop, _PATIENCE)
        wait = _FIRST_WAIT
        while True:
            self._stop.check()
            try:
                for statement in statements:
                    connection.execute(statement)
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.rollback()
                if not errors.is_retried(error) or deadline.is_over:
                    raise
                deadline.wait(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            else:
                return
