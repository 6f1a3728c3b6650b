"""Hits -> alerts in the store, each exactly once, with an answer for every single one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import is_own_alert
from lolbin_rules.alert.build import (
    Alert,
    Told,
    build_alert,
    build_blocks,
    build_group_alert,
    dead_letter,
    minimal_alert,
)
from lolbin_rules.alert.identity import Identity, alert_key, membership_key
from lolbin_rules.alert.source import parse_time, values
from lolbin_rules.alert.suppression import member
from lolbin_rules.errors import StoreError
from lolbin_rules.execution.item import (
    BELONGING,
    PROOF,
    Fate,
    Item,
    Settled,
    by_stretch,
    judged,
    openers_of,
    up_to_cap,
)
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.plan.window import from_position, position
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Document, Key, Outcome, Source, Store, Stored, Verdict

__all__ = ["AlertWriter"]

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

    For every page: which alerts do the hits stand for; which of them may be written under the rules' caps; write the
    member events of those that stand for groups, and the alerts of a sequence's events; then the alerts. All of it
    comes before coverage: whatever is interrupted is found again by the next execution. A membership comes before the
    alert of its group, as it alone can be found by its event: should the rule's suppression be another one when the
    event is met again, it tells which alert is still to be written. So do the alerts of a sequence's events come before
    its own: what comes late may make another sequence of them, and nobody would write them any more.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def take(self, found: Iterable[tuple[Stretch, Sequence[Match]]]) -> None:
        """Write the alerts of one page, for any number of rules, and tell each stretch what it may believe."""
        items: list[Item] = []
        for stretch, matches in found:
            with stretch.course.isolated("Making alerts of hits"):
                items += self._items(stretch, matches)
        items, there = self._within_caps(self._without_alert(items))
        items = self._with_blocks(self._joined(items))
        alerts = openers_of(items)
        settled = self._create(alerts, there)
        for key, item in alerts.items():
            _count(item, settled[key])
        for item in items:
            if _stands(item, settled.get(item.alert)) and item.member is not None:
                item.stretch.course.groups.add(item.alert)

    def _items(self, stretch: Stretch, matches: Sequence[Match]) -> list[Item]:
        course = stretch.course
        items = []
        for match in matches:
            if any(is_own_alert(course.rule.id, hit.source) for hit in match.events or (match.hit,)):
                continue
            course.tally.hits += 1
            known = Identity(match.identity, match.dated)
            alert = alert_key(self._prefix, course.rule.id, match.hit, known)
            membership = membership_key(self._prefix, course.rule.id, match.hit, known)
            joined = member(course.rule, match.hit, prefix=self._prefix, context=course.context, identity=known)
            if joined:
                items.append(Item(stretch, match, joined.alert, joined, elsewhere=(alert, membership)))
            else:
                items.append(Item(stretch, match, alert, None, elsewhere=(membership,)))
        return items

    def _without_alert(self, items: Sequence[Item]) -> list[Item]:
        """The items but those whose event has an alert of its own; what is a member of a group already, as that.

        The rule's suppression may have been another one then. Should the group have been left without its alert or
        uncounted, by a crash before the change, this is made up for now.
        """
        keys = [key for item in items for key in item.elsewhere]
        stored = {one.key: one for one in self._store.get(keys, BELONGING) if one} if keys else {}
        left = []
        for item in items:
            known = item.as_stored([stored[key] for key in item.elsewhere if key in stored], self._prefix)
            if known is None:
                item.stretch.course.tally.duplicates += 1
            else:
                left.append(known)
        return left

    def _within_caps(self, items: Sequence[Item]) -> tuple[list[Item], dict[Key, Stored]]:
        """What may be written, and what was seen to be there already.

        Of a stretch over its cap, or of a sweep, that is only what is there, and new alerts up to the cap.
        """
        kept: list[Item] = []
        crowded: dict[int, list[Item]] = {}
        for stretch, its in by_stretch(items):
            # Of what a sweep finds nearly all is there: to look is cheaper than to build alerts that are refused.
            if len(openers_of(its)) <= stretch.allowance and not stretch.course.execution.is_sweep:
                kept += its
            else:
                crowded[id(stretch)] = its
        keys = list(dict.fromkeys(item.alert for its in crowded.values() for item in its))
        there = {stored.key: stored for stored in self._store.get(keys, PROOF) if stored} if keys else {}
        for its in crowded.values():
            kept += up_to_cap(its, there.keys())
        return kept, there

    def _create(self, openers: Mapping[Key, Item], there: Mapping[Key, Stored]) -> dict[Key, Settled]:
        """Write the alerts but those that are there; what became of each."""
        settled = {key: judged(item, there[key]) for key, item in openers.items() if key in there}
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
        return {key: judged(item, stored) for (key, item), stored in zip(openers.items(), found, strict=True)}

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

    def _with_blocks(self, items: Sequence[Item]) -> list[Item]:
        """Write an alert for each event of a sequence; the items but the sequences that lack one for now."""
        blocks = [(item, Key(item.alert.index, block.id), block) for item in items for block in _blocks(item)]
        outcomes = self._write({key: block.source for _, key, block in blocks})
        settled = {key: Settled(FATES[outcome.verdict], outcome.reason) for key, outcome in outcomes.items()}
        refused = {key: block for _, key, block in blocks if settled[key].fate is Fate.REFUSED}
        settled |= self._bury(refused, settled)
        lacking = set()
        for item, key, block in blocks:
            one = settled[key]
            if one.fate is Fate.UNAVAILABLE:
                lacking.add(id(item))
                _stop(item, one.reason)
            elif one.fate is Fate.REFUSED:
                _leave_hole(item, one.reason)
            elif one.fate is Fate.DEAD_LETTER:
                _tell_of_dead_letter(item.stretch.course, block, one.reason)
        return [item for item in items if id(item) not in lacking]

    def _joined(self, items: Sequence[Item]) -> list[Item]:
        """Write the memberships that are not there; the items but those whose membership could not be written."""
        joining = {id(item): item.member.document for item in items if item.member is not None and not item.is_joined}
        outcomes = dict(zip(joining, self._store.create(list(joining.values())), strict=True)) if joining else {}
        taken = [joining[which].key for which, outcome in outcomes.items() if outcome.verdict is Verdict.EXISTS]
        # Somebody else's meanwhile, who may know another suppression, or ours, whose confirmation was lost.
        stored = {one.key: one for one in self._store.get(taken, BELONGING) if one} if taken else {}
        left = []
        for item in items:
            outcome = outcomes.get(id(item))
            known: Item | None = item
            if outcome is not None and outcome.verdict is Verdict.EXISTS:
                known = item.as_stored(filter(None, [stored.get(joining[id(item)].key)]), self._prefix)
            if known is not None and _has_joined(known, outcome):
                left.append(known)
        return left


def _has_joined(item: Item, outcome: Outcome | None) -> bool:
    """Whether the item's membership, if it needs one, is in the index; if not, its moment must not be believed."""
    if outcome is None or item.is_joined:
        return True
    if outcome.verdict is Verdict.CREATED:
        item.stretch.course.tally.suppressed += 1
        _note_if_late(item)
        return True
    if outcome.verdict is Verdict.UNAVAILABLE:
        _stop(item, outcome.reason)
    else:
        _leave_hole(item, outcome.reason or "its id stands for another event")
    return False


def _built(item: Item) -> Alert | None:
    """The alert that the item opens; None, and the reason noted, where a fault of ours prevents it."""
    course = item.stretch.course
    with course.isolated(f"Building the alert of {item.hit.key.index}/{item.hit.key.id}"):
        told = Told(item.match.fields, Identity(item.match.identity, item.match.dated), item.match.events)
        if item.member is None:
            alert = build_alert(course.rule, item.hit, alert_id=item.alert.id, context=course.context, told=told)
        else:
            alert = build_group_alert(course.rule, item.hit, item.member, context=course.context, told=told)
        course.tally.warnings += [note for note in alert.notes if note not in course.tally.warnings]
        return alert
    return None


def _blocks(item: Item) -> list[Alert]:
    if not item.match.events:
        return []
    course = item.stretch.course
    with course.isolated(f"Building the alerts of the events of {item.alert.index}/{item.alert.id}"):
        return build_blocks(course.rule, item.match.events, group=item.alert.id, context=course.context)
    return []


def _count(item: Item, settled: Settled) -> None:
    course = item.stretch.course
    if settled.fate is Fate.DUPLICATE:
        course.tally.duplicates += 1
        if item.match.total is not None and item.member is None:
            course.grown[item.alert] = item.match
    elif settled.is_there:
        course.tally.alerts += 1
        course.created.add(item.alert.id)
        if item.member is None:
            _note_if_late(item)
        if settled.alert:
            course.tally.raised.append(settled.alert.source[fields.REASON])
    if settled.fate is Fate.DEAD_LETTER and settled.alert:
        _tell_of_dead_letter(course, settled.alert, settled.reason)


def _tell_of_dead_letter(course: Course, alert: Alert, reason: str) -> None:
    event = alert.source[fields.ANCESTORS][-1]
    course.tally.dead_letters += 1
    course.tally.problems.append(
        f"The alert index refused the alert of {event['index']}/{event['id']} ({reason}); it was written without the "
        f"copied source, which is kept in the dead letters under {alert.id}."
    )


def _note_if_late(item: Item) -> None:
    """Note an event of a time in which earlier executions with the same logic would have found it."""
    course = item.stretch.course
    happened = from_position(item.hit.position)
    if happened in course.met:
        course.tally.late.note(item.hit.source, happened, course.execution.started_at)


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
    item.stretch.leave_hole(_places(item))
    item.stretch.course.fail(
        f"The alert of {item.hit.key.index}/{item.hit.key.id} could not be written: {reason}. "
        "Its moment stays uncovered and is searched again; correct the cause."
    )


def _places(item: Item) -> set[int] | None:
    """Every position that the document lies at: one for each of its times; None where one of them cannot be read."""
    moments = [parse_time(value) for value in values(item.hit.source, item.stretch.axis.field)]
    known = {position(moment) for moment in moments if moment is not None}
    return None if None in moments else {item.hit.position, *known}


def _stop(item: Item, reason: str) -> None:
    item.stretch.cut_at(item.hit.position)
    item.stretch.is_stopped = True
    item.stretch.course.fail(f"Writing alerts stopped: {reason}. From there on the window is searched again.")
