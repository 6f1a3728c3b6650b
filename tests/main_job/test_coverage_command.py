"""What `coverage` says of gaps, and that `coverage --fill` closes them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from event_indices import iso
from lolbin_rules.execution.record import Status
from watched import Watched, at
from worlds import World
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs", "environment")


@pytest.fixture
def watched(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Watched:
    """One rule in a store, with an event long before everything, so that there is an index."""
    watched = Watched(world, tmp_path / "rules", capsys)
    watched.happen(-1000, "ancient")
    return watched


def gaps(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The gaps of what was printed: start, end and reason."""
    return [(gap["start"], gap["end"], gap["reason"]) for gap in found["gaps"]]


def test_time_that_was_searched_in_time_has_no_gap(watched: Watched) -> None:
    """Exit 0; everything asked is searched and settled, and nothing is printed as missing."""
    watched.ticks(0, 30)
    code, (found,) = watched.coverage(first=0, last=20)
    assert (code, found["gaps"], found["is_whole"]) == (0, [], True)
    whole = [{"start": iso(at(0)), "end": iso(at(20))}]
    assert found["asked"] == found["searched"] == found["settled"] == whole


def test_a_rule_that_never_ran_has_searched_nothing(watched: Watched) -> None:
    """Enabled: its whole period is lacking. Disabled: it promised nothing."""
    code, (found,) = watched.coverage(first=0, last=20)
    assert (code, gaps(found)) == (1, [(iso(at(0)), iso(at(20)), "new")])
    watched.edit(enabled=False)
    assert watched.coverage(first=0, last=20)[0] == 0


def test_an_outage_is_a_gap_where_no_execution_was(watched: Watched) -> None:
    """Until the next execution, which searches it; then there is none."""
    watched.ticks(0, 10)
    code, (found,) = watched.coverage(first=0, last=60)
    assert (code, gaps(found)) == (1, [(iso(at(10)), iso(at(60)), "outage")])
    watched.tick(70)
    assert watched.coverage(first=0, last=60)[0] == 0


def test_time_before_the_first_run_and_while_disabled_is_not_asked(watched: Watched) -> None:
    """It is said, and it is no failure."""
    watched.ticks(0, 10)
    watched.rest(10)
    watched.ticks(60, 70)
    code, (found,) = watched.coverage(first=-60, last=60)
    assert code == 0
    assert gaps(found) == [(iso(at(-60)), iso(at(-9)), "not asked"), (iso(at(10)), iso(at(51)), "disabled")]


def test_a_failed_execution_gives_its_reason(watched: Watched) -> None:
    """A search that had no time failed; what it says is said of the gap, with the execution it comes from."""
    watched.ticks(0, 10)
    failed = watched.tick(15, search_within=timedelta(0))
    assert failed.status is Status.FAILED, failed.reason
    code, (found,) = watched.coverage(first=0, last=15)
    assert (code, gaps(found)) == (1, [(iso(at(10)), iso(at(15)), "failed")])
    (gap,) = found["gaps"]
    assert (gap["detail"], gap["execution"]) == (failed.reason, failed.uuid)


def test_a_partial_answer_is_a_gap(watched: Watched) -> None:
    """No index was there to be searched: the time is not believed to hold nothing."""
    watched.edit(index=[f"{watched.world.prefix}nothing-*"])
    partial = watched.tick(0)
    assert partial.status is Status.PARTIAL_FAILURE
    code, (found,) = watched.coverage(first=-9, last=0)
    assert (code, gaps(found)) == (1, [(iso(at(-9)), iso(at(0)), "partial")])
    assert "No index matches" in found["gaps"][0]["detail"]


def test_what_a_cap_left_is_a_gap_until_it_is_filled(watched: Watched) -> None:
    """Filling goes on, execution by execution, until every event is alerted once."""
    watched.edit(max_alerts=2)
    names = [f"e{number}" for number in range(7)]
    watched.happen(-3, *names)
    watched.tick(0)
    code, (found,) = watched.coverage(first=-9, last=0)
    assert (code, {gap["reason"] for gap in found["gaps"]}) == (1, {"max_alerts"})
    assert watched.alerted().total() == 2
    code, (found,) = watched.coverage("--fill", first=-9, last=0)
    assert (code, found["gaps"]) == (0, [])
    assert watched.alerted() == Counter(names)


def test_filling_searches_what_was_never_asked_and_alerts_nothing_twice(watched: Watched) -> None:
    """A past span, days long, with a gap amid time that was searched: oldest first, each event once."""
    watched.happen(-4000, "days before")
    watched.happen(-50, "before")
    watched.happen(-3, "searched")
    watched.happen(30, "in the outage")
    watched.ticks(0, 10)
    assert watched.alerted() == Counter(["searched"])
    for _ in range(2):
        code, (found,) = watched.coverage("--fill", first=-5000, last=60)
        assert (code, found["gaps"]) == (0, [])
        assert watched.alerted() == Counter(["ancient", "days before", "before", "searched", "in the outage"])


def test_time_that_only_an_earlier_logic_searched_is_said_to_be(watched: Watched) -> None:
    """An edit begins a lookback before itself; what lies after that and was not searched anew is a gap."""
    watched.ticks(0, 10)
    watched.edit(match={"process.name": "rundll32.exe"})
    assert watched.tick(15, search_within=timedelta(0)).status is Status.FAILED
    _, (found,) = watched.coverage(first=0, last=15)
    assert gaps(found) == [(iso(at(6)), iso(at(10)), "edited"), (iso(at(10)), iso(at(15)), "failed")]


def test_filling_leaves_other_rules_that_are_disabled_alone(watched: Watched) -> None:
    """Named, a disabled rule is searched as well."""
    write_rule(watched.folder, "resting", index=[f"{watched.world.prefix}events-*"], enabled=False)
    span = ["--from", iso(at(-1001)), "--to", iso(at(-999))]
    assert watched.command("coverage", "--fill", *span)[0] == 0
    assert watched.alerted() == Counter(["ancient"])
    assert watched.command("coverage", "resting", "--fill", *span)[0] == 0
    assert watched.alerted() == Counter(["ancient", "ancient"])


def test_it_can_be_read_by_people(watched: Watched) -> None:
    """Sums, spans and the reason of the gap, for every rule, without options."""
    watched.ticks(0, 10)
    code, out = watched.command("coverage", "--from", iso(at(0)), "--to", iso(at(60)))
    assert code == 1
    assert "live: 0:50:00 is lacking" in out
    assert f"gap       {iso(at(10))} to {iso(at(60))} (0:50:00)  outage: no execution was there" in out
    code, out = watched.command("coverage")
    assert "LOLBIN_GAP_HORIZON" not in out
    assert code == 1
