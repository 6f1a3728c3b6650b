"""Reading all hits of many queries in order, page by page, from one point in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from lolbin_rules.dsl.column import Column, Numbers, Rows
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.errors import StoreRejected, Unsupported
from lolbin_rules.store.embedded.asked import Asked, Request
from lolbin_rules.store.embedded.catalog import ROW_BITS, Catalog
from lolbin_rules.store.embedded.deadline import Deadline
from lolbin_rules.store.embedded.growth import SEQ_NO, SHARD, UNITS
from lolbin_rules.store.embedded.holdings import Holdings
from lolbin_rules.store.embedded.search import Found, Search, ask
from lolbin_rules.store.embedded.views import Seqs
from lolbin_rules.store.port import Hit, Key, Page, Scan, ShardFailure

__all__ = ["MISSING", "Scanner"]

MISSING: Final = 2**63 - 1
"""The position of a document without the date that hits are ordered by: after all others, as in Elasticsearch."""

_PAGE_BYTES: Final = 8_000_000
"""Pages are ended early where documents are long: a thousand of a megabyte each would be a gigabyte at once."""

_UNORDERED: Final = ""
_WHOLE: Final = frozenset({"long", "integer", "short", "byte", "boolean"})
_FRACTION: Final = frozenset({"double", "float", "half_float", "scaled_float"})


def _order_field(mapping: IndexMapping, order_by: str) -> str:
    """The field that has the positions, an alias followed; "" where no document of the index has one.

    Raises:
        StoreRejected: Elasticsearch has no order by numbers of that field.
        Unsupported: it has, and we have not.
    """
    if order_by == SEQ_NO:
        return SEQ_NO
    field = mapping.field(order_by)
    if field is None and not order_by.startswith("_"):
        return _UNORDERED
    if field is None or field.type == "unsigned_long":
        raise Unsupported(f'The embedded store does not order hits by "{order_by}". Name a date field, or _seq_no.')
    if field.type not in UNITS.keys() | _WHOLE | _FRACTION or not field.has_doc_values:
        raise StoreRejected(
            f'Hits cannot be ordered by "{order_by}": it is of type {field.type}, or not kept for ordering. '
            "Name a date field, or _seq_no."
        )
    return field.name


class _Part(NamedTuple):
    """Hits of one search.

    Attributes:
        seqs: the `seq` of each.
        positions: the position of each.
        counts: how many queries each matches.
        numbers: the numbers of these queries, hit by hit.
    """

    seqs: Seqs
    positions: Seqs
    counts: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.uint32]


class _Place(NamedTuple):
    """One hit before its document is read."""

    seq: int
    position: int
    names: frozenset[str]


class Hits:
    """All hits of a scan: a few numbers for each.

    Args:
        queries: the names of the queries.
        order_by: see `Scan.order_by`.
        shard: the number of the only shard to be read, or None.
    """

    def __init__(self, queries: Iterable[str], order_by: str, shard: int | None) -> None:
        self._names = list(queries)
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._order_by = order_by
        self._shard = shard
        self._parts: list[_Part] = []

    def add(self, found: Found) -> None:
        """Take the hits among some documents."""
        rows = self._of_shard(found, found.every_row())
        if not len(rows):
            return
        places, numbers = [], []
        for name, of_name in found.rows.items():
            inside = of_name if self._shard is None else np.intersect1d(of_name, rows, assume_unique=True)
            places.append(np.searchsorted(rows, inside))
            numbers.append(np.full(len(inside), self._numbers[name], dtype=np.uint32))
        place = np.concatenate(places)
        self._parts.append(
            _Part(
                found.documents.seqs[rows],
                _positions(found, _order_field(found.documents.index.mapping, self._order_by), rows),
                np.bincount(place, minlength=len(rows)),
                np.concatenate(numbers)[np.argsort(place, kind="stable")],
            )
        )

    def pages(self, live: Mapping[str, object], size: int) -> Iterator[list[_Place]]:
        """The hits in order, so many at a time, as long as a query that they match is among the live ones."""
        if not self._parts:
            return
        seqs, positions, counts, numbers = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        self._parts.clear()
        starts = np.cumsum(counts) - counts
        rest = np.lexsort((seqs, positions))
        asked = frozenset(self._names)
        names = lru_cache(maxsize=4096)(lambda which: asked.intersection(self._names[number] for number in which))
        while len(rest):
            if asked != live.keys():
                asked = asked & live.keys()
                is_live = np.array([name in asked for name in self._names])
                rest = rest[np.logical_or.reduceat(is_live[numbers], starts)[rest]]
                names.cache_clear()
            page, rest = rest[:size], rest[size:]
            if len(page):
                yield [
                    _Place(
                        int(seqs[hit]),
                        int(positions[hit]),
                        names(tuple(numbers[starts[hit] : starts[hit] + counts[hit]].tolist())),
                    )
                    for hit in page.tolist()
                ]

    def _of_shard(self, found: Found, rows: Rows) -> Rows:
        if self._shard is None:
            return rows
        if found.documents.index.shards == 1:
            return rows if self._shard == 0 else rows[:0]
        shards = found.documents.column(SHARD)
        return rows[:0] if shards is None else rows[_earliest(shards, 1)[shards.codes[rows]] == self._shard]


def _positions(found: Found, field: str, rows: Rows) -> Seqs:
    column = found.documents.column(field) if field else None
    if column is None:
        return np.full(len(rows), MISSING, dtype=np.int64)
    mapped = found.documents.index.mapping.field(field)
    unit = 1 if field == SEQ_NO or mapped is None else UNITS.get(mapped.type, 1)
    return _earliest(column, unit)[column.codes[rows]]


def _earliest(column: Column, unit: int) -> Seqs:
    """For each code of a column of numbers, the least of its values as a whole number, in this unit."""
    if isinstance(column.dictionary, Numbers):
        least = column.dictionary.numbers.astype(np.int64)  # cuts fractions off, as Elasticsearch does
        return np.concatenate([np.array([MISSING], dtype=np.int64), least if unit == 1 else least // unit])
    entries = (int(min(values)) // unit if values else MISSING for values in column.dictionary)
    return np.fromiter(entries, dtype=np.int64, count=len(column.dictionary))


class Scanner:
    """Scans one database; any number of threads may share it.

    Args:
        holdings: of the store.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def pages(self, request: Scan) -> Iterator[Page]:
        """Every page that has hits or lacks indices; see `Store.scan`. Only time spent in here counts as `within`."""
        deadline = Deadline(self._holdings.stop, request.within)
        if not request.index or not request.queries:
            return
        with self._holdings.database.reading() as connection:
            catalog = self._holdings.catalogs.read(connection)
            hits, failures = self._find(connection, catalog, request, deadline)
            names = {index.id: index.name for index in catalog.indices.values()}
            is_told = False
            for places in hits.pages(request.queries, request.page_size):
                for part in _parts(_hits(connection, names, places)):
                    deadline.check()
                    page = Page(_still_asked(part, request.queries), () if is_told else failures)
                    is_told = True
                    deadline.pause()
                    yield page
                    deadline.resume()
            if failures and not is_told:
                yield Page((), failures)

    def _find(
        self, connection: sqlite3.Connection, catalog: Catalog, request: Scan, deadline: Deadline
    ) -> tuple[Hits, tuple[ShardFailure, ...]]:
        where = request.index if request.shard is None else (request.shard.index,)
        holdings, queries = self._holdings, dict(request.queries)
        wanted = Request(queries, request.filter, holdings.now_ms())

        def asked(part: Request, mapping: IndexMapping) -> Asked:
            field = _order_field(mapping, request.order_by)
            return Asked(part, mapping, holdings.clauses, frozenset({field}) - {_UNORDERED})

        taken, failures = ask(catalog.resolve(where), wanted, asked)
        search = Search(connection, holdings.sealer, holdings.database.segment_rows, deadline)
        hits = Hits(queries, request.order_by, None if request.shard is None else request.shard.number)
        for index, answer in taken:
            for found in search.find(index, answer):
                hits.add(found)
        return hits, failures


def _hits(
    connection: sqlite3.Connection, indices: Mapping[int, str], places: Iterable[_Place]
) -> Iterator[tuple[Hit, int]]:
    """The hits at these places, each with the length of its document."""
    for place in places:
        name, raw = connection.execute("SELECT id, source FROM documents WHERE seq = ?", (place.seq,)).fetchone()
        key = Key(indices[place.seq >> ROW_BITS], name)
        yield Hit(key, orjson.loads(raw), place.position, place.names), len(raw)


def _still_asked(hits: tuple[Hit, ...], live: Mapping[str, object]) -> tuple[Hit, ...]:
    """The hits of queries that are still asked: some may have been given up since the page was begun."""
    if all(hit.names <= live.keys() for hit in hits):
        return hits
    return tuple(replace(hit, names=names) for hit in hits if (names := hit.names & live.keys()))


def _parts(hits: Iterable[tuple[Hit, int]]) -> Iterator[tuple[Hit, ...]]:
    """The hits in parts whose documents are not much more than `_PAGE_BYTES` together."""
    part, size = [], 0
    for hit, length in hits:
        part.append(hit)
        size += length
        if size >= _PAGE_BYTES:
            yield tuple(part)
            part, size = [], 0
    if part:
        yield tuple(part)
