"""Two rules, one of which groups, with events for both, and ticks of them: what tests of faults begin with."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import generated_events as events
from event_indices import stored, under
from generated_outcomes import alerted, expected_folds, folds, load
from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store
from worlds import World

__all__ = ["AFTERWARDS", "BASE", "RULES", "Made", "Runner", "assert_complete", "load_two_sets"]

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
"""The first tick is about now."""
AFTERWARDS = BASE + timedelta(minutes=40)
"""A tick whose own window is past all events."""
RULES = (events.RULE_IDS["regsvr32"], events.RULE_IDS["regsvcs"])

Made: TypeAlias = tuple[events.GeneratedSet, events.GeneratedSet]


def load_two_sets(world: World) -> Made:
    """Events for a rule that alerts on each, and for one that groups, within four minutes before the first tick."""
    made = (
        events.generate("regsvr32", seed=11, base_time=BASE - timedelta(minutes=4), hits=30, near_misses=3),
        events.regsvcs_groups(seed=11, base_time=BASE, sizes=range(1, 9), spread=timedelta(minutes=2)),
    )
    load(world.store, world.prefix, made)
    return made


class Runner:
    """Ticks of the same rules."""

    def __init__(self, ruleset: RuleSet, rules: list[Rule], prefix: str) -> None:
        self.ruleset = ruleset
        self.rules = rules
        self.prefix = prefix

    @classmethod
    def of_both(cls, ruleset: RuleSet, world: World) -> Runner:
        """Ticks of the shipped rules that the two sets of events are for."""
        return cls(ruleset, [under(world.prefix, ruleset.rules[name]) for name in RULES], world.written)

    def tick(self, store: Store, at: datetime) -> dict[str, Execution]:
        """One scheduled execution of each rule."""
        orders = Orders(self.rules, self.ruleset.lists, at, prefix=self.prefix, search_within=timedelta(seconds=2))
        executions = execute(orders, store)
        return {execution.rule.id: execution for execution in executions}


def assert_complete(world: World, made: Made) -> None:
    """Every hit is alerted once, and every group counted exactly."""
    alerts = stored(world.store, f"{world.written}-alerts")
    per_event, per_group = made
    assert alerted(alerts)[per_event.rule_id] == Counter(event.id for event in per_event.hits)
    assert folds(
        alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == per_group.rule_id
    ) == expected_folds(per_group)
