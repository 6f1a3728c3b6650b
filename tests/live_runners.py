"""Runners as processes on one store, for tests that watch them from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from event_indices import index_events, iso, map_indices, stored
from worlds import World, now
from written_rules import write_rule

__all__ = ["Scheduler", "Site", "await_that"]

PATIENCE = 60
"""Seconds after which something that should happen within two or three counts as not happening."""
STOPS_WITHIN = 15


class Scheduler:
    """`python scheduler.py` in a process of its own, its log in a file."""

    def __init__(self, script: Path, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, script], env=environment, cwd=log.parent, stdout=stream, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(encoding="utf-8")

    def says(self, text: str) -> None:
        """Wait until the text is in its log."""
        await_that(lambda: text in self.said or self.process.poll() is not None, lambda: f"{text!r} in:\n{self.said}")
        assert text in self.said, self.said

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN)


class Site:
    """Indices, rules and runners of one test; events are made as they happen."""

    def __init__(self, world: World, folder: Path, script: Path) -> None:
        self.world, self.folder, self.script = world, folder, script
        self.rules = folder / "rules"
        self.hits: list[str] = []
        self.schedulers: list[Scheduler] = []
        map_indices(world.store, f"{world.prefix}events-*")
        self.write_events({"first": "svchost.exe"})

    def write(self, rule_id: str, **changes: Any) -> Path:
        """Put a rule for the events of this test in place."""
        keys = {"index": [f"{self.world.prefix}events-*"], "interval": "1s", "lookback": "now-60s", **changes}
        return write_rule(self.rules, rule_id, **keys)

    def happen(self, count: int, program: str = "regsvr32.exe") -> list[str]:
        """So many connections of the program now, half of them of another case; their ids."""
        names = [f"e{len(self.hits) + number}" for number in range(count)]
        self.write_events(dict.fromkeys(names, program))
        self.write_events(dict.fromkeys((f"not-{name}" for name in names), "svchost.exe"))
        self.hits += names
        return names

    def write_events(self, programs: Mapping[str, str], ago: timedelta = timedelta()) -> None:
        """Write a connection for each id, of its program, that happened now or so long ago."""
        facts = {"@timestamp": iso(now() - ago), "event": {"category": "network"}}
        index = f"{self.world.prefix}events-1"
        events = [(index, name, {**facts, "process": {"name": program}}) for name, program in programs.items()]
        index_events(self.world.store, events)

    def start(self, /, *scripts: Path, **variables: str) -> Scheduler:
        """A runner with these settings besides those of the test; another script may stand in for the program."""
        ours = ("LOLBIN_", "ELASTICSEARCH_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        settings = {**self.world.variables, "LOLBIN_RULES": str(self.rules), "LOLBIN_RELOAD_INTERVAL": "1s"}
        log = self.folder / f"{len(self.schedulers)}.log"
        self.schedulers.append(Scheduler([*scripts, self.script][0], log, {**inherited, **settings, **variables}))
        return self.schedulers[-1]

    def alerted(self, rule_id: str = "live") -> Counter[str]:
        """How many alerts each event has by this rule."""
        query = {"term": {"kibana.alert.rule.rule_id": rule_id}}
        alerts = stored(self.world.store, f"{self.world.written}-alerts", query)
        return Counter(alert["kibana.alert.ancestors"][-1]["id"] for alert in alerts)

    def await_alerts(self, expected: list[str], rule_id: str = "live") -> None:
        """Wait until these events, and no others, have one alert each."""
        # The index of alerts is there before it is looked into.
        await_that(lambda: any("ALERT" in each.said for each in self.schedulers), lambda: self.schedulers[-1].said)
        await_that(
            lambda: self.alerted(rule_id).keys() >= set(expected),
            lambda: f"alerts of {set(expected) - self.alerted(rule_id).keys()}:\n{self.schedulers[-1].said}",
        )
        assert self.alerted(rule_id) == Counter(expected)

    def coverage(self, rule_id: str) -> dict[str, Any] | None:
        """The state of the rule, where it has one."""
        found = [each for each in stored(self.world.store, f"{self.world.written}-coverage") if each["_id"] == rule_id]
        return found[0]["axes"]["event_time"] if found else None


def await_that(is_so: Callable[[], Any], what: Callable[[], str]) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain for {what()}"
        time.sleep(0.1)
