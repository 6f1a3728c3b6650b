"""`terms`: a bucket for each value of a field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.aggregator import EMPTY, GAP, Aggregator, Asked
from lolbin_rules.dsl.aggregations.bucket_order import BucketOrder
from lolbin_rules.dsl.aggregations.buckets import Bucket, Buckets, group
from lolbin_rules.dsl.aggregations.field_values import FieldValues, Spread
from lolbin_rules.dsl.aggregations.kinds import Kind, shown_key
from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.field import Value
from lolbin_rules.dsl.regexp import compile_regexp

__all__ = ["Terms"]

_DEFAULT_SIZE = 10


class Terms(Aggregator):
    """`terms`. Counts are exact; which buckets survive `size` is as on a single shard."""

    def __init__(self, asked: Asked) -> None:
        options = self._options = asked.options
        self._children, self._limit = asked.children, asked.limit
        self._field = FieldValues(options, asked.now_ms)
        self._order = BucketOrder(options, {"_count": "desc"}, asked.children)
        self._size = options.whole("size", _DEFAULT_SIZE, 1)
        # A shard sends more than `size`, in case others have more of them, but not of buckets ordered by key.
        usual = self._size if self._order.is_by_key else self._size * 3 // 2 + 10
        self._shard_size = max(self._size, options.whole("shard_size", usual, 1))
        self._least_count = options.whole("min_doc_count", 1)
        self._include, self._exclude = _Choice(options, "include"), _Choice(options, "exclude")
        options.ignore("execution_hint", "collect_mode", "value_type")
        if options.flag("show_term_doc_count_error"):
            raise options.unsupported('has "show_term_doc_count_error"')
        options.finish(unsupported=("shard_min_doc_count",))
        self._buckets = Buckets()
        self._known: set[Value] = set()

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows)
        if self._least_count == 0 and spread:
            self._known.update(filter(self._choice(spread.kind), self._field.everything(part)))
        if spread is None:
            self._children.collect(part, rows[:0], owners[:0])
            return
        spread = self._chosen(spread)
        groups = group(owners[spread.places], spread.ordinals, len(spread.values))
        numbers = self._buckets.add(groups, spread.listed())
        self._children.collect(part, rows[spread.places], numbers)

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        show = shown_key(self._field.kind, self._field.formats)
        found = self._buckets.of(owner)
        keys = {bucket.key for bucket in found}
        known = set() if owner == GAP else self._known - keys
        empty = [Bucket(value, EMPTY, 0) for value in known]
        sent = self._sent([*found, *empty])
        frequent = [bucket for bucket in sent if bucket.count >= self._least_count]
        shown = frequent[: self._size]
        rare = sum(bucket.count for bucket in sent) - sum(bucket.count for bucket in frequent)
        others = sum(bucket.count for bucket in found) - rare - sum(bucket.count for bucket in shown)
        self._limit.count(len(shown))
        return {
            "doc_count_error_upper_bound": -1 if self._is_cut_blindly(len(found) + len(empty)) else 0,
            "sum_other_doc_count": others,
            "buckets": [
                {**show(bucket.key), "doc_count": bucket.count, **self._children.answers(bucket.number)}
                for bucket in shown
            ],
        }

    def _sent(self, buckets: list[Bucket]) -> list[Bucket]:
        """What a shard sends of its buckets, in order."""
        if len(buckets) <= self._shard_size or not self._order.has_nothings_first(buckets):
            return self._order.sort(buckets)[: self._shard_size]
        if not self._field.kind.is_number:  # then it depends on how many terms there are, and on more
            raise self._options.unsupported(
                "is ordered by averages of which some are of nothing, and has too many buckets"
            )
        return self._order.sort(self._order.sort_without_nothings(buckets)[: self._shard_size])

    def _is_cut_blindly(self, number: int) -> bool:
        """Whether a shard might have kept back buckets, in an order that bounds no error (-1)."""
        return number >= self._shard_size and not (self._order.is_by_key or self._order.is_by_most)

    def _chosen(self, spread: Spread) -> Spread:
        """What `include` and `exclude` leave."""
        if not self._include.is_given and not self._exclude.is_given:
            return spread
        is_wanted = self._choice(spread.kind)
        wanted = np.array([is_wanted(value) for value in spread.listed()], dtype=np.bool_)
        kept = wanted[spread.ordinals]
        return Spread(spread.places[kept], spread.ordinals[kept], spread.values, spread.kind)

    def _choice(self, kind: Kind) -> Callable[[Value], bool]:
        included, excluded = self._include.test(kind, self._field), self._exclude.test(kind, self._field)
        return lambda value: (included is None or included(value)) and (excluded is None or not excluded(value))


class _Choice:
    """`include` or `exclude`: values, or a regular expression of Lucene's for texts."""

    def __init__(self, options: Options, name: str) -> None:
        self._options, self._name = options, name
        self._asked = options.take(name)
        if isinstance(self._asked, dict):
            raise options.unsupported(f'has partitions in "{name}"')
        self.is_given = self._asked is not None

    def test(self, kind: Kind, field: FieldValues) -> Callable[[Value], bool] | None:
        """What tells whether a value is named; None if nothing was asked."""
        if isinstance(self._asked, list):
            return frozenset(self._read(value, kind, field) for value in self._asked).__contains__
        if self._asked is None:
            return None
        if kind is not Kind.TEXT:
            raise self._options.refusal(
                f'has a regular expression as "{self._name}", but field "{field.name}" has no texts'
            )
        matches = compile_regexp(str(self._asked))
        return lambda value: matches(str(value))

    def _read(self, value: Any, kind: Kind, field: FieldValues) -> Value:
        read = field.read(value, kind)
        return int(read) if kind is Kind.WHOLE and isinstance(read, float) else read
