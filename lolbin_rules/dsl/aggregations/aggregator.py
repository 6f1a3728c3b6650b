"""What every aggregation does, and how it holds its sub-aggregations."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Rows
from lolbin_rules.errors import StoreRejected

__all__ = ["EMPTY", "GAP", "Aggregator", "Asked", "BucketLimit", "Children", "Measure"]

Measure: TypeAlias = Callable[[int], float]
"""Gives a number for a bucket of the parent."""
EMPTY, GAP = -1, -2
"""Owners of no rows, asked for the answer about an empty bucket: one that was found empty, and one that fills a gap
between those of a histogram. Elasticsearch knows nothing of what could be in the latter."""
_MOST_BUCKETS = 65_536


class Aggregator(abc.ABC):
    """One aggregation. It sees all parts, then answers for each bucket of its parent."""

    @abc.abstractmethod
    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """Take in rows of a part, each with the bucket of the parent that it is in. There may be none."""

    @abc.abstractmethod
    def answer(self, owner: int) -> dict[str, Any]:
        """What Elasticsearch answers for one bucket of the parent, or for one that is `EMPTY` or a `GAP`."""

    def measure(self, name: str | None) -> Measure | None:
        """What gives the number (`name`: which one) that buckets of the parent are ordered by; None: there is none."""
        del name
        return None

    def inside(self, path: str) -> Measure | None:
        """As `measure`, of an aggregation below; only those with one bucket for each of their parent's have some."""
        del path
        return None


class BucketLimit:
    """Elasticsearch answers with at most 65,536 buckets."""

    def __init__(self) -> None:
        self._number = 0

    def count(self, more: int) -> None:
        """Take note of buckets that are answered.

        Raises:
            StoreRejected: they are too many.
        """
        self._number += more
        self.check(0)

    def check(self, more: float) -> None:
        """As `count`, before the buckets are made."""
        if self._number + more > _MOST_BUCKETS:
            raise StoreRejected(
                f"The aggregations make more than {_MOST_BUCKETS} buckets, so the request is refused as Elasticsearch "
                f"refuses it. Ask for fewer, or for a composite aggregation page by page."
            )


@dataclass(slots=True)
class Children:
    """The aggregations below one, by name."""

    by_name: dict[str, Aggregator] = field(default_factory=dict)
    notes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name -> its `meta`."""

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        for aggregator in self.by_name.values():
            aggregator.collect(part, rows, owners)

    def answers(self, owner: int) -> dict[str, Any]:
        """The answers of all of them about one bucket."""
        return {
            name: {"meta": dict(self.notes[name])} | aggregator.answer(owner)
            if name in self.notes
            else aggregator.answer(owner)
            for name, aggregator in self.by_name.items()
        }

    def measure(self, path: str) -> Measure | None:
        """What gives the number that a path such as `errors>times.max` means for a bucket; None if it means none."""
        first, _, rest = path.partition(">")
        if rest:
            return self.by_name[first].inside(rest) if first in self.by_name else None
        name, key = _name_and_key(first)
        return self.by_name[name].measure(key) if name in self.by_name else None


@dataclass(frozen=True, slots=True)
class Asked:
    """One aggregation as it was asked for.

    Attributes:
        options: its own.
        children: what is below it.
        parents: the types of the aggregations above it, outermost first.
        now_ms: the time that `now` means.
        limit: of buckets, for the whole request.
    """

    options: Options
    children: Children
    parents: tuple[str, ...]
    now_ms: int
    limit: BucketLimit


def _name_and_key(element: str) -> tuple[str, str | None]:
    """`times.max` and `times[max]` name the number `max` of `times`."""
    if element.endswith("]"):
        name, _, key = element[:-1].partition("[")
        return name, key
    name, dot, key = element.rpartition(".")
    return (name, key) if dot else (element, None)
