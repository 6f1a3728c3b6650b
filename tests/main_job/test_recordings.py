"""Rules over recorded Windows events find exactly what an independent count found, once, in every store alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_indices import stored, under
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.fields import fit_to_indices
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Key, Query, Scan, Store
from worlds import RECORDED, World, in_folder, on_node

ALL_TIME = Window(datetime(2015, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
CHANGING = {
    "@timestamp",
    "kibana.alert.start",
    "kibana.alert.last_detected",
    "kibana.alert.rule.execution.uuid",
    "kibana.alert.rule.execution.timestamp",
}
"""What two alerts of one event never have in common: when they were made, and by which execution."""
WITHIN = timedelta(seconds=30)
MANY = 1000
"""Events that are only counted."""
EVERYTHING: Query = {"match_all": {}}


@pytest.fixture(scope="session")
def expected(pytestconfig: pytest.Config, counted: dict[str, Any]) -> dict[str, set[str]]:
    """The ids that each rule must find."""
    columns = json.loads((pytestconfig.rootpath / "tests" / "rules" / "expected.json").read_text())
    return {
        rule_id: {
            hit["id"] for column in where["columns"] for hit in counted["rules"][where["rule"]]["hits"].get(column, [])
        }
        for rule_id, where in columns.items()
    }


def search_all_time(rules: Sequence[Rule], ruleset: RuleSet, world: World) -> list[Execution]:
    """Search everything that was recorded."""
    executions = list(replay(Orders(rules, ruleset.lists, ALL_TIME.end, prefix=world.written), ALL_TIME, world.store))
    assert {execution.status for execution in executions} == {Status.SUCCEEDED}, [each.reason for each in executions]
    return executions


def test_every_rule_finds_what_was_counted_and_a_second_pass_nothing_new(
    all_rules: RuleSet, expected: dict[str, set[str]], recorded: World
) -> None:
    """Shipped rules, the sources' exact logic and generic rules: the same ids; again: 0 alerts, all duplicates."""
    rules = [under(RECORDED, rule) for rule in all_rules.rules.values()]
    assert {rule.id for rule in rules} == expected.keys()
    search_all_time(rules, all_rules, recorded)
    alerts = stored(recorded.store, f"{recorded.written}-alerts")
    found = {rule.id: Counter[str]() for rule in rules}
    for alert in alerts:
        found[alert["kibana.alert.rule.rule_id"]][alert["kibana.alert.ancestors"][0]["id"]] += 1
    assert found == {rule_id: Counter(ids) for rule_id, ids in expected.items()}
    assert sum(len(ids) for ids in expected.values()) > 50
    for execution in search_all_time(rules, all_rules, recorded):
        assert (execution.tally.alerts, execution.tally.duplicates) == (0, len(expected[execution.rule.id]))
    assert stored(recorded.store, f"{recorded.written}-alerts") == alerts


@pytest.fixture
def both(recorded_node: str, recorded_folder: Path, index_prefix: str) -> Iterator[list[World]]:
    """A cluster and an embedded store that hold the same events in indices of the same names."""
    with on_node(recorded_node, index_prefix) as node, in_folder(recorded_folder, index_prefix) as folder:
        for world in (node, folder):
            world.store.prepare(templates(world.written))
        yield [node, folder]


def test_the_alerts_of_both_stores_are_the_same(all_rules: RuleSet, both: list[World]) -> None:
    """Under the same ids, in the same indices and with the same fields, but for when and by what they were made."""
    made = []
    for world in both:
        search_all_time([under(RECORDED, rule) for rule in all_rules.rules.values()], all_rules, world)
        alerts = stored(world.store, f"{world.written}-alerts")
        made.append([{name: value for name, value in alert.items() if name not in CHANGING} for alert in alerts])
    assert made[0] == made[1]
    assert len(made[0]) > 50


def test_rules_that_lack_a_condition_find_the_same_in_both_stores(all_rules: RuleSet, both: list[World]) -> None:
    """The same number of events, and where these are not too many, the same events."""
    rules = [under(RECORDED, each) for rule in all_rules.rules.values() for each in (rule, *with_less(rule))]
    node, folder = (found(rules, all_rules, world.store) for world in both)
    assert node == folder
    assert len({str(events) for events in node.values()}) > 20


def with_less(rule: Rule) -> Iterator[Rule]:
    """The rule without its exclusions, and without each of its conditions."""
    yield rule.model_copy(update={"id": f"{rule.id} without exclusions", "exclude": {}})
    for field in rule.match:
        match = {name: condition for name, condition in rule.match.items() if name != field}
        yield rule.model_copy(update={"id": f"{rule.id} without {field}", "match": match})


def found(rules: Sequence[Rule], ruleset: RuleSet, store: Store) -> dict[str, list[Key] | int]:
    """The events that each rule's query finds, or their number if they are many."""
    courses = [Course(Execution(rule, "manual", started_at=ALL_TIME.end, now=ALL_TIME.end)) for rule in rules]
    fit_to_indices(courses, ruleset.lists, ruleset.exceptions_by_rule, store)
    events: dict[str, list[Key] | int] = {}
    for index in {rule.index for rule in rules}:
        events |= found_in(
            index, {course.rule.id: course.query for course in courses if course.rule.index == index}, store
        )
    return events


def found_in(index: tuple[str, ...], queries: dict[str, Query], store: Store) -> dict[str, list[Key] | int]:
    """The same, for rules that read the same indices."""
    counting = {"each": {"filters": {"filters": queries}}}
    counted = store.aggregate(index, EVERYTHING, counting, within=WITHIN).values["each"]["buckets"]
    numbers = {name: counted[name]["doc_count"] for name in queries}
    few = {name: query for name, query in queries.items() if numbers[name] <= MANY}
    keys: dict[str, list[Key]] = {name: [] for name in few}
    for page in store.scan(Scan(index, dict(few), EVERYTHING)):
        for hit in page.hits:
            for name in hit.names:
                keys[name].append(hit.key)
    assert {name: len(its) for name, its in keys.items()} == {name: numbers[name] for name in few}
    return numbers | {name: sorted(its) for name, its in keys.items()}
