"""Reasons of gaps: every moment of a period is settled, searched or has exactly one reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from timeline import LENGTH, any_spans, at, instants, moments, span, spans, windows

from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.gaps import Attempt, Gap, Reason, known_search, picture
from lolbin_rules.plan.indices import Bounds, Indices, Look, Named
from lolbin_rules.plan.logic import Logic, Logics
from lolbin_rules.plan.window import EPOCH, MILLISECOND, Spans, Window

PERIOD = span(0, LENGTH)
STATUSES = ("succeeded", "partial failure", "failed")


def attempt(planned: Spans, started_at: datetime, status: str, *, is_capped: bool = False) -> Attempt:
    """An execution with that much to do."""
    return Attempt(status, started_at, status, f"it {status}", planned, Spans(), is_capped)


def attempts() -> st.SearchStrategy[list[Attempt]]:
    """Any executions."""
    one = st.builds(attempt, any_spans(), instants(), st.sampled_from(STATUSES), is_capped=st.booleans())
    return st.lists(one, max_size=4)


def coverages() -> st.SearchStrategy[Coverage]:
    """Any coverage, of two logics and with something left over."""

    def made(asked: Spans, searched: list[tuple[Window, str]], left: list[Window]) -> Coverage:
        coverage = Coverage("rule", Logics(Logic("new", at(LENGTH // 2)), (Logic("old", at(0)),)), asked)
        for window, logic in searched:
            coverage = coverage.with_searched(window, at(LENGTH), logic, MILLISECOND)
        for window in left:
            coverage = coverage.with_deferred(window, at(LENGTH + 1))
        return coverage

    searched = st.lists(st.tuples(windows(), st.sampled_from(["old", "new"])), max_size=4)
    return st.builds(made, any_spans(), searched, st.lists(windows(), max_size=2))


@given(coverages(), attempts(), instants())
def test_every_moment_is_covered_or_has_one_reason(coverage: Coverage, found: list[Attempt], due: datetime) -> None:
    """Gaps are disjoint, in order, and together with what is covered they are the period; no gap is across `due`."""
    seen = picture(coverage, found, PERIOD, due, MILLISECOND)
    in_gaps = [moment for gap in seen.gaps for moment in sorted(moments(Spans((gap.window,))))]
    assert sorted(in_gaps) == in_gaps
    assert len(set(in_gaps)) == len(in_gaps)
    assert set(in_gaps) | moments(seen.covered) == set(range(LENGTH))
    assert not set(in_gaps) & moments(seen.covered)
    asked = {moment for gap in seen.gaps if gap.is_asked for moment in moments(Spans((gap.window,)))}
    assert asked == moments(coverage.asked) - moments(coverage.covered)
    for gap in seen.lacks:
        assert gap.window.end <= due
    assert {moment for gap in seen.lacks for moment in moments(Spans((gap.window,)))} == {
        moment for moment in asked if at(moment) < due
    }


def reasons(gaps: tuple[Gap, ...]) -> list[tuple[Window, Reason]]:
    """Windows and reasons only."""
    return [(gap.window, gap.reason) for gap in gaps]


def test_the_last_execution_that_was_to_search_a_gap_tells_its_reason() -> None:
    """A later failure hides an earlier one; a success hides nothing; what none was to search is an outage."""
    coverage = Coverage.begin("rule", at(0), "new")
    found = [
        attempt(spans((0, 10)), at(1), "failed"),
        attempt(spans((5, 20)), at(2), "partial failure"),
        attempt(spans((0, 30)), at(3), "succeeded"),
    ]
    seen = picture(coverage, reversed(found), PERIOD, at(35), MILLISECOND)
    assert reasons(seen.gaps) == [
        (span(0, 5), Reason.FAILED),
        (span(5, 20), Reason.PARTIAL),
        (span(20, 35), Reason.OUTAGE),
        (span(35, LENGTH), Reason.NEW),
    ]


def test_what_was_left_unwritten_is_a_cap_only_where_one_was_reached() -> None:
    """Else it could not be written."""
    coverage = Coverage.begin("rule", at(0), "new").with_searched(PERIOD, at(LENGTH), "new", MILLISECOND)
    coverage = coverage.with_deferred(span(10, 30), at(LENGTH + 1))
    found = [attempt(spans((0, 20)), at(1), "partial failure", is_capped=True)]
    seen = picture(coverage, found, PERIOD, at(LENGTH), MILLISECOND)
    assert reasons(seen.gaps) == [(span(10, 20), Reason.MAX_ALERTS), (span(20, 30), Reason.UNWRITTEN)]


def test_what_an_index_brought_is_a_reason_of_its_own() -> None:
    """Where it was searched before; where it was not, that is the reason, and where a cap left something, the cap."""
    coverage = Coverage.begin("rule", at(0), "new").with_searched(span(0, 30), at(LENGTH), "new", MILLISECOND)
    look = Look(Bounds(EPOCH, at(10), at(35)), recent=1)
    coverage = replace(coverage, indices=Indices(("a",)))
    coverage = coverage.with_looks({"b": Named("b")}, {"b": look}, at(LENGTH), timedelta())
    coverage = coverage.with_deferred(span(10, 20), at(LENGTH + 1))
    seen = picture(coverage, [attempt(spans((0, 30)), at(1), "failed")], PERIOD, at(LENGTH), MILLISECOND)
    assert reasons(seen.gaps) == [
        (span(10, 20), Reason.UNWRITTEN),
        (span(20, 30), Reason.NEW_INDEX),
        (span(30, LENGTH), Reason.OUTAGE),
    ]


def test_when_a_moment_was_searched_is_never_said_to_be_later_than_it_was() -> None:
    """Of joined searches the earlier bound holds; a moment that was not searched has none."""
    coverage = Coverage.begin("rule", at(0), "new").with_searched(span(0, 10), at(12), "new", 2 * MILLISECOND)
    coverage = coverage.with_searched(span(10, 20), at(22), "new", 2 * MILLISECOND)
    assert [known_search(coverage, at(moment)) for moment in (0, 15, 20)] == [at(12), at(17), None]


def test_what_was_searched_too_early_cannot_be_certified() -> None:
    """A moment counts as settled only if it was searched so long after itself; younger time may yet be."""
    coverage = Coverage.begin("rule", at(0), "new").with_searched(span(0, 20), at(20), "new", MILLISECOND)
    seen = picture(coverage, [], PERIOD, at(30), 5 * MILLISECOND)
    assert reasons(seen.uncertified) == [(span(15, 20), Reason.UNSETTLED), (span(20, 30), Reason.OUTAGE)]
    assert reasons(seen.lacks) == [(span(20, 30), Reason.OUTAGE)]
    assert reasons(picture(coverage, [], span(0, 20), at(15), 5 * MILLISECOND).uncertified) == []
