"""`histogram`: a bucket for each interval of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.aggregator import GAP, Aggregator, Asked
from lolbin_rules.dsl.aggregations.bucket_order import BucketOrder
from lolbin_rules.dsl.aggregations.buckets import Bucket, Buckets, group
from lolbin_rules.dsl.aggregations.field_values import FieldValues, Spread
from lolbin_rules.dsl.aggregations.kinds import Kind, text_of_number
from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Rows

__all__ = ["Histogram", "numbered", "read_interval"]


class Histogram(Aggregator):
    """`histogram`. Buckets are known by their number, counted from the offset."""

    def __init__(self, asked: Asked) -> None:
        options = self._options = asked.options
        self._children, self._limit = asked.children, asked.limit
        self._field = FieldValues(options, asked.now_ms, Kind.FRACTION)
        self._interval, self._offset = read_interval(options), options.number("offset", 0.0)
        self._least_count = options.whole("min_doc_count", 0)
        self._is_keyed = options.flag("keyed")
        self._order = BucketOrder(options, {"_key": "asc"}, asked.children)
        self._bounds = _read_bounds(options)
        options.finish(unsupported=("hard_bounds",))
        self._buckets = Buckets()

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows)
        if spread is None:
            self._children.collect(part, rows[:0], owners[:0])
            return
        if not spread.kind.is_number:
            raise self._options.refusal(f'asks for field "{self._field.name}", a field of {spread.kind.value}s')
        spread = numbered(spread, self._interval, self._offset)
        groups = group(owners[spread.places], spread.ordinals, len(spread.values))
        self._children.collect(part, rows[spread.places], self._buckets.add(groups, spread.listed()))

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        buckets = sorted(self._buckets.of(owner), key=lambda bucket: float(bucket.key))
        buckets = self._filled(buckets) if self._least_count == 0 else buckets
        ordered = self._order.sort(bucket for bucket in buckets if bucket.count >= self._least_count)
        self._limit.count(len(ordered))
        shown = [self._shown(bucket) for bucket in ordered]
        if not self._is_keyed:
            return {"buckets": shown}
        return {"buckets": {each.get("key_as_string", str(each["key"])): each for each in shown}}

    def _shown(self, bucket: Bucket) -> dict[str, Any]:
        key = bucket.key * self._interval + self._offset
        as_text = text_of_number(self._field.kind, self._field.formats)
        text = {"key_as_string": as_text(key)} if as_text else {}
        return {**text, "key": key, "doc_count": bucket.count, **self._children.answers(bucket.number)}

    def _filled(self, buckets: list[Bucket]) -> list[Bucket]:
        """With empty buckets between the first and the last, and out to the extended bounds."""
        known = {bucket.key: bucket for bucket in buckets}
        ends = [*known, *(math.floor((bound - self._offset) / self._interval) for bound in self._bounds)]
        if not ends:
            return []
        first, last = min(ends), max(ends)
        self._limit.check(last - first + 1)
        keys = (first + step for step in range(int(last - first) + 1))
        return [known.get(key) or Bucket(key, GAP, 0) for key in keys]


def read_interval(options: Options) -> float:
    """The option `interval`: a number above 0."""
    interval = options.number("interval", 0.0)
    if not interval > 0 or math.isinf(interval):
        raise options.refusal(f'has {interval} as "interval", which has to be a number above 0')
    return interval


def numbered(spread: Spread, interval: float, offset: float) -> Spread:
    """Numbers of intervals instead of numbers; a document with several numbers in one interval has it once."""
    numbers = np.floor((np.asarray(spread.values, dtype=np.float64) - offset) / interval)
    distinct, of_values = np.unique(numbers, return_inverse=True)
    return Spread(spread.places, of_values[spread.ordinals], distinct, spread.kind).without_repeats()


def _read_bounds(options: Options) -> list[float]:
    """The first and the last number of `extended_bounds` that have to be in a bucket."""
    bounds = options.take("extended_bounds", {})
    if not isinstance(bounds, Mapping) or not bounds.keys() <= {"min", "max"}:
        raise options.refusal('has "extended_bounds" with more than "min" and "max"')
    inner = Options(options.where, bounds)
    given = [inner.number(name) for name in ("min", "max") if bounds.get(name) is not None]
    if given != sorted(given):
        raise options.refusal('has a "min" of "extended_bounds" above its "max"')
    return given
