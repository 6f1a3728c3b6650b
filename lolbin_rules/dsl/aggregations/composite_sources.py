"""What the buckets of a `composite` are made of: for each row its values, or the intervals that they are in."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lolbin_rules.dsl.addresses import address_text, parse_address
from lolbin_rules.dsl.aggregations.date_histogram import rounded
from lolbin_rules.dsl.aggregations.field_values import FieldValues, Spread
from lolbin_rules.dsl.aggregations.histogram import numbered, read_interval
from lolbin_rules.dsl.aggregations.kinds import Kind
from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.aggregations.part import Part
from lolbin_rules.dsl.aggregations.rounding import read_rounding
from lolbin_rules.dsl.backwards import Backwards
from lolbin_rules.dsl.column import Places, Rows
from lolbin_rules.dsl.date_printing import date_printer
from lolbin_rules.dsl.dates import parse_date

__all__ = ["Ranked", "Source", "read_source"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Which of some rows have which keys.

    Attributes:
        places: places in the rows, ascending; a row with several keys is there several times.
        ranks: for each place a key, as its place in `keys`.
        keys: distinct keys in the order of the source; None is that of rows without a value.
    """

    places: Places
    ranks: Places
    keys: Sequence[Any]


class Source(abc.ABC):
    """One source.

    Attributes:
        name: its name in the keys of buckets.
    """

    def __init__(self, options: Options, name: str, now_ms: int) -> None:
        options.refuse("missing")
        self._options, self.name = options, name
        self._field = FieldValues(options, now_ms)
        self._is_descending = options.choice("order", ("asc", "desc"), "asc") == "desc"
        self._takes_missing = options.flag("missing_bucket")
        order = options.choice("missing_order", ("default", "first", "last"), "default")
        if order != "default" and not self._takes_missing:
            raise options.refusal('has "missing_order" without "missing_bucket"')
        # By default what is missing is less than everything else.
        self._missing_is_last = self._is_descending if order == "default" else order == "last"
        options.finish(unsupported=("value_type",))

    @abc.abstractmethod
    def shown(self, key: Any) -> Any:
        """A key (not None) as it is answered."""

    @abc.abstractmethod
    def _keys(self, spread: Spread) -> Spread:
        """The keys that values make."""

    @abc.abstractmethod
    def _read(self, shown: Any) -> Any:
        """A key (not None) as it was answered."""

    def ranked(self, part: Part, rows: Rows) -> Ranked:
        """The keys of rows of a part."""
        spread = self._field.spread(part, rows)
        if self._field.is_mixed:
            raise self._options.unsupported(
                f'meets field "{self._field.name}" as different things in different indices'
            )
        spread = self._keys(spread) if spread else Spread(_NOTHING, _NOTHING, [], Kind.TEXT)
        keys = spread.listed()
        ranks = spread.ordinals
        if self._is_descending:
            keys, ranks = keys[::-1], len(keys) - 1 - ranks
        ranked = Ranked(spread.places, ranks, keys)
        return self._with_missing(ranked, len(rows)) if self._takes_missing else ranked

    def sortable(self, key: Any) -> Any:
        """What orders keys of this source; less comes first."""
        if key is None:
            return self._missing_is_last, 0
        return not self._missing_is_last, Backwards(key) if self._is_descending else key

    def read(self, shown: Any) -> Any:
        """A key as it was answered, given back in `after`.

        Raises:
            StoreRejected: it is none.
        """
        if shown is None and self._takes_missing:
            return None
        try:
            return self._read(shown)
        except (KeyError, TypeError, ValueError) as error:
            raise self._options.refusal(f"cannot go on after {shown!r}") from error

    def _with_missing(self, ranked: Ranked, number: int) -> Ranked:
        """The rows without any key have one, None."""
        lacks = np.ones(number, dtype=np.bool_)
        lacks[ranked.places] = False
        missing = np.flatnonzero(lacks)
        places = np.concatenate([ranked.places, missing])
        is_last = self._missing_is_last
        rank = len(ranked.keys) if is_last else 0
        ranks = np.concatenate([ranked.ranks + (not is_last), np.full(len(missing), rank)])
        order = np.argsort(places, kind="stable")
        return Ranked(places[order], ranks[order], [*ranked.keys, None] if is_last else [None, *ranked.keys])


_NOTHING: Places = np.zeros(0, dtype=np.intp)


class _Terms(Source):
    """The values themselves."""

    def __init__(self, options: Options, name: str, now_ms: int) -> None:
        options.refuse("format")
        super().__init__(options, name, now_ms)

    def shown(self, key: Any) -> Any:
        kind = self._field.kind
        return _SHOWS[kind](key) if kind in _SHOWS else key

    def _keys(self, spread: Spread) -> Spread:
        return spread

    def _read(self, shown: Any) -> Any:
        kind = self._field.kind
        if kind is Kind.BOOLEAN:
            return {"true": 1, "false": 0}[str(shown).lower()]
        if kind in (Kind.TEXT, Kind.ADDRESS) and not isinstance(shown, str):
            raise TypeError
        return _READS.get(kind, int)(shown)


_SHOWS: dict[Kind, Callable[[Any], Any]] = {Kind.ADDRESS: address_text, Kind.BOOLEAN: bool, Kind.FRACTION: float}
_READS: dict[Kind, Callable[[Any], Any]] = {Kind.ADDRESS: parse_address, Kind.TEXT: str, Kind.FRACTION: float}


class _Dates(Source):
    """The beginnings of the intervals that dates are in."""

    def __init__(self, options: Options, name: str, now_ms: int) -> None:
        self._has_format = options.has("format")
        self._rounding = read_rounding(options)
        super().__init__(options, name, now_ms)

    def shown(self, key: Any) -> Any:
        if not self._has_format:
            return key
        text = date_printer(self._field.formats, self._rounding.zone)(key)
        if self._parsed(text) != key:
            raise self._options.refusal(f'has a "format" in which {key} is {text}, after which it could not go on')
        return text

    def _keys(self, spread: Spread) -> Spread:
        if spread.kind is not Kind.DATE:
            what = f'asks for field "{self._field.name}", a field of {spread.kind.value}s'
            raise self._options.unsupported(what) if spread.kind.is_number else self._options.refusal(what)
        return rounded(spread, self._rounding)

    def _read(self, shown: Any) -> Any:
        return self._parsed(shown) if self._has_format and isinstance(shown, str) else int(shown)

    def _parsed(self, text: str) -> int:
        return parse_date(text, self._field.formats.split("||"), zone=self._rounding.zone)


class _Numbers(Source):
    """The beginnings of the intervals that numbers are in."""

    def __init__(self, options: Options, name: str, now_ms: int) -> None:
        options.refuse("format")
        self._interval = read_interval(options)
        super().__init__(options, name, now_ms)

    def shown(self, key: Any) -> Any:
        return float(key)

    def _keys(self, spread: Spread) -> Spread:
        if spread.kind not in (Kind.WHOLE, Kind.FRACTION):
            what = f'asks for field "{self._field.name}", a field of {spread.kind.value}s'
            raise self._options.unsupported(what) if spread.kind.is_number else self._options.refusal(what)
        found = numbered(spread, self._interval, 0.0)
        return Spread(found.places, found.ordinals, np.asarray(found.values) * self._interval, found.kind)

    def _read(self, shown: Any) -> Any:
        return float(shown)


_TYPES: Mapping[str, type[Source]] = {"terms": _Terms, "date_histogram": _Dates, "histogram": _Numbers}


def read_source(options: Options, asked: Any, now_ms: int) -> Source:
    """One source of a composite.

    Args:
        options: of the composite.
        asked: `{name: {type: {...}}}`.
        now_ms: the time that `now` means.

    Raises:
        StoreRejected, Unsupported: it cannot be.
    """
    if not isinstance(asked, Mapping) or len(asked) != 1:
        raise options.refusal(f'has {asked!r} in "sources", where one name belongs')
    ((name, body),) = asked.items()
    if not isinstance(body, Mapping) or len(body) != 1:
        raise options.refusal(f'has a source "{name}" that is not of one type')
    ((kind, inner),) = body.items()
    if kind == "geotile_grid":
        raise options.unsupported(f'has the source "{name}" of type {kind}')
    if kind not in _TYPES:
        raise options.refusal(f'has the source "{name}" of the unknown type "{kind}"')
    return _TYPES[kind](Options(f'source "{name}" of the {options.where}', inner), name, now_ms)
