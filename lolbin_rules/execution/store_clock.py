"""The store's clock, read now and then and carried on by this machine's stopwatch.

The clock of the machine decides nothing, because a runner whose clock is an hour off would search the wrong hour. It is
compared with the store's, so that operators hear of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lolbin_rules.plan.plan import CLOCK_SKEW
from lolbin_rules.store.port import Store

__all__ = ["Reading", "StoreClock", "skew"]

LOG = logging.getLogger(__name__)
ZERO = timedelta()
STEP = timedelta(seconds=1)
"""What the machine's clock gains or loses by more than this against its stopwatch, it was set by."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The store's clock, read once.

    Attributes:
        told: what it said; it said so at some moment between `began` and `ended`.
        began: the stopwatch before it was asked, seconds.
        ended: the stopwatch when the answer was there, seconds.
        machine: the machine's clock when the answer was there.
    """

    told: datetime
    began: float
    ended: float
    machine: datetime

    @property
    def doubt(self) -> timedelta:
        """How long the answer took: by so much `told` may be behind the store's clock at `ended`."""
        return timedelta(seconds=self.ended - self.began)


def skew(reading: Reading) -> timedelta:
    """By how much the machine's clock is ahead of the store's at the least; negative: behind it.

    What the answer's way may account for is not counted.
    """
    ahead = reading.machine - reading.told
    return max(ahead - reading.doubt, ZERO) if ahead > ZERO else ahead


def is_steady(before: Reading, after: Reading) -> bool:
    """Whether the store's clock went on between two readings as this machine saw time pass.

    By its stopwatch or by its clock: a machine that slept has a stopwatch that knows nothing of it.
    """
    by_stopwatch = timedelta(seconds=after.ended - before.ended)
    by_clock = after.machine - before.machine
    gone = after.told - before.told
    return any(
        passed - after.doubt - CLOCK_SKEW <= gone <= passed + before.doubt + CLOCK_SKEW
        for passed in (by_stopwatch, by_clock)
    )


@dataclass(slots=True)
class StoreClock:
    """What time it is by the store's clock, as closely as can be told without asking it each time.

    Any number of threads may ask; one measures.

    Attributes:
        store: whose clock it is.
        machine: the machine's clock.
        stopwatch: seconds that only ever go on.
        refusal: why nothing should be executed before the next measurement; empty where nothing speaks against it.
        steps: how often what waits for a time must be told to wait anew: after the first measurement, and whenever the
            machine's clock, or the store's, was seen to be set.
    """

    store: Store
    machine: Callable[[], datetime]
    stopwatch: Callable[[], float] = time.monotonic
    refusal: str = field(default="", init=False)
    steps: int = field(default=0, init=False)
    _last: Reading | None = field(default=None, init=False)
    _told_skew: timedelta = field(default=ZERO, init=False)
    _seen: tuple[datetime, float] | None = field(default=None, init=False)

    def measure(self) -> None:
        """Read the store's clock.

        Raises:
            StoreError: it could not be read; what was read before is carried on.
        """
        self._look_at_machine()
        began = self.stopwatch()
        told = self.store.clock()
        reading = Reading(told, began, self.stopwatch(), self.machine())
        before, self._last = self._last, reading
        self.refusal = ""
        self.steps += before is None
        if before is not None and not is_steady(before, reading):
            self.steps += 1
            passed = timedelta(seconds=reading.ended - before.ended)
            self.refusal = (
                f"The store's clock went from {before.told.isoformat()} to {told.isoformat()} within "
                f"{passed.total_seconds():.1f} s: it was set, or the clocks of the cluster's nodes differ. Nothing is "
                "searched until it goes on steadily; nothing is lost by that. Keep the nodes' clocks in step (NTP)."
            )
        self._tell(skew(reading))

    def now(self) -> datetime:
        """The present by the store's clock, not ahead of it; before the first measurement, by the machine's."""
        last = self._last
        return self.machine() if last is None else last.told + self._since(last.ended)

    def latest(self) -> datetime:
        """What the store's clock shows at the most; later than `now` by what the last answer's way took, or a sleep."""
        last = self._last
        if last is None:
            return self.machine()
        passed = max(self._since(last.began), self.machine() - last.machine + last.doubt)
        return last.told + passed

    def _since(self, moment: float) -> timedelta:
        return timedelta(seconds=self.stopwatch() - moment)

    def _look_at_machine(self) -> None:
        machine, stopwatch = self.machine(), self.stopwatch()
        if self._seen is not None:
            gained = machine - self._seen[0] - timedelta(seconds=stopwatch - self._seen[1])
            self.steps += abs(gained) > STEP
        self._seen = machine, stopwatch

    def _tell(self, found: timedelta) -> None:
        """Say once that the clocks differ, again where that has changed, and when it is over."""
        if abs(found) <= CLOCK_SKEW:
            if self._told_skew:
                LOG.info("This machine's clock agrees with the store's again.")
            self._told_skew = ZERO
        elif abs(found - self._told_skew) > CLOCK_SKEW:
            LOG.warning(
                "This machine's clock is %s the store's by %.0f s. Rules are executed by the store's clock, so nothing "
                "is lost; only the times in this log are wrong. Set the machine's clock (NTP).",
                "ahead of" if found > ZERO else "behind",
                abs(found).total_seconds(),
            )
            self._told_skew = found
