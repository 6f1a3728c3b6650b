"""Lucene's regular expressions; every row was tried on an 8.19.9 node."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.dsl.regexp import Flags, compile_regexp, only_text
from lolbin_rules.errors import StoreRejected, Unsupported


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("", [""], ["a"]),
        ("()", [""], ["a"]),
        ("cert.*", ["cert", "certutil"], ["acert"]),
        ("(cmd|mshta)\\.exe", ["cmd.exe", "mshta.exe"], ["cmdxexe"]),
        (".", ["a", "\n", "\U0001f600"], ["", "aa"]),
        ("a{2}", ["aa"], ["a", "aaa"]),
        ("a{2,}", ["aa", "aaaa"], ["a"]),
        ("a{1,2}", ["a", "aa"], ["", "aaa"]),
        ("a{0}", [""], ["a"]),
        ("a{1}{2}", ["aa"], ["a"]),
        ("a**", ["", "aa"], ["b"]),
        ("a+?", ["", "a", "aa"], ["b"]),
        ("[a-c].*", ["a", "cmd"], ["d"]),
        ("[^c].*", ["a", "^c"], ["c", "cmd", ""]),
        ("[a-c-e]", ["a", "-", "e"], ["d"]),
        ("[.*]", [".", "*"], ["a"]),
        ("[\\d-a]", ["5", "-", "a"], ["b"]),
        ("[a\\]]", ["a", "]"], ["b"]),
        ("[^\\d\\D]", [], ["", "a"]),
        ("\\d\\D", ["5x"], ["55"]),
        ("\\w+", ["a_Z9"], ["é", ""]),
        ("\\s", [" ", "\t", "\n", "\r"], ["\x0b", "\xa0"]),
        ("\\\\", ["\\"], ["\\\\"]),
        ("\\é\\.", ["é."], ["éa"]),
        ("^a$", ["^a$"], ["a"]),
        ("*", ["*"], ["a"]),
        ("(+a)", ["+a"], ["a"]),
        ("{2}", ["{2}"], ["{{"]),
        ("]}", ["]}"], []),
        (")", [")"], []),
        ("(|a)", ["|a"], ["", "a"]),
        ('"a?b*c"', ["a?b*c"], ["ac"]),
        ('""a', ["a"], [""]),
        ("@", ["", "anything"], []),
        ("#", [], ["", "#"]),
        ("a#", [], ["a"]),
        ("cmd.*&.*exe", ["cmd.exe"], ["cmd", "exe"]),
        ("~(cmd.*)", ["", "a"], ["cmd", "cmdx"]),
        ("~~a", ["a"], ["b"]),
        ("a~b", ["a", "abb", "ac"], ["ab", "b"]),
        ("~a{2}", ["bb", "aa", ""], ["a"]),
        ("@&~(.*foo.*)", ["fo", ""], ["xfoox"]),
        ("<1-100>", ["1", "042", "100"], ["0", "101"]),
        ("<01-10>", ["05", "10"], ["5", "11"]),
        ("<10-1>", ["1", "10", "010"], ["11"]),
        ("regsvr<30-40>", ["regsvr32"], ["regsvr29", "regsvr032"]),
        ("<0-0>", ["0"], ["00"]),
        ("#*", [], [""]),
        ("#?", [""], ["a"]),
        ("(a&b)*", [], [""]),
        ("(a&b)?", [""], ["a"]),
        ("~(@&~@)", ["", "a"], []),
        ("(a|b)*abb", ["abb", "aababb"], ["ab"]),
    ],
)
def test_a_pattern_matches_whole_texts(pattern: str, matching: list[str], others: list[str]) -> None:
    """Every operator, and operators that are none where they stand."""
    matches = compile_regexp(pattern)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in others if matches(text)] == []


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("CERT.*", ["certutil", "CERT"], ["dert"]),
        ('"AB"[c]', ["abC", "ABc"], ["abd"]),
        ("[A-Z]+", ["AB"], ["ab"]),
        ("ü.*", ["üx"], ["Ü"]),
        ("k", ["K"], ["\u212a"]),
        ("~a", ["b", ""], ["a", "A"]),
        ("", [], [""]),
        ("()", [], [""]),
        ("a|()", ["A"], [""]),
    ],
)
def test_without_case_single_letters_lose_it_and_ranges_keep_it(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    """And an empty text matches nothing at all."""
    matches = compile_regexp(pattern, is_caseless=True)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in others if matches(text)] == []


@pytest.mark.parametrize(
    ("pattern", "flags", "text"),
    [
        ("~a", Flags.NONE, "~a"),
        ("a&b", Flags.NONE, "a&b"),
        ("@#", Flags.COMPLEMENT, "@#"),
        ("<1-9>", Flags.EMPTY, "<1-9>"),
        ("<1-9>", Flags.INTERVAL, "5"),
        ("a|b", Flags.NONE, "b"),
    ],
)
def test_an_operator_without_its_flag_is_a_character(pattern: str, flags: Flags, text: str) -> None:
    """The optional operators are those of the flags."""
    assert compile_regexp(pattern, flags)(text)


@pytest.mark.parametrize(
    "pattern",
    [
        *("a|", "(a|)", "[]", "[", "[a", "[a-", "[z-a]", "[a-]", "[^]", "(", "(a", "a)", "\\", "a\\", "\\n", "[\\n]"),
        *("\\Q", "a{", "a{2", "a{,2}", "a{2,1}", "a{99999999999}", '"', '"a', '"a""', "~", "a~", "a&", "<a>", "<>"),
        *("<1->", "<-1>", "<1-2-3>", "<1-99999999999>", "<1-2"),
    ],
)
def test_a_malformed_pattern_is_refused_with_its_place(pattern: str) -> None:
    """As a node refuses it."""
    with pytest.raises(StoreRejected, match="position") as refused:
        compile_regexp(pattern)
    assert not isinstance(refused.value, Unsupported)


@pytest.mark.parametrize("pattern", ["(" * 60 + "a" + ")" * 60, "(.*a.{12}&.*b.{12})*"])
def test_what_takes_too_long_to_be_understood_is_not_supported(pattern: str) -> None:
    """Told when the query is read."""
    with pytest.raises(Unsupported):
        compile_regexp(pattern)


def test_an_empty_group_beside_others_in_a_caseless_pattern_is_not_supported() -> None:
    """What it does depends on how Lucene joins it with its neighbours."""
    with pytest.raises(Unsupported, match="empty group"):
        compile_regexp("a()", is_caseless=True)


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(ab)", "c"])


def combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Patterns out of patterns."""
    return st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(parts, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}"])).map(lambda p: f"({p[0]}){p[1]}"),
    )


@given(st.recursive(ATOMS, combined, max_leaves=8), st.text(alphabet="abc\n", max_size=10))
def test_a_plain_pattern_matches_what_pythons_would(pattern: str, text: str) -> None:
    """Where both languages mean the same."""
    assert compile_regexp(pattern)(text) == (re.fullmatch(pattern, text, re.DOTALL) is not None)


@given(st.recursive(ATOMS, combined, max_leaves=6), st.text(alphabet="abc", max_size=8))
def test_complement_and_intersection_are_what_they_say(pattern: str, text: str) -> None:
    """Checked by the laws of logic."""
    matches = compile_regexp(pattern)(text)
    assert compile_regexp(f"~({pattern})")(text) != matches
    assert compile_regexp(f"({pattern})&a.*")(text) == (matches and text.startswith("a"))


@given(st.integers(0, 1200), st.integers(0, 1200), st.integers(0, 1300))
def test_an_interval_covers_its_numbers(one: int, other: int, number: int) -> None:
    """With as many digits as its ends have, or any number of them."""
    low, high = sorted((one, other))
    assert compile_regexp(f"<{low}-{high}>")(str(number).zfill(len(str(high)))) == (low <= number <= high)


@given(st.recursive(ATOMS, combined, max_leaves=4), st.text(alphabet="abc", max_size=6))
def test_the_only_text_of_a_pattern_is_the_only_one(pattern: str, text: str) -> None:
    """Such patterns become lookups."""
    only = only_text(pattern)
    if only is not None:
        assert compile_regexp(pattern)(text) == (text == only)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+b", "(a|a)*b", "(.*a){12}b", ".*a.{15}", "~(.*a.{12})&~(.*b)"])
def test_time_grows_with_the_text_alone(pattern: str) -> None:
    """Patterns that take a backtracking matcher longer than the universe is old."""
    matches = compile_regexp(pattern)
    start = time.perf_counter()
    matches("a" * 20_000 + "c")
    matches("ab" * 10_000 + "c")
    assert time.perf_counter() - start < 2


def test_what_is_remembered_of_a_pattern_has_a_bound() -> None:
    """Texts that lead to ever new states do not fill the memory."""
    matches = compile_regexp(".*a.{14}b")
    for number in range(3000):
        matches(f"{number:012b}".replace("0", "a").replace("1", "x") * 2)
    automaton = matches.__self__  # type: ignore[attr-defined]
    assert automaton._count <= 20_100
