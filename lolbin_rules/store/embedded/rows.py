"""Reading the documents of one chunk: all of them, those in a window of time, those changed since they were written.

A chunk is a fixed stretch of an index: so many documents in the order in which they were created. What is complete is
sealed into a segment; the last chunk of an index is under way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from lolbin_rules.store.embedded.catalog import Index

__all__ = ["Row", "Stretch", "Window", "changed", "count", "every_row", "rows_of", "rows_within", "stretches"]

_BATCH = 512
_BATCH_BYTES = 8_000_000
"""A batch of long documents ends earlier: what is read of it is there several times over."""


class Window(NamedTuple):
    """Documents whose earliest time is not after `high` and whose latest is not before `low`, in epoch milliseconds."""

    low: int
    high: int


Row: TypeAlias = tuple[int, str, int, bytes]
"""One document: seq, id, seq_no, source."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One chunk of an index, as of one point in time.

    Attributes:
        index: the index.
        chunk: its number in the database.
        first: the `seq` of its first document.
        end: the `seq` after that of its last document so far.
        is_complete: nothing will be added to it.
    """

    index: Index
    chunk: int
    first: int
    end: int
    is_complete: bool

    @property
    def size(self) -> int:
        """How many documents were ever created in it."""
        return self.end - self.first


def stretches(connection: sqlite3.Connection, index: Index, segment_rows: int) -> Iterator[Stretch]:
    """The chunks of an index, oldest first, but for those at the beginning that nothing is left of."""
    (oldest,) = connection.execute(
        "SELECT min(seq) FROM documents WHERE seq >= ? AND seq < ?", (index.first_seq, index.end_seq)
    ).fetchone()
    if oldest is None:
        return
    for first in range(oldest - oldest % segment_rows, index.end_seq, segment_rows):
        end = min(first + segment_rows, index.end_seq)
        yield Stretch(index, first // segment_rows, first, end, is_complete=end == first + segment_rows)


def count(connection: sqlite3.Connection, stretch: Stretch, window: Window | None, most: int) -> int:
    """How many documents of the chunk there are (in the window of time); a little more than `most` stands for many."""
    if window is None:
        return _number(connection, "SELECT 1 FROM documents WHERE chunk = ? LIMIT ?", (stretch.chunk, most + 1))
    return _number(
        connection,
        "SELECT 1 FROM documents WHERE chunk = ? AND time BETWEEN ? AND ? LIMIT ?",
        (stretch.chunk, window.low, window.high, most + 1),
    ) + _number(
        connection,
        "SELECT 1 FROM documents INDEXED BY with_several_times WHERE chunk = ? AND latest >= ? AND time < ? LIMIT ?",
        (stretch.chunk, window.low, window.low, most + 1),
    )


def every_row(connection: sqlite3.Connection, stretch: Stretch) -> Iterator[list[Row]]:
    """The documents of the chunk in order, batch by batch."""
    return _batches(
        connection.execute(
            "SELECT seq, id, seq_no, source FROM documents WHERE seq >= ? AND seq < ? ORDER BY seq",
            (stretch.first, stretch.end),
        )
    )


def rows_within(connection: sqlite3.Connection, stretch: Stretch, window: Window | None) -> Iterator[list[Row]]:
    """The documents of the chunk that have a time in the window, batch by batch, in no order."""
    if window is None:
        yield from every_row(connection, stretch)
        return
    yield from _batches(
        connection.execute(
            "SELECT seq, id, seq_no, source FROM documents WHERE chunk = ? AND time BETWEEN ? AND ?",
            (stretch.chunk, window.low, window.high),
        )
    )
    # Of several times, another than the earliest may lie in the window.
    yield from _batches(
        connection.execute(
            "SELECT seq, id, seq_no, source FROM documents INDEXED BY with_several_times"
            " WHERE chunk = ? AND latest >= ? AND time < ?",
            (stretch.chunk, window.low, window.low),
        )
    )


def changed(connection: sqlite3.Connection, stretch: Stretch) -> list[int]:
    """The `seq` of each document of the chunk that was changed or removed, ascending."""
    found = connection.execute(
        "SELECT seq FROM changed WHERE seq >= ? AND seq < ? ORDER BY seq", (stretch.first, stretch.end)
    )
    return [seq for (seq,) in found]


def rows_of(connection: sqlite3.Connection, seqs: Sequence[int]) -> Iterator[list[Row]]:
    """Those of the documents that are still there, batch by batch."""
    found = (
        connection.execute("SELECT seq, id, seq_no, source FROM documents WHERE seq = ?", (seq,)).fetchone()
        for seq in seqs
    )
    return _batches(row for row in found if row is not None)


def _number(connection: sqlite3.Connection, query: str, parameters: tuple[int, ...]) -> int:
    return len(connection.execute(query, parameters).fetchall())


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row[3])
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
