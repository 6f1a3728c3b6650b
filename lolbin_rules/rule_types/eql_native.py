"""Rules of type `eql` with `eql_engine: native`: asked of Elasticsearch's own EQL search.

Its answers hold a bounded number of events or sequences; where one is full, time is asked in smaller pieces. A sequence
has the identity that the package's own engine gives it, so that a change of the engine alerts nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from lolbin_rules.alert.identity import stable_index
from lolbin_rules.alert.source import event_time, write_time
from lolbin_rules.errors import RenderError
from lolbin_rules.plan.window import Window, before, floor, from_position, position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.plan import Key as JoinKey
from lolbin_rules.query.eql.plan import SequencePlan
from lolbin_rules.query.rule_query import query_text, with_conditions
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.rule_types.sequence_candidates import milliseconds, reach, settling
from lolbin_rules.rule_types.sequence_events import common_part
from lolbin_rules.rule_types.sequence_keys import key_tuples
from lolbin_rules.store.port import Hit, Key, Query

__all__ = ["MOST", "events_of", "native_matches", "sequences_of"]

MOST: Final = 10_000
"""Events or sequences of one answer."""
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH_MILLIS: Final = "epoch_millis"
_PLACE: Final = (JoinKey("v"),)


def native_matches(asked: Asked) -> Iterator[MatchPage]:
    """The events or sequences of the window, in order of time.

    Raises:
        RenderError: the query is a sample, whose answers Elasticsearch gives in no order that pieces could follow.
        StoreError: the store has no EQL search, refused the query, or did not answer.
    """
    plan = asked.compiled.plan
    if plan is not None and (plan.is_sample or plan.slices):
        what = "a sample" if plan.is_sample else "a sequence with head or tail"
        raise RenderError(f"{what} cannot be asked of Elasticsearch's EQL search piece by piece. Set eql_engine: own")
    yield from _pieces(asked, plan, asked.window)


def _pieces(asked: Asked, plan: SequencePlan | None, window: Window) -> Iterator[MatchPage]:
    answer = asked.store.eql(asked.rule.index, _body(asked, plan, window), within=asked.within)
    hits = answer["hits"]
    is_full = len(hits.get("events", ())) >= MOST or len(hits.get("sequences", ())) >= MOST
    if is_full and window.duration > _MILLISECOND:
        middle = from_position((position(window.start) + position(window.end)) // 2)
        yield from _pieces(asked, plan, Window(window.start, middle))
        yield from _pieces(asked, plan, Window(middle, window.end))
        return
    problems = _problems(answer)
    if is_full:
        problems += (f"One millisecond has more than {MOST} matches; others may be missing. Narrow the query.",)
    matches = sequences_of(answer, plan, _time_field(asked)) if plan else events_of(answer, _time_field(asked))
    inside = [match for match in matches if position(window.start) <= match.hit.position < position(window.end)]
    yield MatchPage(tuple(sorted(inside, key=lambda match: (match.hit.position, match.hit.key))), problems)


def _time_field(asked: Asked) -> str:
    return asked.rule.timestamp_field or asked.time_field


def _body(asked: Asked, plan: SequencePlan | None, window: Window) -> dict[str, Any]:
    rule = asked.rule
    start = window.start if plan is None else before(window.start, reach(plan, rule.lookback) + settling(plan))
    bounds = {"gte": position(start), "lt": position(window.end), "format": _EPOCH_MILLIS}
    within: Query = {"range": {_time_field(asked): bounds}}
    conditions = asked.fitted(with_conditions(Compiled({"match_all": {}}), rule, asked.given).query)
    body: dict[str, Any] = {
        "query": query_text(rule, asked.given.lists),
        "filter": {"bool": {"filter": [conditions, within]}},
        "timestamp_field": _time_field(asked),
        "size": MOST,
        "fetch_size": 1000,
        "result_position": "head",
        "fields": [{"field": _time_field(asked), "format": _EPOCH_MILLIS}],
    }
    if rule.event_category_override:
        body["event_category_field"] = rule.event_category_override
    if rule.tiebreaker_field:
        body["tiebreaker_field"] = rule.tiebreaker_field
    return body


def _problems(answer: Mapping[str, Any]) -> tuple[str, ...]:
    problems = []
    if answer.get("is_partial") or answer.get("shard_failures"):
        problems.append("Not every shard answered, so matches may be missing; the window is read again.")
    if answer.get("timed_out"):
        problems.append("The search ran out of time; the window is searched again.")
    return tuple(problems)


def events_of(answer: Mapping[str, Any], time_field: str) -> list[Match]:
    """The events of an answer."""
    return [Match(_hit(event, time_field)) for event in answer["hits"].get("events", ())]


def sequences_of(answer: Mapping[str, Any], plan: SequencePlan, time_field: str) -> list[Match]:
    """The sequences of an answer; see `eql` for where they lie in time and what they are known by."""
    settle = settling(plan)
    found = []
    for sequence in answer["hits"].get("sequences", ()):
        events = tuple(_hit(event, time_field) for event in sequence["events"] if not event.get("missing"))
        last = events[-1]
        key = _join_key(sequence.get("join_keys") or (), plan)
        shared = common_part([event.source for event in events])
        shared["@timestamp"] = write_time(from_position(last.position))
        lies_at = events[0].position + milliseconds(settle) if settle else last.position
        found.append(
            Match(
                hit=replace(last, source=shared, position=lies_at),
                identity=("sequence", key, stable_index(last.key.index), last.key.id),
                dated=from_position(last.position),
                events=events,
            )
        )
    return found


def _join_key(written: Sequence[Any], plan: SequencePlan) -> list[Any]:
    """The values that the events share, in the form that they have in the package's own engine."""
    types = [*plan.key_types, *[frozenset[str]()] * (len(written) - len(plan.key_types))]
    return [
        next((form for (form,) in key_tuples(_PLACE, {"v": value}, (kind,))), None)
        for value, kind in zip(written, types, strict=False)
    ]


def _hit(event: Mapping[str, Any], time_field: str) -> Hit:
    """An event of an answer; its time is the earliest of the field, as the store tells it, else as it is written."""
    source = event.get("_source", {})
    told = [int(value) for value in event.get("fields", {}).get(time_field, ())]
    moment = event_time(source, time_field)
    if not told and moment is not None:
        told = [position(floor(moment))]
    return Hit(Key(event["_index"], event["_id"]), source, min(told, default=0), frozenset())
