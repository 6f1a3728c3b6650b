"""Texts that a value must contain to pass a test: one search through all values leaves few that have to be tested."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.caseless import fold
from lolbin_rules.dsl.clause import Test
from lolbin_rules.dsl.column import Texts
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.predicates import Prefix, Regexp, Wildcard
from lolbin_rules.dsl.regexp_nodes import Characters, Concatenation, Node, Nodes
from lolbin_rules.dsl.regexp_syntax import read_regexp
from lolbin_rules.dsl.wildcard import read_wildcard

__all__ = ["Haystack", "needle_of"]

_SHORTEST = 3
"""Shorter texts are in too many values."""


def needle_of(test: Test) -> str | None:
    """The longest text, in lower case (A to Z), that every value passing the test contains; None if none is known."""
    match test:
        case Prefix(text):
            needles = [text]
        case Wildcard(pattern):
            symbols = read_wildcard(pattern)
            needles = "".join("\0" if symbol.is_operator else symbol.text for symbol in symbols).split("\0")
        case Regexp(pattern, flags, is_caseless):
            nodes = Nodes()
            parts = _in_sequence(read_regexp(pattern, nodes, flags, is_caseless=is_caseless))
            needles = "".join(map(_character, parts)).split("\0")
        case _:
            return None
    longest = max(needles, key=len)
    return fold(longest) if len(longest) >= _SHORTEST else None


class Haystack:
    """All texts of a dictionary as one, in lower case."""

    def __init__(self, dictionary: Sequence[Values]) -> None:
        if isinstance(dictionary, Texts):
            self._text = fold(dictionary.text)
            self._ends: list[int] = dictionary.ends[1:].tolist()
            self._codes: Sequence[int] = range(1, len(dictionary))
        else:
            texts = [(str(value), code) for code, values in enumerate(dictionary) for value in values]
            self._text = fold("".join(text for text, _ in texts))
            self._ends = np.cumsum([len(text) for text, _ in texts], dtype=np.int64).tolist()
            self._codes = [code for _, code in texts]

    @property
    def length(self) -> int:
        """How long a search is, in characters."""
        return len(self._text)

    def codes_with(self, needle: str) -> npt.NDArray[np.intp]:
        """The codes of the entries that have a text with the needle in it."""
        return np.unique(np.fromiter(self._found(needle), dtype=np.intp))

    def _found(self, needle: str) -> Iterable[int]:
        text, ends = self._text, self._ends
        position = text.find(needle)
        while position >= 0:
            place = bisect_right(ends, position)
            if position + len(needle) <= ends[place]:
                yield self._codes[place]
                position = text.find(needle, ends[place])
            else:  # across the border of two texts
                position = text.find(needle, position + 1)


def _in_sequence(node: Node) -> Iterable[Node]:
    while isinstance(node, Concatenation):
        yield node.first
        node = node.rest
    yield node


def _character(node: Node) -> str:
    """The one character that a part of a regular expression stands for, whatever its case; else a zero byte."""
    if isinstance(node, Characters):
        characters = {fold(chr(low)) if low == high else "\0" for low, high in node.ranges}
        if len(characters) == 1:
            return characters.pop()
    return "\0"
