"""A run that is killed anywhere, then started again, ends with the same alerts, each once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

import generated_events as events
from event_indices import iso, stored, under
from fault_proxy import Action, CutBefore, FaultProxy, Rewrite, Seen
from generated_outcomes import alerted, expected_folds, folds, load
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.elasticsearch import ElasticsearchStore
from rule_files import write_rules

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
SPAN = Window(BASE - timedelta(minutes=10), BASE + timedelta(minutes=10))
RULES = ("network-connection-via-regsvr32", "network-connection-via-regsvcs")


class KillingProxy(FaultProxy):
    """Kills a process with SIGKILL when its request number `deadly` comes: before the node sees it, or after."""

    victim: subprocess.Popen[bytes] | None = None
    deadly = -1
    spares_the_request = False

    def admit(self, request: Seen) -> Action | None:
        """Record the request, and strike if it is the one."""
        super().admit(request)
        if len(self.requests) - 1 != self.deadly:
            return None
        if self.spares_the_request:
            return Rewrite(self._strike)
        self._strike(None)
        return CutBefore()

    def _strike(self, answer: Any) -> Any:
        if self.victim is not None:
            self.victim.send_signal(signal.SIGKILL)
            self.victim.wait()
        return answer


def run(proxy: KillingProxy, rules: Path, prefix: str) -> int:
    """One run of the program over the events' time; its exit code."""
    command = [sys.executable, "-m", "lolbin_rules", "once", "--rules", str(rules), "--store", proxy.url]
    span = ["--from", iso(SPAN.start), "--to", iso(SPAN.end)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LOLBIN_", "ELASTIC"))}
    proxy.requests.clear()
    process = subprocess.Popen(
        [*command, *span],
        env={**environment, "LOLBIN_PREFIX": prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    proxy.victim = process
    output, _ = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGKILL}, output.decode()
    return process.returncode


def forget(client: Elasticsearch, prefix: str) -> None:
    """Delete what was written so far."""
    for kind in ("alerts", "suppressed", "coverage", "dead-letters", "executions"):
        for index in client.indices.get(index=f"{prefix}-{kind}*"):
            client.indices.delete(index=index)


def test_a_run_killed_at_any_request_is_made_good_by_the_next(
    all_rules: RuleSet,
    client: Elasticsearch,
    elasticsearch_url: str,
    store: ElasticsearchStore,
    index_prefix: str,
    prefix: str,
    tmp_path: Path,
) -> None:
    """SIGKILL at every search and around every write of a run; the run after each leaves every alert there once."""
    per_event = events.generate("regsvr32", seed=21, base_time=BASE - timedelta(minutes=4), hits=10, near_misses=1)
    per_group = events.regsvcs_groups(seed=21, base_time=BASE, sizes=range(1, 6), spread=timedelta(minutes=2))
    load(client, index_prefix, [per_event, per_group])
    rules = write_rules(tmp_path, [under(index_prefix, all_rules.rules[name]) for name in RULES], all_rules)
    orders = Orders([under(index_prefix, all_rules.rules[name]) for name in RULES], all_rules.lists, SPAN.end, prefix)
    kills = Counter[str]()
    with KillingProxy(elasticsearch_url) as proxy:
        for deadly, spares_the_request in ((number, after) for number in count() for after in (False, True)):
            if spares_the_request and not proxy.requests[-1].path.startswith("/_bulk"):
                continue  # the node is the same whether it was read or not
            forget(client, prefix)
            proxy.deadly, proxy.spares_the_request = deadly, spares_the_request
            if run(proxy, rules, prefix) == 0:
                break
            killed_at = proxy.requests[-1]
            kills[f"{killed_at.method} {killed_at.path.split('?')[0].split('/')[-1]}"] += 1
            assert {execution.status for execution in replay(orders, SPAN, store)} == {Status.SUCCEEDED}, killed_at
            alerts = stored(client, f"{prefix}-alerts")
            of_groups = [alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == per_group.rule_id]
            assert alerted(alerts)[per_event.rule_id] == Counter(event.id for event in per_event.hits), killed_at
            assert folds(of_groups) == expected_folds(per_group), killed_at
    assert kills["POST _bulk"] >= 10, kills
    assert kills["POST _search"] >= 2, kills
