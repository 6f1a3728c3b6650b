"""What another interval, another lookback or an outage would have done to what arrived: the planner run again.

Nothing here imitates the planner: each tick of a virtual clock opens the coverage, plans and records as an execution
does, with searches that always succeed. Documents are known by when they happened and when they could be found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lolbin_rules.plan.coverage import Coverage, opened
from lolbin_rules.plan.plan import GAP_HORIZON, Plan, covered_until_cap, plan, tolerance
from lolbin_rules.plan.window import MILLISECOND, Spans, Window, floor, from_position, position

__all__ = ["Arrival", "Found", "Schedule", "WhatIf", "what_if"]

LOGIC = "as it is"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One document that a rule matches.

    Attributes:
        happened: its time, in milliseconds since 1970.
        searchable: from when on a search could meet it, likewise.
        name: its index and id.
    """

    happened: int
    searchable: int
    name: str = ""

    @property
    def delay(self) -> timedelta:
        """How late it was."""
        return max(0, self.searchable - self.happened) * MILLISECOND


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule is executed, and what an execution may do.

    Attributes:
        interval: time between executions.
        lookback: how far back each looks.
        phase: how long after a whole number of intervals since 1970 they come.
        max_alerts: alerts that one execution creates at most; None: as many as there are.
        gap_horizon: how far back uncovered time is searched unasked.
    """

    interval: timedelta
    lookback: timedelta
    phase: timedelta = timedelta()
    max_alerts: int | None = None
    gap_horizon: timedelta = GAP_HORIZON

    def slots(self, begin: datetime) -> Iterator[datetime]:
        """Its moments, the first of them the last that is not after `begin`; without end."""
        length = self.interval // MILLISECOND
        first = (position(begin) - self.phase // MILLISECOND) // length
        moment = from_position(first * length) + self.phase
        while True:
            yield moment
            moment += self.interval


@dataclass(frozen=True, slots=True)
class Found:
    """A document and when it would have been alerted."""

    arrival: Arrival
    alerted_at: datetime

    @property
    def waited(self) -> timedelta:
        """How long it could have been found before it was: for lack of a search, or because of a cap."""
        present = max(self.arrival.searchable, self.arrival.happened)
        return self.alerted_at - from_position(present)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would have become of the documents.

    Attributes:
        found: those that would have been alerted, in the order of that.
        lost: those that never would have been, in order of time; what came later than the schedule tolerates.
        ticks: executions.
        searched: event time that they searched, each time that they did.
    """

    found: tuple[Found, ...]
    lost: tuple[Arrival, ...]
    ticks: int
    searched: timedelta

    def delayed(self, longer_than: timedelta) -> list[Found]:
        """Those that waited longer than this for their alert; the longest first."""
        return sorted((each for each in self.found if each.waited > longer_than), key=lambda each: -each.waited)


def what_if(schedule: Schedule, arrivals: Iterable[Arrival], begin: datetime, outages: Spans = Spans()) -> WhatIf:  # noqa: B008
    """Replay the arrivals under a schedule.

    Args:
        schedule: when the rule is executed.
        arrivals: documents that happened at `begin` or later.
        begin: the rule is enabled and all is well right before it.
        outages: no execution is in any of these, but for that first one.

    It goes on until everything has arrived and nothing is left to be searched.
    """
    replay = _Replay(schedule, sorted(arrivals, key=lambda each: (each.happened, each.name)))
    latest = max((max(each.searchable, each.happened) for each in replay.arrivals), default=position(begin))
    end = max([from_position(latest), *(outage.end for outage in outages)]) + schedule.lookback + schedule.interval
    for moment in schedule.slots(begin):
        if replay.ticks and moment in outages:
            continue
        is_done = replay.tick(moment)
        if is_done and moment >= end:
            break
    lost = tuple(each for place, each in enumerate(replay.arrivals) if place in replay.waiting)
    return WhatIf(tuple(replay.found), lost, replay.ticks, replay.searched)


class _Replay:
    """The state of one rule, and of its documents."""

    def __init__(self, schedule: Schedule, arrivals: Sequence[Arrival]) -> None:
        self.schedule = schedule
        self.arrivals = arrivals
        self.waiting = set(range(len(arrivals)))
        self.found: list[Found] = []
        self.ticks = 0
        self.searched = timedelta()
        self._times = [each.happened for each in arrivals]
        self._coverage: Coverage | None = None

    def tick(self, moment: datetime) -> bool:
        """One execution; whether it left nothing behind that is to be searched."""
        schedule, now = self.schedule, floor(moment)
        late = tolerance(schedule.interval, schedule.lookback)
        coverage = opened(self._coverage, "", now, schedule.lookback, LOGIC)
        planned = plan(schedule.interval, schedule.lookback, coverage, now, gap_horizon=schedule.gap_horizon)
        left = len(self.arrivals) if schedule.max_alerts is None else schedule.max_alerts
        share = max(1, left // 4) if planned.backlog and schedule.max_alerts is not None else 0
        deferred = []
        for window, reserve in _in_order(planned, share):
            self.searched += window.duration
            allowed = max(0, left - reserve)
            unwritten, created = self._search(window, now, allowed)
            left -= created
            believed = window if unwritten is None else covered_until_cap(window, unwritten)
            if believed:
                coverage = coverage.with_searched(believed, now, LOGIC, late)
            if unwritten is not None:
                deferred.append(Window(from_position(unwritten), window.end))
        for window in deferred:
            coverage = coverage.with_deferred(window, now)
        self._coverage = coverage
        self.ticks += 1
        return not planned.backlog and not coverage.deferred

    def _search(self, window: Window, now: datetime, allowed: int) -> tuple[int | None, int]:
        """Alert what the window holds by now, oldest first; where the cap cut that short, and how many were alerted."""
        created = 0
        start = bisect_left(self._times, position(window.start))
        end = bisect_left(self._times, position(window.end))
        for place in range(start, end):
            arrival = self.arrivals[place]
            if place not in self.waiting or arrival.searchable > position(now):
                continue
            if created == allowed:
                return arrival.happened, created
            self.waiting.discard(place)
            self.found.append(Found(arrival, now))
            created += 1
        return None, created


def _in_order(planned: Plan, share: int) -> Iterator[tuple[Window, int]]:
    """The windows as an execution searches them, and how many alerts each must leave to those after it."""
    yield planned.current, share
    for window in (*planned.backlog[-1:], *planned.backlog[:-1]):
        yield window, 0
