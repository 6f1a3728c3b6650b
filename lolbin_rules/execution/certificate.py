"""The certificate: that in the settled part of a period every hit has its alert, or which have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lolbin_rules.alert.source import write_time
from lolbin_rules.execution.fields import Exceptions, fit_to_indices
from lolbin_rules.execution.held_back import count_held_back
from lolbin_rules.execution.pictures import Seen
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.promise import mode_in_use, promise
from lolbin_rules.execution.record import Execution, span_object
from lolbin_rules.execution.records import attempts_of
from lolbin_rules.execution.recount import Missing, Recount
from lolbin_rules.plan.gaps import Attempt, Gap
from lolbin_rules.plan.window import Spans, Window
from lolbin_rules.rule.coverage_mode import CoverageMode
from lolbin_rules.rule.model import NamedList
from lolbin_rules.store.port import Document, Key, Store

__all__ = ["Certificate", "Certifying", "certificate_document", "certify", "gap_object"]


@dataclass(frozen=True, slots=True)
class Certifying:
    """What is needed to certify besides what is known of the rule.

    Attributes:
        lists: the named lists, by id.
        exceptions: the exception lists that apply to each rule.
        prefix: what the names of the indices that are written begin with.
        now: the present.
        sweep_interval: between two sweeps; zero where there are none.
        sweep_reach: how far back they look.
    """

    lists: Mapping[str, NamedList]
    exceptions: Exceptions
    prefix: str
    now: datetime
    sweep_interval: timedelta = timedelta()
    sweep_reach: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was found of one rule and one period.

    Attributes:
        seen: the rule, its coverage, and what that says of the period.
        execution: names the certificate; nothing was executed.
        logic: the fingerprint of the logic that was recounted with.
        recounted: the settled time that this logic had searched: all that is certified.
        others: settled time that another logic had searched, with its fingerprint.
        attempts: the executions that were to search something of the period.
        recount: hits and alerts.
        held_back: how many events each exception held back.
        promise: what is promised of the events, in words.
        mode: how events were read.
        problems: why the certificate cannot be relied on.
    """

    seen: Seen
    execution: Execution
    logic: str
    recounted: Spans
    others: tuple[tuple[Window, str], ...]
    attempts: tuple[Attempt, ...]
    recount: Recount
    held_back: Mapping[str, int]
    promise: str
    mode: CoverageMode
    problems: tuple[str, ...] = field(default=())

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What of the period should be settled by now and is not, asked or not."""
        return self.seen.picture.uncertified

    @property
    def is_good(self) -> bool:
        """Whether every hit of the whole period, as far as it can be settled by now, has its one alert."""
        found = self.recount
        is_explained = not (found.unexplained or found.doubled or self.problems or self.gaps)
        return is_explained and bool(self.recounted)

    def to_json(self) -> dict[str, Any]:
        """As it is printed and stored; times are ISO 8601 in UTC."""
        rule, found, looked = self.seen.rule, self.recount, self.seen.picture
        return {
            "@timestamp": write_time(self.execution.started_at),
            "rule": {"id": rule.id, "name": rule.name, "version": rule.version},
            "is_good": self.is_good,
            "mode": self.mode,
            "promise": self.promise,
            "period": span_object(looked.period),
            "logic": self.logic,
            "settled": [span_object(window) for window in looked.settled],
            "recounted": [span_object(window) for window in self.recounted],
            "other_logic": [{**span_object(window), "logic": logic} for window, logic in self.others],
            "executions": [_attempt(attempt) for attempt in self.attempts],
            "hits": found.hits,
            "alerts": len(found.alerts),
            "suppressed": found.suppressed,
            "duplicates": sum(attempt.duplicates for attempt in self.attempts),
            "doubled": found.doubled,
            "held_back": [{"exception": name, "events": count} for name, count in sorted(self.held_back.items())],
            "gaps": [gap_object(gap) for gap in self.gaps],
            "late": found.late,
            "late_first": [_missing(each) for each in found.missed],
            "unexplained": found.unexplained,
            "unexplained_first": [_missing(each) for each in found.missing],
            "problems": list(self.problems),
        }


def certify(seen: Seen, given: Certifying, store: Store) -> Certificate:
    """Recount what the rule finds in the settled part of a period, and look for the alert of every hit.

    Raises:
        StoreError: the store could not be read.
    """
    rule, coverage = seen.rule, seen.coverage
    course = Course(Execution(rule, "manual", started_at=given.now, now=given.now), coverage=coverage)
    fit_to_indices([course], given.lists, given.exceptions, store)
    recount = Recount(course, store, given.prefix)
    settled = seen.picture.settled
    others = []
    ours = Spans()
    for stretch in coverage.searched if coverage else ():
        part = Spans((stretch.window,)) & settled
        if stretch.logic == course.fingerprint:
            ours |= part
        else:
            others += [(window, stretch.logic) for window in part]
    if course.compiled is not None and not course.is_blind:
        recount.read(ours)
        course.stretches = [Stretch(course, window, axis) for window in ours for axis in course.axes]
        count_held_back(course, store)
    elif ours:
        recount.problems.append("The rule could not be asked, so nothing was recounted.")
    return Certificate(
        seen=seen,
        execution=course.execution,
        logic=course.fingerprint,
        recounted=ours,
        others=tuple(others),
        attempts=tuple(attempts_of(rule, seen.picture.period, store, given.prefix)),
        recount=recount,
        held_back=course.tally.held_back,
        promise=promise(course, given.sweep_interval, given.sweep_reach),
        mode=mode_in_use(course),
        problems=tuple(dict.fromkeys([*course.tally.failures, *course.tally.problems, *recount.problems])),
    )


def certificate_document(certificate: Certificate, prefix: str) -> Document:
    """The certificate as it is stored."""
    return Document(Key(f"{prefix}-certificates", certificate.execution.uuid), certificate.to_json())


def gap_object(gap: Gap) -> dict[str, Any]:
    """A gap as it is printed and stored."""
    return {
        **span_object(gap.window),
        "reason": gap.reason.value,
        "detail": gap.detail,
        "execution": gap.execution or None,
        "is_due": gap.is_due,
        "is_asked": gap.is_asked,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "uuid": attempt.uuid,
        "started_at": write_time(attempt.started_at),
        "kind": attempt.kind,
        "status": attempt.status,
        "searched": [span_object(window) for window in attempt.searched],
    }


def _missing(each: Missing) -> dict[str, Any]:
    named = {"index": each.key.index, "id": each.key.id, "time": write_time(each.happened)}
    return {**named, "match": each.match} if each.match else named
