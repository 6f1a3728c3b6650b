"""Wildcard patterns; the odd ones as an 8.19.9 node has them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.dsl.caseless import fold, other_case
from lolbin_rules.dsl.wildcard import compile_wildcard, escape_wildcard, exact_text

TEXTS = st.text(alphabet="abAB*?\\é\n", max_size=8)
PATTERNS = st.text(alphabet="abAB*?\\é", max_size=8)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("cert*", ["cert", "certutil.exe"], ["Cert", "acert"]),
        ("*util*", ["util", "certutil.exe"], ["UTIL"]),
        ("*.exe", [".exe", "a.exe"], ["a.exe ", "aexe"]),
        ("a*c", ["ac", "abc", "a\nc"], ["a", "c", "acd"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("*a*b*c*", ["abc", "xaxbxcx"], ["acb", "ab"]),
        ("?md.ex?", ["cmd.exe", "émd.ex!"], ["md.exe", "cmd.ex"]),
        ("?*", ["a", "ab"], [""]),
        ("*", ["", "a", "a\nb"], []),
        ("**", ["", "a"], []),
        ("?", ["a", "\U0001f600"], ["", "ab"]),
        ("", [], ["", "a"]),
        (r"a\?b\*c", ["a?b*c"], ["axbxc", r"a\?b\*c"]),
        (r"C:\\Windows\\*", ["C:\\Windows\\", "C:\\Windows\\x"], ["C:\\Windowsx"]),
        ("a\\", ["a\\"], ["a"]),
        ("[a-z]", ["[a-z]"], ["a"]),
        ("a?c*e?g", ["abcdefg", "axcexg"], ["abcdeg", "ace"]),
        ("a.c*", ["a.c"], ["abc"]),
    ],
)
def test_a_pattern_matches_whole_texts(pattern: str, matching: list[str], others: list[str]) -> None:
    """Each operator at each end and in the middle."""
    matches = compile_wildcard(pattern)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in others if matches(text)] == []


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("CERT*", ["certutil", "CertUtil"], ["dert"]),
        ("*UTIL*.exe", ["CertUtil.EXE"], ["util.com"]),
        ("CMD.EX?", ["cmd.exE"], ["cmd.ex"]),
        ("ün*", ["ünicode", "üN"], ["Ünicode"]),
        ("K*", ["k", "Kx"], ["\u212aelvin"]),
        (r"\CMD*", ["Cmd", "CMD.exe"], ["cmd"]),
        (r"*\A?b*", ["xAyB", "Axb"], ["axb"]),
        (r"C:\\win*", ["c:\\WINDOWS"], ["c:/windows"]),
    ],
)
def test_without_case_only_ascii_letters_lose_it_and_escaped_ones_keep_it(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    """As 8.19 and 9.0 have it."""
    matches = compile_wildcard(pattern, is_caseless=True)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in others if matches(text)] == []


def naive(pattern: str, text: str, *, is_caseless: bool) -> bool:
    """The same by a regular expression that may backtrack."""
    source = ""
    symbols = re.findall(r"\\.|[\s\S]", pattern)
    for symbol in symbols:
        if symbol in {"*", "?"}:
            source += "[\\s\\S]" + ("*" if symbol == "*" else "")
        elif len(symbol) == 2:
            source += re.escape(symbol[1])
        else:
            source += f"[{re.escape(symbol)}{re.escape(other_case(symbol) if is_caseless else symbol)}]"
    return bool(pattern) and re.fullmatch(source, text) is not None


@given(PATTERNS, TEXTS)
def test_any_pattern_matches_what_a_regular_expression_would(pattern: str, text: str) -> None:
    """Random patterns, escapes included, on random texts, with case and without."""
    for is_caseless in (False, True):
        assert compile_wildcard(pattern, is_caseless=is_caseless)(text) == naive(pattern, text, is_caseless=is_caseless)


@given(PATTERNS, TEXTS)
def test_a_pattern_with_an_exact_text_matches_nothing_else(pattern: str, text: str) -> None:
    """Exact texts become lookups, so they have to be right."""
    exact = exact_text(pattern)
    if exact is not None:
        assert compile_wildcard(pattern)(text) == (text == exact)
        assert compile_wildcard(pattern)(exact)
    folded = exact_text(pattern, is_caseless=True)
    if folded is not None:
        assert compile_wildcard(pattern, is_caseless=True)(text) == (fold(text) == fold(folded))


@given(TEXTS)
def test_an_escaped_text_matches_itself(text: str) -> None:
    """What is escaped means nothing special."""
    assert compile_wildcard(escape_wildcard(text))(text) == bool(text)


def test_time_grows_with_the_text_alone() -> None:
    """A pattern that takes a backtracking matcher seconds on 120 characters."""
    matches = compile_wildcard("*a*a*a*a*a*a*a*a*b?", is_caseless=True)
    start = time.perf_counter()
    assert not matches("aA" * 200_000)
    assert time.perf_counter() - start < 1
