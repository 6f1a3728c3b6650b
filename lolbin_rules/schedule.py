"""Ticks: when which rules are executed. The only importer of APScheduler, which says "now" and nothing else.

What to search is never told by a tick but by coverage, so a late, missed or doubled tick loses nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from lolbin_rules.alert.templates import templates
from lolbin_rules.errors import StoreError, StoreForbidden
from lolbin_rules.execution.batch import Batch, batches, next_slot
from lolbin_rules.execution.lease import Leases, life_for, runner_name
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.refused import refuse
from lolbin_rules.execution.run import Orders, disable, execute
from lolbin_rules.execution.store_clock import StoreClock
from lolbin_rules.execution.sweep import Sweeps
from lolbin_rules.rule.coverage_mode import in_mode
from lolbin_rules.rule.load import read, rule_files
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet, changed
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.store.port import Store

__all__ = ["TEMPLATES_FORBIDDEN", "Runner", "Slots", "log_execution"]

LOG = logging.getLogger(__name__)
THREADS = 4
LONGEST_WAIT = timedelta(minutes=1)
SWEEP_LOOK = timedelta(seconds=15)
"""How often it is looked for rules that are to be swept."""
IDLE_LOOK = 0.2
"""Seconds between two looks whether ticks are under way."""
SWEEP_BUDGET = timedelta(minutes=1)
"""How long one look may go on searching; the rest is left to the next one."""
EARLY = timedelta(seconds=1)
"""A tick that comes so much before its slot, or less, is the slot's: clocks are not read to the millisecond."""
MOST_LISTED = 10
LEAVING = 2
"""Seconds that the store has to take back the leases of a runner that stops."""
TEMPLATES_FORBIDDEN = "Index templates are taken to be in place; if they are not, run `lolbin-rules setup` once."

# A tick that comes late is still wanted, several missed ones are one, and a slow batch is not run beside itself.
JOB_DEFAULTS = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


@dataclass(slots=True)
class Runner:
    """Executes rules by their intervals until it is told to stop.

    Attributes:
        store: where events are read and alerts written.
        settings: see `RunnerSettings`.
        rules: files and folders of rules.
        clock: the machine's, which is compared with the store's and decides nothing.
        report: called with every execution, from any thread.
        skipped: ticks that were left to other runners so far.
    """

    store: Store
    settings: RunnerSettings
    rules: tuple[Path, ...]
    clock: Callable[[], datetime]
    report: Callable[[Execution], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    skipped: int = 0
    _ruleset: RuleSet = field(default_factory=RuleSet)
    _removed: dict[str, Rule] = field(default_factory=dict)
    _signature: object = None
    _convicted: set[str] = field(default_factory=set)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _under_way: set[str] = field(default_factory=set)
    _sweeps: Sweeps = field(init=False)
    _present: StoreClock = field(init=False)
    _leases: Leases | None = None
    _ours_before: set[str] = field(default_factory=set)
    _steps: int = 0
    _scheduler: BackgroundScheduler = field(
        default_factory=lambda: BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(THREADS), "sweep": ThreadPoolExecutor(1)},
            job_defaults=JOB_DEFAULTS,
        )
    )

    def __post_init__(self) -> None:
        self._sweeps = Sweeps(self.settings.sweep_interval, self.settings.sweep_reach)
        self._present = StoreClock(self.store, self.clock)

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
        name = runner_name(self.settings.runner_name)
        self._leases = Leases(self.store, self.settings.prefix, name, self._present, self._begun.copy)
        self.reload()
        self._scheduler.add_job(self.reload, Slots(lambda: self.settings.reload_interval))
        if self._sweeps.interval:
            look = min(SWEEP_LOOK, self._sweeps.interval)
            self._scheduler.add_job(self.sweep, Slots(lambda: look), executor="sweep")
        keeping = threading.Thread(target=self._leases.keep, args=(self._take_up_leases,), daemon=True)
        keeping.start()
        self.stopping.wait()
        return self._shut_down(self._leases, keeping)

    def stop(self) -> None:
        """Begin no more executions, and end `run`; a second call abandons what is under way at once."""
        if self.stopping.is_set() or not self._scheduler.running:
            self.store.stop()
        self.stopping.set()

    def tick(self, batch: Batch) -> None:
        """Execute the batch's rules, unless they are being executed already or another runner holds them."""
        lock = self._locks.setdefault(batch.name, threading.Lock())
        if self.stopping.is_set() or not lock.acquire(blocking=False):
            return
        self._begun.add(batch.name)  # before it is asked for: see Leases.busy
        try:
            if self._leases is None or self._leases.holds(batch.name):
                self._execute(batch)
            else:
                self.skipped += 1
                LOG.debug("%s: another runner's; %d ticks were left to others so far.", batch.name, self.skipped)
        finally:
            self._begun.discard(batch.name)
            lock.release()

    def _execute(self, batch: Batch) -> None:
        self._under_way.add(batch.name)
        try:
            orders = self._orders(batches(self._ruleset.rules).get(batch, []))
            if self._present.refusal:
                executions = refuse(orders, self._present.refusal, self.store)
            else:
                executions = execute(orders, self.store, self._convicted)
        finally:
            self._under_way.discard(batch.name)
        for execution in executions:
            self.report(execution)

    def sweep(self) -> None:
        """Sweep the rules that are due for it, while no tick is under way; at least a little of it in any case.

        Were it to wait for as long as there are ticks, a busy runner would never sweep.
        """
        now = self._present.now
        began = now()
        while self._under_way and now() < began + LONGEST_WAIT:
            if self.stopping.wait(IDLE_LOOK):
                return
        rules = {rule.id: rule for together in self._ours().values() for rule in together}
        try:
            told = self.store.clock()
        except StoreError as error:
            LOG.warning("No sweep for now: %s", error)
            return
        owed = self._sweeps.owed(rules.values(), told)
        if self.stopping.is_set() or self._present.refusal or not owed:
            return
        until = now() + SWEEP_BUDGET

        def goes_on() -> bool:
            return not (self._under_way or self.stopping.is_set()) and now() < until

        orders = self._orders([rules[name] for name in owed])
        orders = replace(orders, is_sweep=True, spans=owed, goes_on=goes_on)
        executions = execute(orders, self.store, self._convicted)
        self._sweeps.took(executions, told)
        for execution in executions:
            if not execution.is_idle:
                self.report(execution)

    def _ours(self) -> dict[Batch, list[Rule]]:
        """The batches that are ours to execute, with their rules."""
        known = batches(self._ruleset.rules)
        held = None if self._leases is None else self._leases.held()
        return {batch: rules for batch, rules in known.items() if held is None or batch.name in held}

    def reload(self) -> None:
        """Take up changed rule files. Rules of files that became faulty go on as they were."""
        signature = _signature(self.rules)
        if signature != self._signature:
            self._signature = signature
            self._take_up(in_mode(read(self.rules), self.settings.coverage))
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
            self._present.now(),
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
                self._scheduler.add_job(self.tick, Slots(partial(self._until_next, batch)), args=[batch], id=name)
        if self._leases is not None:
            self._leases.want(wanted, life_for(batch.interval for batch in wanted.values()))

    def _until_next(self, batch: Batch) -> timedelta:
        """How long it is to the batch's next slot by the store's clock; one that is just ahead has had its tick."""
        now = self._present.now()
        return next_slot(batch, now + min(EARLY, batch.interval / 4)) - now

    def _take_up_leases(self) -> None:
        """Execute at once what this runner has just taken: whoever had it may have died in the midst of it."""
        if self._present.steps != self._steps:
            self._steps = self._present.steps
            for job in self._scheduler.get_jobs():
                if isinstance(job.trigger, Slots):
                    with suppress(JobLookupError):  # it was removed meanwhile
                        job.reschedule(job.trigger)
        ours = self._ours()
        taken = [batch for batch in ours if batch.name not in self._ours_before]
        if self._leases is None or {batch.name for batch in ours} == self._ours_before or self.stopping.is_set():
            return
        self._ours_before = {batch.name for batch in ours}
        LOG.info(
            "Runner %s executes %d of %d batches of rules%s.",
            self._leases.name,
            len(ours),
            len(batches(self._ruleset.rules)),
            f"; new among them: {_listed(rule.id for batch in taken for rule in ours[batch])}" if taken else "",
        )
        for batch in taken:
            self._scheduler.add_job(self.tick, args=[batch], id=f"{batch.name}-first", replace_existing=True)

    def _shut_down(self, leases: Leases, keeping: threading.Thread) -> bool:
        leases.want((), leases.life)  # what is not under way is for others at once
        finishing = threading.Thread(target=self._scheduler.shutdown, daemon=True)
        finishing.start()
        finishing.join(self.settings.stop_grace.total_seconds())
        leases.end()
        keeping.join(LEAVING)
        return not finishing.is_alive()


class Slots(BaseTrigger):  # type: ignore[misc]
    """Fires when what is left until then, asked anew after each time, has passed by the scheduler's clock.

    That is the machine's, whatever it shows: only differences of it count.
    """

    def __init__(self, until_next: Callable[[], timedelta]) -> None:
        self._until_next = until_next

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """See APScheduler's `BaseTrigger`."""
        return now + self._until_next()


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


def _listed(ids: Iterable[str]) -> str:
    found = sorted(ids)
    more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
    return ", ".join(found[:MOST_LISTED]) + more


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
