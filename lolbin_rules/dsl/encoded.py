"""The rows of an index while they are taken: one small number per value, cut into columns at the end.

A number, the *code*, stands for one field and one JSON value (or array of values) of it, and for the typed values that
the field, its sub-fields and the fields it is copied to have of that; or for several such codes that come together
again and again (a *bundle*). A repeated value costs a look-up and no more.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.field import Field, Value, Values
from lolbin_rules.dsl.values import longest_unchanged, read_value, wholes_unchanged

__all__ = ["NOTHING", "EncodedRows", "Leaf", "Taken"]

NOTHING = 0
"""The code of what gives no field a value."""

_CHUNK = 1 << 14
_MOST_REMEMBERED = 4096
"""Values of a field of numbers: most come again at once, or never."""
_NUMBERS = frozenset({"long", "integer", "short", "byte", "date"})
"""Types whose values are whole numbers of 64 bits."""


@dataclass(slots=True, eq=False)
class Leaf:
    """A field as documents have it: what its JSON values are for the columns they go to.

    Attributes:
        fields: the fields that have its values.
        copies: the fields that its values are copied to; nulls are not.
        is_kept: False for a field whose own values are validated and not kept.
        texts: code of each text so far,
        wholes: and of each whole number.
        others: code of each other value so far, by its type and itself; and of arrays.
        unchanged: texts up to this length are the only value of the only field, as they are: `texts` says all of them.
        number_codes: codes of single numbers, where there is one field of whole numbers; and under the same places
        numbers: the numbers.
        codes: all other codes that stand for values, and under the same places
        values: the typed values of each code: one list per field, then one per copy.
    """

    fields: tuple[Field, ...]
    copies: tuple[Field, ...]
    is_kept: bool
    texts: dict[str, int] = field(default_factory=dict)
    wholes: dict[int, int] = field(default_factory=dict)
    others: dict[Any, int] = field(default_factory=dict)
    unchanged: int = field(init=False)
    number_codes: array[int] = field(default_factory=lambda: array("I"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    codes: array[int] = field(default_factory=lambda: array("I"))
    values: list[list[Values]] = field(init=False)
    _is_numbers: bool = field(init=False)
    _wholes_unchanged: range = field(init=False)

    def __post_init__(self) -> None:
        self.values = [[] for _ in (*self.fields, *self.copies)]
        is_single = self.is_kept and len(self.values) == len(self.fields) == 1
        self.unchanged = longest_unchanged(self.fields[0]) if is_single else -1
        self._is_numbers = is_single and self.fields[0].type in _NUMBERS
        self._wholes_unchanged = wholes_unchanged(self.fields[0]) if self._is_numbers else range(0)

    def read(self, raws: Sequence[Any], code: int) -> bool:
        """Keep the typed values of some JSON values under a code, if there are any; whether there are.

        Raises:
            Malformed: one does not fit.
        """
        if raws and self.unchanged >= 0 and all(raw.__class__ is str and len(raw) <= self.unchanged for raw in raws):
            self.codes.append(code)
            self.values[0].append(tuple(raws))  # the tuple itself, if it is one
            return True
        own = [_read(field, raws) for field in self.fields]
        copied = [raw for raw in raws if raw is not None]
        found = [*(own if self.is_kept else [() for _ in own]), *(_read(field, copied) for field in self.copies)]
        if not any(found):
            return False
        self.codes.append(code)
        for known, values in zip(self.values, found, strict=True):
            known.append(values)
        return True

    def read_one(self, raw: Any, code: int) -> bool:
        """As `read`, for one value that is no array."""
        if not self._is_numbers:
            return self.read((raw,), code)
        number = raw if raw.__class__ is int and raw in self._wholes_unchanged else read_value(self.fields[0], raw)
        if number is None:
            return False
        self.number_codes.append(code)
        self.numbers.append(int(number))
        return True

    def remember(self, known: dict[Any, int], raw: Any, code: int) -> None:
        """Remember the code of a value; of numbers, only the latest."""
        if self._is_numbers and len(known) >= _MOST_REMEMBERED:
            known.clear()
        known[raw] = code


def _read(field: Field, raws: Sequence[Any]) -> Values:
    values: list[Value] = []
    for raw in raws:
        value = read_value(field, raw)
        if value is not None:
            values.append(value)
    return tuple(values)


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that were taken.

    Attributes:
        codes: all codes of all rows, in the order written.
        lengths: how many of them each row has.
        known: all codes are below.
        bundles: the codes that a bundle stands for; none of them is a bundle.
    """

    codes: npt.NDArray[np.uint32]
    lengths: npt.NDArray[np.uint32]
    known: int
    bundles: dict[int, tuple[int, ...]]


class EncodedRows:
    """The rows, as codes.

    Attributes:
        size: rows so far.
        pending: codes of the row that is being taken, behind some of earlier rows.
        known: how many codes there are.
    """

    def __init__(self) -> None:
        self.size = 0
        self.known = 1
        self.pending: list[int] = []
        self._bundles: dict[int, tuple[int, ...]] = {}
        self._codes = array("I")
        self._lengths = array("I")
        self._start = 0

    def code(self, leaf: Leaf, raws: Sequence[Any]) -> int:
        """A code for JSON values that the leaf has not seen yet.

        Raises:
            Malformed: one does not fit.
        """
        return self._next() if leaf.read(raws, self.known) else NOTHING

    def code_one(self, leaf: Leaf, known: dict[Any, int], name: Any, raw: Any) -> int:
        """As `code`, for one value that is no array; the leaf remembers it, where it is known by a name."""
        code = self._next() if leaf.read_one(raw, self.known) else NOTHING
        leaf.remember(known, name, code)
        return code

    def code_text(self, leaf: Leaf, text: str) -> int:
        """As `code_one`, for a text."""
        if len(text) > leaf.unchanged:
            return self.code_one(leaf, leaf.texts, text, text)
        code = leaf.texts[text] = self.known
        self.known += 1
        return code

    def bundle(self, codes: Sequence[int]) -> int:
        """One code for several."""
        bundles = self._bundles
        plain = tuple(each for code in codes if code for each in bundles.get(code, (code,)))
        if len(plain) < 2:  # noqa: PLR2004 - is no bundle
            return plain[0] if plain else NOTHING
        code = self._next()
        bundles[code] = plain
        return code

    def _next(self) -> int:
        code = self.known
        self.known += 1
        return code

    def keep_row(self) -> None:
        """The pending codes are a row."""
        end = len(self.pending)
        self._lengths.append(end - self._start)
        self._start = end
        self.size += 1
        if end >= _CHUNK:
            self._codes.extend(self.pending)
            self.pending.clear()
            self._start = 0

    def drop_row(self) -> None:
        """The pending codes are forgotten."""
        del self.pending[self._start :]

    def taken(self) -> Taken:
        """The rows so far."""
        codes = array("I", self._codes)
        codes.extend(self.pending[: self._start])
        return Taken(
            np.frombuffer(codes, np.uint32), np.array(self._lengths, np.uint32), self.known, dict(self._bundles)
        )
