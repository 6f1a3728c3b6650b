"""Generated events in a store: every hit one alert, nothing else, whatever the caps, overlaps and shared times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

import generated_events as events
from event_indices import stored, under
from generated_outcomes import alerted, expected_folds, folds, load, write
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store
from worlds import World

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
SEEDS: tuple[events.RuleKey, ...] = ("regsvr32", "rundll32", "regsvcs")


def tick(rules: Sequence[Rule], ruleset: RuleSet, world: World, *, at: datetime) -> list[Execution]:
    """One scheduled execution of each rule."""
    return execute(Orders(rules, ruleset.lists, at, prefix=world.written), world.store)


@pytest.mark.parametrize("key", SEEDS)
def test_each_seed_rule_alerts_on_every_hit_and_on_nothing_else(
    key: events.RuleKey,
    all_rules: RuleSet,
    store: Store,
    world: World,
) -> None:
    """At least 300 hits in every case, address family and at every edge; three overlapping ticks; each alert once."""
    made = events.generate(key, seed=7, base_time=BASE)
    assert len(made.hits) >= 300
    load(store, world.prefix, [made])
    source = all_rules.rules[f"source-{key}"]
    shipped = all_rules.rules[made.rule_id]
    rules = [under(world.prefix, rule, max_alerts=10_000) for rule in (shipped, source)]
    executions = [
        execution
        for minutes in (3, 5, 8)
        for execution in tick(rules, all_rules, world, at=BASE + timedelta(minutes=minutes))
    ]
    assert {execution.status for execution in executions} == {Status.SUCCEEDED}, [each.reason for each in executions]
    alerts = stored(store, f"{world.written}-alerts")
    by_rule = {rule.id: [alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == rule.id] for rule in rules}
    for rule, hits in ((shipped, made.hits), (source, made.hits_of(source.id))):
        if rule.suppression is None:
            assert alerted(by_rule[rule.id]).get(rule.id, Counter()) == Counter(event.id for event in hits)
    if shipped.suppression is not None:
        assert folds(by_rule[shipped.id]) == expected_folds(made)
        members = stored(store, f"{world.written}-suppressed", {"term": {"kibana.alert.rule.rule_id": shipped.id}})
        assert Counter(member["kibana.alert.ancestors"][-1]["id"] for member in members) == Counter(
            event.id for event in made.hits
        )


@pytest.mark.parametrize("key", SEEDS)
def test_a_seed_rule_without_one_of_its_conditions_would_be_noticed(
    key: events.RuleKey,
    all_rules: RuleSet,
    store: Store,
    world: World,
) -> None:
    """Whatever condition or exclusion is taken away, the alerts are no longer those of the events."""
    made = events.generate(key, seed=8, base_time=BASE, hits=40, near_misses=20)
    load(store, world.prefix, [made])
    rule = under(world.prefix, all_rules.rules[made.rule_id], max_alerts=10_000, suppression=None)
    spoiled = [rule.model_copy(update={"id": "without-exclusions", "exclude": {}})]
    for left_out in rule.match:
        match = {field: condition for field, condition in rule.match.items() if field != left_out}
        spoiled.append(rule.model_copy(update={"id": f"without-{left_out}", "match": match}))
    orders = Orders([rule, *spoiled], all_rules.lists, BASE + INTERVAL, prefix=world.written)
    list(replay(orders, Window(BASE - INTERVAL, BASE + INTERVAL), store))
    found = alerted(stored(store, f"{world.written}-alerts"))
    hits = Counter(event.id for event in made.hits)
    assert found[rule.id] == hits
    for one in spoiled:
        assert found[one.id] != hits, one.id


@pytest.mark.parametrize(("cap", "most_executions"), [(1, 260), (100, 5)])
def test_a_cap_defers_and_never_drops(
    cap: int,
    most_executions: int,
    all_rules: RuleSet,
    store: Store,
    world: World,
) -> None:
    """250 hits within one millisecond all get their alert, at most `cap` in each execution."""
    made = events.burst("regsvr32", seed=3, at=BASE)
    load(store, world.prefix, [made])
    rule = under(world.prefix, all_rules.rules[made.rule_id], max_alerts=cap)
    executions: list[Execution] = []
    while len(executions) < most_executions:
        executions += tick([rule], all_rules, world, at=BASE + INTERVAL * (1 + len(executions)))
        last = executions[-1]
        assert last.tally.alerts <= cap
        if last.status is Status.SUCCEEDED:
            break
        assert last.status is Status.PARTIAL_FAILURE
        assert last.tally.alerts == cap
        assert last.tally.deferred
        assert "cap" in last.reason
    assert executions[-1].status is Status.SUCCEEDED, executions[-1].reason
    assert alerted(stored(store, f"{world.written}-alerts")) == {rule.id: Counter(event.id for event in made.hits)}


def test_under_a_cap_new_events_and_the_backlog_both_get_on(all_rules: RuleSet, store: Store, world: World) -> None:
    """While a backlog is worked off, new hits are alerted at once, and a quarter of the cap goes to the oldest."""
    old = events.burst("regsvr32", seed=4, at=BASE, size=60)
    new = events.burst("regsvr32", seed=5, at=BASE + timedelta(minutes=14), size=60)
    load(store, world.prefix, [old])
    write(store, world.prefix, new.events)
    rule = under(world.prefix, all_rules.rules[old.rule_id], max_alerts=20)
    (first,) = tick([rule], all_rules, world, at=BASE + INTERVAL)
    assert (first.tally.alerts, first.status) == (20, Status.PARTIAL_FAILURE)
    (second,) = tick([rule], all_rules, world, at=BASE + timedelta(minutes=15))
    found = alerted(stored(store, f"{world.written}-alerts"))[rule.id]
    assert second.tally.alerts == 20
    assert sum(found[event.id] for event in new.events) == 15
    assert sum(found[event.id] for event in old.events) == 25
    for number in range(2, 12):
        tick([rule], all_rules, world, at=BASE + timedelta(minutes=10 + 5 * number))
    assert alerted(stored(store, f"{world.written}-alerts"))[rule.id] == Counter(
        event.id for event in (*old.hits, *new.hits)
    )


def test_the_counts_of_groups_stay_exact(all_rules: RuleSet, store: Store, world: World) -> None:
    """Groups of 1 to 50 across slots: overlap, a replay, late events and a cap of 10 leave every count exact."""
    made = events.regsvcs_groups(seed=6, base_time=BASE, spread=timedelta(minutes=4))
    late, early = made.events[::3], [event for number, event in enumerate(made.events) if number % 3]
    load(store, world.prefix, [events.GeneratedSet("regsvcs", tuple(early))])
    rule = under(world.prefix, all_rules.rules[made.rule_id], max_alerts=10)
    start = min(event.timestamp for event in made.events)
    for number in range(1, 5):
        tick([rule], all_rules, world, at=start + number * timedelta(minutes=3))
    write(store, world.prefix, late)
    for number in range(5, 20):
        tick([rule], all_rules, world, at=start + number * timedelta(minutes=3))
    span = Window(start, start + timedelta(minutes=30))
    list(replay(Orders([rule], all_rules.lists, span.end, prefix=world.written), span, store))
    assert folds(stored(store, f"{world.written}-alerts")) == expected_folds(made)
    (again,) = replay(Orders([rule], all_rules.lists, span.end, prefix=world.written), span, store)
    assert (again.status, again.tally.alerts) == (Status.SUCCEEDED, 0)
    assert folds(stored(store, f"{world.written}-alerts")) == expected_folds(made)


def test_a_change_of_suppression_alerts_no_event_twice(all_rules: RuleSet, store: Store, world: World) -> None:
    """Suppression taken away, given back and grouped otherwise: what had an alert gets no other one."""
    made = events.regsvcs_groups(seed=9, base_time=BASE, sizes=(1, 3, 5), spread=timedelta(minutes=2))
    load(store, world.prefix, [made])
    grouped = under(world.prefix, all_rules.rules[made.rule_id])
    assert grouped.suppression is not None
    coarse = grouped.suppression.model_copy(update={"group_by": ("host.name",)})
    start = min(event.timestamp for event in made.events)
    span = Window(start, start + timedelta(minutes=30))

    def search_again(rule: Rule) -> Execution:
        (execution,) = replay(Orders([rule], all_rules.lists, span.end, prefix=world.written), span, store)
        assert execution.status is Status.SUCCEEDED, execution.reason
        return execution

    search_again(grouped)
    alerts = stored(store, f"{world.written}-alerts")
    for changed in (
        grouped.model_copy(update={"suppression": None}),
        grouped.model_copy(update={"suppression": coarse}),
        grouped,
    ):
        assert search_again(changed).tally.alerts == 0
        assert stored(store, f"{world.written}-alerts") == alerts
