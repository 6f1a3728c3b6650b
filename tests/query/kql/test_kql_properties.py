"""What holds of every KQL text and tree: nothing but `QueryError` comes out, and what is printed is read again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.kql_printed import printed
from lolbin_rules.errors import QueryError
from lolbin_rules.query.kql.compile import compile_kql
from lolbin_rules.query.kql.fields import kql_fields
from lolbin_rules.query.kql.nodes import And, Everything, Is, Nested, Node, Not, Or, Range, Wild, Word
from lolbin_rules.query.kql.quoting import kql_quote
from lolbin_rules.query.kql.syntax import LONGEST, parse_kql
from lolbin_rules.store.port import FieldTypes

PIECES = [
    *(" ", "\u00a0", "\n", "and", "or", "not", "AND", " and ", " or ", "not ", "cannot ", "null", "true"),
    *("(", ")", "{", "}", ":", "<", ">", ">=", '"', "*", "\\", "\\\\", "\\t", "\\u0041", "\\ud83d", "\\not", "?"),
    *("a", "f", "f:", "f:(", "n:{", "10.0.0.0/8", "-1", "\u3000", "\U0001f600", "e"),
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))

LETTERS = st.sampled_from(
    [*'abnN*?\\"():<>{}. \t\n\u00a0\u3000\u00e9\U0001f600', "not ", " not", " or ", " or", " AND ", "true"]
)
WORDS = st.lists(LETTERS, min_size=1, max_size=6).map("".join).filter(lambda text: text != "null")
NAMES = st.one_of(st.sampled_from(["f", "a.b", "true", "not", "knot", "x y"]), WORDS)
VALUES = st.one_of(
    st.builds(Word, st.one_of(WORDS, st.booleans())),
    st.builds(Word, st.one_of(WORDS, st.just("")), is_quoted=st.just(True)).filter(lambda word: word.text is not True),
    st.builds(Wild, st.lists(st.one_of(WORDS, st.just("")), min_size=2, max_size=4).map(tuple)),
)
PATTERNS = st.builds(Wild, st.tuples(st.sampled_from(["", "file."]), st.sampled_from(["", ".text"])))
COMPARISONS = st.sampled_from(["gt", "gte", "lt", "lte"])
LEAVES = st.one_of(
    st.builds(Is, st.one_of(st.none(), NAMES, PATTERNS), VALUES),
    st.builds(Range, st.one_of(NAMES, PATTERNS), COMPARISONS, VALUES.filter(lambda value: isinstance(value, Word))),
)


def compound(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Nodes made of others."""
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    alike = st.lists(st.builds(Is, st.just("f"), VALUES), min_size=2, max_size=4).map(tuple)
    return st.one_of(
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Or, alike),
        st.builds(And, alike),
        st.builds(Not, parts),
        st.builds(Nested, NAMES, parts),
    )


TREES = st.one_of(st.just(Everything()), st.recursive(LEAVES, compound, max_leaves=12))


@given(TEXTS)
def test_any_text_is_read_or_refused_at_a_place_inside(text: str) -> None:
    """No other exception, and a line and column that the text has, or the one right behind its end."""
    error = fault(text)
    if error is None:
        return
    lines = text.split("\n")
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.what
    assert error.remedy.endswith(".")


def fault(text: str) -> QueryError | None:
    """Why the text is refused, if it is."""
    try:
        parse_kql(text)
    except QueryError as error:
        return error
    return None


@given(TEXTS, st.booleans())
def test_whatever_is_read_becomes_a_query(text: str, caseless: bool) -> None:  # noqa: FBT001
    """What can be parsed can be compiled without any types, and asks about the fields that it names."""
    try:
        fields = kql_fields(text)
    except QueryError:
        return
    compiled = compile_kql(text, FieldTypes(), case_insensitive=caseless)
    assert len(compiled.query) == 1
    assert all(repr(name)[1:-1] in repr(compiled.query) for name in fields if name.strip("*"))


@given(TREES, st.booleans())
def test_a_printed_tree_is_read_as_the_same_tree(tree: Node, lists: bool) -> None:  # noqa: FBT001
    """Whatever the values hold: keywords, spaces, special characters."""
    assert parse_kql(printed(tree, lists=lists)) == tree


@given(st.text())
def test_a_quoted_value_means_itself(text: str) -> None:
    """As a value, and as the name of a field."""
    assert parse_kql(f"f:{kql_quote(text)}") == Is("f", Word(text, is_quoted=True))
    if text:
        assert parse_kql(f"{kql_quote(text)}:x") == Is(text, Word("x"))


def test_numbers_and_booleans_are_quoted_as_they_are_compared() -> None:
    """As Elasticsearch reads them out of texts."""
    assert [kql_quote(value) for value in (443, -1.5, True, False)] == ['"443"', '"-1.5"', '"true"', '"false"']


def test_the_fields_of_a_query_are_whole_names_and_patterns() -> None:
    """Names inside braces have the path before them; free text has none."""
    text = 'a:1 and not (b.c > 2 or "x y":3) and n:{ m:{ k:* or j:(1 or 2) } } and f.*:v and text'
    assert kql_fields(text) == {"a", "b.c", "x y", "n.m.k", "n.m.j", "f.*"}
    assert kql_fields("") == frozenset()


DEEP = [
    lambda depth: "(" * depth + "a" + ")" * depth,
    lambda depth: "a:{" * depth + "b" + "}" * depth,
    lambda depth: "a or b and not (" * depth + "c" + ")" * depth,
    lambda depth: "a:" + "(b or c and not " * depth + "d" + ")" * depth,
]


@pytest.mark.parametrize("make", DEEP)
def test_depth_is_bounded(make: Callable[[int], str]) -> None:
    """Forty levels can be read, one more is refused, and so are very many; nothing runs out of stack."""
    assert kql_fields(make(40)) is not None
    with contextlib.suppress(QueryError):
        compile_kql(make(40), FieldTypes())
    for depth in (41, 5_000):
        with pytest.raises(QueryError, match="more than 40 parentheses or braces") as caught:
            parse_kql(make(depth))
        assert caught.value.line == 1


def test_clauses_that_elasticsearch_would_refuse_for_their_depth_are_refused_before() -> None:
    """Twenty within each other can be asked, one more cannot."""

    def text(depth: int) -> str:
        return "a:1 and (" * depth + "b:2 or c:3" + ")" * depth

    compile_kql(text(18), FieldTypes())
    with pytest.raises(QueryError, match="more than 20 clauses within each other"):
        compile_kql(text(19), FieldTypes())


def test_length_is_bounded() -> None:
    """100,000 characters can be read."""
    parse_kql("a" * LONGEST)
    with pytest.raises(QueryError, match="100,001 characters"):
        parse_kql("a" * (LONGEST + 1))


def test_half_a_character_is_refused() -> None:
    """JSON could not carry it."""
    with pytest.raises(QueryError, match="half a character") as caught:
        parse_kql("a:\n\ud83d")
    assert (caught.value.line, caught.value.column) == (2, 1)


@pytest.mark.parametrize(
    "piece", [" ", "n", "not", " or", "*", "\\", "\\\\", '"', "(", "a and ", "a:b c:", "\u00a0", "f:(a or b) and "]
)
def test_reading_takes_time_by_length_only(piece: str) -> None:
    """The longest texts take the processor no more than seconds, whatever they are made of."""
    text = (piece * (LONGEST // len(piece) + 1))[:LONGEST]
    begun = time.process_time()
    with contextlib.suppress(QueryError):
        parse_kql(text)
    assert time.process_time() - begun < 20
