"""Faults of a node and of the way to it: nothing is lost and nothing is alerted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

import generated_events as events
from event_indices import MAPPING, index_events, stored
from fault_proxy import Action, CutAfter, CutBefore, Delay, Fault, FaultProxy, Respond, Rewrite
from generated_outcomes import alerted
from lolbin_rules.execution.record import Status
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries
from lolbin_rules.store.port import Store
from ticks import AFTERWARDS, BASE, Made, Runner, assert_complete
from worlds import ON_A_NODE, World, now

pytestmark = ON_A_NODE

IMPATIENT = Retries(attempts=2, first_wait=timedelta(milliseconds=10), longest_wait=timedelta(milliseconds=50))


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """What stands between the store under test and the node."""
    with FaultProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def shaky(proxy: FaultProxy, store: Store) -> Iterator[Store]:
    """A store that goes through the proxy and does not wait for long."""
    connection = Connection(url=proxy.url, request_timeout=timedelta(seconds=2))
    shaky = ElasticsearchStore(connection, clock=now, retries=IMPATIENT)
    yield shaky
    shaky.close()


def shards_out_of_time(answer: dict[str, Any]) -> dict[str, Any]:
    """A search answer of a node that gave up on some shards."""
    return {**answer, "timed_out": True}


SEARCH = r"POST /_search"
FAULTS: list[tuple[str, str, Action, Status]] = [
    ("too many requests", SEARCH, Respond(429, {"error": {"type": "es_rejected_execution_exception"}}), Status.FAILED),
    ("unavailable", SEARCH, Respond(503, {"error": {"type": "unavailable_shards_exception"}}), Status.FAILED),
    ("a gateway's page", SEARCH, Respond(502, b"<html>Bad Gateway</html>"), Status.FAILED),
    ("a cut connection", SEARCH, CutBefore(), Status.FAILED),
    ("no answer in time", SEARCH, Delay(3), Status.FAILED),
    ("shards out of time", SEARCH, Rewrite(shards_out_of_time), Status.PARTIAL_FAILURE),
    ("no point in time", r"POST /.*/_pit", Respond(503, {"error": {"type": "x"}}), Status.FAILED),
    ("the whole node gone", r".*", CutBefore(), Status.FAILED),
    ("no field types", r"_field_caps", Respond(503, {"error": {"type": "x"}}), Status.FAILED),
    ("no alerts written", r"POST /_bulk", CutBefore(), Status.FAILED),
    ("written, but no word of it", r"POST /_bulk", CutAfter(), Status.FAILED),
    ("nothing read back", r"POST /_mget", CutBefore(), Status.FAILED),
    ("no fold", r"-suppressed/_search", Respond(503, {"error": {"type": "x"}}), Status.FAILED),
]


@pytest.mark.parametrize(
    ("pattern", "action", "status"), [each[1:] for each in FAULTS], ids=[each[0] for each in FAULTS]
)
def test_what_a_failed_execution_did_not_do_is_done_later(
    pattern: str,
    action: Action,
    status: Status,
    proxy: FaultProxy,
    shaky: Store,
    made: Made,
    runner: Runner,
    world: World,
) -> None:
    """A tick under each fault is no success; a later one, whose own window is past the events, finds them all."""
    runner.tick(shaky, BASE - timedelta(minutes=30))  # both rules are known and in force
    proxy.faults = [Fault(pattern, action)]
    failed = runner.tick(shaky, BASE + timedelta(minutes=2))
    worst = failed["network-connection-via-regsvcs"]
    assert worst.status is status, worst.reason
    assert worst.reason
    assert not worst.tally.searched
    proxy.faults = []
    later = runner.tick(shaky, AFTERWARDS)
    assert {each.status for each in later.values()} == {Status.SUCCEEDED}, [each.reason for each in later.values()]
    assert_complete(world, made)
    again = runner.tick(shaky, AFTERWARDS + timedelta(minutes=5))
    assert {each.tally.alerts for each in again.values()} == {0}


def test_a_dead_shard_is_named_and_its_window_searched_again(
    client: Elasticsearch,
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
) -> None:
    """Hits of the healthy shards are alerted at once; nothing is believed until the dead one answers."""
    nowhere = {"index.routing.allocation.require.nosuch": "node"}
    dead = f"{world.prefix}winlogbeat-dead"
    client.indices.create(
        index=dead, mappings=MAPPING, settings={"number_of_replicas": 0, **nowhere}, wait_for_active_shards=0
    )
    partial = runner.tick(store, BASE + timedelta(minutes=2))
    for execution in partial.values():
        assert execution.status is Status.PARTIAL_FAILURE, execution.reason
        assert dead in execution.reason
        assert not execution.tally.searched
    assert_complete(world, made)
    client.indices.put_settings(index=dead, settings={"index.routing.allocation.require.nosuch": None})
    client.cluster.health(index=dead, wait_for_status="green", timeout="10s")
    late = events.burst("regsvr32", seed=12, at=BASE, size=3)
    index_events(store, [(dead, event.id, event.source) for event in late.events])
    assert {each.status for each in runner.tick(store, AFTERWARDS).values()} == {Status.SUCCEEDED}
    found = alerted(stored(store, f"{world.written}-alerts"))["network-connection-via-regsvr32"]
    assert found == Counter(event.id for event in (*made[0].hits, *late.hits))


def test_a_closed_alert_index_stops_belief_until_it_opens(
    client: Elasticsearch,
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
    shaky: Store,
) -> None:
    """While the alert index takes no writes (a full disk, a person's block) its time stays uncovered."""
    index = f"{world.written}-alerts-2024.03"
    client.indices.create(index=index)
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    first = runner.tick(shaky, BASE + timedelta(minutes=2))
    for execution in first.values():
        assert execution.status is not Status.SUCCEEDED
        assert "block" in execution.reason
        assert execution.tally.alerts == 0
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})
    assert {each.status for each in runner.tick(shaky, AFTERWARDS).values()} == {Status.SUCCEEDED}
    assert_complete(world, made)
