"""Which logic answers for which event time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import LENGTH, NOON, at, moments, spans

from lolbin_rules.plan.logic import REMEMBERED, Logic, Logics
from lolbin_rules.plan.window import DAWN, FOREVER, MILLISECOND, Spans

edits = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, LENGTH - 1)), min_size=1, max_size=6)


def after(made: list[tuple[str, int]]) -> Logics:
    """The logics after these edits, each (fingerprint, event time from which it must have searched itself)."""
    (fingerprint, since), *later = made
    logics = Logics(Logic(fingerprint, at(since)))
    for fingerprint, since in later:
        logics = logics.edited(Logic(fingerprint, at(since)))
    return logics


@given(edits, st.sampled_from("abcd"))
@settings(max_examples=80, deadline=None)
def test_a_search_counts_where_its_logic_or_an_earlier_one_was_in_force(made: list[tuple[str, int]], one: str) -> None:
    """For each moment: the last edit that reaches back to it is in force, and it or a later edit must have searched."""
    counted = set()
    for moment in range(LENGTH):
        reaching = [number for number, (_, since) in enumerate(made) if since <= moment]
        in_force_or_later = [fingerprint for fingerprint, _ in made[reaching[-1] :]] if reaching else None
        if in_force_or_later is None or one in in_force_or_later:
            counted.add(moment)
    assert moments(after(made).counts(one)) == counted


@given(edits)
@settings(max_examples=100, deadline=None)
def test_since_never_decreases(made: list[tuple[str, int]]) -> None:
    """Logics follow each other in event time, even if a later edit reaches back further than an earlier one."""
    sinces = [logic.since for logic in after(made).all]
    assert sinces == sorted(sinces)
    assert after(made).current == Logic(made[-1][0], at(made[-1][1]))


def test_the_current_logic_counts_everywhere() -> None:
    """Searching old time again with the new logic is never in vain."""
    assert after([("a", 0), ("b", 10)]).counts("b") == Spans.between(DAWN, FOREVER)


def test_the_previous_logic_counts_until_the_edit() -> None:
    """What was searched before the edit stays covered; from the edit minus lookback on it is not."""
    assert after([("a", 0), ("b", 10)]).counts("a") == Spans.between(DAWN, at(10))


def test_an_edit_does_not_close_the_gaps_of_the_logic_before_it() -> None:
    """What b should have searched and only a did stays uncovered when c comes."""
    logics = after([("a", 0), ("b", 10), ("c", 20)])
    assert logics.counts("a") == Spans.between(DAWN, at(10))
    assert logics.counts("b") == Spans.between(DAWN, at(20))


def test_an_edit_that_is_taken_back_counts_what_was_searched_before_it() -> None:
    """The same fingerprint is the same logic, whenever it searched."""
    assert after([("a", 0), ("b", 10), ("a", 20)]).counts("a") == Spans.between(DAWN, FOREVER)


def test_only_the_latest_logics_are_remembered() -> None:
    """The list of logics cannot grow for ever; time before the oldest that is left rests on any logic."""
    made = [(f"logic {number}", number) for number in range(REMEMBERED + 5)]
    logics = after(made)
    assert [logic.fingerprint for logic in logics.earlier] == [f"logic {number}" for number in range(4, REMEMBERED + 4)]
    assert logics.counts("logic 0") == Spans.between(DAWN, NOON + 4 * MILLISECOND)
    assert moments(logics.counts("logic 0") & spans((0, LENGTH))) == {0, 1, 2, 3}
