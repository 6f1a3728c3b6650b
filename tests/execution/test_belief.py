"""What an execution may believe of a window, and how it is called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.record import Execution, Status, Tally, record_document
from lolbin_rules.plan.window import Window, position
from lolbin_rules.rule.model import Rule

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=9), NOON)
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
        "max_alerts": 8,
        "match": {"a": "b"},
    }
)


@pytest.fixture
def course() -> Course:
    """A rule in an execution that has just begun."""
    return Course(Execution(RULE, "scheduled", started_at=NOON, now=NOON))


def at(minutes: float) -> datetime:
    """So many minutes after the window's start."""
    return WINDOW.start + timedelta(minutes=minutes)


def test_a_window_that_was_answered_whole_is_believed(course: Course) -> None:
    """All of it, and nothing of it is known to be unwritten."""
    stretch = Stretch(course, WINDOW)
    assert stretch.believed() == (WINDOW,)
    assert stretch.unwritten() == ()
    assert stretch.wants_more


def test_belief_ends_before_the_earliest_cut(course: Course) -> None:
    """Cuts are exclusive, and a later one takes nothing back."""
    stretch = Stretch(course, WINDOW)
    stretch.cut_at(position(at(5)))
    stretch.cut_at(position(at(3)))
    stretch.cut_at(position(at(4)))
    assert stretch.believed() == (Window(WINDOW.start, at(3)),)
    assert stretch.left == Window(at(3), WINDOW.end)
    assert not stretch.wants_more


def test_a_cut_at_or_before_the_start_leaves_nothing(course: Course) -> None:
    """A document with several times may be ordered by one before the window."""
    stretch = Stretch(course, WINDOW)
    stretch.cut_at(position(at(-60)))
    assert stretch.believed() == ()
    assert stretch.left == WINDOW


def test_a_hole_takes_its_millisecond_out(course: Course) -> None:
    """What could not be written is not covered, and is owed; what lies around it is believed."""
    stretch = Stretch(course, WINDOW)
    stretch.leave_hole({position(at(2)), position(at(-2))})
    hole = Window(at(2), at(2) + timedelta(milliseconds=1))
    assert stretch.believed() == (Window(WINDOW.start, hole.start), Window(hole.end, WINDOW.end))
    assert stretch.unwritten() == (hole,)


@pytest.mark.parametrize("places", [None, {position(at(-2))}])
def test_a_hole_that_cannot_be_placed_spoils_the_window(course: Course, places: set[int] | None) -> None:
    """A document whose times are unreadable or elsewhere could be anywhere."""
    stretch = Stretch(course, WINDOW)
    stretch.leave_hole(places)
    assert stretch.believed() == ()


def test_what_a_cap_left_is_owed_even_where_the_answer_is_doubted(course: Course) -> None:
    """A hit that is known to have no alert stays known, whatever else is not."""
    stretch = Stretch(course, WINDOW, is_capped=True, is_doubted=True)
    stretch.cut_at(position(at(4)))
    assert stretch.believed() == ()
    assert stretch.unwritten() == (Window(at(4), WINDOW.end),)


def test_a_search_that_broke_off_knows_of_nothing_unwritten(course: Course) -> None:
    """Its cut says only how far it came."""
    stretch = Stretch(course, WINDOW)
    stretch.cut_at(position(at(4)))
    assert stretch.unwritten() == ()


def test_the_allowance_is_what_the_cap_and_the_reserve_leave(course: Course) -> None:
    """Eight alerts in all, two of them for the backlog."""
    stretch = Stretch(course, WINDOW, reserve=2)
    assert stretch.allowance == 6
    course.tally.alerts = 7
    assert stretch.allowance == 0
    assert Stretch(course, WINDOW).allowance == 1


def test_a_fault_of_one_rule_is_told_and_nothing_of_it_believed(course: Course) -> None:
    """Any exception becomes a sentence of the failed execution."""
    course.stretches = [Stretch(course, WINDOW)]
    with course.isolated("Building"):
        raise ZeroDivisionError("by zero")
    assert course.tally.failures == ["Building failed with ZeroDivisionError: by zero. The time is searched again."]
    assert course.stretches[0].believed() == ()


@pytest.mark.parametrize(
    ("tally", "status"),
    [
        (Tally(searched=[WINDOW]), Status.SUCCEEDED),
        (Tally(searched=[WINDOW], warnings=["w"]), Status.SUCCEEDED),
        (Tally(searched=[WINDOW], problems=["p"]), Status.PARTIAL_FAILURE),
        (Tally(problems=["p"]), Status.PARTIAL_FAILURE),
        (Tally(searched=[WINDOW], failures=["f"]), Status.PARTIAL_FAILURE),
        (Tally(failures=["f"]), Status.FAILED),
    ],
)
def test_the_status_says_what_is_left(tally: Tally, status: Status) -> None:
    """Warnings leave nothing; a failure with nothing to believe is a failed execution."""
    assert tally.status is status


def test_the_record_lies_in_the_month_of_its_execution() -> None:
    """Its id is the execution's, its reason every sentence once."""
    tally = Tally(hits=3, alerts=1, duplicates=2, problems=["Once.", "Once."], warnings=["Known."])
    execution = Execution(RULE, "manual", started_at=NOON, now=NOON, planned=(WINDOW,), tally=tally)
    document = record_document(execution, "soc")
    assert (document.key.index, document.key.id) == ("soc-executions-2026.01", execution.uuid)
    assert document.source["execution"]["reason"] == "Once. Known."
    assert document.source["window"] == {"start": "2026-01-01T11:51:00.000Z", "end": "2026-01-01T12:00:00.000Z"}
    assert (document.source["hits"], document.source["alerts"], document.source["duplicates"]) == (3, 1, 2)
