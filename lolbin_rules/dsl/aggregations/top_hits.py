"""`top_hits`: the first hits of each bucket in the order of a sort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.aggregator import Aggregator, Asked
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.aggregations.source_filter import SourceFilter
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.order import Ordering, SortedRow, parse_sort

__all__ = ["TopHits"]

_DEFAULT_SIZE, _MOST_HITS = 3, 100
_UNSUPPORTED = (
    *("docvalue_fields", "fields", "stored_fields", "script_fields", "highlight", "explain", "version"),
    *("seq_no_primary_term", "track_scores"),
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A hit that may be among the first of its bucket."""

    hit: Callable[[int], Mapping[str, Any]]
    sorted_row: SortedRow


class TopHits(Aggregator):
    """`top_hits`. Without a sort hits would be ordered by their score, which is not known here."""

    def __init__(self, asked: Asked) -> None:
        options = asked.options
        sort = options.take("sort")
        if sort is None or sort == []:
            raise options.unsupported('has no "sort", so hits would be ordered by score')
        self._sort = parse_sort(sort)
        self._from, self._size = options.whole("from", 0), options.whole("size", _DEFAULT_SIZE, 1)
        if self._from + self._size > _MOST_HITS:
            raise options.refusal(f'asks for hits beyond {_MOST_HITS} by "from" and "size"')
        self._source = SourceFilter(options, options.take("_source"))
        options.finish(unsupported=_UNSUPPORTED)
        self._totals: dict[int, int] = {}
        self._candidates: dict[int, list[_Candidate]] = {}

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        ordering = Ordering(self._sort, part.mapping, part.segment, rows)
        order = np.lexsort([*reversed(ordering.ranks), owners])
        distinct, starts, counts = np.unique(owners[order], return_index=True, return_counts=True)
        wanted = self._from + self._size
        for owner, start, count in zip(distinct.tolist(), starts.tolist(), counts.tolist(), strict=True):
            self._totals[owner] = self._totals.get(owner, 0) + count
            places = order[start : start + min(count, wanted)].tolist()
            known = self._candidates.setdefault(owner, [])
            known += [_Candidate(part.hit, ordering.sorted_row(place)) for place in places]
            known.sort(key=lambda candidate: candidate.sorted_row.key)  # stable: ties stay in the order of parts
            del known[wanted:]

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        hits = [self._shown(candidate) for candidate in self._candidates.get(owner, [])[self._from :]]
        total = {"value": self._totals.get(owner, 0), "relation": "eq"}
        return {"hits": {"total": total, "max_score": None, "hits": hits}}

    def _shown(self, candidate: _Candidate) -> dict[str, Any]:
        hit = candidate.hit(candidate.sorted_row.row)
        shown = {key: value for key, value in hit.items() if key not in ("_source", "sort", "_score")}
        shown["_score"] = None
        if self._source.is_wanted:
            shown["_source"] = self._source.keep(hit["_source"])
        shown["sort"] = candidate.sorted_row.values
        return shown
