"""One alert for many events: which group and slot an event belongs to, and what its members add up to.

Suppression is a fold, not a counter: every event of a group is written under its own id as a member, and count, first
and last are computed from the members. A retry, an overlap or a late event meets its own member again and counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import ancestors
from lolbin_rules.alert.context import ExecutionContext
from lolbin_rules.alert.identity import (
    NO_IDENTITY,
    Identity,
    Terms,
    group_id,
    group_terms,
    instance_id,
    membership_key,
    monthly_index,
    rule_uuid,
)
from lolbin_rules.alert.source import EPOCH, event_time, first, objects, parse_time, write_time
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Document, Hit, Key, Query, Stored

__all__ = [
    "Fold",
    "Member",
    "Slot",
    "fold",
    "fold_aggregation",
    "group_by_of",
    "group_fields",
    "groups_aggregation",
    "member",
    "read_fold",
    "read_groups",
    "same_group",
    "slot_of",
    "stored_member",
    "with_fold",
]

GROUPS: Final = "groups"
FIRST: Final = "first"
LAST: Final = "last"
DETECTED: Final = "detected"
GROUP: Final = "group"
SLOT: Final = "slot"
PAGE_SIZE: Final = 5000


@dataclass(frozen=True, slots=True)
class Slot:
    """A span of event time [start, end) on a fixed grid: multiples of its length since 1970, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """One event as a member of a group.

    Attributes:
        group_id: the id of the one alert that stands for the group in this slot.
        alert: where that alert lives: in the index of the slot's first month, so that a group always meets the same.
        document: the membership, to be created before the alert.
        terms: the values that the group has in common.
        slot: the span of time that the group is one of.
        happened: when the event did.
    """

    group_id: str
    alert: Key
    document: Document
    terms: Terms
    slot: Slot
    happened: datetime


@dataclass(frozen=True, slots=True)
class Fold:
    """What the members of a group add up to.

    Attributes:
        count: how many events the alert stands for, the first one counted.
        first: when the earliest of them happened.
        last: when the latest of them happened.
        detected: when the latest of them was written as a member.
    """

    count: int
    first: datetime
    last: datetime
    detected: datetime


def slot_of(moment: datetime, length: timedelta) -> Slot | None:
    """The slot that holds a moment; None at the ends of the calendar, where a slot would reach beyond it."""
    try:
        start = EPOCH + (moment - EPOCH) // length * length
        return Slot(start, start + length)
    except OverflowError:
        return None


def member(
    rule: Rule, hit: Hit, *, prefix: str, context: ExecutionContext, identity: Identity = NO_IDENTITY
) -> Member | None:
    """The match as a member of its group; None where it gets an alert of its own.

    That is so where the rule has no suppression, where the event lacks a field of `group_by` and the rule says
    `do_not_suppress`, and where the event has no readable `@timestamp`, since its slot cannot be known then.
    """
    if rule.suppression is None:
        return None
    terms = group_terms(hit.source, group_by_of(rule))
    if rule.suppression.missing_fields == "do_not_suppress" and any(found is None for _, found in terms):
        return None
    happened = event_time(hit.source)
    slot = slot_of(happened, rule.suppression.duration or rule.interval) if happened else None
    if happened is None or slot is None:
        return None
    group = group_id(rule.id, terms, slot.start)
    source = {
        **({fields.MATCH: identity.text} if identity.parts else {}),
        fields.TIMESTAMP: write_time(context.created_at),
        fields.UUID: group,
        fields.ANCESTORS: ancestors(hit.source, hit.key),
        fields.ORIGINAL_TIME: write_time(happened),
        fields.RULE_UUID: rule_uuid(rule.id),
        fields.RULE_ID: rule.id,
        fields.EXECUTION_UUID: context.uuid,
        **_slot_fields(terms, slot),
    }
    alert = Key(monthly_index(f"{prefix}-alerts", slot.start), group)
    membership = membership_key(prefix, rule.id, hit, identity)
    return Member(group, alert, Document(membership, source), terms, slot, happened)


def stored_member(membership: Stored, prefix: str) -> Member | None:
    """A membership as it was when it was written; None where it is not readable as one."""
    source = membership.source
    group, happened = first(source, fields.UUID), event_time(source, fields.ORIGINAL_TIME)
    start, end = event_time(source, fields.SLOT_START), event_time(source, fields.SLOT_END)
    if not isinstance(group, str) or happened is None or start is None or end is None:
        return None
    alert = Key(monthly_index(f"{prefix}-alerts", start), group)
    return Member(group, alert, Document(membership.key, source), _terms(source), Slot(start, end), happened)


def group_by_of(rule: Rule) -> tuple[str, ...]:
    """The fields that name a rule's groups; those of a threshold are its own."""
    if rule.suppression is not None and rule.suppression.group_by:
        return rule.suppression.group_by
    return rule.threshold.field if rule.threshold else ()


def _slot_fields(terms: Terms, slot: Slot) -> dict[str, Any]:
    return {
        fields.SUPPRESSION_TERMS: [
            {"field": name, "value": None if found is None else list(found)} for name, found in terms
        ],
        fields.SLOT_START: write_time(slot.start),
        fields.SLOT_END: write_time(slot.end),
    }


def same_group(stored: Mapping[str, Any], rule: Rule, of: Member) -> bool:
    """Whether a stored alert is that of this very group and slot: as `same_event`, for the alert of a group."""
    start = event_time(stored, fields.SLOT_START)
    return first(stored, fields.RULE_ID) == rule.id and _terms(stored) == of.terms and start == of.slot.start


def _terms(stored: Mapping[str, Any]) -> Terms:
    return tuple(
        (str(term.get("field")), _values(term.get("value"))) for term in objects(stored, fields.SUPPRESSION_TERMS)
    )


def _values(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list | tuple) else None


def group_fields(of: Member, rule: Rule, context: ExecutionContext) -> dict[str, Any]:
    """What the alert of a group says beyond an ordinary alert, while the event that opens it is its only member."""
    opening = Fold(1, of.happened, of.happened, context.created_at)
    return {**_slot_fields(of.terms, of.slot), fields.INSTANCE_ID: instance_id(rule.id, of.terms), **fold(opening)}


def fold(members: Fold) -> dict[str, Any]:
    """What the alert of a group says about its members. `docs_count` is Elastic's: the events beyond the first."""
    return {
        fields.SUPPRESSION_COUNT: members.count,
        fields.SUPPRESSION_DOCS_COUNT: members.count - 1,
        fields.SUPPRESSION_START: write_time(members.first),
        fields.SUPPRESSION_END: write_time(members.last),
        fields.LAST_DETECTED: write_time(members.detected),
    }


def with_fold(alert: Mapping[str, Any], members: Fold) -> Mapping[str, Any]:
    """The alert brought up to date; the same object where it already is.

    Members are only ever added, so an alert only ever grows: an older fold, read before a newer one was written, or
    after members were deleted with their index, takes nothing back.
    """
    changes = fold(_joined(_held(alert), members))
    if all(alert.get(name) == value for name, value in changes.items()):
        return alert
    return {**alert, **changes}


def _held(alert: Mapping[str, Any]) -> Fold | None:
    count = first(alert, fields.SUPPRESSION_COUNT)
    times = [
        parse_time(first(alert, name))
        for name in (fields.SUPPRESSION_START, fields.SUPPRESSION_END, fields.LAST_DETECTED)
    ]
    start, end, detected = times
    if not isinstance(count, int) or start is None or end is None or detected is None:
        return None
    return Fold(count, start, end, detected)


def _joined(held: Fold | None, members: Fold) -> Fold:
    if held is None:
        return members
    return Fold(
        max(held.count, members.count),
        min(held.first, members.first),
        max(held.last, members.last),
        max(held.detected, members.detected),
    )


def fold_aggregation(group_ids: Sequence[str]) -> tuple[Query, dict[str, Any]]:
    """What to ask the members' indices (`<prefix>-suppressed-*`, refreshed) about these groups; see `read_fold`.

    At most some thousands of groups at a time: a cluster takes 65,536 terms and buckets by default. The counts are
    exact, because every shard returns all the groups that were asked for.
    """
    query = {"terms": {fields.UUID: list(group_ids)}}
    bounds = {
        FIRST: {"min": {"field": fields.ORIGINAL_TIME}},
        LAST: {"max": {"field": fields.ORIGINAL_TIME}},
        DETECTED: {"max": {"field": fields.TIMESTAMP}},
    }
    groups = {"terms": {"field": fields.UUID, "size": max(len(group_ids), 1)}, "aggs": bounds}
    return query, {GROUPS: groups}


def read_fold(answer: Mapping[str, Any]) -> dict[str, Fold]:
    """The `aggregations` of the answer to `fold_aggregation` -> group id -> what its members add up to."""
    return {bucket["key"]: _fold_of(bucket) for bucket in answer[GROUPS]["buckets"]}


def groups_aggregation(
    rule_ids: Sequence[str], since: datetime, after: Mapping[str, Any] | None = None
) -> tuple[Query, dict[str, Any]]:
    """What to ask the members' indices about the groups of these rules that got members since a moment; `read_groups`.

    Args:
        rule_ids: the rules.
        since: a membership is counted by the beginning of the execution that wrote it.
        after: where the page before ended.
    """
    written = {"range": {fields.TIMESTAMP: {"gte": write_time(since)}}}
    query = {"bool": {"filter": [{"terms": {fields.RULE_ID: list(rule_ids)}}, written]}}
    sources = [{GROUP: {"terms": {"field": fields.UUID}}}, {SLOT: {"terms": {"field": fields.SLOT_START}}}]
    return query, {
        GROUPS: {"composite": {"size": PAGE_SIZE, "sources": sources, **({"after": after} if after else {})}}
    }


def read_groups(answer: Mapping[str, Any], prefix: str) -> tuple[list[Key], Mapping[str, Any] | None]:
    """The `aggregations` of the answer to `groups_aggregation` -> the groups' alerts, and where the page ended."""
    page = answer.get(GROUPS, {"buckets": []})
    keys = []
    for bucket in page["buckets"]:
        start = EPOCH + timedelta(milliseconds=int(bucket["key"][SLOT]))
        keys.append(Key(monthly_index(f"{prefix}-alerts", start), bucket["key"][GROUP]))
    return keys, page.get("after_key")


def _fold_of(bucket: Mapping[str, Any]) -> Fold:
    at = {name: EPOCH + timedelta(milliseconds=int(bucket[name]["value"])) for name in (FIRST, LAST, DETECTED)}
    return Fold(int(bucket["doc_count"]), at[FIRST], at[LAST], at[DETECTED])
