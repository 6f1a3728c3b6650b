"""What feeds the embedded store while rules run: a simulated fleet, and files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

import generated_events as events
from lolbin_rules.alert.templates import templates
from lolbin_rules.errors import SettingsError, StoreUnavailable
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders
from lolbin_rules.feed import Feeding, FileFeed, SimulatedFeed, every, start_feeding
from lolbin_rules.importers.event_templates import event_templates
from lolbin_rules.rule.load import read
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.schedule import Runner
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.shipped import shipped_rules
from lolbin_rules.simulation.fleet import Fleet
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Scan, Store

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
PATIENCE = 60
"""Seconds after which something that takes five on a quiet machine counts as not happening."""
HISTORY = timedelta(minutes=3)
ALL: dict[str, Any] = {"match_all": {}}


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The present."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Noon."""
    return Clock(NOON)


@pytest.fixture
def store(clock: Clock) -> Iterator[EmbeddedStore]:
    """An embedded store in memory, ready for events and alerts."""
    store = EmbeddedStore(None, clock=clock)
    store.prepare([*event_templates(), *templates("lolbin")])
    yield store
    store.close()


def ids(store: Store, *index: str) -> Counter[str]:
    """The ids of all documents of these indices."""
    return Counter(hit.key.id for page in store.scan(Scan(index, {"all": ALL}, ALL)) for hit in page.hits)


def arrived(begin: datetime, end: datetime) -> Counter[str]:
    """What the fleet delivers in that time."""
    return Counter(each.id for each in Fleet().events(begin, end))


def test_a_fleet_goes_on_where_it_stopped(store: EmbeddedStore, clock: Clock) -> None:
    """However often it is stopped and started: every event of its story once, none left out."""
    for seconds in (0, 1, 2.5, 30):
        clock.now = NOON + timedelta(seconds=seconds)
        SimulatedFeed(store, "lolbin", Fleet(), clock, HISTORY).advance()
    found = ids(store, "winlogbeat-*", "logs-*")
    assert found == arrived(NOON - HISTORY, clock.now)
    assert len(found) > 500


def test_a_fleet_that_slept_for_long_makes_up_for_the_last_of_it(store: EmbeddedStore, clock: Clock) -> None:
    """A start after a week takes no week."""
    feed = SimulatedFeed(store, "lolbin", Fleet(), clock, HISTORY)
    feed.advance()
    before = ids(store, "winlogbeat-*", "logs-*")
    clock.now += timedelta(days=7)
    feed.advance()
    assert ids(store, "winlogbeat-*", "logs-*") - before == arrived(clock.now - HISTORY, clock.now)


@pytest.fixture
def rules() -> RuleSet:
    """The shipped rules."""
    return read((shipped_rules(),)).raise_if_faulty()


@pytest.fixture
def executions() -> list[Execution]:
    """Where executions are reported to."""
    return []


@pytest.fixture
def file_feed(
    store: EmbeddedStore, clock: Clock, rules: RuleSet, executions: list[Execution], tmp_path: Path
) -> FileFeed:
    """A feed from a folder."""
    return FileFeed(store, [tmp_path], lambda: Orders([*rules.rules.values()], rules.lists, clock()), executions.append)


def write(file: Path, made: events.GeneratedSet) -> None:
    """Append the events to a file, their ids in `event.id`."""
    with file.open("a") as stream:
        for event in made.events:
            source = {**event.source, "event": {**event.source["event"], "id": event.id}}
            stream.write(json.dumps(source) + "\n")


def alerted(store: Store) -> Counter[str]:
    """The events that have an alert."""
    found = store.scan(Scan(("lolbin-alerts",), {"all": ALL}, ALL))
    return Counter(hit.source["kibana.alert.ancestors"][0]["id"] for page in found for hit in page.hits)


def hits(*made: events.GeneratedSet) -> Counter[str]:
    """The events that ought to."""
    return Counter(event.id for each in made for event in each.hits)


def test_files_are_searched_over_their_whole_time(
    file_feed: FileFeed, store: EmbeddedStore, executions: list[Execution], tmp_path: Path
) -> None:
    """Events of years ago are alerted, once; those of a file that grew as well; nothing happens while none grows."""
    old = events.burst("regsvr32", seed=1, at=datetime(2019, 1, 1, tzinfo=UTC), size=4)
    new = events.burst("regsvr32", seed=2, at=datetime(2025, 1, 1, tzinfo=UTC), size=4)
    write(tmp_path / "a.ndjson", old)
    assert file_feed.advance().taken == 4
    assert alerted(store) == hits(old)
    assert file_feed.advance().taken == 0
    write(tmp_path / "a.ndjson", new)
    intake = file_feed.advance()
    assert (intake.taken, intake.known) == (4, 4)
    assert alerted(store) == hits(old, new)
    assert {execution.status for execution in executions} == {Status.SUCCEEDED}


def test_events_that_were_taken_in_and_not_searched_are_searched_at_the_next_start(
    file_feed: FileFeed, store: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may end in between."""
    made = events.burst("regsvr32", seed=1, at=datetime(2019, 1, 1, tzinfo=UTC), size=4)
    write(tmp_path / "a.ndjson", made)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileFeed, "_span", die)
        with pytest.raises(KeyboardInterrupt):
            file_feed.advance()
    assert not alerted(store)
    restarted = FileFeed(store, file_feed.paths, file_feed.orders, file_feed.report)
    assert restarted.advance().known == 4
    assert alerted(store) == hits(made)


def test_a_feed_that_fails_is_tried_again_until_it_is_stopped() -> None:
    """What the store does not take now it may take the next time."""
    stopping, tries = threading.Event(), list[int]()

    def work() -> None:
        tries.append(1)
        if len(tries) == 3:
            stopping.set()
        raise StoreUnavailable("not now")

    every(timedelta(milliseconds=1), work, stopping)
    assert len(tries) == 3


FED = [Feeding(is_simulated=True), Feeding(events=(Path("x"),)), Feeding(events=(Path("x"),), is_simulated=True)]


@pytest.mark.parametrize("feeding", FED)
def test_no_feed_goes_into_a_cluster(feeding: Feeding) -> None:
    """Its events come from its shippers; the cluster is not even asked."""
    cluster = ElasticsearchStore(Connection("http://127.0.0.1:1"), clock=lambda: NOON)
    with pytest.raises(SettingsError, match="a cluster gets its events from its shippers"):
        start_feeding(Runner(cluster, RunnerSettings(), (shipped_rules(),), lambda: NOON, lambda _: None), feeding)
    cluster.close()


def test_simulated_events_are_never_mixed_with_others(store: EmbeddedStore) -> None:
    """What happened stays apart from what did not."""
    runner = Runner(store, RunnerSettings(), (shipped_rules(),), lambda: NOON, lambda _: None)
    with pytest.raises(SettingsError, match="mix"):
        start_feeding(runner, FED[2])


class Scheduler:
    """`python scheduler.py --simulate` in a process of its own, ended with the block."""

    def __init__(self, script: Path, folder: Path, log: Path, *arguments: str) -> None:
        ours = ("LOLBIN_", "ELASTICSEARCH_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, script, *arguments],
                env={**inherited, "LOLBIN_DATA_DIR": str(folder)},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def await_text(self, text: str) -> None:
        """Wait until it says so."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log.read_text() and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.05)
        assert text in self.log.read_text(), self.log.read_text()

    def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_a_simulated_fleet_is_alerted_on_within_seconds_and_no_event_again_at_the_next_start(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """As `make run` starts it: alerts at once, Ctrl-C ends it cleanly, the next start alerts on no event again."""
    folder = tmp_path / "var"
    for number in (1, 2):
        scheduler = Scheduler(pytestconfig.rootpath / "scheduler.py", folder, tmp_path / f"{number}.log", "--simulate")
        scheduler.await_text("ALERT" if number == 1 else "succeeded;")
        scheduler.await_text("network-connection-via-regsvcs: ")
        assert scheduler.interrupt() == 0, scheduler.log.read_text()
        assert "Traceback" not in scheduler.log.read_text()
    store = EmbeddedStore(folder, clock=lambda: datetime.now(UTC))
    found = alerted(store)
    store.close()
    assert found
    assert set(found.values()) == {1}
