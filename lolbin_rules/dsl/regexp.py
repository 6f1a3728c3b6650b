"""Matches Lucene's regular expressions in time linear in the length of the text.

A pattern's derivatives are the states of an automaton that is built while texts are read; what one text has taught the
next one finds. Nothing is ever tried twice, so there is no pattern whose time explodes as it does with backtracking.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lolbin_rules.dsl.caseless import has_case, other_case
from lolbin_rules.dsl.regexp_nodes import Characters, Concatenation, Node, Nodes
from lolbin_rules.dsl.regexp_syntax import Flags, read_regexp
from lolbin_rules.dsl.wildcard import compile_wildcard
from lolbin_rules.errors import Unsupported

__all__ = ["Flags", "compile_regexp", "only_text"]

_MOST_TRANSITIONS = 20_000
"""When an automaton remembers more, it forgets everything and begins anew."""
_MOST_EFFORT = 5_000_000
"""Nodes looked at for one text; beyond that a pattern is too complex to be used."""


def compile_regexp(pattern: str, flags: Flags = Flags.ALL, *, is_caseless: bool = False) -> Callable[[str], bool]:
    """A function that tells whether a whole text matches the pattern.

    Raises:
        StoreRejected: the pattern is not well-formed.
        Unsupported: its brackets go too deep. The function raises it as well, for a pattern too complex for the text.
    """
    nodes = Nodes()
    start = read_regexp(pattern, nodes, flags, is_caseless=is_caseless)
    if start is nodes.nothing:
        return lambda _text: False
    if start is not nodes.empty and (wildcard := _as_wildcard(nodes, start, is_caseless=is_caseless)):
        return compile_wildcard(wildcard, is_caseless=is_caseless)
    return _Automaton(pattern, flags, is_caseless=is_caseless).matches


def only_text(pattern: str, flags: Flags = Flags.ALL) -> str | None:
    """The only text that the pattern matches; None if there are others or none. Raises as `compile_regexp`."""
    nodes = Nodes()
    node = read_regexp(pattern, nodes, flags)
    parts = [] if node is nodes.empty else [_single(part) for part in _in_sequence(node)]
    return None if None in parts else "".join(part for part in parts if part is not None)


def _as_wildcard(nodes: Nodes, start: Node, *, is_caseless: bool) -> str | None:
    """The same as a wildcard pattern, where the expression is nothing more: `.*`, `.` and single characters."""
    any_character = nodes.characters([(0, 0x10FFFF)])
    parts: list[str] = []
    for part in _in_sequence(start):
        single = _single(part)
        if part is nodes.anything:
            parts.append("*")
        elif part is any_character:
            parts.append("?")
        elif single is not None:
            parts.append(f"\\{single}")
        elif is_caseless and (letter := _letter(part)) is not None:
            parts.append(letter)
        else:
            return None
    return "".join(parts)


def _in_sequence(node: Node) -> Iterator[Node]:
    while isinstance(node, Concatenation):
        yield node.first
        node = node.rest
    yield node


def _single(node: Node) -> str | None:
    if isinstance(node, Characters) and len(node.ranges) == 1 and node.ranges[0][0] == node.ranges[0][1]:
        return chr(node.ranges[0][0])
    return None


def _letter(node: Node) -> str | None:
    """The letter, where the node is one letter in either case."""
    if not isinstance(node, Characters):
        return None
    characters = [chr(low) for low, high in node.ranges if low == high]
    is_pair = len(characters) == len(node.ranges) == 2  # noqa: PLR2004 - upper and lower case
    return characters[1] if is_pair and has_case(characters[0]) and other_case(characters[0]) == characters[1] else None


@dataclass(eq=False, slots=True)
class _State:
    node: Node
    following: dict[str, _State] = field(default_factory=dict)


class _Automaton:
    """The states of one pattern as far as they are known."""

    def __init__(self, pattern: str, flags: Flags, *, is_caseless: bool) -> None:
        self._pattern = pattern
        self._flags = flags
        self._is_caseless = is_caseless
        self._forget()

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        allowed = self._nodes.effort + _MOST_EFFORT
        state = self._start
        for character in text:
            following = state.following.get(character)
            if following is None:
                following = self._step(state, character)
                if self._nodes.effort > allowed:
                    raise self._too_complex()
            state = following
            if state is self._nowhere:
                return False
        is_match = state.node.is_nullable
        if self._count > _MOST_TRANSITIONS:
            self._forget()
        return is_match

    def _step(self, state: _State, character: str) -> _State:
        start = self._classes[bisect_right(self._classes, ord(character)) - 1]
        node = self._nodes.derivative(state.node, start)
        following = self._states.get(node)
        if following is None:
            following = self._states[node] = _State(node)
        state.following[character] = following
        self._count += 1
        return following

    def _forget(self) -> None:
        self._count = 0
        self._nodes = Nodes()
        node = read_regexp(self._pattern, self._nodes, self._flags, is_caseless=self._is_caseless)
        self._classes = self._nodes.class_starts()
        self._start = _State(node)
        self._nowhere = _State(self._nodes.nothing)
        self._states = {node: self._start, self._nodes.nothing: self._nowhere}

    def _too_complex(self) -> Unsupported:
        self._forget()
        return Unsupported(
            f"regexp [{self._pattern}]: it is too complex to be matched by the embedded store within reasonable time. "
            "Write it with fewer or smaller repetitions."
        )
