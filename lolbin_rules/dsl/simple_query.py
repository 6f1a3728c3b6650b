"""The language of `simple_query_string` queries, in which nothing is malformed: what makes no sense is passed over."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from lolbin_rules.dsl.query_pieces import Beginning, Phrase, Run, Similar
from lolbin_rules.errors import Unsupported

__all__ = ["SimpleFlags", "SimpleItem", "SimplePiece", "read_simple_query"]

_DEEPEST = 50
_NEAR = 2
_BLANKS = " \t\n\r"
_OPERATORS = {"+": "must", "|": "should"}


class SimpleFlags(enum.IntFlag):
    """Which operators a query may use; without its flag an operator is a plain character."""

    NONE = 0
    AND = 1
    NOT = 2
    OR = 4
    PREFIX = 8
    PHRASE = 16
    PRECEDENCE = 32
    ESCAPE = 64
    WHITESPACE = 128
    FUZZY = 256
    NEAR = 512
    SLOP = 512
    ALL = 1023


@dataclass(frozen=True, slots=True)
class SimpleItem:
    """One part of a query.

    Attributes:
        operator: must, should or nothing, as it stands before the part.
        is_negated: an odd number of `-` stands right before it.
        piece: the part; a tuple is what was in brackets; None: nothing was in them, or between quotation marks.
    """

    operator: str
    is_negated: bool
    piece: SimplePiece | None


SimplePiece: TypeAlias = Run | Phrase | Beginning | Similar | tuple[SimpleItem, ...]


def read_simple_query(query: str, flags: SimpleFlags = SimpleFlags.ALL) -> tuple[SimpleItem, ...]:
    """The parts in order.

    Raises:
        Unsupported: brackets go too deep.
    """
    return _Reader(query, flags, 0).items()


class _Reader:
    """Goes through a query, or what is in brackets, once."""

    def __init__(self, query: str, flags: SimpleFlags, depth: int) -> None:
        if depth > _DEEPEST:
            raise Unsupported(
                f"simple_query_string: brackets go deeper than {_DEEPEST} levels, which the embedded store does not "
                "follow. Write the query with fewer brackets."
            )
        self._query = query
        self._flags = flags
        self._depth = depth
        self._position = 0
        self._items: list[SimpleItem] = []
        self._operator = ""
        self._minuses = 0

    def items(self) -> tuple[SimpleItem, ...]:
        while self._position < len(self._query):
            if self._is("-", SimpleFlags.NOT):
                self._minuses += 1
                self._position += 1
                continue
            self._part()
            self._minuses = 0
        return tuple(self._items)

    def _part(self) -> None:
        if self._is("(", SimpleFlags.PRECEDENCE):
            self._group()
        elif self._is(")", SimpleFlags.PRECEDENCE):
            self._position += 1
        elif self._is('"', SimpleFlags.PHRASE):
            self._phrase()
        elif self._is("+", SimpleFlags.AND) or self._is("|", SimpleFlags.OR):
            self._operator = self._operator or _OPERATORS[self._query[self._position]]
            self._position += 1
        elif self._is(_BLANKS, SimpleFlags.WHITESPACE):
            self._position += 1
        else:
            self._token()

    def _group(self) -> None:
        start = position = self._position + 1
        open_ones = 1
        while position < len(self._query):
            character = self._query[position]
            if character == "\\" and self._flags & SimpleFlags.ESCAPE:
                position += 2
                continue
            open_ones += {"(": 1, ")": -1}.get(character, 0)
            if not open_ones:
                break
            position += 1
        if position >= len(self._query):  # it is never closed, and so means nothing
            self._position = start
            return
        inside = self._query[start:position]
        self._add(_Reader(inside, self._flags, self._depth + 1).items() if inside else None)
        self._position = position + 1

    def _phrase(self) -> None:
        start = position = self._position + 1
        text = ""
        while position < len(self._query) and self._query[position] != '"':
            if self._query[position] == "\\" and self._flags & SimpleFlags.ESCAPE:
                position += 1
            text += self._query[position : position + 1]
            position += 1
        if position >= len(self._query):
            self._position = start
            return
        self._position = position + 1
        has_slop = self._is("~", SimpleFlags.NEAR)
        is_last = self._position + 1 >= len(self._query)
        slop = self._number() if has_slop else 0
        self._position += has_slop  # what comes right behind the number is lost
        self._add(Phrase(None, text, 0 if is_last else slop) if has_slop or position > start else None)

    def _token(self) -> None:
        text = ""
        is_prefix = is_escaped = False
        while self._position < len(self._query):
            character = self._query[self._position]
            if not is_escaped and character == "\\" and self._flags & SimpleFlags.ESCAPE:
                is_escaped, is_prefix = True, False
                self._position += 1
                continue
            if not is_escaped and self._ends_token():
                break
            if not is_escaped and text and self._is("~", SimpleFlags.FUZZY):
                distance = self._number()
                self._add(Similar(None, text) if distance else Run(None, text))
                return
            is_prefix = bool(text) and not is_escaped and character == "*"
            is_escaped = False
            text += character
            self._position += 1
        if text:
            has_prefix = is_prefix and bool(self._flags & SimpleFlags.PREFIX)
            self._add(Beginning(None, text[:-1]) if has_prefix else Run(None, text))

    def _number(self) -> int:
        """What stands after `~`, up to the end of the token; 2 where nothing does, 0 where no number does."""
        self._position += 1
        start = self._position
        while self._position < len(self._query) and not self._ends_token():
            self._position += 1
        digits = self._query[start : self._position]
        if not digits:
            return _NEAR
        return int(digits) if digits.isascii() and digits.removeprefix("+").isdigit() else 0

    def _ends_token(self) -> bool:
        return (
            self._is('"', SimpleFlags.PHRASE)
            or self._is("|", SimpleFlags.OR)
            or self._is("+", SimpleFlags.AND)
            or self._is("()", SimpleFlags.PRECEDENCE)
            or self._is(_BLANKS, SimpleFlags.WHITESPACE)
        )

    def _is(self, characters: str, flag: SimpleFlags) -> bool:
        if self._position >= len(self._query) or not self._flags & flag:
            return False
        return self._query[self._position] in characters

    def _add(self, piece: SimplePiece | None) -> None:
        self._items.append(SimpleItem(self._operator, self._minuses % 2 == 1, piece))
        self._operator = ""
