"""A store in memory, quick enough for many thousands of small worlds; it passes what every adapter of the port must."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from lolbin_rules.dsl.aggregations import Part, aggregate
from lolbin_rules.dsl.indexer import Malformed
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.errors import StoreError, StoreRejected, Unsupported
from lolbin_rules.store.embedded.asked import Asked, Clauses, Request
from lolbin_rules.store.embedded.catalog import Catalog, Index
from lolbin_rules.store.embedded.deadline import Deadline, Stop
from lolbin_rules.store.embedded.growth import SEQ_NO, UNITS, shard_of
from lolbin_rules.store.embedded.json_text import encode, part
from lolbin_rules.store.embedded.names import check_index_name, is_match
from lolbin_rules.store.embedded.search import ask
from lolbin_rules.store.embedded.views import Batch
from lolbin_rules.store.port import (
    Aggregated,
    Counted,
    Document,
    FieldTypes,
    Hit,
    IndexTemplate,
    Key,
    Outcome,
    Page,
    Put,
    Query,
    Rows,
    Scan,
    Seen,
    Shard,
    ShardFailure,
    ShardProgress,
    Stored,
    Verdict,
)
from simulated_executions.memory_index import PRIMARY_TERM, Kept, MemoryIndex

__all__ = ["MemoryStore"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MISSING: Final = 2**63 - 1
_STOPPED: Final = Outcome(Verdict.UNAVAILABLE, "the store was told to stop")
_CLAUSES: Final = Clauses()
"""Mappings that are alike are shared by all stores, and so is what was parsed for them."""


class _Found(NamedTuple):
    """One hit before its document is read."""

    key: Key
    source: bytes
    position: int
    place: int


class MemoryStore:
    """A `Store` that is gone with the object.

    What is written is found by searches after a refresh, as on Elasticsearch. What queries, mappings and aggregations
    mean is the package's own kernel (`lolbin_rules.dsl`).

    Args:
        clock: the time, aware.
    """

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._stop = Stop()
        self._lock = threading.RLock()
        self._templates: dict[str, IndexTemplate] = {}
        self._indices: dict[str, MemoryIndex] = {}
        self._places = 0
        self._writes = 0
        self._written: dict[str, tuple[int, dict[Key, Mapping[str, Any]]]] = {}
        self._listed: tuple[tuple[Index, ...], Catalog] = ((), Catalog(()))

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`."""
        deadline = Deadline(self._stop, request.within)
        if not request.index or not request.queries:
            return
        deadline.check()
        hits, failures = self._hits(request, deadline)
        first = failures
        while hits and request.queries:
            deadline.check()
            named = ((hit, names & request.queries.keys()) for hit, names in hits)
            live = [(hit, names) for hit, names in named if names]
            page, hits = live[: request.page_size], live[request.page_size :]
            if not page:
                break
            deadline.pause()
            yield Page(tuple(Hit(hit.key, orjson.loads(hit.source), hit.position, names) for hit, names in page), first)
            deadline.resume()
            first = ()
        if first:
            yield Page((), first)

    def _hits(
        self, request: Scan, deadline: Deadline
    ) -> tuple[list[tuple[_Found, frozenset[str]]], tuple[ShardFailure, ...]]:
        where = request.index if request.shard is None else (request.shard.index,)
        wanted = Request(dict(request.queries), request.filter, self._now_ms())

        def asked(of: Request, mapping: IndexMapping) -> Asked:
            field = _order_field(mapping, request.order_by)
            return Asked(of, mapping, _CLAUSES, frozenset({field}) - {""})

        with self._lock:
            taken, failures = ask(self._catalog().resolve(where), wanted, asked)
            found = []
            for index, answer in taken:
                deadline.check()
                field = _order_field(index.mapping, request.order_by)
                mapped = index.mapping.field(field) if field not in {"", SEQ_NO} else None
                unit = UNITS.get(mapped.type, 1) if mapped else 1
                for kept, typed, names in self._matching(index, answer):
                    if request.shard is None or shard_of(kept.id, index.shards) == request.shard.number:
                        at = min(typed.get(field, ()), default=None)
                        position = _MISSING if at is None else int(at) // unit
                        key = Key(index.name, kept.id)
                        found.append((_Found(key, orjson.dumps(kept.source), position, kept.place), names))
        found.sort(key=lambda each: (each[0].position, each[0].place))
        return found, failures

    def _matching(self, index: Index, asked: Asked) -> Iterator[tuple[Kept, Mapping[str, Any], frozenset[str]]]:
        memory = self._indices[index.name]
        for kept in memory.found.values():
            if not kept.is_within(asked.window):
                continue
            typed = memory.typed(kept, asked)
            if names := asked.match(typed):
                yield kept, typed, names

    def count(self, index: Sequence[str], query: Query, *, within: timedelta) -> Counted:
        """See `Store.count`."""
        Deadline(self._stop, within).check()
        with self._lock:
            taken, failures = self._asked(index, query)
            return Counted(sum(1 for each, asked in taken for _ in self._matching(each, asked)), failures)

    def _asked(self, index: Sequence[str], query: Query) -> tuple[list[tuple[Index, Asked]], tuple[ShardFailure, ...]]:
        request = Request({"query": query}, {"match_all": {}}, self._now_ms())
        return ask(
            self._catalog().resolve(index), request, lambda of, mapping: Asked(of, mapping, _CLAUSES, frozenset())
        )

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], *, within: timedelta
    ) -> Aggregated:
        """See `Store.aggregate`."""
        Deadline(self._stop, within).check()
        with self._lock:
            taken, failures = self._asked(index, query)
            parts = [self._part(each, asked) for each, asked in taken]
            return Aggregated(aggregate(aggregations, parts, self._now_ms()) if parts else {}, failures)

    def _part(self, index: Index, asked: Asked) -> Part:
        batch = Batch(index, asked.fields)
        for kept, typed, _ in self._matching(index, asked):
            batch.add(kept[:3], kept.source, typed)
        if not batch.size:
            return Part(index.mapping, MemorySegment({}, 0), np.empty(0, dtype=np.uint32), _no_hit, index.name)

        def hit(row: int) -> dict[str, Any]:
            return {"_index": index.name, "_id": batch.rows[row][1], "_source": batch.sources[row]}

        return Part(index.mapping, batch, np.arange(batch.size, dtype=np.uint32), hit, index.name)

    def esql(self, query: str, condition: Query, *, within: timedelta) -> Rows:
        """See `Store.esql`: refused."""
        raise Unsupported("ES|QL is not supported in memory. Write the rule in KQL or EQL.")

    def eql(self, index: Sequence[str], body: Mapping[str, Any], *, within: timedelta) -> Mapping[str, Any]:
        """See `Store.eql`: refused."""
        raise Unsupported("Elasticsearch's EQL search is not supported in memory. Set eql_engine: own.")

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`."""
        return [self._write(document, None) for document in documents]

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`."""
        return [self._write(put.document, put) for put in puts]

    def _write(self, document: Document, put: Put | None) -> Outcome:
        if self._is_stopped():
            return _STOPPED
        try:
            source = orjson.loads(encode(document.source))
            with self._lock:
                return self._keep(self._open(document.key.index), document.key.id, source, put)
        except (TypeError, ValueError, StoreRejected, Malformed) as error:
            return Outcome(Verdict.REJECTED, str(error))

    def _keep(self, index: MemoryIndex, name: str, source: Mapping[str, Any], put: Put | None) -> Outcome:
        old = index.kept.get(name)
        if put is None and old is not None:
            return Outcome(Verdict.EXISTS, "the id is taken")
        if put is not None and put.seen != (Seen(old.seq_no, PRIMARY_TERM) if old else None):
            return Outcome(Verdict.CONFLICT, "it is in another state")
        index.check(source)
        self._places += old is None
        self._writes += 1
        index.keep(old.place if old else self._places, name, source)
        return Outcome(Verdict.UPDATED if old else Verdict.CREATED)

    def _open(self, name: str) -> MemoryIndex:
        behind = self._catalog().behind(name)
        if len(behind) > 1:
            raise StoreRejected(f'"{name}" is an alias of {len(behind)} indices.')
        if behind:
            return self._indices[behind[0].name]
        check_index_name(name)
        fitting = [
            each.body for each in self._templates.values() if any(is_match(name, pattern) for pattern in each.patterns)
        ]
        index = self._indices[name] = MemoryIndex(name, fitting[0] if fitting else {}, len(self._indices) + 1)
        return index

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """See `Store.get`."""
        self._stop.check()
        with self._lock:
            return [self._stored(key, fields) for key in keys]

    def _stored(self, key: Key, fields: Sequence[str] | None) -> Stored | None:
        behind = self._catalog().behind(key.index)
        kept = self._indices[behind[0].name].kept.get(key.id) if len(behind) == 1 else None
        if kept is None:
            return None
        source = orjson.loads(orjson.dumps(kept.source))
        return Stored(key, source if fields is None else part(source, fields), Seen(kept.seq_no, PRIMARY_TERM))

    def field_types(self, index: Sequence[str], fields: Sequence[str]) -> FieldTypes:
        """See `Store.field_types`."""
        self._stop.check()
        with self._lock:
            return self._catalog().field_types(index, fields)

    def refresh(self, index: Sequence[str]) -> None:
        """See `Store.refresh`."""
        self._stop.check()
        with self._lock:
            for each in self._catalog().resolve(index):
                self._indices[each.name].refresh()

    def shard_progress(self, index: Sequence[str]) -> list[ShardProgress]:
        """See `Store.shard_progress`."""
        self._stop.check()
        with self._lock:
            return [
                ShardProgress(Shard(each.name, number), each.uuid, f"{each.uuid}-{number}", seq_no - 1, seq_no - 1)
                for each in self._catalog().resolve(index)
                for number, seq_no in enumerate(self._indices[each.name].next_seq_nos)
            ]

    def clock(self) -> datetime:
        """See `Store.clock`."""
        self._stop.check()
        return self._clock()

    def prepare(self, templates: Sequence[IndexTemplate]) -> list[str]:
        """See `Store.prepare`."""
        self._stop.check()
        with self._lock:
            known_versions = {name: each.version for name, each in self._templates.items()}
            wanted = [each for each in templates if known_versions.get(each.name, -1) < each.version]
            self._templates |= {each.name: each for each in wanted}
            return [each.name for each in wanted]

    def stop(self) -> None:
        """See `Store.stop`."""
        self._stop.set()

    def close(self) -> None:
        """See `Store.close`."""
        self._stop.set()

    def written(self, pattern: str) -> dict[Key, Mapping[str, Any]]:
        """Every document of the indices that a pattern stands for, found by searches or not."""
        with self._lock:
            state, found = self._written.get(pattern, (-1, {}))
            if state != self._writes:
                found = {
                    Key(each.name, kept.id): kept.source
                    for each in self._catalog().resolve([pattern])
                    for kept in self._indices[each.name].kept.values()
                }
                self._written[pattern] = (self._writes, found)
            return found

    def _catalog(self) -> Catalog:
        seen = tuple(index.seen for index in self._indices.values())
        if seen != self._listed[0]:
            self._listed = (seen, Catalog(seen))
        return self._listed[1]

    def _is_stopped(self) -> bool:
        try:
            self._stop.check()
        except StoreError:
            return True
        return False

    def _now_ms(self) -> int:
        return (self._clock() - _EPOCH) // _MILLISECOND


def _order_field(mapping: IndexMapping, order_by: str) -> str:
    """The field that has the positions; "" where no document of the index has one."""
    if order_by == SEQ_NO:
        return SEQ_NO
    field = mapping.field(order_by)
    if field is None:
        return ""
    if field.type not in UNITS:
        raise StoreRejected(f'Hits cannot be ordered by "{order_by}": it is of type {field.type}.')
    return field.name


def _no_hit(row: int) -> dict[str, Any]:
    raise LookupError(f"there is no row {row}")
