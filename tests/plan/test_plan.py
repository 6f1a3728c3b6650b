"""What is planned: the current window, the backlog, what has expired, and what may be believed after a cap."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import DAY, HOUR, LENGTH, MINUTE, NOON, SECOND, at, instants, moments, span, spans, windows

from lolbin_rules.plan.coverage import Coverage, closed, opened
from lolbin_rules.plan.plan import Plan, covered_until_cap, plan, tolerance, without_instants
from lolbin_rules.plan.window import MILLISECOND, Spans, Window, position

INTERVAL, LOOKBACK = 5 * MINUTE, 9 * MINUTE
LATENESS = tolerance(INTERVAL, LOOKBACK)


def planned(coverage: Coverage, now: datetime, budget: timedelta = DAY, chunk: timedelta | None = None) -> Plan:
    """The plan of a 5m / now-9m rule."""
    return plan(INTERVAL, LOOKBACK, coverage, now, budget=budget, chunk=chunk)


def searched(coverage: Coverage, *windows: Window, now: datetime) -> Coverage:
    """The coverage after these windows were searched with success."""
    for window in windows:
        coverage = coverage.with_searched(window, now, "a", LATENESS)
    return coverage


def ticked(coverage: Coverage, now: datetime) -> Coverage:
    """The coverage after an execution in which everything planned succeeded."""
    made = planned(coverage, now)
    return searched(coverage, made.current, *made.backlog, now=now)


def first(now: datetime = NOON) -> Coverage:
    """A rule that was enabled and run at noon."""
    return ticked(opened(None, "r", now, LOOKBACK, "a"), now)


def test_windows_overlap_by_what_lookback_is_longer_than_interval() -> None:
    """The tolerance for late documents is the overlap, and never less than a refresh and a clock's skew."""
    assert tolerance(5 * MINUTE, 9 * MINUTE) == 4 * MINUTE
    assert tolerance(5 * MINUTE, 5 * MINUTE) == 10 * SECOND
    assert tolerance(5 * MINUTE, 5 * MINUTE, 30 * SECOND) == 30 * SECOND


def test_the_first_execution_searches_the_lookback_and_no_more() -> None:
    """A new rule does not look back beyond its own lookback."""
    coverage = opened(None, "r", NOON, LOOKBACK, "a")
    made = planned(coverage, NOON)
    assert made == Plan(Window(NOON - LOOKBACK, NOON), (), Spans())
    assert made.oldest is None


def test_an_ordinary_tick_searches_the_lookback() -> None:
    """On time, there is nothing else to do."""
    assert planned(first(), NOON + INTERVAL) == Plan(Window(NOON - 4 * MINUTE, NOON + INTERVAL), (), Spans())


def test_the_current_window_is_searched_even_if_it_is_covered() -> None:
    """A second execution at the same moment, or a clock set back, plans the last lookback all the same."""
    assert planned(first(), NOON).current == Window(NOON - LOOKBACK, NOON)
    assert planned(first(), NOON - MINUTE).current == Window(NOON - 10 * MINUTE, NOON - MINUTE)


def test_a_late_tick_searches_as_much_more() -> None:
    """A tick that is 300 ms late reaches back 300 ms further, or a document 4 minutes late could slip through."""
    now = NOON + INTERVAL + 300 * MILLISECOND
    assert planned(first(), now) == Plan(Window(NOON - 4 * MINUTE, now), (), Spans())


def test_a_missed_tick_makes_the_current_window_longer() -> None:
    """What one failed execution left is taken along in the next one's window."""
    now = NOON + 2 * INTERVAL
    assert planned(first(), now) == Plan(Window(NOON - 4 * MINUTE, now), (), Spans())


def test_a_rule_without_overlap_overlaps_by_a_refresh() -> None:
    """Searched every 5m for 5m, each window still takes in the ten seconds that were too fresh the last time."""
    coverage = opened(None, "r", NOON, INTERVAL, "a")
    coverage = coverage.with_searched(Window(NOON - INTERVAL, NOON), NOON, "a", 10 * SECOND)
    made = plan(INTERVAL, INTERVAL, coverage, NOON + INTERVAL)
    assert made == Plan(Window(NOON - 10 * SECOND, NOON + INTERVAL), (), Spans())


def test_a_gap_is_searched_from_its_start_minus_the_tolerance() -> None:
    """After an outage of a day, the last minutes before it were searched too early to be settled."""
    now = NOON + DAY
    made = planned(first(), now)
    assert made.current == Window(now - LOOKBACK, now)
    assert made.backlog == (Window(NOON - 4 * MINUTE, now - LOOKBACK),)


def test_the_end_of_a_closed_span_is_settled_after_the_rule_is_enabled_again() -> None:
    """A rule disabled right after an execution owes the late documents of its last minutes."""
    coverage = opened(closed(first(), NOON), "r", NOON + DAY, LOOKBACK, "a")
    assert planned(coverage, NOON + DAY).backlog == (Window(NOON - 4 * MINUTE, NOON),)


def test_newest_first_and_the_oldest_is_named() -> None:
    """Of several gaps the newest comes first; the oldest is offered for a share of the cap."""
    coverage = first()
    for hours in (2, 4, 6):
        coverage = searched(coverage, Window(NOON + (hours - 1) * HOUR, NOON + hours * HOUR), now=NOON + 10 * HOUR)
    made = planned(coverage, NOON + 10 * HOUR)
    assert list(made.backlog) == sorted(made.backlog, reverse=True)
    assert made.oldest == Window(NOON - 4 * MINUTE, NOON + HOUR)


def test_a_budget_too_small_is_spent_on_the_newest_and_a_quarter_of_it_on_the_oldest() -> None:
    """Two days of outage with a budget of 8 hours: 6 hours from the new end, 2 from the old end."""
    now = NOON + 2 * DAY
    made = planned(first(), now, budget=8 * HOUR)
    end = now - LOOKBACK
    begin = NOON - 4 * MINUTE
    assert made.backlog == (Window(end - 6 * HOUR, end), Window(begin, begin + 2 * HOUR))


def test_windows_of_the_backlog_are_no_longer_than_a_chunk() -> None:
    """A window is believed as a whole or not at all; smaller ones keep more when one of them fails."""
    now = NOON + 5 * HOUR
    made = planned(first(), now, chunk=2 * HOUR)
    end = now - LOOKBACK
    assert made.backlog == (
        Window(end - 2 * HOUR, end),
        Window(end - 4 * HOUR, end - 2 * HOUR),
        Window(NOON - 4 * MINUTE, end - 4 * HOUR),
    )


@pytest.mark.parametrize("spent", [{"budget": timedelta()}, {"chunk": timedelta(microseconds=1)}])
def test_a_budget_of_nothing_is_refused(spent: dict[str, timedelta]) -> None:
    """A planner that may plan nothing would never end."""
    with pytest.raises(ValueError, match="searches nothing"):
        planned(first(), NOON, **spent)


def test_gaps_beyond_the_horizon_expire_and_stay_gaps() -> None:
    """What is more than a week old is named and not searched; it does not count as covered."""
    now = NOON + 10 * DAY
    coverage = ticked(first(), now)
    made = planned(coverage, now)
    assert made.expired == Spans.between(NOON, now - 7 * DAY)
    assert made.oldest is not None
    assert made.oldest.start >= now - 7 * DAY
    assert made.expired.duration <= coverage.gaps(now).duration


def test_what_a_cap_left_over_never_expires() -> None:
    """A storm of alerts is written out however long it takes."""
    now = NOON + 30 * DAY
    coverage = first().with_deferred(Window(NOON - MINUTE, NOON), NOON + SECOND)
    made = planned(coverage, now)
    assert made.oldest == Window(NOON - MINUTE, NOON)
    assert not made.expired & coverage.left_over
    assert not ticked(coverage, now).left_over


def test_what_a_cap_left_over_does_not_hold_up_the_newest_events() -> None:
    """Right before the current window it stays a window of its own; hits are read oldest first."""
    now = NOON + INTERVAL
    coverage = first().with_deferred(Window(NOON - 6 * MINUTE, NOON), NOON + SECOND)
    made = planned(coverage, now)
    assert made.current == Window(now - LOOKBACK, now)
    assert made.backlog == (Window(NOON - 6 * MINUTE, now - LOOKBACK),)


def test_a_longer_lookback_searches_the_past_again_within_the_horizon() -> None:
    """More tolerance is a stronger promise; what was settled for the smaller one is searched once more for it."""
    coverage = first()
    for tick in range(1, 20):
        coverage = ticked(coverage, NOON + tick * INTERVAL)
    now = NOON + 20 * INTERVAL
    made = plan(INTERVAL, HOUR, coverage, now, gap_horizon=90 * MINUTE)
    assert made == Plan(Window(now - 90 * MINUTE, now), (), Spans())


def test_the_longest_lookback_is_no_crash() -> None:
    """A rule may say now-999999999d; the window then begins where the calendar does."""
    coverage = opened(None, "r", NOON, timedelta(days=999_999_999), "a")
    assert plan(INTERVAL, timedelta(days=999_999_999), coverage, NOON).current.end == NOON


def test_a_thousand_ordinary_ticks_leave_a_small_document() -> None:
    """Late and early by up to a second, with every tenth tick failing: fewer than ten stretches are kept."""
    coverage = first()
    for tick in range(1, 1001):
        now = NOON + tick * INTERVAL + (tick * 377 % 2000 - 1000) * MILLISECOND
        coverage = ticked(coverage, now) if tick % 10 else coverage
        assert len(coverage.searched) < 10
    assert not planned(coverage, now + INTERVAL).backlog


days = st.integers(0, 20 * 24 * 60).map(lambda minutes: minutes * MINUTE)
durations = st.integers(1, 48 * 3600 * 1000).map(lambda milliseconds: milliseconds * MILLISECOND)
intervals = st.integers(1, 1000).map(lambda seconds: seconds * SECOND)
past = st.lists(st.tuples(days, durations, days), max_size=6)


@given(intervals, intervals, past, past, durations, durations)
@settings(max_examples=40, deadline=None)
def test_success_at_the_same_moment_leaves_nothing_but_what_expired(
    interval: timedelta,
    overlap: timedelta,
    found: list[tuple[timedelta, timedelta, timedelta]],
    left: list[tuple[timedelta, timedelta, timedelta]],
    budget: timedelta,
    chunk: timedelta,
) -> None:
    """Planning and searching with success ends, after as many executions as the budget allows, with no gap at all."""
    now, lookback = NOON + 20 * DAY, interval + overlap
    budget, chunk = max(budget, 16 * HOUR), max(chunk, 5 * HOUR)
    coverage = Coverage.begin("r", NOON, "a")
    for start, duration, after in found:
        window = Window(NOON + start, NOON + start + duration)
        coverage = coverage.with_searched(window, min(window.end + after, now), "a", tolerance(interval, lookback))
    for start, duration, _ in left:
        coverage = coverage.with_deferred(Window(NOON + start, min(NOON + start + duration, now + HOUR)), now - HOUR)
    most = math.ceil(20 * DAY / budget) + 2
    for _ in range(most):
        made = plan(interval, lookback, coverage, now, budget=budget, chunk=chunk)
        check(made, coverage, budget, chunk)
        for window in (made.current, *made.backlog):
            coverage = coverage.with_searched(window, now, "a", tolerance(interval, lookback))
    assert not made.backlog
    assert coverage.gaps(now) == made.expired


def check(made: Plan, coverage: Coverage, budget: timedelta, chunk: timedelta) -> None:
    """What is true of every plan: disjoint windows, newest first, within budget, never without progress."""
    assert all(older.end <= newer.start for newer, older in pairwise((made.current, *made.backlog)))
    assert sum((window.duration for window in made.backlog), timedelta()) <= budget + MILLISECOND
    assert all(window.duration <= chunk for window in made.backlog)
    planned_spans = Spans((made.current, *made.backlog))
    assert not planned_spans & made.expired
    assert made.expired == made.expired & coverage.gaps(made.current.end)
    owed = coverage.gaps(made.current.end) - made.expired
    assert (not owed) or (owed & planned_spans)


@given(windows(), instants(-5, LENGTH + 5))
@settings(max_examples=80, deadline=None)
def test_after_a_cap_only_what_is_older_than_the_first_unwritten_hit_is_believed(
    window: Window, unwritten: datetime
) -> None:
    """Of the first unwritten hit's millisecond nothing is believed, since others of it may be unwritten too."""
    believed = covered_until_cap(window, position(unwritten))
    expected = {moment for moment in moments(Spans((window,))) if at(moment) < unwritten}
    assert (moments(Spans((believed,))) if believed else set()) == expected


def test_a_cap_reached_in_the_first_millisecond_leaves_nothing_to_believe() -> None:
    """With 250 hits in one millisecond and a cap of 100, no time is covered, though 100 alerts are written."""
    assert covered_until_cap(span(5, 9), position(at(5))) is None
    assert covered_until_cap(span(5, 9), position(at(6))) == span(5, 6)
    assert covered_until_cap(span(5, 9), position(at(9))) == span(5, 9)


@given(windows(), st.lists(st.integers(-5, LENGTH + 5), max_size=5))
@settings(max_examples=80, deadline=None)
def test_the_milliseconds_of_unwritten_documents_are_left_out(window: Window, holes: list[int]) -> None:
    """Nothing else is left out, and positions outside of the window do not matter."""
    believed = without_instants(window, [position(at(hole)) for hole in holes])
    assert moments(believed) == moments(Spans((window,))) - set(holes)


def test_positions_that_are_no_dates_are_outside() -> None:
    """A sort value beyond the calendar is no crash."""
    assert without_instants(span(0, 9), [10**18, -(10**18)]) == spans((0, 9))
    assert covered_until_cap(span(0, 9), 10**18) == span(0, 9)
    assert covered_until_cap(span(0, 9), -(10**18)) is None
