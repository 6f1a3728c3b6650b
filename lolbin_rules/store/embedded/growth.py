"""An index as its writer knows it: what it maps so far, the next numbers, and the columns of the chunk under way."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import threading
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final
from zlib import crc32

import numpy as np
import orjson

from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.dates import parse_date
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.values import wholes_unchanged
from lolbin_rules.store.embedded.catalog import ROW_BITS

__all__ = ["SEQ_NO", "SHARD", "TIMESTAMP", "UNITS", "Chunk", "Growth", "Growths", "Numbering", "shard_of"]

TIMESTAMP = "@timestamp"
NANOS_PER_MILLI = 1_000_000
UNITS = {"date": 1, "date_nanos": NANOS_PER_MILLI}
"""Type -> how many of its units are a millisecond."""
SEQ_NO: Final = "_seq_no"
SHARD: Final = "_shard"
"""The number of the shard that a document is in; kept only where an index has several."""

_MOST_GROWTHS = 64
_MOST_WITH_COLUMNS = 8
_NOTHING = -1
_SIGNS = 1 << 22
"""Bits by which new ids are told from those that may be there: with a million documents, eight in ten."""
_IN_USE = 0
"""The stamp of nothing that was ever saved."""


class Numbering:
    """The sequence number and the shard of each row of a chunk, as columns that only this store knows of."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._seq_nos = array("q")
        self._numbers = array("i")

    def add(self, name: str, seq_no: int) -> None:
        """One more row: a document of this id."""
        self._seq_nos.append(seq_no)
        if self._shards > 1:
            self._numbers.append(shard_of(name, self._shards))

    def add_nothing(self) -> None:
        """One more row, whose document is no more."""
        self._seq_nos.append(_NOTHING)
        if self._shards > 1:
            self._numbers.append(_NOTHING)

    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        columns = {SEQ_NO: _column(self._seq_nos)}
        if self._shards > 1:
            columns[SHARD] = _column(self._numbers)
        return columns


def _column(numbers: array[int]) -> Column:
    found = np.array(numbers, dtype=np.int64)
    return Column.of_numbers(found, found != _NOTHING)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk, complete or under way, with its columns as they were written.

    Attributes:
        number: its number in the database.
        index_uuid: of its index.
        indexer: has one row for each of its documents.
        numbering: likewise.
    """

    number: int
    index_uuid: str
    indexer: Indexer
    numbering: Numbering

    @property
    def size(self) -> int:
        """How many documents it has."""
        return self.indexer.size

    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        return dict(self.cut())

    def cut(self) -> Iterator[tuple[str, Column]]:
        """The same one after the other, of a chunk that is complete."""
        return chain(self.indexer.cut(), self.numbering.columns().items())


def shard_of(name: str, shards: int) -> int:
    """The shard that a document is in, by its id."""
    return crc32(name.encode()) % shards if shards > 1 else 0


class Growth:
    """The state of one index within write transactions. Whatever fails, it is not `is_current` any more and read again.

    Attributes:
        index_id: its number in the database.
        complete: chunks that this program has written from the first document to the last.
    """

    def __init__(self, connection: sqlite3.Connection, index_id: int, segment_rows: int) -> None:
        self.index_id = index_id
        self._first_seq = index_id << ROW_BITS
        self.complete: list[Chunk] = []
        self._segment_rows = segment_rows
        self._stamp = _IN_USE
        found = connection.execute(
            "SELECT uuid, version, next_row, mappings, settings FROM indices WHERE id = ?", (index_id,)
        ).fetchone()
        self._uuid, self._version, self._next_row = found[:3]
        self._more_bytes = 0
        self._has_copies = "copy_to" in found[3]
        self._mapping = IndexMapping(orjson.loads(found[3]), orjson.loads(found[4]))
        self._mapping_version = self._saved_mapping_version = self._mapping.version
        shards = connection.execute("SELECT next_seq_no FROM shards WHERE index_id = ? ORDER BY number", (index_id,))
        self._next_seq_nos: list[int] = [seq_no for (seq_no,) in shards]
        self._checker = Indexer(self._mapping)
        self._indexer: Indexer | None = None
        self._numbering = Numbering(len(self._next_seq_nos))
        # Where all ids are known, a bit for each tells most new ones from those that there are.
        self._signs = bytearray(_SIGNS >> 3) if self._next_row == 0 else None
        self._begin_chunk()
        self._note_mapping()

    def is_current(self, connection: sqlite3.Connection) -> bool:
        """Whether the index is as this object has left it, by its last `save`: it may then be used once more."""
        stamp, self._stamp = self._stamp, _IN_USE
        found = connection.execute("SELECT stamp FROM indices WHERE id = ?", (self.index_id,)).fetchone()
        return stamp != _IN_USE and found == (stamp,)

    def is_new(self, name: str) -> bool:
        """Whether a document of this id is certainly not there; from now on, it may be."""
        if self._signs is None:
            return False
        sign = hash(name) % _SIGNS
        place, bit = sign >> 3, 1 << (sign & 7)
        is_new = not self._signs[place] & bit
        self._signs[place] |= bit
        return is_new

    def row(self, name: str, raw: bytes, source: Mapping[str, Any]) -> tuple[Any, ...]:
        """Take one more document; its row of the table `documents`.

        Raises:
            Malformed: Elasticsearch would refuse it. Nothing has changed.
            StoreRejected: likewise.
        """
        if self._indexer is None:
            self._checker.check(source)
        else:
            self._indexer.add(source)
        earliest, latest = self._times(source)
        seq_no = self._seq_no(name)
        seq = self._first_seq + self._next_row
        chunk = seq // self._segment_rows
        self._next_row += 1
        self._more_bytes += len(raw)
        if self._indexer is not None:
            self._numbering.add(name, seq_no)
        if (seq + 1) % self._segment_rows == 0:
            if self._indexer is not None and self._indexer.size == self._segment_rows:
                self.complete.append(Chunk(chunk, self._uuid, self._indexer, self._numbering))
            self._begin_chunk()
        return (seq, self.index_id, chunk, name, seq_no, earliest, latest, raw)

    def changed_row(self, name: str, raw: bytes, source: Mapping[str, Any], old_bytes: int) -> tuple[Any, ...]:
        """Take a document in the place of another; its new seq_no, times and source.

        Raises:
            Malformed, StoreRejected: as `row`.
        """
        self._checker.check(source)
        self._more_bytes += len(raw) - old_bytes
        return (self._seq_no(name), *self._times(source), raw)

    def save(self, connection: sqlite3.Connection) -> None:
        """Write down what has changed."""
        self._stamp = secrets.randbits(62) | 1
        connection.execute(
            "UPDATE indices SET next_row = ?, bytes = bytes + ?, stamp = ? WHERE id = ?",
            (self._next_row, self._more_bytes, self._stamp, self.index_id),
        )
        self._more_bytes = 0
        connection.executemany(
            "UPDATE shards SET next_seq_no = ? WHERE index_id = ? AND number = ?",
            [(seq_no, self.index_id, number) for number, seq_no in enumerate(self._next_seq_nos)],
        )
        if self._mapping.version != self._saved_mapping_version:
            self._saved_mapping_version = self._mapping.version
            self._version += 1
            connection.execute(
                "UPDATE indices SET version = ?, mappings = ? WHERE id = ?",
                (self._version, orjson.dumps(self._mapping.to_json()).decode(), self.index_id),
            )

    def forget_columns(self) -> None:
        """Free the memory of the columns of the chunk under way; who needs them builds them from the documents."""
        self._indexer = None

    @property
    def has_columns(self) -> bool:
        """Whether the columns of the chunk under way are here."""
        return self._indexer is not None and self._indexer.size > 0

    def under_way(self, stamp: int) -> Chunk | None:
        """The chunk under way, where its columns are here and the index is in the state of this stamp."""
        if self._indexer is None or stamp != self._stamp:
            return None
        chunk = (self.index_id << ROW_BITS | self._next_row) // self._segment_rows
        return Chunk(chunk, self._uuid, self._indexer, self._numbering)

    def _begin_chunk(self) -> None:
        """Keep columns from here on, if this is where a chunk begins."""
        is_first = self._next_row % self._segment_rows == 0
        self._indexer = Indexer(self._mapping) if is_first else None
        self._numbering = Numbering(len(self._next_seq_nos))

    def _seq_no(self, name: str) -> int:
        next_seq_nos = self._next_seq_nos
        shard = shard_of(name, len(next_seq_nos)) if len(next_seq_nos) > 1 else 0
        seq_no = next_seq_nos[shard]
        next_seq_nos[shard] = seq_no + 1
        return seq_no

    def _times(self, source: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """The earliest time in epoch milliseconds, and the latest where there are several."""
        if self._mapping.version != self._mapping_version:
            self._note_mapping()
        value = source.get(TIMESTAMP)
        if value.__class__ is int and value in self._plain_numbers:
            return value, None
        if self._plain_formats and isinstance(value, str):
            try:
                return parse_date(value, self._plain_formats), None
            except ValueError:
                pass  # malformed, and the mapping says to ignore that
        values = self._reader.read(source).get(TIMESTAMP) if self._reader is not None else None
        if not values:
            return None, None
        earliest = int(min(values)) // self._unit
        return earliest, int(max(values)) // self._unit if len(values) > 1 else None

    def _note_mapping(self) -> None:
        self._mapping_version = self._mapping.version
        field = self._mapping.field(TIMESTAMP)
        # An alias of that name is no field of the document: its time is left open.
        is_own = field is not None and field.name == TIMESTAMP and field.type in UNITS
        self._unit = UNITS[field.type] if field is not None and is_own else 1
        self._reader = Reader(self._mapping, [TIMESTAMP]) if is_own else None
        # Nearly all documents have one text or number there, and nothing copied to it: read without the reader.
        is_plain = field is not None and is_own and field.type == "date" and not self._has_copies
        self._plain_formats = field.formats if field is not None and is_plain else ()
        self._plain_numbers = wholes_unchanged(field) if field is not None and is_plain else range(0)


class Growths:
    """What this program knows of the indices that it writes to; any number of threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_index: dict[int, Growth] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[dict[int, Growth]]:
        """For one write transaction: the growths by the number of the index, the one used last at the end."""
        with self._lock:
            try:
                yield self._by_index
            finally:
                self._limit()

    def under_way(self, index_id: int, stamp: int) -> tuple[Mapping[str, Column], int] | None:
        """The columns of an index's chunk under way and how many rows they have; None where they are not here.

        Args:
            index_id: the number of the index.
            stamp: of the state of the index that is asked for.
        """
        with self._lock:
            growth = self._by_index.get(index_id)
            chunk = growth.under_way(stamp) if growth else None
            return (chunk.columns(), chunk.size) if chunk else None

    def _limit(self) -> None:
        """Keep what is known of indices from growing without end."""
        for index_id in list(self._by_index)[:-_MOST_GROWTHS]:
            del self._by_index[index_id]
        for growth in [each for each in self._by_index.values() if each.has_columns][:-_MOST_WITH_COLUMNS]:
            growth.forget_columns()
