"""The rows of an index while they are taken: one small number per value, cut into columns at the end.

A number, the *code*, stands for one field and one JSON value (or array of values) of it, and for the typed values that
the field, its sub-fields and the fields it is copied to have of that. A repeated value costs a look-up and no more.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.column import ABSENT, Column, code_type, told_apart
from lolbin_rules.dsl.field import Field, Value, Values
from lolbin_rules.dsl.values import longest_unchanged, read_value

__all__ = ["NOTHING", "EncodedRows", "Leaf"]

NOTHING = 0
"""The code of what gives no field a value."""

_CHUNK = 1 << 16
_Numbers: TypeAlias = npt.NDArray[np.uint32]


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
        codes: its codes that stand for values, and under the same places
        values: the typed values of each code: one list per field, then one per copy.
    """

    fields: tuple[Field, ...]
    copies: tuple[Field, ...]
    is_kept: bool
    texts: dict[str, int] = field(default_factory=dict)
    wholes: dict[int, int] = field(default_factory=dict)
    others: dict[Any, int] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    values: list[list[Values]] = field(init=False)
    _unchanged: int = field(init=False)

    def __post_init__(self) -> None:
        self.values = [[] for _ in (*self.fields, *self.copies)]
        is_single = self.is_kept and len(self.values) == len(self.fields) == 1
        self._unchanged = longest_unchanged(self.fields[0]) if is_single else -1

    def read_text(self, text: str) -> bool:
        """As `read`, for one text."""
        if len(text) > self._unchanged:
            return self.read((text,))
        self.values[0].append((text,))
        return True

    def read(self, raws: Sequence[Any]) -> bool:
        """Keep the typed values of some JSON values, if there are any; whether there are.

        Raises:
            Malformed: one does not fit.
        """
        own = [_read(field, raws) for field in self.fields]
        copied = [raw for raw in raws if raw is not None]
        found = [*(own if self.is_kept else [() for _ in own]), *(_read(field, copied) for field in self.copies)]
        if not any(found):
            return False
        for known, values in zip(self.values, found, strict=True):
            known.append(values)
        return True


def _read(field: Field, raws: Sequence[Any]) -> Values:
    values: list[Value] = []
    for raw in raws:
        value = read_value(field, raw)
        if value is not None:
            values.append(value)
    return tuple(values)


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
        self._chunks: list[_Numbers] = []
        self._lengths: list[int] = []
        self._start = 0

    def code(self, leaf: Leaf, raws: Sequence[Any]) -> int:
        """A code for JSON values that the leaf has not seen yet.

        Raises:
            Malformed: one does not fit.
        """
        return self._next(leaf) if leaf.read(raws) else NOTHING

    def code_text(self, leaf: Leaf, text: str) -> int:
        """As `code`, for one text; the leaf remembers it."""
        code = leaf.texts[text] = self._next(leaf) if leaf.read_text(text) else NOTHING
        return code

    def _next(self, leaf: Leaf) -> int:
        code = self.known
        self.known += 1
        leaf.codes.append(code)
        return code

    def keep_row(self) -> None:
        """The pending codes are a row."""
        self._lengths.append(len(self.pending) - self._start)
        self.size += 1
        if len(self.pending) >= _CHUNK:
            self._chunks.append(np.frombuffer(array("I", self.pending), np.uintc))
            self.pending.clear()
        self._start = len(self.pending)

    def drop_row(self) -> None:
        """The pending codes are forgotten."""
        del self.pending[self._start :]

    def columns(self, leaves: Sequence[Leaf]) -> dict[str, Column]:
        """The columns of the fields that any row has values in."""
        codes = np.concatenate([*self._chunks, np.array(self.pending[: self._start], np.uint32)])
        rows = np.repeat(np.arange(self.size, dtype=np.uint32), np.array(self._lengths, np.int64))
        # Numbers of sixteen bits are sorted by their digits, several times faster than longer ones.
        owners = np.full(self.known, len(leaves), np.uint16 if len(leaves) < 1 << 16 else np.uint32)
        for number, leaf in enumerate(leaves):
            owners[leaf.codes] = number
        # Codes of one leaf side by side, in the order of rows.
        owned = owners[codes]
        order = np.argsort(owned, kind="stable")
        limits = np.searchsorted(owned[order], np.arange(len(leaves) + 1))
        parts: dict[str, list[_Part]] = {}
        for number, leaf in enumerate(leaves):
            mine = order[limits[number] : limits[number + 1]]
            if len(mine):
                for place, target in enumerate((*leaf.fields, *leaf.copies)):
                    parts.setdefault(target.name, []).append(_Part(leaf, place, mine))
        cells = _Cells(self.size, self.known, codes, rows)
        columns = {name: cells.column(found) for name, found in parts.items()}
        return {name: column for name, column in columns.items() if len(column.dictionary) > 1}


@dataclass(frozen=True, slots=True)
class _Part:
    """What one leaf gives a column.

    Attributes:
        leaf: the leaf.
        place: which of its fields and copies the column is of.
        cells: where its codes are.
    """

    leaf: Leaf
    place: int
    cells: npt.NDArray[np.intp]


class _Cells:
    """All codes of all rows, in the order written."""

    def __init__(self, size: int, known: int, codes: _Numbers, rows: _Numbers) -> None:
        self._size = size
        self._codes = codes
        self._rows = rows
        self._entries = np.zeros(known, np.uint32)

    def column(self, parts: Sequence[_Part]) -> Column:
        dictionary = _Dictionary()
        dense = np.zeros(self._size, np.uint32)
        cells = np.sort(np.concatenate([part.cells for part in parts])) if len(parts) > 1 else parts[0].cells
        for part in parts:
            self._entries[part.leaf.codes] = [dictionary.entry(values) for values in part.leaf.values[part.place]]
        rows, entries_of_cells = self._rows[cells], self._entries[self._codes[cells]]
        has_values = entries_of_cells != ABSENT
        rows, entries_of_cells = rows[has_values], entries_of_cells[has_values]
        dense[rows] = entries_of_cells
        repeated = np.flatnonzero(rows[1:] == rows[:-1])
        for row in np.unique(rows[repeated]).tolist():
            first, end = np.searchsorted(rows, [row, row + 1])
            dense[row] = dictionary.joined(entries_of_cells[first:end].tolist())
        return Column(dense.astype(code_type(len(dictionary.values))), dictionary.values)


class _Dictionary:
    """The distinct values of a column."""

    def __init__(self) -> None:
        self.values: list[Values] = [()]
        self._entries: dict[Hashable, int] = {(): ABSENT}

    def entry(self, values: Values) -> int:
        """The place of these values."""
        found = self._entries.setdefault(told_apart(values), len(self.values))
        if found == len(self.values):
            self.values.append(values)
        return found

    def joined(self, entries: Sequence[int]) -> int:
        """The place of the values of several entries together."""
        return self.entry(tuple(value for entry in entries for value in self.values[entry]))
