"""The coverage of a rule: what is asked, what is covered, what is settled, and what two runners know together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import LENGTH, MINUTE, NOON, at, instants, moments, span, spans, windows

from lolbin_rules.plan.coverage import Coverage, Deferred, closed, merged, opened
from lolbin_rules.plan.logic import Logic, Logics
from lolbin_rules.plan.window import FOREVER, MILLISECOND, Spans, Window

thorough = settings(max_examples=60, deadline=None)
TOLERANCE = 4 * MILLISECOND
ALL = set(range(LENGTH))

Search: TypeAlias = tuple[Window, datetime, str]
searches: st.SearchStrategy[Search] = st.tuples(windows(), instants(1, LENGTH + 10), st.sampled_from("abcx"))
orders = st.lists(searches, max_size=7).flatmap(lambda made: st.tuples(st.just(made), st.permutations(made)))
deferrals = st.tuples(windows(), instants(1, LENGTH + 10))


def edited() -> Coverage:
    """A rule asked for from noon on, edited to b from millisecond 10 on and to c from 25 on."""
    logics = Logics(Logic("a", at(0))).edited(Logic("b", at(10))).edited(Logic("c", at(25)))
    return Coverage("r", logics, Spans.between(at(0), FOREVER))


def after(coverage: Coverage, made: list[Search], tolerance: timedelta = TOLERANCE) -> Coverage:
    """The coverage after these searches succeeded, recorded in this order."""
    for window, searched_at, fingerprint in made:
        coverage = coverage.with_searched(window, searched_at, fingerprint, tolerance)
    return coverage


def counts(fingerprint: str, moment: int) -> bool:
    """Whether a search by the logic counts for the moment, in the history of `edited`."""
    return moment < {"a": 10, "b": 25, "c": LENGTH}.get(fingerprint, 0)


@given(st.lists(searches, max_size=7))
@thorough
def test_covered_is_what_a_logic_that_counts_has_searched(made: list[Search]) -> None:
    """A moment is covered if some search by the right logic had it in its window and was not made before it."""
    covered = {
        moment
        for window, searched_at, fingerprint in made
        for moment in moments(Spans((window,)))
        if at(moment) < searched_at and counts(fingerprint, moment)
    }
    assert moments(after(edited(), made).covered) == covered


@given(st.lists(searches, max_size=7))
@thorough
def test_settled_is_what_was_searched_late_enough(made: list[Search]) -> None:
    """A millisecond is settled if and only if some search by the right logic was made the tolerance after its end."""
    settled = {
        moment
        for window, searched_at, fingerprint in made
        for moment in moments(Spans((window,)))
        if at(moment + 1) + TOLERANCE <= searched_at and counts(fingerprint, moment)
    }
    assert moments(after(edited(), made).settled(TOLERANCE)) == settled


@given(orders)
@thorough
def test_searches_may_be_recorded_in_any_order(made: tuple[list[Search], list[Search]]) -> None:
    """Two runners that record their searches in either order leave the same covered and the same settled time."""
    one, other = (after(edited(), order) for order in made)
    assert one.covered == other.covered
    assert one.settled(TOLERANCE) == other.settled(TOLERANCE)


@given(st.lists(searches, max_size=5), searches)
@thorough
def test_settled_time_stays_settled(made: list[Search], last: Search) -> None:
    """While the logic stays the same, no further search, however late it is recorded, takes settled time away."""
    earlier = after(edited(), made)
    assert not earlier.settled(TOLERANCE) - after(earlier, [last]).settled(TOLERANCE)
    assert not earlier.covered - after(earlier, [last]).covered


@given(st.lists(searches, max_size=5), st.lists(deferrals, max_size=2), windows(), instants(-5, LENGTH + 5))
@thorough
def test_gaps_and_covered_and_unasked_are_all_of_time(
    made: list[Search], left: list[tuple[Window, datetime]], asked: Window, now: datetime
) -> None:
    """Every moment before now is covered, a gap, or was never asked; gap excludes both others."""
    coverage = Coverage("r", edited().logics, Spans((asked,)))
    coverage = after(coverage, made)
    for window, searched_at in left:
        coverage = coverage.with_deferred(window, searched_at)
    past = {moment for moment in ALL if at(moment) < now}
    gaps, covered, unasked = moments(coverage.gaps(now)), moments(coverage.covered), ALL - moments(coverage.asked)
    assert past <= gaps | covered | unasked
    assert gaps <= past
    assert not gaps & (covered | unasked)


@given(st.lists(searches, max_size=7), st.sets(st.integers(0, 6)))
@thorough
def test_what_was_left_over_is_covered_only_by_a_later_search(made: list[Search], capped: set[int]) -> None:
    """However searches and deferrals are recorded, nothing is covered if its last search left something over."""
    coverage = edited()
    for number, (window, searched_at, fingerprint) in enumerate(made):
        if number in capped:
            coverage = coverage.with_deferred(window, searched_at)
        else:
            coverage = coverage.with_searched(window, searched_at, fingerprint, TOLERANCE)
    for moment in moments(coverage.covered):
        seen = [(search, number in capped) for number, search in enumerate(made) if at(moment) in Spans((search[0],))]
        cleared = max(at_ for (_, at_, fingerprint), left in seen if not left and counts(fingerprint, moment))
        assert all(at_ < cleared for (_, at_, _), left in seen if left)


@given(st.lists(searches, max_size=3), st.lists(searches, max_size=3), st.lists(searches, max_size=3))
@thorough
def test_merging_is_knowing_what_either_knew(base: list[Search], ours: list[Search], theirs: list[Search]) -> None:
    """After a conflict the covered and settled time is that of all searches, whoever merges into whose document."""
    stored = after(edited(), base)
    one, other = after(stored, ours), after(stored, theirs)
    together = after(after(stored, ours), theirs)
    for known in (merged(one, other), merged(other, one)):
        assert known.covered == together.covered
        assert known.settled(TOLERANCE) == together.settled(TOLERANCE)
    assert merged(one, one).covered == one.covered


@given(st.lists(searches, max_size=3), deferrals, searches)
@thorough
def test_merging_keeps_what_was_left_over(
    base: list[Search], deferral: tuple[Window, datetime], search: Search
) -> None:
    """What one runner left over is covered after a conflict only if the other one searched it later."""
    stored = after(edited(), base)
    one, other = stored.with_deferred(*deferral), after(stored, [search])
    for known in (merged(one, other), merged(other, one)):
        window, searched_at, fingerprint = search
        cleared = {
            moment
            for moment in moments(Spans((window,)))
            if at(moment) < searched_at > deferral[1] and counts(fingerprint, moment)
        }
        assert moments(known.left_over) <= moments(one.left_over)
        assert moments(one.left_over) - moments(known.left_over) <= cleared


def test_a_rule_begins_at_its_first_enabling_minus_lookback() -> None:
    """Earlier time is not asked, later time is, without end."""
    coverage = opened(None, "r", NOON, 9 * MINUTE, "a")
    assert coverage == Coverage.begin("r", NOON - 9 * MINUTE, "a")
    assert coverage.asked == Spans.between(NOON - 9 * MINUTE, FOREVER)
    assert coverage.gaps(NOON) == Spans.between(NOON - 9 * MINUTE, NOON)


def test_opening_an_open_rule_changes_nothing() -> None:
    """The same object is returned, so that the caller knows that there is nothing to write."""
    coverage = opened(None, "r", NOON, 9 * MINUTE, "a")
    assert opened(coverage, "r", NOON + MINUTE, 9 * MINUTE, "a") is coverage
    assert opened(coverage, "r", NOON - MINUTE, 8 * MINUTE, "a") is coverage


def test_what_an_execution_searches_is_asked() -> None:
    """Where the clock was set back, or the lookback is longer now; what lies between that and the beginning is not."""
    coverage = opened(None, "r", NOON, 9 * MINUTE, "a")
    back = opened(coverage, "r", NOON - 60 * MINUTE, 9 * MINUTE, "a")
    assert back.asked - coverage.asked == Spans.between(NOON - 69 * MINUTE, NOON - 60 * MINUTE)
    longer = opened(coverage, "r", NOON + MINUTE, 60 * MINUTE, "a")
    assert longer.asked == Spans.between(NOON - 59 * MINUTE, FOREVER)


def test_time_that_a_rule_was_disabled_stays_unasked() -> None:
    """Disabling ends what is asked, enabling again begins at the enabling minus lookback."""
    coverage = closed(opened(None, "r", NOON, 9 * MINUTE, "a"), NOON)
    assert not coverage.is_open
    assert closed(coverage, NOON + MINUTE) is coverage
    again = opened(coverage, "r", NOON + 60 * MINUTE, 9 * MINUTE, "a")
    assert again.asked == Spans.between(NOON - 9 * MINUTE, NOON) | Spans.between(NOON + 51 * MINUTE, FOREVER)


def test_a_gap_before_the_disabling_stays_a_gap() -> None:
    """What was asked and not searched when the rule was disabled is owed still."""
    coverage = closed(opened(None, "r", at(10), 10 * MILLISECOND, "a"), at(20))
    assert coverage.with_searched(span(0, 10), at(10), "a", TOLERANCE).gaps(at(30)) == spans((10, 20))


def test_a_clock_set_back_takes_nothing_searched_out_of_what_is_asked() -> None:
    """Closing at an earlier moment than the last search does not forget that it was asked for."""
    coverage = opened(None, "r", at(10), 10 * MILLISECOND, "a").with_searched(span(5, 10), at(10), "a", TOLERANCE)
    assert closed(coverage, at(3)).asked == spans((0, 10))
    assert closed(coverage, at(3)).gaps(at(30)) == spans((0, 5))


def test_only_filling_by_hand_asks_for_earlier_time() -> None:
    """What a person asks for is a gap until it is searched."""
    coverage = opened(None, "r", at(30), 10 * MILLISECOND, "a").with_asked(span(0, 8))
    assert coverage.gaps(at(25)) == spans((0, 8), (20, 25))


def test_changed_logic_begins_again_at_the_edit_minus_lookback() -> None:
    """The last lookback must be searched by the new logic; what is older rests on the old one."""
    before = opened(None, "r", at(20), 20 * MILLISECOND, "a").with_searched(span(0, 20), at(20), "a", TOLERANCE)
    changed = opened(before, "r", at(21), 9 * MILLISECOND, "b")
    assert changed.logics == Logics(Logic("b", at(12)), (Logic("a", at(0)),))
    assert changed.gaps(at(21)) == spans((12, 21))
    assert not changed.with_searched(span(12, 21), at(21), "b", TOLERANCE).gaps(at(21))


def test_the_old_logic_no_longer_covers_new_time() -> None:
    """A runner that was not told of the edit yet records what it searched, but it closes no gap."""
    changed = opened(Coverage.begin("r", at(0), "a"), "r", at(10), 5 * MILLISECOND, "b")
    late = changed.with_searched(span(0, 12), at(12), "a", TOLERANCE)
    assert late.gaps(at(12)) == spans((5, 12))


def test_an_interval_is_settled_once_it_was_searched_so_long_after_its_end() -> None:
    """Searched at 20, [0, 20) is covered, and settled only as far as late documents had time to come."""
    coverage = Coverage.begin("r", at(0), "a").with_searched(span(0, 20), at(20), "a", TOLERANCE)
    assert coverage.covered == spans((0, 20))
    assert coverage.settled(TOLERANCE) == spans((0, 16))
    assert coverage.is_settled(span(3, 16), TOLERANCE)
    assert not coverage.is_settled(span(3, 17), TOLERANCE)


def test_the_future_cannot_be_searched() -> None:
    """A window that reaches beyond the moment of the search covers only what had happened by then."""
    coverage = Coverage.begin("r", at(0), "a")
    assert coverage.with_searched(span(0, 20), at(15), "a", TOLERANCE).covered == spans((0, 15))
    assert coverage.with_searched(span(0, 20), at(0), "a", TOLERANCE) is coverage


def test_moments_between_milliseconds_are_rounded_down() -> None:
    """A search is never said to be later than it was."""
    coverage = Coverage.begin("r", at(0), "a").with_searched(
        span(0, 10), at(20) + timedelta(microseconds=999), "a", TOLERANCE
    )
    assert coverage.searched[0].searched_at == at(20)
    assert Coverage.begin("r", at(5) + timedelta(microseconds=999), "a").asked == Spans.between(at(5), FOREVER)


def test_naive_moments_are_refused() -> None:
    """Nothing about coverage is guessed from a clock without a time zone."""
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="no time zone"):
        opened(None, "r", naive, MINUTE, "a")
    with pytest.raises(ValueError, match="no time zone"):
        Coverage.begin("r", NOON, "a").gaps(naive)


def test_what_a_cap_left_over_is_not_covered_though_it_was_searched() -> None:
    """It was covered at 20; at 30 a late document was found there and not written: it is owed again."""
    coverage = Coverage.begin("r", at(0), "a").with_searched(span(0, 20), at(20), "a", TOLERANCE)
    left = coverage.with_deferred(span(5, 12), at(30))
    assert left.gaps(at(20)) == spans((5, 12))
    assert not moments(left.settled(TOLERANCE)) & set(range(5, 12))
    assert left.with_searched(span(0, 20), at(30), "a", TOLERANCE).left_over == spans((5, 12))
    assert not left.with_searched(span(0, 20), at(31), "a", TOLERANCE).left_over


def test_what_a_later_search_wrote_is_not_left_over() -> None:
    """A slow runner that hit its cap at 20 leaves nothing over where another one searched all at 25."""
    coverage = Coverage.begin("r", at(0), "a").with_searched(span(0, 10), at(25), "a", TOLERANCE)
    assert coverage.with_deferred(span(5, 20), at(20)).deferred == (Deferred(span(10, 20), at(20)),)


def test_stretches_left_over_one_after_the_other_are_one() -> None:
    """A storm of alerts that lasts does not grow the document with every execution."""
    coverage = Coverage.begin("r", at(0), "a").with_deferred(span(5, 12), at(12)).with_deferred(span(12, 20), at(20))
    assert coverage.deferred == (Deferred(span(5, 20), at(20)),)


def test_of_two_logics_the_later_edit_is_in_force() -> None:
    """After a conflict over an edit the later one stays, whatever the clock says, and of two sights the earlier."""
    base = Coverage.begin("r", at(0), "a")
    early, late = (opened(base, "r", at(now), MILLISECOND, "b") for now in (10, 12))
    other = opened(base, "r", at(20), MILLISECOND, "c")
    assert merged(late, early).logics == merged(early, late).logics == early.logics
    assert merged(other, early).logics == merged(early, other).logics == other.logics
    assert merged(base, early).logics == early.logics
    back = opened(early, "r", at(9), MILLISECOND, "d")
    assert merged(back, early).logics == merged(early, back).logics == back.logics


def test_a_merge_asks_for_what_either_asked_and_keeps_what_is_unknown() -> None:
    """Nothing that was promised is dropped, and keys of a later version are those of the stored document."""
    ours = Coverage.begin("r", at(0), "a").with_asked(Window(at(-9), at(-5)))
    theirs = Coverage("r", ours.logics, Spans.between(at(3), FOREVER), rest={"certificates": [1]})
    assert merged(ours, theirs).asked == ours.asked | theirs.asked
    assert merged(ours, theirs).rest == {"certificates": [1]}
