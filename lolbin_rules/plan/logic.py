"""Which logic of a rule was in force over which event time, and whose searches count where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lolbin_rules.plan.window import DAWN, FOREVER, Spans

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["REMEMBERED", "Logic", "Logics"]

REMEMBERED = 20
"""How many earlier logics are remembered. Time before the oldest of them may rest on any logic."""


@dataclass(frozen=True, slots=True)
class Logic:
    """One state of a rule's logic, and the event time from which on it must have searched itself."""

    fingerprint: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Logics:
    """The logic in force and its predecessors, oldest first; each was in force until the next one's `since`."""

    current: Logic
    earlier: tuple[Logic, ...] = ()

    @property
    def all(self) -> tuple[Logic, ...]:
        """Oldest first; their `since` never decreases."""
        return (*self.earlier, self.current)

    def edited(self, logic: Logic) -> Logics:
        """The logics after `logic` took over.

        An edit can reach further back than an earlier one did (a longer lookback, a clock set back). The earlier logic
        then was never in force from there on, but is still known to be later than its own predecessors.
        """
        earlier = tuple(replace(old, since=min(old.since, logic.since)) for old in self.all)
        return Logics(logic, earlier[-REMEMBERED:])

    def follows(self, other: Logics) -> bool:
        """Whether this is what the other has become by further edits; not by time, for clocks are set back."""
        ours, theirs = ([logic.fingerprint for logic in logics.all] for logics in (self, other))
        return len(ours) > len(theirs) and ours[: len(theirs)] == theirs

    def counts(self, fingerprint: str) -> Spans:
        """The event time over which searches by the logic `fingerprint` count.

        A moment must have been searched by the logic that was in force over it or by a later one: an edit must not make
        a gap of the logic before it vanish. As logics follow each other in event time too, that is everything before
        the successor's `since`. A logic that nobody remembers counts where nobody remembers which was in force.
        """
        successor: Logic | None = None
        for logic in reversed(self.all):
            if logic.fingerprint == fingerprint:
                return Spans.between(DAWN, successor.since if successor else FOREVER)
            successor = logic
        return Spans.between(DAWN, self.all[0].since)
