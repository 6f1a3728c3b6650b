"""Ticks: when which rules are executed. The only importer of APScheduler, which says "now" and nothing else.

What to search is never told by a tick but by coverage, so a late, missed or doubled tick loses nothing.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from lolbin_rules.alert.templates import templates
from lolbin_rules.errors import StoreError, StoreForbidden
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders, disable, execute
from lolbin_rules.execution.sweep import Sweeps
from lolbin_rules.rule.load import read, rule_files
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet, changed
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.store.port import Store

__all__ = ["TEMPLATES_FORBIDDEN", "Batch", "Runner", "batches", "log_execution", "next_slot"]

LOG = logging.getLogger(__name__)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THREADS = 4
LONGEST_WAIT = timedelta(minutes=1)
SWEEP_LOOK = timedelta(seconds=15)
"""How often it is looked for rules that are to be swept."""
IDLE_LOOK = 0.2
"""Seconds between two looks whether ticks are under way."""
SWEEP_BUDGET = timedelta(minutes=1)
"""How long one look may go on searching; the rest is left to the next one."""
TEMPLATES_FORBIDDEN = "Index templates are taken to be in place; if they are not, run `lolbin-rules setup` once."

# A tick that comes late is still wanted, several missed ones are one, and a slow batch is not run beside itself.
JOB_DEFAULTS = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rules that are searched in the same requests because they share indices, interval and lookback."""

    index: tuple[str, ...]
    interval: timedelta
    lookback: timedelta

    @property
    def name(self) -> str:
        """Names the batch stably: the same for the same indices and times, on every machine."""
        text = f"{','.join(self.index)} {self.interval.total_seconds()} {self.lookback.total_seconds()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def phase(self) -> timedelta:
        """How far into its interval the batch ticks, so that batches do not all come at once."""
        return timedelta(seconds=int(self.name, 16) % int(self.interval.total_seconds()))


def batches(rules: Mapping[str, Rule]) -> dict[Batch, list[Rule]]:
    """The enabled rules by batch."""
    found: dict[Batch, list[Rule]] = {}
    for rule in rules.values():
        if rule.enabled:
            found.setdefault(Batch(rule.index, rule.interval, rule.lookback), []).append(rule)
    return found


def next_slot(batch: Batch, now: datetime) -> datetime:
    """The first moment after `now` that is a whole number of intervals and the batch's phase after 1970."""
    slots = (now - EPOCH - batch.phase) // batch.interval
    return EPOCH + batch.phase + (slots + 1) * batch.interval


@dataclass(slots=True)
class Runner:
    """Executes rules by their intervals until it is told to stop.

    Attributes:
        store: where events are read and alerts written.
        settings: see `RunnerSettings`.
        rules: files and folders of rules.
        clock: the present time.
        report: called with every execution, from any thread.
    """

    store: Store
    settings: RunnerSettings
    rules: tuple[Path, ...]
    clock: Callable[[], datetime]
    report: Callable[[Execution], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    _ruleset: RuleSet = field(default_factory=RuleSet)
    _removed: dict[str, Rule] = field(default_factory=dict)
    _signature: object = None
    _convicted: set[str] = field(default_factory=set)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _under_way: set[str] = field(default_factory=set)
    _sweeps: Sweeps = field(init=False)
    _scheduler: BackgroundScheduler = field(
        default_factory=lambda: BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(THREADS), "sweep": ThreadPoolExecutor(1)},
            job_defaults=JOB_DEFAULTS,
        )
    )

    def __post_init__(self) -> None:
        self._sweeps = Sweeps(self.settings.sweep_interval, self.settings.sweep_reach)

    def run(self) -> bool:
        """Work until `stop` is called; then let what is under way finish for as long as `stop_grace`, and return.

        Returns:
            Whether it finished. What did not is done again by the next runner; nothing is lost by ending it.

        Raises:
            RuleSetError: at the start, and only then, the rules are faulty.
        """
        read(self.rules).raise_if_faulty()
        if not self._prepare():
            return True
        self._scheduler.start()
        self.reload()
        every = IntervalTrigger(seconds=int(self.settings.reload_interval.total_seconds()), timezone=UTC)
        self._scheduler.add_job(self.reload, every)
        if self._sweeps.interval:
            look = min(SWEEP_LOOK, self._sweeps.interval)
            again = IntervalTrigger(seconds=int(look.total_seconds()), timezone=UTC)
            self._scheduler.add_job(self.sweep, again, executor="sweep")
        self.stopping.wait()
        return self._shut_down()

    def stop(self) -> None:
        """Begin no more executions, and end `run`; a second call abandons what is under way at once."""
        if self.stopping.is_set() or not self._scheduler.running:
            self.store.stop()
        self.stopping.set()

    def tick(self, batch: Batch) -> None:
        """Execute the batch's rules, unless they are being executed already."""
        lock = self._locks.setdefault(batch.name, threading.Lock())
        if self.stopping.is_set() or not lock.acquire(blocking=False):
            return
        self._under_way.add(batch.name)
        try:
            rules = batches(self._ruleset.rules).get(batch, [])
            for execution in execute(self._orders(rules), self.store, self._convicted):
                self.report(execution)
        finally:
            self._under_way.discard(batch.name)
            lock.release()

    def sweep(self) -> None:
        """Sweep the rules that are due for it, while no tick is under way; at least a little of it in any case.

        Were it to wait for as long as there are ticks, a busy runner would never sweep.
        """
        began = self.clock()
        while self._under_way and self.clock() < began + LONGEST_WAIT:
            if self.stopping.wait(IDLE_LOOK):
                return
        rules = self._ruleset.rules
        try:
            told = self.store.clock()
        except StoreError as error:
            LOG.warning("No sweep for now: %s", error)
            return
        owed = self._sweeps.owed(rules.values(), told)
        if self.stopping.is_set() or not owed:
            return
        until = self.clock() + SWEEP_BUDGET

        def goes_on() -> bool:
            return not (self._under_way or self.stopping.is_set()) and self.clock() < until

        orders = self._orders([rules[name] for name in owed])
        orders = replace(orders, is_sweep=True, spans=owed, goes_on=goes_on)
        executions = execute(orders, self.store, self._convicted)
        self._sweeps.took(executions, told)
        for execution in executions:
            self.report(execution)

    def reload(self) -> None:
        """Take up changed rule files. Rules of files that became faulty go on as they were."""
        signature = _signature(self.rules)
        if signature != self._signature:
            self._signature = signature
            self._take_up(read(self.rules))
        self._close_disabled()

    def _take_up(self, read_anew: RuleSet) -> None:
        for fault in read_anew.faults:
            LOG.error("%s", fault)
        before, self._ruleset = self._ruleset, _with_survivors(self._ruleset, read_anew)
        self._reschedule()
        if kept := sorted(self._ruleset.rules.keys() - read_anew.rules.keys()):
            LOG.warning("Their files being faulty, these rules go on as they were: %s.", ", ".join(kept))
        found = changed(before, self._ruleset)
        self._removed = {
            **{rule_id: rule for rule_id, rule in self._removed.items() if rule_id not in self._ruleset.rules},
            **{rule_id: before.rules[rule_id] for rule_id in found.removed},
        }
        for done, ids in (("Added", found.added), ("Changed", found.changed), ("Removed", found.removed)):
            if ids:
                LOG.info("%s: %s.", done, ", ".join(ids))
        enabled = sum(rule.enabled for rule in self._ruleset.rules.values())
        LOG.info("%d of %d rules are enabled.", enabled, len(self._ruleset.rules))

    def _orders(self, rules: Sequence[Rule]) -> Orders:
        settings = self.settings
        return Orders(
            rules,
            self._ruleset.lists,
            self.clock(),
            prefix=settings.prefix,
            gap_horizon=settings.gap_horizon,
            within=settings.execution_timeout,
            exceptions=self._ruleset.exceptions_by_rule,
        )

    def _prepare(self) -> bool:
        """Put index templates in place; False if stopped before the store could be reached."""
        wait = timedelta(seconds=1)
        while not self.stopping.is_set():
            try:
                self.store.prepare(templates(self.settings.prefix))
            except StoreForbidden as error:
                LOG.warning("%s %s", error, TEMPLATES_FORBIDDEN)
            except StoreError as error:
                if self.stopping.is_set():
                    break
                LOG.warning("%s Trying again in %.0f s.", error, wait.total_seconds())
                self.stopping.wait(wait.total_seconds())
                wait = min(2 * wait, LONGEST_WAIT)
                continue
            return True
        return False

    def _close_disabled(self) -> None:
        """Disabled or removed; at every look, as an execution under way, or another runner, may open it again."""
        disabled = [rule for rule in self._ruleset.rules.values() if not rule.enabled]
        disabled += self._removed.values()
        try:
            disable(self._orders(disabled), self.store)
        except StoreError as error:
            LOG.warning("Disabled rules could not be marked as such: %s Trying again at the next look.", error)

    def _reschedule(self) -> None:
        wanted = {batch.name: batch for batch in batches(self._ruleset.rules)}
        for job in self._scheduler.get_jobs():
            if job.args and job.id not in wanted:
                with suppress(JobLookupError):  # a first tick that was just taken is gone by itself
                    job.remove()
        for name, batch in wanted.items():
            if self._scheduler.get_job(name) is None:
                now = self.clock()
                seconds = int(batch.interval.total_seconds())
                trigger = IntervalTrigger(seconds=seconds, start_date=next_slot(batch, now), timezone=UTC)
                self._scheduler.add_job(self.tick, trigger, args=[batch], id=name)
                self._scheduler.add_job(self.tick, args=[batch], id=f"{name}-first", replace_existing=True)

    def _shut_down(self) -> bool:
        finishing = threading.Thread(target=self._scheduler.shutdown, daemon=True)
        finishing.start()
        finishing.join(self.settings.stop_grace.total_seconds())
        return not finishing.is_alive()


def _signature(paths: tuple[Path, ...]) -> object:
    """Changes when a rule file is added, removed or written."""
    found = []
    for file in rule_files(paths):
        try:
            state = file.stat()
        except OSError:
            continue
        found.append((str(file), state.st_mtime_ns, state.st_size, state.st_ino))
    return found


def _with_survivors(before: RuleSet, now: RuleSet) -> RuleSet:
    """The rules as they are now, and those of before whose file, or the folder of it, cannot be read at present."""
    faulty = {fault.path for fault in now.faults}
    lost = {}
    for rule_id in sorted(before.rules.keys() - now.rules.keys()):
        file = Path(before.origin[rule_id].rpartition(":")[0])
        if not faulty.isdisjoint({str(file), *map(str, file.parents)}):
            lost[rule_id] = before.rules[rule_id]
    if not lost:
        return now
    return replace(
        now,
        rules={**now.rules, **lost},
        lists={**before.lists, **now.lists},
        exceptions={**before.exceptions, **now.exceptions},
        origin={**{rule_id: before.origin[rule_id] for rule_id in lost}, **now.origin},
    )


def log_execution(execution: Execution) -> None:
    """Write what an execution did to the log: every alert, then a line of figures."""
    tally = execution.tally
    for sentence in tally.raised:
        LOG.warning("ALERT %s", sentence)
    level = {Status.SUCCEEDED: logging.INFO, Status.PARTIAL_FAILURE: logging.WARNING, Status.FAILED: logging.ERROR}
    LOG.log(
        level[execution.status],
        "%s: %s; %d hits, %d alerts, %d duplicates.%s",
        f"{execution.rule.id} (sweep)" if execution.is_sweep else execution.rule.id,
        execution.status.value,
        tally.hits,
        tally.alerts,
        tally.duplicates,
        f" {execution.reason}" if execution.reason else "",
        extra={"lolbin": {"execution": execution.to_json()}},
    )
