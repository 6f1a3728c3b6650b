"""Stretches that were searched: what is kept of two, and what is forgotten when neighbours are joined."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import LENGTH, at, instants, moments, span, spans, windows

from lolbin_rules.plan.searched import Searched, compacted, overlaid
from lolbin_rules.plan.window import DAWN, FOREVER, MILLISECOND, Spans, Window

thorough = settings(max_examples=60, deadline=None)
COUNTS = {"a": spans((0, 15)), "b": spans((0, 25)), "c": Spans.between(DAWN, FOREVER)}
lags = st.integers(0, 12).map(lambda milliseconds: milliseconds * MILLISECOND)


@st.composite
def searches(draw: st.DrawFn) -> Searched:
    """Any single search; never of time that was still to come."""
    window = draw(windows())
    end = (window.end - at(0)) // MILLISECOND
    return Searched.once(window, draw(instants(end, LENGTH + 10)), draw(st.sampled_from(sorted(COUNTS))))


@st.composite
def stretches(draw: st.DrawFn) -> Searched:
    """Any stretch, as several searches may have left it: its lag is at least what its first search tells."""
    search = draw(searches())
    return Searched(search.window, search.searched_at, search.lag + draw(lags), search.logic)


def g(stretch: Searched, moment: int) -> timedelta:
    """The earliest time after noon at which the moment may have been searched last."""
    return max(stretch.searched_at - at(0), moment * MILLISECOND + stretch.lag)


Best: TypeAlias = tuple[bool, timedelta, str]


def best(stretches: list[Searched], moment: int) -> Best | None:
    """The best that is known of a moment, found by comparing all that is known."""
    known = [one for one in stretches if one.window.start <= at(moment) < one.window.end]
    return max(((at(moment) in COUNTS[one.logic], g(one, moment), one.logic) for one in known), default=None)


def laid(searches: list[Searched]) -> tuple[Searched, ...]:
    """The searches laid over each other in this order."""
    kept: tuple[Searched, ...] = ()
    for search in searches:
        kept = overlaid(search, kept, COUNTS.__getitem__)
    return kept


@given(st.lists(searches(), max_size=7))
@thorough
def test_the_better_search_is_kept_for_every_moment(found: list[Searched]) -> None:
    """A logic that counts beats one that does not, then the later search wins: moment by moment, in any order."""
    kept = list(laid(found))
    assert [best(kept, moment) for moment in range(LENGTH)] == [best(found, moment) for moment in range(LENGTH)]


@given(st.lists(stretches(), max_size=5).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
@thorough
def test_the_order_of_laying_does_not_matter(orders: tuple[list[Searched], list[Searched]]) -> None:
    """Whoever records first, the same is known afterwards of every moment."""
    one, other = (list(laid(order)) for order in orders)
    assert [best(one, moment) for moment in range(LENGTH)] == [best(other, moment) for moment in range(LENGTH)]


@given(st.lists(stretches(), max_size=7))
@thorough
def test_laid_stretches_are_sorted_and_disjoint(found: list[Searched]) -> None:
    """What is kept has no two answers for one moment."""
    kept = laid(found)
    assert all(one.window.end <= other.window.start for one, other in pairwise(kept))


@given(st.lists(stretches(), max_size=7), lags)
@thorough
def test_joining_neighbours_claims_nothing_new(found: list[Searched], tolerance: timedelta) -> None:
    """No moment is said to have been searched later than it was, or by another logic, or at all if it was not."""
    kept = list(laid(found))
    joined = list(compacted(kept, tolerance))
    for moment in range(LENGTH):
        known, said = best(kept, moment), best(joined, moment)
        assert (known is None) == (said is None)
        assert known is None or said is None or (known[0] == said[0] and known[1] >= said[1] and known[2] == said[2])


@given(st.lists(stretches(), max_size=7), lags)
@thorough
def test_joining_neighbours_keeps_what_is_settled(found: list[Searched], tolerance: timedelta) -> None:
    """What could be certified before can be certified after."""
    kept = laid(found)
    assert settled(kept, tolerance) == settled(compacted(kept, tolerance), tolerance)


def settled(stretches: tuple[Searched, ...], tolerance: timedelta) -> set[int]:
    """The settled moments of all stretches."""
    return set().union(*(moments(stretch.settled(tolerance)) for stretch in stretches))


@given(stretches(), windows(), lags)
@thorough
def test_a_part_knows_what_the_whole_knew(stretch: Searched, window: Window, tolerance: timedelta) -> None:
    """Cutting a stretch changes neither when its moments were searched nor which of them are settled."""
    parts = stretch.within(Spans((window,)))
    inside = moments(Spans((stretch.window,)) & Spans((window,)))
    assert all(g(part, moment) == g(stretch, moment) for part in parts for moment in moments(Spans((part.window,))))
    assert settled(tuple(parts), tolerance) == moments(stretch.settled(tolerance)) & inside


@given(stretches(), instants(0, LENGTH + 20), lags)
@thorough
def test_settled_and_after_are_what_g_says(stretch: Searched, moment: datetime, tolerance: timedelta) -> None:
    """A millisecond is settled if all of it is older than the tolerance by the time it was searched."""
    inside = moments(Spans((stretch.window,)))
    last = MILLISECOND
    assert moments(stretch.settled(tolerance)) == {
        one for one in inside if max(stretch.searched_at - at(one) - last, stretch.lag) >= tolerance
    }
    assert moments(stretch.after(moment)) == {one for one in inside if at(0) + g(stretch, one) > moment}


def test_the_lag_grows_when_the_end_is_cut_off() -> None:
    """A fresh search of [0, 20) at 20 has settled nothing at its end, but the part until 15 was searched 5 late."""
    fresh = Searched.once(span(0, 20), at(20), "a")
    assert fresh.lag == timedelta()
    assert fresh.cut(span(0, 15)).lag == 5 * MILLISECOND


def test_a_search_made_earlier_takes_nothing_away() -> None:
    """A slow runner that records its search of [0, 20) at 20 after [0, 20) was searched at 30 changes nothing."""
    late = Searched.once(span(0, 20), at(30), "a")
    assert overlaid(Searched.once(span(0, 20), at(20), "a"), [late], COUNTS.__getitem__) == (late,)


def test_a_logic_that_does_not_count_takes_nothing_away() -> None:
    """Where c is in force, a later search by a does not replace what c searched; before that it does."""
    mine = Searched.once(span(0, 30), at(30), "c")
    kept = overlaid(Searched.once(span(0, 30), at(35), "a"), [mine], COUNTS.__getitem__)
    assert [(one.window, one.logic) for one in kept] == [(span(0, 15), "a"), (span(15, 30), "c")]


def test_neighbours_join_if_both_are_settled() -> None:
    """Two settled neighbours become one that rests on the earlier search and the shorter lag."""
    pair = [Searched.once(span(0, 10), at(15), "a"), Searched.once(span(10, 20), at(29), "a")]
    joined = Searched(span(0, 20), at(15), 5 * MILLISECOND, "a")
    assert compacted(pair, 5 * MILLISECOND) == (joined,)
    assert compacted(pair, 6 * MILLISECOND) == tuple(pair)


def test_neighbours_of_one_search_join() -> None:
    """What one search at one moment covered in two parts is one stretch, settled or not."""
    pair = [Searched.once(span(0, 10), at(20), "a"), Searched.once(span(10, 20), at(20), "a")]
    assert compacted(pair, None) == (Searched.once(span(0, 20), at(20), "a"),)


def test_other_neighbours_stay_apart() -> None:
    """Different logics, different searches that are not settled, and stretches with a gap between them are kept."""
    for pair in (
        [Searched.once(span(0, 10), at(30), "a"), Searched.once(span(10, 20), at(30), "b")],
        [Searched.once(span(0, 10), at(10), "a"), Searched.once(span(10, 20), at(20), "a")],
        [Searched.once(span(0, 10), at(30), "a"), Searched.once(span(11, 20), at(30), "a")],
    ):
        assert compacted(pair, MILLISECOND) == tuple(pair)
