"""Buckets of the rows that match queries: `filter`, `filters`; and of those without a field: `missing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.aggregations.aggregator import EMPTY, GAP, Aggregator, Asked, Measure
from lolbin_rules.dsl.aggregations.buckets import Bucket, Buckets, Groups
from lolbin_rules.dsl.aggregations.field_values import FieldValues
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Places, Rows
from lolbin_rules.dsl.evaluate import Evaluator
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse

__all__ = ["Filter", "Filters", "Missing"]

_ONLY = "filter"
_OTHERS = "_other_"


class _Queries:
    """Named queries, understood for each index anew, for its fields may be others."""

    def __init__(self, queries: Mapping[str, Any], now_ms: int) -> None:
        self._queries, self._now_ms = queries, now_ms
        self._evaluators: dict[int, tuple[IndexMapping, int, Evaluator]] = {}

    def evaluator(self, mapping: IndexMapping) -> Evaluator:
        """What evaluates the queries in an index. Names are `str(place)` of the query."""
        known = self._evaluators.get(id(mapping))
        if known is None or known[:2] != (mapping, mapping.version):
            clauses = {name: parse(query, mapping, self._now_ms) for name, query in self._queries.items()}
            known = self._evaluators[id(mapping)] = (mapping, mapping.version, Evaluator(clauses))
        return known[2]


class Filters(Aggregator):
    """`filters`: a bucket for each of several queries."""

    def __init__(self, asked: Asked) -> None:
        options, self._children, self._limit = asked.options, asked.children, asked.limit
        filters = options.take("filters")
        is_named = isinstance(filters, Mapping)
        if not filters or not (is_named or isinstance(filters, list)):
            raise options.refusal('has no queries in "filters"')
        queries = dict(sorted(filters.items())) if is_named else {str(at): each for at, each in enumerate(filters)}
        other_key = options.text("other_bucket_key")
        self._has_others = options.flag("other_bucket", default=other_key is not None)
        self._is_keyed = options.flag("keyed", default=True) and is_named
        self._is_named = is_named
        options.finish()
        self._names = [*queries, *([other_key or _OTHERS] if self._has_others else [])]
        self._queries = _Queries(queries, asked.now_ms)
        self._buckets = Buckets()

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        found = _Found(part, rows)
        unmatched = np.ones(len(rows), dtype=np.bool_)
        places: list[Places] = []
        for _, matching in self._queries.evaluator(part.mapping).each(part.segment, found.within):
            places.append(found.places(matching))
            unmatched[places[-1]] = False
        if self._has_others:
            places.append(np.flatnonzero(unmatched))
        for number, chosen in enumerate(places):
            numbers = self._count(owners[chosen], number)
            self._children.collect(part, rows[chosen], numbers)

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        known = {bucket.key: bucket for bucket in self._buckets.of(owner)}
        nobody = GAP if owner == GAP else EMPTY
        buckets = [known.get(number) or Bucket(number, nobody, 0) for number in range(len(self._names))]
        self._limit.count(len(buckets))
        shown = [{"doc_count": bucket.count, **self._children.answers(bucket.number)} for bucket in buckets]
        if self._is_keyed:
            return {"buckets": dict(zip(self._names, shown, strict=True))}
        if not self._is_named:
            return {"buckets": shown}
        return {"buckets": [{"key": name, **each} for name, each in zip(self._names, shown, strict=True)]}

    def _count(self, owners: Owners, number: int) -> Owners:
        distinct, of_rows, counts = np.unique(owners, return_inverse=True, return_counts=True)
        groups = Groups(distinct, np.zeros(len(distinct), np.intp), counts, of_rows)
        return self._buckets.add(groups, [number])


class _SingleBucket(Aggregator):
    """A bucket of some of the rows of each of the parent's buckets; it is known by the number of its parent's."""

    def __init__(self, asked: Asked) -> None:
        self._children, self._limit = asked.children, asked.limit
        self._counts: dict[int, int] = {}

    def take(self, part: Part, rows: Rows, owners: Owners) -> None:
        """Count the rows that are in the bucket."""
        distinct, counts = np.unique(owners, return_counts=True)
        for owner, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            self._counts[owner] = self._counts.get(owner, 0) + count
        self._children.collect(part, rows, owners)

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        self._limit.count(1)
        return {"doc_count": self._counts.get(owner, 0), **self._children.answers(owner)}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return (lambda owner: self._counts.get(owner, 0)) if name in (None, "doc_count") else None

    def inside(self, path: str) -> Measure | None:
        """See `Aggregator.inside`."""
        return self._children.measure(path)


class Filter(_SingleBucket):
    """`filter`: one bucket of the rows that match a query."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._queries = _Queries({_ONLY: asked.options.rest()}, asked.now_ms)

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        found = _Found(part, rows)
        matching = self._queries.evaluator(part.mapping).evaluate(part.segment, found.within)[_ONLY]
        places = found.places(matching)
        self.take(part, rows[places], owners[places])


class Missing(_SingleBucket):
    """`missing`: one bucket of the rows that have no value of a field."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._field = FieldValues(asked.options, asked.now_ms)
        asked.options.finish()

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows)
        lacks = np.ones(len(rows), dtype=np.bool_)
        if spread is not None:
            lacks[spread.places] = False
        self.take(part, rows[lacks], owners[lacks])


class _Found:
    """Rows that may repeat, as queries want them (each once, ascending) and back."""

    def __init__(self, part: Part, rows: Rows) -> None:
        self._rows, self._size = rows, part.segment.size
        are_ascending = bool((rows[1:] > rows[:-1]).all())
        self._are_all = are_ascending and len(rows) == self._size
        self.within: Rows | None = None if self._are_all else rows if are_ascending else np.unique(rows)

    def places(self, matching: Rows) -> Places:
        """The places in the rows of those that match."""
        if self._are_all:
            return matching.astype(np.intp)
        flags: npt.NDArray[np.bool_] = np.zeros(self._size, dtype=np.bool_)
        flags[matching] = True
        return np.flatnonzero(flags[self._rows])
