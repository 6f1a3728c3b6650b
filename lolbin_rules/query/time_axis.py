"""Which field of an event says when it happened, for the rule that looks for it.

Elastic's `timestamp_override` names another field than `@timestamp`, mostly `event.ingested`; an event without it is
looked for by its `@timestamp`, unless `timestamp_override_fallback_disabled` says not to. Events of the two kinds lie
on two axes, each with an order of its own; so they are read one axis after the other, and a span of time was searched
when it was searched on both. `coverage: ingest_time` is the same with `event.ingested`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lolbin_rules.plan.window import Spans, Window, position
from lolbin_rules.rule.coverage_mode import INGESTED, why_not
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Query

__all__ = ["EVENT_TIME", "TIMESTAMP", "TimeAxis", "axes_of", "lies_within"]

TIMESTAMP: Final = "@timestamp"
ANOMALY_TIMESTAMP: Final = "timestamp"
"""What the results of Elasticsearch's machine learning have in place of `@timestamp`."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A field of time, and the events that are looked for by it.

    Attributes:
        field: the field.
        unless: events that have this field lie on another axis; None where there is no other.
    """

    field: str = TIMESTAMP
    unless: str | None = None

    def within(self, window: Window) -> Query:
        """Events of this axis whose time, or one of whose times, lies in the half-open window."""
        bounds = {"gte": position(window.start), "lt": position(window.end), "format": "epoch_millis"}
        inside: Query = {"range": {self.field: bounds}}
        if self.unless is None:
            return inside
        return {"bool": {"filter": [inside], "must_not": [{"exists": {"field": self.unless}}]}}


EVENT_TIME: Final = TimeAxis()


def axes_of(rule: Rule, *, is_single: bool = True) -> tuple[TimeAxis, ...]:
    """The axes that a rule's hits lie on. What looks at several events together goes by `@timestamp` alone.

    Args:
        rule: the rule.
        is_single: each of its matches is one document by itself.
    """
    if rule.type == "machine_learning":
        return (TimeAxis(ANOMALY_TIMESTAMP),)
    override = rule.timestamp_override
    if rule.coverage == "ingest_time" and not why_not(rule, is_single=is_single):
        override = INGESTED
    if override is None or override == TIMESTAMP:
        return (EVENT_TIME,)
    if rule.timestamp_override_fallback_disabled:
        return (TimeAxis(override),)
    return (TimeAxis(override), TimeAxis(unless=override))


def lies_within(axes: Sequence[TimeAxis], spans: Spans, *, or_is_undated: bool) -> Query:
    """Events that lie in any of the spans on any of the axes; at will also those that lie on none of the axes."""
    found = [_inside(axis, window) for axis in axes for window in spans]
    if or_is_undated:
        fields = dict.fromkeys(axis.field for axis in axes)
        found.append({"bool": {"must_not": [{"exists": {"field": field}} for field in fields]}})
    return {"bool": {"should": found, "minimum_should_match": 1}} if found else {"match_none": {}}


def _inside(axis: TimeAxis, window: Window) -> Query:
    if not window.is_open:
        return axis.within(window)
    # No upper bound at all: some types of dates end in the year 2262, and refuse a later one.
    later: Query = {"range": {axis.field: {"gte": position(window.start), "format": "epoch_millis"}}}
    if axis.unless is None:
        return later
    return {"bool": {"filter": [later], "must_not": [{"exists": {"field": axis.unless}}]}}
