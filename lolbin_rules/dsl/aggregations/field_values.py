"""The values of one field, part by part, as aggregations need them: numbered in order, with the rows that have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.addresses import parse_address
from lolbin_rules.dsl.aggregations.kinds import KIND_OF_TYPE, Kind
from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.aggregations.part import Part
from lolbin_rules.dsl.column import ABSENT, Column, Numbers, Places, Rows
from lolbin_rules.dsl.dates import DEFAULT_FORMATS, date_math
from lolbin_rules.dsl.field import Field, Value, Values
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.values import json_text

__all__ = ["FieldValues", "Spread"]

_NS_OF_MS = 1_000_000
_TEXTS = ("text", "match_only_text")


@dataclass(frozen=True, slots=True)
class Spread:
    """Which of some rows have which values; a row with several values is there several times.

    Attributes:
        places: places in the rows, ascending.
        ordinals: for each place a value, as its place in `values`.
        values: distinct values, ascending.
        kind: what the values are.
    """

    places: Places
    ordinals: Places
    values: Sequence[Value] | npt.NDArray[Any]
    kind: Kind

    def listed(self) -> list[Value]:
        """The values as Python objects."""
        return self.values.tolist() if isinstance(self.values, np.ndarray) else list(self.values)

    def without_repeats(self) -> Spread:
        """The same, where a row that has an ordinal twice has it once."""
        if not (self.places[1:] == self.places[:-1]).any():
            return self
        number = max(len(self.values), 1)
        joined = np.unique(self.places * number + self.ordinals)
        return Spread(joined // number, joined % number, self.values, self.kind)


class FieldValues:
    """The field that an aggregation is about.

    Attributes:
        name: of the field.
        formats: the date formats of the first index that has it, or those asked for.
    """

    def __init__(self, options: Options, now_ms: int, unmapped: Kind = Kind.TEXT) -> None:
        """Take `field`, `missing` and `format` of the options.

        Args:
            options: those of the aggregation.
            now_ms: the time that `now` means.
            unmapped: what `missing` is in indices that do not have the field.
        """
        self._options, self._now_ms, self._unmapped = options, now_ms, unmapped
        self.name = options.field()
        self._missing = options.take("missing")
        self._format = options.text("format")
        self._kinds: set[Kind] = set()
        self.formats = self._format or "||".join(DEFAULT_FORMATS)
        self._has_formats = self._format is not None

    @property
    def is_mixed(self) -> bool:
        """Whether it is different things in different indices."""
        return len(self._kinds) > 1

    @property
    def kind(self) -> Kind:
        """What its values are in all indices seen so far; plain numbers if none has it.

        Raises:
            Unsupported: they differ in a way that cannot be put into one order.
        """
        if self.is_mixed and self._kinds != {Kind.WHOLE, Kind.FRACTION}:
            kinds = ", ".join(sorted(kind.value for kind in self._kinds))
            raise self._options.unsupported(f'meets field "{self.name}" as different things ({kinds})')
        return Kind.FRACTION if Kind.FRACTION in self._kinds else next(iter(self._kinds), Kind.WHOLE)

    def spread(self, part: Part, rows: Rows, *, keeps_repeats: bool = False) -> Spread | None:
        """The values of rows of a part.

        Args:
            part: where the rows are.
            rows: which rows; they may repeat and need not ascend.
            keeps_repeats: a number that a document has twice is there twice. Texts and addresses never are.

        Returns:
            None if the index does not have the field and nothing stands for what is missing.

        Raises:
            StoreRejected: Elasticsearch refuses to aggregate this field.
            Unsupported: it cannot be done exactly.
        """
        field = aggregated_field(self._options, self.name, part.mapping)
        kind = self._unmapped if field is None else KIND_OF_TYPE[field.type]
        filler = None if self._missing is None else self.read(self._missing, kind, field.formats if field else ())
        if field is None:
            return None if filler is None else self._of_unmapped(rows, filler)
        self._learn(field, Kind.FRACTION if isinstance(filler, float) else kind)
        column = _column(self._options, field, part)
        reader = _Reader(column, rows, _conversion(field), keeps_repeats=keeps_repeats and kind.is_number)
        return reader.spread(filler, kind)

    def _of_unmapped(self, rows: Rows, filler: Value) -> Spread:
        self._kinds.add(self._unmapped)
        return Spread(np.arange(len(rows)), np.zeros(len(rows), np.intp), [filler], self._unmapped)

    def everything(self, part: Part) -> list[Value]:
        """Every value in the segment of a part, of all its rows."""
        spread = self.spread(part, np.arange(part.segment.size, dtype=np.uint32))
        return spread.listed() if spread else []

    def read(self, value: Any, kind: Kind, formats: Sequence[str] = ()) -> Value:
        """A value of a request, such as `missing`, as one of the field.

        Raises:
            StoreRejected: it is none.
        """
        text = value if isinstance(value, str) else json_text(value)
        try:
            return _READERS[kind](text) if kind is not Kind.DATE else self._date(text, formats)
        except (ValueError, OverflowError) as error:
            raise self._options.refusal(f'has {value!r}, which is no {kind.value} as field "{self.name}"') from error

    def _date(self, text: str, formats: Sequence[str]) -> int:
        return date_math(text, tuple(formats) or DEFAULT_FORMATS, now_ms=self._now_ms)

    def _learn(self, field: Field, kind: Kind) -> None:
        self._kinds.add(kind)
        if self._format and kind is not Kind.DATE:
            if kind.is_number:
                raise self._options.unsupported(f'has a "format" for field "{self.name}", which is no date')
            raise self._options.refusal(f'has a "format" for field "{self.name}" of type {field.type}')
        if field.formats and not self._has_formats:
            self.formats, self._has_formats = "||".join(field.formats), True


class _Reader:
    """The column of a field and the rows of it that are asked for."""

    def __init__(
        self, column: Column, rows: Rows, convert: Callable[[Any], Any] | None, *, keeps_repeats: bool
    ) -> None:
        self._codes = column.codes[rows]
        self._dictionary, self._convert, self._keeps_repeats = column.dictionary, convert, keeps_repeats
        seen = np.zeros(len(column.dictionary), dtype=np.bool_)
        seen[self._codes] = True
        seen[ABSENT] = False
        self._used = np.flatnonzero(seen)

    def spread(self, filler: Value | None, kind: Kind) -> Spread:
        if isinstance(self._dictionary, Numbers) and filler is None:
            numbers: npt.NDArray[Any] = self._dictionary.numbers[self._used - 1]
            values, ordinals = (numbers, np.arange(len(numbers)))
            if self._convert:
                values, ordinals = np.unique(self._convert(numbers), return_inverse=True)
            return self._of_singles(values, ordinals, kind)
        entries = [self._entry(self._dictionary[code]) for code in self._used.tolist()]
        listed = sorted({value for entry in entries for value in entry} | (set() if filler is None else {filler}))
        places = {value: place for place, value in enumerate(listed)}
        entries.insert(0, () if filler is None else (filler,))
        self._used = np.concatenate([np.array([ABSENT]), self._used])
        if all(len(entry) == 1 for entry in entries[1:]):
            ordinals = np.array([places[entry[0]] if entry else -1 for entry in entries])
            return self._of_singles(listed, ordinals, kind)
        return self._of_several(listed, [[places[value] for value in entry] for entry in entries], kind)

    def _entry(self, values: Values) -> Values:
        if self._convert:
            values = tuple(self._convert(value) for value in values)
        return values if len(values) == 1 else tuple(sorted(values if self._keeps_repeats else set(values)))

    def _of_singles(self, values: Any, ordinals: Places, kind: Kind) -> Spread:
        """Rows with one value at most: for each used code an ordinal, -1 for none."""
        table = np.full(len(self._dictionary), -1, dtype=np.intp)
        table[self._used] = ordinals
        of_rows = table[self._codes]
        places = np.flatnonzero(of_rows >= 0)
        return Spread(places, of_rows[places], values, kind)

    def _of_several(self, values: Any, ordinals: list[list[int]], kind: Kind) -> Spread:
        """Rows with any number of values: for each used code its ordinals."""
        counts = np.array([len(each) for each in ordinals])
        flat = np.array([ordinal for each in ordinals for ordinal in each], dtype=np.intp)
        table = np.zeros(len(self._dictionary), dtype=np.intp)
        table[self._used] = np.arange(len(self._used))
        entries = table[self._codes]
        of_rows = counts[entries]
        places = np.repeat(np.arange(len(entries)), of_rows)
        within = np.arange(len(places)) - np.repeat(of_rows.cumsum() - of_rows, of_rows)
        starts = (counts.cumsum() - counts)[entries]
        return Spread(places, flat[np.repeat(starts, of_rows) + within], values, kind)


def aggregated_field(options: Options, name: str, mapping: IndexMapping) -> Field | None:
    """The field of an index that is to be aggregated; None if the index does not have it.

    Raises:
        StoreRejected: it keeps no values for aggregations.
        Unsupported: its type is not aggregated here.
    """
    field = mapping.field(name)
    if field is None:
        return None
    is_known = field.type in KIND_OF_TYPE
    if field.type in _TEXTS or name == "_id" or (is_known and not field.has_doc_values):
        raise options.refusal(f'asks for field "{name}" of type {field.type}, which keeps no values for aggregations')
    if not is_known:
        raise options.unsupported(f'asks for field "{name}" of type {field.type}')
    return field


def _column(options: Options, field: Field, part: Part) -> Column:
    """The column of a field; one without values where no row has any."""
    constant = part.index if field.name == "_index" else field.constant
    if constant:
        return Column(np.ones(part.segment.size, np.uint8), [(), (constant,)])
    column = part.segment.column(field.name)
    if column is None and field.name.startswith("_"):
        raise options.unsupported(f'asks for field "{field.name}", which is not at hand')
    return column or Column(np.zeros(part.segment.size, np.uint8), [()])


def _conversion(field: Field) -> Callable[[Any], Any] | None:
    """Nanoseconds are aggregated as milliseconds."""
    return (lambda number: number // _NS_OF_MS) if field.type == "date_nanos" else None


def _boolean(text: str) -> int:
    known = {"true": 1, "1": 1, "false": 0, "0": 0}
    if text not in known:
        raise ValueError(text)
    return known[text]


def _whole(text: str) -> int | float:
    """A whole number; a fraction stays one and makes all values fractions."""
    number = float(text)
    return int(text) if number == int(number) and text.lstrip("+-").isdigit() else number


_READERS: dict[Kind, Callable[[str], Value]] = {
    Kind.TEXT: str,
    Kind.ADDRESS: parse_address,
    Kind.WHOLE: _whole,
    Kind.FRACTION: float,
    Kind.BOOLEAN: _boolean,
}
