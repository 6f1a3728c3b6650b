"""`lolbin-rules lookback` of documents that do not say when they came in: bounds that contain the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from lolbin_rules.alert.templates import templates
from lolbin_rules.cli import main
from lolbin_rules.execution.fields import fitted
from lolbin_rules.execution.found_late import Found, found_late
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.execution.sweep import sweeping
from lolbin_rules.plan.window import MILLISECOND, Window, floor
from lolbin_rules.rule.load import read
from lolbin_rules.store.port import Document, Key, Put, Verdict
from worlds import World
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs", "environment")

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
IN_TIME = [f"in time {number}" for number in range(20)]
LATE = [f"late {number}" for number in range(5)]


@dataclass
class Present:
    """A rule whose executions take place now, and events of the last hours.

    Attributes:
        world: the store.
        folder: of the rule's file.
        capture: of what the command prints.
        begun: the store's time at the beginning.
        delays: between which delays each document's truth lies: it was written at some time between two clocks.
    """

    world: World
    folder: Path
    capture: pytest.CaptureFixture[str]
    begun: datetime = field(init=False)
    delays: dict[str, tuple[timedelta, timedelta]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.store.prepare(templates(self.world.written))
        map_indices(self.world.store, f"{self.world.prefix}events-*")
        self.begun = floor(self.world.store.clock())
        self.rule()

    def rule(self, **keys: Any) -> None:
        """Write the rule's file."""
        write_rule(self.folder, "live", index=[f"{self.world.prefix}events-*"], **keys)

    def happen(self, ago: timedelta, *names: str, **about: Any) -> None:
        """Events that the rule matches, of so long before the beginning, a second apart; searchable from now on."""
        happened = [self.begun - ago + number * timedelta(seconds=1) for number in range(len(names))]
        event = {"category": "network", **about}
        sources = [{"@timestamp": iso(each), "event": event, "process": {"name": "regsvr32.exe"}} for each in happened]
        index = f"{self.world.prefix}events-1"
        before = floor(self.world.store.clock())
        index_events(self.world.store, [(index, name, source) for name, source in zip(names, sources, strict=True)])
        after = self.world.store.clock()
        self.delays |= {name: (before - each, after - each) for name, each in zip(names, happened, strict=True)}

    def orders(self, ago: timedelta = timedelta(), **changes: Any) -> Orders:
        """To execute the rule as of so long ago."""
        ruleset, now = read(self.folder).raise_if_faulty(), self.world.store.clock() - ago
        return Orders([ruleset.rules["live"]], ruleset.lists, now, prefix=self.world.written, **changes)

    def execute(self, orders: Orders) -> Execution:
        """Once."""
        (execution,) = execute(orders, self.world.store)
        assert execution.status is Status.SUCCEEDED, execution.reason
        return execution

    def search_by_hand(self) -> Execution:
        """The last three hours."""
        past = Window(self.begun - 3 * HOUR, floor(self.world.store.clock()))
        return self.execute(self.orders(kind="manual", spans={"live": (past,)}))

    def sweep(self) -> Execution:
        """The last day."""
        return self.execute(sweeping(self.orders(), timedelta(days=1)))

    @property
    def window(self) -> Window:
        """The event time of all there is."""
        return Window(self.begun - 4 * HOUR, floor(self.world.store.clock()))

    def found(self, most: int = 1000) -> Found:
        """What alerts and records tell."""
        orders = self.orders()
        courses = fitted(orders.rules, orders.now, orders.lists, {}, self.world.store)
        index = [f"{self.world.prefix}events-*"]
        return found_late(courses, index, self.window, self.world.store, self.world.written, most)

    def told(self, *options: str) -> tuple[int, str]:
        """The command's exit code, and what it prints."""
        self.capture.readouterr()
        span = ["--from", iso(self.window.start), "--to", iso(self.window.end)]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.world.variables.items():
                patch.setenv(name, value)
            code = main(["lookback", "--rules", str(self.folder), *span, *options])
        return code, self.capture.readouterr().out

    def told_bounds(self, *options: str) -> dict[str, Any]:
        """What is told of documents without `event.ingested`, as JSON."""
        code, out = self.told("--json", *options)
        assert code == 0
        said: dict[str, Any] = json.loads(out)["found_without_event_ingested"]
        return said

    def assert_true(self, found: Found) -> None:
        """The bounds of every document contain what its delay can have been."""
        for key, known in found.documents.items():
            earliest, latest = self.delays[key.id]
            assert known.least * MILLISECOND <= latest, key
            assert earliest <= known.most * MILLISECOND, key


@pytest.fixture
def present(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Present:
    """Twenty documents that were in time, one that says when it came in, and the rule."""
    present = Present(world, tmp_path / "rules", capsys)
    present.happen(2 * MINUTE, *IN_TIME)
    present.happen(MINUTE, "says so", ingested=iso(present.begun))
    return present


def test_sweeps_bound_the_delays_of_what_they_found(present: Present) -> None:
    """A fifth of the documents is an hour late; the bounds of the miss rate meet there, and the advice is enough."""
    present.search_by_hand()
    present.happen(HOUR, *LATE)
    assert present.sweep().tally.late.to_json()["events"] == len(LATE)
    found = present.found()
    assert {key.id for key in found.documents} == {*IN_TIME, *LATE}
    present.assert_true(found)
    late = [known for key, known in found.documents.items() if key.id in LATE]
    assert min(known.least for known in late) > 59 * MINUTE / MILLISECOND
    assert max(known.most - known.least for known in late) < 5 * MINUTE / MILLISECOND
    said = present.told_bounds("--loss", "0.001")
    assert (said["documents"], said["alerts_without_record"]) == (25, 0)
    (rule,) = said["rules"]
    assert (rule["alerts"], rule["found_by_sweeps"], rule["found_by_numbers"]) == (25, 5, 0)
    assert (rule["late_documents"], rule["miss_rate"]) == ([5, 5], pytest.approx([0.2, 0.2]))
    assert rule["miss_rate_95"][0] < 0.2 < rule["miss_rate_95"][1]
    assert said["miss_rates"][-1]["at_most"] == 0
    assert int(rule["lookback_enough_by_upper_bounds"].removeprefix("now-").removesuffix("m")) in range(65, 75)


def test_sequence_numbers_bound_the_delays_of_what_they_found(present: Present) -> None:
    """Though no search by time had come to the time of the late documents before."""
    present.rule(coverage="sequence")
    first = present.execute(present.orders(30 * MINUTE))
    assert (first.mode, first.tally.alerts) == ("sequence", len(IN_TIME) + 1)
    present.happen(20 * MINUTE, *LATE)
    second = present.execute(present.orders())
    assert (second.mode, second.tally.alerts) == ("sequence", len(LATE))
    found = present.found()
    present.assert_true(found)
    late = [known for key, known in found.documents.items() if key.id in LATE]
    assert len(late) == len(LATE)
    assert min(known.least for known in late) > 19 * MINUTE / MILLISECOND
    assert max(known.most - known.least for known in late) < 5 * MINUTE / MILLISECOND
    (rule,) = present.told_bounds()["rules"]
    assert (rule["alerts"], rule["found_by_sweeps"], rule["found_by_numbers"]) == (25, 0, 25)
    assert rule["miss_rate"] == pytest.approx([0.2, 0.2])


def test_people_are_told_what_the_bounds_are_of(present: Present) -> None:
    """And what to do to know more."""
    present.search_by_hand()
    present.happen(HOUR, *LATE)
    present.sweep()
    code, out = present.told()
    assert code == 0
    assert "25 documents of" in out
    assert "bounds by 25 documents that rules matched; nothing is known of others." in out
    (row,) = (line.split() for line in out.splitlines() if line.split()[:4] == ["live", "5m", "now-9m", "25"])
    assert row[4:11] == ["5", "0", "5", "-", "5", "20%", "20%"]
    (point,) = (line.split() for line in out.splitlines() if line.split()[:1] == ["now-9m"] and len(line.split()) == 3)
    assert point == ["now-9m", "20%", "20%"]
    assert "It follows from the upper bounds; less may do." in out
    assert "let an ingest pipeline set event.ingested" in out


def test_where_nothing_was_found_it_is_said_what_to_do(present: Present) -> None:
    """No figure is made up."""
    said = present.told_bounds()
    assert (said["documents"], said["rules"], said["miss_rates"], said["delay_seconds"]) == (0, [], [], {})
    out = present.told()[1]
    assert "nothing is known: none that executions on record alerted. To have delays measured, let an ingest" in out
    assert "`coverage: sequence`" in out


def test_an_execution_with_a_record_of_an_earlier_version_tells_nothing(present: Present) -> None:
    """Its alerts are left out, and it bounds nobody else's."""
    by_hand = present.search_by_hand()
    present.happen(HOUR, *LATE)
    present.sweep()
    store = present.world.store
    query = {"term": {"execution.uuid": by_hand.uuid}}
    (record,) = stored(store, f"{present.world.written}-executions", query)
    (known,) = store.get([Key(record["_index"], record["_id"])])
    assert known is not None
    source = {name: value for name, value in known.source.items() if name != "total_ms"}
    (outcome,) = store.put([Put(Document(known.key, source), known.seen)])
    assert outcome.verdict is Verdict.UPDATED
    found = present.found()
    assert found.unrecorded == len(IN_TIME)
    assert {key.id for key in found.documents} == set(LATE)
    assert {known.least for known in found.documents.values()} == {0}
    present.assert_true(found)
    assert found.by_rule["live"].swept == 0


def test_of_too_many_alerts_the_earliest_are_looked_at(present: Present) -> None:
    """And the time up to which is told."""
    present.search_by_hand()
    found = present.found(most=7)
    assert {key.id for key in found.documents} == set(IN_TIME[:7])
    assert found.until == present.begun - 2 * MINUTE + timedelta(seconds=7)
