"""The cases that travel with each shipped rule, in a store."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from event_indices import index_events, map_indices, stored
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import Window, floor
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store
from worlds import World


def test_every_case_of_every_rule_makes_as_many_alerts_as_it_says(shipped: RuleSet, store: Store, world: World) -> None:
    """Each case has an index and a copy of its rule to itself; true negatives and near misses make none."""
    map_indices(store, f"{world.prefix}case-*")
    expected = Counter[str]()
    rules, documents = [], []
    for rule in shipped.rules.values():
        for number, case in enumerate(rule.tests):
            index = f"{world.prefix}case-{rule.id}-{number}"
            documents += [(index, f"{place}", event) for place, event in enumerate(case.events)]
            copy = rule.model_copy(update={"id": f"{rule.id}: {case.name}", "index": (index,)})
            expected[copy.id] = case.alerts
            rules.append(copy)
    index_events(store, documents)
    all_time = Window(datetime(2015, 1, 1, tzinfo=UTC), floor(datetime.now(UTC)))
    executions = list(replay(Orders(rules, shipped.lists, all_time.end, prefix=world.written), all_time, store))
    assert {execution.status for execution in executions} == {Status.SUCCEEDED}, [each.reason for each in executions]
    found = Counter(alert["kibana.alert.rule.rule_id"] for alert in stored(store, f"{world.written}-alerts"))
    assert +found == +expected
    assert sum(alerts == 0 for alerts in expected.values()) >= 2 * len(shipped.rules)
    assert sum(alerts > 0 for alerts in expected.values()) >= 2 * len(shipped.rules)
