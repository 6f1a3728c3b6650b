"""The runner as a process: live events, signals, sudden death, edited rules, an absent store."""

from __future__ import annotations

import signal
import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

from event_indices import stored
from fault_proxy import CutBefore, Delay, Fault, FaultProxy, Respond
from live_runners import Scheduler, Site, await_that
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.load import read
from worlds import ON_A_NODE, now


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
    """One of them executes the rule; which, they agree upon, and neither fails for it."""
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
        brief = start_slow(60, LOLBIN_STOP_GRACE="1s")
        assert brief.end() == 1
        assert "abandoned after LOLBIN_STOP_GRACE" in brief.said
        hasty = start_slow(60)
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
