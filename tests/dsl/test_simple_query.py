"""The language of simple_query_string queries, read; what it finds is in the recorded queries."""

from __future__ import annotations

import pytest

from lolbin_rules.dsl.query_pieces import Beginning, Phrase, Run, Similar
from lolbin_rules.dsl.simple_query import SimpleFlags, SimpleItem, SimplePiece, read_simple_query
from lolbin_rules.errors import Unsupported


def plain(*pieces: SimplePiece) -> tuple[SimpleItem, ...]:
    """Parts without operators."""
    return tuple(SimpleItem("", False, piece) for piece in pieces)


@pytest.mark.parametrize(
    ("query", "items"),
    [
        ("a b", plain(Run(None, "a"), Run(None, "b"))),
        ("a+b", (*plain(Run(None, "a")), SimpleItem("must", False, Run(None, "b")))),
        ("a | + -b", (*plain(Run(None, "a")), SimpleItem("should", True, Run(None, "b")))),
        ("-a --b", (SimpleItem("", True, Run(None, "a")), SimpleItem("", False, Run(None, "b")))),
        ("- a", plain(Run(None, "a"))),
        ("a-b", plain(Run(None, "a-b"))),
        ("qu* a*b *", plain(Beginning(None, "qu"), Run(None, "a*b"), Run(None, "*"))),
        ("a\\ b \\+c d\\*", plain(Run(None, "a b"), Run(None, "+c"), Run(None, "d*"))),
        ("a~ b~1 c~0", plain(Similar(None, "a"), Similar(None, "b"), Run(None, "c"))),
        ('"a b" "c d"~3 e', plain(Phrase(None, "a b", 0), Phrase(None, "c d", 3), Run(None, "e"))),
        ('"a"~ b', plain(Phrase(None, "a", 2), Run(None, "b"))),
        ('"a"~1+b', plain(Phrase(None, "a", 1), Run(None, "b"))),
        ('"a"~', plain(Phrase(None, "a", 0))),
        ('""', (SimpleItem("", False, None),)),
        ("(a b)", plain(plain(Run(None, "a"), Run(None, "b")))),
        ("(a", plain(Run(None, "a"))),
        (")a", plain(Run(None, "a"))),
        ('"a', plain(Run(None, "a"))),
        ("+ |", ()),
        ("", ()),
    ],
)
def test_a_query_is_read_whatever_it_is(query: str, items: tuple[SimpleItem, ...]) -> None:
    """What is not closed, or stands where it means nothing, is passed over."""
    assert read_simple_query(query) == items


def test_an_operator_without_its_flag_is_a_character() -> None:
    """All of them."""
    assert read_simple_query('-a + "b"', SimpleFlags.NONE) == plain(Run(None, '-a + "b"'))


def test_brackets_within_brackets_have_a_bound() -> None:
    """Beyond what people write."""
    with pytest.raises(Unsupported, match="brackets"):
        read_simple_query("(" * 60 + "a" + ")" * 60)
