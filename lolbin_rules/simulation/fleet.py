"""What arrives when: the events of every machine and minute, in the order in which they can be found.

Each minute of each machine is made up from its own random numbers, so that any span of time can be had without what
went before, and is the same however time is cut. Minutes that may still have something to come are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import cos, tau
from operator import attrgetter
from typing import Any, Final, NamedTuple

from lolbin_rules.simulation.attacks import LATEST_START, attack, planned_attack
from lolbin_rules.simulation.chance import dice, digest
from lolbin_rules.simulation.delays import SHORTEST, Delivery, Passage, delivery, longest
from lolbin_rules.simulation.envelope import Stamp
from lolbin_rules.simulation.hosts import Host, fleet_hosts
from lolbin_rules.simulation.moments import DAY, HOUR, MINUTE, milliseconds, moment
from lolbin_rules.simulation.processes import residents
from lolbin_rules.simulation.programs import CLIENT_ACTIVITIES, perform
from lolbin_rules.simulation.servers import SERVER_ACTIVITIES
from lolbin_rules.simulation.stage import Record, Stage

__all__ = ["DEFAULT_HOSTS", "DEFAULT_SEED", "Arrival", "Fleet"]

DEFAULT_SEED: Final = 1
DEFAULT_HOSTS: Final = 12

_ACTIVITIES: Final = {"workstation": 13, "laptop": 13, "server": 15}
"""About how many things happen on a machine in a minute at the busiest hour."""
_BUSIEST: Final = 13 * HOUR
_QUIETEST: Final = 0.5
_NUMBERS_A_MINUTE: Final = 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that becomes readable: when (UTC), in which index, under which `_id`, and the document."""

    at: datetime
    index: str
    id: str
    source: dict[str, Any]


class _Pending(NamedTuple):
    """A record on its way: when it gets where, and its number among those of its machine."""

    arrival: int
    host: int
    number: int
    passage: Passage
    record: Record


class Fleet:
    """A simulated fleet of Windows machines.

    Args:
        seed: Another one makes other events.
        hosts: How many machines there are; the default fleet makes 5 to 15 events a second.

    Raises:
        ValueError: There cannot be so many machines.
    """

    def __init__(self, seed: int = DEFAULT_SEED, hosts: int = DEFAULT_HOSTS) -> None:
        self._seed = seed
        self._hosts = fleet_hosts(seed, hosts)
        self._minutes: dict[tuple[int, int], list[_Pending]] = {}

    def events(self, start: datetime, end: datetime) -> Iterator[Arrival]:
        """Everything that becomes readable in [start, end), in the order in which it does.

        The same for the same seed and number of machines, however time is cut into pieces; the documents are the
        caller's own. What it costs grows with the span, which is best extended at its end.

        Raises:
            ValueError: A moment has no time zone.
        """
        return self._arrivals(milliseconds(start), milliseconds(end))

    def _arrivals(self, start: int, end: int) -> Iterator[Arrival]:
        for minute in range(start - start % MINUTE, end, MINUTE):
            for pending in self._arriving(max(start, minute), min(end, minute + MINUTE)):
                yield self._arrival(pending)

    def _arriving(self, start: int, end: int) -> list[_Pending]:
        """What becomes readable in a span within one minute, in order; forgets what cannot be asked for after it."""
        found: list[_Pending] = []
        needed: dict[tuple[int, int], list[_Pending]] = {}
        for host in self._hosts:
            first = start - longest(host)
            for minute in range(first - first % MINUTE, end - SHORTEST, MINUTE):
                key = host.number, minute
                pending = self._minutes.get(key)
                if pending is None:
                    pending = self._pending(host, minute)
                needed[key] = pending
                found += [one for one in pending if start <= one.arrival < end]
        self._minutes = needed
        found.sort()
        return found

    def _pending(self, host: Host, minute: int) -> list[_Pending]:
        way = delivery(self._seed, host, minute)
        records = sorted(self._records(host, minute, way), key=attrgetter("at"))
        first = minute // MINUTE * _NUMBERS_A_MINUTE
        found = []
        for number, record in enumerate(records, first):
            passage = way.passage(record.at)
            found.append(_Pending(passage.arrival, host.number, number, passage, record))
        return found

    def _records(self, host: Host, minute: int, way: Delivery) -> list[Record]:
        """What happens on the machine in the minute, in no order."""
        middle = minute + MINUTE // 2
        is_away = way.is_away(middle)
        roll = dice(self._seed, "minute", host.name, minute)
        stage = Stage(host, self._hosts, residents(self._seed, host, minute // DAY), roll, is_away=is_away)
        scenario = planned_attack(self._seed, host, self._hosts, minute, is_away=is_away)
        if scenario is not None:
            attack(stage, minute + int(LATEST_START * roll.random()), scenario)
        count = _ACTIVITIES[host.role] * (0.5 + roll.random())
        is_server = host.role == "server"
        if not is_server:
            count *= _rhythm(middle)
        perform(stage, SERVER_ACTIVITIES if is_server else CLIENT_ACTIVITIES, minute, round(count))
        return stage.records

    def _arrival(self, pending: _Pending) -> Arrival:
        record, host = pending.record, self._hosts[pending.host]
        name = digest(self._seed, host.name, pending.number)[:32]
        passage = pending.passage
        stamp = Stamp(host, record.at, passage.created, passage.ingested, pending.number, name, record.scenario)
        return Arrival(moment(pending.arrival), record.into, name, record.shape(stamp, *record.details))


def _rhythm(at: int) -> float:
    """How busy people are, from `_QUIETEST` to 1, by the time of day (UTC)."""
    swing = (1 - _QUIETEST) / 2
    return 1 - swing + swing * cos(tau * (at % DAY - _BUSIEST) / DAY)
