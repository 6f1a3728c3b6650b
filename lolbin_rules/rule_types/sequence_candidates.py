"""What goes into the matching of a sequence or sample, and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from lolbin_rules.errors import LolbinRulesError
from lolbin_rules.query.eql.plan import SequencePlan, Slice

__all__ = [
    "UNTIL",
    "Candidate",
    "Found",
    "KeyTuple",
    "KeyValue",
    "Order",
    "TooManyPending",
    "milliseconds",
    "order_of",
    "reach",
    "settling",
    "sliced",
]

KeyValue: TypeAlias = str | int | float | bool | None
KeyTuple: TypeAlias = tuple[KeyValue, ...]
Order: TypeAlias = tuple[Any, ...]

UNTIL: Final = -1
"""The index under which a candidate holds the keys that it ends."""

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that matches at least one item, or the `until`, of a plan.

    Attributes:
        moment: its time, epoch milliseconds.
        order: its place among all events, see `order_of`; of two equal ones neither comes before the other.
        stages: the indices in `SequencePlan.stages` of the items that it matches.
        is_until: it matches the plan's `until`.
        keys: per index of an item (`UNTIL` for the until): the key tuples that it takes part with there; one with an
            empty name where the plan has no keys; none where it cannot take part.
        hit: whatever the caller wants to find in the result.
    """

    moment: int
    order: Order
    stages: frozenset[int]
    is_until: bool
    keys: Mapping[int, tuple[KeyTuple, ...]]
    hit: Any = None


@dataclass(frozen=True, slots=True)
class Found:
    """One sequence or sample.

    Attributes:
        join_key: the values of the keys that its events have in common.
        candidates: one per item of the plan, in the order of the items; None for a missing one.
    """

    join_key: KeyTuple
    candidates: tuple[Candidate | None, ...]

    @property
    def events(self) -> tuple[Candidate, ...]:
        """The candidates that are there, in the order of the items."""
        return tuple(candidate for candidate in self.candidates if candidate is not None)

    @property
    def first(self) -> int:
        """The time of its earliest event, epoch milliseconds."""
        return min(candidate.moment for candidate in self.events)

    @property
    def last(self) -> int:
        """The time of its latest event, epoch milliseconds."""
        return max(candidate.moment for candidate in self.events)


class TooManyPending(LolbinRulesError):  # noqa: N818 - says what is the matter, as the store's errors do
    """More is unfinished at one time than memory is allowed for.

    What was returned before stands. Nothing from `moment` on has been searched.

    Attributes:
        moment: the time of the event at which it was too much, epoch milliseconds.
    """

    def __init__(self, pending: int, limit: int, moment: int) -> None:
        self.moment = moment
        super().__init__(
            f"{pending} keys and sequences are unfinished at one time, more than the {limit} that are allowed; "
            f"the search ends at {moment} ms since 1970. Give the sequence a shorter maxspan, or narrow its first item"
        )


def order_of(timestamp: int, tiebreaker: float | str | None = None, implicit: Any = ()) -> Order:
    """The place of an event: by time, then by tiebreaker (events without one last), then by the order of the store.

    Args:
        timestamp: in one unit for all events, at least as fine as milliseconds.
        tiebreaker: the value of the field that breaks ties, if the event has one; numbers come before texts.
        implicit: what breaks the ties that are left, of one type for all events; () where nothing does: then events of
            one time and tiebreaker are simultaneous, and neither can follow the other.
    """
    if tiebreaker is None:
        return (timestamp, 2, 0, implicit)
    return (timestamp, int(isinstance(tiebreaker, str)), tiebreaker, implicit)


def sliced(found: Iterable[Found], slices: Iterable[Slice]) -> list[Found]:
    """What the pipes leave of all results, which are given and returned in order."""
    left: Sequence[Found] = list(found)
    for end, count in slices:
        left = left[:count] if end == "head" else left[max(0, len(left) - count) :]
    return list(left)


def reach(plan: SequencePlan, fallback: timedelta) -> timedelta:
    """How long before an event a search must begin that shall find every sequence which that event completes.

    With `maxspan`, a search that begins so early finds the same sequences as one of all time. Without, nothing bounds
    a sequence, and the caller must choose: `fallback`.
    """
    return fallback if plan.maxspan is None else plan.maxspan


def settling(plan: SequencePlan) -> timedelta:
    """How long after its last event a sequence may still be undecided, because a missing item comes last."""
    if plan.maxspan is None or not plan.stages[-1].is_missing:
        return timedelta(0)
    return plan.maxspan


def milliseconds(span: timedelta) -> int:
    """Whole milliseconds, the unit in which EQL states `maxspan`."""
    return span // _MILLISECOND
