"""One rule and its events in a store, executions of it at chosen times, and the command that looks at its coverage."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from lolbin_rules.alert.templates import templates
from lolbin_rules.cli import main
from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.run import Orders, disable, execute
from lolbin_rules.execution.sweep import sweeping
from lolbin_rules.rule.load import read
from lolbin_rules.rule.ruleset import RuleSet
from worlds import World
from written_rules import write_rule

__all__ = ["BASE", "Watched", "at"]

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """The moment so many minutes after the base."""
    return BASE + timedelta(minutes=minutes)


@dataclass
class Watched:
    """A rule `live` in a folder, with an interval of five minutes and a lookback of nine unless changed.

    Attributes:
        world: the store.
        folder: of the rule's file.
        capture: of what commands print.
        keys: what the rule says besides, or otherwise.
    """

    world: World
    folder: Path
    capture: pytest.CaptureFixture[str]
    keys: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.store.prepare(templates(self.world.written))
        map_indices(self.world.store, f"{self.world.prefix}events-*")
        self.edit()

    def edit(self, **keys: Any) -> None:
        """Write the rule's file, with these keys changed for good."""
        self.keys |= keys
        write_rule(self.folder, "live", **{"index": [f"{self.world.prefix}events-*"], **self.keys})

    @property
    def ruleset(self) -> RuleSet:
        """The rule and its exceptions, as their files have them."""
        return read(self.folder).raise_if_faulty()

    def happen(self, minutes: float, *names: str, index: str = "1", ingested: float | None = None, **more: Any) -> None:
        """Events that the rule matches, so many minutes after the base, a second apart; searchable from now on."""
        index = f"{self.world.prefix}events-{index}"
        about: dict[str, Any] = {"category": "network"}
        if ingested is not None:
            about["ingested"] = iso(at(ingested))
        common = {"event": about, "process": {"name": "regsvr32.exe"}, **more}
        sources = [
            {"@timestamp": iso(at(minutes) + timedelta(seconds=number)), **common} for number in range(len(names))
        ]
        index_events(self.world.store, [(index, name, source) for name, source in zip(names, sources, strict=True)])

    def orders(self, minutes: float, **changes: Any) -> Orders:
        """To execute the rule so many minutes after the base."""
        ruleset = self.ruleset
        return Orders(
            [ruleset.rules["live"]],
            ruleset.lists,
            at(minutes),
            prefix=self.world.written,
            exceptions=ruleset.exceptions_by_rule,
            **changes,
        )

    def tick(self, minutes: float, **changes: Any) -> Execution:
        """One scheduled execution."""
        (execution,) = execute(self.orders(minutes, **changes), self.world.store)
        return execution

    def sweep(self, minutes: float, reach: timedelta = timedelta(days=1), **changes: Any) -> Execution:
        """One sweep."""
        (execution,) = execute(sweeping(self.orders(minutes, **changes), reach), self.world.store)
        return execution

    def ticks(self, first: float, last: float) -> None:
        """Scheduled executions at the rule's interval of five minutes, from one moment to another."""
        minutes = first
        while minutes <= last:
            self.tick(minutes)
            minutes += 5

    def rest(self, minutes: float) -> None:
        """The rule is disabled from then on."""
        disable(self.orders(minutes), self.world.store)

    def alerted(self) -> Counter[str]:
        """How many alerts each event has."""
        return Counter(alert["kibana.alert.ancestors"][-1]["id"] for alert in self.alerts())

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert."""
        return stored(self.world.store, f"{self.world.written}-alerts")

    def coverage(self, *options: str, first: float, last: float) -> tuple[int, list[dict[str, Any]]]:
        """`lolbin-rules coverage live` for the period between two moments: exit code, and what it prints as JSON."""
        span = ["--from", iso(at(first)), "--to", iso(at(last))]
        code, out = self.command("coverage", "live", *span, "--json", *options)
        return code, [json.loads(line) for line in out.splitlines()]

    def command(self, *arguments: str) -> tuple[int, str]:
        """A command on this store and this rule: its exit code and what it prints."""
        self.capture.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.world.variables.items():
                patch.setenv(name, value)
            code = main([arguments[0], *arguments[1:], "--rules", str(self.folder)])
        return code, self.capture.readouterr().out
