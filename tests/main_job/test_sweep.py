"""What comes later than an ordinary execution can meet is found by a sweep, alerted once, and counted."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from event_indices import iso, stored
from lolbin_rules.execution.record import Status
from watched import Watched, at
from worlds import World, now

pytestmark = pytest.mark.usefixtures("own_logs", "environment")

MINUTES = 60_000
HOUR = 60


@pytest.fixture
def watched(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Watched:
    """One rule that ran for an hour and found an event in it."""
    watched = Watched(world, tmp_path / "rules", capsys)
    watched.happen(-3, "in time")
    watched.ticks(0, HOUR)
    assert watched.alerted() == Counter(["in time"])
    return watched


def test_what_came_late_is_alerted_and_says_so(watched: Watched) -> None:
    """Once, by the sweep; the record counts it with its delays; ordinary executions never find it."""
    watched.happen(10, "late", ingested=40)
    watched.happen(20, "late too")
    watched.ticks(HOUR + 5, HOUR + 10)
    assert watched.alerted() == Counter(["in time"])
    swept = watched.sweep(HOUR + 12)
    assert (swept.status, swept.kind) == (Status.SUCCEEDED, "scheduled")
    assert watched.alerted() == Counter(["in time", "late", "late too"])
    made = {alert["kibana.alert.ancestors"][0]["id"]: alert for alert in watched.alerts()}
    assert [made[name].get("lolbin.sweep") for name in ("in time", "late", "late too")] == [None, True, True]
    assert made["late"]["kibana.alert.rule.execution.type"] == "scheduled"
    (record,) = stored(
        watched.world.store, f"{watched.world.written}-executions", {"term": {"execution.uuid": swept.uuid}}
    )
    assert record["execution"]["sweep"] is True
    late = record["late"]
    assert late["events"] == record["alerts"] == 2
    assert late["ingested_after_ms"] == {"min": 30 * MINUTES, "median": 30 * MINUTES, "max": 30 * MINUTES}
    assert late["found_after_ms"]["max"] - late["found_after_ms"]["min"] == 10 * MINUTES
    again = watched.sweep(HOUR + 13)
    assert (again.tally.alerts, again.tally.duplicates, again.tally.late.to_json()["events"]) == (0, 3, 0)


def test_only_what_was_asked_is_swept(watched: Watched) -> None:
    """Not what lies before the rule's beginning, nor the time it was disabled; nor what lies beyond the reach."""
    watched.rest(HOUR)
    watched.ticks(3 * HOUR, 3 * HOUR + 10)
    watched.happen(-30, "before the beginning")
    watched.happen(2 * HOUR, "while disabled")
    watched.happen(10, "late")
    watched.happen(-8, "too late for the reach")
    swept = watched.sweep(3 * HOUR + 12, reach=timedelta(minutes=3 * HOUR + 12))
    assert swept.status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["in time", "late"])


def test_a_logic_is_swept_from_its_own_beginning_on(watched: Watched) -> None:
    """What comes late of the time before an edit is not looked for; with the old logic back in force, it is."""
    watched.edit(match={"event.category": ["network", "process"]})
    watched.ticks(HOUR + 5, HOUR + 10)
    watched.happen(30, "before the edit")
    watched.happen(HOUR - 2, "since")
    watched.ticks(HOUR + 15, HOUR + 20)
    assert watched.sweep(HOUR + 21).status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["in time", "since"])
    del watched.keys["match"]
    watched.edit()
    watched.ticks(HOUR + 25, HOUR + 30)
    watched.sweep(HOUR + 31)
    assert watched.alerted() == Counter(["in time", "since", "before the edit"])


def test_an_event_found_where_nothing_was_searched_before_is_not_late(watched: Watched) -> None:
    """An outage left a gap; a sweep that happens to close it counts no late arrival."""
    watched.happen(2 * HOUR, "in the outage")
    swept = watched.sweep(3 * HOUR)
    assert (swept.tally.alerts, swept.tally.late.to_json()["events"]) == (1, 0)


def test_what_a_sweep_finds_beyond_the_cap_is_left_to_ordinary_executions(watched: Watched) -> None:
    """Nothing is dropped, nothing is alerted twice."""
    watched.edit(max_alerts=2)
    names = [f"late {number}" for number in range(7)]
    watched.happen(10, *names)
    assert watched.sweep(HOUR + 1).status is Status.PARTIAL_FAILURE
    assert watched.alerted().total() == 3
    watched.ticks(HOUR + 5, HOUR + 60)
    assert watched.alerted() == Counter(["in time", *names])


def test_a_sweep_gives_way_and_says_what_is_left(watched: Watched) -> None:
    """It has searched its newest hour, and names the rest; coverage has lost nothing."""
    watched.happen(-5, "late")
    _, before = watched.coverage(first=-9, last=HOUR - 10)
    swept = watched.sweep(HOUR + 10, goes_on=lambda: False)
    assert swept.status is Status.SUCCEEDED
    assert [(window.start, window.end) for window in swept.planned] == [(at(HOUR), at(HOUR + 1))]
    assert [(window.start, window.end) for window in swept.tally.given_up] == [(at(0), at(HOUR)), (at(-9), at(0))]
    assert watched.coverage(first=-9, last=HOUR - 10)[1] == before
    assert watched.alerted() == Counter(["in time"])
    watched.sweep(HOUR + 10)
    assert watched.alerted() == Counter(["in time", "late"])


def test_a_window_that_was_swept_on_one_of_two_axes_is_not_believed(watched: Watched) -> None:
    """A rule with another field of time reads each window twice; given up in between, none of it counts."""
    watched.edit(timestamp_override="event.ingested")
    watched.ticks(HOUR + 5, HOUR + 10)
    swept = watched.sweep(HOUR + 20, goes_on=lambda: False)
    assert swept.tally.searched == []
    assert len(swept.tally.given_up) == 2
    assert watched.sweep(HOUR + 20).tally.searched


def test_late_members_of_groups_are_counted(watched: Watched) -> None:
    """A suppressed group gets them one by one, and the record counts each as late."""
    watched.edit(suppression={"group_by": ["process.name"], "duration": "1h"})
    watched.ticks(HOUR + 5, HOUR + 30)
    watched.happen(HOUR + 2, "opens", "joins")
    swept = watched.sweep(HOUR + 31)
    assert (swept.tally.alerts, swept.tally.suppressed, swept.tally.late.to_json()["events"]) == (1, 2, 2)
    watched.happen(HOUR + 12, "joins late")
    swept = watched.sweep(HOUR + 40)
    assert (swept.tally.alerts, swept.tally.suppressed, swept.tally.late.to_json()["events"]) == (0, 1, 1)
    (alert,) = (alert for alert in watched.alerts() if "lolbin.suppression.count" in alert)
    assert alert["lolbin.suppression.count"] == 3


def test_a_threshold_is_reached_by_late_events(watched: Watched) -> None:
    """The rule is evaluated over the swept time; its one alert for the slot is there once."""
    watched.edit(type="threshold", threshold={"field": ["process.name"], "value": 3})
    watched.ticks(HOUR + 5, HOUR + 30)
    watched.happen(HOUR + 6, "one", "two")
    watched.ticks(HOUR + 35, HOUR + 40)
    assert watched.sweep(HOUR + 41).tally.alerts == 0
    watched.happen(HOUR + 7, "three")
    assert [watched.sweep(HOUR + 42 + number).tally.alerts for number in range(2)] == [1, 0]


def test_one_sweep_by_hand(watched: Watched) -> None:
    """`once --sweep` sweeps as of now; it is refused together with other times."""
    moment = (now() - at(0)) / timedelta(minutes=1)
    watched.tick(moment - 60)
    watched.tick(moment - 30)
    watched.happen(moment - 50, "late")
    code, out = watched.command("once", "--json")
    assert code == 0
    assert json.loads(out)["alerts"] == 0
    code, out = watched.command("once", "--sweep", "--json")
    record = json.loads(out)
    assert (code, record["alerts"], record["late"]["events"], record["execution"]["sweep"]) == (0, 1, 1, True)
    assert watched.alerted() == Counter(["in time", "late"])
    assert watched.command("once", "--sweep", "--now", iso(at(0)))[0] == 2
