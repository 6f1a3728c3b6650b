"""Which indices a rule's searches have met, and what of searched time has to be searched again for those that are new.

A search meets the indices that there are. One that appears later - made, restored, reindexed, opened, or brought under
a pattern or an alias - may hold documents of time that was searched without it. So the indices that were there are
remembered, each by what no other index has, and one that is not among them is looked at: the hours in which it holds
documents no longer count as searched, unless by a search that began after the look.

Nobody fills an index at once: it may be made long before it is filled, and what was written last cannot be found yet.
So it stays *young* and is looked at by every execution until nothing more has come for a while. What comes later still
is late like any other document.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lolbin_rules.plan.window import DAWN, EPOCH, Spans, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOUR", "LONGEST", "QUIET", "Bounds", "Indices", "Look", "Named", "Young", "hour_of"]

HOUR = timedelta(hours=1)
QUIET = timedelta(hours=1)
"""An index to which nothing early came for so long is young no more."""
LONGEST = timedelta(hours=24)
"""Nor is one that has been young for so long: a trickle of late documents may never end."""


def hour_of(moment: datetime) -> datetime:
    """The whole hour that the moment lies in."""
    return EPOCH + (moment - EPOCH) // HOUR * HOUR


@dataclass(frozen=True, slots=True)
class Named:
    """What an index is called, in whatever form names are remembered in.

    Attributes:
        name: without what moving its data adds to it.
        is_moved: something was added: it holds what another index of that name held.
    """

    name: str
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which documents are counted, and which of them together.

    Attributes:
        start: those before it together; a whole hour.
        recent: those before it by the hour, and those from it on together: to the hour they would be too many, as the
            last ones come late in every index.
        end: when it was first looked at; later documents are not counted, as ordinary searches find them.
    """

    start: datetime
    recent: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """What an index was seen to hold.

    Attributes:
        bounds: see there.
        hours: how many documents there are in each hour that has any, by its beginning.
        recent: how many there are after these.
        older: how many there are before them.
        oldest: the times of the first and the last of the older ones.
    """

    bounds: Bounds
    hours: Mapping[datetime, int] = field(default_factory=dict)
    recent: int = 0
    older: int = 0
    oldest: tuple[datetime, datetime] | None = None

    @property
    def total(self) -> int:
        """How many documents there are that are not recent."""
        return sum(self.hours.values()) + self.older

    def beyond(self, before: Look | None) -> Spans:
        """The time in which there is more than in an earlier look at the same bounds; all of it if there was none."""
        bounds = self.bounds
        if before is None:
            before = Look(bounds, recent=-1)
        known = before.hours
        hours = (Window(hour, hour + HOUR) for hour, count in self.hours.items() if count > known.get(hour, 0))
        found = Spans(tuple(hours)) & Spans.between(bounds.start, bounds.recent)
        if self.recent > before.recent:
            found |= Spans.between(bounds.recent, bounds.end)
        if self.oldest and self.older > before.older:
            first, last = self.oldest
            # To whole hours, so that what is left of days that follow each other is one span.
            found |= Spans.between(hour_of(first), hour_of(last) + HOUR) & Spans.between(DAWN, bounds.start)
        return found


@dataclass(frozen=True, slots=True)
class Young:
    """An index that is still looked at.

    Attributes:
        noticed_at: when it was first looked at.
        quiet_since: when something new was last found in it.
        look: what it held then.
    """

    noticed_at: datetime
    quiet_since: datetime
    look: Look


@dataclass(frozen=True, slots=True)
class Indices:
    """The indices that the searches of a rule meet.

    Attributes:
        of: the rule's index expressions.
        known: the identities of those whose documents were all met, as far as they were there.
        names: what these are called; see `Named.name`.
        young: those that are still looked at, by identity.
    """

    of: tuple[str, ...]
    known: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    young: Mapping[str, Young] = field(default_factory=dict)

    @classmethod
    def begin(cls, of: tuple[str, ...], present: Mapping[str, Named]) -> Indices:
        """All of these, by identity, are known."""
        return cls(of, frozenset(present), frozenset(named.name for named in present.values()))

    def unknown(self, present: Mapping[str, Named]) -> frozenset[str]:
        """Those of the identities that are to be looked at: not what a known index has only become by moving it."""
        moved = {identity for identity, named in present.items() if named.is_moved and named.name in self.names}
        return frozenset(present) - self.known - moved

    def after(
        self, present: Mapping[str, Named], looks: Mapping[str, Look], looked_at: datetime
    ) -> tuple[Indices, Spans]:
        """These after some were looked at, and the time that only searches after `looked_at` have searched.

        Args:
            present: by identity, all that there are; what is gone is forgotten, and new should it come back.
            looks: by identity; what was to be looked at and was not stays as it is.
            looked_at: a moment after the looks, by the store's clock.
        """
        unknown, again = self.unknown(present), Spans()
        known = set(present.keys() - unknown)
        young: dict[str, Young] = {}
        for name in sorted(unknown):
            before, look = self.young.get(name), looks.get(name)
            if look is None:
                young |= {name: before} if before else {}
                continue
            if before is not None and before.look.bounds != look.bounds:
                before = None  # somebody else noticed it meanwhile; the two cannot be compared
            grown = look.beyond(before.look if before else None)
            again |= grown
            if before is None:
                again |= Spans.between(look.bounds.end, looked_at)
                young[name] = Young(looked_at, looked_at, look)
                continue
            now = replace(before, quiet_since=looked_at, look=look) if grown else before
            if looked_at - now.quiet_since >= QUIET or looked_at - now.noticed_at >= LONGEST:
                known.add(name)
            else:
                young[name] = now
        return Indices(self.of, frozenset(known), frozenset(present[name].name for name in known), young), again
