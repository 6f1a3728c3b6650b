"""Events from Windows event logs (EVTX), as Winlogbeat would have shipped them."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

import orjson

from lolbin_rules.errors import SettingsError
from lolbin_rules.importers.event import Broken, Event, Found, Read, one_line, stable_id
from lolbin_rules.importers.index_names import DEFAULT_INDEX
from lolbin_rules.importers.winlogbeat import UnreadableRecord, to_ecs

__all__ = ["MAGIC", "SUFFIX", "parser", "read_evtx"]

SUFFIX: Final = ".evtx"
MAGIC: Final = b"ElfFile\x00"
FILE_HEADER: Final = 4096
CHUNK: Final = 65_536
SMALLEST_RECORD: Final = 28
NUMBER: Final = re.compile(r"\b(record|chunk) number (\d+)")
"""How the parser names what it failed on."""
PARSER_ERRORS: Final = (RuntimeError, OSError, ValueError)


def parser() -> Callable[[Any], Any]:
    """The parser of event logs, which is an extra of this package.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        found: Callable[[Any], Any] = import_module("evtx").PyEvtxParser
    except ImportError:
        raise SettingsError(
            "Windows event logs (EVTX) are read by a package that is not installed, so they cannot be read. "
            "Install it: pip install 'lolbin-rules[evtx]'"
        ) from None
    return found


def read_evtx(stream: io.BufferedIOBase, name: str, index: str | None, read: Read) -> Found:
    """Every record of the log as an event, and every one that cannot be read, in order.

    Args:
        stream: the log; it has to be seekable.
        name: what stands before the record's number in places.
        index: where the events go; None for `DEFAULT_INDEX`.
        read: told of every further byte read.

    Raises:
        SettingsError: the package that reads event logs is missing.
    """
    return _read(parser(), _WholeChunks(stream, read), name, index or DEFAULT_INDEX)


def _read(parse: Callable[[Any], Any], log: _WholeChunks, name: str, index: str) -> Found:
    if log.cut:
        yield Broken(name, f"was cut short: {log.cut} bytes of its last part (64 KB) are missing, and what was in them")
    try:
        records = parse(log).records_json()
    except PARSER_ERRORS as error:
        yield Broken(name, f"is no event log that can be read ({one_line(error)}), so nothing of it is read")
        return
    last = "its beginning"
    for record in _until_the_end(records, log.size // SMALLEST_RECORD):
        if isinstance(record, BaseException):
            yield _damaged(name, record, last)
            continue
        found = _event(record, name, index)
        last = f"record {record.get('event_record_id')}"
        yield found


def _until_the_end(records: Any, most_failures: int) -> Iterator[Any]:
    """The records and, in between, the errors: the parser goes on behind what it failed on."""
    failures = 0
    while failures <= most_failures:
        try:
            record = next(records)
        except StopIteration:
            return
        except PARSER_ERRORS as error:
            record = error
        failures += isinstance(record, BaseException)
        yield record


def _event(record: Any, name: str, index: str) -> Event | Broken:
    place = f"{name}:{record.get('event_record_id')}"
    try:
        document = to_ecs(orjson.loads(record["data"]), written=record.get("timestamp"), path=name)
        raw = orjson.dumps(document)
    except (UnreadableRecord, orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        return Broken(place, f"is no record that can be read: {one_line(error)}")
    winlog = document["winlog"]
    parts = (winlog.get(key, "") for key in ("computer_name", "channel", "record_id"))
    return Event(index, stable_id(*parts, document["event"]["created"]), raw, document, place)


def _damaged(name: str, error: BaseException, last: str) -> Broken:
    words = one_line(error)
    found = NUMBER.search(words)
    if found is None:
        return Broken(name, f"is damaged after {last}, so the rest of that part (64 KB) is lost: {words}")
    if found[1] == "chunk":
        return Broken(f"{name}:chunk {found[2]}", f"is a damaged part (64 KB), so its records are lost: {words}")
    return Broken(f"{name}:{found[2]}", f"is damaged: {words}")


class _WholeChunks:
    """The log as the parser is given it: it passes over a last chunk that is cut, so zeros stand for what is missing.

    Attributes:
        size: bytes, the zeros included.
        cut: how many of them are missing.
    """

    def __init__(self, stream: io.BufferedIOBase, read: Read) -> None:
        stream.seek(0, os.SEEK_END)
        self._end = stream.tell()
        self._stream = stream
        self._tell_progress = read
        self._furthest = self._at = 0
        self.cut = (FILE_HEADER - self._end) % CHUNK if self._end > FILE_HEADER else 0
        self.size = self._end + self.cut

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        wanted = self.size - self._at if size < 0 else max(0, min(size, self.size - self._at))
        self._stream.seek(min(self._at, self._end))
        data = self._stream.read(min(wanted, max(0, self._end - self._at)))
        self._at += wanted
        if min(self._at, self._end) > self._furthest:
            self._tell_progress(min(self._at, self._end) - self._furthest)
            self._furthest = min(self._at, self._end)
        return data.ljust(wanted, b"\0")

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """As of any file."""
        return self._at
