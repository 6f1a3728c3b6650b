"""Who executes what: the runners that are there, the batches of rules that each holds, and who may take which when.

Pure: a roster is read, changed and written by `lease`. All of it is one document, so that a change is there as a whole
or not at all. Two runners cannot both be named as the holder of a batch, a runner's leases end together when it is
silent for too long, and prolonging all of them costs one write, however many batches there are.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lolbin_rules.alert.source import parse_time, write_time

__all__ = ["LONGEST_LIFE", "Attending", "Presence", "Roster", "attend", "leave"]

LONGEST_LIFE = timedelta(seconds=15)
"""A runner that is silent for so long is taken for dead, however long the intervals of its rules are."""
_TOO_FAR = 4 * LONGEST_LIFE
"""Nobody writes a time so far ahead: the store's clock was put back since, and the runner may be long gone."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What a runner says of itself.

    Attributes:
        until: when it is to be taken for dead unless it says so again, by the store's clock.
        knows: stands for the batches that it knows; the same for runners of the same rules.
    """

    until: datetime
    knows: str


@dataclass(frozen=True, slots=True)
class Roster:
    """The runners and the leases.

    Attributes:
        runners: by name.
        leases: the name of the runner that holds a batch, by the batch's name; only runners that are there hold any.
    """

    runners: Mapping[str, Presence] = field(default_factory=dict)
    leases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_source(cls, source: Mapping[str, Any]) -> Roster:
        """The roster as it was stored.

        Raises:
            ValueError: it is not what `to_source` makes.
        """
        try:
            runners = {name: _presence(entry) for name, entry in source["runners"].items()}
            leases = {str(batch): str(name) for batch, name in source["leases"].items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"it is no roster of runners ({error!r})") from error
        return cls(runners, {batch: name for batch, name in leases.items() if name in runners})

    def to_source(self) -> dict[str, Any]:
        """As it is stored; times are ISO 8601 in UTC."""
        return {
            "runners": {
                name: {"until": write_time(presence.until), "knows": presence.knows}
                for name, presence in sorted(self.runners.items())
            },
            "leases": dict(sorted(self.leases.items())),
        }

    def held_by(self, name: str) -> frozenset[str]:
        """The batches that a runner holds."""
        return frozenset(batch for batch, holder in self.leases.items() if holder == name)


def _presence(entry: Mapping[str, Any]) -> Presence:
    until = parse_time(entry["until"])
    if until is None:
        raise ValueError(f"it holds no time but {entry['until']!r}")
    return Presence(until, str(entry["knows"]))


@dataclass(frozen=True, slots=True)
class Attending:
    """A runner that says it is there.

    Attributes:
        name: its own; no other process has ever had it.
        wanted: the batches of its rules.
        busy: batches that it is executing; these it does not give away.
        life: how long it may be silent from now on.
    """

    name: str
    wanted: frozenset[str]
    busy: AbstractSet[str]
    life: timedelta


def attend(roster: Roster, me: Attending, now: datetime, latest: datetime) -> Roster:
    """The roster after a runner has said that it is there, taken what it may, and given what it has too much of.

    Who was silent for too long is struck off, with all its leases: it finds that out when it comes again. Runners with
    the same rules share evenly, by the number of batches: what is free is taken up to one's share, as far as the others
    do not lack it; who has more than a share gives the rest back, for the others to take when they come, and so does
    who has the greater share while others lack even the smaller. Rules that only some runners have are held by one of
    those.

    Args:
        roster: as it was read.
        me: who says so.
        now: the store's clock, not ahead of it.
        latest: the store's clock, not behind it.
    """
    runners = {name: entry for name, entry in roster.runners.items() if now <= entry.until <= latest + _TOO_FAR}
    runners[me.name] = Presence(_until(roster, me, now), _digest(me.wanted))
    leases = {
        batch: holder
        for batch, holder in roster.leases.items()
        if holder in runners and (holder != me.name or batch in me.wanted or batch in me.busy)
    }
    peers = {name for name, entry in runners.items() if entry.knows == runners[me.name].knows}
    shared = {batch for batch in me.wanted if leases.get(batch, me.name) in peers}
    least, most = len(shared) // len(peers), math.ceil(len(shared) / len(peers))
    counts = Counter(leases[batch] for batch in shared & leases.keys())
    lacking = sum(max(0, least - counts[name]) for name in peers - {me.name})
    free = sorted(shared - leases.keys())
    spare = len(free) - lacking
    mine = counts[me.name]
    for batch in free[: max(0, min(most - mine, max(least - mine, spare)))]:
        leases[batch] = me.name
    surplus = max(0, mine - most, min(-spare, mine - least))
    for batch in sorted(shared & _held(leases, me.name) - me.busy)[:surplus]:
        del leases[batch]
    return Roster(runners, leases)


def _until(roster: Roster, me: Attending, now: datetime) -> datetime:
    """Never sooner than announced before: until it knows that this was written, the runner goes by that."""
    before = roster.runners.get(me.name)
    is_ahead = before is not None and now + me.life < before.until <= now + LONGEST_LIFE
    return before.until if before is not None and is_ahead else now + me.life


def leave(roster: Roster, name: str) -> Roster:
    """The roster without this runner; whatever it held is free."""
    runners = {other: entry for other, entry in roster.runners.items() if other != name}
    return Roster(runners, {batch: holder for batch, holder in roster.leases.items() if holder != name})


def _held(leases: Mapping[str, str], name: str) -> set[str]:
    return {batch for batch, holder in leases.items() if holder == name}


def _digest(batches: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(batches)).encode()).hexdigest()[:16]
