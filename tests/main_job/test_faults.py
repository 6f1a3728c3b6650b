"""Whatever goes wrong with indices, rules and runners, nothing is lost and nothing is alerted twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

import generated_events as events
from event_indices import MAPPING, index_events, iso, map_indices, stored, under
from generated_outcomes import alerted, load
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Document, Key, Put, Store, Verdict
from ticks import AFTERWARDS, BASE, Made, Runner, assert_complete
from worlds import World, now


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
def test_one_index_with_a_field_of_the_wrong_type_among_healthy_ones(
    mapping: Callable[[], dict[str, Any]],
    field: str,
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
) -> None:
    """The status names rule, index, field and remedy; the other indices' hits are alerted; no exclusion is lost."""
    bad = f"{world.prefix}winlogbeat-bad"
    map_indices(store, bad, mapping=mapping())
    document = {**made[0].hits[0].source, "destination": {"ip": "10.0.0.1"}}
    index_events(store, [(bad, "excluded", document)])
    first = runner.tick(store, BASE + timedelta(minutes=2))
    for execution in first.values():
        assert execution.status is Status.PARTIAL_FAILURE, execution.reason
        assert {bad, field} <= set(execution.reason.replace(",", " ").split()), execution.reason
        assert "reindex" in execution.reason
    assert_complete(world, made)
    world.remove(bad)
    assert {each.status for each in runner.tick(store, AFTERWARDS).values()} == {Status.SUCCEEDED}


def test_an_empty_index_without_a_mapping_is_no_problem(store: Store, made: Made, runner: Runner, world: World) -> None:
    """An index that was just made has no fields yet, and nothing in it to miss."""
    new = f"{world.prefix}winlogbeat-new"
    (refused,) = store.create([Document(Key(new, "refused"), {"": 1})])
    assert refused.verdict is Verdict.REJECTED
    assert store.field_types([new], []).indices == {new: {new}}
    first = runner.tick(store, BASE + timedelta(minutes=2))
    assert {each.status for each in first.values()} == {Status.SUCCEEDED}, [each.reason for each in first.values()]


def test_an_index_name_that_matches_nothing_is_said_and_searched_when_it_appears(
    store: Store, runner: Runner, world: World
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
    load(store, world.prefix, made)
    runner.tick(store, AFTERWARDS)
    assert_complete(world, made)


def test_an_alert_that_the_index_refuses_is_kept(
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
) -> None:
    """It is written without its source, the source goes to the dead letters, and the time is covered all the same."""
    strict = {"dynamic": "false", "properties": {"host": {"properties": {"name": {"type": "date"}}}}}
    (alerts,) = (template for template in templates(world.written) if template.name.endswith("-alerts"))
    body = {**alerts.body, "mappings": strict, "settings": {"index.mapping.ignore_malformed": False}}
    assert store.prepare([replace(alerts, version=alerts.version + 1, body=body)])
    first = runner.tick(store, BASE + timedelta(minutes=2))["network-connection-via-regsvr32"]
    assert first.status is Status.PARTIAL_FAILURE, first.reason
    assert first.tally.dead_letters == first.tally.alerts == len(made[0].hits)
    assert "dead letters" in first.reason
    assert first.tally.searched
    assert_complete(world, made)
    letters = stored(store, f"{world.written}-dead-letters")
    groups = len(made[1].folds())
    assert len(letters) == len(made[0].hits) + groups
    assert all(letter["reason"] for letter in letters)
    again = runner.tick(store, BASE + timedelta(minutes=4))
    assert {each.status for each in again.values()} == {Status.SUCCEEDED}, [each.reason for each in again.values()]
    assert len(stored(store, f"{world.written}-dead-letters")) == len(letters)


def test_a_collision_of_ids_fails_loudly(
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
) -> None:
    """An id that is taken by another event's alert is no duplicate; every other alert is written."""
    runner.tick(store, BASE + timedelta(minutes=2))
    victim = stored(store, f"{world.written}-alerts", {"term": {"kibana.alert.rule.rule_id": made[0].rule_id}})[0]
    forged = {key: value for key, value in victim.items() if not key.startswith("_")}
    forged["kibana.alert.ancestors"] = [{**victim["kibana.alert.ancestors"][0], "id": "another event"}]
    (found,) = store.get([Key(victim["_index"], victim["_id"])])
    assert found
    assert [outcome.verdict for outcome in store.put([Put(Document(found.key, forged), found.seen)])] == [
        Verdict.UPDATED
    ]
    again = runner.tick(store, BASE + timedelta(minutes=3))[made[0].rule_id]
    assert again.status is not Status.SUCCEEDED
    assert victim["_id"] in again.reason
    assert "another event" in again.reason
    event_time = datetime.fromisoformat(victim["kibana.alert.original_time"])
    assert not any(window.start <= event_time < window.end for window in again.tally.searched)
    assert again.tally.searched


def test_two_runners_at_once_alert_once(
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
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
    assert_complete(world, made)
    created = Counter[str]()
    for result in results:
        for rule_id, execution in result.items():
            assert execution.status is Status.SUCCEEDED, execution.reason
            created[rule_id] += execution.tally.alerts
    assert created == {made[0].rule_id: len(made[0].hits), made[1].rule_id: len(made[1].folds())}
    assert {each.tally.alerts for each in runner.tick(store, BASE + timedelta(minutes=5)).values()} == {0}


def test_one_faulty_rule_never_stops_the_others(
    store: Store,
    made: Made,
    runner: Runner,
    world: World,
) -> None:
    """A rule whose query the store refuses, or whose template cannot be filled, fails alone and says why."""
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
    assert_complete(world, made)
    assert found["template"].status is Status.FAILED
    assert "nosuch" in found["template"].reason
    assert found["range"].status is not Status.SUCCEEDED
    assert "no date" in found["range"].reason
    records = stored(store, f"{world.written}-executions")
    assert {record["rule"]["id"] for record in records} == set(found)
    assert {record["execution"]["status"] for record in records} >= {"succeeded", "failed"}


def test_a_cap_reached_in_a_partial_answer_is_not_believed(all_rules: RuleSet, store: Store, world: World) -> None:
    """Another rule's query breaks a shard that holds an earlier hit: asked alone, the rule under its cap finds that."""
    without_created = {
        **MAPPING,
        "properties": {**MAPPING["properties"], "event": {"properties": {}}},
        "dynamic": False,
    }
    without_created["properties"]["event"] = {
        "properties": {"category": {"type": "keyword"}, "type": {"type": "keyword"}}
    }
    map_indices(store, f"{world.prefix}winlogbeat-broken")
    map_indices(store, f"{world.prefix}winlogbeat-sound", mapping=without_created)
    early = events.burst("regsvr32", seed=31, at=BASE - timedelta(minutes=2), size=1).events
    late = [
        events.burst("regsvr32", seed=seed, at=BASE - timedelta(minutes=1, seconds=-seed), size=1).events[0]
        for seed in (32, 33)
    ]
    index_events(store, [(f"{world.prefix}winlogbeat-broken", event.id, event.source) for event in early])
    index_events(store, [(f"{world.prefix}winlogbeat-sound", event.id, event.source) for event in late])
    capped = under(world.prefix, all_rules.rules["network-connection-via-regsvr32"], max_alerts=1)
    faulty = Rule.model_validate({**capped.model_dump(), "id": "range", "match": {"event.created": {"gte": "no date"}}})
    runner = Runner(all_rules, [capped, faulty], world.written)
    for minutes in range(4):
        found = runner.tick(store, BASE + timedelta(minutes=minutes))[capped.id]
        alerts = alerted(stored(store, f"{world.written}-alerts")).get(capped.id, Counter())
        for event in (*early, *late):
            if any(window.start <= event.timestamp < window.end for window in found.tally.searched):
                assert alerts[event.id] == 1, (minutes, event.id)
    assert alerts == Counter(event.id for event in (*early, *late))


def test_a_rule_over_alerts_never_alerts_on_its_own(store: Store, runner: Runner, world: World, made: Made) -> None:
    """A rule that reads the alert index makes alerts of others' alerts, of greater depth, and none of its own."""
    runner.rules = [
        runner.rules[0],
        runner.rules[0].model_copy(update={"id": "meta", "index": (f"{world.written}-alerts",), "exclude": {}}),
    ]
    meta = Runner(runner.ruleset, [runner.rules[1]], world.written)
    runner.rules = runner.rules[:1]
    runner.tick(store, BASE + timedelta(minutes=2))
    store.refresh([f"{world.written}-alerts"])
    ahead = now() + timedelta(hours=1)  # the cluster's clock decides
    time.sleep(1.1)  # which tells whole seconds
    first = meta.tick(store, ahead)["meta"]
    assert first.tally.alerts == len(made[0].hits), first.reason
    store.refresh([f"{world.written}-alerts"])
    time.sleep(1.1)
    second = meta.tick(store, ahead)["meta"]
    assert second.tally.alerts == 0
    depths = Counter(alert["kibana.alert.depth"] for alert in stored(store, f"{world.written}-alerts"))
    assert depths == {1: len(made[0].hits), 2: len(made[0].hits)}


def test_times_are_as_documents_write_them() -> None:
    """The tests' own clock text is that of the documents."""
    assert iso(BASE) == "2024-03-05T12:00:00.000Z"
