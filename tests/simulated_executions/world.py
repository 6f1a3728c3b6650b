"""A simulated world: documents arrive, runners tick as the schedule does, and the oracle looks on."""

from __future__ import annotations

import heapq
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from event_indices import MAPPING
from lolbin_rules.alert import fields
from lolbin_rules.alert.templates import templates
from lolbin_rules.errors import StoreError
from lolbin_rules.execution.batch import batches
from lolbin_rules.execution.fill import fill
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders, disable, execute
from lolbin_rules.execution.sweep import Sweeps
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.document import from_document
from lolbin_rules.plan.window import Spans
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Document, IndexTemplate, Key, Verdict
from simulated_executions.faults import Crash, FaultyStore
from simulated_executions.memory_store import MemoryStore
from simulated_executions.oracle import Oracle
from simulated_executions.scenario import (
    EVERY_CODE,
    SECOND,
    ByHand,
    Codes,
    Faults,
    Grouping,
    Scenario,
    Watched,
    moment,
    rule_of,
)

__all__ = ["EVENTS", "PREFIX", "Ended", "World", "fixed_templates", "run"]

PREFIX = "lolbin"
EVENTS = IndexTemplate(
    "ev",
    ("ev-*",),
    1,
    {
        "settings": {"number_of_shards": 2},
        "mappings": {
            "dynamic": False,
            "properties": {**MAPPING["properties"], "host": {"properties": {"name": {"type": "keyword"}}}},
        },
    },
)
MOST_CALLS_BEFORE_A_CRASH = 40
MOST_WAITS_FOR_A_SWEEP = 10
HEALTHY = Faults()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a world ended.

    Attributes:
        events: documents that came.
        owed: what was owed: events with an alert, groups, sequences.
        alerts: alerts that there are.
        lost: what was owed and has no alert, as sentences.
        doubled: what has more than one.
        wrong: counts that are not exact, coverage that says too much, alerts of nothing, what did not drain.
        faults: how often what went wrong.
    """

    events: int
    owed: int
    alerts: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    wrong: tuple[str, ...]
    faults: Counter[str]

    @property
    def is_good(self) -> bool:
        """Whether all that was promised was kept."""
        return not (self.lost or self.doubled or self.wrong)


@dataclass(slots=True)
class Runner:
    """One program that ticks; what it remembers is lost when it crashes.

    Attributes:
        store: as it meets it.
        sweeps: which rules it is to sweep when.
        version: what the files said when it looked last: by id, codes, suppression, enabled.
    """

    store: FaultyStore
    sweeps: Sweeps
    convicted: set[str] = field(default_factory=set)
    version: dict[str, tuple[Codes, Grouping, bool]] = field(default_factory=dict)
    is_busy: bool = False


class World:
    """The world of one scenario.

    Args:
        scenario: what happens in it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.chance = random.Random(f"faults {scenario.seed}")
        first = min((arrival.written for arrival in scenario.arrivals), default=0)
        self.now = min(first, 0)
        self.store = MemoryStore(clock=lambda: moment(self.now))
        self.store.prepare([*fixed_templates(), EVENTS])
        self.oracle = Oracle(scenario)
        self.files: dict[str, tuple[Codes, Grouping, bool]] = {
            rule.id: (EVERY_CODE, "host" if rule.kind == "grouped" else "none", True) for rule in scenario.rules
        }
        self._edits = list(scenario.edits)
        self._coming = [(arrival.written, 0, n, arrival.index) for n, arrival in enumerate(scenario.arrivals)]
        self._coming += [(arrival.refreshed, 1, n, arrival.index) for n, arrival in enumerate(scenario.arrivals)]
        heapq.heapify(self._coming)
        self._unrefreshed: dict[str, list[int]] = {}
        self.runners = [
            Runner(
                FaultyStore(self.store, self, scenario.faults, self.chance, scenario.page_size, number), self._sweeps()
            )
            for number in range(2)
        ]
        self._is_nested = False
        self._coverages: dict[str, tuple[Mapping[str, Any], Coverage]] = {}

    def let_pass(self, milliseconds: int) -> None:
        """See `Turning`."""
        until = self.now + milliseconds
        while self._coming and self._coming[0][0] <= until:
            self.now, what, number, index = heapq.heappop(self._coming)
            if what:
                self._refresh(index)
            else:
                self._write(number)
        self.now = until

    def _write(self, number: int) -> None:
        arrival = self.scenario.arrivals[number]
        (outcome,) = self.store.create([Document(Key(arrival.index, arrival.id), arrival.source)])
        assert outcome.verdict is Verdict.CREATED, outcome
        self._unrefreshed.setdefault(arrival.index, []).append(number)

    def _refresh(self, index: str) -> None:
        """A refresh takes in everything that its index has, whomever it was for."""
        self.store.refresh([index])
        for number in self._unrefreshed.pop(index, ()):
            self.oracle.note_searchable(number, self.now)

    def interleave(self, runner: int) -> None:
        """See `Turning`."""
        other = self.runners[1 - runner]
        if self._is_nested or other.is_busy or self.chance.random() >= self.scenario.interleaved:
            return
        self._is_nested = True
        other.store.counted["interleaved"] += 1
        try:
            self.tick(1 - runner)
        finally:
            self._is_nested = False

    def note_refused(self, document: Document) -> None:
        """See `Turning`."""
        if fields.GROUP_INDEX in document.source:  # the alert of an event of a sequence
            self.oracle.refused[str(document.source[fields.GROUP_ID])] += 1

    def turn(self) -> None:
        """Everything, until the end of what goes wrong."""
        by_hand = self.scenario.by_hand
        coming = [*self.scenario.ticks, *((asked.at, len(self.runners) + n) for n, asked in enumerate(by_hand))]
        heapq.heapify(coming)
        while coming:
            at, number = heapq.heappop(coming)
            self.let_pass(max(0, at - self.now))
            if number >= len(self.runners):
                if not self._search_by_hand(by_hand[number - len(self.runners)]):
                    heapq.heappush(coming, (self.now + self.chance.randint(SECOND, 90 * SECOND), number))
            elif self.tick(number):
                # It is started again soon, and ticks at once.
                heapq.heappush(coming, (self.now + self.chance.randint(SECOND, 90 * SECOND), number))
        self.let_pass(max(0, self.scenario.end - self.now))

    def drain(self) -> None:
        """Nothing goes wrong any more: the first runner ticks until nothing is left, or for too long."""
        last = max((arrival.refreshed for arrival in self.scenario.arrivals), default=0)
        last = max([last, *(edit.at for edit in self._edits)])
        for runner in self.runners:
            runner.store.faults, runner.store.crash_at = HEALTHY, 0
        interval = self.scenario.rules[0].interval
        reach = max(rule.tolerance for rule in self.scenario.rules) + 2 * interval
        self._sweep_on()
        self.let_pass(max(0, last + reach - self.now))
        left = sum(-(-len(self.scenario.arrivals) // rule.max_alerts) for rule in self.scenario.rules) + 8
        while left:
            before = len(self.store.written(f"{PREFIX}-alerts"))
            self.tick(0)
            is_still = len(self.store.written(f"{PREFIX}-alerts")) == before
            if is_still and self.oracle.is_drained(self.coverages(), self.now):
                return
            self.let_pass(interval)
            left -= 1
        self.oracle.wrong.append("it did not drain")

    def _sweep_on(self) -> None:
        """The first runner sweeps as documents come; nothing goes wrong any more.

        What it would have swept while nothing came is passed over.
        """
        if self.scenario.sweeps is None:
            return
        every, reach = self.scenario.sweeps
        begun = self._sweep_all()
        self.let_pass(begun + every + SECOND - self.now)
        begun = self._sweep_all()
        self.oracle.note_swept_from(begun)
        for arrival in sorted(self.scenario.arrivals, key=lambda arrival: arrival.refreshed):
            if begun < arrival.refreshed <= max(*arrival.times, arrival.ingested or arrival.times[0]) + reach:
                intervals = -(-(arrival.refreshed - begun) // every)
                self.let_pass(max(0, begun + intervals * every + SECOND - self.now))
                begun = self._sweep_all()

    def _sweep_all(self) -> int:
        """Sweep until nothing of it is left; when that began: it is due a little later than the last one was begun."""
        begun = self.now
        for _ in range(MOST_WAITS_FOR_A_SWEEP):
            if self._sweep(self.runners[0]):
                break
            self.let_pass(SECOND // 2)
            begun = self.now
        while self._sweep(self.runners[0]):
            pass
        return begun

    def tick(self, number: int) -> bool:
        """One look of a runner at its rules; whether the program ended in it."""
        runner = self.runners[number]
        runner.is_busy = True
        has_crashed = False
        self.plan_crash(runner.store)
        try:
            self._look(runner)
            self._sweep(runner)
        except Crash:
            has_crashed = True
            runner.convicted, runner.sweeps = set(), self._sweeps()
            self.oracle.note_crash(number)
        finally:
            runner.is_busy = False
        self._show_oracle()
        return has_crashed

    def _search_by_hand(self, asked: ByHand) -> bool:
        """A person searches past time, in the place of the second runner, which is idle; whether that has succeeded."""
        runner = self.runners[1]
        runner.is_busy = True
        self.plan_crash(runner.store)
        self._take_up_files(runner)
        (rule,) = (each for each in self._rules(runner) if each.id == asked.rule)
        self.oracle.note_by_hand(rule.id, runner.version[rule.id][0], (asked.start, asked.end), runner.store.runner)
        span, status = Spans.between(moment(asked.start), moment(asked.end)), Status.FAILED
        try:
            for execution in fill(rule, span, self._orders(runner, [rule]), runner.store):
                status = execution.status
                runner.store.counted["by hand"] += 1
        except Crash:
            status = Status.FAILED
        runner.is_busy = False
        self._show_oracle()
        self.oracle.note_done(rule.id, runner.store.runner)
        return status is Status.SUCCEEDED

    def plan_crash(self, store: FaultyStore) -> None:
        """Decide whether the program ends in the look that begins, and where."""
        at = 0
        if self.chance.random() < store.faults.crashes:
            at = self.chance.randint(1, MOST_CALLS_BEFORE_A_CRASH)
        store.begin_tick(at, is_after=self.chance.random() < 0.5)

    def _look(self, runner: Runner) -> None:
        """As `Runner.reload` and `Runner.tick` of the schedule."""
        self._take_up_files(runner)
        rules = self._rules(runner)
        closed = [rule for rule in rules if not rule.enabled]
        if closed:
            for rule in closed:
                self.oracle.note_closed(rule.id, self._clock(runner), runner.store.runner)
            try:
                disable(self._orders(runner, closed), runner.store)
            except StoreError:
                runner.store.counted["disabling failed"] += 1
        for batch in batches({rule.id: rule for rule in rules}).values():
            for rule in batch:
                self.oracle.note_begun(rule.id, runner.version[rule.id][0], self._clock(runner), runner.store.runner)
            execute(self._orders(runner, batch), runner.store, runner.convicted)

    def _sweeps(self) -> Sweeps:
        every, reach = self.scenario.sweeps or (1, 1)
        return Sweeps(timedelta(milliseconds=every), timedelta(milliseconds=reach))

    def _sweep(self, runner: Runner) -> list[Execution]:
        """As `Runner.sweep` of the schedule."""
        if self.scenario.sweeps is None:
            return []
        before, store = runner.store.counted.total(), runner.store
        self._take_up_files(runner)
        rules = {rule.id: rule for rule in self._rules(runner)}
        try:
            told = store.clock()
        except StoreError:
            return []
        owed = runner.sweeps.owed(rules.values(), told)
        orders = self._orders(runner, [rules[name] for name in owed])
        if not owed:
            return []
        self._show_oracle()
        for name in owed:
            self.oracle.note_begun(name, runner.version[name][0], self._clock(runner), store.runner)
        orders = replace(orders, is_sweep=True, spans=owed, goes_on=self._goes_on)
        self.oracle.note_sweep(owed.keys(), store.runner, self.now)
        executions = execute(orders, store, runner.convicted)
        runner.sweeps.took(executions, told)
        is_clean = store.counted.total() == before and not any(each.tally.given_up for each in executions)
        self._show_oracle()
        self.oracle.note_swept(owed.keys(), store.runner, is_clean=is_clean)
        store.counted["sweep"] += len(executions)
        return executions

    def _show_oracle(self) -> None:
        self.oracle.look(self.coverages(), self.store.written(f"{PREFIX}-*"), self.now)

    def _goes_on(self) -> bool:
        return self.chance.random() >= self.scenario.gives_way

    def _edit_files(self) -> None:
        while self._edits and self._edits[0].at <= self.now:
            edit = self._edits.pop(0)
            codes, grouping, is_enabled = self.files[edit.rule]
            changed: dict[str, tuple[Codes, Grouping, bool]] = {
                "logic": (edit.codes, grouping, is_enabled),
                "suppression": (codes, edit.grouping, is_enabled),
                "disable": (codes, grouping, False),
                "enable": (codes, grouping, True),
            }
            self.files[edit.rule] = changed[edit.what]
            self.oracle.note_file(edit.rule, self.files[edit.rule][0])

    def _take_up_files(self, runner: Runner) -> None:
        """What the files say; of two runners in the midst of it both have the same suppression.

        One event has another id alone than in a group: that no two alert it in both ways at once is up to the leases.
        """
        self._edit_files()
        busy = [other.version for other in self.runners if other is not runner and other.is_busy]
        runner.version = {
            name: (codes, busy[0][name][1] if busy else grouping, is_enabled)
            for name, (codes, grouping, is_enabled) in self.files.items()
        }

    def _rules(self, runner: Runner) -> list[Rule]:
        return [
            _as_written(replace(rule, mode=rule.mode_at(self.now), flips=()), *runner.version[rule.id])
            for rule in self.scenario.rules
        ]

    def _orders(self, runner: Runner, rules: list[Rule]) -> Orders:
        return Orders(rules, {}, moment(self._clock(runner)), prefix=PREFIX)

    def _clock(self, runner: Runner) -> int:
        """What the clock of the first runner says, which may be wrong; that of the second is right."""
        skew = 0
        for since, by in runner.store.faults.skews if runner is self.runners[0] else ():
            skew = by if self.now >= since else skew
        return self.now + skew

    def coverages(self) -> dict[str, Coverage]:
        """What is stored of each rule, read around all faults."""
        for key, source in self.store.written(f"{PREFIX}-coverage").items():
            if self._coverages.get(key.id, (None,))[0] is not source:
                self._coverages[key.id] = (source, from_document(source))
        return {name: coverage for name, (_, coverage) in self._coverages.items()}


@lru_cache(maxsize=1)
def fixed_templates() -> tuple[IndexTemplate, ...]:
    """The templates of what the package writes."""
    return tuple(templates(PREFIX))


@lru_cache(maxsize=4096)
def _as_written(rule: Watched, codes: Codes, grouping: Grouping, is_enabled: bool) -> Rule:  # noqa: FBT001 - as stored
    return rule_of(rule, codes, grouping).model_copy(update={"enabled": is_enabled})


@contextmanager
def drawn_uuids(seed: int) -> Iterator[None]:
    """Indices and executions have their uuids from the seed: what is sorted by them comes in the same order again."""
    chance = random.Random(f"uuids {seed}")
    with patch.object(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4)):
        yield


def run(scenario: Scenario, prepare: Callable[[World], Any] | None = None) -> Ended:
    """Let a scenario take place, and say how it ended."""
    with drawn_uuids(scenario.seed):
        world = World(scenario)
        if prepare:
            prepare(world)
        world.turn()
        world.drain()
    oracle = world.oracle
    owed, alerts = oracle.judge(world.store.written(f"{PREFIX}-*"))
    faults = sum((runner.store.counted for runner in world.runners), Counter[str]())
    return Ended(
        len(scenario.arrivals), owed, alerts, tuple(oracle.lost), tuple(oracle.doubled), tuple(oracle.wrong), faults
    )
