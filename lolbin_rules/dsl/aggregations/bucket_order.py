"""The `order` of buckets: by count, by key, by what a sub-aggregation says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lolbin_rules.dsl.aggregations.aggregator import Children
from lolbin_rules.dsl.aggregations.buckets import Bucket
from lolbin_rules.dsl.aggregations.options import Options

__all__ = ["BucketOrder"]

_KEY, _COUNT = "_key", "_count"


class BucketOrder:
    """How the buckets of one aggregation follow one another. Whatever is asked for, ties are broken by key.

    Attributes:
        is_by_key: they are ordered by nothing but their key.
        is_by_most: those with the most rows come first.
    """

    def __init__(self, options: Options, default: Mapping[str, str], children: Children) -> None:
        """Take `order` of the options; `default` where there is none."""
        asked = options.take("order", default)
        self._criteria = [_criterion(options, each) for each in (asked if isinstance(asked, list) else [asked])]
        self.is_by_most = self._criteria[0] == (_COUNT, True)
        self.is_by_key = len(self._criteria) == 1 and self._criteria[0][0] == _KEY
        self._measures = {path: _measure(options, path, children) for path, _ in self._criteria}
        if self._criteria[-1][0] != _KEY:
            self._criteria.append((_KEY, False))
            self._measures[_KEY] = _key

    def sort(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """The buckets in order. The average of nothing (NaN) is more than every number."""
        ordered = list(buckets)
        for path, is_descending in reversed(self._criteria):  # sorting is stable: the last is the most important
            measure = self._measures[path]
            ordered.sort(key=lambda bucket: _or_nothing(measure(bucket)), reverse=is_descending)
        return ordered

    def sort_without_nothings(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """As `sort`, but averages of nothing come last whatever the direction."""
        ordered = self.sort(buckets)
        return sorted(ordered, key=self._has_nothing)

    def has_nothings_first(self, buckets: Iterable[Bucket]) -> bool:
        """Whether averages of nothing come before numbers."""
        return any(is_descending for _, is_descending in self._criteria) and any(map(self._has_nothing, buckets))

    def _has_nothing(self, bucket: Bucket) -> bool:
        return any(_or_nothing(measure(bucket))[0] for measure in self._measures.values())


def _or_nothing(measured: Any) -> tuple[bool, Any]:
    """Whether a key or number is none, and what compares it."""
    is_nothing = isinstance(measured, float) and math.isnan(measured)
    return is_nothing, 0 if is_nothing else measured


def _criterion(options: Options, asked: Any) -> tuple[str, bool]:
    if not isinstance(asked, Mapping) or len(asked) != 1:
        raise options.refusal(f'has {asked!r} in "order", where one path with its direction belongs')
    ((path, direction),) = asked.items()
    if str(direction).lower() not in ("asc", "desc"):
        raise options.refusal(f'has the direction {direction!r} in "order", which has to be asc or desc')
    return path, str(direction).lower() == "desc"


def _key(bucket: Bucket) -> Any:
    return bucket.key


def _measure(options: Options, path: str, children: Children) -> Callable[[Bucket], Any]:
    if path == _KEY:
        return _key
    if path == _COUNT:
        return lambda bucket: bucket.count
    measure = children.measure(path)
    if measure is None:
        raise options.refusal(f'is ordered by "{path}", which names no number of an aggregation below it')
    return lambda bucket: measure(bucket.number)
