"""What is known of rules and a period: their coverage, and the records of those that have gaps in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lolbin_rules.errors import StoreRejected
from lolbin_rules.execution.coverage_documents import load_coverage
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.records import attempts_of
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.gaps import Picture, picture
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.window import Window, before
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Store

__all__ = ["Seen", "look_at"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One rule, its coverage, and what that says of a period."""

    rule: Rule
    coverage: Coverage | None
    picture: Picture


def look_at(rules: Sequence[Rule], period: Window, now: datetime, store: Store, prefix: str) -> list[Seen]:
    """What is known of each rule and the period; what is younger than an interval may yet come.

    Raises:
        StoreError: coverage or records could not be read, or a stored coverage cannot be understood.
    """
    courses = [Course(Execution(rule, "manual", started_at=now, now=now)) for rule in rules]
    load_coverage(courses, store, prefix)
    found = []
    for course in courses:
        if course.tally.failures:
            raise StoreRejected(" ".join(course.tally.failures))
        rule, coverage = course.rule, course.coverage
        late = tolerance(rule.interval, rule.lookback)
        due = before(now, rule.interval + late)
        has_gaps = coverage is not None and any(window.overlap(period) for window in coverage.gaps(period.end))
        attempts = attempts_of(rule, period, store, prefix, but_succeeded=True) if has_gaps else []
        found.append(Seen(rule, coverage, picture(coverage, attempts, period, due, late)))
    return found
