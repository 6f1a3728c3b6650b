"""What holds of every EQL text and tree: nothing but `QueryError` comes out, and what is written is read again."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.eql_documents import FIELDS, TYPES, documents
from fuzz.eql_queries import Queries
from fuzz.eql_reference import holds, values_of
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.errors import QueryError
from lolbin_rules.query.eql.compile import compile_event, compile_sequence
from lolbin_rules.query.eql.fields import eql_fields
from lolbin_rules.query.eql.functions import FUNCTIONS
from lolbin_rules.query.eql.grammar import read
from lolbin_rules.query.eql.nodes import (
    And,
    Arithmetic,
    Call,
    Comparison,
    EventQuery,
    Field,
    Like,
    Literal,
    Membership,
    Negative,
    Node,
    Not,
    Or,
    Regex,
)
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.query.eql.tokens import LONGEST
from lolbin_rules.query.eql.writing import eql_quote, write
from query.eql.test_eql_cases import event

PIECES = [
    *(
        " ",
        "\n",
        "\r",
        "\t",
        "any where ",
        "process where ",
        "sequence ",
        "sample ",
        " by ",
        " with maxspan=",
        "1m",
        " with runs=",
    ),
    *(
        "[",
        "![",
        "]",
        "[any where true]",
        " until ",
        "| head ",
        "| tail ",
        "(",
        ")",
        ",",
        ".",
        "?",
        ":",
        "=",
        "==",
        "!=",
    ),
    *(
        "<",
        "<=",
        " and ",
        " or ",
        "not ",
        " in ",
        " in~ ",
        " like ",
        " like~ ",
        " regex~ ",
        "null",
        "true",
        "false",
        "5",
        "1.5",
    ),
    *(
        "-",
        "+",
        "*",
        "/",
        "%",
        '"x"',
        '"x*"',
        '"',
        "'",
        "`",
        "`a b`",
        '"""',
        "\\",
        "//",
        "/*",
        "*/",
        "a",
        "b.c",
        "@timestamp",
    ),
    *(
        "length(",
        "cidrMatch(",
        "concat(",
        "startsWith~(",
        "number(",
        '"10.0.0.0/8"',
        "1e999",
        "\x00",
        "\U0001f600",
        "~",
        "!",
    ),
]
SKELETONS = st.sampled_from(
    ["{}", "any where {}", "any where a and ({})", "sequence by a [any where {}] [b where true]"]
)
TEXTS = st.one_of(
    st.text(),
    st.builds(str.replace, SKELETONS, st.just("{}"), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)),
)
NAMES = st.sampled_from(["a", "a.b", "@timestamp", "and", "x y", "a`b", "sequence.x", "é"])
STRINGS = st.one_of(st.text(max_size=5), st.sampled_from(["*", "a*", '"', "\\", "\\u{41}", "\n", "'", "//"]))
LITERALS = st.one_of(
    st.builds(Literal, STRINGS.filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text))),
    st.builds(Literal, st.one_of(st.booleans(), st.none(), st.integers(0, 2**63 - 1))),
    st.builds(Literal, st.floats(0, 1e300, allow_nan=False)),
)
PATTERNS = st.lists(LITERALS.filter(lambda it: isinstance(it.value, str)), min_size=1, max_size=3).map(tuple)
CASELESS = st.booleans()


def compound(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Nodes made of others."""
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Not, parts),
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Negative, parts),
        st.builds(Arithmetic, st.sampled_from("+-*/%"), parts, parts),
        st.builds(Comparison, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), parts, parts),
        st.builds(Membership, parts, several, CASELESS),
        st.builds(Like, parts, PATTERNS, CASELESS),
        st.builds(Regex, parts, PATTERNS, CASELESS),
        st.builds(Call, st.just("concat"), several),
        st.builds(Call, st.just("startsWith"), st.tuples(parts, parts), CASELESS),
        st.builds(Call, st.sampled_from(["length", "string"]), st.tuples(parts)),
    )


TREES = st.recursive(st.one_of(LITERALS, st.builds(Field, NAMES, CASELESS)), compound, max_leaves=12)
MAPPING = IndexMapping(
    {
        "properties": {
            **{name: {"type": kind} for name, kind in FIELDS.items() if kind not in {"text", "unmapped"}},
            "path": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
        }
    }
)
SOURCES = [*documents(7, 60).values()]
ROWS = [values_of(source) for source in SOURCES]


def assert_within(error: QueryError, text: str) -> None:
    """The place is one of the text, or just behind it."""
    lines = text.split("\n")
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.what
    assert error.remedy


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_a_query_or_an_error_with_its_place(text: str) -> None:
    """Reading, naming the fields and compiling either work or tell where the text is at fault."""
    try:
        query = parse_eql(text)
        eql_fields(query)
        if isinstance(query, EventQuery):
            compile_event(query, TYPES)
        else:
            compile_sequence(query, TYPES)
    except QueryError as error:
        assert_within(error, text)


@settings(deadline=None)
@given(TREES)
def test_what_is_written_of_a_tree_is_read_as_that_tree(tree: Node) -> None:
    """Names, constants and precedence survive."""
    query = read(f"any where {write(tree)}")
    assert isinstance(query, EventQuery)
    assert query.condition == tree
    assert write(query.condition) == write(tree)


@settings(deadline=None)
@given(st.text())
def test_a_quoted_text_is_that_text(text: str) -> None:
    """Whatever a template is filled with, it is one constant; half of a pair of surrogates cannot be written."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    assert event(f"any where a == {eql_quote(text)}").condition == Comparison("==", Field("a"), Literal(text))


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_query_and_decision_find_exactly_what_the_reference_says(seed: int) -> None:
    """The query finds every such document, and where it finds others, they are decided against."""
    text = Queries(seed).make()
    query = event(text)
    compiled = compile_event(query, TYPES)
    matcher = Matcher({"it": parse(compiled.query, MAPPING, 0)})
    reader = Reader(MAPPING, matcher.fields)
    for source, row in zip(SOURCES, ROWS, strict=True):
        is_found = "it" in matcher.match(reader.read(source))
        is_hit = is_found and (compiled.keeps is None or compiled.keeps(source))
        assert is_hit is holds(query, row), (text, source)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "any where " + "not " * 20_000 + "a",
        "any where " + "-" * 90_000 + "1 == a",
        "any where " + "1+" * 40_000 + "1 == a",
        "any where true | head " + "-" * 90_000 + "1",
        "any where " + "length(" * 10_000,
        "any where a" + ".a" * 40_000,
        "any where a == " + "9" * 90_000,
        "any where a in (" + "1," * 40_000 + "1)",
        "any where " + "a or " * 15_000 + "b",
        "any where " + "/*" * 40_000,
        "any where " + '"' * 90_000,
        "any where " + "`" * 90_001,
        "any where 1" + "1" * 90_000 + "x",
        "x" * (LONGEST + 1),
    ],
)
def test_long_and_deep_texts_end_soon(text: str) -> None:
    """Neither the stack nor the clock runs out."""
    begun = time.process_time()
    try:
        compile_event(event(text), TYPES)
    except QueryError as error:
        assert_within(error, text)
    assert time.process_time() - begun < 10


def test_a_condition_may_be_as_deep_as_is_allowed() -> None:
    """A hundred levels are read; how deep clauses may go is another limit, which is told."""
    text = "any where " + "not (" * 50 + "length(process.name) > 1" + ")" * 50
    assert compile_event(event(text), TYPES).keeps is not None
    deep = "flag"
    for level in range(24):
        deep = f'({deep} {"or" if level % 2 else "and"} process.name == "{level}")'
    with pytest.raises(QueryError, match="and, or and not go too deep within each other"):
        compile_event(event(f"any where {deep}"), TYPES)


def test_hundreds_of_rules_are_compiled_in_a_second() -> None:
    """A rule of usual length costs some milliseconds, with room for slow machines."""
    text = (
        'process where event.category == "process" and (process.name : ("certutil.exe", "bits*.exe", "curl.exe") or '
        'path == "CertUtil.exe") and process.args : ("?decode", "?encode", "/urlcache", "/verifyctl") and '
        'not (path : "C:\\\\Program Files\\\\*\\\\agent.exe" and process.name in ("S-1-5-18", "S-1-5-19")) and '
        'not process.args like~ ("*\\\\updates\\\\*", "*setup*") /* known */ and ?flag != true and length(path) > 40 '
        'and pid > 4 and not cidrMatch(source.ip, "10.0.0.0/8", "192.168.0.0/16", "fe80::/10") and score >= 0.5'
    )
    compile_event(event(text), TYPES)
    begun = time.process_time()
    for _ in range(50):
        compile_event(event(text), TYPES)
    assert time.process_time() - begun < 50 / 40


def test_every_function_can_be_called_in_any_case() -> None:
    """Names of functions have no case."""
    for name in FUNCTIONS:
        with pytest.raises(QueryError, match=f"{name} takes"):
            parse_eql(f"any where {name.upper()}() == 1")


def test_reading_needs_neither_a_store_nor_its_kernel() -> None:
    """The loader of rules reads queries before anything else is there: only errors and the language itself."""
    program = (
        "import sys, lolbin_rules.query.eql.syntax, lolbin_rules.query.eql.writing; "
        "print(*sorted(name for name in sys.modules if name.startswith('lolbin_rules.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "lolbin_rules.query.eql.grammar" in loaded
    strangers = [name for name in loaded if not name.startswith(("lolbin_rules.query", "lolbin_rules.errors"))]
    assert not strangers
    assert not [name for name in loaded if name in {"lolbin_rules.query.compiled", "lolbin_rules.query.eql.compile"}]
