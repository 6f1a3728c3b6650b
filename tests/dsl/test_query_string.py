"""The language of query_string queries, read; what it finds is in the recorded queries."""

from __future__ import annotations

import pytest

from lolbin_rules.dsl.query_pieces import Beginning, Group, Item, Pattern, Phrase, Piece, Run, Similar, Span, Spelling
from lolbin_rules.dsl.query_string import escape, read_query_string
from lolbin_rules.errors import StoreRejected, Unsupported


def single(query: str) -> Piece:
    """The only piece of a query."""
    group = read_query_string(query)
    assert group is not None
    (item,) = group.items
    return item.piece


@pytest.mark.parametrize(
    ("query", "piece"),
    [
        ("cmd.exe", Run(None, "cmd.exe")),
        ("process.name:cmd.exe", Run("process.name", "cmd.exe")),
        ("a b  c", Run(None, "a b c", is_single=False)),
        ("f:(a b)", Group((Item("", "", Run("f", "a b", is_single=False)),))),
        ("a\\ b\\:c", Run(None, "a b:c")),
        ("f\\ g:\\u0041", Run("f g", "A")),
        ("C\\:\\\\Windows\\\\", Run(None, "C:\\Windows\\")),
        ("a-b+c", Run(None, "a-b+c")),
        ("f:>=10", Run("f", ">=10")),
        ('f:"a \\"b\\""', Phrase("f", 'a "b"')),
        ('"a b"~2', Phrase(None, "a b", 2)),
        ('"a b"~x^2', Phrase(None, "a b")),
        ("cert*", Beginning(None, "cert")),
        ("f:a\\:*", Beginning("f", "a:")),
        ("*", Pattern(None, "*")),
        ("*:*", Pattern("*", "*")),
        ("a?b\\*c*", Pattern(None, "a?b\\*c*")),
        ("f:/a\\/b|c d/", Spelling("f", "a\\/b|c d")),
        ("a~", Similar(None, "a")),
        ("a~1^2", Similar(None, "a")),
        ("f:[1 TO 5}", Span("f", "1", "5", includes_low=True, includes_high=False)),
        ('{* TO "a b"]^3', Span(None, None, "a b", includes_low=False, includes_high=True)),
        ("[2026-03-01T10:00:00 TO now-1d/d]", Span(None, "2026-03-01T10:00:00", "now-1d/d", True, True)),
        ("ANDY", Run(None, "ANDY")),
        ("a&&b", Run(None, "a&&b")),
    ],
)
def test_a_piece_is_read(query: str, piece: Piece) -> None:
    """Fields, escapes, quotations, patterns, ranges; weights say nothing of what matches."""
    assert single(query) == piece


@pytest.mark.parametrize(
    ("query", "marks"),
    [
        ("a AND b", ["a", "AND b"]),
        ("a && NOT b || c", ["a", "AND -b", "OR c"]),
        ("+a -b !c", ["+a", "-b", "-c"]),
        ("a b AND c", ["a", "b", "AND c"]),
        ("a b c AND d", ["a b", "c", "AND d"]),
        ("a f:b c d", ["a", "f:b", "c d"]),
        ("a b^2", ["a", "b"]),
        ("a - b", ["a", "-", "b"]),
        ("a NOT b c", ["a", "-b", "c"]),
    ],
)
def test_conjunctions_and_marks_stand_beside_clauses(query: str, marks: list[str]) -> None:
    """Words form a run unless what follows binds to the last of them alone."""
    group = read_query_string(query)
    assert group is not None
    written = []
    for item in group.items:
        assert isinstance(item.piece, Run)
        field = f"{item.piece.field}:" if item.piece.field else ""
        written.append(f"{item.conjunction} {item.mark}{field}{item.piece.text}".strip())
    assert written == marks


@pytest.mark.parametrize("query", ["", "  \t\x1f\n"])
def test_nothing_is_nothing(query: str) -> None:
    """It matches no document. Blanks beyond ASCII are not nothing: Elasticsearch looks for a word after them."""
    assert read_query_string(query) is None
    with pytest.raises(StoreRejected, match="the end is not expected"):
        read_query_string(" \u3000")


@pytest.mark.parametrize(
    "query",
    [
        *(
            "()",
            "(a",
            "a)",
            "a AND",
            "AND a",
            "a OR OR b",
            "NOT",
            "NOT NOT a",
            "+-a",
            "f:",
            "f:a:b",
            ":a",
            '"a',
            "[a TO b",
        ),
        *(
            "[a b]",
            "[a TO]",
            "a^",
            "a^x",
            "a\\",
            "a\\u00",
            "/a",
            "f.*:x",
            "a~x",
            "a~0.5",
            "a~3",
            "10.0.0.0/8",
            "[a TO b)",
        ),
    ],
)
def test_a_malformed_query_is_refused_with_its_place(query: str) -> None:
    """As a node refuses it."""
    with pytest.raises(StoreRejected, match="position") as refused:
        read_query_string(query)
    assert not isinstance(refused.value, Unsupported)


def test_brackets_within_brackets_have_a_bound() -> None:
    """Beyond what people write."""
    assert read_query_string("(" * 40 + "a" + ")" * 40) is not None
    with pytest.raises(Unsupported, match="brackets"):
        read_query_string("(" * 60 + "a" + ")" * 60)


def test_what_is_escaped_means_nothing() -> None:
    """The option `escape`."""
    assert single(escape('a(b:"c*')) == Run(None, 'a(b:"c*')
