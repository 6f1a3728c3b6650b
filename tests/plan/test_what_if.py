"""Arrivals replayed through the planner: what a schedule loses is what the formula says, and no outage adds to it."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import DAY, HOUR, MINUTE, NOON, SECOND

from lolbin_rules.alert.source import parse_time
from lolbin_rules.plan.lateness import Delay, Delays
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.what_if import Arrival, Schedule, what_if
from lolbin_rules.plan.window import MILLISECOND, Spans, Window, from_position, position

START = position(NOON)
seconds = st.integers(10, 300).map(lambda each: timedelta(seconds=each))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any interval, lookback and phase."""
    interval = draw(seconds)
    lookback = interval + draw(st.one_of(st.just(timedelta()), seconds))
    return Schedule(interval, lookback, draw(st.integers(0, 299_999)) % (interval // MILLISECOND) * MILLISECOND)


arrivals = st.lists(
    st.builds(
        lambda happened, delay: Arrival(START + happened, START + happened + delay, f"e{happened}+{delay}"),
        st.integers(0, 900_000),
        st.one_of(st.integers(0, 20_000), st.integers(0, 600_000)),
    ),
    max_size=20,
    unique=True,
)


@st.composite
def outages(draw: st.DrawFn) -> Spans:
    """Any outages of some minutes."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 900_000), st.integers(1, 900_000)), max_size=3))
    return Spans(
        tuple(Window(from_position(START + start), from_position(START + start + long)) for start, long in drawn)
    )


def first_search(schedule: Schedule, at: int) -> int:
    """The first moment of the schedule from `at` on."""
    length, phase = schedule.interval // MILLISECOND, schedule.phase // MILLISECOND
    return at + (phase - at) % length


@given(schedules(), arrivals)
@settings(max_examples=25, deadline=None)
def test_on_time_exactly_those_are_lost_that_the_formula_says(schedule: Schedule, found: list[Arrival]) -> None:
    """A document is lost if and only if the first search that could meet it does not look back as far."""
    reach = schedule.interval + tolerance(schedule.interval, schedule.lookback)
    # A search at the very moment of an event does not hold it, the end of a window being excluded.
    searches = {each: first_search(schedule, max(each.searchable, each.happened + 1)) for each in found}
    expected = {each for each, search in searches.items() if search - each.happened > reach // MILLISECOND}
    ran = what_if(schedule, found, NOON)
    assert set(ran.lost) == expected
    assert len(ran.found) + len(ran.lost) == len(found)


@given(schedules(), arrivals, outages())
@settings(max_examples=25, deadline=None)
def test_no_outage_adds_to_what_is_lost(schedule: Schedule, found: list[Arrival], out: Spans) -> None:
    """What is lost with outages is lost without them; what the schedule tolerates is never lost."""
    ran = what_if(schedule, found, NOON, out)
    assert set(ran.lost) <= set(what_if(schedule, found, NOON).lost)
    late = tolerance(schedule.interval, schedule.lookback)
    assert all(each.delay > late for each in ran.lost)


@given(schedules(), arrivals, outages(), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_a_cap_delays_and_loses_nothing(schedule: Schedule, found: list[Arrival], out: Spans, cap: int) -> None:
    """No execution alerts more than the cap, and in the end everything is alerted that would be without one."""
    capped = what_if(replace(schedule, max_alerts=cap), found, NOON, out)
    assert set(capped.lost) <= set(what_if(schedule, found, NOON, out).lost)
    moments = [each.alerted_at for each in capped.found]
    assert moments == sorted(moments)
    assert max((moments.count(moment) for moment in moments), default=0) <= cap


@given(schedules(), arrivals, outages())
@settings(max_examples=25, deadline=None)
def test_alerts_come_at_executions_after_the_arrival(schedule: Schedule, found: list[Arrival], out: Spans) -> None:
    """On the schedule's grid, in no outage, never before the document is there, and soon where nothing is wrong."""
    ran = what_if(schedule, found, NOON, out)
    for each in ran.found:
        assert (position(each.alerted_at) - schedule.phase // MILLISECOND) % (schedule.interval // MILLISECOND) == 0
        assert each.alerted_at not in out or each.alerted_at <= NOON
        assert timedelta() <= each.waited
        assert out or each.waited <= schedule.interval


def test_an_outage_delays_what_arrived_in_it() -> None:
    """Two hours without executions: the document waits for their end; the next one does not wait."""
    early, later = Arrival(START + 60_000, START + 61_000, "early"), Arrival(START + 10_800_000, START + 10_801_000)
    out = Spans.between(NOON, NOON + 2 * HOUR)
    ran = what_if(Schedule(5 * MINUTE, 9 * MINUTE), [early, later], NOON, out)
    assert [each.arrival for each in ran.found] == [early, later]
    assert ran.found[0].waited == 2 * HOUR - 61 * SECOND
    assert ran.delayed(5 * MINUTE) == [ran.found[0]]
    assert not ran.lost


def test_beyond_the_gap_horizon_time_is_not_searched_unasked() -> None:
    """The one way in which an outage loses: it was longer than the horizon."""
    early = Arrival(START, START + 1000)
    out = Spans.between(NOON, NOON + 3 * HOUR)
    schedule = Schedule(5 * MINUTE, 9 * MINUTE)
    assert what_if(replace(schedule, gap_horizon=DAY), [early], NOON - 10 * MINUTE, out).lost == ()
    assert what_if(replace(schedule, gap_horizon=HOUR), [early], NOON - 10 * MINUTE, out).lost == (early,)


Law = Callable[[Random], float]

LAWS: dict[str, tuple[Law, timedelta]] = {
    "exponential": (lambda chance: chance.expovariate(1 / 120), 9 * MINUTE),
    "log-normal": (lambda chance: chance.lognormvariate(math.log(40), 1.5), 9 * MINUTE),
    "Pareto": (lambda chance: 10 * chance.paretovariate(0.9), 9 * MINUTE),
    "laptops that were away": (
        lambda chance: chance.uniform(600, 2400) if chance.random() < 0.05 else chance.uniform(0.5, 5),
        20 * MINUTE,
    ),
    "always in time": (lambda chance: chance.uniform(0.5, 200), 9 * MINUTE),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_predicted_miss_rate_is_the_realised_one(name: str) -> None:
    """Within a tenth: predicted from what was seen of one day by its end, realised on the arrivals of the next."""
    law, lookback = LAWS[name]
    chance = Random(name)

    def arrived(begin: datetime) -> list[Arrival]:
        start = position(begin)
        moments = [start + chance.randrange(DAY // MILLISECOND) for _ in range(40_000)]
        return [Arrival(moment, moment + int(1000 * law(chance)), str(n)) for n, moment in enumerate(moments)]

    horizon = position(NOON + DAY)
    seen = [each for each in arrived(NOON) if each.searchable <= horizon]
    delays = Delays(Delay(each.delay // MILLISECOND, horizon - each.happened) for each in seen)
    predicted = delays.miss_rate(5 * MINUTE, lookback)
    ran = what_if(Schedule(5 * MINUTE, lookback, 77 * SECOND), arrived(NOON + DAY), NOON + DAY)
    realised = len(ran.lost) / 40_000
    assert realised == pytest.approx(predicted, rel=0.1)
    assert (realised > 0.002) == (name != "always in time")


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("file", "interval", "lookback"),
    [
        ("winlogbeat-otrf-empire_dcom_shellwindows_stager", 60, 100),
        ("winlogbeat-otrf-empire_dcom_shellwindows_stager", 60, 160),
        ("winlogbeat-otrf-purplesharp_ad_playbook_I", 20, 45),
        ("winlogbeat-otrf-purplesharp_ad_playbook_I", 20, 55),
    ],
)
def test_of_recorded_arrivals_too(recordings: Path, file: str, interval: int, lookback: int) -> None:
    """Predicted from the delays of every other recorded event, realised on the others, over phases of the schedule.

    The recordings are a few minutes long, so one phase alone would decide on what is lost.
    """
    recorded = recorded_arrivals(recordings / f"{file}.ndjson.gz")
    delays = Delays(Delay(each.delay // MILLISECOND, 10**12) for each in recorded[::2])
    every, back = timedelta(seconds=interval), timedelta(seconds=lookback)
    predicted = delays.miss_rate(every, back)
    begin = from_position(min(each.happened for each in recorded)) - back
    replayed = recorded[1::2]
    phases = 6
    lost = 0
    for phase in range(phases):
        ran = what_if(Schedule(every, back, phase * every / phases), replayed, begin)
        lost += len(ran.lost)
    assert predicted > 0.01
    assert lost / phases / len(replayed) == pytest.approx(predicted, rel=0.1)


def recorded_arrivals(file: Path) -> list[Arrival]:
    """The events of a recording that say when they were ingested, in order."""
    found = []
    with gzip.open(file) as lines:
        for line in lines:
            event = orjson.loads(line)
            happened, ingested = parse_time(event["@timestamp"]), parse_time(event["event"].get("ingested"))
            if happened and ingested:
                found.append(Arrival(position(happened), position(ingested), event["event"]["id"]))
    assert found
    return sorted(found, key=lambda each: (each.happened, each.name))


def test_moments_are_those_of_the_grid() -> None:
    """Whole numbers of intervals and the phase after 1970, the first right before the beginning."""
    slots = Schedule(5 * MINUTE, 9 * MINUTE, 90 * SECOND).slots(datetime(2026, 11, 22, 3, 1, 31, tzinfo=UTC))
    assert [next(slots).isoformat(), next(slots).isoformat()] == [
        "2026-11-22T03:01:30+00:00",
        "2026-11-22T03:06:30+00:00",
    ]
