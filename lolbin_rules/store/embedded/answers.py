"""Counts and aggregations over the documents that match a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import orjson

from lolbin_rules.dsl.aggregations import Part, aggregate
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.store.embedded.asked import Asked, Request
from lolbin_rules.store.embedded.catalog import Index
from lolbin_rules.store.embedded.deadline import Deadline
from lolbin_rules.store.embedded.holdings import Holdings
from lolbin_rules.store.embedded.search import Found, Search, ask
from lolbin_rules.store.embedded.views import Seqs
from lolbin_rules.store.port import Aggregated, Counted, Query

__all__ = ["Answers"]

_ONLY = "query"


class Answers:
    """Answers about one database; any number of threads may share it.

    Args:
        holdings: of the store.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def count(self, index: Sequence[str], query: Query, within: timedelta) -> Counted:
        """See `Store.count`."""
        deadline = Deadline(self._holdings.stop, within)
        with self._holdings.database.reading() as connection:
            indices = self._holdings.catalogs.read(connection).resolve(index)
            taken, failures = ask(indices, _request(query, self._holdings.now_ms()), self._asked)
            found = self._find(connection, taken, deadline)
            value = sum(len(each.every_row()) for each in found)
        return Counted(value, failures)

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], within: timedelta
    ) -> Aggregated:
        """See `Store.aggregate`; the values are empty where no index matches."""
        deadline, now_ms = Deadline(self._holdings.stop, within), self._holdings.now_ms()
        with self._holdings.database.reading() as connection:
            indices = self._holdings.catalogs.read(connection).resolve(index)
            if not indices:
                return Aggregated({})
            taken, failures = ask(indices, _request(query, now_ms), self._asked)
            parts = self._parts(connection, taken, deadline)
            return Aggregated(aggregate(aggregations, parts, now_ms), failures)

    def _asked(self, request: Request, mapping: IndexMapping) -> Asked:
        return Asked(request, mapping, self._holdings.clauses, frozenset())

    def _find(
        self, connection: sqlite3.Connection, taken: Sequence[tuple[Index, Asked]], deadline: Deadline
    ) -> Iterator[Found]:
        search = Search(connection, self._holdings.sealer, self._holdings.database.segment_rows, deadline)
        for index, asked in taken:
            yield from search.find(index, asked)

    def _parts(
        self, connection: sqlite3.Connection, taken: Sequence[tuple[Index, Asked]], deadline: Deadline
    ) -> Iterator[Part]:
        for mapping, name in {index.mapping: index.name for index, _ in taken}.items():
            # What is asked is understood by every mapping, be there documents or not.
            yield Part(mapping, MemorySegment({}, 0), np.empty(0, dtype=np.uint32), _no_hit, name)
        for found in self._find(connection, taken, deadline):
            documents = found.documents
            hits = _Hits(connection, documents.index.name, documents.seqs)
            yield Part(documents.index.mapping, documents, found.every_row(), hits.hit, documents.index.name)


def _request(query: Query, now_ms: int) -> Request:
    return Request({_ONLY: query}, {"match_all": {}}, now_ms)


class _Hits:
    """Reads the documents of some rows, for aggregations that show them."""

    def __init__(self, connection: sqlite3.Connection, index: str, seqs: Seqs) -> None:
        self._connection = connection
        self._index = index
        self._seqs = seqs

    def hit(self, row: int) -> dict[str, Any]:
        """The document of a row as searches tell it."""
        name, raw = self._connection.execute(
            "SELECT id, source FROM documents WHERE seq = ?", (int(self._seqs[row]),)
        ).fetchone()
        return {"_index": self._index, "_id": name, "_source": orjson.loads(raw)}


def _no_hit(row: int) -> dict[str, Any]:
    raise LookupError(f"there is no row {row}")
