"""What to search next: arithmetic on a rule's timing, its coverage and `now`.

Two requirements and everything follows. The newest events matter most, so the window behind `now` is always searched,
and first. And every moment that was asked must in the end be *settled*, that is searched once documents that were
`tolerance` late had become searchable; so whatever lies before that window and is not settled is searched as well,
newest first. That takes in what failed, what was never run, what a cap left over, the last `tolerance` before each of
these (it was searched, but too early to be settled), and the few milliseconds by which a scheduler is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lolbin_rules.plan.window import (
    DAWN,
    FOREVER,
    MILLISECOND,
    Spans,
    Window,
    before,
    floor,
    from_position,
    position,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from lolbin_rules.plan.coverage import Coverage

__all__ = [
    "BUDGET",
    "CLOCK_SKEW",
    "GAP_HORIZON",
    "REFRESH",
    "Plan",
    "covered_until_cap",
    "plan",
    "tolerance",
    "without_instants",
]

REFRESH = timedelta(seconds=5)
"""How long an indexed document may stay invisible: a refresh is due every second, and late in a busy index."""

CLOCK_SKEW = timedelta(seconds=5)
"""By how much the clocks of hosts, nodes and runners may differ."""

GAP_HORIZON = timedelta(days=7)
"""Gaps older than this are no longer searched unasked."""

BUDGET = timedelta(hours=24)
"""How much event time of the past one execution searches at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of one execution, and what it will not do.

    Attributes:
        current: the last `lookback` before now, or a little more; first to be searched.
        backlog: disjoint windows before it, newest first.
        expired: what lies beyond the horizon and was never searched; it stays so until a person asks for it.
    """

    current: Window
    backlog: tuple[Window, ...]
    expired: Spans

    @property
    def oldest(self) -> Window | None:
        """The window that is owed a share of the cap, so that a storm of new alerts cannot starve it."""
        return self.backlog[-1] if self.backlog else None


def tolerance(
    rule_interval: timedelta, lookback: timedelta, refresh_and_skew: timedelta = REFRESH + CLOCK_SKEW
) -> timedelta:
    """How late a document may become searchable and is still found: what windows overlap by, or at least a refresh.

    A rule whose lookback equals its interval overlaps by nothing; the floor keeps it from losing what was not yet
    refreshed.
    """
    return max(lookback - rule_interval, refresh_and_skew)


def plan(
    rule_interval: timedelta,
    lookback: timedelta,
    coverage: Coverage,
    now: datetime,
    *,
    gap_horizon: timedelta = GAP_HORIZON,
    budget: timedelta = BUDGET,
    chunk: timedelta | None = None,
) -> Plan:
    """What an execution at `now` is to search; `coverage` must have been `opened` at this `now`.

    Args:
        rule_interval: time between executions.
        lookback: the least reach of the current window.
        coverage: what was asked and searched so far.
        now: the moment of the execution.
        gap_horizon: how old a gap may become; what a cap left over may be older.
        budget: the most event time that the backlog may span.
        chunk: the longest a window of the backlog may be, `budget` if not given. A window is believed as a whole or
            not at all, so where large ones fail, small ones still make progress.
    """
    if min(budget, chunk or budget) < MILLISECOND:
        raise ValueError(f"a budget of {budget} in chunks of {chunk} searches nothing. Give at least a millisecond")
    lateness = tolerance(rule_interval, lookback)
    current = Window(before(now, lookback), floor(now))
    horizon = before(now, gap_horizon)
    past = Spans.between(DAWN, current.start)
    unsettled = (coverage.asked - coverage.settled(lateness)) & Spans.between(horizon, FOREVER)
    owed = (unsettled | coverage.left_over) & past
    current = _extended(current, owed - coverage.left_over, max(lookback, lateness))
    owed -= Spans((current,))
    expired = (coverage.gaps(now) - coverage.left_over - coverage.unmet) & past & Spans.between(DAWN, horizon)
    return Plan(current, _backlog(owed, budget, chunk or budget), expired)


def _extended(current: Window, owed: Spans, most: timedelta) -> Window:
    """The current window, reaching back over what is owed right before it if that is no more than `most`.

    So a late tick, a missed tick and a lookback without overlap cost a longer window and not a second search; all rules
    that tick together still ask for the same window. What a cap left over is not taken in: it is read oldest first and
    would keep the newest events waiting.
    """
    for window in owed:
        if window.end == current.start and window.duration <= most:
            return Window(window.start, current.end)
    return current


def _backlog(owed: Spans, budget: timedelta, chunk: timedelta) -> tuple[Window, ...]:
    """What of the owed time this execution searches: the newest, and from the oldest side a quarter of the budget.

    Newest first, because an attack of today matters more than one of last week; the quarter, because under a lasting
    storm the oldest would otherwise never be reached. Taking time from either end leaves the rest for the next
    execution: nothing in it depends on what was taken.
    """
    if owed.duration > budget:
        oldest = _first(owed, max(budget // 4, MILLISECOND))
        owed = oldest | _last(owed - oldest, budget - oldest.duration)
    pieces = (piece for window in reversed(owed.windows) for piece in _cut(window, chunk))
    return tuple(pieces)


def _first(spans: Spans, most: timedelta) -> Spans:
    """The earliest moments of `spans`, `most` of them in all."""
    taken: list[Window] = []
    for window in spans:
        part = Spans.between(window.start, min(window.end, floor(window.start + most)))
        taken.extend(part)
        most -= part.duration
    return Spans(tuple(taken))


def _last(spans: Spans, most: timedelta) -> Spans:
    """The latest moments of `spans`, `most` of them in all."""
    return spans - _first(spans, spans.duration - most)


def _cut(window: Window, chunk: timedelta) -> Iterator[Window]:
    """The window in pieces of at most `chunk`, newest first."""
    end = window.end
    while end > window.start:
        start = max(window.start, before(end, chunk))
        yield Window(start, end)
        end = start


def covered_until_cap(window: Window, first_unwritten: int) -> Window | None:
    """The part of a window that may be believed when a cap cut its hits short; None if no part may.

    `first_unwritten` is the sort value, milliseconds since 1970, of the first hit that was not written. Other hits of
    that very millisecond may have been written or not, so it is left out as a whole.
    """
    if first_unwritten >= position(window.end):
        return window
    if first_unwritten <= position(window.start):
        return None
    return Window(window.start, from_position(first_unwritten))


def without_instants(window: Window, positions: Iterable[int]) -> Spans:
    """The window without the milliseconds at which single documents could not be written."""
    inside = range(position(window.start), position(window.end))
    holes = (from_position(at) for at in positions if at in inside)
    return Spans((window,)) - Spans(tuple(Window(hole, hole + MILLISECOND) for hole in holes))
