"""Rules of type `eql`: single events, sequences of events, and samples.

A sequence lies in time where its last event does; one that ends with a missing item lies where that is decided, one
`maxspan` after its first event. Its alert's id is made of the join key and the last event alone, so that a first event
that comes late cannot alert the same ending twice. A sample lies in a slot of a fixed grid, as long as the lookback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from lolbin_rules.alert.identity import stable_index
from lolbin_rules.alert.source import write_time
from lolbin_rules.errors import RenderError
from lolbin_rules.plan.window import DAWN, FOREVER, Window, before, from_position, position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.compile import compile_sequence
from lolbin_rules.query.eql.nodes import EventQuery, SampleQuery, SequenceQuery
from lolbin_rules.query.eql.plan import SequencePlan, Stage
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.query.rule_query import (
    Given,
    category_field,
    compile_rule,
    fields_of_rule,
    query_text,
    with_conditions,
)
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.eql_native import native_matches
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked, Evaluator
from lolbin_rules.rule_types.samples import SampleMachine
from lolbin_rules.rule_types.sequence_candidates import (
    Found,
    TooManyPending,
    milliseconds,
    reach,
    settling,
)
from lolbin_rules.rule_types.sequence_events import SequenceEvents, common_part
from lolbin_rules.rule_types.sequences import SequenceMachine
from lolbin_rules.store.port import Hit

__all__ = ["EqlRule", "sequence_identity"]

PAGE: Final = 500
"""Sequences that are handed on at once."""


class EqlRule:
    """A rule written in EQL."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of_rule(rule, given)

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`."""
        query = parse_eql(query_text(rule, given.lists))
        if not isinstance(query, SampleQuery) and query.pipes:
            raise RenderError(
                "the query ends with a pipe, and head or tail would leave matches without an alert. "
                "Remove it; max_alerts bounds what one execution creates"
            )
        return compile_rule(rule, given) if isinstance(query, EventQuery) else _compiled(query, rule, given)

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator | None:
        """See `RuleType.evaluator`."""
        if rule.eql_engine == "native":
            return native_matches
        if compiled.plan is None:
            return None
        return _samples if compiled.plan.is_sample else _sequences


def _compiled(query: SequenceQuery | SampleQuery, rule: Rule, given: Given) -> Compiled:
    plan = compile_sequence(query, given.types, event_category_field=category_field(rule))
    stages = tuple(_conditioned(stage, rule, given) for stage in plan.stages)
    until = _conditioned(plan.until, rule, given) if plan.until else None
    every = [stage.event for stage in (*stages, *([until] if until else []))]
    return Compiled(
        query={"bool": {"should": [event.query for event in every], "minimum_should_match": 1}},
        misfits=tuple(sorted({misfit for event in every for misfit in event.misfits})),
        unknown=tuple(sorted({name for event in every for name in event.unknown})),
        exceptions=every[0].exceptions,
        without_exceptions=_without_exceptions(every),
        plan=replace(plan, stages=stages, until=until),
    )


def _conditioned(stage: Stage, rule: Rule, given: Given) -> Stage:
    return replace(stage, event=with_conditions(stage.event, rule, given))


def _without_exceptions(events: Sequence[Compiled]) -> Mapping[str, Any] | None:
    queries = [event.without_exceptions for event in events if event.without_exceptions is not None]
    return {"bool": {"should": queries, "minimum_should_match": 1}} if queries else None


def sequence_identity(join_key: Sequence[Any], last: Hit) -> tuple[Any, ...]:
    """What a sequence is known by: the values that its events share, and the event that completed it."""
    return ("sequence", list(join_key), stable_index(last.key.index), last.key.id)


def _sequences(asked: Asked) -> Iterator[MatchPage]:
    """The sequences that lie in the window, in order of time.

    With `maxspan`, the reading begins so early that the same sequences are found as in a reading of all time; without,
    it begins one lookback before the window.
    """
    plan = asked.compiled.plan
    if plan is None:
        raise AssertionError("only sequences are evaluated as such")
    settle = settling(plan)
    start = before(asked.window.start, reach(plan, asked.rule.lookback) + settle)
    events = SequenceEvents(asked, plan)
    found: list[Match] = []
    for each in _completed(plan, events, Window(start, asked.window.end)):
        match = _match(each, settle)
        if position(asked.window.start) <= match.hit.position < position(asked.window.end):
            found.append(match)
    found.sort(key=lambda match: match.hit.position)
    yield from _paged(found, events)


def _completed(plan: SequencePlan, events: SequenceEvents, window: Window) -> Iterator[Found]:
    machine = SequenceMachine(plan)
    try:
        for candidate in events.read(window):
            yield from machine.feed(candidate)
    except TooManyPending as error:
        events.problems.append(f"{error}.")
        return
    yield from machine.finish(position(window.end))


def _match(found: Found, settle: timedelta) -> Match:
    last: Hit = found.events[-1].hit
    lies_at = found.first + milliseconds(settle) if settle else last.position
    sources = [candidate.hit.source for candidate in found.events]
    shared = {**common_part(sources), "@timestamp": write_time(from_position(last.position))}
    return Match(
        hit=replace(last, source=shared, position=lies_at),
        identity=sequence_identity(found.join_key, last),
        dated=from_position(last.position),
        events=tuple(candidate.hit for candidate in found.events),
    )


def _samples(asked: Asked) -> Iterator[MatchPage]:
    """The samples of every slot that the window touches, in order of time."""
    plan, length = asked.compiled.plan, milliseconds(asked.rule.lookback)
    if plan is None:
        raise AssertionError("only samples are evaluated as such")
    events = SequenceEvents(asked, plan)
    first_slot, end = position(asked.window.start) // length * length, position(asked.window.end)
    window = Window(_moment(first_slot), _moment(-(-end // length) * length))
    found: list[Match] = []
    slot, machine = first_slot, SampleMachine(plan)
    for candidate in events.read(window):
        if candidate.moment // length * length != slot:
            found += _sampled(machine, slot)
            slot, machine = candidate.moment // length * length, SampleMachine(plan)
        machine.feed(candidate)
    found += _sampled(machine, slot)
    yield from _paged(found, events)


def _sampled(machine: SampleMachine, slot: int) -> Iterator[Match]:
    for each in machine.finish():
        match = _match(each, timedelta(0))
        identity = ("sample", list(each.join_key), slot)
        yield replace(match, hit=replace(match.hit, position=slot), identity=identity, dated=_moment(slot))


def _moment(milliseconds_since_1970: int) -> datetime:
    low, high = position(DAWN), position(FOREVER)
    return from_position(min(max(milliseconds_since_1970, low), high))


def _paged(found: Sequence[Match], events: SequenceEvents) -> Iterator[MatchPage]:
    """In pages; what may be missing is told with the last of them."""
    for start in range(0, max(len(found), 1), PAGE):
        is_last = start + PAGE >= len(found)
        problems = tuple(dict.fromkeys(events.problems)) if is_last else ()
        warnings = tuple(dict.fromkeys(events.warnings)) if is_last else ()
        yield MatchPage(tuple(found[start : start + PAGE]), problems, warnings)
