"""Where a period was not searched, and why: from a rule's coverage and the records of its executions.

Coverage says what was searched, and so what was not; it cannot say why. The records can, where there are any: an outage
is a gap for which no execution was planned.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lolbin_rules.plan.window import DAWN, FOREVER, Spans, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime, timedelta

    from lolbin_rules.plan.coverage import Coverage

__all__ = ["Attempt", "Gap", "Picture", "Reason", "known_search", "picture"]

SUCCEEDED = "succeeded"
FAILED = "failed"


class Reason(enum.StrEnum):
    """Why a part of a period does not count as searched."""

    OUTAGE = "outage"
    """No execution was there."""
    FAILED = "failed"
    PARTIAL = "partial"
    """It was searched, and not everything answered."""
    MAX_ALERTS = "max_alerts"
    """A cap left alerts to later executions."""
    UNWRITTEN = "unwritten"
    """Alerts could not be written."""
    NEW_INDEX = "new index"
    """It was searched before an index came that holds documents of it."""
    EDITED = "edited"
    """Only an earlier logic of the rule searched it."""
    UNSETTLED = "unsettled"
    """It was searched too early to have met documents as late as the rule allows for. Only a certificate says so."""
    NEW = "new"
    """It is asked, and its execution has not come yet."""
    DISABLED = "disabled"
    """It was not asked: the rule was disabled then, or taken away."""
    NOT_ASKED = "not asked"
    """It lies before the rule's beginning, and nobody asked for it."""


UNASKED = frozenset({Reason.DISABLED, Reason.NOT_ASKED})
WHY = {
    Reason.OUTAGE: "no execution was there",
    Reason.NEW_INDEX: "an index that holds documents of it came after it was searched; it is searched again",
    Reason.EDITED: "it was searched by an earlier logic of the rule only",
    Reason.UNSETTLED: "it was searched too early to have met documents as late as the rule allows for",
    Reason.NEW: "the next execution searches it",
    Reason.DISABLED: "the rule was disabled, or taken away, so the time was not asked",
    Reason.NOT_ASKED: "the rule began later; search it with coverage --fill",
    Reason.MAX_ALERTS: "a cap was reached; the alerts are left to later executions",
    Reason.UNWRITTEN: "alerts could not be written; they are left to later executions",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a record says of one execution.

    Attributes:
        uuid: names the execution.
        started_at: when it began.
        status: as in the record.
        reason: as in the record.
        planned: what it was to search.
        searched: what it searched with success.
        is_capped: it reached its cap.
        kind: `scheduled` or `manual`.
        duplicates: alerts that were there already.
    """

    uuid: str
    started_at: datetime
    status: str
    reason: str
    planned: Spans
    searched: Spans
    is_capped: bool = False
    kind: str = "scheduled"
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a period that does not count as searched.

    Attributes:
        window: the part.
        reason: why.
        is_due: it should have been searched by now.
        detail: the reason in words.
        execution: the last execution that was to search it; empty where there is none.
    """

    window: Window
    reason: Reason
    is_due: bool
    detail: str
    execution: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether it was promised to be searched."""
        return self.reason not in UNASKED


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of one rule and one period.

    Attributes:
        period: the period, up to the present.
        asked: what of it was asked.
        covered: what of it was searched.
        settled: what of it was searched late enough to be certified.
        gaps: what is not covered, in order of time.
        due: what is asked before this moment should have been searched by now.
    """

    period: Window
    asked: Spans
    covered: Spans
    settled: Spans
    gaps: tuple[Gap, ...]
    due: datetime

    @property
    def uncertified(self) -> tuple[Gap, ...]:
        """What of the period should be settled by now and is not, whether it was asked or not."""
        early = (self.covered - self.settled) & Spans.between(DAWN, self.due)
        unsettled = _gaps(early, Reason.UNSETTLED, self.due)
        return tuple(sorted([*self.gaps_due, *unsettled], key=lambda gap: gap.window))

    @property
    def gaps_due(self) -> tuple[Gap, ...]:
        """The gaps in time that could have been searched by now."""
        return tuple(gap for gap in self.gaps if gap.is_due)

    @property
    def lacks(self) -> tuple[Gap, ...]:
        """The gaps in time that was asked and should have been searched by now."""
        return tuple(gap for gap in self.gaps_due if gap.is_asked)


def picture(
    coverage: Coverage | None, attempts: Iterable[Attempt], period: Window, due: datetime, tolerance: timedelta
) -> Picture:
    """What is known of a rule and a period.

    Args:
        coverage: the rule's; None if it was never run.
        attempts: its executions, in any order; those that were to search nothing of the period do not matter.
        period: must lie in the past.
        due: what is asked before this moment should have been searched by now.
        tolerance: see `plan.tolerance`.
    """
    whole = Spans((period,))
    if coverage is None:
        detail = "the rule was never run"
        return Picture(period, Spans(), Spans(), Spans(), (Gap(period, Reason.NEW, is_due=True, detail=detail),), due)
    asked, covered = coverage.asked & whole, coverage.covered & whole
    newest_first = sorted(attempts, key=lambda attempt: attempt.started_at, reverse=True)
    found = [*_unsearched(coverage, asked - covered, newest_first, due), *_unasked(coverage, whole - asked - covered)]
    gaps = tuple(sorted(found, key=lambda gap: gap.window))
    return Picture(period, asked, covered, coverage.settled(tolerance) & whole, gaps, due)


def known_search(coverage: Coverage, moment: datetime) -> datetime | None:
    """When the moment was last searched, at the earliest; None if it was not, as far as is known."""
    for stretch in coverage.searched:
        if stretch.window.start <= moment < stretch.window.end:
            return max(stretch.searched_at, moment + stretch.lag)
    return None


def _unasked(coverage: Coverage, spans: Spans) -> Iterator[Gap]:
    begun = coverage.asked.windows[0].start if coverage.asked else FOREVER
    for reason, part in (
        (Reason.NOT_ASKED, Spans.between(DAWN, begun)),
        (Reason.DISABLED, Spans.between(begun, FOREVER)),
    ):
        yield from _gaps(spans & part, reason, FOREVER)


def _unsearched(coverage: Coverage, left: Spans, attempts: Sequence[Attempt], due: datetime) -> Iterator[Gap]:
    """What was asked and is not covered: by what a cap left, by earlier logics, by executions, by their absence."""
    unwritten = left & coverage.left_over
    capped = unwritten & Spans(tuple(window for each in attempts if each.is_capped for window in each.planned))
    yield from _gaps(capped, Reason.MAX_ALERTS, due)
    yield from _gaps(unwritten - capped, Reason.UNWRITTEN, due)
    left -= unwritten
    known = Spans(tuple(stretch.window for stretch in coverage.searched))
    unmet = left & known & coverage.unmet
    yield from _gaps(unmet, Reason.NEW_INDEX, due)
    edited = (left - unmet) & known
    yield from _gaps(edited, Reason.EDITED, due)
    left -= known
    for attempt in attempts:
        if attempt.status == SUCCEEDED:
            continue
        part = left & attempt.planned
        reason = Reason.FAILED if attempt.status == FAILED else Reason.PARTIAL
        yield from _gaps(part, reason, due, attempt)
        left -= part
    yield from _gaps(left & Spans.between(DAWN, due), Reason.OUTAGE, due)
    yield from _gaps(left & Spans.between(due, FOREVER), Reason.NEW, due)


def _gaps(spans: Spans, reason: Reason, due: datetime, attempt: Attempt | None = None) -> Iterator[Gap]:
    for is_due, part in ((True, Spans.between(DAWN, due)), (False, Spans.between(due, FOREVER))):
        for window in spans & part:
            if attempt:
                yield Gap(window, reason, is_due, attempt.reason, attempt.uuid)
            else:
                yield Gap(window, reason, is_due, WHY[reason])
