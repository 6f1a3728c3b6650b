"""Rules over a store full of events, once and over all time: alerts are told, nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from lolbin_rules.alert import fields
from lolbin_rules.execution.preview import Preview, preview
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.record import Execution
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store

__all__ = ["Hunted", "hunt", "undated"]

ALL_TIME = Window(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))
WITHIN = timedelta(minutes=10)

Tell: TypeAlias = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Hunted:
    """What a rule found.

    Attributes:
        rule: the rule.
        hits: events that match.
        alerts: alerts that were told; fewer than hits where the rule suppresses.
        is_blind: there are no indices that the rule reads.
        problems: why something may be missing, as sentences.
        warnings: what one should know although nothing is missing.
    """

    rule: Rule
    hits: int
    alerts: int
    is_blind: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def hunt(ruleset: RuleSet, store: Store, now: datetime, tell: Tell) -> list[Hunted]:
    """Tell every alert that the enabled rules would raise, whatever their caps and schedules say.

    Alerts of single events are told in order of time while the search goes on, those of groups at its end.
    """
    enabled = [rule for rule in ruleset.rules.values() if rule.enabled]
    previews = [Preview(Course(Execution(rule, "manual", started_at=now, now=now)), sys.maxsize) for rule in enabled]

    def drain(found: Preview) -> None:
        for name, alert in found.alerts.items():
            tell({"_id": name, **alert})
        found.alerts.clear()

    def after_page(found: Preview) -> None:
        if found.course.rule.suppression is None:
            drain(found)

    preview(previews, ALL_TIME, ruleset.lists, ruleset.exceptions_by_rule, store, after_page)
    for found in previews:
        drain(found)
    return [_hunted(found) for found in previews]


def undated(indices: Iterable[str], store: Store) -> int:
    """How many events have no time: rules search by time, so no rule can see them."""
    query = {"bool": {"must_not": [{"exists": {"field": fields.TIMESTAMP}}]}}
    return store.count(sorted(indices), query, within=WITHIN).value


def _hunted(found: Preview) -> Hunted:
    course, tally = found.course, found.course.tally
    if course.is_blind:
        return Hunted(course.rule, 0, 0, is_blind=True, problems=(), warnings=())
    problems = tuple(dict.fromkeys(tally.failures + tally.problems))
    warnings = tuple(dict.fromkeys(tally.warnings))
    return Hunted(course.rule, found.hits, len(found.ids), is_blind=False, problems=problems, warnings=warnings)
