"""Paging through the groups that a `composite` aggregation makes of a rule's hits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lolbin_rules.rule_types.grouped import Grouped
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.store.port import Aggregated, Page, Query

__all__ = [
    "PAGE_SIZE",
    "Bucket",
    "BucketPage",
    "Grouping",
    "Span",
    "doubts",
    "in_span",
    "milliseconds",
    "moment_of",
    "pages_of_buckets",
]

SLOT: Final = "slot"
GROUPS: Final = "groups"
PAGE_SIZE: Final = 10_000
"""Groups in one request; a cluster allows 65,536 by default."""
LONGEST_PATH: Final = 3000
"""Characters of index names in one request; a node takes 4,096 bytes for the first line of one."""
MILLISECOND: Final = timedelta(milliseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time [start, end) in milliseconds since 1970; it may reach beyond the calendar of `datetime`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """What hits are grouped by.

    Attributes:
        fields: by the values of these. A hit with several values is in several groups, one that lacks a field in none.
        length: by slots of so many milliseconds on the grid that counts from 1970 as well; None: not by time.
        is_by_time_first: groups come in the order of their slots; otherwise those of the same values come together.
        inner: what is asked of each group, as aggregations.
        size: groups asked for in one request.
    """

    fields: tuple[str, ...]
    length: int | None = None
    is_by_time_first: bool = True
    inner: Mapping[str, Any] = field(default_factory=dict)
    size: int = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Bucket:
    """One group.

    Attributes:
        values: one for each field.
        slot: when its slot begins, milliseconds since 1970; the span's start where there are none.
        count: how many hits are in it.
        answers: the answers to what was asked of it, by name.
    """

    values: tuple[Any, ...]
    slot: int
    count: int
    answers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BucketPage:
    """Some groups in order, and as sentences what may be missing from them."""

    buckets: tuple[Bucket, ...]
    problems: tuple[str, ...]


def pages_of_buckets(asked: Asked, query: Query, span: Span, by: Grouping) -> Iterator[BucketPage]:
    """All groups of the hits of `query` that have a time in the span, page by page.

    A slot that reaches beyond the span counts only the hits within it. Hits with several times may make slots that
    lie outside; they are left out.

    Raises:
        StoreError: the store did not answer.
    """
    indices, part, after = _readable(asked), span, None
    while indices and part.start < part.end:
        wanted = {"bool": {"filter": [query, in_span(asked.time_field, part)]}}
        composite = {"size": by.size, "sources": _sources(asked, by), **({"after": after} if after else {})}
        body = {"composite": composite, **({"aggs": by.inner} if by.inner else {})}
        answer = asked.store.aggregate(indices, wanted, {GROUPS: body}, within=asked.within)
        groups = answer.values.get(GROUPS, {})
        found = groups.get("buckets", ())
        yield BucketPage(tuple(_buckets(found, part, by)), doubts(answer))
        after = groups["after_key"] if len(found) >= by.size else None
        part, after = _rest(part, span, by, after)


def _rest(
    part: Span, span: Span, by: Grouping, after: Mapping[str, Any] | None
) -> tuple[Span, Mapping[str, Any] | None]:
    """Where to go on, and after which group there.

    A store looks at every hit of the part for every page. So where groups come in order of time, a part after the first
    is about as much time as two pages are likely to need, and what is done is left out of it.
    """
    if by.length is None or not by.is_by_time_first:
        return (part, after) if after else (Span(span.end, span.end), None)
    if after is None or after[SLOT] >= part.end:
        return Span(part.end, min(span.end, part.end + 2 * (part.end - part.start))), None
    reached = max(part.start, after[SLOT])
    return Span(reached, min(span.end, reached + 2 * max(reached - part.start, by.length))), after


def _readable(asked: Asked) -> tuple[str, ...]:
    """Index expressions without the indices that the rule cannot be asked of.

    That the query leaves these out is not enough: a shard whose mapping does not fit refuses the aggregation.
    """
    compiled = asked.compiled
    refusing = {*compiled.left_out, *(compiled.refusing if isinstance(compiled, Grouped) else ())}
    if not refusing:
        return asked.rule.index
    names = tuple(sorted(frozenset[str]().union(*asked.given.types.indices.values()) - refusing))
    return names if sum(len(name) + 1 for name in names) <= LONGEST_PATH else asked.rule.index


def _sources(asked: Asked, by: Grouping) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = [{str(place): {"terms": {"field": name}}} for place, name in enumerate(by.fields)]
    if by.length is None:
        return sources
    slots = {SLOT: {"date_histogram": {"field": asked.time_field, "fixed_interval": f"{by.length}ms"}}}
    return [slots, *sources] if by.is_by_time_first else [*sources, slots]


def _buckets(found: Iterable[Mapping[str, Any]], span: Span, by: Grouping) -> Iterator[Bucket]:
    for each in found:
        key = each["key"]
        slot = key.get(SLOT, span.start)
        if by.length is None or span.start - by.length < slot < span.end:
            values = tuple(key[str(place)] for place in range(len(by.fields)))
            yield Bucket(values, slot, each["doc_count"], {name: each[name] for name in by.inner})


def in_span(field_name: str, span: Span) -> Query:
    """Documents that have a time in the span."""
    return {"range": {field_name: {"gte": span.start, "lt": span.end, "format": "epoch_millis"}}}


def doubts(answer: Aggregated | Page) -> tuple[str, ...]:
    """What the answer lacks, as sentences."""
    what = ["The search ran out of time on some shards"] if answer.timed_out else []
    for failure in answer.failures:
        place = f"Shard {failure.shard} of {failure.index}" if failure.index else "A shard"
        what.append(f"{place} did not answer: {failure.reason}")
    return tuple(f"{each}; the window is searched again." for each in dict.fromkeys(what))


def milliseconds(duration: timedelta) -> int:
    """A duration as a number."""
    return duration // MILLISECOND


def moment_of(place: int) -> datetime | None:
    """The moment so many milliseconds after 1970; None where it lies outside the years 1 to 9999."""
    try:
        return EPOCH + place * MILLISECOND
    except OverflowError:
        return None
