"""`composite`: a bucket for each combination of several keys, page by page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.aggregator import Aggregator, Asked
from lolbin_rules.dsl.aggregations.buckets import Buckets, Groups
from lolbin_rules.dsl.aggregations.composite_sources import Ranked, read_source
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Places, Rows

__all__ = ["Composite"]

_DEFAULT_SIZE, _MOST_BUCKETS, _MOST_SOURCES = 10, 65_536, 16


class Composite(Aggregator):
    """`composite`. It stands on top, or below filters only, so it has one owner."""

    def __init__(self, asked: Asked) -> None:
        options = self._options = asked.options
        self._children, self._limit = asked.children, asked.limit
        strange = [parent for parent in asked.parents if parent != "filter"]
        if strange:
            raise options.refusal(f"is below one of type {strange[0]}")
        sources = options.take("sources")
        if not isinstance(sources, list) or not 1 <= len(sources) <= _MOST_SOURCES:
            raise options.refusal(f'has to have 1 to {_MOST_SOURCES} "sources"')
        self._sources = [read_source(options, source, asked.now_ms) for source in sources]
        names = [source.name for source in self._sources]
        if len(set(names)) < len(names):
            raise options.refusal("has two sources of one name")
        self._size = options.whole("size", _DEFAULT_SIZE, 1)
        if self._size > _MOST_BUCKETS:
            raise options.refusal(f"asks for {self._size} buckets, more than {_MOST_BUCKETS}")
        self._after = options.take("after")
        if self._after is not None and (not isinstance(self._after, Mapping) or self._after.keys() != set(names)):
            raise options.refusal('has to name in "after" what it names in "sources"')
        options.finish()
        self._buckets = Buckets()

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        del owners
        ranked = [source.ranked(part, rows) for source in self._sources]
        places, ranks = _combined(ranked, len(rows))
        distinct, firsts, of_places, counts = _distinct(ranks)
        keys = _Keys([each.keys for each in ranked], [each[firsts] for each in ranks])
        begin = self._begin(keys, len(distinct))
        end = begin + self._size  # of those this part has, no later ones can be on the page
        is_on_page = (of_places >= begin) & (of_places < end)
        chosen = slice(begin, end)
        groups = Groups(
            np.zeros(len(distinct[chosen]), np.intp),
            np.arange(len(distinct[chosen])),
            counts[chosen],
            of_places[is_on_page] - begin,
        )
        numbers = self._buckets.add(groups, [keys[place] for place in range(*chosen.indices(len(distinct)))])
        self._children.collect(part, rows[places[is_on_page]], numbers)

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        del owner
        page = sorted(self._buckets.of(0), key=lambda bucket: self._sortable(bucket.key))[: self._size]
        self._limit.count(len(page))
        shown = [
            {"key": self._shown(bucket.key), "doc_count": bucket.count, **self._children.answers(bucket.number)}
            for bucket in page
        ]
        return {**({"after_key": shown[-1]["key"]} if shown else {}), "buckets": shown}

    def _begin(self, keys: _Keys, number: int) -> int:
        """The place of the first combination after `after`."""
        if self._after is None:
            return 0
        after = tuple(source.read(self._after[source.name]) for source in self._sources)
        return bisect_right(range(number), self._sortable(after), key=lambda place: self._sortable(keys[place]))

    def _sortable(self, key: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(source.sortable(each) for source, each in zip(self._sources, key, strict=True))

    def _shown(self, key: Sequence[Any]) -> dict[str, Any]:
        pairs = zip(self._sources, key, strict=True)
        return {source.name: None if each is None else source.shown(each) for source, each in pairs}


class _Keys:
    """The distinct combinations of one part, by their place in order."""

    def __init__(self, keys: Sequence[Sequence[Any]], ranks: Sequence[Places]) -> None:
        self._keys, self._ranks = keys, ranks

    def __getitem__(self, place: int) -> tuple[Any, ...]:
        return tuple(keys[ranks[place]] for keys, ranks in zip(self._keys, self._ranks, strict=True))


def _combined(ranked: Sequence[Ranked], number: int) -> tuple[Places, list[Places]]:
    """Every combination of keys of every row: its place in the rows, and for each source the rank of its key."""
    places, ranks = np.arange(number), list[Places]()
    for each in ranked:
        of_rows = np.bincount(each.places, minlength=number)
        times = of_rows[places]
        starts = (of_rows.cumsum() - of_rows)[places]
        within = np.arange(times.sum()) - np.repeat(times.cumsum() - times, times)
        chosen = np.repeat(starts, times) + within
        ranks = [np.repeat(former, times) for former in ranks]
        ranks.append(each.ranks[chosen])
        places = np.repeat(places, times)
    return places, ranks


def _distinct(ranks: Sequence[Places]) -> tuple[Places, Places, Places, Places]:
    """Distinct combinations in order: their numbers, first places, number by place, and how often each is there."""
    joined = np.zeros(len(ranks[0]), dtype=np.int64)
    for each in ranks:
        _, joined = np.unique(joined, return_inverse=True)
        joined = joined * (int(each.max(initial=0)) + 1) + each
    distinct, firsts, of_places, counts = np.unique(joined, return_index=True, return_inverse=True, return_counts=True)
    return distinct, firsts, of_places, counts
