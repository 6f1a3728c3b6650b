"""A fixed set of documents as columns: in memory, or in a file of which only the columns asked for are read.

A file is made of the parts of its columns one after the other, then a directory (JSON) that says where they are, then
a trailer of fixed length that says where the directory is and what it must add up to. Every part has a checksum. A file
that was cut off, changed or written by something else is refused (`SegmentError`), so that it can be built again.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, Self

from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.stored_column import StoredColumn, pack, unpack

__all__ = ["FileSegment", "MemorySegment", "Segment", "SegmentError", "write_segment"]

_MAGIC = b"lolseg01"
"""Its last two digits are the version of the layout: another one is refused like a damaged file."""
_TRAILER = struct.Struct("<QQI8s")
_COMPRESSION = 1


class SegmentError(Exception):
    """The file is no whole segment of this layout; the message names it and says what was found."""


class Segment(Protocol):
    """Documents as columns; rows are numbered from 0."""

    @property
    def size(self) -> int:
        """How many rows there are."""
        ...

    def column(self, field: str) -> Column | None:
        """The column of a field; None if no row has it."""
        ...


class MemorySegment:
    """A segment whose columns are at hand."""

    __slots__ = ("_columns", "size")

    def __init__(self, columns: Mapping[str, Column], size: int) -> None:
        self._columns = columns
        self.size = size

    def column(self, field: str) -> Column | None:
        """See `Segment.column`."""
        return self._columns.get(field)


class _Part(NamedTuple):
    """Where one compressed part of a column is in the file, and what it must add up to."""

    offset: int
    length: int
    checksum: int


class FileSegment:
    """A segment in a file. Columns are read when they are first asked for and kept until `forget` or `close`."""

    def __init__(self, path: Path) -> None:
        """Open the file and read its directory.

        Raises:
            SegmentError: it is no whole segment.
            OSError: it cannot be read at all.
        """
        self.path = path
        self._columns: dict[str, Column] = {}
        self._reading = threading.Lock()
        self._file = path.open("rb", buffering=0)
        try:
            directory = self._directory()
            self.size: int = directory["size"]
            self.about: Mapping[str, Any] = directory["about"]
            self._stored: dict[str, Any] = directory["columns"]
        except (KeyError, TypeError, ValueError) as error:
            self._file.close()
            raise self._damaged(f"its directory cannot be read ({error})") from error
        except SegmentError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of the columns; those handed out stay good."""
        self._file.close()
        self.forget()

    def forget(self) -> None:
        """Let go of the columns read so far."""
        self._columns.clear()

    @property
    def fields(self) -> list[str]:
        """The fields that some row has."""
        return list(self._stored)

    def column(self, field: str) -> Column | None:
        """See `Segment.column`.

        Raises:
            SegmentError: the file is not what it was when it was written.
        """
        known = self._columns.get(field)
        stored = self._stored.get(field)
        if known is not None or stored is None:
            return known
        try:
            parts = {name: self._part(_Part(*at)) for name, at in stored["parts"]}
            column = unpack(StoredColumn(stored["facts"], parts))
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise self._damaged(f'its column "{field}" cannot be read ({error})') from error
        if column.size != self.size:
            raise self._damaged(f'its column "{field}" has {column.size} rows of {self.size}')
        self._columns[field] = column
        return column

    def _directory(self) -> Any:
        end = self._file.seek(0, os.SEEK_END)
        if end < _TRAILER.size:
            raise self._damaged("it is too short")
        offset, length, checksum, magic = _TRAILER.unpack(self._read(end - _TRAILER.size, _TRAILER.size))
        if magic != _MAGIC or offset + length + _TRAILER.size != end:
            raise self._damaged("it does not end as a segment of this version does")
        return json.loads(self._part(_Part(offset, length, checksum)))

    def _part(self, part: _Part) -> bytes:
        raw = self._read(part.offset, part.length)
        if zlib.crc32(raw) != part.checksum:
            raise self._damaged(f"the {part.length} bytes at {part.offset} were changed")
        return zlib.decompress(raw)

    def _read(self, offset: int, length: int) -> bytes:
        with self._reading:
            self._file.seek(offset)
            raw = self._file.read(length)
        if len(raw) != length:
            raise self._damaged(f"there are {len(raw)} of {length} bytes at {offset}")
        return raw

    def _damaged(self, what: str) -> SegmentError:
        return SegmentError(f"{self.path} is no whole segment: {what}. It has to be built again.")


def write_segment(
    path: Path, columns: Iterable[tuple[str, Column]], size: int, about: Mapping[str, Any] | None = None
) -> None:
    """Write a segment so that the file is either whole and durable or not there (or still the former one).

    Args:
        path: where; a file under a temporary name beside it is renamed when it is complete.
        columns: the fields with their columns, each of `size` rows; columns without any value are left out.
        size: the number of rows.
        about: whatever else is to be known of it (JSON), found again in `FileSegment.about`.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            _write(file, columns, size, dict(about or {}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _make_durable(path.parent)


def _write(file: BinaryIO, columns: Iterable[tuple[str, Column]], size: int, about: dict[str, Any]) -> None:
    stored = {}
    for field, column in columns:
        packed = pack(column)
        if packed is not None:
            parts = [(name, _append(file, raw)) for name, raw in packed.parts.items()]
            stored[field] = {"facts": packed.facts, "parts": parts}
    directory = json.dumps({"size": size, "about": about, "columns": stored}).encode()
    file.write(_TRAILER.pack(*_append(file, directory), _MAGIC))


def _append(file: BinaryIO, raw: bytes) -> _Part:
    offset, compressed = file.tell(), zlib.compress(raw, _COMPRESSION)
    file.write(compressed)
    return _Part(offset, len(compressed), zlib.crc32(compressed))


def _make_durable(folder: Path) -> None:
    """Make a rename last through a power failure, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
