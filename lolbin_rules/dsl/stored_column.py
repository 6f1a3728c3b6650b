"""Columns as bytes: codes and dictionary as a few plain arrays, so that files are small and columns quickly loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.column import Codes, Column, Numbers, Texts
from lolbin_rules.dsl.field import Value, Values

__all__ = ["StoredColumn", "pack", "unpack"]

_WIDE = 16
"""Bytes of a number of 128 bits, such as an address."""
_WHOLE, _FRACTION = np.dtype("<i8"), np.dtype("<f8")
_UNSIGNED = ("|u1", "<u2", "<u4", "<u8")
_LEAST_64_BITS, _MOST_64_BITS = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column as bytes.

    Attributes:
        facts: how the parts are to be read (JSON): the `kind` of the values, and the types of other parts by name.
        parts: name -> bytes: `codes`; `values`; `lengths` of texts; `counts`, where entries have several values.
    """

    facts: dict[str, Any]
    parts: dict[str, bytes]


def pack(column: Column) -> StoredColumn | None:
    """The column as bytes, its dictionary ascending; None if no row has a value.

    Raises:
        TypeError: the values of the column are of several kinds.
    """
    column = column.compact()
    stored = StoredColumn({}, {})
    _put(stored, "codes", column.codes)
    if len(column.dictionary) == 1:
        return None
    if isinstance(column.dictionary, Numbers):
        _put_numbers(stored, column.dictionary.numbers)
        return stored
    entries = column.dictionary[1:]
    counts = list(map(len, entries))
    if max(counts) > 1:
        _put(stored, "counts", _smallest(counts))
    _put_values(stored, list(chain.from_iterable(entries)))
    return stored


def unpack(stored: StoredColumn) -> Column:
    """The column again, its dictionary ascending; of `Numbers` or `Texts` where entries have one value each.

    Raises:
        KeyError, TypeError, ValueError: the parts or facts are not those that `pack` gave.
    """
    codes = _array(stored, "codes")
    counts = _array(stored, "counts") if "counts" in stored.facts else None
    kind, raw = stored.facts["kind"], stored.parts["values"]
    dictionary: Sequence[Values]
    if kind == "text":
        texts = Texts(raw.decode("utf-8", "surrogatepass"), _ends(_array(stored, "lengths")))
        dictionary = texts if counts is None else _grouped(texts.listed(), counts)
    elif kind == "wide":
        wide = [int.from_bytes(raw[at : at + _WIDE], "big") for at in range(0, len(raw), _WIDE)]
        dictionary = _grouped(wide, np.ones(len(wide), np.uint8) if counts is None else counts)
    else:
        numbers = np.frombuffer(raw, _FRACTION) if kind == "fraction" else np.frombuffer(raw, _WHOLE).cumsum()
        dictionary = Numbers(numbers) if counts is None else _grouped(numbers.tolist(), counts)
    if len(codes) and codes.max() >= len(dictionary):
        raise ValueError(f"code {codes.max()} is beyond its dictionary of {len(dictionary)}")
    return Column(codes, dictionary)


def _put_values(stored: StoredColumn, values: list[Value]) -> None:
    kinds = set(map(type, values))
    numbers = [value for value in values if not isinstance(value, str)] if kinds != {str} else []
    if kinds == {str}:
        texts = list(map(str, values))
        _put(stored, "lengths", _smallest(list(map(len, texts))))
        stored.facts["kind"], stored.parts["values"] = "text", "".join(texts).encode("utf-8", "surrogatepass")
    elif len(kinds) > 1:
        raise TypeError(f"the values of a column are of several kinds: {sorted(kind.__name__ for kind in kinds)}")
    elif kinds == {int} and not (min(numbers) >= _LEAST_64_BITS and max(numbers) <= _MOST_64_BITS):
        wide = (int(number).to_bytes(_WIDE, "big") for number in numbers)
        stored.facts["kind"], stored.parts["values"] = "wide", b"".join(wide)
    else:
        _put_numbers(stored, np.array(numbers, dtype=_WHOLE if kinds == {int} else _FRACTION))


def _put_numbers(stored: StoredColumn, numbers: npt.NDArray[Any]) -> None:
    """Keep fractions as they are, and whole numbers as the steps between them, which are small between neighbours."""
    if numbers.dtype.kind == "f":
        stored.facts["kind"], stored.parts["values"] = "fraction", numbers.astype(_FRACTION).tobytes()
    else:
        steps = np.diff(numbers.astype(_WHOLE), prepend=_WHOLE.type(0))
        stored.facts["kind"], stored.parts["values"] = "whole", steps.tobytes()


def _put(stored: StoredColumn, name: str, array: npt.NDArray[Any]) -> None:
    """Keep an array of unsigned numbers and its type."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    stored.facts[name], stored.parts[name] = little.dtype.str, little.tobytes()


def _array(stored: StoredColumn, name: str) -> Codes:
    kind = stored.facts[name]
    if kind not in _UNSIGNED:
        raise ValueError(f"its {name} are of type {kind}")
    return np.frombuffer(stored.parts[name], dtype=kind)


def _smallest(numbers: list[int]) -> Codes:
    """The numbers, none negative, as an array of the smallest type that holds them."""
    return np.array(numbers, dtype=np.min_scalar_type(max(numbers)))


def _ends(lengths: Codes) -> npt.NDArray[np.int64]:
    """0, and where each of several things ends that follow one another."""
    return np.concatenate([np.zeros(1, np.int64), lengths.cumsum(dtype=np.int64)])


def _grouped(values: Sequence[Value], counts: Codes) -> list[Values]:
    """A dictionary whose entries have so many of the values each."""
    ends = _ends(counts).tolist()
    if ends[-1] != len(values):
        raise ValueError(f"there are {len(values)} values for {ends[-1]}")
    return [(), *(tuple(values[start:end]) for start, end in pairwise(ends))]
