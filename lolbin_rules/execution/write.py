"""Hits -> alerts in the store, each exactly once, with an answer for every single one."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import is_own_alert
from lolbin_rules.alert.build import Alert, build_alert, build_group_alert, dead_letter, minimal_alert
from lolbin_rules.alert.identity import alert_id, alert_index, monthly_index, same_event, suppressed_index
from lolbin_rules.alert.source import event_time, parse_time, values
from lolbin_rules.alert.suppression import Member, member, same_group
from lolbin_rules.errors import StoreError
from lolbin_rules.execution.progress import Stretch
from lolbin_rules.execution.search import TIMESTAMP
from lolbin_rules.plan.window import position
from lolbin_rules.store.port import Document, Hit, Key, Outcome, Source, Store, Stored, Verdict

__all__ = ["AlertWriter"]

PROOF = (
    fields.RULE_ID,
    fields.ANCESTORS,
    fields.EXECUTION_UUID,
    fields.SUPPRESSION_TERMS,
    fields.SLOT_START,
)
"""The parts of a stored alert that tell what it was made of."""


BELONGING = (fields.RULE_ID, fields.ANCESTORS, fields.UUID, fields.SLOT_START)
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
    """One hit of one rule.

    Attributes:
        stretch: the reading that found it.
        hit: the document.
        alert: the alert that stands for it: its own, or its group's.
        member: what it is in its group; None where it has an alert of its own.
        elsewhere: documents that would show that it has another alert already.
    """

    stretch: Stretch
    hit: Hit
    alert: Key
    member: Member | None
    elsewhere: tuple[Key, ...]

    def is_told_of_by(self, stored: Stored) -> bool:
        """Whether this alert or membership says that another alert than `alert` stands for the event."""
        is_same = same_event(stored.source, self.stretch.course.rule, self.hit.key)
        return is_same and stored.source.get(fields.UUID) != self.alert.id

    def is_stood_for_by(self, stored: Stored) -> bool:
        """Whether the stored alert was made of this very event or group; if not, two ids have collided."""
        rule = self.stretch.course.rule
        if self.member is not None:
            return same_group(stored.source, rule, self.member)
        return same_event(stored.source, rule, self.hit.key)


FATES = {
    Verdict.CREATED: Fate.CREATED,
    Verdict.EXISTS: Fate.DUPLICATE,
    Verdict.REJECTED: Fate.REFUSED,
    Verdict.UNAVAILABLE: Fate.UNAVAILABLE,
}
MOST_HOLES = 100
"""Alerts of one window that may fail singly. More of them are no accident, and would swell the coverage."""
IS_KEPT = frozenset({Verdict.CREATED, Verdict.EXISTS})


class AlertWriter:
    """Writes what a search finds.

    For every page: which alerts do the hits stand for; which of them may be written under the rules' caps; write them;
    then the member events of those that stand for groups. An alert comes before its members, and both come before
    coverage: whatever is interrupted is found again by the next execution.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def take(self, found: Iterable[tuple[Stretch, Sequence[Hit]]]) -> None:
        """Write the alerts of one page, for any number of rules, and tell each stretch what it may believe."""
        items: list[Item] = []
        for stretch, hits in found:
            with stretch.course.isolated("Making alerts of hits"):
                items += self._items(stretch, hits)
        items, there = self._within_caps(self._without_alert(items))
        alerts = _openers(items)
        settled = self._create(alerts, there)
        for key, item in alerts.items():
            _count(item, settled[key])
        standing = [item for item in items if _stands(item, settled.get(item.alert))]
        self._create_members([item for item in standing if item.member is not None])

    def _items(self, stretch: Stretch, hits: Sequence[Hit]) -> list[Item]:
        course = stretch.course
        items = []
        for hit in hits:
            if is_own_alert(course.rule.id, hit.source):
                continue
            course.tally.hits += 1
            joined = member(course.rule, hit, prefix=self._prefix, context=course.context)
            name = alert_id(course.rule.id, hit.key)
            alert = Key(alert_index(self._prefix, hit.source), name)
            membership = Key(suppressed_index(self._prefix, hit.source), name)
            if joined:
                items.append(Item(stretch, hit, joined.alert, joined, elsewhere=(alert, membership)))
            else:
                items.append(Item(stretch, hit, alert, None, elsewhere=(membership,)))
        return items

    def _without_alert(self, items: Sequence[Item]) -> list[Item]:
        """The items but those whose event another alert stands for, from before the rule's suppression was changed."""
        keys = [key for item in items for key in item.elsewhere]
        stored = {one.key: one for one in self._store.get(keys, BELONGING) if one} if keys else {}
        left = []
        for item in items:
            others = [stored[key] for key in item.elsewhere if key in stored and item.is_told_of_by(stored[key])]
            if not others:
                left.append(item)
                continue
            course = item.stretch.course
            course.tally.duplicates += 1
            # Should its group have been left uncounted, by a crash before the change, it is counted now.
            course.groups.update(self._group_of(other) for other in others if fields.SLOT_START in other.source)
        return left

    def _group_of(self, membership: Stored) -> Key:
        slot_start = event_time(membership.source, fields.SLOT_START)
        return Key(monthly_index(f"{self._prefix}-alerts", slot_start), membership.source[fields.UUID])

    def _within_caps(self, items: Sequence[Item]) -> tuple[list[Item], dict[Key, Stored]]:
        """What may be written, and what was seen to be there already.

        Of a stretch over its cap that is only what is there, and new alerts up to the cap.
        """
        kept: list[Item] = []
        crowded: dict[int, list[Item]] = {}
        for stretch, its in _by_stretch(items):
            if len(_openers(its)) <= stretch.allowance:
                kept += its
            else:
                crowded[id(stretch)] = its
        keys = list(dict.fromkeys(item.alert for its in crowded.values() for item in its))
        there = {stored.key: stored for stored in self._store.get(keys, PROOF) if stored} if keys else {}
        for its in crowded.values():
            kept += _up_to_cap(its, there.keys())
        return kept, there

    def _create(self, openers: Mapping[Key, Item], there: Mapping[Key, Stored]) -> dict[Key, Settled]:
        """Write the alerts but those that are there; what became of each."""
        settled = {key: _judged(item, there[key]) for key, item in openers.items() if key in there}
        openers = {key: item for key, item in openers.items() if key not in there}
        alerts = {key: alert for key, item in openers.items() if (alert := _built(item))}
        settled |= {key: Settled(Fate.REFUSED, "it could not be built") for key in openers.keys() - alerts.keys()}
        outcomes = self._write({key: alert.source for key, alert in alerts.items()})
        settled |= {key: Settled(FATES[outcome.verdict], outcome.reason) for key, outcome in outcomes.items()}
        settled |= self._bury({key: alerts[key] for key in alerts if settled[key].fate is Fate.REFUSED}, settled)
        settled |= self._judge({key: openers[key] for key in alerts if settled[key].fate is Fate.DUPLICATE})
        return {key: replace(one, alert=alerts.get(key)) for key, one in settled.items()}

    def _write(self, sources: Mapping[Key, Source]) -> dict[Key, Outcome]:
        documents = [Document(key, source) for key, source in sources.items()]
        return dict(zip(sources, self._store.create(documents), strict=True))

    def _judge(self, openers: Mapping[Key, Item]) -> dict[Key, Settled]:
        """Tell repeats, and own writes whose confirmation was lost, from collisions."""
        if not openers:
            return {}
        try:
            found = self._store.get(list(openers), PROOF)
        except StoreError as error:  # raised here, it would hide the alerts that were created beside these
            return dict.fromkeys(openers, Settled(Fate.UNAVAILABLE, str(error)))
        return {key: _judged(item, stored) for (key, item), stored in zip(openers.items(), found, strict=True)}

    def _bury(self, alerts: Mapping[Key, Alert], refused: Mapping[Key, Settled]) -> dict[Key, Settled]:
        """Write what the index refuses again, without the copied source; the source goes to the dead letters first."""
        if not alerts:
            return {}
        index = f"{self._prefix}-dead-letters"
        letters = {
            key: Document(Key(index, key.id), dead_letter(alert.source, refused[key].reason))
            for key, alert in alerts.items()
        }
        outcomes: dict[Key, Outcome] = {}
        try:
            outcomes |= zip(letters, self._store.create(list(letters.values())), strict=True)
            safe = [key for key, outcome in outcomes.items() if outcome.verdict in IS_KEPT]
            outcomes |= self._write({key: minimal_alert(alerts[key].source) for key in safe})
        except StoreError as error:  # as in `_judge`
            outcomes = dict.fromkeys(letters, Outcome(Verdict.UNAVAILABLE, str(error)))
        settled = {}
        for key, outcome in outcomes.items():
            fate = FATES[outcome.verdict]
            reason = "; then: ".join(part for part in (refused[key].reason, outcome.reason) if part)
            settled[key] = Settled(Fate.DEAD_LETTER if fate is Fate.CREATED else fate, reason)
        return settled

    def _create_members(self, items: Sequence[Item]) -> None:
        members = [item.member.document for item in items if item.member is not None]
        for item, outcome in zip(items, self._store.create(members), strict=True):
            course = item.stretch.course
            if outcome.verdict in IS_KEPT:
                course.groups.add(item.alert)
                course.tally.suppressed += outcome.verdict is Verdict.CREATED
            elif outcome.verdict is Verdict.UNAVAILABLE:
                _stop(item, outcome.reason)
            else:
                _leave_hole(item, outcome.reason)


def _judged(item: Item, stored: Stored | None) -> Settled:
    """What became of an alert whose id was taken, by what is under the id."""
    course, key = item.stretch.course, item.alert
    if stored is None:
        return Settled(Fate.UNAVAILABLE, "its id was taken, and then it was gone")
    if not item.is_stood_for_by(stored):
        return Settled(Fate.COLLISION, f"{key.index}/{key.id} stands for another event")
    if stored.source.get(fields.EXECUTION_UUID) == course.execution.uuid and key.id not in course.created:
        return Settled(Fate.CREATED)
    return Settled(Fate.DUPLICATE)


def _openers(items: Iterable[Item]) -> dict[Key, Item]:
    """The alerts that the items stand for, each with the item that opens it; groups met before are left out."""
    openers: dict[Key, Item] = {}
    for item in items:
        if item.alert not in item.stretch.course.groups:
            openers.setdefault(item.alert, item)
    return openers


def _by_stretch(items: Iterable[Item]) -> list[tuple[Stretch, list[Item]]]:
    found: dict[int, tuple[Stretch, list[Item]]] = {}
    for item in items:
        found.setdefault(id(item.stretch), (item.stretch, []))[1].append(item)
    return list(found.values())


def _up_to_cap(items: Sequence[Item], there: AbstractSet[Key]) -> list[Item]:
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


def _built(item: Item) -> Alert | None:
    """The alert that the item opens; None, and the reason noted, where a fault of ours prevents it."""
    course = item.stretch.course
    with course.isolated(f"Building the alert of {item.hit.key.index}/{item.hit.key.id}"):
        if item.member is None:
            alert = build_alert(course.rule, item.hit, alert_id=item.alert.id, context=course.context)
        else:
            alert = build_group_alert(course.rule, item.hit, item.member, context=course.context)
        course.tally.warnings += [note for note in alert.notes if note not in course.tally.warnings]
        return alert
    return None


def _count(item: Item, settled: Settled) -> None:
    course = item.stretch.course
    if settled.fate is Fate.DUPLICATE:
        course.tally.duplicates += 1
    elif settled.is_there:
        course.tally.alerts += 1
        course.created.add(item.alert.id)
        if settled.alert:
            course.tally.raised.append(settled.alert.source[fields.REASON])
    if settled.fate is Fate.DEAD_LETTER:
        course.tally.dead_letters += 1
        course.tally.problems.append(
            f"The alert index refused the alert of {item.hit.key.index}/{item.hit.key.id} ({settled.reason}); "
            f"it was written without the copied source, which is kept in the dead letters under {item.alert.id}."
        )


def _stands(item: Item, settled: Settled | None) -> bool:
    """Whether the item's alert is in the index; if not, its stretch must not believe the item's moment."""
    if settled is None or settled.is_there:
        return True
    if settled.fate is Fate.UNAVAILABLE:
        _stop(item, settled.reason)
    else:
        _leave_hole(item, settled.reason)
    return False


def _leave_hole(item: Item, reason: str) -> None:
    if len(item.stretch.holes) >= MOST_HOLES:
        _stop(item, f"more than {MOST_HOLES} could not be written, the last because {reason}")
        return
    item.stretch.leave_hole(_places(item.hit))
    item.stretch.course.fail(
        f"The alert of {item.hit.key.index}/{item.hit.key.id} could not be written: {reason}. "
        "Its moment stays uncovered and is searched again; correct the cause."
    )


def _places(hit: Hit) -> set[int] | None:
    """Every position that the document lies at: one for each of its times; None where one of them cannot be read."""
    moments = [parse_time(value) for value in values(hit.source, TIMESTAMP)]
    known = {position(moment) for moment in moments if moment is not None}
    return None if None in moments else {hit.position, *known}


def _stop(item: Item, reason: str) -> None:
    item.stretch.cut_at(item.hit.position)
    item.stretch.is_stopped = True
    item.stretch.course.fail(f"Writing alerts stopped: {reason}. From there on the window is searched again.")
