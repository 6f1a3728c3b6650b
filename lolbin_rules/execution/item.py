"""One match on its way to its alert: where that is, what became of it, and what a cap lets through."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from lolbin_rules.alert import fields
from lolbin_rules.alert.build import Alert
from lolbin_rules.alert.identity import Identity, same_event, same_match
from lolbin_rules.alert.suppression import Member, same_group, stored_member
from lolbin_rules.execution.progress import Stretch
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Hit, Key, Stored

__all__ = ["BELONGING", "PROOF", "Fate", "Item", "Settled", "by_stretch", "judged", "openers_of", "up_to_cap"]

PROOF = (
    fields.RULE_ID,
    fields.ANCESTORS,
    fields.EXECUTION_UUID,
    fields.SUPPRESSION_TERMS,
    fields.SLOT_START,
    fields.MATCH,
)
"""The parts of a stored alert that tell what it was made of."""


BELONGING = (
    fields.RULE_ID,
    fields.ANCESTORS,
    fields.UUID,
    fields.MATCH,
    fields.SUPPRESSION_TERMS,
    fields.SLOT_START,
    fields.SLOT_END,
    fields.ORIGINAL_TIME,
)
"""The parts of an alert or a membership that tell which event it is of, and which alert stands for that."""


class Fate(enum.Enum):
    """What became of one alert."""

    CREATED = enum.auto()
    DEAD_LETTER = enum.auto()
    """Created without the copied source, which the index had refused."""
    DUPLICATE = enum.auto()
    COLLISION = enum.auto()
    REFUSED = enum.auto()
    UNAVAILABLE = enum.auto()


@dataclass(frozen=True, slots=True)
class Settled:
    """The fate of an alert, in the store's words why, and the alert itself where it could be built."""

    fate: Fate
    reason: str = ""
    alert: Alert | None = None

    @property
    def is_there(self) -> bool:
        """Whether the alert is in the index now."""
        return self.fate in {Fate.CREATED, Fate.DEAD_LETTER, Fate.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Item:
    """One match of one rule.

    Attributes:
        stretch: the reading that found it.
        match: what was found.
        alert: the alert that stands for it: its own, or its group's.
        member: what it is in its group; None where it has an alert of its own.
        elsewhere: documents that would show that it has another alert already, or is a member of a group.
        is_joined: its membership is in the store.
    """

    stretch: Stretch
    match: Match
    alert: Key
    member: Member | None
    elsewhere: tuple[Key, ...]
    is_joined: bool = False

    @property
    def hit(self) -> Hit:
        """The event, or what stands for several."""
        return self.match.hit

    def as_stored(self, there: Iterable[Stored], prefix: str) -> Item | None:
        """The item, going by what is there of `elsewhere`; None where its event has an alert of its own.

        The member of a group stays one of that, whatever the rule's suppression says today.
        """
        known = [each for each in there if self._is_same(each)]
        if any(fields.SLOT_START not in each.source for each in known):
            return None
        joined = next(filter(None, (stored_member(each, prefix) for each in known)), None)
        return replace(self, alert=joined.alert, member=joined, is_joined=True) if joined else self

    def is_stood_for_by(self, stored: Stored) -> bool:
        """Whether the stored alert was made of this very match or group; if not, two ids have collided."""
        if self.member is not None:
            return same_group(stored.source, self.stretch.course.rule, self.member)
        return self._is_same(stored)

    def _is_same(self, stored: Stored) -> bool:
        rule = self.stretch.course.rule
        if self.match.identity:
            return same_match(stored.source, rule, Identity(self.match.identity))
        return same_event(stored.source, rule, self.hit.key)


def judged(item: Item, stored: Stored | None) -> Settled:
    """What became of an alert whose id was taken, by what is under the id."""
    course, key = item.stretch.course, item.alert
    if stored is None:
        return Settled(Fate.UNAVAILABLE, "its id was taken, and then it was gone")
    if not item.is_stood_for_by(stored):
        return Settled(Fate.COLLISION, f"{key.index}/{key.id} stands for another event")
    if stored.source.get(fields.EXECUTION_UUID) == course.execution.uuid and key.id not in course.created:
        return Settled(Fate.CREATED)
    return Settled(Fate.DUPLICATE)


def openers_of(items: Iterable[Item]) -> dict[Key, Item]:
    """The alerts that the items stand for, each with the item that opens it; groups met before are left out."""
    openers: dict[Key, Item] = {}
    for item in items:
        if item.alert not in item.stretch.course.groups:
            openers.setdefault(item.alert, item)
    return openers


def by_stretch(items: Iterable[Item]) -> list[tuple[Stretch, list[Item]]]:
    """The items of each stretch, in the order in which they came."""
    found: dict[int, tuple[Stretch, list[Item]]] = {}
    for item in items:
        found.setdefault(id(item.stretch), (item.stretch, []))[1].append(item)
    return list(found.values())


def up_to_cap(items: Sequence[Item], there: AbstractSet[Key]) -> list[Item]:
    """Items whose alert is there or fits the allowance; the first that does not ends the stretch."""
    stretch = items[0].stretch
    chosen = set(there) | stretch.course.groups
    left = stretch.allowance
    kept = []
    for item in items:
        if item.alert not in chosen:
            if not left:
                stretch.is_capped = True
                stretch.cut_at(item.hit.position)
                continue
            left -= 1
            chosen.add(item.alert)
        kept.append(item)
    return kept
