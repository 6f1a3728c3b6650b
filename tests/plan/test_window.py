"""Moments, windows and sets of them, compared with plain sets of milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import LENGTH, NOON, SECOND, any_spans, at, moments, span, spans, windows

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

quick = settings(max_examples=80, deadline=None)
any_moment = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


@given(any_moment.filter(lambda moment: 1 < moment.year < 9999))
@quick
def test_floor_is_the_whole_millisecond_at_or_before(moment: datetime) -> None:
    """Flooring goes down by less than a millisecond, to a whole one, in UTC; doing it again changes nothing."""
    floored = floor(moment)
    assert timedelta() <= moment - floored < MILLISECOND
    assert floored.microsecond % 1000 == 0
    assert floored.tzinfo is UTC
    assert floor(floored) == floored


def test_naive_moments_are_refused() -> None:
    """A moment without a time zone is an error and not a guess."""
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="no time zone"):
        floor(naive)
    with pytest.raises(ValueError, match="no time zone"):
        Window(naive, naive + SECOND)


def test_windows_are_on_whole_milliseconds() -> None:
    """A bound that Elasticsearch would round is refused."""
    with pytest.raises(ValueError, match="whole millisecond"):
        Window(NOON, NOON + timedelta(microseconds=1500))


@pytest.mark.parametrize("end", [0, -1])
def test_windows_are_never_empty(end: int) -> None:
    """A window that holds no moment is refused."""
    with pytest.raises(ValueError, match="is empty"):
        Window(NOON, at(end))


def test_a_window_tells_its_bounds_in_utc() -> None:
    """The same moments in another zone make an equal window, and are stored in UTC."""
    india = timezone(timedelta(hours=5, minutes=30))
    window = Window(NOON.astimezone(india), at(9).astimezone(india))
    assert window == span(0, 9)
    assert str(window) == "[2026-11-02T12:00:00+00:00, 2026-11-02T12:00:00.009000+00:00)"


def test_a_window_has_an_end_or_is_open() -> None:
    """Only a window until forever is open."""
    assert Window(NOON, FOREVER).is_open
    assert not span(0, 1).is_open


def test_before_ends_where_the_calendar_ends() -> None:
    """Looking back further than dates can tell means since the dawn of time, not a crash."""
    assert before(NOON, timedelta(days=999_999_999)) == DAWN
    assert before(NOON, SECOND) == NOON - SECOND


@given(st.integers(-(10**12), 10**13))
@quick
def test_positions_and_moments_are_the_same_thing(milliseconds: int) -> None:
    """A sort value becomes a moment and the same sort value again."""
    assert position(from_position(milliseconds)) == milliseconds


def test_position_counts_milliseconds_since_1970() -> None:
    """What Elasticsearch answers as the sort value of a date is what is meant."""
    assert position(datetime(2026, 11, 2, 12, 0, 0, 1234, tzinfo=UTC)) == 1_793_620_800_001
    assert position(datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC)) == -1


@given(st.lists(windows(), max_size=8))
@quick
def test_spans_are_normal(found: list[Window]) -> None:
    """Whatever they were made from, windows of a set are sorted, disjoint and not adjacent, and lose no moment."""
    made = Spans(tuple(found))
    assert all(one.end < other.start for one, other in zip(made, made.windows[1:], strict=False))
    assert moments(made) == set().union(*(moments(Spans((window,))) for window in found))
    assert made.duration == len(moments(made)) * MILLISECOND


@given(any_spans(), any_spans())
@quick
def test_spans_are_sets_of_moments(ours: Spans, theirs: Spans) -> None:
    """Union, intersection and difference are those of the moments."""
    assert moments(ours | theirs) == moments(ours) | moments(theirs)
    assert moments(ours & theirs) == moments(ours) & moments(theirs)
    assert moments(ours - theirs) == moments(ours) - moments(theirs)


@given(any_spans(), any_spans())
@quick
def test_equal_sets_are_equal(ours: Spans, theirs: Spans) -> None:
    """Two sets of the same moments compare equal, however they were computed."""
    assert (ours == theirs) == (moments(ours) == moments(theirs))
    assert (ours - theirs) | (ours & theirs) == ours


def test_open_ends_take_part() -> None:
    """What is subtracted from an open window leaves an open window, unless it is open as well."""
    always = Spans.between(DAWN, FOREVER)
    assert always - spans((0, LENGTH)) == Spans.between(DAWN, at(0)) | Spans.between(at(LENGTH), FOREVER)
    assert not always - always
    assert always - Spans() == always


def test_between_may_be_empty() -> None:
    """No moment lies between a moment and itself, or an earlier one."""
    assert not Spans.between(at(1), at(1))
    assert not Spans.between(at(2), at(1))


def test_overlap_is_what_two_windows_share() -> None:
    """Adjacent windows share nothing; overlapping ones their common part."""
    assert span(0, 5).overlap(span(5, 9)) is None
    assert span(0, 6).overlap(span(5, 9)) == span(5, 6)
    assert span(0, 6).duration == 6 * MILLISECOND
