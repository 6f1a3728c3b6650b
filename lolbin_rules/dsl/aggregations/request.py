"""A request of aggregations: taken apart, shown all parts, and answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.aggregator import Aggregator, Asked, BucketLimit, Children
from lolbin_rules.dsl.aggregations.cardinality import Cardinality
from lolbin_rules.dsl.aggregations.composite import Composite
from lolbin_rules.dsl.aggregations.date_histogram import DateHistogram
from lolbin_rules.dsl.aggregations.filters import Filter, Filters, Missing
from lolbin_rules.dsl.aggregations.histogram import Histogram
from lolbin_rules.dsl.aggregations.metrics import Average, Maximum, Minimum, Stats, Sum, ValueCount
from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.aggregations.part import Part
from lolbin_rules.dsl.aggregations.terms import Terms
from lolbin_rules.dsl.aggregations.top_hits import TopHits
from lolbin_rules.dsl.aggregations.unsupported import UNSUPPORTED
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["aggregate"]

_LEAVES: dict[str, Callable[[Asked], Aggregator]] = {
    "min": Minimum,
    "max": Maximum,
    "sum": Sum,
    "avg": Average,
    "stats": Stats,
    "value_count": ValueCount,
    "cardinality": Cardinality,
    "top_hits": TopHits,
}
_BUCKETS: dict[str, Callable[[Asked], Aggregator]] = {
    "terms": Terms,
    "composite": Composite,
    "filter": Filter,
    "filters": Filters,
    "missing": Missing,
    "date_histogram": DateHistogram,
    "histogram": Histogram,
}
_KNOWN = _LEAVES | _BUCKETS
_NAME = re.compile(r"[^\[\]>]+")
_BELOW = ("aggs", "aggregations")


def aggregate(request: Mapping[str, Any], parts: Iterable[Part], now_ms: int) -> dict[str, Any]:
    """The `aggregations` object that Elasticsearch answers with.

    Args:
        request: name -> aggregation, as in the `aggs` of a search.
        parts: the rows that the query found, segment by segment; indices in the order of their names.
        now_ms: the time that `now` means.

    Raises:
        StoreRejected: Elasticsearch refuses the request.
        Unsupported: it asks for something that cannot be answered exactly.
    """
    children = _children(request, (), now_ms, BucketLimit())
    for part in parts:
        children.collect(part, part.rows, np.zeros(len(part.rows), dtype=np.intp))
    return children.answers(0)


def _children(request: Any, parents: tuple[str, ...], now_ms: int, limit: BucketLimit) -> Children:
    if not isinstance(request, Mapping):
        raise StoreRejected(f"Aggregations have to be an object of names, not {request!r}, so the request is refused.")
    children = Children()
    for name, body in request.items():
        if not _NAME.fullmatch(name):
            raise StoreRejected(
                f'"{name}" is no name of an aggregation, so the request is refused. Leave out [, ] and >.'
            )
        kind, definition, below, note = _taken_apart(name, body)
        where = f'aggregation "{name}" ({kind})'
        if kind not in _BUCKETS and below:
            raise StoreRejected(f"The {where} cannot have aggregations below it, so the request is refused.")
        options = Options(where, definition)
        inner = _children(below, (*parents, kind), now_ms, limit)
        children.by_name[name] = _KNOWN[kind](Asked(options, inner, parents, now_ms, limit))
        if note is not None:
            children.notes[name] = note
    return children


def _taken_apart(name: str, body: Any) -> tuple[str, Any, Any, Mapping[str, Any] | None]:
    """The type of an aggregation, its options, what is below it, and its `meta`."""
    if not isinstance(body, Mapping):
        raise StoreRejected(f'The aggregation "{name}" has to be an object, so the request is refused.')
    types = [key for key in body if key not in (*_BELOW, "meta")]
    below = [body[key] for key in _BELOW if key in body]
    if len(types) != 1 or len(below) > 1:
        raise StoreRejected(
            f'The aggregation "{name}" has {len(types)} types ({", ".join(types)}) where one belongs, '
            f"so the request is refused."
        )
    kind = types[0]
    if kind in UNSUPPORTED:
        raise Unsupported(f'The aggregation "{name}" is of type {kind}, which the embedded store does not support.')
    if kind not in _KNOWN:
        raise StoreRejected(f'The aggregation "{name}" is of the unknown type "{kind}", so the request is refused.')
    return kind, body[kind], below[0] if below else {}, body.get("meta")
