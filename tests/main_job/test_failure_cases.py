"""The cases in which ElastAlert 2 loses events or doubles alerts, one test for each.

`CASES` says which test is for which case, here or in another file; a test looks that they are all there.
"""

from __future__ import annotations

import ast
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest
from elasticsearch import Elasticsearch

from event_indices import index_events, iso, map_indices, stored
from fault_proxy import Delay, Fault, FaultProxy, Respond
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.rule.load import read
from lolbin_rules.schedule import Runner
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore
from lolbin_rules.store.port import Document, Key, Scan, Store, Verdict
from watched import Watched, at
from worlds import ON_A_NODE, World, now
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs", "environment")

MINUTE = timedelta(minutes=1)
CASES: Mapping[str, tuple[str, ...]] = {
    "late within the window after a restart": ("test_late_within_the_window_after_a_restart",),
    "killed mid-run": (
        "test_kill.py::test_a_run_killed_at_any_request_is_made_good_by_the_next",
        "test_kill.py::test_a_sweep_killed_between_any_two_writes_is_made_good_by_the_next",
        "test_embedded_faults.py::test_a_run_killed_at_any_write_is_made_good_by_the_next",
        "test_scheduler.py::test_a_runner_that_is_killed_loses_and_repeats_nothing",
    ),
    "rule file edited during an outage": ("test_rule_file_edited_during_an_outage",),
    "one failed segment": ("test_one_failed_segment_of_a_long_catch_up",),
    "failing status write": ("test_failing_status_write",),
    "failing alert write": (
        "test_node_faults.py::test_what_a_failed_execution_did_not_do_is_done_later",
        "test_node_faults.py::test_failing_alert_write_for_want_of_disk_or_by_a_block",
        "test_embedded_faults.py::test_a_full_disk_fails_an_execution_and_costs_nothing",
    ),
    "some shards failed": ("test_node_faults.py::test_some_shards_failed_and_their_window_is_searched_again",),
    "index name that matches nothing": (
        "test_faults.py::test_an_index_name_that_matches_nothing_is_said_and_searched_when_it_appears",
    ),
    "more hits than a page and than any limit": ("test_more_hits_than_a_page_and_than_any_limit",),
    "two instances": (
        "test_faults.py::test_two_runners_at_once_alert_once",
        "test_scheduler.py::test_two_runners_at_once_alert_once",
    ),
    "clock ahead and then back": ("test_clock_ahead_and_then_back",),
    "indexed but not refreshed when its time was searched": ("test_indexed_but_not_refreshed",),
    "an alert that the index refuses": ("test_faults.py::test_an_alert_that_the_index_refuses_is_kept",),
    "one index with a field of the wrong type among healthy ones": (
        "test_faults.py::test_one_index_with_a_field_of_the_wrong_type_among_healthy_ones",
    ),
    "rule slower than its interval": ("test_rule_slower_than_its_interval",),
    "500 rules due at once": ("test_500_rules_due_at_once",),
    "one event with a list in the time field": ("test_one_event_with_a_list_in_the_time_field",),
}


def test_every_case_has_its_tests() -> None:
    """The table above names tests that exist."""
    here = Path(__file__)
    for tests in CASES.values():
        for test in tests:
            file, _, name = test.rpartition("::")
            tree = ast.parse((here.with_name(file) if file else here).read_text(encoding="utf-8"))
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


@pytest.fixture
def watched(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Watched:
    """One rule with an interval of five minutes and a lookback of nine."""
    return Watched(world, tmp_path / "rules", capsys)


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """What stands between the store under test and the node."""
    with FaultProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def shaky(proxy: FaultProxy, world: World) -> Iterator[Store]:
    """The store of the world, seen through the proxy."""
    shaky = ElasticsearchStore(Connection(url=proxy.url), clock=now)
    yield shaky
    shaky.close()


def test_late_within_the_window_after_a_restart(watched: Watched) -> None:
    """A program that has just begun looks as far back as the one before it, and alerts nothing again."""
    watched.happen(-3, "early")
    for minutes in (0, 5):
        assert watched.command("once", "--now", iso(at(minutes)))[0] == 0
    watched.happen(2, "late")
    for minutes in (10, 11):
        assert watched.command("once", "--now", iso(at(minutes)))[0] == 0
    assert watched.alerted() == Counter(["early", "late"])


@pytest.mark.parametrize("change", [{"severity": "high"}, {"exclude": {"process.pid": 1}}], ids=["words", "logic"])
def test_rule_file_edited_during_an_outage(watched: Watched, change: dict[str, Any]) -> None:
    """What happened in an outage longer than the lookback is found, whatever was edited meanwhile."""
    watched.happen(-3, "before")
    watched.ticks(0, 10)
    watched.happen(12, "early in the outage")
    watched.happen(60, "late in the outage")
    watched.edit(**change)
    assert watched.tick(120).status is Status.SUCCEEDED
    assert watched.tick(125).status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["before", "early in the outage", "late in the outage"])


@ON_A_NODE
def test_one_failed_segment_of_a_long_catch_up(watched: Watched, proxy: FaultProxy, shaky: Store) -> None:
    """Of the windows of a catch-up over three days one cannot be read: the others count, and it is read later."""
    watched.happen(-3, "before")
    watched.ticks(0, 5)
    day = 24 * 60
    names = [f"hour {hour}" for hour in range(1, 72, 5)]
    for hour, name in zip(range(1, 72, 5), names, strict=True):
        watched.happen(60 * hour, name)
    failed = Respond(500, {"error": {"type": "error", "reason": "ill"}, "status": 500})
    proxy.faults = [Fault("POST /_search", Delay(0), times=2), Fault("POST /_search", failed, times=1)]
    world = watched.world
    watched.world = World(world.name, shaky, world.prefix, world.variables, world.remove)
    broken = watched.tick(3 * day)
    assert broken.status is Status.PARTIAL_FAILURE, broken.reason
    assert len(broken.tally.searched) >= 2
    for minutes in range(5, 26, 5):
        last = watched.tick(3 * day + minutes)
    assert last.status is Status.SUCCEEDED, last.reason
    assert watched.alerted() == Counter(["before", *names])


@ON_A_NODE
@pytest.mark.parametrize("kind", ["coverage", "executions"])
def test_failing_status_write(watched: Watched, client: Elasticsearch, kind: str) -> None:
    """Without its state written an execution fails, and the next alerts nothing again; a lost record is no loss."""
    watched.happen(-3, "before")
    watched.tick(0)
    index = f"{watched.world.written}-{kind}*"
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    watched.happen(2, "one", "two")
    watched.tick(5)
    status = Status.FAILED if kind == "coverage" else Status.SUCCEEDED
    watched.happen(7, "three")
    assert watched.tick(10).status is status
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})
    watched.happen(12, "four")
    assert watched.tick(40).status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["before", "one", "two", "three", "four"])


def test_clock_ahead_and_then_back(watched: Watched) -> None:
    """A machine's clock that is an hour ahead, then an hour behind, then right: the store's clock decides."""

    def minutes() -> float:
        return (now() - at(0)) / MINUTE

    begin = minutes()
    watched.tick(begin)
    for name, wrong_by in (("ahead", 60), ("still ahead", 60), ("behind", -60), ("right", 0)):
        watched.happen(minutes() - 0.02, name)
        watched.tick(minutes() + wrong_by)
        (document,) = stored(watched.world.store, f"{watched.world.written}-coverage")
        assert document["axes"]["event_time"]["searched"][-1]["end"] <= iso(watched.world.store.clock())
    assert watched.alerted() == Counter(["ahead", "still ahead", "behind", "right"])


@ON_A_NODE
def test_indexed_but_not_refreshed(watched: Watched, client: Elasticsearch) -> None:
    """A document that cannot be searched yet when its time is searched is found by the next execution."""
    watched.happen(-3, "first")
    index = f"{watched.world.prefix}events-1"
    client.indices.put_settings(index=index, settings={"index.refresh_interval": "-1"})
    watched.tick(0)
    (first,) = stored(watched.world.store, index)
    unseen = {key: value for key, value in first.items() if not key.startswith("_")} | {"@timestamp": iso(at(4))}
    (outcome,) = watched.world.store.create([Document(Key(index, "unseen"), unseen)])
    assert outcome.verdict is Verdict.CREATED
    watched.tick(5)
    assert watched.alerted() == Counter(["first"])
    watched.world.store.refresh([index])
    watched.tick(10)
    assert watched.alerted() == Counter(["first", "unseen"])


def test_one_event_with_a_list_in_the_time_field(watched: Watched) -> None:
    """It is alerted once, though several windows hold one of its times; it keeps no other event from its alert."""
    index = f"{watched.world.prefix}events-1"
    facts = {"event": {"category": "network"}, "process": {"name": "regsvr32.exe"}}
    times = [iso(at(-3)), iso(at(7)), iso(at(30))]
    index_events(watched.world.store, [(index, "list", {"@timestamp": times, **facts})])
    watched.happen(-2, "before")
    watched.happen(8, "after")
    watched.ticks(0, 40)
    assert watched.tick(45).status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["before", "list", "after"])


def test_more_hits_than_a_page_and_than_any_limit(watched: Watched) -> None:
    """50,000 hits at a cap of 10,000 alerts: each run writes as many, says what is left, and none is dropped.

    On the embedded store, where nothing depends on the number, a tenth of both.
    """
    many, cap = (5_000, 1_000) if watched.world.name == "embedded" else (50_000, 10_000)
    watched.edit(max_alerts=cap)
    watched.tick(-20)
    facts = {"event": {"category": "network"}, "process": {"name": "regsvr32.exe"}}
    index = f"{watched.world.prefix}events-1"
    times = [iso(at(-5) + each // 40 * timedelta(milliseconds=100)) for each in range(many)]
    events = ((index, str(each), {"@timestamp": moment, **facts}) for each, moment in enumerate(times))
    assert index_events(watched.world.store, events) == many
    runs = [watched.tick(40 + run).tally for run in range(5)]
    assert [tally.alerts for tally in runs] == [cap] * 5
    assert [tally.is_capped for tally in runs] == [True] * 4 + [False]
    assert [tally.deferred for tally in runs] == [4 * cap, 3 * cap, 2 * cap, cap, 0]
    found = Counter[str]()
    alerts = f"{watched.world.written}-alerts"
    watched.world.store.refresh([alerts])
    everything: dict[str, Any] = {"match_all": {}}
    for page in watched.world.store.scan(Scan((alerts,), {"all": everything}, everything)):
        assert page.is_whole
        found.update(hit.source["kibana.alert.ancestors"][-1]["id"] for hit in page.hits)
    assert found == Counter(map(str, range(many)))


class Running:
    """A runner in a thread of its own, and what it reports."""

    def __init__(self, store: Store, world: World, rules: Path) -> None:
        self.executions: list[Execution] = []
        settings = RunnerSettings(prefix=world.written, sweep_interval=timedelta())
        self.runner = Runner(store, settings, (rules,), now, self.executions.append)
        self._thread = threading.Thread(target=self.runner.run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()


def await_alerts(world: World, expected: Counter[str], seconds: float) -> None:
    """Wait until the alerts are these events', each once."""
    deadline = time.monotonic() + seconds
    found = Counter[str]()
    while found != expected:
        assert time.monotonic() < deadline, f"missing: {(expected - found).total()}; too many: {found - expected}"
        time.sleep(0.2)
        alerts = stored(world.store, f"{world.written}-alerts")
        found = Counter(
            f"{alert['kibana.alert.rule.rule_id']}/{alert['kibana.alert.ancestors'][-1]['id']}" for alert in alerts
        )


def happen(world: World, *names: str, index: str = "events-1") -> None:
    """Events of now."""
    facts = {"@timestamp": iso(now()), "event": {"category": "network"}, "process": {"name": "regsvr32.exe"}}
    index_events(world.store, [(f"{world.prefix}{index}", name, facts) for name in names])


@ON_A_NODE
def test_rule_slower_than_its_interval(world: World, tmp_path: Path, proxy: FaultProxy, shaky: Store) -> None:
    """A search takes longer than the interval: executions follow each other, never at once, and miss nothing."""
    map_indices(world.store, f"{world.prefix}events-*")
    write_rule(tmp_path, "slow", index=[f"{world.prefix}events-*"], interval="1s", lookback="now-2s")
    proxy.faults = [Fault("POST /_search", Delay(1.5))]
    names = [f"e{number}" for number in range(12)]
    index_events(world.store, [(f"{world.prefix}events-1", "no hit", {"@timestamp": iso(now())})])
    with Running(shaky, world, tmp_path) as running:
        deadline = time.monotonic() + 60
        while not running.executions:  # what happened long before a rule begins is not asked
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for name in names:
            happen(world, name)
            time.sleep(0.5)
        await_alerts(world, Counter(f"slow/{name}" for name in names), 60)
    starts = [execution.started_at for execution in running.executions]
    assert len(starts) >= 3
    assert all(later - earlier >= timedelta(seconds=1.4) for earlier, later in pairwise(starts))


def test_500_rules_due_at_once(world: World, tmp_path: Path) -> None:
    """500 rules in ten batches, due when the runner starts: every one is executed, and alerts its event once."""
    map_indices(world.store, f"{world.prefix}events-*")
    for number in range(500):
        index = f"{world.prefix}events-{number % 10}"
        match = {"process.name": "regsvr32.exe"}
        write_rule(tmp_path, f"rule-{number}", index=[index], match=match, interval="1h", lookback="now-2h")
    for number in range(10):
        happen(world, f"e{number}", index=f"events-{number}")
    with Running(world.store, world, tmp_path) as running:
        deadline = time.monotonic() + 120
        while len(running.executions) < 500:
            assert time.monotonic() < deadline, f"{len(running.executions)} of 500 were executed"
            time.sleep(0.1)
    await_alerts(world, Counter(f"rule-{number}/e{number % 10}" for number in range(500)), 10)
    assert sorted(execution.rule.id for execution in running.executions) == sorted(read(tmp_path).rules)
    assert {execution.status for execution in running.executions} == {Status.SUCCEEDED}
