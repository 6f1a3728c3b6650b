"""Executions that are given too little time lose nothing: who lags most goes first, and every page counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from event_indices import index_events, iso, map_indices, stored
from fault_proxy import Delay, Fault, FaultProxy
from lolbin_rules.execution.patience import TIME_IS_UP
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.load import read
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore
from lolbin_rules.store.port import Store
from ticks import AFTERWARDS, BASE
from worlds import ON_A_NODE, World, now
from written_rules import write_rule

pytestmark = ON_A_NODE

WITHIN = timedelta(seconds=1.5)
"""Time enough for searches that are answered, and soon over for those that are not."""


def answers(searches: int) -> list[Fault]:
    """So many searches are answered, those after them are not."""
    return [Fault("POST /_search", Delay(0), times=searches), Fault("POST /_search", Delay(60))]


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """What makes the node slow."""
    with FaultProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def slow(proxy: FaultProxy, store: Store) -> Iterator[Store]:
    """The store as it is seen through the proxy."""
    slow = ElasticsearchStore(Connection(url=proxy.url), clock=now)
    yield slow
    slow.close()


class Rules:
    """Rules, each of which reads an index of its own, so that none shares a search with another."""

    def __init__(self, world: World, folder: Path, count: int) -> None:
        self.world = world
        map_indices(world.store, f"{world.prefix}events-*")
        for number in range(count):
            write_rule(folder, f"rule-{number}", index=[f"{world.prefix}events-{number}"], max_alerts=1_000)
        self.read = read(folder).raise_if_faulty()

    def happen(self, number: int, count: int) -> list[str]:
        """Events that one of the rules matches, a second apart, in the minutes before the first tick; their ids."""
        names = [f"{number}-{each}" for each in range(count)]
        facts = {"event": {"category": "network"}, "process": {"name": "regsvr32.exe"}}
        start = BASE - timedelta(seconds=count)
        events = [
            (f"{self.world.prefix}events-{number}", name, {"@timestamp": iso(start + timedelta(seconds=each)), **facts})
            for each, name in enumerate(names)
        ]
        index_events(self.world.store, events)
        return names

    def tick(self, store: Store, minutes: float, within: timedelta | None = None) -> dict[str, Execution]:
        """One scheduled execution of all of them."""
        rules = list(self.read.rules.values())
        orders = Orders(rules, {}, BASE + timedelta(minutes=minutes), prefix=self.world.written, within=within)
        return {execution.rule.id: execution for execution in execute(orders, store)}

    def alerted(self) -> Counter[str]:
        """How many alerts each event has."""
        alerts = stored(self.world.store, f"{self.world.written}-alerts")
        return Counter(alert["kibana.alert.ancestors"][-1]["id"] for alert in alerts)


def test_rules_for_which_there_was_no_time_go_first_next_time(
    slow: Store, store: Store, world: World, tmp_path: Path, proxy: FaultProxy
) -> None:
    """Time for two searches of six: after three executions every rule has had its turn, and every event its alert."""
    rules = Rules(world, tmp_path, count=6)
    names = [name for number in range(6) for name in rules.happen(number, 2)]
    rules.tick(store, -4)
    turns = []
    for minutes in range(3):
        proxy.faults = answers(2)
        found = rules.tick(slow, minutes, within=WITHIN)
        done = {name for name, execution in found.items() if execution.status is Status.SUCCEEDED}
        reasons = Counter(execution.reason for name, execution in found.items() if name not in done)
        assert reasons[TIME_IS_UP] == 3, reasons  # the third search was cut short
        turns.append(done)
    assert [len(done) for done in turns] == [2, 2, 2]
    assert set.union(*turns) == rules.read.rules.keys()
    assert rules.alerted() == Counter(names)


def test_a_window_that_is_too_large_for_one_execution_is_got_through_page_by_page(
    slow: Store, store: Store, world: World, tmp_path: Path, proxy: FaultProxy
) -> None:
    """Each execution has time for a page; what it read is not read again, and in the end all is alerted once."""
    rules = Rules(world, tmp_path, count=1)
    rules.tick(store, -30)
    names = rules.happen(0, 450)
    proxy.faults = answers(1)
    first = rules.tick(slow, 1, within=WITHIN)["rule-0"]
    assert (first.status, first.tally.alerts) == (Status.PARTIAL_FAILURE, 100)
    assert first.tally.searched
    proxy.faults = []
    later = rules.tick(slow, (AFTERWARDS - BASE) / timedelta(minutes=1))["rule-0"]
    assert later.status is Status.SUCCEEDED, later.reason
    assert rules.alerted() == Counter(names)
