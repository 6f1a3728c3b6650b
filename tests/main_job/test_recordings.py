"""Rules over recorded Windows events find exactly what an independent count found, once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from event_indices import stored, under
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.elasticsearch import ElasticsearchStore

ALL_TIME = Window(datetime(2015, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def expected(pytestconfig: pytest.Config, expected_hits: dict[str, Any]) -> dict[str, set[str]]:
    """The ids that each rule must find."""
    columns = json.loads((pytestconfig.rootpath / "tests" / "rules" / "expected.json").read_text())
    return {
        rule_id: {
            hit["id"] for column in where["columns"] for hit in expected_hits[where["rule"]]["hits"].get(column, [])
        }
        for rule_id, where in columns.items()
    }


def test_every_rule_finds_what_was_counted_and_a_second_pass_nothing_new(
    all_rules: RuleSet,
    expected: dict[str, set[str]],
    recorded: str,
    client: Elasticsearch,
    store: ElasticsearchStore,
    prefix: str,
) -> None:
    """Shipped rules, the sources' exact logic and generic rules: the same ids; again: 0 alerts, all duplicates."""
    rules = [under(recorded, rule) for rule in all_rules.rules.values()]
    assert {rule.id for rule in rules} == expected.keys()
    orders = Orders(rules, all_rules.lists, ALL_TIME.end, prefix=prefix)
    first = list(replay(orders, ALL_TIME, store))
    assert {execution.status for execution in first} == {Status.SUCCEEDED}, [each.reason for each in first]

    alerts = stored(client, f"{prefix}-alerts")
    found = {rule.id: Counter[str]() for rule in rules}
    for alert in alerts:
        found[alert["kibana.alert.rule.rule_id"]][alert["kibana.alert.ancestors"][0]["id"]] += 1
    assert found == {rule_id: Counter(ids) for rule_id, ids in expected.items()}
    assert sum(len(ids) for ids in expected.values()) > 50

    second = list(replay(orders, ALL_TIME, store))
    assert {execution.status for execution in second} == {Status.SUCCEEDED}
    for execution in second:
        assert (execution.tally.alerts, execution.tally.duplicates) == (0, len(expected[execution.rule.id]))
    assert stored(client, f"{prefix}-alerts") == alerts
