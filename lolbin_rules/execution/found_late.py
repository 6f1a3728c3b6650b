"""How late documents without `event.ingested` can have been, by when executions found them.

Alerts say which execution found their event, and the records of executions what each had searched. What is known is
known of documents that rules matched, of others nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from lolbin_rules.alert import fields
from lolbin_rules.alert.identity import stable_index
from lolbin_rules.alert.source import event_time, first, objects, parse_time, values
from lolbin_rules.errors import StoreForbidden
from lolbin_rules.execution.coverage_documents import load_coverage
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.records import spans_of
from lolbin_rules.plan.late_bounds import Between, Look, between
from lolbin_rules.plan.window import MILLISECOND, Spans, Window, floor, from_position, position
from lolbin_rules.query.time_axis import EVENT_TIME, TIMESTAMP
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.store.port import Hit, Key, Query, Scan, Store

__all__ = ["MOST_ALERTS", "Found", "Means", "found_late"]

WITHIN: Final = timedelta(minutes=2)
DAY: Final = timedelta(days=1)
MOST_ALERTS: Final = 20_000
"""Alerts that are looked at, the earliest by their event's time."""
ROUNDING: Final = 2 * MILLISECOND
"""What a moment that was cut to milliseconds and a duration that was rounded to them may lack together."""


@dataclass(slots=True)
class Means:
    """How one rule came by its alerts of documents without `event.ingested`.

    Attributes:
        alerts: those that are looked at.
        swept: of these, made by a sweep of time that the rule had searched before.
        numbered: of these, found by sequence numbers.
    """

    alerts: int = 0
    swept: int = 0
    numbered: int = 0


@dataclass(slots=True)
class Found:
    """What alerts and records tell of documents without `event.ingested`.

    Attributes:
        documents: what is known of the delay of each that has an alert.
        by_rule: by rule id; rules without such an alert are not there.
        unrecorded: alerts whose execution has no record that tells enough; they are left out.
        until: set where there were too many alerts: those that were looked at happened before this.
        problems: what is missing, as sentences.
    """

    documents: dict[Key, Between] = field(default_factory=dict)
    by_rule: dict[str, Means] = field(default_factory=dict)
    unrecorded: int = 0
    until: datetime | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sight:
    """An event in the alert that an execution made of it."""

    event: Key
    happened: datetime
    execution: str
    is_swept: bool


def found_late(
    courses: Sequence[Course], index: Sequence[str], window: Window, store: Store, prefix: str, most: int = MOST_ALERTS
) -> Found:
    """What is known of the documents of these indices that happened in the window and that these rules alerted.

    Args:
        courses: rules, compiled; those that do not go by `@timestamp` and single documents are passed over.
        index: index expressions.
        window: in event time.
        store: where alerts, records and coverage are.
        prefix: what the names of their indices begin with.
        most: how many alerts are looked at.

    Raises:
        StoreError: the store did not answer.
    """
    found = Found()
    single = [course for course in courses if course.axes == (EVENT_TIME,) and course.compiled and not course.evaluator]
    if not single:
        return found
    for name in ("alerts", "executions"):
        with suppress(StoreForbidden):  # what was written last may then be missing
            store.refresh([f"{prefix}-{name}"])
    sights = _sights([course.rule.id for course in single], index, window, store, prefix, found, most)
    load_coverage(single, store, prefix)
    for course in single:
        if its := sights.get(course.rule.id):
            _bound(course, its, store, prefix, found)
    return found


def _sights(
    rules: Sequence[str], index: Sequence[str], window: Window, store: Store, prefix: str, found: Found, most: int
) -> dict[str, list[_Sight]]:
    """The alerts of these rules of documents without `event.ingested` in these indices, by rule."""
    names = frozenset[str]().union(*store.field_types(index, [TIMESTAMP]).indices.values())
    wanted = {stable_index(name) for name in names}
    by_rule: dict[str, list[_Sight]] = {}
    query: Query = {"terms": {fields.RULE_ID: sorted(rules)}}
    for taken, hit in enumerate(_scan(f"{prefix}-alerts", query, fields.ORIGINAL_TIME, window, store, found)):
        if taken == most:
            found.until = from_position(hit.position)
            break
        sight = _sight(hit.source)
        if sight and sight.event.index in wanted and sight.happened in Spans((window,)):
            by_rule.setdefault(str(first(hit.source, fields.RULE_ID)), []).append(sight)
    return by_rule


def _scan(index: str, query: Query, order_by: str, window: Window, store: Store, found: Found) -> Iterator[Hit]:
    bounds = {"gte": position(window.start), "lt": position(window.end), "format": "epoch_millis"}
    for page in store.scan(Scan((index,), {"found": query}, {"range": {order_by: bounds}}, order_by, within=WITHIN)):
        if not page.is_whole:
            problem = f"Not every shard of {index} answered; what is said of documents without {INGESTED} lacks some."
            found.problems = list(dict.fromkeys([*found.problems, problem]))
        yield from page.hits


def _sight(alert: Mapping[str, Any]) -> _Sight | None:
    parent = (objects(alert, fields.ANCESTORS) or [{}])[-1]
    happened = event_time(alert, fields.ORIGINAL_TIME)
    if happened is None or values(alert, INGESTED):
        return None
    event = Key(stable_index(str(parent.get("index"))), str(parent.get("id")))
    return _Sight(event, floor(happened), str(first(alert, fields.EXECUTION_UUID)), bool(first(alert, fields.SWEEP)))


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An execution as its record tells of it."""

    look: Look
    is_numbered: bool


def _bound(course: Course, sights: Sequence[_Sight], store: Store, prefix: str, found: Found) -> None:
    """Bound the delays of the documents that one rule alerted."""
    recorded = _recorded(course, min(sight.happened for sight in sights), store, prefix, found)
    looks = sorted((each.look for each in recorded.values()), key=lambda look: look.started_at)
    for sight in sights:
        by = recorded.get(sight.execution)
        if by is None:
            found.unrecorded += 1
            continue
        known = between(sight.happened, by.look, looks)
        before = found.documents.get(sight.event)
        found.documents[sight.event] = known.and_also(before) if before else known
        means = found.by_rule.setdefault(course.rule.id, Means())
        means.alerts += 1
        means.swept += sight.is_swept and known.least > 0
        means.numbered += by.is_numbered


def _recorded(course: Course, since: datetime, store: Store, prefix: str, found: Found) -> dict[str, _Recorded]:
    """The rule's executions from then on, by their uuids."""
    window = Window(since, max(floor(store.clock()), since) + DAY)
    query: Query = {"term": {"rule.id": course.rule.id}}
    hits = _scan(f"{prefix}-executions", query, TIMESTAMP, window, store, found)
    return {
        str(first(hit.source, "execution.uuid")): _Recorded(look, first(hit.source, "execution.mode") == "sequence")
        for hit in hits
        if (look := _look(hit.source, course))
    }


def _look(record: Mapping[str, Any], course: Course) -> Look | None:
    """What the record tells; None where it is of a version that wrote less."""
    started_at, intended = (parse_time(first(record, name)) for name in (TIMESTAMP, "execution.intended"))
    took, logic = first(record, "total_ms"), first(record, "execution.logic")
    if started_at is None or intended is None or not isinstance(took, int) or not logic:
        return None
    searched = spans_of(objects(record, "searched"))
    # Only where every shard was read to its end does a searched window reach up to the present.
    is_read = first(record, "execution.mode") == "sequence" and any(each.end == floor(intended) for each in searched)
    return Look(
        started_at=floor(started_at),
        ended_at=floor(started_at) + took * MILLISECOND + ROUNDING,
        logic=str(logic),
        searched=searched,
        since=_read_since(course, str(logic)) if is_read else None,
        by_hand=spans_of(objects(record, "planned")) if first(record, "execution.kind") == "manual" else Spans(),
    )


def _read_since(course: Course, logic: str) -> datetime | None:
    """From when on documents are read by numbers; for a logic that is read so no longer that is not kept."""
    known = course.coverage.sequence if course.coverage else None
    return known.since if known and known.logic == logic else None
