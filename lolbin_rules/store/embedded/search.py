"""Finding the documents that match, chunk by chunk.

Where a chunk has few documents in the window of time, they are read one by one and matched; where it has many, its
columns are asked. Both ways have the same answers.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.errors import StoreRejected
from lolbin_rules.store.embedded.asked import Asked, Request
from lolbin_rules.store.embedded.catalog import Index
from lolbin_rules.store.embedded.deadline import Deadline
from lolbin_rules.store.embedded.rows import Row, Stretch, changed, count, rows_of, rows_within, stretches
from lolbin_rules.store.embedded.seal import Sealer
from lolbin_rules.store.embedded.views import Batch, Called, ChunkView, known
from lolbin_rules.store.port import ShardFailure

__all__ = ["Found", "Search", "ask"]

_FEW = 128
"""Measured: to read so many documents takes about as long as to ask the columns of a chunk, by 1 query or 500."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found among some documents of one index.

    Attributes:
        documents: these documents as columns.
        rows: the name of each query -> the rows that match it, ascending.
    """

    documents: ChunkView | Batch
    rows: Mapping[str, Rows]

    def every_row(self) -> Rows:
        """The rows that match any query, ascending."""
        found = list(self.rows.values())
        return found[0] if len(found) == 1 else np.unique(np.concatenate([np.empty(0, np.uint32), *found]))


def ask(
    indices: Sequence[Index], request: Request, asked: Callable[[Request, IndexMapping], Asked]
) -> tuple[list[tuple[Index, Asked]], tuple[ShardFailure, ...]]:
    """Put a request to indices: those that take it with what it means there, and the refusals of the others.

    Raises:
        StoreRejected: all of them refuse it.
    """
    known_answers: dict[tuple[IndexMapping, frozenset[str]], Asked | StoreRejected] = {}
    taken, refused = [], []
    for index in indices:
        left_out = request.left_out(index.name)
        kind = (index.mapping, left_out)
        if kind not in known_answers:
            try:
                known_answers[kind] = asked(request.without(left_out), index.mapping)
            except StoreRejected as error:
                known_answers[kind] = error
        answer = known_answers[kind]
        if isinstance(answer, StoreRejected):
            refused.append(ShardFailure(index.name, 0, str(answer), is_query_at_fault=True))
        else:
            taken.append((index, answer))
    if refused and not taken:
        raise next(answer for answer in known_answers.values() if isinstance(answer, StoreRejected))
    return taken, tuple(refused)


class Search:
    """One look at the documents, in one transaction.

    Args:
        connection: sees them as of one point in time.
        sealer: has the segments.
        segment_rows: documents of a segment.
        deadline: ends it.
    """

    def __init__(self, connection: sqlite3.Connection, sealer: Sealer, segment_rows: int, deadline: Deadline) -> None:
        self._connection = connection
        self._sealer = sealer
        self._segment_rows = segment_rows
        self._deadline = deadline

    def find(self, index: Index, asked: Asked) -> Iterator[Found]:
        """What matches in an index, in no order. Use each before asking for the next: files are closed after it."""
        for stretch in stretches(self._connection, index, self._segment_rows):
            self._deadline.check()
            few = _few(stretch, is_ready=self._sealer.is_ready(self._connection, stretch))
            number = count(self._connection, stretch, asked.window, few)
            if number > few:
                yield from self._in_columns(stretch, asked)
            elif number:
                yield from self._singly(index, asked, rows_within(self._connection, stretch, asked.window))

    def _in_columns(self, stretch: Stretch, asked: Asked) -> Iterator[Found]:
        with contextlib.closing(self._sealer.view(self._connection, stretch, asked.ids, self._deadline)) as view:
            stale = sorted({*changed(self._connection, stretch), *view.unread})
            within = None
            if stale:
                every = np.arange(stretch.size, dtype=np.uint32)
                within = np.delete(every, np.array(stale, dtype=np.int64) - stretch.first)
            rows = {}
            for name, found in asked.evaluate(Called(view), within):
                self._deadline.check()
                if len(found):
                    rows[name] = found
            if rows:
                yield Found(view, rows)
        yield from self._singly(stretch.index, asked, rows_of(self._connection, stale))

    def _singly(self, index: Index, asked: Asked, batches: Iterable[Sequence[Row]]) -> Iterator[Found]:
        for rows in batches:
            self._deadline.check()
            batch = Batch(index, asked.fields)
            found: dict[str, list[int]] = {}
            for seq, name, seq_no, raw in rows:
                row, source = (seq, name, seq_no), orjson.loads(raw)
                typed = asked.reader.read(source) | known(index, row)
                names = asked.match(typed)
                for query in names:
                    found.setdefault(query, []).append(batch.size)
                if names:
                    batch.add(row, source, typed)
            if found:
                yield Found(batch, {query: np.array(at, dtype=np.uint32) for query, at in found.items()})


def _few(stretch: Stretch, *, is_ready: bool) -> int:
    """How many documents of a chunk are read one by one rather than its columns."""
    return _FEW if is_ready else max(_FEW, stretch.size // 4)  # making columns takes as long as reading all of it
