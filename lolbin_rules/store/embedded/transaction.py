"""One transaction that writes documents, one after the other, with an outcome for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from lolbin_rules.dsl.indexer import Malformed
from lolbin_rules.errors import StoreRejected
from lolbin_rules.store.embedded.growth import Chunk, Growth
from lolbin_rules.store.embedded.names import check_index_name, is_text
from lolbin_rules.store.embedded.templates import make_index
from lolbin_rules.store.port import Outcome, Put, Seen, Verdict

__all__ = ["PRIMARY_TERM", "Transaction", "Write", "is_id"]

PRIMARY_TERM = 1
"""Of all documents: nobody but this store ever decides what comes first."""

_MOST_DOCUMENTS = 2000
_MOST_BYTES = 32 << 20
_BATCH = 16
"""Documents whose ids are looked up at once. Few, so that each is still in the processor's cache when it is taken."""
_LONGEST_ID = 512
_LONGEST_SOURCE = 100 << 20
"""Bytes, as in Elasticsearch."""

_CREATED = Outcome(Verdict.CREATED)
_UPDATED = Outcome(Verdict.UPDATED)
_EXISTS = Outcome(Verdict.EXISTS, "the id is taken")


class Write(NamedTuple):
    """One document on its way.

    Attributes:
        where: the name of its index, or an alias.
        id: its id.
        raw: its source as JSON.
        source: what that says.
        put: how it was seen, if this is a `put`.
    """

    where: str
    id: str
    raw: bytes
    source: Mapping[str, Any]
    put: Put | None = None


class Transaction:
    """Writes as many documents as one transaction may hold.

    Args:
        connection: in a transaction.
        segment_rows: documents of a segment.
        growths: what is known of indices, by their number; the one used last at the end.

    Attributes:
        outcomes: what becomes of the documents if the transaction is committed.
        complete: the chunks that they complete.
        size: bytes of their sources.
    """

    def __init__(self, connection: sqlite3.Connection, segment_rows: int, growths: dict[int, Growth]) -> None:
        self.outcomes: list[Outcome] = []
        self.complete: list[Chunk] = []
        self.size = 0
        self._connection = connection
        self._segment_rows = segment_rows
        self._growths = growths
        self._by_name: dict[str, Growth | Outcome] = {}
        self._used: dict[int, Growth] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._taken: set[tuple[int, str]] = set()
        """Index and id of documents that are there, as far as was asked, or will be."""

    def run(self, writes: Iterator[Write | Outcome]) -> None:
        """Take documents until there is no more, or no room; what has an outcome already is handed through."""
        while len(self.outcomes) < _MOST_DOCUMENTS and self.size < _MOST_BYTES:
            batch = list(islice(writes, _BATCH))
            if not batch:
                break
            self._take_all([self._target(write) for write in batch])
        self._insert()
        for growth in self._used.values():
            growth.save(self._connection)
            self.complete += growth.complete
            growth.complete = []

    def _target(self, write: Write | Outcome) -> tuple[Write, Growth] | Outcome:
        """A document and the index that it is for; or its outcome, if that is certain."""
        if isinstance(write, Outcome):
            return write
        problem = _problem(write.id)
        if problem is not None:
            return Outcome(Verdict.REJECTED, f"The id {write.id!r} cannot be written: {problem}. Choose another id.")
        if len(write.raw) > _LONGEST_SOURCE:
            return Outcome(Verdict.REJECTED, f"{write.where}/{write.id} has {len(write.raw)} bytes. Write less in one.")
        growth = self._by_name.get(write.where) or self._open(write.where)
        return growth if isinstance(growth, Outcome) else (write, growth)

    def _take_all(self, batch: Sequence[tuple[Write, Growth] | Outcome]) -> None:
        asked: dict[int, list[str]] = {}
        for each in batch:
            if isinstance(each, tuple):
                write, growth = each
                asked.setdefault(growth.index_id, []).append(write.id)
        for index_id, ids in asked.items():
            found = self._connection.execute(
                "SELECT index_id, id FROM documents WHERE index_id = ? AND id IN (SELECT value FROM json_each(?))",
                (index_id, orjson.dumps(ids).decode()),
            )
            self._taken.update(found)
        self.outcomes += [self._take(*each) if isinstance(each, tuple) else each for each in batch]

    def _take(self, write: Write, target: Growth) -> Outcome:
        try:
            if write.put is not None:
                return self._put(target, write, write.put)
            address = (target.index_id, write.id)
            if address in self._taken:
                return _EXISTS
            self._rows.append(target.row(write.id, write.raw, write.source))
        except (Malformed, StoreRejected) as error:
            return Outcome(Verdict.REJECTED, str(error))
        self._taken.add(address)
        self.size += len(write.raw)
        return _CREATED

    def _put(self, growth: Growth, write: Write, put: Put) -> Outcome:
        there = self._connection.execute(
            "SELECT seq, seq_no, length(source) FROM documents WHERE index_id = ? AND id = ?",
            (growth.index_id, write.id),
        ).fetchone()
        seen = Seen(there[1], PRIMARY_TERM) if there else None
        if seen != put.seen:
            return Outcome(Verdict.CONFLICT, f"it is in the state {seen}" if seen else "it is not there")
        self.size += len(write.raw)
        if there is None:
            self._rows.append(growth.row(write.id, write.raw, write.source))
            self._insert()  # the next one may be for the same id
            return _CREATED
        seq, _, size = there
        changed = growth.changed_row(write.id, write.raw, write.source, size)
        self._connection.execute(
            "UPDATE documents SET seq_no = ?, time = ?, latest = ?, source = ? WHERE seq = ?", (*changed, seq)
        )
        self._connection.execute("INSERT OR IGNORE INTO changed VALUES (?)", (seq,))
        return _UPDATED

    def _insert(self) -> None:
        self._connection.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._rows)
        self._rows = []

    def _open(self, name: str) -> Growth | Outcome:
        """The index of this name or alias, made if there is none; or why there is none to write to."""
        try:
            index_id = _index_id(self._connection, name)
        except StoreRejected as error:
            refused = self._by_name[name] = Outcome(Verdict.REJECTED, str(error))
            return refused
        growth = self._used.get(index_id)
        if growth is None:
            growth = self._growths.pop(index_id, None)
            if growth is None or not growth.is_current(self._connection):
                growth = Growth(self._connection, index_id, self._segment_rows)
            self._used[index_id] = self._growths[index_id] = growth
        self._by_name[name] = growth
        return growth


def _index_id(connection: sqlite3.Connection, name: str) -> int:
    """The number of the index of this name or alias, made if there is none.

    Raises:
        StoreRejected: it cannot be told which index is meant, or none can be made.
    """
    if not is_text(name):
        check_index_name(name)
    found: Sequence[tuple[int]] = connection.execute("SELECT id FROM indices WHERE name = ?", (name,)).fetchall()
    if not found:
        known = connection.execute("SELECT id, aliases FROM indices WHERE name IS NOT NULL")
        found = [(number,) for number, aliases in known if name in orjson.loads(aliases)]
    if len(found) > 1:
        raise StoreRejected(f'"{name}" is an alias of {len(found)} indices. Write to one of them by its own name.')
    return found[0][0] if found else make_index(connection, name)


def is_id(name: str) -> bool:
    """Whether a document can have this id."""
    return _problem(name) is None


def _problem(name: str) -> str | None:
    """Why this cannot be an id, if it cannot."""
    if name.isascii():
        length = len(name)
    elif is_text(name):
        length = len(name.encode())
    else:
        return "it has half a surrogate pair in it"
    if not 0 < length <= _LONGEST_ID:
        return f"it is longer than {_LONGEST_ID} bytes" if length else "it is empty"
    return "it has a NUL in it" if "\0" in name else None
