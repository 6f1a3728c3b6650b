"""Rules of type `new_terms`: values that were not seen before are matches, each with the event that first has them.

A value (of one field, or of several together) is new at its first event in a slot of a fixed grid, multiples of the
rule's interval since 1970, if no event has it in the history before that slot, which is as long as the rule says.
That depends on the events alone, not on the window that is asked for.

Two events at which the same value is new lie further apart than the history is long: before the second, all of the
history is without it. So a second grid, with steps as long as the history, never has both in one step, and value and
step name the match: newness found again has the same name. An event that comes late and lies before the first makes
another alert only where a step, or a month, begins between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lolbin_rules.plan.window import position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.rule_query import Given, fields_of_rule
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.buckets import (
    Grouping,
    Span,
    doubts,
    in_span,
    milliseconds,
    moment_of,
    pages_of_buckets,
)
from lolbin_rules.rule_types.grouped import NO_DATES, compile_grouped, text_of
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked, Evaluator
from lolbin_rules.store.port import Hit, Query, Scan

__all__ = ["NewTermsRule"]

# What alerts of Elastic's detection engine say of new values.
NEW_TERMS: Final = "kibana.alert.new_terms"

MOST_LOOKED_UP: Final = 1000
"""Values whose history is asked for in one request."""
MOST_FETCHED: Final = 100
"""First events that are read in one request, each by a query of its own."""
LOST: Final = (
    "The first event with {field} {values} could not be read after it had been counted; the window is searched again."
)


class NewTermsRule:
    """A rule that finds what was not there before."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of_rule(rule, given).union(rule.new_terms_fields)

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`."""
        counting = ("new_terms", milliseconds(rule.interval), _history(rule), list(rule.new_terms_fields))
        return compile_grouped(rule, given, counting, by=rule.new_terms_fields, unfit=NO_DATES)

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator | None:  # noqa: ARG002 - other types tell rules apart
        """See `RuleType.evaluator`."""
        return _evaluate


def _history(rule: Rule) -> int:
    if rule.history_window_start is None:
        raise AssertionError("a rule of type new_terms has a history")
    return milliseconds(rule.history_window_start)


@dataclass(frozen=True, slots=True, order=True)
class _First:
    """The first event with some values for as long as is known so far.

    Attributes:
        place: when it happened, milliseconds since 1970.
        texts: the values as texts, one for each field.
        since: when the history begins in which they must not be, the event's slot being where it ends.
        values: the values as they were answered.
    """

    place: int
    texts: tuple[str, ...]
    since: int
    values: tuple[Any, ...]


@dataclass(slots=True)
class _Sought:
    """What is known of the new values of a window.

    Attributes:
        new: those that are new.
        unsure: those that are new if nothing was missing from the answers about the window itself.
        problems: what may be missing, as sentences.
        is_whole: whether nothing was missing from those answers.
    """

    new: list[_First]
    unsure: list[_First]
    problems: list[str]
    is_whole: bool = True


def _evaluate(asked: Asked) -> Iterator[MatchPage]:
    """The matches are few: all of them are found first, and their events are then read in order of time."""
    span = _span(asked)
    sought = _Sought([], [], [])
    undecided: list[_First] = []
    for first in _firsts(asked, span, sought):
        undecided.append(first)
        if len(undecided) == MOST_LOOKED_UP:
            _look_up(asked, span, undecided, sought)
            undecided.clear()
    _look_up(asked, span, undecided, sought)
    # What is missing from an answer looks new only because nobody told of its past; that is no reason for an alert.
    new = sorted(sought.new + (sought.unsure if sought.is_whole else []))
    yield MatchPage((), tuple(dict.fromkeys(sought.problems)))
    for start in range(0, len(new), MOST_FETCHED):
        yield _fetched(asked, new[start : start + MOST_FETCHED])


def _span(asked: Asked) -> Span:
    """The window, from the beginning of the slot that it begins in."""
    interval = milliseconds(asked.rule.interval)
    return Span(position(asked.window.start) // interval * interval, position(asked.window.end))


def _firsts(asked: Asked, span: Span, sought: _Sought) -> Iterator[_First]:
    """For each value its first event in the span; those after a long silence within the span go to `sought`.

    In one step of a grid with steps as long as the history only the first event can be new, because the others come
    too soon after it. So the first and last event of each step say everything.
    """
    interval, history = milliseconds(asked.rule.interval), _history(asked.rule)
    times = {name: {name: {"field": asked.time_field}} for name in ("min", "max")}
    by = Grouping(asked.rule.new_terms_fields, history, is_by_time_first=False, inner=times)
    values, latest = None, 0
    for page in pages_of_buckets(asked, asked.query, span, by):
        sought.problems += page.problems
        sought.is_whole &= not page.problems
        for bucket in page.buckets:
            place, last = int(bucket.answers["min"]["value"]), int(bucket.answers["max"]["value"])
            first = _First(
                place, tuple(map(text_of, bucket.values)), place // interval * interval - history, bucket.values
            )
            if bucket.values != values:
                yield first
            elif latest < first.since:
                sought.unsure.append(first)
            # A document with several times counts at its earliest: where that is in an earlier step or before the
            # span, it is found there, and is a history of its own.
            values, latest = bucket.values, min(last, bucket.slot + history - 1)


def _look_up(asked: Asked, span: Span, firsts: Sequence[_First], sought: _Sought) -> None:
    """Decide on values by their history before the span."""
    # A history that begins within the span was looked at already.
    sought.unsure += [first for first in firsts if first.since >= span.start]
    before = [first for first in firsts if first.since < span.start]
    if not before:
        return
    fields = asked.rule.new_terms_fields
    # One list of values for each field finds combinations that nobody asked for, but needs no query for each.
    candidates = [
        {"terms": {field: list(dict.fromkeys(first.values[place] for first in before))}}
        for place, field in enumerate(fields)
    ]
    by = Grouping(fields, inner={"max": {"max": {"field": asked.time_field}}})
    history = Span(min(first.since for first in before), span.start)
    latest: dict[tuple[Any, ...], float] = {}
    is_whole = True
    for page in pages_of_buckets(asked, {"bool": {"filter": [asked.query, *candidates]}}, history, by):
        sought.problems += page.problems
        is_whole &= not page.problems
        latest.update((bucket.values, bucket.answers["max"]["value"]) for bucket in page.buckets)
    if is_whole:
        sought.new += [first for first in before if latest.get(first.values, first.since - 1) < first.since]


def _fetched(asked: Asked, new: Sequence[_First]) -> MatchPage:
    """The matches with their events; of several events at the same time the first by index and id."""
    queries = {str(number): _one(asked, first) for number, first in enumerate(new)}
    around = in_span(asked.time_field, Span(new[0].place, new[-1].place + 1))
    scan = Scan(
        asked.rule.index,
        queries,
        {"bool": {"filter": [asked.query, around]}},
        order_by=asked.time_field,
        within=asked.within,
    )
    hits: dict[str, Hit] = {}
    problems: list[str] = []
    for page in asked.store.scan(scan):
        problems += doubts(page)
        for hit in page.hits:
            for name in hit.names:
                hits[name] = min(hits.get(name, hit), hit, key=lambda each: each.key)
    matches = []
    for number, first in enumerate(new):
        if str(number) in hits:
            matches.append(_match(asked.rule, first, hits[str(number)]))
        else:
            fields, values = ", ".join(asked.rule.new_terms_fields), ", ".join(first.texts)
            problems.append(LOST.format(field=fields, values=values))
    return MatchPage(tuple(matches), tuple(dict.fromkeys(problems)))


def _one(asked: Asked, first: _First) -> Query:
    """The events with these values at this time."""
    terms = [
        {"term": {field: {"value": value}}}
        for field, value in zip(asked.rule.new_terms_fields, first.values, strict=True)
    ]
    return {"bool": {"filter": [*terms, in_span(asked.time_field, Span(first.place, first.place + 1))]}}


def _match(rule: Rule, first: _First, hit: Hit) -> Match:
    history = _history(rule)
    named = [[field, text] for field, text in zip(rule.new_terms_fields, first.texts, strict=True)]
    return Match(
        hit=Hit(hit.key, hit.source, first.place, frozenset()),
        identity=("new_terms", named, first.place // history * history),
        dated=moment_of(first.place),
        fields={NEW_TERMS: list(first.texts)},
    )
