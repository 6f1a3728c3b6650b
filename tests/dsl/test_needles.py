"""A search through all texts leaves every value that may pass a test, and few others."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.dsl.clause import Leaf, OneOf
from lolbin_rules.dsl.clause import Test as Asked
from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.needles import Haystack, needle_of
from lolbin_rules.dsl.predicates import Between, Prefix, Regexp, Wildcard
from lolbin_rules.dsl.regexp_syntax import Flags
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.dsl.stored_column import pack, unpack
from lolbin_rules.errors import StoreRejected


@pytest.mark.parametrize(
    ("test", "needle"),
    [
        (Prefix("C:\\Users"), "c:\\users"),
        (Prefix("ab"), None),
        (Wildcard("*URLcache*"), "urlcache"),
        (Wildcard("*urlcache*", is_caseless=True), "urlcache"),
        (Wildcard("ab*cdef?gh\\*i*"), "cdef"),
        (Wildcard("a\\*b\\?c"), "a*b?c"),
        (Wildcard("??a*b"), None),
        (Wildcard("*ÜBER*", is_caseless=True), "Über"),
        (Regexp(".*\\\\Run\\\\v[0-9]+.*"), "\\run\\v"),
        (Regexp("(abc|abd).*"), None),
        (Regexp("abcdef?g+hij"), "abcde"),
        (Regexp("(abc){2}x"), "abcabcx"),
        (Regexp("ab.*|cdef"), None),
        (Regexp("~(abcdef)"), None),
        (Regexp("abcdef&.*x"), None),
        (Regexp("HALLO welt", is_caseless=True), "hallo welt"),
        (OneOf(frozenset({"abcdef"})), None),
        (Between(1, 2), None),
    ],
)
def test_what_every_passing_value_contains(test: Asked, needle: str | None) -> None:
    """The longest of the texts that must be there; none rather than one too much."""
    found = needle_of(test)
    assert found is None or needle is None or found == needle
    assert found == needle or isinstance(test, Regexp)


@given(
    st.lists(st.text("abAB.*\\ü", max_size=6), max_size=30),
    st.text("ab.*?\\|()[]+B", min_size=1, max_size=8),
    st.booleans(),
)
def test_no_value_is_lost(texts: list[str], pattern: str, is_caseless: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever the pattern: values without the needle do not pass."""
    tests: list[Asked] = [Wildcard(pattern, is_caseless), Prefix(pattern, is_caseless)]
    with contextlib.suppress(StoreRejected):  # a random pattern need not be well-formed
        tests.append(Regexp(pattern, Flags.ALL, is_caseless))
    haystack = Haystack([(), *((text,) for text in texts)])
    for test in tests:
        needle = needle_of(test)
        if needle is not None:
            found = set(haystack.codes_with(needle).tolist())
            assert {code for code, text in enumerate(texts, 1) if test.holds((text,))} <= found


@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("is_multiple", [False, True])
def test_needles_are_found_within_one_text(*, is_stored: bool, is_multiple: bool) -> None:
    """Not across the border of two."""
    rows: list[Values] = [("xab", "cx") if is_multiple else ("xab",), ("cab",), ("abc",), (), ("xxabcabc",), ("ABC",)]
    column = Column.of(rows)
    if is_stored:
        packed = pack(column)
        assert packed
        column = unpack(packed)
    haystack = Haystack(column.dictionary)
    found = [column.dictionary[code] for code in haystack.codes_with("abc").tolist()]
    assert sorted(found) == sorted([("abc",), ("xxabcabc",), ("ABC",)])
    assert haystack.codes_with("nothing").tolist() == []


def test_many_values_are_searched_as_they_are_tested() -> None:
    """With enough of them, the search is used and changes nothing."""
    made = random.Random(3)
    texts = ["".join(made.choices("abcAB\\", k=made.randrange(3, 12))) for _ in range(3000)]
    segment = MemorySegment({"f": Column.of((text,) for text in texts).compact()}, len(texts))
    tests: list[Asked] = [
        *(Wildcard("*abc*"), Wildcard("*ABC*", is_caseless=True), Wildcard("*\\\\\\\\cab*"), Prefix("abA")),
        *(Regexp(".*abc[AB]+.*"), Regexp("(abc|cab).*", Flags.ALL, is_caseless=True)),
    ]
    found = evaluate({str(number): Leaf("f", test) for number, test in enumerate(tests)}, segment)
    for number, test in enumerate(tests):
        expected = [row for row, text in enumerate(texts) if test.holds((text,))]
        assert expected
        assert found[str(number)].tolist() == expected
