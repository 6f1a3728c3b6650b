"""What one reading of a shard may believe, and what a reading of all shards says of time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.shards import SEQ_NO, Pass, ShardStretch, key_of
from lolbin_rules.plan.coverage import Coverage, closed
from lolbin_rules.plan.logic import Logic
from lolbin_rules.plan.sequence import UNREAD, Cursor, Sequence
from lolbin_rules.plan.window import Spans, Window
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Shard, ShardProgress

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=9), NOON)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PROGRESS = ShardProgress(Shard("i", 0), "uuid", "history", global_checkpoint=9, max_seq_no=9)
RULE = Rule.model_validate(
    {
        "id": "r",
        "name": "R",
        "description": "d",
        "author": "a",
        "license": "Apache-2.0",
        "index": "logs-*",
        "severity": "low",
        "risk_score": 1,
        "match": {"a": "b"},
    }
)


def course() -> Course:
    """A rule in an execution that has just begun."""
    return Course(Execution(RULE, "scheduled", started_at=NOON, now=NOON), fingerprint="a")


def stretch(before: Cursor = UNREAD) -> ShardStretch:
    """A reading of the shard that has not begun."""
    return ShardStretch(course(), WINDOW, SEQ_NO, progress=PROGRESS, before=before)


@st.composite
def befores(draw: st.DrawFn) -> Cursor:
    """How far the shard may have been read."""
    reached = draw(st.integers(0, 10))
    return Cursor(reached, draw(st.frozensets(st.integers(0, reached - 1), max_size=3)) if reached else frozenset())


@given(befores(), st.one_of(st.none(), st.integers(0, 9)), st.sets(st.integers(0, 9), max_size=3))
def test_what_was_written_is_believed_and_nothing_else(before: Cursor, cut: int | None, holes: set[int]) -> None:
    """What was read stays read; of what was asked now, what lies before the cut and is no hole."""
    reading = stretch(before)
    asked = {number for number in range(10) if not before.is_read(number)}
    if cut is not None and asked:
        reading.cut_at(min(asked, key=lambda number: (number < cut, number)))
    for hole in sorted(holes & asked):
        reading.leave_hole({hole})
    end = 10 if reading.cut is None else reading.cut
    written = {number for number in asked if number < end and number not in reading.holes}
    after = reading.after(NOON)
    known = {number for number in range(10) if after.is_read(number)}
    assert known == written | {number for number in range(10) if before.is_read(number)}
    assert reading.is_whole == (known == set(range(10)))
    assert after.read_at == (NOON if replace(after, read_at=before.read_at) != before else before.read_at)


def test_what_is_doubted_moves_nothing() -> None:
    """Neither an answer that lacks something, nor one of an index that was not refreshed."""
    for doubt in ("is_doubted", "is_stale"):
        reading = stretch()
        setattr(reading, doubt, True)
        assert reading.after(NOON) == UNREAD
        assert not reading.is_whole
    reading = stretch()
    reading.leave_hole(None)
    assert reading.after(NOON) == UNREAD


def test_numbers_that_were_left_are_asked_for_again() -> None:
    """Beside those that are new."""
    assert stretch().condition == {"range": {"_seq_no": {"gte": 0, "lte": 9}}}
    assert stretch(Cursor(5, frozenset({3}))).condition["bool"]["should"] == [
        {"terms": {"_seq_no": [3]}},
        {"range": {"_seq_no": {"gte": 5, "lte": 9}}},
    ]
    assert stretch(Cursor(5, frozenset({3}))).unread == 6


def begun(coverage: Coverage) -> Pass:
    """A reading of everything by a logic that has read nothing yet."""
    of = course()
    known = Sequence.begin(coverage.logics.current, NOON, DAY)
    shard = ShardStretch(of, WINDOW, SEQ_NO, progress=PROGRESS, before=UNREAD)
    return Pass(of, known, coverage.asked, WINDOW, [shard], frozenset({key_of(PROGRESS)}))


def noted(reading: Pass, coverage: Coverage) -> Coverage:
    """The coverage after the reading."""
    return reading.noted_in(coverage, MINUTE, DAY)


FRESH = Coverage.begin("r", WINDOW.start, "a")


def test_time_was_searched_when_every_shard_was_read_to_its_end() -> None:
    """All of it since the logic began, when the execution began."""
    after = noted(begun(FRESH), FRESH)
    assert after.covered == Spans((WINDOW,))
    assert after.sequence == Sequence("a", WINDOW.start, {key_of(PROGRESS): Cursor(10, read_at=NOON)}, NOON)


def test_time_was_not_searched_where_something_is_missing() -> None:
    """The cursors of what was read move all the same."""
    doubted, capped = begun(FRESH), begun(FRESH)
    doubted.is_doubted = True
    capped.shards[0].cut_at(4)
    for reading, reached in ((doubted, 10), (capped, 4)):
        after = noted(reading, FRESH)
        assert not after.searched
        assert after.sequence is not None
        assert (after.sequence.cursors[key_of(PROGRESS)].next, after.sequence.whole_at) == (reached, None)


def test_numbers_that_were_read_for_too_little_do_not_count() -> None:
    """Somebody edited the rule meanwhile, or asked for more of its time: the state stays as it is."""
    reading = begun(FRESH)
    edited = replace(FRESH, logics=FRESH.logics.edited(Logic("b", NOON)))
    again = replace(edited, logics=edited.logics.edited(Logic("a", NOON)))
    more = FRESH.with_asked(Window(WINDOW.start - DAY, WINDOW.start))
    for changed in (edited, again, more):
        assert noted(reading, changed) == changed
    shut = closed(FRESH, NOON - MINUTE)
    assert noted(reading, shut).covered == Spans((Window(WINDOW.start, NOON - MINUTE),))


def test_time_that_was_not_asked_was_not_searched() -> None:
    """Its documents were passed over."""
    gap = Window(NOON - 5 * MINUTE, NOON - 3 * MINUTE)
    holed = replace(FRESH, asked=FRESH.asked - Spans((gap,)))
    assert noted(begun(holed), holed).covered == Spans((WINDOW,)) - Spans((gap,))
