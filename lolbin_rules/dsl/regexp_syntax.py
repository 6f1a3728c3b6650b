"""The syntax of Lucene's regular expressions, read into nodes.

A pattern matches whole texts; `^` and `$` mean nothing special, `.` is any character, line ends included. From loose to
tight: `|`, `&`, one after the other, `? * + {n} {n,} {n,m}`, `~`. Operators where no operand stands before them are
plain characters, such as the first of `*a` or of `(|a)`. Everything here was tried on an 8.19.9 node.
"""

from __future__ import annotations

import enum
import string
from collections.abc import Callable

from lolbin_rules.dsl.caseless import has_case, other_case
from lolbin_rules.dsl.regexp_intervals import numbers_between
from lolbin_rules.dsl.regexp_nodes import ALL_CHARACTERS, Node, Nodes, Ranges, without
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["Flags", "read_regexp"]

_LARGEST = 2**31 - 1
_DEEPEST = 50
"""Brackets within brackets; a node goes deeper, but no pattern that a person reads does."""

_MOST_STATES = 2000

_DIGITS: Ranges = ((ord("0"), ord("9")),)
_WORD: Ranges = ((ord("0"), ord("9")), (ord("A"), ord("Z")), (ord("_"), ord("_")), (ord("a"), ord("z")))
_SPACES: Ranges = ((ord("\t"), ord("\n")), (ord("\r"), ord("\r")), (ord(" "), ord(" ")))
_CLASSES = {
    "d": _DIGITS,
    "D": without(_DIGITS),
    "w": _WORD,
    "W": without(_WORD),
    "s": _SPACES,
    "S": without(_SPACES),
}


class Flags(enum.IntFlag):
    """Which optional operators a pattern may use; without its flag an operator is a plain character."""

    NONE = 0
    INTERSECTION = 1
    COMPLEMENT = 2
    EMPTY = 4
    ANYSTRING = 8
    NAMED = 16
    INTERVAL = 32
    ALL = 255


def read_regexp(pattern: str, nodes: Nodes, flags: Flags = Flags.ALL, *, is_caseless: bool = False) -> Node:
    """The pattern as a node.

    Raises:
        StoreRejected: it is not well-formed.
        Unsupported: its brackets go too deep.
    """
    if not pattern:
        return nodes.nothing if is_caseless else nodes.empty
    return _Reader(pattern, nodes, flags, is_caseless=is_caseless).whole()


class _Reader:
    """Goes through a pattern once, from left to right."""

    def __init__(self, pattern: str, nodes: Nodes, flags: Flags, *, is_caseless: bool) -> None:
        self._pattern = pattern
        self._nodes = nodes
        self._flags = flags
        self._is_caseless = is_caseless
        self._position = 0
        self._depth = 0
        self._is_void = False  # what was read last is an empty text in a caseless pattern

    def whole(self) -> Node:
        node = self._alternatives()
        if self._position < len(self._pattern):
            raise self._fault("something stands after the end, such as a `)` too many")
        return node

    def _alternatives(self) -> Node:
        parts = [self._conjunction()]
        while self._take("|"):
            parts.append(self._conjunction())
            self._is_void = False
        return self._nodes.union(parts)

    def _conjunction(self) -> Node:
        parts = [self._sequence()]
        while self._is_on(Flags.INTERSECTION) and self._take("&"):
            parts.append(self._sequence())
            self._is_void = False
        return self._nodes.intersection(parts)

    def _sequence(self) -> Node:
        ends = ")|&" if self._is_on(Flags.INTERSECTION) else ")|"
        parts = [self._repeated()]
        has_void = self._is_void
        while self._position < len(self._pattern) and not self._peek(ends):
            parts.append(self._repeated())
            has_void = has_void or self._is_void
        if has_void and len(parts) > 1:
            raise Unsupported(
                f"regexp [{self._pattern}]: in a caseless pattern, what an empty group means depends on its neighbours "
                "in ways that the embedded store does not follow. Leave the group out."
            )
        return self._nodes.sequence(parts)

    def _repeated(self) -> Node:
        node = self._complemented()
        while self._peek("?*+{"):
            self._is_void = False
            match self._next():
                case "?":
                    node = self._nodes.repetition(node, 0, 1)
                case "*":
                    node = self._any_number(node, 0)
                case "+":
                    node = self._any_number(node, 1)
                case _:
                    least, most = self._bounds()
                    node = self._any_number(node, least) if most is None else self._nodes.repetition(node, least, most)
        return node

    def _any_number(self, node: Node, least: int) -> Node:
        """As often as one likes; what matches nothing at all then matches not even the empty text, as in Lucene."""
        is_nothing = self._nodes.is_nothing(node, _MOST_STATES)
        if is_nothing is None:
            raise Unsupported(
                f"regexp [{self._pattern}]: at position {self._position}: what is repeated is too complex for the "
                "embedded store to tell whether it matches anything. Write it with fewer complements or intersections."
            )
        return self._nodes.nothing if is_nothing else self._nodes.repetition(node, least, None)

    def _bounds(self) -> tuple[int, int | None]:
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = self._number() if self._peek(string.digits) else None
        self._expect("}")
        if most is not None and most < least:
            raise self._fault(f"{{{least},{most}}} is out of order")
        return least, most

    def _number(self) -> int:
        start = self._position
        while self._peek(string.digits):
            self._position += 1
        if start == self._position:
            raise self._fault("a number is expected")
        return self._as_int(self._pattern[start : self._position])

    def _complemented(self) -> Node:
        count = 0
        while self._is_on(Flags.COMPLEMENT) and self._take("~"):
            count += 1
        node = self._simple()
        self._is_void = self._is_void and not count
        return self._nodes.complement(node) if count % 2 else node

    def _simple(self) -> Node:
        nodes = self._nodes
        self._is_void = False
        readings: tuple[tuple[str, Flags, Callable[[], Node]], ...] = (
            ("[", Flags.NONE, self._set),
            (".", Flags.NONE, lambda: nodes.characters(ALL_CHARACTERS)),
            ("#", Flags.EMPTY, lambda: nodes.nothing),
            ("@", Flags.ANYSTRING, lambda: nodes.anything),
            ('"', Flags.NONE, self._quoted),
            ("(", Flags.NONE, self._group),
            ("<", Flags.INTERVAL | Flags.NAMED, self._interval),
        )
        for character, flags, read in readings:
            if (flags is Flags.NONE or self._is_on(flags)) and self._take(character):
                return read()
        predefined = self._predefined()
        return nodes.characters(predefined or self._either_case(self._character()))

    def _group(self) -> Node:
        if self._take(")"):
            return self._no_text()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unsupported(
                f"regexp [{self._pattern}]: brackets go deeper than {_DEEPEST} levels, which the embedded store does "
                "not follow. Write the pattern with fewer brackets."
            )
        node = self._alternatives()
        self._depth -= 1
        self._expect(")")
        return node

    def _no_text(self) -> Node:
        """`()` and an empty quotation: the empty text, but nothing at all in a caseless pattern."""
        self._is_void = self._is_caseless
        return self._nodes.nothing if self._is_caseless else self._nodes.empty

    def _quoted(self) -> Node:
        start = self._position
        while self._position < len(self._pattern) and not self._peek('"'):
            self._position += 1
        self._expect('"')
        text = self._pattern[start : self._position - 1]
        if not text:
            return self._no_text()
        return self._nodes.sequence([self._nodes.characters(self._either_case(ord(each))) for each in text])

    def _set(self) -> Node:
        is_negated = self._take("^")
        ranges = [*self._member()]
        while self._position < len(self._pattern) and not self._peek("]"):
            ranges += self._member()
        self._expect("]")
        return self._nodes.characters(without(ranges) if is_negated else ranges)

    def _member(self) -> Ranges:
        predefined = self._predefined()
        if predefined:
            return predefined
        # Lucene reads an escaped backslash as it reads a class: a dash behind it begins no range.
        is_backslash = self._pattern.startswith("\\\\", self._position)
        low = self._character()
        if is_backslash or not self._take("-"):
            return self._either_case(low)
        high = self._character()
        if low > high:
            raise self._fault(f"the range from {chr(low)!r} to {chr(high)!r} is out of order")
        return ((low, high),)  # a range keeps its case, even in a caseless pattern

    def _predefined(self) -> Ranges:
        """A class such as backslash and d; nothing, and nothing read, where none stands here."""
        following = self._pattern[self._position : self._position + 2]
        if len(following) < 2 or following[0] != "\\" or following[1] not in string.ascii_letters:  # noqa: PLR2004 - backslash and letter
            return ()
        if following[1] not in _CLASSES:
            raise self._fault(f"{following} is no class of characters")
        self._position += 2
        return _CLASSES[following[1]]

    def _interval(self) -> Node:
        start = self._position
        while self._position < len(self._pattern) and not self._peek(">"):
            self._position += 1
        self._expect(">")
        content = self._pattern[start : self._position - 1]
        low, dash, high = content.partition("-")
        if not dash and not self._is_on(Flags.NAMED):
            raise self._fault("an interval such as <1-10> is expected")
        if not dash:
            raise self._fault(f"<{content}> names an automaton, and there are none")
        if not self._is_on(Flags.INTERVAL):
            raise self._fault(f"<{content}> is no name of an automaton")
        bounds = sorted((self._as_int(low), self._as_int(high)))
        return numbers_between(self._nodes, bounds[0], bounds[1], digits=len(low) if len(low) == len(high) else 0)

    def _as_int(self, digits: str) -> int:
        if not (digits.isascii() and digits.isdigit()) or int(digits) > _LARGEST:
            raise self._fault(f"{digits!r} is no number between 0 and {_LARGEST}")
        return int(digits)

    def _character(self) -> int:
        self._take("\\")
        return ord(self._next())

    def _either_case(self, character: int) -> Ranges:
        ranges = [(character, character)]
        if self._is_caseless and has_case(chr(character)):
            other = ord(other_case(chr(character)))
            ranges.append((other, other))
        return tuple(ranges)

    def _is_on(self, flags: Flags) -> bool:
        return bool(self._flags & flags)

    def _peek(self, characters: str) -> bool:
        return self._position < len(self._pattern) and self._pattern[self._position] in characters

    def _take(self, character: str) -> bool:
        if not self._peek(character):
            return False
        self._position += 1
        return True

    def _next(self) -> str:
        if self._position >= len(self._pattern):
            raise self._fault("it ends where something is expected")
        self._position += 1
        return self._pattern[self._position - 1]

    def _expect(self, character: str) -> None:
        if not self._take(character):
            raise self._fault(f"{character!r} is expected")

    def _fault(self, what: str) -> StoreRejected:
        return StoreRejected(
            f"regexp [{self._pattern}]: at position {self._position}: {what}; Elasticsearch refuses such a pattern. "
            "Correct it, or put a backslash before what is meant as a plain character."
        )
