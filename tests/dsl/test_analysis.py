"""Texts cut into words as the standard analyzer of an 8.19.9 node cut them."""

from __future__ import annotations

import time

import pytest

from lolbin_rules.dsl.analysis import GAP, places, words
from lolbin_rules.dsl.clause import OneOf
from lolbin_rules.dsl.predicates import Prefix
from lolbin_rules.dsl.word_tests import AnyWord, Phrase

ANALYZED = [
    ("The QUICK brown-fox_jumps over 2 dogs.", "the quick brown fox_jumps over 2 dogs"),
    ("certutil.exe -urlcache -f http://1.2.3.4/a.txt", "certutil.exe urlcache f http 1.2.3.4 a.txt"),
    ('C:\\Windows\\System32\\cmd.exe /c "echo hi"', "c windows system32 cmd.exe c echo hi"),
    ("it's foo.bar a.1 1.a 1,000.5 1;2 a:b 1:2 a,b", "it's foo.bar a 1 1 a 1,000.5 1;2 a:b 1 2 a b"),
    ("x'y' 'z user@host.example 10.0.0.1:443 fe80::1", "x'y z user host.example 10.0.0.1 443 fe80 1"),
    ("_ __ _a_ a__b _1", "_a_ a__b _1"),
    ("\xdcN\xcfCODE \u0130st \u03a3\u0391\u03a3 \xdf", "\xfcn\xefcode ist \u03c3\u03b1\u03c3 \xdf"),
    ("\u30ab\u30bf\u30ab\u30ca \uff76\uff80_x", "\u30ab\u30bf\u30ab\u30ca \uff76\uff80_x"),
    ("\u3072\u3089 \u6f22\u5b57\u30c6\u30b9 a\u6f22b", "\u3072 \u3089 \u6f22 \u5b57 \u30c6\u30b9 a \u6f22 b"),
    ("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e01a1", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e01 a1"),
    ("\ud55c\uad6d\uc5b4 \uc870\uc120", "\ud55c\uad6d\uc5b4 \uc870\uc120"),
    ("\u05e6\u05d4\"\u05dc \u05d2'\u05d9\u05e8 \u05d0'", "\u05e6\u05d4\"\u05dc \u05d2'\u05d9\u05e8 \u05d0'"),
    ("e\u0301a a\u200db soft\xadhyphen", "e\u0301a a\u200db soft\xadhyphen"),
    ("\U0001f44d\U0001f3fd\U0001f468\u200d\U0001f469", "\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469"),
    ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f1e9\U0001f1ea \U0001f1eb\U0001f1f7"),
    ("#\ufe0f\u20e3 \xa9", "#\ufe0f\u20e3 \xa9"),
    ("\u0663\u066b\u0661 \u0967\u0968 \u217b x\xb2", "\u0663\u066b\u0661 \u0967\u0968 \u217b x"),
    ("a\u3000b\xa0c\u2028d", "a b c d"),
    ("_\u1087", "\u1087"),
    ("...", ""),
    ("", ""),
    ("\U0001d4d0\U0001d4d1 \U00020000\U00020001", "\U0001d4d0\U0001d4d1 \U00020000 \U00020001"),
    ("a" * 300 + " b", "a" * 255 + " " + "a" * 45 + " b"),
    ("\U00010000" * 200, "\U00010000" * 127 + " " + "\U00010000" * 73),
]


@pytest.mark.parametrize(("text", "expected"), ANALYZED, ids=[ascii(text)[:30] for text, _ in ANALYZED])
def test_a_text_is_cut_into_words(text: str, expected: str) -> None:
    """Scripts with and without spaces, quotation marks, numbers, pictographs, words that are too long."""
    assert " ".join(words(text)) == expected


def test_positions_count_on_over_an_array_with_a_gap() -> None:
    """A node finds `fox brown` in ["quick fox", "brown"] from a slop of 100 on."""
    assert places(("quick fox", "brown quick")) == {"quick": [0, 3 + GAP], "fox": [1], "brown": [2 + GAP]}
    assert places(("", "a")) == {"a": [GAP]}
    assert not Phrase(("fox", "brown"), slop=99).holds(("quick fox", "brown"))
    assert Phrase(("fox", "brown"), slop=100).holds(("quick fox", "brown"))


@pytest.mark.parametrize(
    ("phrase", "text", "is_found"),
    [
        (Phrase(("quick", "brown")), "the quick brown fox", True),
        (Phrase(("brown", "quick")), "the quick brown fox", False),
        (Phrase(("a", "a")), "a b a", False),
        (Phrase(("a", "a")), "b a a", True),
        (Phrase(("quick", "fox")), "quick brown fox", False),
        (Phrase(("quick", "fox"), slop=1), "quick brown fox", True),
        (Phrase(("fox", "quick"), slop=1), "quick fox", False),
        (Phrase(("fox", "quick"), slop=2), "quick fox", True),
        (Phrase(("a", "c"), slop=3), "c x a b b b c", True),
        (Phrase(("quick", "br"), has_prefix=True), "quick brown", True),
        (Phrase(("quick", "br"), has_prefix=True), "brown quick", False),
        (Phrase(("quick", "f"), slop=1, has_prefix=True), "quick brown fox", True),
        (Phrase(("quick", "v"), slop=2, has_prefix=True), "quick brown fox", False),
        (Phrase(("quick", "nope")), "quick", False),
    ],
)
def test_a_phrase_is_found_where_its_words_stand_together(phrase: Phrase, text: str, is_found: bool) -> None:  # noqa: FBT001 - a row of a table
    """In order, or as many places off as the slop allows."""
    assert phrase.holds((text,)) is is_found


def test_words_are_asked_as_if_they_were_values() -> None:
    """Whatever the test; a text without words has none that could pass."""
    assert AnyWord(OneOf(frozenset({"quick"}))).holds(("x", "The QUICK"))
    assert not AnyWord(OneOf(frozenset({"qui"}))).holds(("quick",))
    assert AnyWord(Prefix("qui")).holds(("quick",))
    assert not AnyWord(Prefix("")).holds(("...",))


@pytest.mark.parametrize(
    "text", ["_" * 200_000, "a'" * 100_000, "_\u1087" * 60_000, "e\u0301." * 60_000, "\u0301" * 90_000]
)
def test_time_grows_with_the_text_alone(text: str) -> None:
    """Texts that begin like words again and again."""
    start = time.perf_counter()
    words(text)
    assert time.perf_counter() - start < 1.5
