"""How late documents became searchable, read off the documents: `event.ingested` less `@timestamp`.

The store counts the documents by these two times, page by page; nothing of them is fetched but the counts. Where there
are too many, not all of the time is looked at but a little of each stretch of it, chosen by a hash: the same documents
whoever asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from lolbin_rules.alert.identity import stable_index
from lolbin_rules.plan.lateness import Delay
from lolbin_rules.plan.window import MILLISECOND, Spans, Window, floor, position
from lolbin_rules.query.time_axis import EVENT_TIME, TIMESTAMP
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.store.port import Aggregated, FieldTypes, Query, Store

__all__ = ["MOST", "REFRESHED", "Measured", "Origin", "measure", "searchable_at"]

AGENTS: Final = ("agent.name", "host.name")
CODE: Final = "event.code"
DATES: Final = frozenset({"date", "date_nanos"})
NAMES: Final = frozenset({"keyword", "constant_keyword", "long", "integer", "short"})

REFRESHED: Final = timedelta(seconds=1)
"""How long after `event.ingested` a document is taken to be searchable: the refresh interval that Elasticsearch has
unless it is told otherwise."""

MOST: Final = 200_000
"""About how many documents are looked at."""
STRETCHES: Final = 240
PAGE_SIZE: Final = 10_000
WITHIN: Final = timedelta(minutes=2)
LONGEST_PATH: Final = 3000
"""Characters of index names in one request; a node takes 4,096 bytes for the first line of one."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where documents came from.

    Attributes:
        index: the index, without what roll-over adds to its name.
        agent: `agent.name`, else `host.name`, else "".
        code: `event.code`, or "".
    """

    index: str
    agent: str
    code: str


@dataclass(slots=True)
class Measured:
    """What was seen of the delays of some indices.

    Attributes:
        window: the event time that was looked at.
        seen_at: the store's time: what has not arrived by then was not seen.
        delays: by origin; in milliseconds, `REFRESHED` included.
        documents: documents in the window that have both times.
        lacking: documents in the window without `event.ingested`, by index.
        share: how much of the window was looked at, from 0 to 1.
        ahead: documents that were looked at and came in before they happened: a clock is wrong. Taken as not late.
        problems: what is missing from the figures, as sentences.
    """

    window: Window
    seen_at: datetime
    delays: dict[Origin, list[Delay]] = field(default_factory=dict)
    documents: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    share: float = 1.0
    ahead: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Delay]:
        """Every delay, whatever its origin."""
        return [delay for delays in self.delays.values() for delay in delays]


def searchable_at(ingested: int) -> int:
    """From when on a document with this `event.ingested` is taken to be searchable; milliseconds since 1970."""
    return ingested + REFRESHED // MILLISECOND


def measure(index: Sequence[str], window: Window, store: Store, most: int = MOST) -> Measured:
    """How late the documents of these indices were that happened in the window.

    Args:
        index: index expressions.
        window: in event time.
        store: where they are.
        most: about how many documents are looked at.

    Raises:
        StoreError: the store did not answer.
    """
    measured = Measured(window, floor(store.clock()))
    types = store.field_types(index, [TIMESTAMP, INGESTED, *AGENTS, CODE])
    timed = _mapped(types, TIMESTAMP, DATES)
    readable = timed & _mapped(types, INGESTED, DATES)
    _note_lacking(sorted(timed), readable, measured, store)
    shapes = _shapes(types, readable)
    within = _slices(window, shapes, most, measured, store)
    for fields, names in shapes:
        for buckets in _pages(names, fields, within, measured, store):
            for bucket in buckets:
                _take(bucket, fields, measured)
    return measured


def _mapped(types: FieldTypes, name: str, kinds: frozenset[str]) -> frozenset[str]:
    """The indices that map the field so."""
    found = types.types.get(name, {})
    return frozenset[str]().union(*(found.get(kind, frozenset()) for kind in kinds))


def _note_lacking(timed: list[str], readable: frozenset[str], measured: Measured, store: Store) -> None:
    """Count the documents without `event.ingested`, index by index."""
    within = EVENT_TIME.within(measured.window)
    by_index = {"indices": {"terms": {"field": "_index", "size": max(1, len(timed))}}}
    for names in _short(timed):
        has = {"exists": {"field": INGESTED}}
        everything = _counts(store.aggregate(names, within, by_index, within=WITHIN), measured)
        dated = [name for name in names if name in readable]
        having = (
            _counts(store.aggregate(dated, _all_of(within, has), by_index, within=WITHIN), measured) if dated else {}
        )
        measured.documents += sum(having.values())
        for name, count in everything.items():
            if count > having.get(name, 0):
                stable = stable_index(name)
                measured.lacking[stable] = measured.lacking.get(stable, 0) + count - having.get(name, 0)


def _counts(answer: Aggregated, measured: Measured) -> dict[str, int]:
    _note_problems(answer, measured)
    buckets = answer.values.get("indices", {}).get("buckets", ())
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def _note_problems(answer: Aggregated, measured: Measured) -> None:
    reasons = [f"{failure.index or 'a shard'}: {failure.reason}" for failure in answer.failures]
    reasons += ["the store ran out of time on some shards"] if answer.timed_out else []
    fresh = [f"Some documents were not looked at: {reason}." for reason in dict.fromkeys(reasons)]
    measured.problems += [sentence for sentence in fresh if sentence not in measured.problems]


def _shapes(types: FieldTypes, indices: Iterable[str]) -> list[tuple[tuple[str, ...], list[str]]]:
    """The indices in groups that can be asked for the same fields, with these fields; each list of names is short.

    A field that has different types in two indices cannot be a key of both.
    """
    kinds = {
        name: {index: kind for kind, those in types.types.get(name, {}).items() if kind in NAMES for index in those}
        for name in (*AGENTS, CODE)
    }
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for index in sorted(indices):
        usable = tuple((name, kinds[name][index]) for name in kinds if index in kinds[name])
        groups.setdefault(usable, []).append(index)
    return [(tuple(name for name, _ in usable), part) for usable, names in groups.items() for part in _short(names)]


def _short(names: Sequence[str]) -> Iterator[list[str]]:
    """The names in lists that fit into one request."""
    part: list[str] = []
    for name in names:
        if part and sum(len(each) + 1 for each in part) + len(name) > LONGEST_PATH:
            yield part
            part = []
        part.append(name)
    if part:
        yield part


def _slices(
    window: Window, shapes: Sequence[tuple[tuple[str, ...], list[str]]], most: int, measured: Measured, store: Store
) -> Query:
    """The time that is looked at: all of the window, or as much of each stretch of it as is not too many documents."""
    chosen, share = Spans((window,)), 1.0
    count = measured.documents
    while count > most and chosen.duration > STRETCHES * MILLISECOND:
        share *= min(0.5, most / count)
        chosen = _chosen(window, share)
        count = sum(store.count(names, _within(chosen), within=WITHIN).value for _, names in shapes)
    measured.share = chosen.duration / window.duration
    return _within(chosen)


def _chosen(window: Window, share: float) -> Spans:
    """This share of each of many stretches of the window; from where in it on, a hash of its start decides.

    What would reach beyond the end of a stretch is taken from its start, so that every moment is as likely as another.
    """
    length = max(floor(window.start + window.duration / STRETCHES) - window.start, MILLISECOND)
    taken = max(length * share, MILLISECOND)
    parts = Spans()
    start = window.start
    while start < window.end:
        digest = hashlib.sha256(start.isoformat().encode()).digest()
        begin = floor(start + length * (int.from_bytes(digest[:6], "big") / 2**48))
        end = floor(begin + taken)
        beyond = max(end - (start + length), timedelta())
        parts |= Spans.between(begin, end - beyond) | Spans.between(start, start + beyond)
        start += length
    return parts & Spans((window,))


def _within(chosen: Spans) -> Query:
    """Documents that have both times, the first in one of these spans."""
    spans = [EVENT_TIME.within(window) for window in chosen]
    return _all_of({"exists": {"field": INGESTED}}, {"bool": {"should": spans, "minimum_should_match": 1}})


def _all_of(*queries: Query) -> Query:
    return {"bool": {"filter": list(queries)}}


def _pages(
    names: list[str], fields: Sequence[str], within: Query, measured: Measured, store: Store
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Counts of documents by both times and by origin."""
    times = {TIMESTAMP: TIMESTAMP, INGESTED: INGESTED}
    sources: list[dict[str, Any]] = [
        {name: {"date_histogram": {"field": of, "fixed_interval": "1ms"}}} for name, of in times.items()
    ]
    sources += [{name: {"terms": {"field": name, "missing_bucket": True}}} for name in fields]
    sources.append({"_index": {"terms": {"field": "_index"}}})
    after: Mapping[str, Any] | None = None
    while True:
        composite: dict[str, Any] = {"size": PAGE_SIZE, "sources": sources, **({"after": after} if after else {})}
        answer = store.aggregate(names, within, {"by": {"composite": composite}}, within=WITHIN)
        _note_problems(answer, measured)
        page = answer.values.get("by", {})
        buckets = page.get("buckets", ())
        yield buckets
        if len(buckets) < PAGE_SIZE:
            return
        after = page["after_key"]


def _take(bucket: Mapping[str, Any], fields: Sequence[str], measured: Measured) -> None:
    key, count = bucket["key"], bucket["doc_count"]
    happened = int(key[TIMESTAMP])
    delay = searchable_at(int(key[INGESTED])) - happened
    if delay < 0:
        measured.ahead += count
        delay = 0
    bound = max(delay, position(measured.seen_at) - happened)
    agent = next((str(key[name]) for name in AGENTS if name in fields and key[name] is not None), "")
    code = key.get(CODE)
    origin = Origin(stable_index(key["_index"]), agent, "" if code is None else str(code))
    measured.delays.setdefault(origin, []).append(Delay(delay, bound, count))
