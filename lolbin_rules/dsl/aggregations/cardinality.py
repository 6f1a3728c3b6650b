"""How many distinct values there are, exactly: Elasticsearch estimates beyond `precision_threshold`, this does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.aggregations.aggregator import Aggregator, Asked, Measure
from lolbin_rules.dsl.aggregations.field_values import FieldValues, Spread
from lolbin_rules.dsl.aggregations.kinds import Kind
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.field import Value

__all__ = ["Cardinality"]

_Pairs = npt.NDArray[np.int64]
"""Two rows: owners, and what stands for values."""


class Cardinality(Aggregator):
    """`cardinality`."""

    def __init__(self, asked: Asked) -> None:
        self._field = FieldValues(asked.options, asked.now_ms)
        asked.options.ignore("precision_threshold", "rehash", "execution_hint")
        asked.options.finish()
        self._numbers: dict[Kind, dict[Value, int]] = {Kind.TEXT: {}, Kind.ADDRESS: {}}
        self._pairs: dict[Kind, _Pairs] = {}
        self._counts: dict[int, int] | None = None

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows)
        if spread is None or not len(spread.places):
            return
        kind = Kind.WHOLE if spread.kind in (Kind.BOOLEAN, Kind.DATE) else spread.kind
        values = self._standing_for(spread, kind)
        new = np.array([owners[spread.places], values[spread.ordinals]], dtype=np.int64)
        self._pairs[kind] = _distinct(np.concatenate([self._pairs.get(kind, new[:, :0]), _distinct(new)], axis=1))
        self._counts = None

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        return {"value": self._count(owner)}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return self._count if name in (None, "value") else None

    def _count(self, owner: int) -> int:
        if self._counts is None:
            self._counts = {}
            for pairs in self._pairs.values():
                for each, count in zip(
                    *(found.tolist() for found in np.unique(pairs[0], return_counts=True)), strict=True
                ):
                    self._counts[each] = self._counts.get(each, 0) + count
        return self._counts.get(owner, 0)

    def _standing_for(self, spread: Spread, kind: Kind) -> npt.NDArray[np.int64]:
        """For each value a number of 64 bits: itself or its bits, or in what place it was met."""
        if kind is Kind.WHOLE:
            return np.asarray(spread.values, dtype=np.int64)
        if kind is Kind.FRACTION:
            return np.asarray(spread.values, dtype=np.float64).view(np.int64)
        known = self._numbers[kind]
        return np.array([known.setdefault(value, len(known)) for value in spread.listed()], dtype=np.int64)


def _distinct(pairs: _Pairs) -> _Pairs:
    """Each pair once."""
    ordered = pairs[:, np.lexsort(pairs[::-1])]
    is_new = np.ones(ordered.shape[1], dtype=np.bool_)
    is_new[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    return ordered[:, is_new]
