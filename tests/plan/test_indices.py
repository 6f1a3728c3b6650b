"""Which indices are new, and what of their time counts as searched no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline import DAY, HOUR, MINUTE, NOON, SECOND, any_spans, at, instants, moments, windows

from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.indices import LONGEST, QUIET, Bounds, Indices, Look, Named, Young, hour_of
from lolbin_rules.plan.plan import plan
from lolbin_rules.plan.window import DAWN, FOREVER, Spans, Window

PRESENT = {name: Named(name.upper()) for name in ("old", "new", "other")}
KNOWN = Indices.begin(("logs-*",), {"old": PRESENT["old"]})
BOUNDS = Bounds(NOON - 7 * DAY, NOON - 9 * MINUTE, NOON)
EMPTY = Look(BOUNDS)


def looked(before: Indices, look: Look, looked_at: datetime, name: str = "new") -> tuple[Indices, Spans]:
    """The indices after one that is new was looked at."""
    return before.after({"old": PRESENT["old"], name: PRESENT[name]}, {name: look}, looked_at)


def test_an_index_that_is_new_is_noticed_with_its_hours() -> None:
    """The hours that it has documents in, the last minutes, and what is older from its first hour to its last."""
    hours = {NOON - 2 * DAY: 3, NOON - HOUR: 1}
    oldest = (NOON - 30 * DAY + 5 * MINUTE, NOON - 20 * DAY)
    indices, again = looked(KNOWN, Look(BOUNDS, hours, 1, 7, oldest), NOON + SECOND)
    assert (set(indices.known), set(indices.young)) == ({"old"}, {"new"})
    assert again == Spans(
        (
            Window(NOON - 30 * DAY, NOON - 20 * DAY + HOUR),
            Window(NOON - 2 * DAY, NOON - 2 * DAY + HOUR),
            Window(NOON - HOUR, NOON + SECOND),
        )
    )


def test_an_index_of_today_reopens_nothing_but_the_last_minutes() -> None:
    """Which the execution that noticed it searches anyway."""
    assert looked(KNOWN, replace(EMPTY, recent=9), NOON + SECOND)[1].windows == (Window(BOUNDS.recent, NOON + SECOND),)


def test_a_young_index_is_known_once_nothing_more_comes() -> None:
    """Only the hours are reopened in which there is more than before, and each time it is young for longer."""
    indices, _ = looked(KNOWN, Look(BOUNDS, {NOON - DAY: 3}), NOON)
    more = Look(BOUNDS, {NOON - DAY: 3, NOON - 3 * HOUR: 1})
    indices, again = looked(indices, more, NOON + QUIET / 2)
    assert again.windows == (Window(NOON - 3 * HOUR, NOON - 2 * HOUR),)
    indices, again = looked(indices, more, NOON + QUIET)
    assert (again, set(indices.young)) == (Spans(), {"new"})
    indices, again = looked(indices, replace(more, recent=1), NOON + QUIET + MINUTE)
    assert again.windows == (Window(BOUNDS.recent, BOUNDS.end),)
    indices, again = looked(indices, replace(more, recent=1), NOON + 2 * QUIET + MINUTE)
    assert (again, set(indices.known), dict(indices.young)) == (Spans(), {"old", "new"}, {})


def test_what_is_older_counts_once_it_is_more() -> None:
    """As often as it grows."""
    indices, _ = looked(KNOWN, EMPTY, NOON)
    one_day = Window(NOON - 9 * DAY, NOON - 9 * DAY + HOUR)
    older = replace(EMPTY, older=2, oldest=(one_day.start, one_day.start))
    indices, again = looked(indices, older, NOON + MINUTE)
    assert again.windows == (one_day,)
    assert looked(indices, older, NOON + 2 * MINUTE)[1] == Spans()


def test_no_index_is_young_for_ever() -> None:
    """However late documents go on trickling into it."""
    indices, _ = looked(KNOWN, EMPTY, NOON)
    for hour in range(1, LONGEST // HOUR):
        indices, again = looked(indices, Look(BOUNDS, {NOON - DAY: hour}), NOON + hour * HOUR)
        assert again
        assert set(indices.young) == {"new"}
    indices, again = looked(indices, Look(BOUNDS, {NOON - DAY: 99}), NOON + LONGEST)
    assert (bool(again), set(indices.known)) == (True, {"old", "new"})


def test_what_is_gone_is_forgotten_and_what_was_not_seen_is_not_known() -> None:
    """An index that is opened again is new; one whose look failed stays what it is, and is looked at again."""
    indices, _ = looked(KNOWN, EMPTY, NOON)
    assert indices.after(PRESENT, {}, NOON + DAY) == (indices, Spans())
    assert indices.unknown(PRESENT) == {"new", "other"}
    gone, _ = indices.after({"new": PRESENT["new"]}, {}, NOON + DAY)
    assert (bool(gone.known), set(gone.young)) == (False, {"new"})
    assert gone.after({}, {}, NOON + DAY) == (Indices(("logs-*",)), Spans())


def test_what_a_known_index_has_become_by_moving_it_is_known() -> None:
    """It takes the place of the other without a look; that of one that is not known, or was gone, is new."""
    moved = {"shrunk": Named("OLD", is_moved=True)}
    assert KNOWN.unknown({**PRESENT, **moved}) == {"new", "other"}
    indices, again = KNOWN.after(moved, {}, NOON)
    assert (set(indices.known), set(indices.names), again) == ({"shrunk"}, {"OLD"}, Spans())
    assert not indices.unknown({"mounted": Named("OLD", is_moved=True)})
    assert indices.unknown({"again": Named("OLD")}) == {"again"}
    gone, _ = indices.after({}, {}, NOON)
    assert gone.unknown({"mounted": Named("OLD", is_moved=True)}) == {"mounted"}
    young, _ = looked(KNOWN, EMPTY, NOON)
    assert young.unknown({"shrunk": Named("NEW", is_moved=True)}) == {"shrunk"}


def test_a_look_with_other_bounds_is_a_first_one() -> None:
    """Two runners that noticed an index at once do not take each other's counts for their own."""
    indices, _ = looked(KNOWN, Look(BOUNDS, {NOON - DAY: 3}), NOON)
    others = Look(replace(BOUNDS, end=NOON + SECOND), {NOON - DAY: 3})
    again = looked(indices, others, NOON + MINUTE)[1]
    assert NOON - DAY in again
    assert NOON + 30 * SECOND in again


@given(any_spans(), windows(), instants(1, 60), instants(1, 60), windows(), instants(1, 60))
def test_only_a_later_search_has_met_what_was_found(
    asked: Spans, first: Window, first_at: datetime, looked_at: datetime, second: Window, second_at: datetime
) -> None:
    """Asked time that an index came into is covered only where it was searched after the look, in whatever order."""
    begun = replace(Coverage.begin("r", at(0), "a"), asked=asked, indices=KNOWN)
    look = Look(Bounds(hour_of(NOON), at(0), at(0)))
    stretches = [(first, first_at), (second, second_at)]
    expected = {
        moment
        for window, searched_at in stretches
        for moment in moments(Spans((window,)) & Spans.between(DAWN, searched_at))
        if searched_at > looked_at or at(moment) not in asked or at(moment) >= looked_at
    }
    for order in (stretches, stretches[::-1]):
        for when in range(3):
            coverage = begun
            for number in range(3):
                if number == when:
                    coverage = coverage.with_looks(PRESENT, {"new": look}, looked_at, timedelta())
                if number < len(order):
                    window, searched_at = order[number]
                    coverage = coverage.with_searched(window, searched_at, "a", SECOND)
            assert moments(coverage.covered) == expected
            assert not coverage.unmet - coverage.asked


@pytest.mark.parametrize(
    ("reach", "last"),
    [(timedelta(), -8 * HOUR), (20 * MINUTE, 20 * MINUTE - 8 * HOUR), (DAY, SECOND)],
    ids=["none", "some", "up to the look"],
)
def test_what_its_events_are_a_part_of_is_searched_again(reach: timedelta, last: timedelta) -> None:
    """A sequence lies where its last event does, which may be in a known index, and behind the hours of the new one."""
    begun = Coverage.begin("r", NOON - DAY, "a").with_searched(Window(NOON - DAY, NOON), NOON, "a", MINUTE)
    look = Look(BOUNDS, {NOON - 9 * HOUR: 1}, recent=0)
    before = replace(KNOWN, young={"new": Young(NOON, NOON, Look(BOUNDS))})
    coverage = replace(begun, indices=before).with_looks(PRESENT, {"new": look}, NOON + SECOND, reach)
    assert coverage.unmet == Spans.between(NOON - 9 * HOUR, NOON + last)


@pytest.mark.parametrize("days", [3, 10])
def test_what_an_index_brought_is_planned_within_the_horizon_and_no_more(days: int) -> None:
    """Beyond it stays a gap, of which not every execution warns: it was searched once."""
    begun = Coverage.begin("r", NOON - 20 * DAY, "a").with_searched(Window(NOON - 20 * DAY, NOON), NOON, "a", MINUTE)
    hour = Window(NOON - days * DAY, NOON - days * DAY + HOUR)
    look = Look(BOUNDS, {hour.start: 1}) if days == 3 else replace(EMPTY, older=1, oldest=(hour.start, hour.start))
    coverage = replace(begun, indices=KNOWN).with_looks(PRESENT, {"new": look}, NOON, timedelta())
    planned = plan(5 * MINUTE, 9 * MINUTE, coverage, NOON + MINUTE)
    assert planned.backlog == ((hour,) if days == 3 else ())
    assert (hour.start in coverage.gaps(NOON), planned.expired) == (True, Spans())


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - naive, as hypothesis wants them
def test_a_moment_lies_in_its_hour(naive: datetime) -> None:
    """Before 1970 too."""
    moment = naive.replace(tzinfo=NOON.tzinfo)
    hour = hour_of(moment)
    assert hour <= moment < hour + HOUR
    assert (hour.minute, hour.second, hour.microsecond) == (0, 0, 0)
    assert hour < FOREVER
