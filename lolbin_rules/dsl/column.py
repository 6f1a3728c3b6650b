"""One field of many documents: a code per row, and what each code stands for.

Documents of one kind repeat themselves, so a column is a dictionary of the distinct values and one small number per
row. What is asked of a field is then asked once per distinct value, however many rows have it. All values of a document
together are one entry, so "any of its values" costs nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.field import Value, Values

__all__ = ["ABSENT", "Codes", "Column", "Numbers", "Places", "Plain", "Rows", "Texts", "code_type", "told_apart"]

Codes: TypeAlias = npt.NDArray[np.unsignedinteger]
Plain: TypeAlias = npt.NDArray[np.int64 | np.float64]
"""Numbers of one of these two types."""
Places: TypeAlias = npt.NDArray[np.intp]
"""Places in some list or array."""
Rows: TypeAlias = npt.NDArray[np.uint32]
"""Row numbers of a segment, each once, ascending."""

ABSENT = 0
"""The code of rows that have no value."""

_LEAST_64_BITS, _MOST_64_BITS = -(2**63), 2**63 - 1


class _Singles(Sequence[Values]):
    """A dictionary of single values, ascending, that does not keep a Python object for each. Entry 0 is `()`."""

    __slots__ = ()

    @abstractmethod
    def value(self, code: int) -> Value:
        """The value that a code above 0 stands for."""

    @overload
    def __getitem__(self, index: int) -> Values: ...
    @overload
    def __getitem__(self, index: slice) -> list[Values]: ...
    def __getitem__(self, index: int | slice) -> Values | list[Values]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        code = range(len(self))[index]
        return (self.value(code),) if code else ()

    @abstractmethod
    def entries(self, codes: Places) -> list[Values]:
        """What several codes above 0 stand for."""


class Numbers(_Singles):
    """A dictionary of single numbers, eight bytes each."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Plain) -> None:
        """Take the numbers: distinct, ascending; code `n` is `numbers[n - 1]`."""
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers) + 1

    def __iter__(self) -> Iterator[Values]:
        yield ()
        for number in self.numbers.tolist():
            yield (number,)

    def value(self, code: int) -> Value:
        """See `_Singles.value`."""
        number: int | float = self.numbers[code - 1].item()
        return number

    def entries(self, codes: Places) -> list[Values]:
        """See `_Singles.entries`."""
        return [(number,) for number in self.numbers[codes - 1].tolist()]

    def span(self, low: float, high: float) -> range:
        """The codes of the numbers from `low` to `high`, both inclusive."""
        first, last = _place(self.numbers, low, "left"), _place(self.numbers, high, "right")
        return range(first + 1, last + 1)

    def find(self, value: Value) -> int:
        """The code of a value; `ABSENT` if it is not in the dictionary."""
        if isinstance(value, str):
            return ABSENT
        codes = self.span(value, value)
        return codes[0] if codes else ABSENT


class Texts(_Singles):
    """A dictionary of single texts, kept as one."""

    __slots__ = ("ends", "text")

    def __init__(self, text: str, ends: npt.NDArray[np.int64]) -> None:
        """Take the texts, distinct and ascending, joined; code `n` is from `ends[n - 1]` to before `ends[n]`."""
        self.text = text
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[Values]:
        yield ()
        for text in self.listed():
            yield (text,)

    def entries(self, codes: Places) -> list[Values]:
        """See `_Singles.entries`."""
        text, starts, ends = self.text, self.ends[codes - 1].tolist(), self.ends[codes].tolist()
        return [(text[start:end],) for start, end in zip(starts, ends, strict=True)]

    def listed(self) -> list[str]:
        """All texts in order."""
        text = self.text
        return [text[start:end] for start, end in pairwise(self.ends.tolist())]

    def value(self, code: int) -> str:
        """See `_Singles.value`."""
        return self.text[int(self.ends[code - 1]) : int(self.ends[code])]

    def find(self, value: Value) -> int:
        """The code of a value; `ABSENT` if it is not in the dictionary."""
        if not isinstance(value, str):
            return ABSENT
        code = bisect_left(range(1, len(self)), value, key=self.value) + 1
        return code if code < len(self) and self.value(code) == value else ABSENT


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values of one field, row by row.

    Attributes:
        codes: one unsigned code per row.
        dictionary: what the codes stand for; entry 0 is `()`: the row has no value. Entries differ from each other.
    """

    codes: Codes
    dictionary: Sequence[Values]

    @classmethod
    def of(cls, values: Iterable[Values]) -> Column:
        """The column of these values, one item per row; the dictionary is in the order of appearance."""
        known: dict[Hashable, int] = {(): ABSENT}
        dictionary: list[Values] = [()]
        codes = []
        for each in values:
            code = known.setdefault(told_apart(each), len(dictionary))
            if code == len(dictionary):
                dictionary.append(each)
            codes.append(code)
        return cls(np.array(codes, dtype=code_type(len(dictionary))), dictionary)

    @classmethod
    def of_numbers(cls, numbers: Plain, present: npt.NDArray[np.bool_] | None = None) -> Column:
        """The column of single numbers, one per row; rows that are not `present` have none, whatever their number."""
        if present is None:
            distinct, places = np.unique(numbers, return_inverse=True)
            return cls((places + 1).astype(code_type(len(distinct) + 1)), Numbers(distinct))
        distinct, places = np.unique(numbers[present], return_inverse=True)
        codes = np.zeros(len(numbers), dtype=code_type(len(distinct) + 1))
        codes[present] = places + 1
        return cls(codes, Numbers(distinct))

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.codes)

    def values(self, row: int) -> Values:
        """The values of one row."""
        return self.dictionary[int(self.codes[row])]

    def compact(self) -> Column:
        """The same column with its dictionary ascending, without unused entries, and of `Numbers` where it can be."""
        is_used = np.zeros(len(self.dictionary), np.bool_)
        is_used[self.codes] = True
        is_used[ABSENT] = False
        used = np.flatnonzero(is_used)
        order, dictionary = _ascending(self.dictionary, used)
        new = np.zeros(len(self.dictionary), dtype=code_type(len(used) + 1))
        new[used[order]] = np.arange(1, len(used) + 1)
        return Column(new.take(self.codes), dictionary)


def told_apart(values: Values) -> Hashable:
    """What is equal only for values that are the same: 0.0 and -0.0, which Python calls equal, are two numbers here."""
    return (values, str(values)) if 0.0 in values else values


def entries_of(dictionary: Sequence[Values], codes: Places) -> list[Values]:
    """What codes above 0 stand for in a dictionary of any kind."""
    if isinstance(dictionary, _Singles):
        return dictionary.entries(codes)
    return [dictionary[code] for code in codes.tolist()]


def code_type(entries: int) -> type[np.unsignedinteger]:
    """The smallest unsigned type that numbers so many entries of a dictionary, the absent one included."""
    if entries <= 1 << 8:
        return np.uint8
    return np.uint16 if entries <= 1 << 16 else np.uint32


def _place(numbers: Plain, number: float, side: str) -> int:
    """Where a number of any size belongs among the ascending numbers, compared exactly (2**53 + 1 is no float)."""
    place = bisect_left if side == "left" else bisect_right
    return place(range(len(numbers)), number, key=lambda at: numbers[at].item())


def _ascending(dictionary: Sequence[Values], codes: Places) -> tuple[Places, Sequence[Values]]:
    """The order in which some entries of a dictionary ascend, and a dictionary of them."""
    if isinstance(dictionary, Numbers):
        return np.arange(len(codes)), Numbers(dictionary.numbers[codes - 1])
    entries = [dictionary[code] for code in codes.tolist()]
    if set(map(len, entries)) <= {1}:
        singles = [values[0] for values in entries]
        numbers = _as_numbers(singles)
        if numbers is not None:
            places = np.argsort(numbers)
            return places, Numbers(numbers[places])
        order = sorted(range(len(singles)), key=singles.__getitem__)
    else:
        order = sorted(range(len(entries)), key=entries.__getitem__)
    return np.array(order, dtype=np.intp), [(), *map(entries.__getitem__, order)]


def _as_numbers(singles: list[Value]) -> Plain | None:
    """The values as an array; None if they are no numbers of 64 bits of one type."""
    kinds = set(map(type, singles))
    if kinds == {float}:
        return np.array(singles, dtype=np.float64)
    if kinds == {int} and min(singles) >= _LEAST_64_BITS and max(singles) <= _MOST_64_BITS:  # type: ignore[operator]
        return np.array(singles, dtype=np.int64)
    return None
