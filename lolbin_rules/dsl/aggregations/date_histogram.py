"""`date_histogram`: a bucket for each interval of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.aggregator import GAP, Aggregator, Asked
from lolbin_rules.dsl.aggregations.bucket_order import BucketOrder
from lolbin_rules.dsl.aggregations.buckets import Bucket, Buckets, group
from lolbin_rules.dsl.aggregations.field_values import FieldValues, Spread
from lolbin_rules.dsl.aggregations.kinds import Kind
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.aggregations.rounding import Rounding, read_rounding
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.date_printing import date_printer

__all__ = ["DateHistogram", "rounded"]


class DateHistogram(Aggregator):
    """`date_histogram`."""

    def __init__(self, asked: Asked) -> None:
        options = self._options = asked.options
        self._children, self._limit, self._now_ms = asked.children, asked.limit, asked.now_ms
        self._field = FieldValues(options, asked.now_ms, Kind.DATE)
        self._rounding = read_rounding(options)
        self._least_count = options.whole("min_doc_count", 0)
        self._is_keyed = options.flag("keyed")
        self._order = BucketOrder(options, {"_key": "asc"}, asked.children)
        self._bounds = options.take("extended_bounds", {})
        options.finish(unsupported=("hard_bounds", "params"))
        self._buckets = Buckets()

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows)
        if spread is None:
            self._children.collect(part, rows[:0], owners[:0])
            return
        if spread.kind is not Kind.DATE:
            what = f'asks for field "{self._field.name}", a field of {spread.kind.value}s'
            raise self._options.unsupported(what) if spread.kind.is_number else self._options.refusal(what)
        spread = rounded(spread, self._rounding)
        groups = group(owners[spread.places], spread.ordinals, len(spread.values))
        self._children.collect(part, rows[spread.places], self._buckets.add(groups, spread.listed()))

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        buckets = sorted(self._buckets.of(owner), key=lambda bucket: int(bucket.key))
        buckets = self._filled(buckets) if self._least_count == 0 else buckets
        ordered = self._order.sort(bucket for bucket in buckets if bucket.count >= self._least_count)
        self._limit.count(len(ordered))
        shown = [self._shown(bucket) for bucket in ordered]
        return {"buckets": {each["key_as_string"]: each for each in shown} if self._is_keyed else shown}

    def _shown(self, bucket: Bucket) -> dict[str, Any]:
        text = date_printer(self._field.formats, self._rounding.zone)(bucket.key)
        children = self._children.answers(bucket.number)
        return {"key_as_string": text, "key": bucket.key, "doc_count": bucket.count, **children}

    def _filled(self, buckets: list[Bucket]) -> list[Bucket]:
        """With empty buckets between the first and the last, and out to the extended bounds."""
        known = {bucket.key: bucket for bucket in buckets}
        ends = [*known, *self._extended()]
        if not ends:
            return []
        keys, last = [min(ends)], max(ends)
        while keys[-1] < last:
            keys.append(self._rounding.next(keys[-1]))
            self._limit.check(len(keys))
        return [known.get(key) or Bucket(key, GAP, 0) for key in keys]

    def _extended(self) -> list[int]:
        """The first and the last interval that have to be there."""
        if not isinstance(self._bounds, Mapping) or not self._bounds.keys() <= {"min", "max"}:
            raise self._options.refusal('has "extended_bounds" with more or less than "min" and "max"')
        formats = self._field.formats.split("||")
        given = {
            name: value if isinstance(value, int) else int(self._field.read(value, Kind.DATE, formats))
            for name, value in self._bounds.items()
            if value is not None
        }
        if len(given) == 2 and given["min"] > given["max"]:  # noqa: PLR2004 - both
            raise self._options.refusal('has a "min" of "extended_bounds" after its "max"')
        starts: list[int] = self._rounding.floor(np.array(list(given.values()), dtype=np.int64)).tolist()
        return starts


def rounded(spread: Spread, rounding: Rounding) -> Spread:
    """Beginnings of intervals instead of times; a document with several times in one interval has it once."""
    starts = rounding.floor(np.asarray(spread.values, dtype=np.int64))
    distinct, of_values = np.unique(starts, return_inverse=True)
    return Spread(spread.places, of_values[spread.ordinals], distinct, spread.kind).without_repeats()
