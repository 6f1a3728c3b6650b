"""How late events arrive: seconds, minutes when a collector stalls, up to 41 minutes when a laptop was away.

Each machine delivers in batches, every few seconds, and in order. An interruption holds back what happens in it; when
it is over, the backlog goes first. Interruptions and the pace of batches are decided for each hour of each machine. The
first machine of a fleet is never interrupted, so that there always is one whose events arrive at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from lolbin_rules.simulation.chance import dice
from lolbin_rules.simulation.hosts import Host
from lolbin_rules.simulation.moments import HOUR, MINUTE, SECOND

__all__ = ["SHORTEST", "USUAL", "Delivery", "Interruption", "Passage", "delivery", "longest"]

SHORTEST: Final = SECOND // 2
USUAL: Final = 5 * SECOND
_STALLS: Final = (5 * SECOND, 4 * MINUTE)
_AWAY: Final = (10 * MINUTE, 40 * MINUTE)
_AWAY_CHANCE: Final = 0.4
_STALL_CHANCE: Final = 0.6
_CATCH_UP: Final = 120
"""A backlog is delivered this many times faster than it came to be."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """A span [start, end) in which nothing can be delivered; `is_away` where a laptop is out of the office."""

    start: int
    end: int
    is_away: bool

    @property
    def caught_up(self) -> int:
        """When the last of the backlog is delivered."""
        return self.end + (self.end - self.start) // (_CATCH_UP - 1) + 1


class Passage(NamedTuple):
    """When an event was read by its collector, took its place in the pipeline, and could be found; in this order."""

    created: int
    ingested: int
    arrival: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a machine delivers during an hour: the time between two batches, and what comes between."""

    pace: int
    interruptions: tuple[Interruption, ...]

    def passage(self, at: int) -> Passage:
        """How an event of this hour gets into the index. What happens later never arrives earlier."""
        release = at
        for held in self.interruptions:
            if held.start <= at:
                release = max(release, held.end + (at - held.start) // _CATCH_UP)
        arrival = release + SHORTEST + -release % self.pace
        return Passage(at + 40 + at % 211, arrival - 30 - at % 97, arrival)

    def is_away(self, at: int) -> bool:
        """The machine is out of the office."""
        return any(held.is_away and held.start <= at < held.end for held in self.interruptions)

    def is_prompt(self, start: int, end: int) -> bool:
        """What happens in [start, end) arrives as soon as ever."""
        return not any(held.start < end and start < held.caught_up for held in self.interruptions)


def delivery(seed: int, host: Host, at: int) -> Delivery:
    """How the machine delivers in the hour that `at` lies in; no interruption reaches over the end of it."""
    hour = at // HOUR
    roll = dice(seed, "delivery", host.name, hour)
    pace = roll.randrange(SHORTEST, USUAL - SHORTEST)
    if host.number == 0:
        return Delivery(pace, ())
    if host.role == "laptop" and roll.random() < _AWAY_CHANCE:
        length = roll.randrange(*_AWAY)
        start = hour * HOUR + roll.randrange(HOUR - length)
        return Delivery(pace, (Interruption(start, start + length, is_away=True),))
    found = []
    for half in range(2):
        if roll.random() < _STALL_CHANCE:
            least, most = _STALLS
            length = int(least * (most / least) ** roll.random())
            start = hour * HOUR + half * HOUR // 2 + roll.randrange(HOUR // 2 - length)
            found.append(Interruption(start, start + length, is_away=False))
    return Delivery(pace, tuple(found))


def longest(host: Host) -> int:
    """The latest that any event of the machine can arrive after it happened, in milliseconds."""
    return (_AWAY[1] if host.role == "laptop" else _STALLS[1]) + USUAL
