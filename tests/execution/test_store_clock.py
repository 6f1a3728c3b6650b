"""What time it is by the store's clock, whatever the machine's shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from lolbin_rules.execution.store_clock import StoreClock
from lolbin_rules.store.embedded import EmbeddedStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@dataclass
class Times:
    """The clocks of a store and of a machine, and the machine's stopwatch."""

    store: datetime = NOON
    machine: datetime = NOON
    stopwatch: float = 1000.0
    asking: timedelta = field(default_factory=timedelta)

    def let_pass(self, duration: timedelta) -> None:
        """Time goes on for all of them."""
        self.store += duration
        self.machine += duration
        self.stopwatch += duration.total_seconds()

    def tell(self) -> datetime:
        """What the store says, half of the way of its answer after it was asked."""
        self.let_pass(self.asking / 2)
        told = self.store
        self.let_pass(self.asking / 2)
        return told


@pytest.fixture
def times() -> Times:
    """Clocks that agree."""
    return Times()


@pytest.fixture
def clock(times: Times) -> Iterator[StoreClock]:
    """The store's clock as this machine carries it on."""
    with closing(EmbeddedStore(None, clock=times.tell)) as store:
        yield StoreClock(store, lambda: times.machine, lambda: times.stopwatch)


def test_before_it_was_measured_it_is_the_machines(times: Times, clock: StoreClock) -> None:
    """Nothing else is known."""
    times.machine += HOUR
    assert clock.now() == clock.latest() == NOON + HOUR


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_machine_whose_clock_is_off_goes_by_the_stores(
    off: timedelta, times: Times, clock: StoreClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, with the difference; and says when that is over. The clock may be set meanwhile."""
    times.machine += off
    with caplog.at_level(logging.INFO, "lolbin_rules"):
        for _ in range(3):
            clock.measure()
            times.let_pass(3 * SECOND)
            assert clock.now() == times.store
        times.machine -= off
        assert clock.now() == times.store
        clock.measure()
    assert clock.now() == times.store
    assert not clock.refusal
    ahead, agrees = (record.message for record in caplog.records)
    assert f"{'ahead of' if off > timedelta() else 'behind'} the store's by 3600 s" in ahead
    assert "agrees" in agrees


def test_what_the_way_of_the_answer_may_account_for_is_no_difference(
    times: Times, clock: StoreClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The present lies between what is known to have passed and what may have."""
    times.asking = 20 * SECOND
    clock.measure()
    times.let_pass(SECOND)
    assert clock.now() == times.store - 10 * SECOND
    assert clock.latest() == times.store + 10 * SECOND
    clock.measure()
    assert not clock.refusal
    assert not caplog.records


def test_that_the_machines_clock_was_set_is_noticed(times: Times, clock: StoreClock) -> None:
    """Whatever waits for it must be told to wait anew."""
    clock.measure()
    times.let_pass(HOUR)
    clock.measure()
    steps = clock.steps
    times.machine -= HOUR
    clock.measure()
    assert clock.steps > steps
    assert not clock.refusal


def test_a_sleep_of_the_machine_is_no_fault(times: Times, clock: StoreClock) -> None:
    """Its stopwatch knows nothing of it, its clock does; leases are not believed in meanwhile."""
    clock.measure()
    times.let_pass(HOUR)
    times.stopwatch -= HOUR.total_seconds()
    assert clock.latest() == times.store
    clock.measure()
    assert not clock.refusal
    assert clock.now() == times.store


@pytest.mark.parametrize("by", [7 * SECOND, -7 * SECOND, HOUR, -HOUR])
def test_nothing_is_executed_while_the_stores_clock_leaps(by: timedelta, times: Times, clock: StoreClock) -> None:
    """Nobody could say what was searched when. Once it goes on steadily, so do executions."""
    assert clock.steps == 0
    clock.measure()
    assert clock.steps == 1
    times.let_pass(SECOND)
    times.store += by
    clock.measure()
    assert clock.steps == 2
    assert "The store's clock went from" in clock.refusal
    times.let_pass(SECOND)
    clock.measure()
    assert not clock.refusal
    assert clock.now() == times.store


def test_clocks_of_nodes_may_differ_a_little(times: Times, clock: StoreClock) -> None:
    """Each answers in turn."""
    for by in (4, -4, 4, -4):
        clock.measure()
        times.let_pass(SECOND)
        times.store += by * SECOND
        assert not clock.refusal
