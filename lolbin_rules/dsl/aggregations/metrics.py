"""Numbers about the values of a field: min, max, sum, avg, stats, value_count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.aggregations.aggregator import Aggregator, Asked, Measure
from lolbin_rules.dsl.aggregations.field_values import FieldValues
from lolbin_rules.dsl.aggregations.kinds import Kind, text_of_number
from lolbin_rules.dsl.aggregations.part import Owners, Part
from lolbin_rules.dsl.column import Rows

__all__ = ["Average", "Maximum", "Minimum", "Stats", "Sum", "ValueCount"]

_EXACT = 2.0**53
"""Up to here sums of whole numbers have no rounding errors, whatever the order of adding."""


@dataclass(slots=True)
class _Summary:
    """What is known of the numbers in one bucket."""

    count: int = 0
    least: float = math.inf
    greatest: float = -math.inf
    sum: float = 0.0
    lost: float = 0.0
    """What rounding has cut off the sum so far."""

    def add(self, number: float) -> None:
        """Add to the sum; Elasticsearch compensates for rounding errors in the same way (Kahan)."""
        corrected = number + self.lost
        total = self.sum + corrected
        self.lost = corrected - (total - self.sum)
        self.sum = total

    @property
    def average(self) -> float:
        """The average; NaN where there are no numbers."""
        return self.sum / self.count if self.count else math.nan


class _Metric(Aggregator):
    """What metrics of numbers have in common: summaries of all buckets."""

    def __init__(self, asked: Asked) -> None:
        self._options = asked.options
        self._field = FieldValues(asked.options, asked.now_ms, Kind.FRACTION)
        asked.options.finish()
        self._summaries: dict[int, _Summary] = {}

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows, keeps_repeats=True)
        if spread is None:
            return
        if not spread.kind.is_number:
            raise self._options.refusal(
                f'cannot be made of field "{self._field.name}", a field of {spread.kind.value}s'
            )
        numbers = np.asarray(spread.values, dtype=np.float64)[spread.ordinals]
        owners = owners[spread.places]
        order = np.argsort(owners, kind="stable")
        distinct, starts = np.unique(owners[order], return_index=True)
        for owner, piece in zip(distinct.tolist(), np.split(numbers[order], starts[1:]), strict=False):
            self._take(self._summaries.setdefault(owner, _Summary()), piece)

    def _take(self, summary: _Summary, numbers: npt.NDArray[np.float64]) -> None:
        summary.count += len(numbers)
        summary.least = min(summary.least, float(numbers.min()))
        summary.greatest = max(summary.greatest, float(numbers.max()))
        self._sum_up(summary, numbers)

    def _sum_up(self, summary: _Summary, numbers: npt.NDArray[np.float64]) -> None:
        is_whole = bool((numbers == np.rint(numbers)).all())
        if is_whole and float(np.abs(numbers).sum()) + abs(summary.sum) < _EXACT:
            summary.add(float(numbers.sum()))
        else:
            for number in numbers.tolist():
                summary.add(number)

    def _of(self, owner: int) -> _Summary:
        return self._summaries.get(owner, _Summary())

    def _shown(self, number: float) -> dict[str, Any]:
        as_text = text_of_number(self._field.kind, self._field.formats)
        return {"value": number, **({"value_as_string": as_text(number)} if as_text else {})}


class Minimum(_Metric):
    """`min`."""

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        summary = self._of(owner)
        return self._shown(summary.least) if summary.count else {"value": None}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return (lambda owner: self._of(owner).least) if name in (None, "value") else None


class Maximum(_Metric):
    """`max`."""

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        summary = self._of(owner)
        return self._shown(summary.greatest) if summary.count else {"value": None}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return (lambda owner: self._of(owner).greatest) if name in (None, "value") else None


class Sum(_Metric):
    """`sum`."""

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        return self._shown(self._of(owner).sum)

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return (lambda owner: self._of(owner).sum) if name in (None, "value") else None


class Average(_Metric):
    """`avg`."""

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        summary = self._of(owner)
        return self._shown(summary.average) if summary.count else {"value": None}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return (lambda owner: self._of(owner).average) if name in (None, "value") else None


class Stats(_Metric):
    """`stats`."""

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        summary = self._of(owner)
        if not summary.count:
            return {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
        numbers = {
            "min": summary.least,
            "max": summary.greatest,
            "avg": summary.average,
            "sum": summary.sum,
        }
        texts = {
            f"{name}_as_string": text for name, number in numbers.items() if (text := self._text(number)) is not None
        }
        return {"count": summary.count, **numbers, **texts}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        measures: dict[str | None, Measure] = {
            "count": lambda owner: self._of(owner).count,
            "min": lambda owner: self._of(owner).least,
            "max": lambda owner: self._of(owner).greatest,
            "avg": lambda owner: self._of(owner).average,
            "sum": lambda owner: self._of(owner).sum,
        }
        return measures.get(name)

    def _text(self, number: float) -> Any:
        """The number as text; a boolean as JSON has it, for that is what a node answers here and nowhere else."""
        if self._field.kind is Kind.BOOLEAN:
            return bool(number)
        as_text = text_of_number(self._field.kind, self._field.formats)
        return as_text(number) if as_text else None


class ValueCount(Aggregator):
    """`value_count`: how many values there are; texts and addresses that a document repeats count once for it."""

    def __init__(self, asked: Asked) -> None:
        self._field = FieldValues(asked.options, asked.now_ms)
        asked.options.finish()
        self._counts: dict[int, int] = {}

    def collect(self, part: Part, rows: Rows, owners: Owners) -> None:
        """See `Aggregator.collect`."""
        spread = self._field.spread(part, rows, keeps_repeats=True)
        if spread is not None:
            distinct, counts = np.unique(owners[spread.places], return_counts=True)
            for owner, count in zip(distinct.tolist(), counts.tolist(), strict=True):
                self._counts[owner] = self._counts.get(owner, 0) + count

    def answer(self, owner: int) -> dict[str, Any]:
        """See `Aggregator.answer`."""
        return {"value": self._counts.get(owner, 0)}

    def measure(self, name: str | None) -> Measure | None:
        """See `Aggregator.measure`."""
        return (lambda owner: self._counts.get(owner, 0)) if name in (None, "value") else None
