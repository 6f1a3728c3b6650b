"""What `lookback` tells of documents that do not say when they came in: bounds, by when executions found them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from lolbin_rules.alert.source import write_time
from lolbin_rules.execution.found_late import Found, Means, found_late
from lolbin_rules.execution.progress import Course
from lolbin_rules.figures import STEPS, aligned, in_minutes, percent, spoken
from lolbin_rules.plan.late_bounds import Bounds
from lolbin_rules.plan.lateness import cost
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.window import Window
from lolbin_rules.query.time_axis import EVENT_TIME
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.rule.duration import format_duration, format_lookback
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Store

__all__ = ["Bounded", "bounded", "bounds_lines", "bounds_object"]

QUANTILES: Final = (0.5, 0.9, 0.99)
REMEDY: Final = (
    f"To have delays measured, let an ingest pipeline set {INGESTED}. Without it, `coverage: sequence` in a rule "
    "misses nothing however late it comes."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule, by the bounds of the delays.

    Attributes:
        rule: the rule.
        means: how it came by its alerts of such documents.
        later: documents that were later than it always finds, at the least and at the most.
        miss_rates: the share of the documents that its present lookback misses, at the least and at the most.
        sure: between which shares the true one lies, 95 times in 100.
        lookback: one that loses no more than was asked even if every document was as late as it can have been.
    """

    rule: Rule
    means: Means
    later: tuple[int, int]
    miss_rates: tuple[float, float]
    sure: tuple[float, float]
    lookback: timedelta


@dataclass(frozen=True, slots=True)
class Bounded:
    """What is known of the documents of some indices that do not say when they came in."""

    found: Found
    bounds: Bounds
    rules: tuple[Judged, ...]


def bounded(
    courses: Sequence[Course], index: Sequence[str], window: Window, loss: float, store: Store, prefix: str
) -> Bounded:
    """Look for what alerts and records tell; see `found_late`.

    Raises:
        StoreError: the store did not answer.
    """
    found = found_late(courses, index, window, store, prefix)
    bounds = Bounds(found.documents.values())
    timed = [course.rule for course in courses if course.axes == (EVENT_TIME,)] if bounds.count else []
    return Bounded(found, bounds, tuple(_judged(rule, found, bounds, loss) for rule in timed))


def _judged(rule: Rule, found: Found, bounds: Bounds, loss: float) -> Judged:
    return Judged(
        rule,
        found.by_rule.get(rule.id, Means()),
        bounds.later_than(tolerance(rule.interval, rule.lookback)),
        bounds.miss_rates(rule.interval, rule.lookback),
        bounds.sure(rule.interval, rule.lookback),
        in_minutes(bounds.lookback_for(loss, rule.interval), rule.interval),
    )


def bounds_lines(known: Bounded, loss: float) -> Iterator[str]:
    """For people."""
    found, bounds = known.found, known.bounds
    yield ""
    if found.unrecorded:
        yield f"  {found.unrecorded:,} alerts of documents without {INGESTED} have no record of use; they are left out."
    if not bounds.count:
        yield f"  Of documents without {INGESTED} nothing is known: none that executions on record alerted. {REMEDY}"
        return
    yield (
        f"  Without {INGESTED}: bounds by {bounds.count:,} documents that rules matched; nothing is known of others. "
        "Each was not searchable when its time was searched before, and was when it was found."
    )
    if found.until:
        yield f"  There are more alerts than were looked at: those of events before {write_time(found.until)}."
    told = [f"{share * 100:g}%: {spoken(least)} to {spoken(most)}" for share, least, most in _quantiles(bounds)]
    yield f"  Delay from @timestamp until searchable: {'; '.join(told)}"
    yield from aligned(list(_rows(known)))
    for interval in sorted({each.rule.interval for each in known.rules}):
        yield f"  Searched every {format_duration(interval)}: documents missed, by lookback, at least and at most"
        yield from aligned([[format_lookback(at), *map(percent, rates)] for at, rates in _points(known, interval)])
    yield (
        f"  enough: loses no more than {loss:g} even if each document was as late as it can have been. It follows from "
        "the upper bounds; less may do."
    )
    yield (
        "  These are bounds for what was found: what came later than sweeps look back, or is still to come, is in none "
        "of them."
    )
    yield f"  {REMEDY}"


def _quantiles(bounds: Bounds) -> list[tuple[float, timedelta, timedelta]]:
    """Quantiles of the delay at the least and at the most; those that so few documents cannot tell are left out."""
    shares = [share for share in QUANTILES if bounds.count * (1 - share) >= 1] + [1.0] * bool(bounds.count)
    return [(share, bounds.least.quantile(share), bounds.most.quantile(share)) for share in shares]


def _rows(known: Bounded) -> Iterator[list[str]]:
    yield [
        *("rule", "interval", "lookback", "alerts", "by sweeps", "by numbers", "too late for it", "loses at least"),
        *("at most", "95% sure", "enough", "searched"),
    ]
    for each in known.rules:
        rule, means = each.rule, each.means
        now, then = cost(rule.interval, rule.lookback), cost(rule.interval, each.lookback)
        yield [
            rule.id,
            format_duration(rule.interval),
            format_lookback(rule.lookback),
            *(f"{number:,}" for number in (means.alerts, means.swept, means.numbered)),
            " - ".join(f"{number:,}" for number in each.later),
            *map(percent, each.miss_rates),
            " - ".join(map(percent, each.sure)),
            format_lookback(each.lookback),
            f"{now:.3g}x -> {then:.3g}x",
        ]


def _points(known: Bounded, interval: timedelta) -> list[tuple[timedelta, tuple[float, float]]]:
    """Lookbacks up to the first with which nothing at all can be missed, with the bounds of what is."""
    bounds = known.bounds
    end = bounds.lookback_for(0, interval)
    points = {interval, in_minutes(end, interval), *(interval + step for step in STEPS if interval + step < end)}
    points |= {each.rule.lookback for each in known.rules if each.rule.interval == interval}
    return [(point, bounds.miss_rates(interval, point)) for point in sorted(points)]


def bounds_object(known: Bounded, loss: float) -> dict[str, Any]:
    """For machines."""
    found, bounds = known.found, known.bounds
    intervals = sorted({each.rule.interval for each in known.rules})
    return {
        "documents": bounds.count,
        "alerts_without_record": found.unrecorded,
        "until": write_time(found.until) if found.until else None,
        "delay_seconds": {
            f"{share:g}": [least.total_seconds(), most.total_seconds()] for share, least, most in _quantiles(bounds)
        },
        "miss_rates": [
            {"interval": format_duration(interval), "lookback": format_lookback(at), "at_least": least, "at_most": most}
            for interval in intervals
            for at, (least, most) in _points(known, interval)
        ],
        "rules": [_rule_object(each, loss) for each in known.rules],
        "remedy": REMEDY,
    }


def _rule_object(each: Judged, loss: float) -> dict[str, Any]:
    rule, means = each.rule, each.means
    return {
        "rule": rule.id,
        "interval": format_duration(rule.interval),
        "lookback": format_lookback(rule.lookback),
        "alerts": means.alerts,
        "found_by_sweeps": means.swept,
        "found_by_numbers": means.numbered,
        "late_documents": list(each.later),
        "miss_rate": list(each.miss_rates),
        "miss_rate_95": list(each.sure),
        "loss": loss,
        "lookback_enough_by_upper_bounds": format_lookback(each.lookback),
        "searched_times": cost(rule.interval, rule.lookback),
        "searched_times_then": cost(rule.interval, each.lookback),
    }
