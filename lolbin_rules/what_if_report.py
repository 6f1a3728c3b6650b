"""What other schedules and outages would have done to the documents that rules match, as they arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from lolbin_rules.alert.source import parse_time, write_time
from lolbin_rules.errors import SettingsError
from lolbin_rules.execution.arrivals import Recorded, recorded_arrivals
from lolbin_rules.execution.batch import Batch
from lolbin_rules.execution.delays import REFRESHED
from lolbin_rules.execution.fields import fitted
from lolbin_rules.execution.progress import Course
from lolbin_rules.lookback_report import percent, spoken
from lolbin_rules.plan.what_if import Schedule, WhatIf, what_if
from lolbin_rules.plan.window import Spans, Window, floor
from lolbin_rules.query.time_axis import EVENT_TIME
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.rule.duration import format_duration, format_lookback, parse_duration, parse_lookback
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.port import Store

__all__ = ["Replays", "outages", "tell_replays"]

FIRST: Final = 5
"""Documents that are named."""


@dataclass(frozen=True, slots=True)
class Replays:
    """What is to be replayed.

    Attributes:
        ruleset: the rules; of these the enabled ones.
        window: the event time of the documents.
        settings: `interval=5m,lookback=now-9m`; what is left out is the rule's own.
        outages: no execution is in these.
        gap_horizon: how far back uncovered time is searched unasked.
        now: the present.
    """

    ruleset: RuleSet
    window: Window
    settings: tuple[str, ...]
    outages: Spans
    gap_horizon: timedelta
    now: datetime


def outages(texts: Sequence[str]) -> Spans:
    """`2026-11-22T03:00/2h`: from when, and for how long.

    Raises:
        SettingsError: a text says something else.
    """
    found = []
    for text in texts:
        begin, slash, length = text.partition("/")
        start = parse_time(begin)
        if start is None or not slash:
            raise SettingsError(
                f"--outage {text!r} is none. Write when it began and how long it was: 2026-11-22T03:00/2h."
            )
        try:
            found.append(Window(floor(start), floor(start) + parse_duration(length)))
        except (ValueError, OverflowError) as error:
            raise SettingsError(f"--outage {text!r}: {error}") from error
    return Spans(tuple(found))


def tell_replays(asked: Replays, store: Store, *, as_json: bool) -> bool:
    """Print for each rule what each schedule would have done; whether nothing stood in the way.

    As JSON it is one object a line, for each rule.

    Raises:
        SettingsError: a schedule means nothing, or no rule is enabled.
        StoreError: the store did not answer.
    """
    is_whole = True
    for replayed in _replays(asked, store):
        for line in [orjson.dumps(replayed).decode()] if as_json else _lines(replayed):
            print(line)  # noqa: T201 - this is what the command prints
        is_whole &= not replayed.get("problems")
    return is_whole


def _replays(asked: Replays, store: Store) -> Iterator[dict[str, Any]]:
    rules = [rule for rule in asked.ruleset.rules.values() if rule.enabled]
    if not rules:
        raise SettingsError("No rule is enabled, so there is nothing to replay. Name other rules.")
    schedules = {rule.id: _schedules(rule, asked) for rule in rules}
    for course in fitted(rules, asked.now, asked.ruleset.lists, asked.ruleset.exceptions_by_rule, store):
        rule = course.rule
        if course.evaluator is not None or course.axes != (EVENT_TIME,):
            yield {"rule": rule.id, "not_replayed": _why_not(course)}
            continue
        recorded = recorded_arrivals(course, asked.window, store)
        ran = [
            _outcome(schedule, spans, what_if(schedule, recorded.arrivals, asked.window.start, spans))
            for schedule in schedules[rule.id]
            for spans in dict.fromkeys((Spans(), asked.outages))
        ]
        yield {"rule": rule.id, **_recorded(recorded, asked), "replays": ran}


def _why_not(course: Course) -> str:
    if course.evaluator is not None:
        return (
            f"An alert of a rule of type {course.rule.type} stands for several events; only single ones are replayed."
        )
    return "The rule does not go by @timestamp alone."


def _schedules(rule: Rule, asked: Replays) -> list[Schedule]:
    """The rule's own, then the others."""
    own = {"interval": format_duration(rule.interval), "lookback": format_lookback(rule.lookback)}
    return list(dict.fromkeys(_schedule(rule, {**own, **parts}, asked) for parts in ({}, *map(_parts, asked.settings))))


def _parts(text: str) -> dict[str, str]:
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    if strange := parts.keys() - {"interval", "lookback"}:
        raise SettingsError(f"--what-if knows no {min(strange)!r}. Write interval=5m,lookback=now-9m, or one of them.")
    return parts


def _schedule(rule: Rule, parts: dict[str, str], asked: Replays) -> Schedule:
    try:
        interval, lookback = parse_duration(parts["interval"]), parse_lookback(parts["lookback"])
    except ValueError as error:
        raise SettingsError(f"--what-if: {error}") from error
    if lookback < interval:
        raise SettingsError(
            f"--what-if: a lookback of {format_lookback(lookback)} does not reach back to the execution before, "
            f"{format_duration(interval)} ago. Give one that does."
        )
    phase = Batch(rule.index, interval, lookback).phase
    return Schedule(interval, lookback, phase, rule.max_alerts, asked.gap_horizon)


def _recorded(recorded: Recorded, asked: Replays) -> dict[str, Any]:
    return {
        "from": write_time(asked.window.start),
        "to": write_time(recorded.until or asked.window.end),
        "documents": len(recorded.arrivals),
        "without_event_ingested": recorded.undated,
        "is_cut": recorded.until is not None,
        "problems": recorded.problems,
    }


def _outcome(schedule: Schedule, spans: Spans, ran: WhatIf) -> dict[str, Any]:
    delayed = ran.delayed(schedule.interval)
    worst = max((each.waited for each in ran.found), default=timedelta())
    return {
        "interval": format_duration(schedule.interval),
        "lookback": format_lookback(schedule.lookback),
        "outages": [f"{write_time(span.start)}/{write_time(span.end)}" for span in spans],
        "executions": ran.ticks,
        "alerted": len(ran.found),
        "lost": len(ran.lost),
        "delayed": len(delayed),
        "worst_wait_seconds": worst.total_seconds(),
        "searched_days": ran.searched / timedelta(days=1),
        "first_lost": [
            {"document": each.name, "late_seconds": each.delay.total_seconds()} for each in ran.lost[:FIRST]
        ],
        "most_delayed": [
            {"document": each.arrival.name, "waited_seconds": each.waited.total_seconds()} for each in delayed[:FIRST]
        ],
    }


def _lines(replayed: dict[str, Any]) -> Iterator[str]:
    """One of those objects as lines for people."""
    if "not_replayed" in replayed:
        yield f"{replayed['rule']}: not replayed. {replayed['not_replayed']}"
        return
    yield f"{replayed['rule']}: {replayed['documents']:,} documents from {replayed['from']} to {replayed['to']}"
    if replayed["is_cut"]:
        yield "  There were more; only the first were replayed. Give a shorter --from --to for the others."
    if replayed["without_event_ingested"]:
        yield f"  {replayed['without_event_ingested']:,} more have no {INGESTED}: when they arrived is unknown."
    for sentence in replayed["problems"]:
        yield f"  {sentence}"
    for ran in replayed["replays"]:
        yield from _told(ran, replayed["documents"])
    yield (
        "  lost: came later than the schedule tolerates; no outage within the gap horizon adds to it. delayed: waited "
        f"longer than the interval for a search. Searchable is taken to be {INGESTED} + {spoken(REFRESHED)}."
    )


def _told(ran: dict[str, Any], documents: int) -> Iterator[str]:
    outage = f" with {', '.join(ran['outages'])} out" if ran["outages"] else ""
    worst = spoken(timedelta(seconds=ran["worst_wait_seconds"]))
    yield (
        f"  every {ran['interval']}, {ran['lookback']}{outage}: {ran['lost']:,} lost "
        f"({percent(ran['lost'] / documents if documents else 0)}), {ran['delayed']:,} delayed, longest wait {worst}; "
        f"{ran['executions']:,} executions searched {ran['searched_days']:.3g} days"
    )
    for each in ran["first_lost"]:
        yield f"    lost {each['document']}, {spoken(timedelta(seconds=each['late_seconds']))} late"
    for each in ran["most_delayed"]:
        yield f"    delayed {each['document']}, waited {spoken(timedelta(seconds=each['waited_seconds']))}"
