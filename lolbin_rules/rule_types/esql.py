"""Rules of type `esql`: Elasticsearch's piped language, asked of Elasticsearch itself.

The window of time, the rule's `exclude` and its exceptions hold of documents before the first command sees them.

* Rows that say which document they are (`METADATA _id, _index`, without STATS) are that document, and have its alert.
* Other rows belong to a slot of a fixed grid of time, as long as the rule's interval. A slot is asked as a whole once
  it is over, and lies in the window that holds its last millisecond. A row is known by its slot and by the columns
  after BY where they are still there, else by all its values: asked again, it is the same alert.

Where more rows come than one answer holds, time is asked in smaller pieces; a slot cannot be, and is reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lolbin_rules.alert.source import event_time, values
from lolbin_rules.plan.window import Window, from_position, position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.match import compile_match
from lolbin_rules.query.rule_query import Given, fields_of_rule, query_text, with_conditions
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.esql_text import Esql, read_esql
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked, Evaluator
from lolbin_rules.store.port import Hit, Key, Query, Rows

__all__ = ["MOST_ROWS", "EsqlRule", "documents_of", "row_documents", "slot_matches", "slots_in"]

MOST_ROWS: Final = 10_000
"""Rows of one answer; Elasticsearch gives no more."""
MOST_SLOTS: Final = 10_000
"""Slots that are asked in one evaluation: 34 days of 5 minutes."""
MANY_SLOTS: Final = 100
"""So many are asked without looking first where the events lie."""

_MILLISECOND: Final = timedelta(milliseconds=1)


class EsqlRule:
    """A rule written in ES|QL."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of_rule(rule, given)

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`: the query is what documents must match before the first command sees them."""
        text = query_text(rule, given.lists)
        read_esql(text)
        found = compile_match(rule, given.lists, given.types) if rule.exclude else Compiled({"match_all": {}})
        found = with_conditions(found, rule, given)
        return replace(found, keeps=_Written(text))

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator:  # noqa: ARG002 - others tell rules apart
        """See `RuleType.evaluator`."""
        return _matches


@dataclass(frozen=True, slots=True)
class _Written:
    """Keeps every document: Elasticsearch decides. Its text is the query, for the fingerprint."""

    text: str

    def __call__(self, _: Mapping[str, Any], /) -> bool:
        return True


def _matches(asked: Asked) -> Iterator[MatchPage]:
    """The matches of the window, in order of time.

    Raises:
        StoreError: the store has no ES|QL, refused the query, or did not answer.
    """
    query = read_esql(query_text(asked.rule, asked.given.lists))
    if query.names_documents:
        pages = _documents(asked, query, asked.window)
        for rows, page in pages:
            if not {"_id", "_index"} <= {name for name, _ in rows.columns}:
                break  # the query dropped them
            yield page
        else:
            return
    yield from _slots(asked, query)


def _ask(asked: Asked, query: Esql, window: Window) -> Rows:
    bounds = {"gte": position(window.start), "lt": position(window.end), "format": "epoch_millis"}
    within: Query = {"range": {asked.time_field: bounds}}
    condition: Query = {"bool": {"filter": [asked.query, within]}}
    return asked.store.esql(query.limited(MOST_ROWS), condition, within=asked.within)


def _problems(rows: Rows) -> tuple[str, ...]:
    return ("Not all of the indices answered, so rows may be missing; the window is read again.",) * rows.is_partial


def _warnings(query: Esql, rows: Rows) -> tuple[str, ...]:
    if query.limit is None or len(rows.rows) < query.limit:
        return ()
    return (f"The query's own LIMIT of {query.limit} was reached, which may have left rows without an alert.",)


# Rows that are documents


def _documents(asked: Asked, query: Esql, window: Window) -> Iterator[tuple[Rows, MatchPage]]:
    """Each answer with its matches; a window with more rows than an answer holds is halved."""
    rows = _ask(asked, query, window)
    is_full = query.limit is None and len(rows.rows) >= MOST_ROWS
    if is_full and window.duration > _MILLISECOND:
        middle = from_position((position(window.start) + position(window.end)) // 2)
        yield from _documents(asked, query, Window(window.start, middle))
        yield from _documents(asked, query, Window(middle, window.end))
        return
    problems = _problems(rows)
    if is_full:
        problems += (f"One millisecond has more than {MOST_ROWS} rows; others may be missing. Narrow the query.",)
    found = row_documents(rows)
    keys = list(found)
    stored = dict(zip(keys, asked.store.get(keys), strict=True)) if keys else {}
    sources = {key: each.source for key, each in stored.items() if each is not None}
    hits = documents_of(found, sources, asked.time_field, window)
    yield rows, MatchPage(tuple(Match(hit) for hit in hits), problems, _warnings(query, rows))


def row_documents(rows: Rows) -> dict[Key, dict[str, Any]]:
    """The rows by the documents that they are, without nulls; of several rows of one document, the first."""
    found: dict[Key, dict[str, Any]] = {}
    names = [name for name, _ in rows.columns]
    for row in rows.rows:
        document = dict(zip(names, row, strict=True))
        index, name = document.pop("_index", None), document.pop("_id", None)
        if isinstance(index, str) and isinstance(name, str):
            kept = {key: value for key, value in document.items() if value is not None and not key.startswith("_")}
            found.setdefault(Key(index, name), kept)
    return found


def documents_of(
    found: Mapping[Key, Mapping[str, Any]], sources: Mapping[Key, Mapping[str, Any]], time_field: str, window: Window
) -> list[Hit]:
    """The documents as hits in order of time: what is stored of each, and the columns that it does not have.

    A document that tells no time, or one outside the window, counts as of the nearest moment of the window.
    """
    hits = []
    for key, row in found.items():
        source = dict(sources.get(key, {}))
        source |= {name: value for name, value in row.items() if not values(source, name)}
        moment = event_time(source, time_field)
        place = position(window.start if moment is None else moment)
        place = min(max(place, position(window.start)), position(window.end) - 1)
        hits.append(Hit(key, source, place, frozenset()))
    return sorted(hits, key=lambda hit: (hit.position, hit.key))


# Rows that are results of a slot


def _slots(asked: Asked, query: Esql) -> Iterator[MatchPage]:
    length = asked.rule.interval // _MILLISECOND
    first, last = slots_in(asked.window, asked.rule.interval)
    if last - first > MANY_SLOTS:
        first, last = _with_events(asked, query, first, last, length)
    if last - first >= MOST_SLOTS:
        problem = (
            f"The window holds {last - first + 1} slots of {asked.rule.interval}, more than the {MOST_SLOTS} that are "
            "asked at once. Search it in smaller parts."
        )
        yield MatchPage((), (problem,))
        return
    for number in range(first, last + 1):
        slot = Window(from_position(number * length), from_position((number + 1) * length))
        rows = _ask(asked, query, slot)
        problems = _problems(rows)
        if query.limit is None and len(rows.rows) >= MOST_ROWS:
            problems += (f"The slot {slot} has more than {MOST_ROWS} rows; others are missing. Narrow the query.",)
        matches = slot_matches(rows, query, slot, asked.rule.index or query.indices)
        yield MatchPage(tuple(matches), problems, _warnings(query, rows))


def slots_in(window: Window, length: timedelta) -> tuple[int, int]:
    """The first and the last slot of the grid whose last millisecond lies in the window, by number since 1970.

    Where there is none, the last is before the first.
    """
    each = length // _MILLISECOND
    return position(window.start) // each, position(window.end) // each - 1


def _with_events(asked: Asked, query: Esql, first: int, last: int, length: int) -> tuple[int, int]:
    """The slots from the first event of the window to the last; all of them where that is not known."""
    bounds = {"gte": first * length, "lt": (last + 1) * length, "format": "epoch_millis"}
    edges = {"first": {"min": {"field": asked.time_field}}, "last": {"max": {"field": asked.time_field}}}
    index = asked.rule.index or query.indices
    answer = asked.store.aggregate(index, {"range": {asked.time_field: bounds}}, edges, within=asked.within)
    if not answer.is_whole or not answer.values:
        return first, last
    low, high = (answer.values[name]["value"] for name in ("first", "last"))
    if low is None or high is None:
        return first, first - 1
    return max(first, int(low) // length), min(last, int(high) // length)


def slot_matches(rows: Rows, query: Esql, slot: Window, index: Sequence[str]) -> list[Match]:
    """The rows of a slot as matches; of rows that are known by the same values, the first.

    Args:
        rows: the answer.
        query: what was asked.
        slot: a slot of the grid.
        index: the index expressions that were read, to name where the rows come from.
    """
    names = [name for name, _ in rows.columns]
    groups = query.groups
    known_by = list(groups) if groups is not None and set(groups) <= set(names) else sorted(names)
    found: dict[str, Match] = {}
    for row in rows.rows:
        document = dict(zip(names, row, strict=True))
        parts = [[name, _canonical(document[name])] for name in known_by]
        text = json.dumps(parts, separators=(",", ":"))
        if text not in found:
            found[text] = _match(document, parts, slot, index)
    return list(found.values())


def _match(document: Mapping[str, Any], parts: list[Any], slot: Window, index: Sequence[str]) -> Match:
    start, lies_at = position(slot.start), position(slot.end) - 1
    length = lies_at + 1 - start
    identity = ("esql", length, start, parts)
    name = hashlib.sha256(json.dumps(identity, separators=(",", ":")).encode()).hexdigest()
    source = {key: value for key, value in document.items() if value is not None and not key.startswith("_")}
    source.setdefault("@timestamp", _written(slot.start))
    hit = Hit(Key(",".join(index), name), source, lies_at, frozenset())
    return Match(hit, identity=identity, dated=slot.start)


def _canonical(value: Any) -> Any:
    """The value as it is every time: what has several values has them in no order."""
    if isinstance(value, list):
        return sorted((_canonical(each) for each in value), key=lambda each: (str(type(each)), str(each)))
    return value


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
