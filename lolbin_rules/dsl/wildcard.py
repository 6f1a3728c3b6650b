"""Wildcard patterns: `*` is any text, `?` one character, a backslash takes what follows it as it is.

A pattern is cut at its `*` into pieces of fixed length. The first and the last have their place in the text, each of
the others is found from left to right after the one before: no backtracking, and time linear in the length of the text.

What is easily got wrong, told by a node: the empty pattern matches nothing, not even the empty text; a backslash at the
end stands for itself; an escaped letter keeps its case even where the pattern is caseless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lolbin_rules.dsl.caseless import fold, has_case, other_case

__all__ = ["Symbol", "compile_wildcard", "escape_wildcard", "exact_text", "read_wildcard", "simple_pattern"]

ANY_TEXT = "*"
ANY_CHARACTER = "?"


@dataclass(frozen=True, slots=True)
class Symbol:
    """One part of a pattern.

    Attributes:
        text: one character.
        is_operator: it is a `*` or `?` that is not escaped.
        is_escaped: a backslash stood before it.
    """

    text: str
    is_operator: bool = False
    is_escaped: bool = False


def read_wildcard(pattern: str) -> list[Symbol]:
    """The pattern's parts in order."""
    symbols: list[Symbol] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            following = next(characters, None)
            symbols.append(Symbol("\\") if following is None else Symbol(following, is_escaped=True))
        else:
            symbols.append(Symbol(character, is_operator=character in {ANY_TEXT, ANY_CHARACTER}))
    return symbols


def escape_wildcard(text: str) -> str:
    """A pattern that matches just the text (or nothing, if it is empty)."""
    return re.sub(r"([*?\\])", r"\\\1", text)


def simple_pattern(text: str) -> str:
    """A pattern in which only the `*` of the text mean something, as in names of fields and indices."""
    return ANY_TEXT.join(map(escape_wildcard, text.split(ANY_TEXT)))


def exact_text(pattern: str, *, is_caseless: bool = False) -> str | None:
    """The only text that the pattern matches (caseless: but for its case); None if there are others or none."""
    symbols = read_wildcard(pattern)
    if not symbols or any(symbol.is_operator for symbol in symbols):
        return None
    if is_caseless and any(symbol.is_escaped and has_case(symbol.text) for symbol in symbols):
        return None
    return "".join(symbol.text for symbol in symbols)


def compile_wildcard(pattern: str, *, is_caseless: bool = False) -> Callable[[str], bool]:
    """A function that tells whether a whole text matches the pattern."""
    symbols = read_wildcard(pattern)
    if not symbols:
        return _never
    if not is_caseless:
        return _matcher(_cut(symbols, _piece))
    if any(symbol.is_escaped and has_case(symbol.text) for symbol in symbols):
        return _matcher(_cut(symbols, _mixed_piece))
    folded = [Symbol(fold(symbol.text), symbol.is_operator) for symbol in symbols]
    matches = _matcher(_cut(folded, _piece))
    return lambda text: matches(fold(text))


class _Piece(Protocol):
    """A part of the pattern without `*`; all texts that it matches have the same length."""

    @property
    def length(self) -> int: ...

    def stands_at(self, text: str, position: int) -> bool: ...

    def find(self, text: str, start: int, end: int) -> int: ...


_Pieces: TypeAlias = Sequence[_Piece]


@dataclass(frozen=True, slots=True)
class _Literal:
    text: str

    @property
    def length(self) -> int:
        return len(self.text)

    def stands_at(self, text: str, position: int) -> bool:
        return text.startswith(self.text, position)

    def find(self, text: str, start: int, end: int) -> int:
        return text.find(self.text, start, end)


@dataclass(frozen=True, slots=True)
class _Mask:
    pattern: re.Pattern[str]
    length: int

    def stands_at(self, text: str, position: int) -> bool:
        return self.pattern.match(text, position) is not None

    def find(self, text: str, start: int, end: int) -> int:
        found = self.pattern.search(text, start, end)
        return -1 if found is None else found.start()


def _cut(symbols: Sequence[Symbol], make: Callable[[Sequence[Symbol]], _Piece]) -> list[_Piece]:
    """The pieces between the `*`, the first and the last of which may be empty; one piece if there is no `*`."""
    pieces: list[list[Symbol]] = [[]]
    for symbol in symbols:
        if symbol.is_operator and symbol.text == ANY_TEXT:
            pieces.append([])
        else:
            pieces[-1].append(symbol)
    inner = [piece for piece in pieces[1:-1] if piece]
    return [make(piece) for piece in (pieces[0], *inner, *pieces[1:][-1:])]


def _piece(symbols: Sequence[Symbol]) -> _Piece:
    if any(symbol.is_operator for symbol in symbols):
        source = "".join("." if symbol.is_operator else re.escape(symbol.text) for symbol in symbols)
        return _Mask(re.compile(source, re.DOTALL), len(symbols))
    return _Literal("".join(symbol.text for symbol in symbols))


def _mixed_piece(symbols: Sequence[Symbol]) -> _Piece:
    """A caseless piece of which some letters keep their case."""
    return _Mask(re.compile("".join(map(_either_case, symbols)), re.DOTALL), len(symbols))


def _either_case(symbol: Symbol) -> str:
    if symbol.is_operator:
        return "."
    if symbol.is_escaped or not has_case(symbol.text):
        return re.escape(symbol.text)
    return f"[{symbol.text}{other_case(symbol.text)}]"


def _matcher(pieces: _Pieces) -> Callable[[str], bool]:
    if len(pieces) == 1:
        return _whole(pieces[0])
    first, *inner, last = pieces
    return _simple(first, inner, last) or _in_order(first, inner, last)


def _whole(piece: _Piece) -> Callable[[str], bool]:
    length = piece.length
    return lambda text: len(text) == length and piece.stands_at(text, 0)


def _simple(first: _Piece, inner: _Pieces, last: _Piece) -> Callable[[str], bool] | None:
    """The patterns that people write most: `a*`, `*a` and `*a*`."""
    if not (isinstance(first, _Literal) and isinstance(last, _Literal)):
        return None
    prefix, suffix = first.text, last.text
    if not inner and not suffix:
        return lambda text: text.startswith(prefix)
    if not inner and not prefix:
        return lambda text: text.endswith(suffix)
    if len(inner) == 1 and isinstance(inner[0], _Literal) and not prefix and not suffix:
        part = inner[0].text
        return lambda text: part in text
    return None


def _in_order(first: _Piece, inner: _Pieces, last: _Piece) -> Callable[[str], bool]:
    start, tail = first.length, last.length

    def matches(text: str) -> bool:
        end = len(text) - tail
        if end < start or not first.stands_at(text, 0) or not last.stands_at(text, end):
            return False
        position = start
        for piece in inner:
            found = piece.find(text, position, end)
            if found < 0:
                return False
            position = found + piece.length
        return True

    return matches


def _never(text: str) -> bool:
    del text
    return False
