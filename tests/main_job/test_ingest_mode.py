"""Rules read by the time at which events came in, and rules that cannot be read as they are to be."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from lolbin_rules.cli import main
from lolbin_rules.execution.record import Status
from watched import Watched, at
from worlds import World

pytestmark = pytest.mark.usefixtures("own_logs", "environment")


@pytest.fixture
def watched(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Watched:
    """One rule that is read by ingest time, and ran twice."""
    watched = Watched(world, tmp_path / "rules", capsys, {"coverage": "ingest_time"})
    watched.happen(-3, "in time", ingested=-2)
    watched.happen(-4, "undated")
    watched.ticks(0, 5)
    assert watched.alerted() == Counter(["in time", "undated"])
    return watched


def test_events_are_found_by_when_they_came_in(watched: Watched) -> None:
    """However late they are by their own time; those that do not say when are found by that."""
    watched.happen(-600, "hours late", ingested=8)
    watched.happen(-600, "hours late and undated")
    watched.happen(7, "undated and in time")
    execution = watched.tick(10)
    assert (execution.status, execution.mode) == (Status.SUCCEEDED, "ingest_time")
    assert watched.alerted() == Counter(["in time", "undated", "hours late", "undated and in time"])
    watched.ticks(15, 40)
    code, (certificate,) = watched.coverage("--certify", first=-9, last=20)
    assert (code, certificate["mode"], certificate["hits"]) == (0, "ingest_time", 4)
    assert "after its event.ingested (its @timestamp where it has none)" in certificate["promise"]


def test_a_change_of_the_time_begins_anew(watched: Watched) -> None:
    """What was searched by one time was not searched by the other."""
    watched.edit(coverage="event_time")
    watched.happen(-600, "late by its time", ingested=8)
    watched.happen(2, "late by its coming in", ingested=-600)
    execution = watched.tick(10)
    assert [(window.start, window.end) for window in execution.planned] == [(at(1), at(10))]
    assert watched.alerted() == Counter(["in time", "undated", "late by its coming in"])


@pytest.mark.parametrize("mode", ["ingest_time", "sequence"])
def test_what_looks_at_several_events_stays_with_their_time(watched: Watched, mode: str) -> None:
    """With a warning in every record, and in what `check` says without a store; it finds what it would find."""
    watched.edit(type="threshold", threshold={"field": ["process.name"], "value": 2}, coverage=mode)
    watched.happen(11, "one", "two", ingested=-600)
    execution = watched.tick(20)
    assert (execution.status, execution.mode, execution.tally.alerts) == (Status.SUCCEEDED, "event_time", 1)
    assert execution.reason.startswith(f"coverage: {mode} is not possible for it, as its matches are made of several")
    watched.capture.readouterr()
    assert main(["check", "--json", str(watched.folder)]) == 0
    (warning,) = json.loads(watched.capture.readouterr().out)["warnings"]
    assert warning["what"].startswith(f"coverage: {mode} is not possible for it")
    assert warning["consequence"] == "it is read by event_time"


def test_the_setting_is_for_rules_that_do_not_say(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """`once` reads them by it; one that says otherwise is read as it says."""
    monkeypatch.setenv("LOLBIN_COVERAGE", "sequence")
    for said, mode in ((None, "sequence"), ("event_time", "event_time"), ("ingest_time", "ingest_time")):
        watched.edit(coverage=said)
        code, out = watched.command("once", "--json")
        assert (code, json.loads(out)["execution"]["mode"]) == (0, mode)
