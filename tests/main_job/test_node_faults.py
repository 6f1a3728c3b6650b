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
from fault_proxy import Action, CutAfter, CutBefore, Delay, Fault, FaultProxy, Reset, Respond, Rewrite
from generated_outcomes import alerted, expected_folds, folds
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
    ("a reset connection", SEARCH, Reset(), Status.FAILED),
    ("shards out of time", SEARCH, Rewrite(shards_out_of_time), Status.PARTIAL_FAILURE),
    ("no point in time", r"POST /.*/_pit", Respond(503, {"error": {"type": "x"}}), Status.FAILED),
    ("the whole node gone", r".*", CutBefore(), Status.FAILED),
    ("no field types", r"_field_caps", Respond(503, {"error": {"type": "x"}}), Status.FAILED),
    ("no alerts written", r"POST /_bulk", CutBefore(), Status.FAILED),
    ("written, but no word of it", r"POST /_bulk", CutAfter(), Status.FAILED),
    ("written, and the connection reset", r"POST /_bulk", Reset(), Status.FAILED),
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


def test_some_shards_failed_and_their_window_is_searched_again(
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


@pytest.mark.parametrize("block", ["write", "read_only_allow_delete"])
def test_failing_alert_write_for_want_of_disk_or_by_a_block(
    block: str,
    client: Elasticsearch,
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
    proxy: FaultProxy,
    shaky: Store,
) -> None:
    """The alert index takes no more in the midst of an execution, as when a disk is full; later it does again."""
    index = f"{world.written}-alerts-2024.03"
    many = events.burst("regsvr32", seed=13, at=BASE - timedelta(minutes=3), size=300)
    index_events(store, [(world.prefix + events.WINLOGBEAT_8, event.id, event.source) for event in many.events])
    runner.rules[0] = runner.rules[0].model_copy(update={"max_alerts": 1_000})
    hits = Counter(event.id for event in (*made[0].hits, *many.hits))

    def shut(answer: dict[str, Any]) -> dict[str, Any]:
        if any(result["status"] == 201 for item in answer["items"] for result in item.values()):
            client.indices.put_settings(index=index, settings={f"index.blocks.{block}": True})
        return answer

    runner.tick(shaky, BASE - timedelta(minutes=30))
    client.indices.create(index=index)
    proxy.faults = [Fault(r"POST /_bulk.*", Rewrite(shut))]
    first = runner.tick(shaky, BASE + timedelta(minutes=2))
    for execution in first.values():
        assert execution.status is not Status.SUCCEEDED
        assert "block" in execution.reason
    assert 0 < sum(execution.tally.alerts for execution in first.values()) < hits.total()
    proxy.faults = []
    blocked = runner.tick(shaky, BASE + timedelta(minutes=4))
    assert {each.tally.alerts for each in blocked.values()} == {0}
    client.indices.put_settings(index=index, settings={f"index.blocks.{block}": None})
    assert {each.status for each in runner.tick(shaky, AFTERWARDS).values()} == {Status.SUCCEEDED}
    alerts = stored(store, f"{world.written}-alerts")
    assert alerted(alerts)[made[0].rule_id] == hits
    of_groups = [alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == made[1].rule_id]
    assert folds(of_groups) == expected_folds(made[1])
