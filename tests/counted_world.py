"""Rules that count, from a file to their alerts, in a world with events of the test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from event_indices import MAPPING, index_events, iso, map_indices, stored
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.load import read
from lolbin_rules.rule.model import Rule
from worlds import World
from written_rules import write_rule

__all__ = ["BASE", "CountedWorld", "at"]

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
"""Minute 0 of every test: a multiple of an hour since 1970."""
NUMBERS = count()

Event = tuple[float, Mapping[str, Any]]
"""The minute of an event, and its fields."""


def at(minute: float) -> datetime:
    """So many minutes after the base."""
    return BASE + timedelta(minutes=minute)


class CountedWorld:
    """A world with one rule, and events for it.

    Args:
        world: where.
        folder: where the rule's file is to be.
        changes: what its rule has, `match` being events of category process without it.
    """

    def __init__(self, world: World, folder: Path, **changes: Any) -> None:
        self.world = world
        self.index = f"{world.prefix}counted"
        world.store.prepare(templates(world.written))
        map_indices(world.store, self.index)
        self.rule = self.written(folder, **changes)

    def written(self, folder: Path, **changes: Any) -> Rule:
        """A rule read from its file."""
        keys = {"index": [f"{self.index}*"], "match": {"event.category": "process"}, **changes}
        write_rule(folder, "counting", **keys)
        return read((folder,)).raise_if_faulty().rules["counting"]

    def add(self, events: Iterable[Event], index: str = "") -> None:
        """Write events of category process."""
        number = next(NUMBERS)
        documents = [
            (
                index or self.index,
                f"e{number}-{place:05}",
                {"@timestamp": iso(at(minute)), "event": {"category": "process"}, **event},
            )
            for place, (minute, event) in enumerate(events)
        ]
        index_events(self.world.store, documents)

    def add_mapped(self, name: str, properties: Mapping[str, Any], events: Iterable[Event]) -> None:
        """Write events into another index of the rule's, in which some fields are mapped otherwise."""
        index = f"{self.index}-{name}"
        mapping = {**MAPPING, "properties": {**MAPPING["properties"], **properties}}
        map_indices(self.world.store, index, mapping=mapping)
        self.add(events, index)

    def tick(self, minute: float) -> Execution:
        """One scheduled execution."""
        (execution,) = execute(Orders([self.rule], {}, at(minute), prefix=self.world.written), self.world.store)
        return execution

    def ticks(self, minutes: Iterable[float]) -> list[Execution]:
        """Scheduled executions, each of which must succeed."""
        executions = [self.tick(minute) for minute in minutes]
        assert {execution.status for execution in executions} <= {Status.SUCCEEDED}, [e.reason for e in executions]
        return executions

    def replay(self, start: float, end: float) -> Sequence[Execution]:
        """The past searched by hand, which must succeed in the end."""
        over = Window(at(start), at(end))
        executions = list(replay(Orders([self.rule], {}, at(end), prefix=self.world.written), over, self.world.store))
        assert executions[-1].status is Status.SUCCEEDED, executions[-1].reason
        return executions

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert that was written."""
        return stored(self.world.store, f"{self.world.written}-alerts")

    def members(self) -> list[dict[str, Any]]:
        """Every membership in a group that was written."""
        return stored(self.world.store, f"{self.world.written}-suppressed")
