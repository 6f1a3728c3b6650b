"""Writing and reading single documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import orjson

from lolbin_rules.errors import StoreError, StoreRejected
from lolbin_rules.store.embedded.catalog import Catalog
from lolbin_rules.store.embedded.database import Database
from lolbin_rules.store.embedded.growth import Chunk, Growths
from lolbin_rules.store.embedded.json_text import encode, part
from lolbin_rules.store.embedded.transaction import PRIMARY_TERM, Transaction, Write, is_id
from lolbin_rules.store.port import Document, Key, Outcome, Put, Seen, Stored, Verdict

__all__ = ["Event", "Writer", "get"]

Event: TypeAlias = tuple[str, str, bytes, Mapping[str, Any]]
"""Index, id, source as JSON that `orjson` reads, and what it reads."""


class Writer:
    """Writes documents; any number of threads may share it.

    Args:
        database: where to.
        growths: what is known of the indices.
        seal: told of every chunk that is complete, after it was committed.
    """

    def __init__(self, database: Database, growths: Growths, seal: Callable[[Chunk], None]) -> None:
        self._database = database
        self._growths = growths
        self._seal = seal

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`."""
        return self._write_all([(document, None) for document in documents])

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`."""
        return self._write_all([(put.document, put) for put in puts])

    def ingest(self, events: Iterable[Event]) -> list[Outcome]:
        """See `EmbeddedStore.ingest`."""
        return self._write((*event, None) for event in events)

    def _write_all(self, documents: Sequence[tuple[Document, Put | None]]) -> list[Outcome]:
        outcomes = self._write(_prepared(document, put) for document, put in documents)
        # Once the store is unavailable, the rest is not tried.
        return outcomes + outcomes[-1:] * (len(documents) - len(outcomes))

    def _write(self, writes: Iterable[Write | Outcome]) -> list[Outcome]:
        """Write as many as can be. What became of them, in order: up to those of the first transaction that failed."""
        outcomes: list[Outcome] = []
        rest = iter(writes)
        for first in rest:
            transaction = None
            try:
                with self._database.writing() as connection, self._growths.held() as growths:
                    transaction = Transaction(connection, self._database.segment_rows, growths)
                    transaction.run(chain([first], rest))
                    self._database.note_written(transaction.size)
            except StoreError as error:
                tried = len(transaction.outcomes) if transaction else 0
                return outcomes + [Outcome(Verdict.UNAVAILABLE, str(error))] * max(1, tried)
            outcomes += transaction.outcomes
            for chunk in transaction.complete:
                self._seal(chunk)
        return outcomes


def _prepared(document: Document, put: Put | None) -> Write | Outcome:
    try:
        raw = encode(document.source)
    except (TypeError, ValueError) as error:
        return Outcome(Verdict.REJECTED, f"The document cannot be written as JSON: {error}")
    # What is kept is what JSON makes of it: tuples are lists, dates are text.
    return document.key.index, document.key.id, raw, orjson.loads(raw), put


def get(
    connection: sqlite3.Connection, catalog: Catalog, keys: Sequence[Key], fields: Sequence[str] | None
) -> list[Stored | None]:
    """See `Store.get`.

    Raises:
        StoreRejected: a key names an alias of several indices.
    """
    found: list[Stored | None] = []
    for key in keys:
        indices = catalog.behind(key.index)
        if len(indices) > 1:
            raise StoreRejected(
                f'"{key.index}" is an alias of {len(indices)} indices. Ask one of them by its own name.'
            )
        row = None
        if indices and is_id(key.id):
            row = connection.execute(
                "SELECT seq_no, source FROM documents WHERE index_id = ? AND id = ?", (indices[0].id, key.id)
            ).fetchone()
        found.append(_stored(key, row, fields) if row else None)
    return found


def _stored(key: Key, row: tuple[int, bytes], fields: Sequence[str] | None) -> Stored:
    seq_no, raw = row
    source = orjson.loads(raw)
    return Stored(key, source if fields is None else part(source, fields), Seen(seq_no, PRIMARY_TERM))
