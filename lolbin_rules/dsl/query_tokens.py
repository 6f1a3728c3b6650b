"""The tokens of `query_string` queries."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lolbin_rules.errors import StoreRejected

__all__ = ["Kind", "Token", "fault", "tokens"]


class Kind(enum.Enum):
    """Kinds of tokens; of several that match the longest is taken, of the longest the first."""

    AND = enum.auto()
    OR = enum.auto()
    NOT = enum.auto()
    PLUS = enum.auto()
    MINUS = enum.auto()
    BARE = enum.auto()
    OPEN = enum.auto()
    CLOSE = enum.auto()
    COLON = enum.auto()
    STAR = enum.auto()
    CARET = enum.auto()
    QUOTED = enum.auto()
    TERM = enum.auto()
    SLOP = enum.auto()
    PREFIX = enum.auto()
    WILD = enum.auto()
    REGEXP = enum.auto()
    RANGE_IN = enum.auto()
    RANGE_OUT = enum.auto()
    NUMBER = enum.auto()
    TO = enum.auto()
    END_IN = enum.auto()
    END_OUT = enum.auto()
    LIMIT_QUOTED = enum.auto()
    LIMIT = enum.auto()
    END = enum.auto()


_BLANK = " \t\n\r\u3000"
_START = rf"(?:[^{_BLANK}+\-!():^\[\]\"{{}}~*?\\/]|\\[\s\S])"
_CHARACTER = rf"(?:{_START}|[-+])"
_PATTERNS = {
    Kind.AND: r"AND|&&",
    Kind.OR: r"OR|\|\|",
    Kind.NOT: r"NOT|!",
    Kind.PLUS: r"\+",
    Kind.MINUS: r"-",
    Kind.BARE: rf"[-+!][{_BLANK}]",
    Kind.OPEN: r"\(",
    Kind.CLOSE: r"\)",
    Kind.COLON: r":",
    Kind.STAR: r"\*",
    Kind.CARET: r"\^",
    Kind.QUOTED: r'"(?:[^"\\]|\\[\s\S])*+"',
    Kind.TERM: rf"{_START}{_CHARACTER}*+",
    Kind.SLOP: rf"~{_CHARACTER}*+",
    Kind.PREFIX: rf"(?:{_START}{_CHARACTER}*+)?\*",
    Kind.WILD: rf"(?:{_START}|[*?])(?:{_CHARACTER}|[*?])*+",
    Kind.REGEXP: r"/(?:\\/|[^/])*/",
    Kind.RANGE_IN: r"\[",
    Kind.RANGE_OUT: r"\{",
}
_WEIGHT_PATTERNS = {Kind.NUMBER: r"[0-9]+(?:\.[0-9]+)?"}
_RANGE_PATTERNS = {
    Kind.TO: r"TO",
    Kind.END_IN: r"\]",
    Kind.END_OUT: r"\}",
    Kind.LIMIT_QUOTED: r'"(?:\\"|[^"])+"',
    Kind.LIMIT: r"[^ \]}]+",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token, its text and where it begins."""

    kind: Kind
    text: str
    position: int


def _compiled(patterns: dict[Kind, str]) -> list[tuple[Kind, re.Pattern[str]]]:
    return [(kind, re.compile(pattern)) for kind, pattern in patterns.items()]


_DEFAULT, _WEIGHT, _RANGE = _compiled(_PATTERNS), _compiled(_WEIGHT_PATTERNS), _compiled(_RANGE_PATTERNS)
_BLANKS = re.compile(f"[{_BLANK}]*")
_NEXT_STATE = {
    Kind.CARET: _WEIGHT,
    Kind.NUMBER: _DEFAULT,
    Kind.RANGE_IN: _RANGE,
    Kind.RANGE_OUT: _RANGE,
    Kind.END_IN: _DEFAULT,
    Kind.END_OUT: _DEFAULT,
}


def tokens(query: str) -> Iterator[Token]:
    """The tokens in order, the end last.

    Raises:
        StoreRejected: something is no token.
    """
    state, position = _DEFAULT, 0
    while True:
        if state is not _WEIGHT:
            blanks = _BLANKS.match(query, position)
            position = blanks.end() if blanks else position
        if position == len(query):
            yield Token(Kind.END, "", position)
            return
        kind, end = Kind.END, position
        for candidate, pattern in state:
            found = pattern.match(query, position)
            if found and found.end() > end:
                kind, end = candidate, found.end()
        if kind is Kind.END:
            raise fault(query, position, "nothing can begin so, or it is not finished")
        yield Token(kind, query[position:end], position)
        state, position = _NEXT_STATE.get(kind, state), end


def fault(query: str, position: int, what: str) -> StoreRejected:
    """The error for a query that is not well-formed, with the place."""
    return StoreRejected(
        f"query_string [{query}]: at position {position}: {what}; Elasticsearch refuses such a query. "
        "Correct it, or put a backslash before what is meant as a plain character."
    )
