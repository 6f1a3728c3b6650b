"""How far shards were read: sets of numbers, kept as a cursor and what it left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline import MINUTE, at, instants

from lolbin_rules.plan.coverage import Coverage, merged
from lolbin_rules.plan.logic import Logic
from lolbin_rules.plan.sequence import UNREAD, Cursor, Sequence, ShardKey
from lolbin_rules.plan.window import DAWN, FOREVER, Spans, Window

NUMBERS = 12
LOGIC = Logic("a", at(0))
ASKED = Spans.between(at(0), FOREVER)
SHARDS = [ShardKey(index, "h", number) for index in "xy" for number in (0, 1)]


@st.composite
def cursors(draw: st.DrawFn) -> Cursor:
    """Any cursor over a few numbers."""
    reached = draw(st.integers(0, NUMBERS))
    left = draw(st.frozensets(st.integers(0, reached - 1), max_size=3)) if reached else frozenset()
    return Cursor(reached, left, draw(st.one_of(st.just(DAWN), instants())))


def axes() -> st.SearchStrategy[Sequence]:
    """Any axis of one logic."""
    return st.builds(
        Sequence,
        st.just("a"),
        instants(0, 9),
        st.dictionaries(st.sampled_from(SHARDS), cursors()),
        st.one_of(st.none(), instants(10, 19)),
    )


def read(cursor: Cursor) -> set[int]:
    """The numbers that were read."""
    return {number for number in range(NUMBERS) if cursor.is_read(number)}


@given(cursors(), cursors())
def test_two_readers_know_together_what_either_has_read(one: Cursor, other: Cursor) -> None:
    """Nothing more and nothing less, whoever is asked first."""
    assert read(one.merged(other)) == read(one) | read(other)
    assert one.merged(other) == other.merged(one)
    assert one.merged(one) == one
    assert one.merged(UNREAD) == one


@given(axes(), axes())
def test_axes_are_joined_shard_by_shard(one: Sequence, other: Sequence) -> None:
    """And neither is believed about earlier documents than both had asked for."""
    joined = one.merged(other)
    for shard in SHARDS:
        known = [axis.cursors.get(shard, UNREAD) for axis in (one, other)]
        assert read(joined.cursors.get(shard, UNREAD)) == read(known[0]) | read(known[1])
    assert joined.since == max(one.since, other.since)
    assert joined.whole_at == max(filter(None, (one.whole_at, other.whole_at)), default=None)


@given(axes(), axes())
def test_no_cursor_goes_back(stored: Sequence, ours: Sequence) -> None:
    """Whatever is written over whatever, as long as the logic is the same."""
    coverage = Coverage.begin("r", at(0), "a").with_sequence(stored)
    for known in (coverage.with_sequence(ours), merged(coverage.with_sequence(ours), coverage)):
        assert known.sequence is not None
        for shard, cursor in stored.cursors.items():
            assert read(cursor) <= read(known.sequence.cursors[shard])


def test_another_logic_begins_anew() -> None:
    """Its cursors say nothing of what this one has read; nor do its own, where another was in force in between."""
    known = Sequence("a", at(0), {SHARDS[0]: Cursor(5)})
    assert known.goes_on(LOGIC, ASKED)
    assert not known.goes_on(replace(LOGIC, fingerprint="b"), ASKED)
    assert not known.goes_on(replace(LOGIC, since=at(1)), ASKED)
    coverage = Coverage.begin("r", at(0), "b").with_sequence(known).with_sequence(Sequence("b", at(0)))
    assert coverage.sequence == Sequence("b", at(0))
    assert merged(coverage, Coverage.begin("r", at(0), "b").with_sequence(known)).sequence == Sequence("b", at(0))


def test_time_that_was_passed_over_is_read_when_it_is_asked_for() -> None:
    """All shards from their start; runners that do not know it yet do not bring the old cursors back."""
    known = Sequence("a", at(0), {SHARDS[0]: Cursor(5)}, passed_over=Spans.between(at(3), at(5)))
    before = replace(Coverage.begin("r", at(0), "a"), asked=ASKED - known.passed_over).with_sequence(known)
    assert known.goes_on(LOGIC, before.asked)
    asked = before.with_asked(Window(at(4), at(6)))
    assert not known.goes_on(LOGIC, asked.asked)
    anew = Sequence("a", at(0), {SHARDS[0]: Cursor(2)})
    for coverage in (asked.with_sequence(anew), merged(before, asked.with_sequence(anew))):
        assert coverage.sequence == anew
    assert merged(asked.with_sequence(anew), before).sequence == anew
    assert known.merged(anew).passed_over == anew.merged(known).passed_over == known.passed_over


def test_it_begins_where_the_logic_does_but_not_too_far_back() -> None:
    """A rule that is switched to numbers does not read its whole life again."""
    assert Sequence.begin(LOGIC, at(5), MINUTE).since == at(0)
    assert Sequence.begin(LOGIC, at(0) + 5 * MINUTE, MINUTE).since == at(0) + 4 * MINUTE
    assert Sequence.begin(Logic("a", DAWN), at(0), timedelta.max).since == DAWN


def test_shards_that_are_gone_are_forgotten_after_a_while() -> None:
    """Those that are present, or were read lately, are kept."""
    known = Sequence("a", at(0), {shard: Cursor(3, read_at=at(place)) for place, shard in enumerate(SHARDS)})
    assert list(known.without(at(2), {SHARDS[0]}).cursors) == [SHARDS[0], SHARDS[2], SHARDS[3]]


def test_whole_readings_grow_old() -> None:
    """One that never was is old."""
    known = Sequence("a", at(0), whole_at=at(5))
    assert known.is_current(at(15), timedelta(milliseconds=10))
    assert not known.is_current(at(16), timedelta(milliseconds=10))
    assert not replace(known, whole_at=None).is_current(at(5), MINUTE)


@pytest.mark.parametrize(("reached", "left"), [(-1, []), (3, [3]), (3, [-1])])
def test_what_cannot_be_is_refused(reached: int, left: list[int]) -> None:
    """Nothing is left that the cursor has not passed."""
    with pytest.raises(ValueError, match="a cursor"):
        Cursor(reached, frozenset(left))
