"""Several runners on one store: they share the work, and what becomes of one costs no alert and doubles none."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from event_indices import stored
from fault_proxy import Action, FaultProxy, Seen
from live_runners import Scheduler, Site, await_that
from lolbin_rules.alert.source import parse_time
from lolbin_rules.execution.batch import batches
from lolbin_rules.plan.plan import CLOCK_SKEW
from lolbin_rules.rule.load import read
from lolbin_rules.store.port import Key
from worlds import ON_A_NODE

INTERVAL = timedelta(seconds=8)


def write_batches(site: Site, count: int, interval: str = "8s", rules: int = 1) -> list[str]:
    """So many batches of rules for the same events; the ids of all rules."""
    ids = []
    for number in range(count):
        for rule in range(rules):
            ids.append(f"r{number}-{rule}")
            site.write(ids[-1], interval=interval, lookback=f"now-{60 + number}s")
    return ids


def leases(site: Site) -> dict[str, set[str]]:
    """Which batches each runner that is there holds."""
    (found,) = site.world.store.get([Key(f"{site.world.written}-leases", "runners")])
    if found is None:
        return {}
    holders: Mapping[str, str] = found.source["leases"]
    return {name: {batch for batch, by in holders.items() if by == name} for name in found.source["runners"]}


def await_shares(site: Site, *shares: int) -> None:
    """Wait until there are so many runners and each holds so many batches."""
    await_that(
        lambda: sorted(map(len, leases(site).values())) == sorted(shares),
        lambda: f"{shares}, not {leases(site)}:\n" + "\n".join(each.said for each in site.schedulers),
    )


def rules_of(site: Site, runner: str) -> set[str]:
    """The rules of the batches that the runner of this name holds."""
    (held,) = (held for name, held in leases(site).items() if name.startswith(f"{runner}-"))
    grouped = batches(read(site.rules).raise_if_faulty().rules)
    return {rule.id for batch, rules in grouped.items() if batch.name in held for rule in rules}


def executed_after(site: Site, moment: datetime) -> dict[str, datetime]:
    """When each rule was executed first since then, by the store's clock."""
    first: dict[str, datetime] = {}
    for record in stored(site.world.store, f"{site.world.written}-executions"):
        began = parse_time(record["@timestamp"])
        assert began is not None
        if began > moment:
            first[record["rule"]["id"]] = min(began, first.get(record["rule"]["id"], began))
    return first


def await_takeover(site: Site, rules: set[str], moment: datetime) -> timedelta:
    """Wait until each of these rules was executed after this moment; how long that took for the last of them."""
    await_that(lambda: executed_after(site, moment).keys() >= rules, lambda: site.schedulers[-1].said)
    return max(executed_after(site, moment)[rule] for rule in rules) - moment


def await_alerts(site: Site, rules: list[str]) -> None:
    """Wait until every event is alerted by each rule; none may be twice."""
    expected = Counter({(rule, event): 1 for rule in rules for event in site.hits})
    # The index of alerts is there before it is looked into.
    await_that(lambda: any("ALERT" in each.said for each in site.schedulers), lambda: site.schedulers[-1].said)
    await_that(
        lambda: alerted(site).keys() >= expected.keys(),
        lambda: f"{len(expected - alerted(site))} alerts:\n" + "\n".join(each.said for each in site.schedulers),
    )
    assert alerted(site) == expected


def alerted(site: Site) -> Counter[tuple[str, str]]:
    """How many alerts each rule has for each event."""
    return Counter(
        (alert["kibana.alert.rule.rule_id"], alert["kibana.alert.ancestors"][-1]["id"])
        for alert in stored(site.world.store, f"{site.world.written}-alerts")
    )


def assert_covered(site: Site, rules: list[str]) -> None:
    """Everything that was asked of each rule is searched up to about now, and nothing that is still to come."""
    now = site.world.store.clock()
    for rule in rules:
        coverage = site.coverage(rule)
        assert coverage is not None
        searched = coverage["searched"]
        assert searched[0]["start"] == coverage["asked"][0]["start"]
        assert all(one["end"] >= following["start"] for one, following in pairwise(searched))
        end = parse_time(searched[-1]["end"])
        assert end is not None
        assert now - 4 * INTERVAL <= end <= now + CLOCK_SKEW


def no_errors(*schedulers: Scheduler) -> None:
    """Nothing went wrong in these."""
    assert not [each.said for each in schedulers if "ERROR" in each.said or "Traceback" in each.said]


def test_work_is_shared_and_that_of_a_killed_runner_taken_over_within_an_interval(site: Site) -> None:
    """Half of eight batches each; SIGKILL while events go on: none is lost, none alerted twice."""
    # So few that even a busy machine executes them all in a fraction of the interval.
    rules = write_batches(site, 8)
    victim = site.start(LOLBIN_RUNNER_NAME="victim")
    heir = site.start(LOLBIN_RUNNER_NAME="heir")
    await_shares(site, 4, 4)
    site.happen(3)
    await_alerts(site, rules)
    orphans = rules_of(site, "victim")
    time.sleep(2)  # somewhere between two ticks
    site.happen(3)
    killed = site.world.store.clock()
    assert victim.end(signal.SIGKILL) == -signal.SIGKILL
    site.happen(3)
    assert await_takeover(site, orphans, killed) < INTERVAL, heir.said
    await_alerts(site, rules)
    await_shares(site, 8)
    assert_covered(site, rules)
    assert heir.end() == 0
    no_errors(victim, heir)


def test_a_runner_that_stops_gives_its_work_back(site: Site) -> None:
    """Long before its silence would be noticed; the last one to stop leaves nobody behind."""
    rules = write_batches(site, 4, interval="20s")
    leaving, staying = site.start(LOLBIN_RUNNER_NAME="leaving"), site.start(LOLBIN_RUNNER_NAME="staying")
    await_shares(site, 2, 2)
    left = rules_of(site, "leaving")
    stopped = site.world.store.clock()
    assert leaving.end() == 0
    assert await_takeover(site, left, stopped) < timedelta(seconds=5)
    assert rules_of(site, "staying") == set(rules)
    assert staying.end() == 0
    assert leases(site) == {}


class Pausing(FaultProxy):
    """Stops a process when it sends a search, once: it is in the midst of an execution then."""

    victim: Scheduler | None = None

    def admit(self, request: Seen) -> Action | None:
        """Let it pass, and nothing after it."""
        if self.victim is not None and "_search" in request.path:
            self.victim.process.send_signal(signal.SIGSTOP)
            self.victim = None
        return super().admit(request)


@ON_A_NODE
def test_a_holder_that_sleeps_and_writes_late_does_no_harm(site: Site, elasticsearch_url: str) -> None:
    """It wakes long after another one has its rules, and writes what it found then; that is there already."""
    rules = write_batches(site, 2)
    with Pausing(elasticsearch_url) as proxy:
        sleeper = site.start(LOLBIN_RUNNER_NAME="sleeper", ELASTICSEARCH_URL=proxy.url)
        await_shares(site, 2)
        site.happen(3)
        proxy.victim = sleeper
        await_that(lambda: proxy.victim is None, lambda: sleeper.said)
        other = site.start(LOLBIN_RUNNER_NAME="other")
        await_shares(site, 2)
        await_alerts(site, rules)
        site.happen(3)
        await_alerts(site, rules)
        done = sleeper.said.count("succeeded")
        sleeper.process.send_signal(signal.SIGCONT)
        await_that(lambda: sleeper.said.count("succeeded") > done, lambda: sleeper.said)
        await_shares(site, 1, 1)
        site.happen(3)
        await_alerts(site, rules)
        assert_covered(site, rules)
        assert [sleeper.end(), other.end()] == [0, 0]
    no_errors(sleeper, other)


@ON_A_NODE
def test_the_machines_clocks_decide_nothing(site: Site, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """One an hour ahead, one behind; then both are set right, one too far. The store's clock decides throughout."""
    script = pytestconfig.rootpath / "tests" / "shifted_scheduler.py"
    rules = write_batches(site, 4)
    shifts = {name: tmp_path / f"{name}.shift" for name in ("ahead", "behind")}
    for name, shift in (("ahead", 3600), ("behind", -3600)):
        shifts[name].write_text(str(shift))
        site.start(script, LOLBIN_RUNNER_NAME=name, LOLBIN_TEST_SHIFT=str(shifts[name]))
    ahead, behind = site.schedulers
    await_shares(site, 2, 2)
    ahead.says("clock is ahead of the store's by 3600 s")
    behind.says("clock is behind the store's by 3600 s")
    for shift_ahead, shift_behind in ((3600, -3600), (0, 0), (-1800, 0)):
        set_clock(shifts["ahead"], shift_ahead)
        set_clock(shifts["behind"], shift_behind)
        site.happen(3)
        await_alerts(site, rules)
        assert_covered(site, rules)
    await_shares(site, 2, 2)
    orphans = rules_of(site, "ahead")
    killed = site.world.store.clock()
    ahead.end(signal.SIGKILL)
    assert await_takeover(site, orphans, killed) < INTERVAL
    assert behind.end() == 0
    no_errors(ahead, behind)


def set_clock(file: Path, shift: int) -> None:
    """Put the clock there at once, for whoever reads the file at this moment."""
    draft = file.with_suffix(".draft")
    draft.write_text(str(shift))
    draft.replace(file)


@ON_A_NODE
def test_leases_that_cannot_be_written_stop_nothing(site: Site, client: Elasticsearch) -> None:
    """Both runners execute everything and say so once; when they can be written again, the work is shared again."""
    rules = write_batches(site, 4, interval="2s")
    both = site.start(), site.start()
    await_shares(site, 2, 2)
    index = f"{site.world.written}-leases"
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    for each in both:
        each.says("Which runner executes which rules cannot be agreed upon: ")
        each.says("executes 4 of 4 batches of rules; new among them: ")
    site.happen(3)
    await_alerts(site, rules)
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})
    for each in both:
        each.says("The leases can be read and written again.")
    await_shares(site, 2, 2)
    site.happen(3)
    await_alerts(site, rules)
    assert [each.end() for each in both] == [0, 0]
    assert [each.said.count("cannot be agreed upon") for each in both] == [1, 1]
    no_errors(*both)


def test_five_hundred_rules_due_at_once_are_shared_by_two_runners(site: Site) -> None:
    """In twenty-five batches; every rule alerts every event once, half of them by each runner."""
    rules = write_batches(site, 25, interval="15s", rules=20)
    both = site.start(), site.start()
    await_shares(site, 12, 13)
    site.happen(2)
    await_alerts(site, rules)
    assert [each.end() for each in both] == [0, 0]
    no_errors(*both)
