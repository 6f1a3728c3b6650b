"""Documents as columns, with what the store itself knows of them: `_index`, `_id`, `_seq_no` and the shard."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

from lolbin_rules.dsl.column import Column, code_type
from lolbin_rules.dsl.field import Typed, Values
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.segment import FileSegment, Segment, SegmentError
from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.store.embedded.catalog import Index
from lolbin_rules.store.embedded.growth import SEQ_NO, SHARD, shard_of
from lolbin_rules.store.embedded.rows import Stretch

__all__ = ["ID", "INDEX", "KNOWN", "Batch", "Called", "ChunkView", "Sealed", "Seqs", "known"]

logger = logging.getLogger("lolbin_rules.store")

Seqs: TypeAlias = npt.NDArray[np.int64]

INDEX: Final = "_index"
ID: Final = "_id"
KNOWN: Final = frozenset({INDEX, ID, SEQ_NO, SHARD})
"""The fields that the store itself knows."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment as it was found or built.

    Attributes:
        segment: the columns.
        unread: the `seq` of documents that could not be made columns of: their rows say nothing.
    """

    segment: Segment
    unread: tuple[int, ...] = ()


class ChunkView:
    """The segment of a chunk. Should its file turn out to be damaged, it is built again on the spot.

    Args:
        connection: sees the documents.
        stretch: the chunk.
        sealed: its segment.
        rebuild: makes another one, from the documents.
        ids: the only values of `_id` that anybody asks for; None if any may be.

    Attributes:
        index: of the documents.
        seqs: the `seq` of each row.
        unread: see `Sealed`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        stretch: Stretch,
        sealed: Sealed,
        rebuild: Callable[[], Sealed],
        ids: frozenset[str] | None,
    ) -> None:
        self.index = stretch.index
        self.seqs: Seqs = np.arange(stretch.first, stretch.end, dtype=np.int64)
        self.unread = sealed.unread
        self._connection = connection
        self._stretch = stretch
        self._segment = sealed.segment
        self._rebuild = rebuild
        self._wanted_ids = ids
        self._ids: Column | None = None

    @property
    def size(self) -> int:
        """See `Segment.size`."""
        return self._stretch.size

    def column(self, name: str) -> Column | None:
        """See `Segment.column`.

        Raises:
            StoreUnavailable: asked again, it will do.
        """
        if name == INDEX:
            return _constant((self.index.name,), self.size)
        if name == ID:
            self._ids = self._ids or self._read_ids()
            return self._ids
        try:
            return self._segment.column(name)
        except (SegmentError, OSError) as error:
            logger.warning("A segment of %s is built again: %s", self.index.name, error)
        self.close()
        sealed = self._rebuild()
        if set(sealed.unread) - set(self.unread):
            raise StoreUnavailable(f"A segment of {self.index.name} had to be built anew. Ask again.")
        self._segment = sealed.segment
        return self._segment.column(name)

    def close(self) -> None:
        """Let go of the file; columns handed out stay good."""
        if isinstance(self._segment, FileSegment):
            self._segment.close()

    def _read_ids(self) -> Column:
        first, end = self._stretch.first, self._stretch.end
        if self._wanted_ids is None:
            found = self._connection.execute("SELECT seq, id FROM documents WHERE seq >= ? AND seq < ?", (first, end))
        else:
            found = self._connection.execute(
                "SELECT seq, id FROM documents"
                " WHERE index_id = ? AND id IN (SELECT value FROM json_each(?)) AND seq >= ? AND seq < ?",
                (self.index.id, orjson.dumps(list(self._wanted_ids)).decode(), first, end),
            )
        values: list[Values] = [()] * self.size
        for seq, name in found:
            values[seq - first] = (name,)
        return Column.of(values)


class Called:
    """The columns of a chunk as queries see them: to those, the name of an index is any of its aliases, too."""

    def __init__(self, view: ChunkView) -> None:
        self._view = view
        self.size = view.size

    def column(self, name: str) -> Column | None:
        """See `Segment.column`."""
        return _constant(_names(self._view.index), self.size) if name == INDEX else self._view.column(name)


@dataclass(slots=True)
class Batch:
    """Some documents at hand, as columns that are made when they are asked for.

    Attributes:
        index: of the documents.
        rows: seq, id and seq_no of each.
        sources: the documents.
        typed: what of them was read already, under the names of `fields`.
        fields: the fields that were read.
    """

    index: Index
    fields: frozenset[str]
    rows: list[tuple[int, str, int]] = field(default_factory=list)
    sources: list[Mapping[str, Any]] = field(default_factory=list)
    typed: list[Typed] = field(default_factory=list)
    _columns: dict[str, Column | None] = field(default_factory=dict)

    @property
    def seqs(self) -> Seqs:
        """The `seq` of each row."""
        return np.array([seq for seq, _, _ in self.rows], dtype=np.int64)

    @property
    def size(self) -> int:
        """See `Segment.size`."""
        return len(self.rows)

    def column(self, name: str) -> Column | None:
        """See `Segment.column`."""
        if name not in self._columns:
            column = Column.of(self._values(name))
            self._columns[name] = column if len(column.dictionary) > 1 else None
        return self._columns[name]

    def add(self, row: tuple[int, str, int], source: Mapping[str, Any], typed: Typed) -> None:
        """One more document."""
        self.rows.append(row)
        self.sources.append(source)
        self.typed.append(typed)

    def _values(self, name: str) -> Iterator[Values]:
        if name == INDEX:
            return ((self.index.name,) for _ in self.rows)
        if name in self.fields:
            return (typed.get(name, ()) for typed in self.typed)
        if name in KNOWN:
            return (known(self.index, row)[name] for row in self.rows)
        reader = Reader(self.index.mapping, [name])
        return (reader.read(source).get(name, ()) for source in self.sources)


def known(index: Index, row: tuple[int, str, int]) -> dict[str, Values]:
    """What the store itself knows of a document, as queries see it: of its index, its seq, id and seq_no."""
    _, name, seq_no = row
    return {INDEX: _names(index), ID: (name,), SEQ_NO: (seq_no,), SHARD: (shard_of(name, index.shards),)}


def _names(index: Index) -> Values:
    return (index.name, *index.aliases)


def _constant(values: Values, size: int) -> Column:
    return Column(np.ones(size, dtype=code_type(2)), [(), values])
