"""Whatever fails between a rule and its alerts, nothing is lost and nothing is alerted twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

import generated_events as events
from event_indices import MAPPING, create_index, index_events, iso, stored, under
from fault_proxy import Action, CutAfter, CutBefore, Delay, Fault, FaultProxy, Respond, Rewrite
from generated_outcomes import alerted, expected_folds, folds, load
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
AFTERWARDS = BASE + timedelta(minutes=40)
IMPATIENT = Retries(attempts=2, first_wait=timedelta(milliseconds=10), longest_wait=timedelta(milliseconds=50))


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """What stands between the store under test and the node."""
    with FaultProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def shaky(proxy: FaultProxy, store: ElasticsearchStore) -> Iterator[ElasticsearchStore]:
    """A store that goes through the proxy and does not wait for long."""
    connection = Connection(url=proxy.url, request_timeout=timedelta(seconds=2))
    shaky = ElasticsearchStore(connection, clock=lambda: datetime.now(UTC), retries=IMPATIENT)
    yield shaky
    shaky.close()


@pytest.fixture
def made(client: Elasticsearch, index_prefix: str) -> tuple[events.GeneratedSet, events.GeneratedSet]:
    """Events for a rule that alerts on each, and for one that groups, within four minutes before the first tick."""
    sets = (
        events.generate("regsvr32", seed=11, base_time=BASE - timedelta(minutes=4), hits=30, near_misses=3),
        events.regsvcs_groups(seed=11, base_time=BASE, sizes=range(1, 9), spread=timedelta(minutes=2)),
    )
    load(client, index_prefix, sets)
    return sets


class Runner:
    """Ticks of the same rules."""

    def __init__(self, ruleset: RuleSet, rules: list[Rule], prefix: str) -> None:
        self.ruleset = ruleset
        self.rules = rules
        self.prefix = prefix

    def tick(self, store: ElasticsearchStore, at: datetime) -> dict[str, Execution]:
        """One scheduled execution of each rule."""
        orders = Orders(self.rules, self.ruleset.lists, at, prefix=self.prefix, search_within=timedelta(seconds=2))
        executions = execute(orders, store)
        return {execution.rule.id: execution for execution in executions}


@pytest.fixture
def runner(all_rules: RuleSet, index_prefix: str, prefix: str) -> Runner:
    """The shipped rules of the events above."""
    ids = ("network-connection-via-regsvr32", "network-connection-via-regsvcs")
    return Runner(all_rules, [under(index_prefix, all_rules.rules[name]) for name in ids], prefix)


def assert_complete(client: Elasticsearch, prefix: str, made: tuple[events.GeneratedSet, events.GeneratedSet]) -> None:
    """Every hit is alerted once, and every group counted exactly."""
    alerts = stored(client, f"{prefix}-alerts")
    per_event, per_group = made
    assert alerted(alerts)[per_event.rule_id] == Counter(event.id for event in per_event.hits)
    assert folds(
        alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == per_group.rule_id
    ) == expected_folds(per_group)


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
    client: Elasticsearch,
    proxy: FaultProxy,
    shaky: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    prefix: str,
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
    assert_complete(client, prefix, made)
    again = runner.tick(shaky, AFTERWARDS + timedelta(minutes=5))
    assert {each.tally.alerts for each in again.values()} == {0}


def test_a_dead_shard_is_named_and_its_window_searched_again(
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    index_prefix: str,
    prefix: str,
) -> None:
    """Hits of the healthy shards are alerted at once; nothing is believed until the dead one answers."""
    nowhere = {"index.routing.allocation.require.nosuch": "node"}
    dead = f"{index_prefix}winlogbeat-dead"
    client.indices.create(
        index=dead, mappings=MAPPING, settings={"number_of_replicas": 0, **nowhere}, wait_for_active_shards=0
    )
    partial = runner.tick(store, BASE + timedelta(minutes=2))
    for execution in partial.values():
        assert execution.status is Status.PARTIAL_FAILURE, execution.reason
        assert dead in execution.reason
        assert not execution.tally.searched
    assert_complete(client, prefix, made)
    client.indices.put_settings(index=dead, settings={"index.routing.allocation.require.nosuch": None})
    client.cluster.health(index=dead, wait_for_status="green", timeout="10s")
    late = events.burst("regsvr32", seed=12, at=BASE, size=3)
    index_events(client, [(dead, event.id, event.source) for event in late.events])
    assert {each.status for each in runner.tick(store, AFTERWARDS).values()} == {Status.SUCCEEDED}
    found = alerted(stored(client, f"{prefix}-alerts"))["network-connection-via-regsvr32"]
    assert found == Counter(event.id for event in (*made[0].hits, *late.hits))


def _without_timestamp() -> dict[str, Any]:
    return {"properties": {"destination": {"properties": {"ip": {"type": "ip"}}}}, "dynamic": False}


def _address_as_text() -> dict[str, Any]:
    return {
        **MAPPING,
        "properties": {**MAPPING["properties"], "destination": {"properties": {"ip": {"type": "keyword"}}}},
    }


def _time_as_text() -> dict[str, Any]:
    return {**MAPPING, "properties": {**MAPPING["properties"], "@timestamp": {"type": "keyword"}}}


@pytest.mark.parametrize(
    ("mapping", "field"),
    [(_without_timestamp, "@timestamp"), (_time_as_text, "@timestamp"), (_address_as_text, "destination.ip")],
)
def test_an_index_that_a_rule_cannot_be_asked_of_is_named(
    mapping: Callable[[], dict[str, Any]],
    field: str,
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    index_prefix: str,
    prefix: str,
) -> None:
    """The status names rule, index, field and remedy; the other indices' hits are alerted; no exclusion is lost."""
    bad = f"{index_prefix}winlogbeat-bad"
    create_index(client, bad, mapping())
    document = {**made[0].hits[0].source, "destination": {"ip": "10.0.0.1"}}
    index_events(client, [(bad, "excluded", document)])
    first = runner.tick(store, BASE + timedelta(minutes=2))
    for execution in first.values():
        assert execution.status is Status.PARTIAL_FAILURE, execution.reason
        assert {bad, field} <= set(execution.reason.replace(",", " ").split()), execution.reason
        assert "reindex" in execution.reason
    assert_complete(client, prefix, made)
    client.indices.delete(index=bad)
    assert {each.status for each in runner.tick(store, AFTERWARDS).values()} == {Status.SUCCEEDED}


def test_an_empty_index_without_a_mapping_is_no_problem(
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    index_prefix: str,
) -> None:
    """An index that was just made has no fields yet, and nothing in it to miss."""
    client.indices.create(index=f"{index_prefix}winlogbeat-new")
    first = runner.tick(store, BASE + timedelta(minutes=2))
    assert {each.status for each in first.values()} == {Status.SUCCEEDED}, [each.reason for each in first.values()]


def test_a_missing_index_is_said_and_searched_when_it_appears(
    client: Elasticsearch, store: ElasticsearchStore, runner: Runner, index_prefix: str, prefix: str
) -> None:
    """Where no index matches nothing is believed; one that comes within the horizon is searched from the start."""
    first = runner.tick(store, BASE + timedelta(minutes=2))
    for execution in first.values():
        assert execution.status is Status.PARTIAL_FAILURE
        assert "No index matches" in execution.reason
        assert not execution.tally.searched
    made = (
        events.generate("regsvr32", seed=11, base_time=BASE - timedelta(minutes=4), hits=5, near_misses=1),
        events.regsvcs_groups(seed=11, base_time=BASE, sizes=range(1, 3), spread=timedelta(minutes=1)),
    )
    load(client, index_prefix, made)
    runner.tick(store, AFTERWARDS)
    assert_complete(client, prefix, made)


def test_an_alert_that_the_index_refuses_is_kept(
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    prefix: str,
) -> None:
    """It is written without its source, the source goes to the dead letters, and the time is covered all the same."""
    strict = {"dynamic": "false", "properties": {"host": {"properties": {"name": {"type": "date"}}}}}
    client.indices.create(
        index=f"{prefix}-alerts-2024.03", mappings=strict, settings={"index.mapping.ignore_malformed": False}
    )
    first = runner.tick(store, BASE + timedelta(minutes=2))["network-connection-via-regsvr32"]
    assert first.status is Status.PARTIAL_FAILURE, first.reason
    assert first.tally.dead_letters == first.tally.alerts == len(made[0].hits)
    assert "dead letters" in first.reason
    assert first.tally.searched
    assert_complete(client, prefix, made)
    letters = stored(client, f"{prefix}-dead-letters")
    groups = len(made[1].folds())
    assert len(letters) == len(made[0].hits) + groups
    assert all(letter["reason"] for letter in letters)
    again = runner.tick(store, BASE + timedelta(minutes=4))
    assert {each.status for each in again.values()} == {Status.SUCCEEDED}, [each.reason for each in again.values()]
    assert len(stored(client, f"{prefix}-dead-letters")) == len(letters)


def test_a_closed_alert_index_stops_belief_until_it_opens(
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    prefix: str,
    proxy: FaultProxy,
    shaky: ElasticsearchStore,
) -> None:
    """While the alert index takes no writes (a full disk, a person's block) its time stays uncovered."""
    index = f"{prefix}-alerts-2024.03"
    client.indices.create(index=index)
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    first = runner.tick(shaky, BASE + timedelta(minutes=2))
    for execution in first.values():
        assert execution.status is not Status.SUCCEEDED
        assert "block" in execution.reason
        assert execution.tally.alerts == 0
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})
    assert {each.status for each in runner.tick(shaky, AFTERWARDS).values()} == {Status.SUCCEEDED}
    assert_complete(client, prefix, made)


def test_a_collision_of_ids_fails_loudly(
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    prefix: str,
) -> None:
    """An id that is taken by another event's alert is no duplicate; every other alert is written."""
    runner.tick(store, BASE + timedelta(minutes=2))
    victim = stored(client, f"{prefix}-alerts", {"term": {"kibana.alert.rule.rule_id": made[0].rule_id}})[0]
    forged = {key: value for key, value in victim.items() if not key.startswith("_")}
    forged["kibana.alert.ancestors"] = [{**victim["kibana.alert.ancestors"][0], "id": "another event"}]
    client.index(index=victim["_index"], id=victim["_id"], document=forged, refresh=True)
    again = runner.tick(store, BASE + timedelta(minutes=3))[made[0].rule_id]
    assert again.status is not Status.SUCCEEDED
    assert victim["_id"] in again.reason
    assert "another event" in again.reason
    event_time = datetime.fromisoformat(victim["kibana.alert.original_time"])
    assert not any(window.start <= event_time < window.end for window in again.tally.searched)
    assert again.tally.searched


def test_two_runners_at_once_alert_once(
    client: Elasticsearch,
    elasticsearch_url: str,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    prefix: str,
) -> None:
    """Executions side by side write each alert once, count groups exactly and keep each other's coverage."""
    results: list[dict[str, Execution]] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        results.append(runner.tick(store, BASE + timedelta(minutes=2, seconds=number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert_complete(client, prefix, made)
    created = Counter[str]()
    for result in results:
        for rule_id, execution in result.items():
            assert execution.status is Status.SUCCEEDED, execution.reason
            created[rule_id] += execution.tally.alerts
    assert created == {made[0].rule_id: len(made[0].hits), made[1].rule_id: len(made[1].folds())}
    assert {each.tally.alerts for each in runner.tick(store, BASE + timedelta(minutes=5)).values()} == {0}


def test_one_faulty_rule_never_stops_the_others(
    client: Elasticsearch,
    store: ElasticsearchStore,
    made: tuple[events.GeneratedSet, events.GeneratedSet],
    runner: Runner,
    prefix: str,
) -> None:
    """A rule whose query the node refuses, or whose template cannot be filled, fails alone and says why."""
    good = runner.rules[0]
    deep = "(" * 400 + "a" + ")" * 400
    refused = Rule.model_validate(
        {**good.model_dump(), "id": "refused", "match": {"process.name": {"wildcard": "*" * 10 + deep}}}
    )
    broken_range = Rule.model_validate(
        {**good.model_dump(), "id": "range", "match": {"event.created": {"gte": "no date"}}}
    )
    template = Rule.model_validate(
        {**good.model_dump(), "id": "template", "match": {"process.name": "{{ vars.nosuch }}"}}
    )
    runner.rules += [refused, broken_range, template]
    found = runner.tick(store, BASE + timedelta(minutes=2))
    assert found[made[0].rule_id].status is Status.SUCCEEDED, found[made[0].rule_id].reason
    assert found[made[1].rule_id].status is Status.SUCCEEDED, found[made[1].rule_id].reason
    assert_complete(client, prefix, made)
    assert found["template"].status is Status.FAILED
    assert "nosuch" in found["template"].reason
    assert found["range"].status is not Status.SUCCEEDED
    assert "no date" in found["range"].reason
    records = stored(client, f"{prefix}-executions")
    assert {record["rule"]["id"] for record in records} == set(found)
    assert {record["execution"]["status"] for record in records} >= {"succeeded", "failed"}


def test_a_cap_reached_in_a_partial_answer_is_not_believed(
    all_rules: RuleSet, client: Elasticsearch, store: ElasticsearchStore, index_prefix: str, prefix: str
) -> None:
    """Another rule's query breaks a shard that holds an earlier hit: asked alone, the rule under its cap finds that."""
    without_created = {
        **MAPPING,
        "properties": {**MAPPING["properties"], "event": {"properties": {}}},
        "dynamic": False,
    }
    without_created["properties"]["event"] = {
        "properties": {"category": {"type": "keyword"}, "type": {"type": "keyword"}}
    }
    create_index(client, f"{index_prefix}winlogbeat-broken")
    create_index(client, f"{index_prefix}winlogbeat-sound", without_created)
    early = events.burst("regsvr32", seed=31, at=BASE - timedelta(minutes=2), size=1).events
    late = [
        events.burst("regsvr32", seed=seed, at=BASE - timedelta(minutes=1, seconds=-seed), size=1).events[0]
        for seed in (32, 33)
    ]
    index_events(client, [(f"{index_prefix}winlogbeat-broken", event.id, event.source) for event in early])
    index_events(client, [(f"{index_prefix}winlogbeat-sound", event.id, event.source) for event in late])
    capped = under(index_prefix, all_rules.rules["network-connection-via-regsvr32"], max_alerts=1)
    faulty = Rule.model_validate({**capped.model_dump(), "id": "range", "match": {"event.created": {"gte": "no date"}}})
    runner = Runner(all_rules, [capped, faulty], prefix)
    for minutes in range(4):
        found = runner.tick(store, BASE + timedelta(minutes=minutes))[capped.id]
        alerts = alerted(stored(client, f"{prefix}-alerts")).get(capped.id, Counter())
        for event in (*early, *late):
            if any(window.start <= event.timestamp < window.end for window in found.tally.searched):
                assert alerts[event.id] == 1, (minutes, event.id)
    assert alerts == Counter(event.id for event in (*early, *late))


def test_a_rule_over_alerts_never_alerts_on_its_own(
    client: Elasticsearch, store: ElasticsearchStore, runner: Runner, prefix: str, made: Any
) -> None:
    """A rule that reads the alert index makes alerts of others' alerts, of greater depth, and none of its own."""
    runner.rules = [
        runner.rules[0],
        runner.rules[0].model_copy(update={"id": "meta", "index": (f"{prefix}-alerts",), "exclude": {}}),
    ]
    meta = Runner(runner.ruleset, [runner.rules[1]], prefix)
    runner.rules = runner.rules[:1]
    runner.tick(store, BASE + timedelta(minutes=2))
    client.indices.refresh(index=f"{prefix}-alerts")
    ahead = datetime.now(UTC) + timedelta(hours=1)  # the cluster's clock decides
    time.sleep(1.1)  # which tells whole seconds
    first = meta.tick(store, ahead)["meta"]
    assert first.tally.alerts == len(made[0].hits), first.reason
    client.indices.refresh(index=f"{prefix}-alerts")
    time.sleep(1.1)
    second = meta.tick(store, ahead)["meta"]
    assert second.tally.alerts == 0
    depths = Counter(alert["kibana.alert.depth"] for alert in stored(client, f"{prefix}-alerts"))
    assert depths == {1: len(made[0].hits), 2: len(made[0].hits)}


def test_times_are_as_documents_write_them() -> None:
    """The tests' own clock text is that of the documents."""
    assert iso(BASE) == "2024-03-05T12:00:00.000Z"
