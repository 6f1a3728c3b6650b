"""The promise as a whole: a small world of late events and failing runners, and what may be certified in it.

The world keeps its own books: which search, by which logic, met which event, and which events a cap left unwritten.
Nothing in them comes from the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import at

from lolbin_rules.plan.coverage import Coverage, closed, merged, opened
from lolbin_rules.plan.plan import Plan, covered_until_cap, plan, tolerance
from lolbin_rules.plan.window import MILLISECOND, Spans, Window, position

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

DAY = timedelta(days=1)
Record: TypeAlias = tuple[Literal["searched", "deferred"], Window, "datetime", str]


@dataclass(frozen=True)
class Event:
    """Something that happened `moment` milliseconds after noon and became searchable `delay` later."""

    moment: int
    delay: int


@dataclass(frozen=True)
class Step:
    """One look at the rule by some runner, with all that can go wrong.

    Attributes:
        wait: milliseconds of true time since the step before.
        outcome: `failed`: nothing is searched. `crashed`: alerts are written, coverage is not. `partial`: only the
            current window succeeds.
        cap: how many alerts may be created.
        skew: by how much this runner's clock is wrong; it can be behind what it was in the step before.
        hold: how many further steps pass before this runner records what it searched.
        merges: whether it then merges documents, or repeats its changes on what it reads.
        logic: the logic it runs.
        enabled: whether the rule is enabled.
        sweep: how much more of the past it searches unplanned.
    """

    wait: int
    outcome: Literal["ok", "failed", "crashed", "partial"]
    cap: int
    skew: int
    hold: int
    merges: bool
    logic: str
    enabled: bool
    sweep: int


@dataclass
class World:
    """True time, the store's document, and the books."""

    interval: timedelta
    lookback: timedelta
    events: list[Event]
    horizon: timedelta = 1000 * DAY
    clock: int = 0
    stored: Coverage | None = None
    edits: list[tuple[str, datetime]] = field(default_factory=list)
    alerted: set[Event] = field(default_factory=set)
    seen: dict[Event, set[str]] = field(default_factory=dict)
    unwritten: set[Event] = field(default_factory=set)
    held: list[tuple[int, Step, Coverage, list[Record]]] = field(default_factory=list)
    found: dict[Record, set[Event]] = field(default_factory=dict)

    @property
    def tolerance(self) -> timedelta:
        """The rule's tolerance."""
        return tolerance(self.interval, self.lookback)

    def step(self, step: Step) -> Plan | None:
        """Let time pass, let slow runners record, and look at the rule."""
        self.clock += step.wait
        self.held = [(hold - 1, *rest) for hold, *rest in self.held]  # type: ignore[misc]
        for hold, slow, base, records in self.held:
            if hold == 0:
                self.record(slow, base, records)
        now = at(self.clock + step.skew)
        if not step.enabled:
            self.stored = closed(self.stored, now) if self.stored else None
            return None
        coverage = self.stored = opened(self.stored, "r", now, self.lookback, step.logic)
        if not self.edits or step.logic != self.edits[-1][0]:
            self.edits.append((step.logic, now - self.lookback))
        made = plan(self.interval, self.lookback, coverage, now, gap_horizon=self.horizon)
        if step.outcome != "failed":
            self.finish(step, coverage, self.execute(step, made, now))
        return made

    def execute(self, step: Step, made: Plan, now: datetime) -> list[Record]:
        """Search what was planned, write what the cap allows, and say what is to be recorded."""
        searched_at = min(now, at(self.clock))
        windows = [made.current] if step.outcome == "partial" else [made.current, *made.backlog]
        if step.sweep:
            windows.append(Window(now - step.sweep * MILLISECOND, now))
        left = step.cap
        records: list[Record] = []
        for window in windows:
            unwritten, left = self.write(window, step.logic, left)
            believed = covered_until_cap(window, position(unwritten)) if unwritten else window
            if believed:
                records.append(("searched", believed, searched_at, step.logic))
            if unwritten:
                records.append(self.deferred(Window(unwritten, window.end), step.logic))
        return records

    def deferred(self, window: Window, logic: str) -> Record:
        """What is to be recorded of a cap, by the store's clock; the books keep which events it is about."""
        record: Record = ("deferred", window, at(self.clock), logic)
        self.found[record] = {event for event in self.hits(window) if event not in self.alerted}
        return record

    def write(self, window: Window, logic: str, left: int) -> tuple[datetime | None, int]:
        """Alert the searchable events of the window, oldest first; the moment of the first unwritten one if any."""
        for event in sorted(self.hits(window), key=lambda event: event.moment):
            if event not in self.alerted:
                if not left:
                    return at(event.moment), left
                left -= 1
                self.alerted.add(event)
            self.seen.setdefault(event, set()).add(logic)
            self.unwritten.discard(event)
        return None, left

    def hits(self, window: Window) -> list[Event]:
        """The events that a search of the window meets now."""
        return [
            event
            for event in self.events
            if window.start <= at(event.moment) < window.end and event.moment + event.delay <= self.clock
        ]

    def finish(self, step: Step, coverage: Coverage, records: list[Record]) -> None:
        """Record what was searched: now, some steps later, or never."""
        if step.hold:
            self.held.append((step.hold, step, coverage, records))
        elif step.outcome != "crashed":
            self.stored = self.applied(coverage, records)
            self.note(records)

    def record(self, step: Step, base: Coverage, records: list[Record]) -> None:
        """A slow runner records on top of what others stored meanwhile."""
        if step.outcome == "crashed":
            return
        assert self.stored
        if step.merges:
            self.stored = merged(self.applied(base, records), self.stored)
        else:
            self.stored = self.applied(self.stored, records)
        self.note(records)

    def applied(self, coverage: Coverage, records: Iterable[Record]) -> Coverage:
        """The coverage after these records."""
        for kind, window, searched_at, logic in records:
            if kind == "searched":
                coverage = coverage.with_searched(window, searched_at, logic, self.tolerance)
            else:
                coverage = coverage.with_deferred(window, searched_at)
        return coverage

    def note(self, records: Iterable[Record]) -> None:
        """Put into the books which events are known to be unwritten."""
        found = set().union(*(self.found.get(record, set()) for record in records))
        self.unwritten |= found - self.alerted

    def is_met(self, event: Event) -> bool:
        """Whether a search by the logic in force at the event's time, or by a later one, met it."""
        reaching = [number for number, (_, since) in enumerate(self.edits) if since <= at(event.moment)]
        first = reaching[-1] if reaching else 0
        later = {logic for logic, _ in self.edits[first:]}
        return bool(self.seen.get(event, set()) & later) if reaching else event in self.seen

    def check(self) -> None:
        """What must be true at every moment."""
        if self.stored is None:
            return
        settled, covered = self.stored.settled(self.tolerance), self.stored.covered
        for event in self.events:
            if at(event.moment) in settled and event.delay * MILLISECOND <= self.tolerance:
                assert self.is_met(event)
        assert not [event for event in self.unwritten if at(event.moment) in covered]


HEALTHY = Step(0, "ok", 1000, 0, 0, merges=False, logic="a", enabled=True, sweep=0)
durations = st.integers(0, 600).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, list[Step]]:
    """Any timing of a rule, any course of things, and events all along it, many exactly as late as is tolerated."""
    interval = draw(durations) + timedelta(seconds=1)
    world = World(interval, interval + draw(durations), [])
    beat = interval // MILLISECOND
    late = world.tolerance // MILLISECOND
    wait = st.one_of(st.integers(beat - 900, beat + 900), st.integers(0, beat // 2), st.integers(0, 8 * beat))
    steps = draw(
        st.lists(
            st.builds(
                Step,
                wait=wait,
                outcome=st.sampled_from(["ok", "ok", "ok", "failed", "crashed", "partial"]),
                cap=st.sampled_from([0, 1, 2, 1000, 1000, 1000]),
                skew=st.one_of(st.just(0), st.integers(-20_000, 20_000)),
                hold=st.sampled_from([0, 0, 0, 1, 2]),
                merges=st.booleans(),
                logic=st.sampled_from("aaab"),
                enabled=st.sampled_from([True, True, True, True, False]),
                sweep=st.one_of(st.just(0), st.integers(1, 20 * beat)),
            ),
            min_size=1,
            max_size=12,
        )
    )
    end = sum(step.wait for step in steps)
    begin = -(world.lookback // MILLISECOND)
    moments = st.integers(begin, max(end, begin))
    delays = st.one_of(st.just(late), st.integers(0, late), st.integers(0, 3 * late))
    world.events = draw(st.lists(st.builds(Event, moments, delays), max_size=25, unique=True))
    return world, steps


@given(worlds())
@settings(max_examples=300, deadline=None)
def test_whatever_is_settled_was_met_by_the_right_logic(course: tuple[World, list[Step]]) -> None:
    """No event that became searchable in time lies in settled time without having been met, whatever went wrong.

    Nor does an event lie in covered time that a cap is known to have left unwritten, however late it was.
    """
    world, steps = course
    for step in steps:
        world.step(step)
        world.check()


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_once_all_is_well_every_event_is_alerted(course: tuple[World, list[Step]]) -> None:
    """After any trouble a few healthy ticks alert every event that was asked for and came in time; nothing is left."""
    world, steps = course
    for step in steps:
        world.step(step)
    asked = world.stored.asked if world.stored else Spans()
    beat = world.interval // MILLISECOND
    for wait in (60_000 + 4 * world.tolerance // MILLISECOND, beat, beat, beat):
        made = world.step(replace(HEALTHY, wait=wait))
        world.check()
    assert made
    assert made.backlog == ()
    assert world.stored
    assert not world.stored.gaps(at(world.clock))
    assert not world.unwritten
    for event in world.events:
        if at(event.moment) in asked and event.delay * MILLISECOND <= world.tolerance:
            assert world.is_met(event)


@given(worlds(), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_what_a_cap_left_over_is_written_in_the_end(course: tuple[World, list[Step]], cap: int) -> None:
    """Even with a horizon of nothing and a small cap, what was once found is written, so many per execution."""
    world, steps = course
    world.horizon = timedelta()
    for step in steps:
        world.step(step)
    owed = set(world.unwritten)
    for _ in range(len(world.events) + 5):
        world.step(replace(HEALTHY, wait=60_000, cap=cap))
        world.check()
    assert owed <= world.alerted
