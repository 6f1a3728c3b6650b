"""Hits in the order of a `sort`, with the sort values that Elasticsearch gives them.

Rows of one segment are ordered by numbers (ranks); across segments hits are ordered by `SortedRow.key`. Ties keep the
order of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.segment import Segment
from lolbin_rules.dsl.sort_fields import SortField, parse_sort
from lolbin_rules.dsl.sort_keys import Ranks, keys_of
from lolbin_rules.errors import StoreRejected

__all__ = ["Ordering", "SortField", "SortedRow", "parse_sort"]


@dataclass(frozen=True, slots=True)
class SortedRow:
    """A row in its place.

    Attributes:
        row: its number in the segment.
        values: the sort values, one per sort field, as in the answer of a search.
        key: compares with the keys of other segments under the same sort.
    """

    row: int
    values: list[Any]
    key: tuple[Any, ...]


class Ordering:
    """Rows of one segment under a sort.

    Attributes:
        ranks: for each sort field, the most important first, one number per row; less comes earlier.
    """

    def __init__(self, sort: Sequence[SortField], mapping: IndexMapping, segment: Segment, rows: Rows) -> None:
        """Order these rows of a segment, the fields of which are mapped so.

        Raises:
            StoreRejected: Elasticsearch would refuse the sort for this index.
            Unsupported: the field cannot be sorted by here.
        """
        self._rows = rows
        self._keys = [keys_of(field, mapping, segment, rows) for field in sort]
        self.ranks: list[Ranks] = [keys.ranks for keys in self._keys]

    def first(self, limit: int | None = None, after: Sequence[Any] | None = None) -> list[SortedRow]:
        """Rows in order.

        Args:
            limit: at most so many, the first ones.
            after: only rows after these sort values (`search_after`).

        Raises:
            StoreRejected: `after` are no sort values of these fields.
        """
        chosen = np.arange(len(self._rows)) if after is None else np.flatnonzero(self._later(after))
        order = np.lexsort([ranks[chosen] for ranks in reversed(self.ranks)]) if self.ranks else np.arange(len(chosen))
        return [self.sorted_row(place) for place in chosen[order[:limit]].tolist()]

    def sorted_row(self, place: int) -> SortedRow:
        """The row at a place in `rows`."""
        values, key = [], []
        for keys in self._keys:
            value = keys.value(place)
            values.append(keys.printed(value))
            key.append(keys.comparable(value))
        return SortedRow(int(self._rows[place]), values, tuple(key))

    def _later(self, after: Sequence[Any]) -> npt.NDArray[np.bool_]:
        if len(after) != len(self._keys):
            raise StoreRejected(
                f'"search_after" has {len(after)} value(s) but the sort has {len(self._keys)}, so it is refused.'
            )
        later = np.zeros(len(self._rows), dtype=np.bool_)
        for keys, value in reversed(list(zip(self._keys, after, strict=True))):
            rank = keys.rank_of(value)
            later = (keys.ranks > rank) | ((keys.ranks == rank) & later)
        return later
