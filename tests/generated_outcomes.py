"""Generated events in a store, and what their rules must have made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import generated_events as events
from event_indices import index_events, iso, map_indices
from lolbin_rules.store.port import Store


def load(store: Store, prefix: str, sets: Iterable[events.GeneratedSet]) -> None:
    """Write the events of these sets into indices of this test."""
    found = [event for each in sets for event in each.events]
    map_indices(store, *sorted({prefix + event.index for event in found}))
    write(store, prefix, found)


def write(store: Store, prefix: str, found: Iterable[events.Event]) -> None:
    """Write more events into indices of this test."""
    index_events(store, [(prefix + event.index, event.id, event.source) for event in found])


def alerted(alerts: Iterable[dict[str, Any]]) -> dict[str, Counter[str]]:
    """How many alerts each event has, by rule; groups count by the event that opened them."""
    found: dict[str, Counter[str]] = {}
    for alert in alerts:
        counted = found.setdefault(alert["kibana.alert.rule.rule_id"], Counter())
        counted[alert["kibana.alert.ancestors"][-1]["id"]] += 1
    return found


def folds(alerts: Iterable[dict[str, Any]]) -> Counter[tuple[str, int, str, str]]:
    """What the alerts of groups say of them: slot, count, first and last."""
    return Counter(
        (
            alert["lolbin.suppression.slot.start"],
            alert["lolbin.suppression.count"],
            alert["kibana.alert.suppression.start"],
            alert["kibana.alert.suppression.end"],
        )
        for alert in alerts
    )


def expected_folds(made: events.GeneratedSet) -> Counter[tuple[str, int, str, str]]:
    """The same, from the events."""
    return Counter((iso(each.slot), each.count, iso(each.first), iso(each.last)) for each in made.folds())
