"""What single sort fields order rows by, and the sort values that Elasticsearch shows for them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.addresses import address_text, parse_address
from lolbin_rules.dsl.backwards import Backwards
from lolbin_rules.dsl.column import ABSENT, Codes, Column, Numbers, Rows
from lolbin_rules.dsl.date_printing import date_printer
from lolbin_rules.dsl.dates import DEFAULT_FORMATS, parse_date
from lolbin_rules.dsl.field import Field, Value, Values
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.segment import Segment
from lolbin_rules.dsl.sort_fields import SortField, sorted_field
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["NumberKeys", "Ranks", "TextKeys", "keys_of"]

Ranks: TypeAlias = npt.NDArray[Any]
"""One number per row; less comes earlier."""

_LONG, _INT = (-(2**63), 2**63 - 1), (-(2**31), 2**31 - 1)
_FRACTIONS = {"double", "float", "half_float"}
_NS_OF_MS = 1_000_000


def keys_of(sort: SortField, mapping: IndexMapping, segment: Segment, rows: Rows) -> NumberKeys | TextKeys:
    """What one sort field orders these rows by.

    Raises:
        StoreRejected, Unsupported: rows of this index cannot be ordered by it.
    """
    field = sorted_field(sort, mapping)
    kind = {"_seq_no": "long", "_index": "keyword"}.get(sort.name) or (field.type if field else str(sort.unmapped_type))
    column = segment.column(field.name) if field else None
    if column is None and sort.name.startswith("_"):
        raise Unsupported(f'Sorting by "{sort.name}" is not supported here, for its values are not at hand.')
    if kind in ("keyword", "wildcard", "constant_keyword", "ip"):
        if sort.numeric_type:
            raise StoreRejected(f'"numeric_type" is given for field "{sort.name}" of type {kind}, so it is refused.')
        return TextKeys(sort, kind, column, rows)
    if sort.numeric_type and kind not in ("date", "date_nanos"):
        raise Unsupported(f'"numeric_type" for field "{sort.name}" of type {kind} is not supported.')
    if sort.format and kind != "date":
        raise Unsupported(f'"format" for field "{sort.name}" of type {kind} is not supported in sorts.')
    return NumberKeys(sort, sort.numeric_type or kind, field, column, rows)


class NumberKeys:
    """Numbers, dates and booleans of rows. Rows without one have the number that Elasticsearch gives them."""

    def __init__(self, sort: SortField, kind: str, field: Field | None, column: Column | None, rows: Rows) -> None:
        self._sort, self._kind = sort, kind
        self._formats = (sort.format,) if sort.format else (field.formats if field else DEFAULT_FORMATS)
        absent = _missing_number(sort, kind)
        if column is None:
            self._values = np.full(len(rows), absent)
        else:
            convert = _conversion(field, kind)
            self._values = _picked(column, rows, _pick(sort), convert, absent)
        self.ranks: Ranks = self._turned(self._values)
        self._print = _number_printer(sort, kind)

    def value(self, place: int) -> Any:
        """What counts of the row at a place."""
        return self._values[place].item()

    def printed(self, value: Any) -> Any:
        """The sort value that is shown for it."""
        return self._print(value)

    def comparable(self, value: Any) -> Any:
        """What compares with that of rows of other segments; less comes earlier."""
        return -value if self._sort.is_descending else value

    def rank_of(self, value: Any) -> Any:
        """The rank that rows with a value of `search_after` would have."""
        return self._turned(np.array(self._read(value), dtype=self._values.dtype))

    def _turned(self, values: Any) -> Any:
        if not self._sort.is_descending:
            return values
        return -values if self._kind in _FRACTIONS else ~values  # the least whole number has no opposite

    def _read(self, value: Any) -> int | float:
        """A value of `search_after`."""
        try:
            if self._kind == "boolean" and str(value).lower() in ("true", "false"):
                return int(str(value).lower() == "true")
            if self._kind in ("date", "date_nanos") and isinstance(value, str):
                return self._date(value)
            plain: Any = None if isinstance(value, bool) else value  # None is no number either
            number = plain if isinstance(plain, int) and self._kind not in _FRACTIONS else float(plain)
            return _narrowed(number, self._kind) if self._kind in _FRACTIONS else int(number)
        except (TypeError, ValueError, OverflowError) as error:
            raise StoreRejected(
                f'"search_after" has {value!r} for field "{self._sort.name}" of type {self._kind}, so it is refused. '
                f"Give the sort values of a hit."
            ) from error

    def _date(self, text: str) -> int:
        if text.lstrip("+-").isdigit():
            return int(text)
        if self._kind == "date_nanos":
            raise Unsupported(
                f'"search_after" has the text "{text}" for field "{self._sort.name}" of type date_nanos; '
                f"the embedded store takes nanoseconds since 1970 there."
            )
        return parse_date(text, self._formats)


class TextKeys:
    """Texts and addresses of rows; None where there is none."""

    def __init__(self, sort: SortField, kind: str, column: Column | None, rows: Rows) -> None:
        self._sort, self._kind = sort, kind
        filler = _missing_text(sort, kind)
        codes = np.zeros(len(rows), np.uint8) if column is None else column.codes[rows]
        pick = _pick(sort)
        picked = {code: pick(column.dictionary[code]) for code in _used(codes)} if column else {}
        picked |= {} if filler is None else {ABSENT: filler}
        self._distinct = sorted(set(picked.values()))
        table = np.full(max(picked, default=0) + 1, self._rank_of_none())
        for code, value in picked.items():
            table[code] = 2 * bisect_left(self._distinct, value)
        self._ranks = table[codes]
        self.ranks: Ranks = self._turned(self._ranks)

    def value(self, place: int) -> Any:
        """What counts of the row at a place; None if it has nothing."""
        rank = int(self._ranks[place])
        return self._distinct[rank // 2] if 0 <= rank < 2 * len(self._distinct) else None

    def printed(self, value: Any) -> Any:
        """The sort value that is shown for it."""
        return address_text(value) if self._kind == "ip" and value is not None else value

    def comparable(self, value: Any) -> Any:
        """What compares with that of rows of other segments; less comes earlier."""
        is_late = (value is None) == (self._sort.missing != "_first")
        if value is None:
            return is_late, 0
        return is_late, Backwards(value) if self._sort.is_descending else value

    def rank_of(self, value: Any) -> int:
        """The rank that rows with a value of `search_after` would have, or one between those of its neighbours."""
        if value is None:
            return int(self._turned(self._rank_of_none()))
        read = self._read(value)
        place = bisect_left(self._distinct, read)
        is_there = place < len(self._distinct) and self._distinct[place] == read
        return int(self._turned(2 * place - (not is_there)))

    def _turned(self, ranks: Any) -> Any:
        return -ranks if self._sort.is_descending else ranks

    def _rank_of_none(self) -> int:
        is_last = self._sort.missing != "_first"
        return 2 * len(self._distinct) if is_last != self._sort.is_descending else -2

    def _read(self, value: Any) -> Any:
        if isinstance(value, list | dict):
            raise StoreRejected(f'"search_after" has {value!r} for field "{self._sort.name}", so it is refused.')
        text = value if isinstance(value, str) else str(value).lower()
        try:
            return parse_address(text) if self._kind == "ip" else text
        except ValueError as error:
            raise StoreRejected(f'"search_after" has "{text}", which is no address, so it is refused.') from error


def _pick(sort: SortField) -> Callable[[Values], Value]:
    """What chooses the value that counts."""
    return max if (sort.mode == "max" if sort.mode else sort.is_descending) else min


def _used(codes: Codes) -> list[int]:
    """The codes above 0 that occur."""
    used: list[int] = np.unique(codes).tolist()
    return [code for code in used if code != ABSENT]


def _picked(
    column: Column, rows: Rows, pick: Callable[[Values], Value], convert: Callable[[Any], Any], absent: float
) -> npt.NDArray[Any]:
    """The number of each row that counts."""
    codes = column.codes[rows]
    if isinstance(column.dictionary, Numbers):
        table = np.concatenate([np.array([absent]), convert(column.dictionary.numbers)])
        return table[codes]
    table = np.full(len(column.dictionary), absent)
    for code in _used(codes):
        table[code] = pick(tuple(convert(value) for value in column.dictionary[code]))
    return table[codes]


def _conversion(field: Field | None, kind: str) -> Callable[[Any], Any]:
    """From a number as its field's type has it to one of the kind sorted by."""
    stored = field.type if field else kind
    if (stored, kind) == ("date_nanos", "date"):
        return lambda numbers: numbers // _NS_OF_MS
    return _nanoseconds if (stored, kind) == ("date", "date_nanos") else lambda numbers: numbers


def _nanoseconds(numbers: Any) -> Any:
    if np.size(numbers) and (np.min(numbers) < 0 or np.max(numbers) > _LONG[1] // _NS_OF_MS):
        raise StoreRejected(
            "A date before 1970 or after 2262 cannot be nanoseconds, so the sort is refused. "
            'Use the "numeric_type" date.'
        )
    return numbers * _NS_OF_MS


def _missing_number(sort: SortField, kind: str) -> float:
    """What rows without a value are taken to have, as a node shows it in sort values."""
    is_greatest = (sort.missing == "_last") != sort.is_descending
    if sort.missing not in ("_last", "_first"):
        try:
            given: Any = None if isinstance(sort.missing, bool) else sort.missing  # None is no number either
            return _narrowed(float(given), kind) if kind in _FRACTIONS else int(given)
        except (TypeError, ValueError) as error:
            raise StoreRejected(
                f'"missing" of the sort by "{sort.name}" is {sort.missing!r}, which is no number, so it is refused.'
            ) from error
    if kind in _FRACTIONS:
        return float("inf") if is_greatest else float("-inf")
    least, greatest = _INT if kind in ("integer", "short", "byte") else _LONG
    return greatest if is_greatest else 0 if kind == "date_nanos" else least


def _narrowed(number: float, kind: str) -> float:
    """A number as a field of this type has it."""
    return number if kind == "double" else float(np.float32(number))


def _missing_text(sort: SortField, kind: str) -> str | None:
    if sort.missing in ("_last", "_first"):
        return None
    if kind == "ip":
        raise StoreRejected(f'A value for "missing" in the sort by "{sort.name}" of type ip is refused.')
    return sort.missing if isinstance(sort.missing, str) else str(sort.missing).lower()


def _number_printer(sort: SortField, kind: str) -> Callable[[Any], Any]:
    if sort.format:
        return date_printer(sort.format)
    if kind in ("float", "half_float"):  # in as few digits as tell it from other floats
        return lambda number: float(str(np.float32(number))) if np.isfinite(number) else _infinite(number)
    return lambda number: _infinite(number) if number in (float("inf"), float("-inf")) else number


def _infinite(number: float) -> str:
    return "Infinity" if number > 0 else "-Infinity"
