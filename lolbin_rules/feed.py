"""What brings events into the embedded store while the rules run: a simulated fleet, or files."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from lolbin_rules.alert.source import parse_time, write_time
from lolbin_rules.alert.templates import templates
from lolbin_rules.errors import SettingsError, StoreError, StoreUnavailable
from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders
from lolbin_rules.importers.event_files import event_files, read_events
from lolbin_rules.intake import EventStore, Intake, take_in
from lolbin_rules.opening import clear_out
from lolbin_rules.plan.window import MILLISECOND, Window, floor, from_position
from lolbin_rules.rule.load import read
from lolbin_rules.schedule import Runner
from lolbin_rules.simulation.fleet import Fleet
from lolbin_rules.store.port import Document, Key, Put, Seen, Store, Verdict

__all__ = ["Feeding", "FileFeed", "SimulatedFeed", "every", "start_feeding"]

LOG = logging.getLogger(__name__)
WITHIN = timedelta(minutes=2)

HISTORY = timedelta(minutes=10)
STEP = timedelta(minutes=1)
LIVE = timedelta(seconds=1)
LOOK = timedelta(seconds=5)
UPKEEP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Feeding:
    """What the embedded store is fed with.

    Attributes:
        events: files and folders of events.
        is_simulated: a simulated fleet makes events.
    """

    events: Sequence[Path] = ()
    is_simulated: bool = False


def start_feeding(runner: Runner, feeding: Feeding) -> None:
    """Bring in what there is, then go on in threads of their own until the runner stops.

    Raises:
        SettingsError: simulated or recorded events are to go into a cluster, or there are no such files.
        StoreError: the embedded store cannot be written to.
    """
    store = runner.store
    if (feeding.events or feeding.is_simulated) and not isinstance(store, EventStore):
        raise SettingsError(
            "--events and --simulate feed the embedded store; a cluster gets its events from its shippers. "
            "Unset ELASTICSEARCH_URL, or give --store embedded, or leave them out."
        )
    if feeding.events and feeding.is_simulated:
        raise SettingsError("--events and --simulate would mix what happened with what did not. Give one of them.")
    if not isinstance(store, EventStore):
        return
    store.prepare(templates(runner.settings.prefix))
    feed = _feed(store, runner, feeding)
    if feed is not None:
        feed.advance()
        _start(LIVE if feeding.is_simulated else LOOK, feed.advance, runner.stopping)
    _start(UPKEEP, lambda: clear_out(store, runner.settings, runner.clock()), runner.stopping)


def _feed(store: EventStore, runner: Runner, feeding: Feeding) -> FileFeed | SimulatedFeed | None:
    settings = runner.settings
    if feeding.is_simulated:
        LOG.info("A simulated Windows fleet feeds the store; what it makes is marked `labels.simulated`.")
        return SimulatedFeed(store, settings.prefix, Fleet(), runner.clock)
    if not feeding.events:
        return None

    def orders() -> Orders:
        ruleset = read(runner.rules)
        rules = [rule for rule in ruleset.rules.values() if rule.enabled]
        return Orders(
            rules,
            ruleset.lists,
            runner.clock(),
            settings.prefix,
            gap_horizon=settings.gap_horizon,
            exceptions=ruleset.exceptions_by_rule,
        )

    return FileFeed(store, feeding.events, orders, runner.report)


def _start(pause: timedelta, work: Callable[[], object], stopping: threading.Event) -> None:
    threading.Thread(target=every, args=(pause, work, stopping), daemon=True).start()


def every(pause: timedelta, work: Callable[[], object], stopping: threading.Event) -> None:
    """Work, rest, and work again until stopped. What the store does not take now it may take the next time."""
    while not stopping.wait(pause.total_seconds()):
        try:
            work()
        except StoreError as error:
            if not stopping.is_set():
                LOG.warning("%s Trying again in %.0f s.", error, pause.total_seconds())


@dataclass(slots=True)
class SimulatedFeed:
    """A simulated fleet that goes on where it stopped, so that its events are one story over any number of starts.

    Attributes:
        store: where its events go.
        prefix: what the name of the index begins with that remembers how far it came.
        fleet: who makes the events.
        clock: the present time.
        history: how far back the fleet has been at work when it is first looked at, and at most is made up for.
    """

    store: Store
    prefix: str
    fleet: Fleet
    clock: Callable[[], datetime]
    history: timedelta = HISTORY

    @property
    def _mark(self) -> Key:
        return Key(f"{self.prefix}-simulation", "fleet")

    def advance(self) -> None:
        """Bring in everything that arrived since the last time, or since `history` ago if that is later."""
        now = floor(self.clock())
        begin, seen = self._place()
        begin = max(begin or now - self.history, now - self.history)
        while begin < now:
            end = min(begin + STEP, now)
            self._write(begin, end)
            seen = self._remember(end, seen)
            begin = end

    def _place(self) -> tuple[datetime | None, Seen | None]:
        (stored,) = self.store.get([self._mark])
        return (parse_time(stored.source.get("until")), stored.seen) if stored else (None, None)

    def _write(self, begin: datetime, end: datetime) -> None:
        arrivals = [Document(Key(each.index, each.id), each.source) for each in self.fleet.events(begin, end)]
        lost = [outcome for outcome in self.store.create(arrivals) if outcome.verdict is Verdict.UNAVAILABLE]
        if lost:
            raise StoreUnavailable(f"{len(lost)} simulated events could not be written: {lost[0].reason}")
        self.store.refresh(sorted({each.key.index for each in arrivals}))

    def _remember(self, until: datetime, seen: Seen | None) -> Seen | None:
        """Note how far it came. Another one that was quicker has brought in the same events."""
        self.store.put([Put(Document(self._mark, {"@timestamp": write_time(until), "until": write_time(until)}), seen)])
        return self._place()[1]


@dataclass(slots=True)
class FileFeed:
    """Files of events, read again whenever they change, and all their time searched.

    Attributes:
        store: where the events go.
        paths: files and folders.
        orders: what to search with; asked for anew each time, as rules may change.
        report: called with every execution.
    """

    store: EventStore
    paths: Sequence[Path]
    orders: Callable[[], Orders]
    report: Callable[[Execution], None]
    _read: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def advance(self) -> Intake:
        """Take in files that are new or changed, then search the time of their events."""
        changed = {file: state for file in event_files(self.paths) if self._read.get(file) != (state := _state(file))}
        if not changed:
            return Intake()
        intake = take_in(read_events(list(changed), index=None), self.store)
        for fault in intake.named:
            LOG.warning("%s: %s; the line or record was left out.", fault.place, fault.reason)
        LOG.info("%d events taken in, %d were known, %d could not be read.", intake.taken, intake.known, intake.broken)
        # Events that were known are searched as well: the process may have ended between taking them in and searching.
        if window := self._span(intake.indices):
            for execution in replay(self.orders(), window, self.store):
                self.report(execution)
        self._read |= changed
        return intake

    def _span(self, indices: Collection[str]) -> Window | None:
        """The time that the events lie in, as far as it has passed."""
        if not indices:
            return None
        asked: Mapping[str, Mapping[str, Mapping[str, str]]] = {
            name: {name: {"field": "@timestamp"}} for name in ("min", "max")
        }
        found = self.store.aggregate(sorted(indices), {"match_all": {}}, asked, within=WITHIN).values
        if not found or found["min"]["value"] is None:
            return None
        begin, end = (from_position(int(found[name]["value"])) for name in ("min", "max"))
        end = min(end + MILLISECOND, self.orders().now)
        return Window(begin, end) if begin < end else None


def _state(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size
