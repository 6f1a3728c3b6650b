"""What lookbacks are worth: delays as they were measured, what each rule loses, and which lookback would do."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from lolbin_rules.alert.source import write_time
from lolbin_rules.errors import SettingsError
from lolbin_rules.execution.arrivals import count_hits
from lolbin_rules.execution.delays import REFRESHED, Measured, Origin, measure
from lolbin_rules.execution.fields import fitted
from lolbin_rules.execution.progress import Course
from lolbin_rules.figures import MINUTE, STEPS, aligned, in_minutes, percent, spoken
from lolbin_rules.lookback_bounds import Bounded, bounded, bounds_lines, bounds_object
from lolbin_rules.plan.lateness import Delay, Delays, cost, wilson
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.window import MILLISECOND, Window
from lolbin_rules.query.time_axis import EVENT_TIME
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.rule.duration import format_duration, format_lookback
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store

__all__ = ["Advised", "Asked", "percent", "spoken", "tell"]

QUANTILES: Final = (0.5, 0.9, 0.99, 0.999, 0.9999)
DAY: Final = timedelta(days=1)
SMALLEST: Final = 1e-6
"""Where the bars of the picture begin."""
BAR: Final = 48
FEW: Final = 10
"""Fewer late documents than these say little."""
GROUPS: Final = 8
"""Agents and event codes that are shown: those with the longest delays."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be told.

    Attributes:
        ruleset: the rules; of these the enabled ones.
        index: what is measured; empty: what each rule reads.
        window: in event time.
        loss: the share of documents that may be missed.
        now: the present.
        prefix: what the names of the indices begin with that hold alerts and records.
    """

    ruleset: RuleSet
    index: tuple[str, ...]
    window: Window
    loss: float
    now: datetime
    prefix: str


@dataclass(frozen=True, slots=True)
class Advised:
    """What is told of one rule.

    Attributes:
        rule: the rule.
        per_day: documents that its query finds in a day; None where they could not be counted.
        miss_rate: the share of documents that its present lookback misses.
        sure: between which shares the true one lies, 95 times in 100.
        late: documents that were seen to be later than is always found.
        lookback: the shortest that loses no more than was asked.
    """

    rule: Rule
    per_day: float | None
    miss_rate: float
    sure: tuple[float, float]
    late: int
    lookback: timedelta


@dataclass(frozen=True, slots=True)
class _Meter:
    """Some indices, what was measured of them, and the rules that read them by `@timestamp`."""

    index: tuple[str, ...]
    measured: Measured
    delays: Delays
    rules: tuple[Advised, ...]
    aside: tuple[str, ...]
    bounded: Bounded | None


def tell(asked: Asked, store: Store, *, as_json: bool) -> bool:
    """Measure, and print what follows for each rule; whether nothing stood in the way.

    As JSON it is one object a line, for each set of indices.

    Raises:
        SettingsError: there is nothing to measure.
        StoreError: the store did not answer.
    """
    is_whole = True
    for meter in _meters(asked, store):
        for line in [orjson.dumps(_to_json(meter, asked)).decode()] if as_json else _lines(meter, asked):
            _say(line)
        for sentence in meter.measured.problems:
            print(sentence, file=sys.stderr)  # noqa: T201 - this is what the command prints
        is_whole &= not meter.measured.problems
    return is_whole


def _meters(asked: Asked, store: Store) -> Iterator[_Meter]:
    courses = fitted(
        [rule for rule in asked.ruleset.rules.values() if rule.enabled],
        asked.now,
        asked.ruleset.lists,
        asked.ruleset.exceptions_by_rule,
        store,
    )
    by_index: dict[tuple[str, ...], list[Course]] = {}
    for course in courses:
        by_index.setdefault(asked.index or course.rule.index, []).append(course)
    if asked.index:
        by_index.setdefault(asked.index, [])
    if not by_index:
        raise SettingsError("No rule is enabled, and no --index is named, so there is nothing to measure. Name either.")
    for index, together in by_index.items():
        if index:
            yield _meter(index, together, asked, store)


def _meter(index: tuple[str, ...], courses: Sequence[Course], asked: Asked, store: Store) -> _Meter:
    measured = measure(index, asked.window, store)
    delays = Delays(measured.all)
    timed = [course for course in courses if course.axes == (EVENT_TIME,)]
    aside = [course.rule.id for course in courses if course not in timed]
    rules = [_advised(course, delays, asked, store) for course in timed] if delays.count else []
    found = bounded(courses, index, asked.window, asked.loss, store, asked.prefix) if measured.lacking else None
    measured.problems += found.found.problems if found else ()
    return _Meter(index, measured, delays, tuple(rules), tuple(aside), found)


def _advised(course: Course, delays: Delays, asked: Asked, store: Store) -> Advised:
    rule = course.rule
    hits = count_hits(course, asked.window, store)
    rate = delays.miss_rate(rule.interval, rule.lookback)
    return Advised(
        rule,
        None if hits is None else hits / (asked.window.duration / DAY),
        rate,
        wilson(rate, delays.count),
        delays.later_than(tolerance(rule.interval, rule.lookback)),
        in_minutes(delays.lookback_for(asked.loss, rule.interval), rule.interval),
    )


def _grouped(measured: Measured) -> dict[str, dict[str, Delays]]:
    """The delays by index, by agent and by event code; the latest first, and of these the latest few."""
    by: dict[str, dict[str, list[Delay]]] = {"index": {}, "agent": {}, "code": {}}
    for origin, delays in measured.delays.items():
        for kind, name in _names(origin).items():
            by[kind].setdefault(name, []).extend(delays)
    found: dict[str, dict[str, Delays]] = {}
    for kind, groups in by.items():
        laws = {name: Delays(delays) for name, delays in groups.items()}
        found[kind] = dict(sorted(laws.items(), key=lambda each: (-each[1].quantile(0.99), each[0])))
    return found


def _names(origin: Origin) -> dict[str, str]:
    names = {"index": origin.index, "agent": origin.agent, "code": origin.code}
    return {kind: name for kind, name in names.items() if name}


def _quantiles(delays: Delays) -> dict[float, timedelta | None]:
    """None for those that so few documents cannot tell."""
    return {share: delays.quantile(share) if delays.count * (1 - share) >= 1 else None for share in QUANTILES}


def _lines(meter: _Meter, asked: Asked) -> Iterator[str]:
    measured, delays = meter.measured, meter.delays
    yield (
        f"{', '.join(meter.index)}: {measured.documents:,} documents with {INGESTED} "
        f"from {write_time(measured.window.start)} to {write_time(measured.window.end)}"
    )
    yield from _doubts(meter)
    if meter.bounded:
        yield from bounds_lines(meter.bounded, asked.loss)
    if not delays.count:
        yield "  Nothing was measured, so there is no advice." if not meter.bounded else "  Nothing was measured."
        return
    yield ""
    yield from _table(measured, delays)
    for interval in sorted({each.rule.interval for each in meter.rules} or {5 * MINUTE}):
        yield ""
        yield from _picture(meter, interval)
    if meter.rules:
        yield ""
        yield from _rules(meter, asked.loss)


def _doubts(meter: _Meter) -> Iterator[str]:
    measured, delays = meter.measured, meter.delays
    for index, count in sorted(measured.lacking.items()):
        yield f"  {count:,} documents of {index} are left out: no {INGESTED}."
    if measured.share < 1:
        yield f"  {delays.count:,} of them were looked at, in {measured.share:.3%} of the time, chosen by a hash."
    if delays.beyond:
        reach = spoken(delays.reach * MILLISECOND)
        yield f"  {delays.beyond:,} documents were later than {reach}, which is as far as anything can be told."
    if measured.ahead:
        yield f"  {measured.ahead:,} documents came in before they happened: a clock is wrong. They count as not late."
    for rule in meter.aside:
        yield f"  {rule} does not go by @timestamp alone; its lookback is not judged here."


def _table(measured: Measured, delays: Delays) -> Iterator[str]:
    reach = spoken(delays.reach * MILLISECOND)
    yield (
        f"  Delay from @timestamp until searchable ({INGESTED} + {spoken(REFRESHED)}). What may still come is allowed "
        f"for up to {reach}; later than that is unknown. -: too few documents"
    )
    rows = [["", "documents", *(f"{share * 100:g}%" for share in QUANTILES), "longest"], _row("all", delays)]
    for kind, groups in _grouped(measured).items():
        for name, law in list(groups.items())[:GROUPS]:
            rows.append(_row(f"{kind} {name}", law))
        if len(groups) > GROUPS:
            rows.append([f"... and {len(groups) - GROUPS} more", *[""] * (len(rows[0]) - 1)])
    yield from aligned(rows)


def _row(name: str, delays: Delays) -> list[str]:
    told = [spoken(each) if each is not None else "-" for each in _quantiles(delays).values()]
    return [name, f"{delays.count:,}", *told, spoken(delays.longest)]


def _picture(meter: _Meter, interval: timedelta) -> Iterator[str]:
    """Bars of the miss rate against the lookback."""
    yield (
        f"  Searched every {format_duration(interval)}: documents missed, by lookback "
        f"(bars from {SMALLEST:g} to 1, {BAR / -math.log10(SMALLEST):.0f} # for each power of ten)"
    )
    rows = []
    for lookback, marks in _points(meter, interval):
        rate = meter.delays.miss_rate(interval, lookback)
        length = round(BAR * max(0.0, 1 - math.log10(rate) / math.log10(SMALLEST))) if rate else 0
        rows.append([format_lookback(lookback), percent(rate), "#" * length + (f"  <- {marks}" if marks else "")])
    for row in rows:
        yield f"  {row[0]:<14}{row[1]:>9}  {row[2]}".rstrip()


def _points(meter: _Meter, interval: timedelta) -> list[tuple[timedelta, str]]:
    """The lookbacks of the picture: no later than the first with which nothing is missed; with what they are."""
    end = meter.delays.lookback_for(0, interval)
    marks: dict[timedelta, list[str]] = {}
    for advised in meter.rules:
        if advised.rule.interval == interval:
            marks.setdefault(advised.rule.lookback, []).append("now")
            marks.setdefault(advised.lookback, []).append("advised")
    points = {interval, in_minutes(end, interval), *marks}
    points |= {interval + step for step in STEPS if interval + step < end}
    return [(point, " and ".join(dict.fromkeys(marks.get(point, ())))) for point in sorted(points)]


def _rules(meter: _Meter, loss: float) -> Iterator[str]:
    header = ["rule", "interval", "lookback", "loses", "95% sure", "matches/day", "lost/day", "advised", "searched"]
    rows = [header]
    for advised in meter.rules:
        rule = advised.rule
        per_day, lost = advised.per_day, None if advised.per_day is None else advised.per_day * advised.miss_rate
        now, then = cost(rule.interval, rule.lookback), cost(rule.interval, advised.lookback)
        rows.append(
            [
                rule.id,
                format_duration(rule.interval),
                format_lookback(rule.lookback),
                percent(advised.miss_rate),
                " - ".join(map(percent, advised.sure)),
                "?" if per_day is None else f"{per_day:,.3g}",
                "?" if lost is None else f"{lost:,.3g}",
                format_lookback(advised.lookback),
                f"{now:.3g}x -> {then:.3g}x",
            ]
        )
    yield from aligned(rows)
    for advised in meter.rules:
        if advised.late < FEW:
            yield f"  {advised.rule.id}: fewer than {FEW} documents were seen to be that late ({advised.late})."
    yield (
        f"  loses: with every execution on time and without sweeps. advised: the shortest lookback that loses no more "
        f"than {loss:g}. searched: how many times each moment is searched."
    )
    if any(advised.lookback < advised.rule.lookback for advised in meter.rules):
        reach = spoken(meter.delays.reach * MILLISECOND)
        yield f"  Before a lookback is made shorter: delays beyond {reach}, and days like no other, were not measured."
    if meter.delays.count * loss < 3:  # noqa: PLR2004 - the rule of three
        yield (
            f"  {meter.delays.count:,} documents cannot tell a loss of {loss:g}; {math.ceil(3 / loss):,} could. "
            "What is advised may be too short."
        )


def _to_json(meter: _Meter, asked: Asked) -> dict[str, Any]:
    measured, delays = meter.measured, meter.delays
    return {
        "index": list(meter.index),
        "from": write_time(measured.window.start),
        "to": write_time(measured.window.end),
        "seen_at": write_time(measured.seen_at),
        "documents": measured.documents,
        "measured": delays.count,
        "share_of_time": measured.share,
        "without_event_ingested": measured.lacking,
        "ahead": measured.ahead,
        "reach_seconds": delays.reach / 1000,
        "beyond_reach": delays.beyond,
        "delays": {
            "all": _law(delays),
            **{kind: {name: _law(law) for name, law in laws.items()} for kind, laws in _grouped(measured).items()},
        },
        "rules": [_judged(advised, asked.loss) for advised in meter.rules],
        "not_judged": list(meter.aside),
        "found_without_event_ingested": bounds_object(meter.bounded, asked.loss) if meter.bounded else None,
        "problems": measured.problems,
    }


def _law(delays: Delays) -> dict[str, Any]:
    told: Mapping[float, timedelta | None] = _quantiles(delays)
    seconds = {f"{share:g}": None if each is None else each.total_seconds() for share, each in told.items()}
    return {"documents": delays.count, "seconds": seconds, "longest_seconds": delays.longest.total_seconds()}


def _judged(advised: Advised, loss: float) -> dict[str, Any]:
    rule = advised.rule
    return {
        "rule": rule.id,
        "interval": format_duration(rule.interval),
        "lookback": format_lookback(rule.lookback),
        "miss_rate": advised.miss_rate,
        "miss_rate_95": list(advised.sure),
        "late_documents_seen": advised.late,
        "matches_per_day": advised.per_day,
        "lost_per_day": None if advised.per_day is None else advised.per_day * advised.miss_rate,
        "loss": loss,
        "advised_lookback": format_lookback(advised.lookback),
        "searched_times": cost(rule.interval, rule.lookback),
        "advised_searched_times": cost(rule.interval, advised.lookback),
    }


def _say(text: str) -> None:
    print(text)  # noqa: T201 - this is what the command prints
