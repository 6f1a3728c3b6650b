"""One transaction that writes documents, one after the other, with an outcome for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

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


Write: TypeAlias = tuple[str, str, bytes, Mapping[str, Any], Put | None]
"""One document on its way: the name of its index, or an alias; its id; its source as JSON, and what that says; and how
it was seen, if this is a `put`. A plain tuple, as there are many."""


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
        self._asked: dict[int, list[str]] = {}
        """Ids of documents on their way that may be there, by index."""
        self._taken: set[tuple[int, str]] = set()
        """Index and id of documents that are there, as far as was asked, or will be."""

    def run(self, writes: Iterator[Write | Outcome]) -> None:
        """Take documents until there is no more, or no room; what has an outcome already is handed through."""
        while len(self.outcomes) < _MOST_DOCUMENTS and self.size < _MOST_BYTES:
            batch = list(islice(writes, _BATCH))
            if not batch:
                break
            targets = [self._target(write) for write in batch]
            self._look_up()
            self.outcomes += [each if isinstance(each, Outcome) else self._take(*each) for each in targets]
        self._insert()
        for growth in self._used.values():
            growth.save(self._connection)
            self.complete += growth.complete
            growth.complete = []

    def _target(self, write: Write | Outcome) -> tuple[Write, Growth] | Outcome:
        """A document and the index that it is for; or its outcome, if that is certain."""
        if isinstance(write, Outcome):
            return write
        where, name, raw, _, _ = write
        problem = _problem(name)
        if problem is not None:
            return Outcome(Verdict.REJECTED, f"The id {name!r} cannot be written: {problem}. Choose another id.")
        if len(raw) > _LONGEST_SOURCE:
            return Outcome(Verdict.REJECTED, f"{where}/{name} has {len(raw)} bytes. Write less in one.")
        growth = self._by_name.get(where) or self._open(where)
        if isinstance(growth, Outcome):
            return growth
        if not growth.is_new(name):
            self._asked.setdefault(growth.index_id, []).append(name)
        return write, growth

    def _look_up(self) -> None:
        """See which of the ids that may be taken are."""
        for index_id, ids in self._asked.items():
            found = self._connection.execute(
                "SELECT index_id, id FROM documents WHERE index_id = ? AND id IN (SELECT value FROM json_each(?))",
                (index_id, orjson.dumps(ids).decode()),
            )
            self._taken.update(found)
        self._asked.clear()

    def _take(self, write: Write, growth: Growth) -> Outcome:
        _, name, raw, source, put = write
        try:
            if put is not None:
                return self._put(growth, write, put)
            address = growth.index_id, name
            if address in self._taken:
                return _EXISTS
            self._rows.append(growth.row(name, raw, source))
        except (Malformed, StoreRejected) as error:
            return Outcome(Verdict.REJECTED, str(error))
        self._taken.add(address)
        self.size += len(raw)
        return _CREATED

    def _put(self, growth: Growth, write: Write, put: Put) -> Outcome:
        _, name, raw, source, _ = write
        there = self._connection.execute(
            "SELECT seq, seq_no, length(source) FROM documents WHERE index_id = ? AND id = ?",
            (growth.index_id, name),
        ).fetchone()
        seen = Seen(there[1], PRIMARY_TERM) if there else None
        if seen != put.seen:
            return Outcome(Verdict.CONFLICT, f"it is in the state {seen}" if seen else "it is not there")
        self.size += len(raw)
        if there is None:
            self._rows.append(growth.row(name, raw, source))
            self._insert()  # the next one may be for the same id
            return _CREATED
        seq, _, size = there
        changed = growth.changed_row(name, raw, source, size)
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
