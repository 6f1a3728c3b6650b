"""The records of executions, read back: what was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from lolbin_rules.alert.source import first, objects, parse_time
from lolbin_rules.errors import StoreForbidden, StoreUnavailable
from lolbin_rules.plan.gaps import Attempt
from lolbin_rules.plan.window import Spans, Window, before, floor, position
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Query, Scan, Store

__all__ = ["attempts_of", "spans_of"]

WITHIN = timedelta(minutes=2)
ABOUT = "records"


def attempts_of(rule: Rule, period: Window, store: Store, prefix: str, *, but_succeeded: bool = False) -> list[Attempt]:
    """The executions that were to search something of the period; at will without those that succeeded.

    An execution that failed before it had planned anything counts as one for the window behind its moment.

    Raises:
        StoreError: they could not be read, or not all of them.
    """
    index = f"{prefix}-executions"
    with suppress(StoreForbidden):  # the last one may then be missing
        store.refresh([index])
    query: Query = {"bool": {"filter": [{"term": {"rule.id": rule.id}}]}}
    if but_succeeded:
        query = {"bool": {"filter": [query], "must_not": [{"term": {"execution.status": "succeeded"}}]}}
    found = []
    for page in store.scan(Scan((index,), {ABOUT: query}, _about(rule, period), within=WITHIN)):
        if not page.is_whole:
            raise StoreUnavailable(f"not every shard of {index} answered; the records of {rule.id} are not complete")
        found += [attempt for hit in page.hits if (attempt := _attempt(hit.source, rule))]
    return [attempt for attempt in found if attempt.planned & Spans((period,))]


def _about(rule: Rule, period: Window) -> Query:
    start, end = position(period.start), position(period.end)
    overlaps = [
        {"range": {"window.start": {"lt": end, "format": "epoch_millis"}}},
        {"range": {"window.end": {"gt": start, "format": "epoch_millis"}}},
    ]
    latest = end + rule.lookback // timedelta(milliseconds=1)
    nearby = {"range": {"execution.intended": {"gt": start, "lt": latest, "format": "epoch_millis"}}}
    planless = {"bool": {"filter": [nearby], "must_not": [{"exists": {"field": "window.start"}}]}}
    return {"bool": {"should": [{"bool": {"filter": overlaps}}, planless], "minimum_should_match": 1}}


def _attempt(record: Mapping[str, Any], rule: Rule) -> Attempt | None:
    started_at, intended = (parse_time(first(record, name)) for name in ("@timestamp", "execution.intended"))
    if started_at is None or intended is None:
        return None
    behind = Spans.between(before(intended, rule.lookback), floor(intended))
    return Attempt(
        uuid=str(first(record, "execution.uuid")),
        started_at=started_at,
        status=str(first(record, "execution.status")),
        reason=str(first(record, "execution.reason") or ""),
        planned=spans_of(objects(record, "planned")) or behind,
        searched=spans_of(objects(record, "searched")),
        is_capped=bool(first(record, "capped")),
        kind=str(first(record, "execution.kind")),
        duplicates=int(first(record, "duplicates") or 0),
    )


def spans_of(windows: Sequence[Mapping[str, Any]]) -> Spans:
    """The spans of time that a record lists."""
    read = [(parse_time(each.get("start")), parse_time(each.get("end"))) for each in windows]
    return Spans(tuple(Window(floor(start), floor(end)) for start, end in read if start and end and start < end))
