"""Samples: for every key tuple that all items of a plan have, distinct documents, one per item, in any order of time.

Elastic's EQL documentation leaves open which documents are taken. Here it is the earliest for the first item with which
the other items can still be filled, then so for the second, and so on. The order of feeding does not matter, as long as
no two documents have the same `Candidate.order`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from lolbin_rules.query.eql.plan import SequencePlan
from lolbin_rules.rule_types.sequence_candidates import Candidate, Found, KeyTuple, TooManyPending
from lolbin_rules.rule_types.sequences import LIMIT

__all__ = ["SampleMachine"]

_IN_ORDER: Final = attrgetter("order")


class SampleMachine:
    """Finds one sample per key tuple. Documents may be fed in any order, each once."""

    def __init__(self, plan: SequencePlan, *, limit: int = LIMIT) -> None:
        """The machine of a plan.

        Args:
            plan: a sample.
            limit: the most `pending` that is allowed.

        Raises:
            ValueError: the plan is none of a sample.
        """
        if not plan.is_sample or plan.until or plan.maxspan or any(stage.is_missing for stage in plan.stages):
            raise ValueError("a sample has neither until nor maxspan nor missing items, and a sequence is no sample")
        self._size = len(plan.stages)
        self._limit = limit
        self._items: dict[KeyTuple, list[list[Candidate]]] = {}

    @property
    def pending(self) -> int:
        """How many key tuples are remembered; each holds at most as many documents per item as there are items."""
        return len(self._items)

    def feed(self, candidate: Candidate) -> None:
        """Take note of a document.

        Raises:
            TooManyPending: more than the limit would be pending; the machine is of no use any more.
        """
        for index in candidate.stages:
            for key in candidate.keys.get(index, ()):
                items = self._items.setdefault(key, [[] for _ in range(self._size)])
                insort(items[index], candidate, key=_IN_ORDER)
                # Of as many documents as there are items, one is left over whatever the other items take.
                del items[index][self._size :]
        if self.pending > self._limit:
            raise TooManyPending(self.pending, self._limit, candidate.moment)

    def finish(self) -> list[Found]:
        """The samples, ordered by key: null first, then booleans, numbers, texts."""
        chosen = ((key, _chosen(self._items[key])) for key in sorted(self._items, key=_rank))
        return [Found(key, tuple(documents)) for key, documents in chosen if documents]


def _chosen(items: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """The first choice, item by item, that leaves distinct documents for all later items; empty where there is none."""
    chosen: list[Candidate] = []
    for index, item in enumerate(items):
        later = items[index + 1 :]
        taken = [id(each) for each in chosen]
        free = (each for each in item if id(each) not in taken)
        found = next((each for each in free if _can_fill(later, {*taken, id(each)})), None)
        if found is None:
            return []
        chosen.append(found)
    return chosen


def _can_fill(items: Sequence[Sequence[Candidate]], taken: set[int]) -> bool:
    """Whether every item can have a document of its own that is not taken: augmenting paths, one per item."""
    holders: dict[int, int] = {}
    return all(_settle(items, index, holders, set(taken)) for index in range(len(items)))


def _settle(items: Sequence[Sequence[Candidate]], index: int, holders: dict[int, int], tried: set[int]) -> bool:
    for each in items[index]:
        name = id(each)
        if name in tried:
            continue
        tried.add(name)
        if name not in holders or _settle(items, holders[name], holders, tried):
            holders[name] = index
            return True
    return False


def _rank(key: KeyTuple) -> tuple[Any, ...]:
    return tuple(
        (value is not None, isinstance(value, str), not isinstance(value, bool), 0 if value is None else value)
        for value in key
    )
