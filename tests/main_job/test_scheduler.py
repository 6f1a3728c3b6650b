"""The runner as a process: live events, signals, sudden death, edited rules, an absent store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from fault_proxy import CutBefore, Delay, Fault, FaultProxy, Respond
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.load import read
from worlds import ON_A_NODE, World, now
from written_rules import write_rule

PATIENCE = 30
"""Seconds after which something that should happen within two or three counts as not happening."""
STOPS_WITHIN = 5


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

    def start(self, **variables: str) -> Scheduler:
        """A runner with these settings besides those of the test."""
        ours = ("LOLBIN_", "ELASTICSEARCH_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        settings = {**self.world.variables, "LOLBIN_RULES": str(self.rules), "LOLBIN_RELOAD_INTERVAL": "1s"}
        log = self.folder / f"{len(self.schedulers)}.log"
        self.schedulers.append(Scheduler(self.script, log, {**inherited, **settings, **variables}))
        return self.schedulers[-1]

    def alerted(self, rule_id: str = "live") -> Counter[str]:
        """How many alerts each event has by this rule."""
        query = {"term": {"kibana.alert.rule.rule_id": rule_id}}
        alerts = stored(self.world.store, f"{self.world.written}-alerts", query)
        return Counter(alert["kibana.alert.ancestors"][-1]["id"] for alert in alerts)

    def await_alerts(self, expected: list[str], rule_id: str = "live") -> None:
        """Wait until these events, and no others, have one alert each."""
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


@pytest.fixture
def site(world: World, tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Site]:
    """A place for one test; no runner outlives it."""
    site = Site(world, tmp_path, pytestconfig.rootpath / "scheduler.py")
    yield site
    for scheduler in site.schedulers:
        with suppress(ProcessLookupError):
            scheduler.process.kill()
        scheduler.process.wait()


def test_live_events_are_alerted_once_each_across_a_stop_and_a_start(site: Site) -> None:
    """While it runs, while it is away, and after; SIGTERM and SIGINT end it in seconds with exit code 0."""
    site.write("live")
    first = site.start()
    for _ in range(3):
        site.happen(5)
    site.await_alerts(site.hits)
    begun = site.coverage("live")
    site.happen(5)
    assert first.end(signal.SIGTERM) == 0, first.said
    site.happen(5)
    second = site.start()
    site.happen(5)
    site.await_alerts(site.hits)
    assert second.end(signal.SIGINT) == 0, second.said
    assert_goes_on(begun, site.coverage("live"))
    for scheduler in (first, second):
        assert "Traceback" not in scheduler.said
        assert "ERROR" not in scheduler.said


def assert_goes_on(begun: dict[str, Any] | None, now: dict[str, Any] | None) -> None:
    """What was asked is still asked, and searched from its beginning on without a gap."""
    assert begun is not None
    assert now is not None
    assert now["asked"] == begun["asked"]
    assert now["searched"][0]["start"] == now["asked"][0]["start"]
    assert all(one["end"] == following["start"] for one, following in pairwise(now["searched"]))
    assert now["searched"][-1]["end"] > begun["searched"][-1]["end"]


def test_a_runner_that_is_killed_loses_and_repeats_nothing(site: Site) -> None:
    """Killed in the midst of writing, three times, at some cap; its successor ends with one alert for each hit."""
    site.write("live", max_alerts=30)
    site.happen(120)
    counts = [0]
    for _ in range(3):
        scheduler = site.start()
        await_that(lambda: site.alerted().total() > counts[-1], lambda: site.schedulers[-1].said)
        assert scheduler.end(signal.SIGKILL) == -signal.SIGKILL
        counts.append(site.alerted().total())
    assert counts[1] < 120
    site.happen(5)
    last = site.start()
    site.await_alerts(site.hits)
    assert last.end() == 0


def test_what_comes_late_is_swept_up_while_it_runs(site: Site) -> None:
    """An event of a time that was searched long ago is alerted by the sweep, and by nothing else."""
    site.write("live")
    ruleset = read(site.rules).raise_if_faulty()
    for minutes in (60, 30):
        ago = Orders([*ruleset.rules.values()], {}, now() - timedelta(minutes=minutes), prefix=site.world.written)
        execute(ago, site.world.store)
    site.write_events({"late": "regsvr32.exe"}, ago=timedelta(minutes=45))
    idle = site.start(LOLBIN_SWEEP_INTERVAL="0")
    site.happen(1)
    idle.says("ALERT")  # the index of alerts is there before it is looked into
    site.await_alerts(site.hits)
    assert idle.end() == 0
    assert "(sweep)" not in idle.said
    scheduler = site.start(LOLBIN_SWEEP_INTERVAL="1s")
    site.await_alerts([*site.hits, "late"])
    query = {"term": {"lolbin.sweep": True}}
    (alert,) = stored(site.world.store, f"{site.world.written}-alerts", query)
    assert alert["kibana.alert.ancestors"][-1]["id"] == "late"
    assert scheduler.end() == 0
    assert "live (sweep): succeeded; 1 hits, 1 alerts, 0 duplicates." in scheduler.said


def test_two_runners_at_once_alert_once(site: Site) -> None:
    """Neither knows of the other; both write the same coverage, and neither fails for it."""
    site.write("live")
    both = site.start(), site.start()
    for _ in range(5):
        site.happen(5)
        time.sleep(0.5)
    site.await_alerts(site.hits)
    assert [scheduler.end() for scheduler in both] == [0, 0]
    assert not [scheduler.said for scheduler in both if "ERROR" in scheduler.said]


def test_rule_files_may_be_changed_while_it_runs(site: Site) -> None:
    """An edit and a new file take effect; a file made faulty is logged and its rule goes on as it was."""
    site.write("live")
    scheduler = site.start()
    site.await_alerts(site.happen(2))
    site.write("live", match={"process.name": "rundll32.exe"})
    site.write("new", match={"process.name": "rundll32.exe"})
    scheduler.says("Changed: live.")
    later = site.happen(2, "rundll32.exe")
    site.await_alerts(later, "new")
    site.await_alerts(site.hits)
    file = site.write("live", risk_score=101)
    scheduler.says(f'{file}:11:13: rule "live": ')
    scheduler.says("these rules go on as they were: live.")
    site.happen(1, "rundll32.exe")
    site.await_alerts(site.hits)
    assert scheduler.end() == 0


def test_a_rule_that_is_disabled_asks_for_no_more_time_until_it_is_enabled(site: Site) -> None:
    """Its coverage is closed, and opened again; the other rules go on meanwhile."""
    site.write("live")
    site.write("other")
    scheduler = site.start()
    site.await_alerts(site.happen(2))
    assert (coverage := site.coverage("live")) is not None
    assert coverage["asked"][-1]["end"] is None
    site.write("live", enabled=False)
    await_that(lambda: (site.coverage("live") or {})["asked"][-1]["end"] is not None, lambda: scheduler.said)
    before = site.alerted()
    site.happen(2)
    site.await_alerts(site.hits, "other")
    assert site.alerted() == before
    site.write("live")
    await_that(lambda: (site.coverage("live") or {})["asked"][-1]["end"] is None, lambda: scheduler.said)
    site.await_alerts(site.hits)
    assert scheduler.end() == 0


@ON_A_NODE
def test_a_store_that_is_away_at_the_start_is_awaited(site: Site, elasticsearch_url: str) -> None:
    """It says what it waits for, begins when the store is there, and can be stopped while it waits."""
    site.write("live")
    site.happen(3)
    with FaultProxy(elasticsearch_url) as proxy:
        proxy.faults = [Fault("", CutBefore())]
        waiting, stopped = site.start(ELASTICSEARCH_URL=proxy.url), site.start(ELASTICSEARCH_URL=proxy.url)
        stopped.says("trying again in")
        assert stopped.end() == 0
        assert "Traceback" not in stopped.said
        waiting.says("trying again in")
        proxy.faults = []
        site.await_alerts(site.hits)
        assert waiting.end() == 0


@ON_A_NODE
def test_what_is_under_way_is_finished_within_the_grace_and_dropped_at_a_second_signal(
    site: Site, elasticsearch_url: str
) -> None:
    """The alerts of a slow search are written before the end; a slower one is abandoned aloud, with exit code 1."""
    site.write("live")
    site.happen(3)
    with FaultProxy(elasticsearch_url) as proxy:

        def start_slow(seconds: float, **variables: str) -> Scheduler:
            seen = proxy.count("POST /_search")
            proxy.faults = [Fault("POST /_search", Delay(seconds), times=1)]
            scheduler = site.start(ELASTICSEARCH_URL=proxy.url, **variables)
            await_that(lambda: proxy.count("POST /_search") > seen, lambda: scheduler.said)
            return scheduler

        patient = start_slow(2)
        assert patient.end() == 0
        assert site.alerted() == Counter(site.hits)
        brief, hasty = start_slow(60, LOLBIN_STOP_GRACE="1s"), start_slow(60)
        assert brief.end() == 1
        assert "abandoned after LOLBIN_STOP_GRACE" in brief.said
        hasty.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert hasty.process.poll() is None
        assert hasty.end() == -signal.SIGTERM


@ON_A_NODE
def test_searches_that_fail_while_it_runs_cost_nothing(site: Site, elasticsearch_url: str) -> None:
    """Executions fail aloud; afterwards everything that happened meanwhile is alerted."""
    site.write("live")
    with FaultProxy(elasticsearch_url) as proxy:
        scheduler = site.start(ELASTICSEARCH_URL=proxy.url)
        site.happen(2)
        site.await_alerts(site.hits)
        proxy.faults = [
            Fault("/_(pit|search)", Respond(500, {"error": {"type": "error", "reason": "ill"}, "status": 500}))
        ]
        site.happen(2)
        scheduler.says("ERROR   live: failed; ")
        proxy.faults = []
        site.await_alerts(site.hits)
        assert scheduler.end() == 0
