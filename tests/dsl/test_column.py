"""Columns: what goes in comes out, in whatever form the dictionary is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.dsl.column import Column, Numbers, Plain, Texts, code_type
from lolbin_rules.dsl.field import Values

WIDE = 2**128 - 1


def rows_of(one: st.SearchStrategy[str | int | float]) -> st.SearchStrategy[list[Values]]:
    """Rows with none, one or several values each."""
    return st.lists(st.lists(one, max_size=3).map(tuple), max_size=30)


typed_rows = st.one_of(
    rows_of(st.text(max_size=3)),
    rows_of(st.integers(-(2**63), 2**63 - 1)),
    rows_of(st.integers(0, WIDE)),
    rows_of(st.floats(allow_nan=False).map(lambda number: number + 0.0)),
)


def values_of(column: Column) -> list[Values]:
    """The values row by row."""
    return [column.values(row) for row in range(column.size)]


@given(typed_rows)
def test_a_column_gives_back_what_it_was_made_of(rows: list[Values]) -> None:
    """As made, and compacted."""
    column = Column.of(rows)
    assert values_of(column) == rows
    assert values_of(column.compact()) == rows


@given(typed_rows)
def test_a_compact_dictionary_ascends_from_absent(rows: list[Values]) -> None:
    """Entry 0 is always there, the others are used, once each, in order."""
    dictionary = list(Column.of(rows).compact().dictionary)
    assert dictionary == [(), *sorted({row for row in rows if row})]


@given(rows_of(st.integers(-5, 5)))
def test_unused_entries_do_not_survive_compaction(rows: list[Values]) -> None:
    """A dictionary may be that of more rows than are left."""
    column = Column.of([(7,), (8,), *rows])
    shorter = Column(column.codes[2:], column.dictionary).compact()
    assert list(shorter.dictionary) == [(), *sorted({row for row in rows if row})]
    assert values_of(shorter) == rows


def test_single_numbers_of_64_bits_become_an_array() -> None:
    """No Python object is kept for each of a million timestamps."""
    assert isinstance(Column.of([(3,), (-1,), ()]).compact().dictionary, Numbers)
    assert isinstance(Column.of([(3.5,), (-1.0,), ()]).compact().dictionary, Numbers)
    assert isinstance(Column.of([(3, 4), (-1,)]).compact().dictionary, list)
    assert isinstance(Column.of([(WIDE,), (1,)]).compact().dictionary, list)


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_a_column_of_numbers_equals_that_of_their_tuples(kind: type[np.int64 | np.float64]) -> None:
    """With and without rows that have no value."""
    numbers: Plain = np.array([5, 3, 5, -1], dtype=kind)
    present = np.array([True, False, True, True])
    assert values_of(Column.of_numbers(numbers)) == [(5,), (3,), (5,), (-1,)]
    assert values_of(Column.of_numbers(numbers, present)) == [(5,), (), (5,), (-1,)]


def test_numbers_are_found_by_value_and_by_span() -> None:
    """Whole numbers are compared exactly, whatever the type of the other."""
    numbers = Numbers(np.array([-5, 2**53, 2**53 + 1], dtype=np.int64))
    assert [numbers.find(value) for value in (-5, 2**53, 2**53 + 1, 0, 2**70, "x")] == [1, 2, 3, 0, 0, 0]
    assert list(numbers.span(-5, 2**53)) == [1, 2]
    assert list(numbers.span(-(2**100), 2**100)) == [1, 2, 3]
    assert list(numbers.span(float("-inf"), -5.5)) == []
    assert list(numbers.span(float(2**53), float("inf"))) == [2, 3]
    assert list(numbers.span(float("-inf"), float(2**53))) == [1, 2]
    assert numbers[1:] == [(-5,), (2**53,), (2**53 + 1,)]
    assert type(numbers[1][0]) is int


def test_texts_are_found_by_value() -> None:
    """A dictionary of texts that is one text."""
    texts = Texts("aabbü😀", np.array([0, 1, 4, 5, 6]))
    assert list(texts) == [(), ("a",), ("abb",), ("ü",), ("😀",)] == [texts[code] for code in range(len(texts))]
    assert [texts.find(value) for value in ("a", "abb", "😀", "", "ab", "z", "😁", 5)] == [1, 2, 4, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("entries", "bits"), [(1, 8), (256, 8), (257, 16), (65536, 16), (65537, 32)])
def test_codes_are_as_narrow_as_the_dictionary_allows(entries: int, bits: int) -> None:
    """The absent entry counts."""
    assert np.dtype(code_type(entries)).itemsize * 8 == bits
