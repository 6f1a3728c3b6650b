"""Several runners and one roster in virtual time: no two hold the same, and what one leaves another takes."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolbin_rules.errors import StoreForbidden, StoreUnavailable
from lolbin_rules.execution.lease import Leases, life_for, runner_name
from lolbin_rules.execution.roster import LONGEST_LIFE
from lolbin_rules.execution.store_clock import StoreClock
from lolbin_rules.store.port import Document, Key, Outcome, Put, Stored
from simulated_executions.memory_store import MemoryStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
BATCHES = frozenset(f"b{number}" for number in range(7))
LIFE = timedelta(seconds=6)
SLOWEST = timedelta(milliseconds=40)
"""What a verb of the store takes at most, unless the runner is paused in it."""


@dataclass
class Runner:
    """A runner of the world.

    Attributes:
        leases: under test.
        ahead: how far the machine's clock is.
        due: when it comes next.
        busy: what it is executing.
    """

    leases: Leases
    due: datetime = NOON
    busy: set[str] = field(default_factory=set)
    is_dead: bool = False
    is_here: bool = False


class Here(MemoryStore):
    """The world's store as one runner meets it: with each verb time passes, and others may come."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """See `Store.get`."""
        self.world.pass_within(self.number)
        found = self.world.store.get(keys, fields)
        self.world.pass_within(self.number)
        return found

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`."""
        self.world.pass_within(self.number)
        done = self.world.store.put(puts)
        self.world.pass_within(self.number)
        return done

    def clock(self) -> datetime:
        """See `Store.clock`."""
        self.world.pass_within(self.number)
        told = self.world.store.clock()
        self.world.pass_within(self.number)
        return told


class World:
    """Runners whose machines' clocks are anywhere, and who may be paused at any time."""

    def __init__(self, chance: random.Random, runners: int, *, pauses: float) -> None:
        self.now, self.chance, self.pauses = NOON, chance, pauses
        self.store = MemoryStore(clock=lambda: self.now)
        self.runners = [self._runner(number) for number in range(runners)]

    def _runner(self, number: int) -> Runner:
        ahead = timedelta(seconds=self.chance.randrange(-4000, 4000))
        here = Here(self, number)

        def stopwatch() -> float:
            return (self.now - NOON).total_seconds()

        def busy() -> set[str]:
            return self.runners[number].busy

        clock = StoreClock(here, lambda: self.now + ahead, stopwatch)
        leases = Leases(here, "p", f"r{number}", clock, busy, LIFE)
        leases.want(BATCHES, LIFE)
        return Runner(leases, NOON + self.chance.randrange(4000) * MILLISECOND)

    def pass_within(self, number: int) -> None:
        """A little time passes within a verb, or much; meanwhile others come, within it."""
        until = self.now + self.chance.randrange(SLOWEST // MILLISECOND // 2) * MILLISECOND
        if self.chance.random() < self.pauses:
            until += self.chance.randrange(3 * LIFE // MILLISECOND) * MILLISECOND
        self.let_pass(until)

    def let_pass(self, until: datetime) -> None:
        """Let everybody come who is due until then."""
        while waiting := [each for each in self.runners if not each.is_here and not each.is_dead and each.due <= until]:
            self.come(min(waiting, key=lambda runner: runner.due))
        self.now = max(self.now, until)
        self.look()

    def come(self, runner: Runner) -> None:
        """One runner comes."""
        self.now = max(self.now, runner.due)
        runner.is_here = True
        self.look()
        runner.leases.attend()
        self.look()
        late = self.chance.randrange(3 * LIFE // MILLISECOND) if self.chance.random() < self.pauses else 0
        runner.due = self.now + runner.leases.pause + late * MILLISECOND
        runner.is_here = False
        held = runner.leases.held()
        runner.busy = {batch for batch in runner.busy | held if self.chance.random() < 0.3 and batch in held}

    def look(self) -> None:
        """Nobody believes to hold what another one believes to hold."""
        holders = self.holders()
        assert all(len(names) <= 1 for names in holders.values()), holders

    def holders(self) -> dict[str, list[str]]:
        """By batch, who is sure to hold it."""
        sure = [each for each in self.runners if not each.is_dead and each.leases._is_sure()]
        return {batch: [each.leases.name for each in sure if batch in each.leases.held()] for batch in sorted(BATCHES)}


@pytest.fixture(scope="module")
def _quietly() -> Iterator[None]:
    """Without a word on all those clocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("lolbin_rules.execution.store_clock"), "disabled", True)
        yield


seeds = st.integers(0, 1 << 32)


@settings(deadline=None, max_examples=60)
@given(seeds, st.integers(2, 4))
@pytest.mark.usefixtures("_quietly")
def test_no_batch_is_ever_held_by_two(seed: int, runners: int) -> None:
    """However long any of them is paused, at any moment, in the midst of reading and writing too."""
    world = World(random.Random(seed), runners, pauses=0.05)
    world.let_pass(NOON + 20 * LIFE)


@settings(deadline=None, max_examples=60)
@given(seeds, st.integers(2, 4), st.integers(0, 30_000))
@pytest.mark.usefixtures("_quietly")
def test_the_batches_of_a_dead_runner_are_taken_within_the_bound(seed: int, runners: int, moment: int) -> None:
    """After a life and a third of one, and what the store takes; whatever the moment of its death."""
    world = World(random.Random(seed), runners, pauses=0)
    world.let_pass(NOON + 3 * LIFE + moment * MILLISECOND)
    assert all(world.holders().values())
    died = world.now
    world.runners[0].is_dead = True
    for each in world.runners:
        each.busy.clear()
    world.let_pass(died + LIFE * 4 / 3 + 8 * SLOWEST)
    assert all(world.holders().values()), world.holders()


def test_the_bound_is_half_of_the_shortest_interval() -> None:
    """And no life is longer than one that a person would wait for."""
    for seconds in (2, 3, 10, 30, 40):
        interval = timedelta(seconds=seconds)
        assert life_for([timedelta(hours=1), interval]) * 4 / 3 <= interval / 2
    assert life_for([timedelta(minutes=5)]) == life_for([]) == LONGEST_LIFE


def test_a_runner_is_told_from_its_predecessor() -> None:
    """By chance, where host and process, or what a person called it, are the same."""
    assert len({runner_name("") for _ in range(9)} | {runner_name("web-1") for _ in range(9)}) == 18
    assert runner_name("web-1").startswith("web-1-")


class Closed(MemoryStore):
    """A store that refuses to be read, at times."""

    error: Exception | None = None

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """See `Store.get`."""
        if self.error:
            raise self.error
        return super().get(keys, fields)


@pytest.fixture
def closed() -> Closed:
    """One that is open so far."""
    return Closed(clock=lambda: NOON)


def of(store: MemoryStore, **more: Any) -> Leases:
    """The leases of one runner, whose stopwatch stands still unless one is given."""
    stopwatch = more.pop("stopwatch", lambda: 1.0)
    leases = Leases(store, "p", more.pop("name", "a"), StoreClock(store, lambda: NOON, stopwatch), frozenset, LIFE)
    leases.want(BATCHES, LIFE)
    return leases


@pytest.mark.parametrize("error", [StoreForbidden("No."), StoreUnavailable("Not now.")])
def test_where_leases_cannot_be_had_everything_is_executed(
    error: Exception, closed: Closed, caplog: pytest.LogCaptureFixture
) -> None:
    """That is said once, and when it is over."""
    leases = of(closed)
    closed.error = error
    with caplog.at_level(logging.INFO, "lolbin_rules"):
        for _ in range(3):
            leases.attend()
            assert leases.held() == BATCHES
            assert leases.holds("b1")
        closed.error = None
        leases.attend()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert str(error) in caplog.text


def test_a_failure_does_not_end_what_is_held(closed: Closed) -> None:
    """Not before it would end anyhow; then it is everything."""
    passed = 0.0
    ours, others = of(closed, stopwatch=lambda: passed), of(closed, name="b")
    for each in (ours, others, ours, others):
        each.attend()
    held = ours.held()
    assert len(held) in {3, 4}
    closed.error = StoreUnavailable("Not now.")
    ours.attend()
    passed = 3.9
    assert ours.held() == held
    passed = 4.1
    assert ours.held() == BATCHES


def test_a_document_that_is_no_roster_is_not_overwritten(closed: Closed, caplog: pytest.LogCaptureFixture) -> None:
    """It is named."""
    leases = of(closed)
    closed.put([Put(Document(leases.key, {"format": 2}), None)])
    leases.attend()
    assert leases.held() == BATCHES
    assert "p-leases/_doc/runners cannot be read" in caplog.text
    (stored,) = closed.get([leases.key])
    assert stored is not None
    assert stored.source == {"format": 2}


def test_who_stops_gives_back_at_once_what_it_is_not_executing() -> None:
    """The rest when it is done."""
    store = MemoryStore(clock=lambda: NOON)
    busy = {"b3"}
    leases = Leases(store, "p", "a", StoreClock(store, lambda: NOON), busy.copy, LIFE)
    other = of(store, name="b")
    leases.want(BATCHES, LIFE)
    leases.attend()
    leases.want((), LIFE)
    leases.attend()
    other.attend()
    assert other.held() == BATCHES - busy
    leases.end()
    leases.keep(lambda: None)
    other.attend()
    assert other.held() == BATCHES


def test_should_attending_break_off_everything_is_executed(closed: Closed) -> None:
    """Rather than nothing."""
    leases = of(closed)
    closed.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        leases.keep(lambda: None)
    assert leases.holds("b1")
