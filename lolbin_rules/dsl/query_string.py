"""The language of `query_string` queries: text in, what was written out; what it means is decided elsewhere.

It is Lucene's classic query language. Two of its habits matter: words that follow each other without an operator are
one piece of text (`Run`), unless what comes after them binds to the last one; and AND, OR, NOT, + and - are no
operators in a tree but marks on the clauses beside them: `a OR b AND c` requires b and c and leaves a optional.
"""

from __future__ import annotations

import math
import re

from lolbin_rules.dsl.numerals import parse_double
from lolbin_rules.dsl.query_pieces import Beginning, Group, Item, Pattern, Phrase, Piece, Run, Similar, Span, Spelling
from lolbin_rules.dsl.query_tokens import Kind, Token, fault, tokens
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["escape", "read_query_string"]

_DEEPEST = 50
"""Brackets within brackets; a node goes deeper, but no query that a person reads does."""

_BLANKS = "".join(map(chr, range(ord(" ") + 1)))
"""What Java's `trim` takes off: no blanks beyond ASCII."""


def read_query_string(query: str) -> Group | None:
    """What was written; None if it was nothing.

    Raises:
        StoreRejected: it is not well-formed.
        Unsupported: its brackets go too deep.
    """
    if not query.strip(_BLANKS):
        return None
    return _Reader(query).whole()


def escape(query: str) -> str:
    """The query with a backslash before everything that could mean something."""
    return re.sub(r'([\\+\-!():^\[\]"{}~*?|&/])', r"\\\1", query)


_BINDS_TO_LAST = frozenset({Kind.COLON, Kind.STAR, Kind.SLOP, Kind.CARET, Kind.AND, Kind.OR})
"""What comes after a run of words and belongs to the last one alone, which is then no part of the run."""


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._left = list(tokens(query))
        self._place = 0
        self._depth = 0

    def whole(self) -> Group:
        group = self._group(None)
        if self._kind() is not Kind.END:
            raise self._unexpected()
        return group

    def _group(self, field: str | None) -> Group:
        items = [self._item(field, "")]
        while self._kind() not in {Kind.END, Kind.CLOSE}:
            conjunction = self._token().kind.name if self._kind() in {Kind.AND, Kind.OR} else ""
            items.append(self._item(field, conjunction))
        return Group(tuple(items))

    def _item(self, field: str | None, conjunction: str) -> Item:
        if not conjunction and self._is_run():
            return Item("", "", self._run(field))
        mark = ""
        if self._kind() in {Kind.NOT, Kind.MINUS, Kind.PLUS}:
            mark = "+" if self._token().kind is Kind.PLUS else "-"
        return Item(conjunction, mark, self._clause(field))

    def _is_run(self) -> bool:
        kinds = [self._kind(ahead) for ahead in range(3)]
        return kinds[0] is Kind.TERM and kinds[1] is Kind.TERM and kinds[2] not in _BINDS_TO_LAST

    def _run(self, field: str | None) -> Run:
        words = [self._plain(self._token().text)]
        while self._kind() is Kind.TERM and self._kind(1) not in _BINDS_TO_LAST:
            words.append(self._plain(self._token().text))
        return Run(field, " ".join(words), is_single=False)

    def _clause(self, field: str | None) -> Piece:
        if self._kind() in {Kind.TERM, Kind.STAR} and self._kind(1) is Kind.COLON:
            field = self._plain(self._token().text)
            self._token()
        if self._kind() is not Kind.OPEN:
            return self._term(field)
        self._token()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unsupported(
                f"query_string [{self._query}]: brackets go deeper than {_DEEPEST} levels, which the embedded store "
                "does not follow. Write the query with fewer brackets."
            )
        group = self._group(field)
        self._depth -= 1
        self._expect(Kind.CLOSE)
        if self._kind() is Kind.CARET:
            self._weight()
        return group

    def _term(self, field: str | None) -> Piece:
        token = self._token()
        if token.kind in {Kind.RANGE_IN, Kind.RANGE_OUT}:
            return self._span(field, includes_low=token.kind is Kind.RANGE_IN)
        if token.kind not in {*_MAKES, Kind.TERM, Kind.BARE, Kind.QUOTED}:
            raise self._unexpected(token)
        slop = self._slop_and_weight()
        if token.kind is Kind.QUOTED:
            return Phrase(field, self._plain(token.text[1:-1]), _whole(slop))
        if token.kind in _MAKES:
            return self._special(field, token)
        text = self._plain(token.text[:1] if token.kind is Kind.BARE else token.text)
        if slop is not None and not _FUZZINESS.fullmatch(slop[1:]):
            raise fault(self._query, token.position, f"{slop!r} is no distance of words, which is 0, 1 or 2")
        return Run(field, text) if slop is None else Similar(field, text)

    def _special(self, field: str | None, token: Token) -> Piece:
        if token.kind is Kind.PREFIX:
            return Beginning(field, self._plain(token.text[:-1]))
        return Spelling(field, token.text[1:-1]) if token.kind is Kind.REGEXP else Pattern(field, token.text)

    def _slop_and_weight(self) -> str | None:
        """What stands after `~`; weights may stand on either side of it."""
        has_weight = self._kind() is Kind.CARET
        if has_weight:
            self._weight()
        slop = self._token().text if self._kind() is Kind.SLOP else None
        if not has_weight and slop is not None and self._kind() is Kind.CARET:
            self._weight()
        return slop

    def _span(self, field: str | None, *, includes_low: bool) -> Span:
        low = self._limit()
        self._expect(Kind.TO)
        high = self._limit()
        end = self._token()
        if end.kind not in {Kind.END_IN, Kind.END_OUT}:
            raise self._unexpected(end)
        if self._kind() is Kind.CARET:
            self._weight()
        return Span(field, low, high, includes_low, end.kind is Kind.END_IN)

    def _limit(self) -> str | None:
        token = self._token()
        if token.kind is Kind.LIMIT_QUOTED:
            return _unless_open(self._plain(token.text[1:-1]))
        if token.kind not in {Kind.LIMIT, Kind.TO}:
            raise self._unexpected(token)
        if _ESCAPED.sub("", token.text).endswith("\\"):
            # Within brackets a backslash does not keep a limit from ending at a blank.
            raise fault(self._query, token.position, "a limit cannot end with a backslash")
        return _unless_open(self._plain(token.text))

    def _weight(self) -> None:
        self._token()
        self._expect(Kind.NUMBER)

    def _plain(self, text: str) -> str:
        """The text without the backslashes before characters, of which one with `u0041` is A."""
        return _ESCAPED.sub(self._unescaped, text)

    def _unescaped(self, found: re.Match[str]) -> str:
        escaped = found[1]
        if escaped == "u":
            position = self._left[self._place - 1].position
            raise fault(self._query, position, "after a backslash and u, four hexadecimal digits are expected")
        return chr(int(escaped[1:], 16)) if len(escaped) > 1 else escaped

    def _kind(self, ahead: int = 0) -> Kind:
        return self._left[min(self._place + ahead, len(self._left) - 1)].kind

    def _token(self) -> Token:
        token = self._left[self._place]
        self._place = min(self._place + 1, len(self._left) - 1)
        return token

    def _expect(self, kind: Kind) -> None:
        token = self._token()
        if token.kind is not kind:
            raise self._unexpected(token)

    def _unexpected(self, token: Token | None = None) -> StoreRejected:
        token = token or self._left[self._place]
        found = f"{token.text!r} is" if token.text else "the end is"
        return fault(self._query, token.position, f"{found} not expected")


def _whole(slop: str | None) -> int | None:
    """The number after `~`, without its fraction; None if there is none."""
    try:
        number = parse_double(slop[1:]) if slop else math.nan
    except ValueError:
        return None
    return int(number) if math.isfinite(number) else None


_FUZZINESS = re.compile(r"([0-2](\.0*)?|AUTO(:[0-9]+,[0-9]+)?)?")
_MAKES = frozenset({Kind.STAR, Kind.PREFIX, Kind.WILD, Kind.REGEXP})
_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|[\s\S])")


def _unless_open(limit: str) -> str | None:
    """A star is no limit, even one in quotes or behind a backslash."""
    return None if limit == "*" else limit
