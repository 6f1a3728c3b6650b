"""A run that is killed anywhere, then started again, ends with the same alerts, each once."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

import generated_events as events
from event_indices import index_events, iso, map_indices, stored, under
from fault_proxy import Action, CutBefore, FaultProxy, Rewrite, Seen
from generated_outcomes import alerted, expected_folds, folds, load
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.execution.sweep import sweeping
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.load import read
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store
from other_process import Elsewhere, run_program
from rule_files import write_rules
from worlds import ON_A_NODE, World, now

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
SPAN = Window(BASE - timedelta(minutes=10), BASE + timedelta(minutes=10))
RULES = ("network-connection-via-regsvr32", "network-connection-via-regsvcs")


class KillingProxy(FaultProxy):
    """Kills a process with SIGKILL when its request number `deadly` comes: before the node sees it, or after.

    `deadly_write` counts its writes only.
    """

    victim: Elsewhere | None = None
    deadly = -1
    deadly_write = -1
    spares_the_request = False

    def admit(self, request: Seen) -> Action | None:
        """Record the request, and strike if it is the one."""
        super().admit(request)
        writes = sum(each.path.startswith("/_bulk") for each in self.requests)
        is_deadly_write = request.path.startswith("/_bulk") and writes - 1 == self.deadly_write
        if len(self.requests) - 1 != self.deadly and not is_deadly_write:
            return None
        if self.spares_the_request:
            return Rewrite(self._strike)
        self._strike(None)
        return CutBefore()

    def _strike(self, answer: Any) -> Any:
        if self.victim is not None:
            self.victim.kill()
        return answer


SPANNED = ("--from", iso(SPAN.start), "--to", iso(SPAN.end))


def run(proxy: KillingProxy, rules: Path, prefix: str, span: tuple[str, ...] = SPANNED) -> int:
    """One run of the program over the events' time; its exit code."""
    arguments = ["once", "--rules", str(rules), "--store", proxy.url, *span]
    proxy.requests.clear()
    proxy.victim = Elsewhere(partial(run_program, arguments, {"LOLBIN_PREFIX": prefix}), rules / "log")
    ended = proxy.victim.ended()
    assert ended.code in {0, -signal.SIGKILL}, ended
    return ended.code


def forget(client: Elasticsearch, prefix: str) -> None:
    """Delete what was written so far."""
    for kind in ("alerts", "suppressed", "coverage", "dead-letters", "executions"):
        for index in client.indices.get(index=f"{prefix}-{kind}*"):
            client.indices.delete(index=index)


@ON_A_NODE
def test_a_run_killed_at_any_request_is_made_good_by_the_next(
    all_rules: RuleSet,
    client: Elasticsearch,
    elasticsearch_url: str,
    store: Store,
    world: World,
    tmp_path: Path,
) -> None:
    """SIGKILL at every search and around every write of a run; the run after each leaves every alert there once."""
    per_event = events.generate("regsvr32", seed=21, base_time=BASE - timedelta(minutes=4), hits=10, near_misses=1)
    per_group = events.regsvcs_groups(seed=21, base_time=BASE, sizes=range(1, 6), spread=timedelta(minutes=2))
    load(store, world.prefix, [per_event, per_group])
    rules = write_rules(tmp_path, [under(world.prefix, all_rules.rules[name]) for name in RULES], all_rules)
    orders = Orders(
        [under(world.prefix, all_rules.rules[name]) for name in RULES], all_rules.lists, SPAN.end, world.written
    )
    kills = Counter[str]()
    with KillingProxy(elasticsearch_url) as proxy:
        for deadly, spares_the_request in ((number, after) for number in count() for after in (False, True)):
            if spares_the_request and not proxy.requests[-1].path.startswith("/_bulk"):
                continue  # the node is the same whether it was read or not
            forget(client, world.written)
            proxy.deadly, proxy.spares_the_request = deadly, spares_the_request
            if run(proxy, rules, world.written) == 0:
                break
            killed_at = proxy.requests[-1]
            kills[f"{killed_at.method} {killed_at.path.split('?')[0].split('/')[-1]}"] += 1
            assert {execution.status for execution in replay(orders, SPAN, store)} == {Status.SUCCEEDED}, killed_at
            alerts = stored(store, f"{world.written}-alerts")
            of_groups = [alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == per_group.rule_id]
            assert alerted(alerts)[per_event.rule_id] == Counter(event.id for event in per_event.hits), killed_at
            assert folds(of_groups) == expected_folds(per_group), killed_at
    assert kills["POST _bulk"] >= 10, kills
    assert kills["POST _search"] >= 2, kills


@ON_A_NODE
def test_a_sweep_killed_between_any_two_writes_is_made_good_by_the_next(
    all_rules: RuleSet,
    client: Elasticsearch,
    elasticsearch_url: str,
    store: Store,
    world: World,
    tmp_path: Path,
) -> None:
    """SIGKILL between every two writes of a sweep of time that was searched before the events were there."""
    # Groups lie at the next full hour. All of it is past the sweep's end, whatever the time of day is.
    base = now().replace(minute=35, second=0, microsecond=0) - timedelta(hours=2)
    rules = write_rules(tmp_path, [under(world.prefix, all_rules.rules[name]) for name in RULES], all_rules)
    written = read((rules,)).raise_if_faulty()  # in the order of the files, or it would be another logic
    chosen = [written.rules[name] for name in RULES]
    per_event = events.generate("regsvr32", seed=22, base_time=base - timedelta(minutes=4), hits=5, near_misses=1)
    per_group = events.regsvcs_groups(seed=22, base_time=base, sizes=range(1, 4), spread=timedelta(minutes=2))
    map_indices(store, f"{world.prefix}winlogbeat-*", f"{world.prefix}logs-endpoint.events.*")
    made = [(world.prefix + event.index, event.id, event.source) for event in (*per_event.events, *per_group.events)]
    index_events(store, [(made[0][0], "nothing", {"@timestamp": iso(base)})])
    for minutes in (0, 30):
        execute(Orders(chosen, written.lists, base + timedelta(minutes=minutes), world.written), store)
    before = stored(store, f"{world.written}-coverage")
    assert len(before) == 2
    index_events(store, made)
    again = Orders(chosen, written.lists, now(), world.written)
    with KillingProxy(elasticsearch_url) as proxy:
        for write in count():  # killed before one, it has done the one before that, and nothing since
            proxy.deadly_write = write
            if run(proxy, rules, world.written, ("--sweep",)) == 0:
                break
            for execution in execute(sweeping(again, timedelta(days=1)), store):
                assert execution.status is Status.SUCCEEDED, execution.reason
            alerts = stored(store, f"{world.written}-alerts")
            of_groups = [alert for alert in alerts if alert["kibana.alert.rule.rule_id"] == per_group.rule_id]
            assert alerted(alerts)[per_event.rule_id] == Counter(event.id for event in per_event.hits), write
            assert folds(of_groups) == expected_folds(per_group), write
            for kind in ("alerts", "suppressed"):
                for index in client.indices.get(index=f"{world.written}-{kind}*"):
                    client.indices.delete(index=index)
    assert write >= 4
