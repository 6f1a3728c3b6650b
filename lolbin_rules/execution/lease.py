"""Leases: which of several runners executes a batch of rules, and how its death is noticed.

A runner says every few seconds that it is there, by writing the roster over the state it read (compare and set); who is
silent for longer than it announced is struck off by the others, and what it held is taken by them. All times are the
store's. A holder stops believing in its leases a third of their life before others may strike it off.

Leases save work and guard nothing. A holder that was taken for dead and wakes up in the midst of an execution goes on
and writes: alerts have ids that cannot be doubled, and coverage is written only over the state that was read, which is
all that a fencing token in every write would do. For the same reason a roster that cannot be read or written is no
reason not to search: this runner then executes everything, as it would alone.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lolbin_rules.errors import StoreError, StoreUnavailable
from lolbin_rules.execution.roster import LONGEST_LIFE, Attending, Roster, attend, leave
from lolbin_rules.execution.store_clock import StoreClock
from lolbin_rules.store.port import Document, Key, Put, Seen, Store, Verdict

__all__ = ["Leases", "life_for", "runner_name"]

LOG = logging.getLogger(__name__)
ATTEMPTS = 8
SHORTEST_LIFE = timedelta(seconds=0.75)
WAIT = 0.5
"""Seconds after which one who waits for the leases to be known looks again whether it should go on waiting."""


def runner_name(given: str) -> str:
    """A name that no other process has: what a person called it, else host and process, and something random."""
    return f"{given or f'{socket.gethostname()}-{os.getpid()}'}-{secrets.token_hex(4)}"


def life_for(intervals: Iterable[timedelta]) -> timedelta:
    """How long a runner may be silent so that others take over within half of the shortest interval.

    They do so after a life and the third of one by which their own looks lie apart. Of intervals below two seconds it
    is more than half.
    """
    return min(LONGEST_LIFE, max(SHORTEST_LIFE, min(intervals, default=4 * LONGEST_LIFE) * 3 / 8))


@dataclass(slots=True)
class Leases:
    """The leases of one runner. `attend` is called by one thread, everything else by any.

    Attributes:
        store: where the roster is.
        prefix: what the name of its index begins with.
        name: of the runner; see `runner_name`.
        clock: the store's.
        busy: names of the batches that are being executed; a batch is among them before `holds` is asked for it.
        life: how long this runner may be silent.
    """

    store: Store
    prefix: str
    name: str
    clock: StoreClock
    busy: Callable[[], Collection[str]]
    life: timedelta = LONGEST_LIFE
    _wanted: frozenset[str] = frozenset()
    _held: frozenset[str] = frozenset()
    _giving: frozenset[str] = frozenset()
    _sure_until: datetime | None = None
    _trouble: str = ""
    _is_over: bool = False
    _turn: int = 0
    _took: timedelta = timedelta()
    _known: threading.Condition = field(default_factory=threading.Condition)
    _wake: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> Key:
        """Where the roster is."""
        return Key(f"{self.prefix}-leases", "runners")

    @property
    def pause(self) -> timedelta:
        """How long after one `attend` the next is due."""
        return self.life if self._trouble and not self._is_sure() else self.life / 3

    def want(self, batches: Iterable[str], life: timedelta) -> None:
        """From the next `attend` on, which is due at once, it is about these batches."""
        self._wanted, self.life = frozenset(batches), life
        self._wake.set()

    def wait(self) -> None:
        """Wait until the next `attend` is due."""
        self._wake.wait(self.pause.total_seconds())
        self._wake.clear()

    def held(self) -> frozenset[str]:
        """The batches that this runner is to execute: those it holds, or all, where that cannot be known."""
        if self._trouble and not self._is_sure():
            return self._wanted
        return self._held - self._giving

    def holds(self, batch: str) -> bool:
        """Whether this runner is to execute the batch; where its leases may be lost by now, after the next `attend`."""
        with self._known:
            turn = self._turn
            while not (self._is_sure() or self._trouble or self._is_over or self._turn > turn):
                self._known.wait(WAIT)
        return batch in self.held()

    def attend(self) -> None:
        """Measure the store's clock, say that this runner is there, and take and give what there is to take and give.

        Nothing is raised for what the store does; where it fails, that is told once.
        """
        began = self.clock.stopwatch()
        try:
            self.clock.measure()
            roster = self._write(self._attend)
        except StoreError as error:
            self._fail(error)
        else:
            self._know(roster)
        self._took = timedelta(seconds=self.clock.stopwatch() - began)

    def keep(self, after: Callable[[], None]) -> None:
        """Attend again and again until `end`, and call `after` each time; then give everything back.

        Should this break off, nobody would know any more what is held: from then on it is everything.
        """
        try:
            while not self._is_over:
                self.attend()
                after()
                self.wait()
            self._give_back()
        finally:
            with self._known:
                self._sure_until, self._trouble = None, self._trouble or "Nobody attends any more."
                self._known.notify_all()

    def end(self) -> None:
        """End `keep`."""
        self._is_over = True
        self._wake.set()

    def _give_back(self) -> None:
        self._wanted, self._held = frozenset(), frozenset()
        try:
            self._write(lambda roster: leave(roster, self.name))
        except StoreError as error:
            LOG.debug("The leases are not given back, they will expire: %s", error)

    def _is_sure(self) -> bool:
        return self._sure_until is not None and self.clock.latest() < self._sure_until

    def _attend(self, roster: Roster) -> Roster:
        """As the pure function of that name, with nothing given away that somebody has just begun to execute.

        First it is noted that a batch is given, then looked whether it is busy. One who executes notes that it is, and
        then asks whether it is held; so one of the two sees the other.
        """
        while True:
            busy = frozenset(self.busy())
            # A store so slow that a life would be over before it is known is given time, or everybody is struck off.
            life = max(self.life, min(6 * self._took, LONGEST_LIFE))
            me = Attending(self.name, self._wanted, busy, life)
            after = attend(roster, me, self.clock.now(), self.clock.latest())
            self._giving = roster.held_by(self.name) - after.held_by(self.name)
            if self._giving.isdisjoint(self.busy()):
                return after

    def _write(self, change: Callable[[Roster], Roster]) -> Roster:
        """Change the roster, however often others are quicker; the roster as it is then.

        Raises:
            StoreError: it cannot be read or written, or makes no sense.
        """
        for _ in range(ATTEMPTS):
            before, seen = self._read()
            after = change(before)
            (outcome,) = self.store.put([Put(Document(self.key, after.to_source()), seen)])
            if outcome.verdict in {Verdict.CREATED, Verdict.UPDATED}:
                return after
            if outcome.verdict is not Verdict.CONFLICT:
                raise StoreUnavailable(f"{self.key.index} could not be written: {outcome.reason}.")
        raise StoreUnavailable(f"{self.key.index} kept changing while it was written.")

    def _read(self) -> tuple[Roster, Seen | None]:
        (stored,) = self.store.get([self.key])
        if stored is None:
            return Roster(), None
        try:
            return Roster.from_source(stored.source), stored.seen
        except ValueError as error:
            where = f"{self.key.index}/_doc/{self.key.id}"
            raise StoreUnavailable(f"{where} cannot be read: {error}. Delete that document.") from error

    def _know(self, roster: Roster) -> None:
        with self._known:
            self._held, self._giving = roster.held_by(self.name), frozenset()
            self._sure_until = roster.runners[self.name].until - self.life / 3
            if self._trouble:
                LOG.info("The leases can be read and written again.")
            self._trouble = ""
            self._turn += 1
            self._known.notify_all()

    def _fail(self, error: StoreError) -> None:
        """What was about to be given away may be gone; the rest is held for as long as it was announced."""
        with self._known:
            self._held, self._giving = self._held - self._giving, frozenset()
            if not (self._trouble or self._is_over):
                LOG.warning(
                    "Which runner executes which rules cannot be agreed upon: %s Until it can, this one executes them "
                    "all. If others do so as well, that is work done twice, but no alert is written twice.",
                    error,
                )
            self._trouble = str(error)
            self._known.notify_all()
