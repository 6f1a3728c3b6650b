"""Regular expressions as values that can be asked what is left of them after one character (their derivative).

Equal nodes of one `Nodes` are the same object, sums are flat sets, and a product of a sum is taken apart: so a pattern
has few distinct derivatives, and the set of them is an automaton that grows only as far as texts lead. Complement and
intersection need nothing special: the derivative of the complement is the complement of the derivative (J. Brzozowski,
1964; the sums of products are V. Antimirov's, 1996).
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["ALL_CHARACTERS", "Characters", "Concatenation", "Node", "Nodes", "Ranges", "Repetition", "without"]

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points as inclusive ranges, ordered and apart from each other."""

ALL_CHARACTERS: Ranges = ((0, 0x10FFFF),)


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The union of the ranges."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def without(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Every character that is in none of the ranges."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in merged(ranges):
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    last = ALL_CHARACTERS[0][1]
    return (*gaps, (start, last)) if start <= last else tuple(gaps)


@dataclass(eq=False, slots=True)
class Node(abc.ABC):
    """A regular expression.

    Attributes:
        is_nullable: it matches the empty text.
        cost: how many nodes have to be looked at for one derivative, roughly.
    """

    is_nullable: bool
    cost: int

    @abc.abstractmethod
    def after(self, character: int, nodes: Nodes) -> Node:
        """What the rest of a text has to match, once the text began with the character."""


@dataclass(eq=False, slots=True)
class Nothing(Node):
    """No text."""

    def after(self, character: int, nodes: Nodes) -> Node:
        """Still no text."""
        del character, nodes
        return self


@dataclass(eq=False, slots=True)
class Empty(Node):
    """The empty text."""

    def after(self, character: int, nodes: Nodes) -> Node:
        """There is nothing after the end."""
        del character
        return nodes.nothing


@dataclass(eq=False, slots=True)
class Characters(Node):
    """One character out of the ranges."""

    ranges: Ranges

    def after(self, character: int, nodes: Nodes) -> Node:
        """The end, if it was one of them."""
        return nodes.empty if any(low <= character <= high for low, high in self.ranges) else nodes.nothing


@dataclass(eq=False, slots=True)
class Concatenation(Node):
    """One after the other; `first` is no concatenation."""

    first: Node
    rest: Node

    def after(self, character: int, nodes: Nodes) -> Node:
        """The rest of the first and then the others, or, if the first may be empty, that of the others."""
        sum_of: list[Node] = []
        node: Node = self
        while isinstance(node, Concatenation):
            sum_of.append(nodes.concatenation(nodes.derivative(node.first, character), node.rest))
            if not node.first.is_nullable:
                return nodes.union(sum_of)
            node = node.rest
        sum_of.append(nodes.derivative(node, character))
        return nodes.union(sum_of)


@dataclass(eq=False, slots=True)
class Union(Node):
    """Any of at least two; none of them is a union."""

    parts: frozenset[Node]

    def after(self, character: int, nodes: Nodes) -> Node:
        """The union of what is left of each."""
        return nodes.union([nodes.derivative(part, character) for part in self.parts])


@dataclass(eq=False, slots=True)
class Intersection(Node):
    """All of at least two; none of them is an intersection."""

    parts: frozenset[Node]

    def after(self, character: int, nodes: Nodes) -> Node:
        """The intersection of what is left of each."""
        return nodes.intersection([nodes.derivative(part, character) for part in self.parts])


@dataclass(eq=False, slots=True)
class Complement(Node):
    """Every text that `inner` does not match."""

    inner: Node

    def after(self, character: int, nodes: Nodes) -> Node:
        """The complement of what is left."""
        return nodes.complement(nodes.derivative(self.inner, character))


@dataclass(eq=False, slots=True)
class Repetition(Node):
    """`inner` at least `least` times and at most `most` times (None: any number of times)."""

    inner: Node
    least: int
    most: int | None

    def after(self, character: int, nodes: Nodes) -> Node:
        """What is left of one, and then one less of them."""
        most = None if self.most is None else self.most - 1
        fewer = nodes.repetition(self.inner, max(self.least - 1, 0), most)
        return nodes.concatenation(nodes.derivative(self.inner, character), fewer)


class Nodes:
    """Makes nodes, each only once, in the simplest form it knows.

    Attributes:
        nothing: matches no text.
        empty: matches the empty text.
        anything: matches every text.
        effort: how much has been looked at so far.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Node] = {}
        self._derivatives: dict[tuple[Node, int], Node] = {}
        self.effort = 0
        self.nothing: Node = Nothing(is_nullable=False, cost=1)
        self.empty: Node = Empty(is_nullable=True, cost=1)
        self.anything: Node = self._keep(Repetition(True, 2, self.characters(ALL_CHARACTERS), 0, None))

    def derivative(self, node: Node, character: int) -> Node:
        """What is left of the node after the character; remembered."""
        key = (node, character)
        if (known := self._derivatives.get(key)) is not None:
            return known
        self.effort += node.cost
        left = self._derivatives[key] = node.after(character, self)
        return left

    def class_starts(self) -> list[int]:
        """Where characters begin that no expression made so far tells from each other; ascending, the first is 0."""
        made = [node for node in self._made.values() if isinstance(node, Characters)]
        return sorted({0} | {edge for node in made for low, high in node.ranges for edge in (low, high + 1)})

    def is_nothing(self, node: Node, most: int) -> bool | None:
        """Whether the expression matches no text at all; None if more than `most` derivatives do not tell."""
        starts = self.class_starts()
        seen = {node}
        waiting = [node]
        while waiting:
            state = waiting.pop()
            if state.is_nullable:
                return False
            if len(seen) > most:
                return None
            new = {self.derivative(state, start) for start in starts} - seen
            seen |= new
            waiting.extend(new)
        return True

    def characters(self, ranges: Iterable[tuple[int, int]]) -> Node:
        """One character."""
        joined = merged(ranges)
        return self._keep(Characters(False, 1, joined)) if joined else self.nothing

    def text(self, text: str) -> Node:
        """Just this text."""
        return self.sequence([self.characters([(ord(character), ord(character))]) for character in text])

    def sequence(self, parts: Sequence[Node]) -> Node:
        """One after the other."""
        whole = self.empty
        for part in reversed(parts):
            whole = self.concatenation(part, whole)
        return whole

    def concatenation(self, first: Node, rest: Node) -> Node:
        """First one, then the other."""
        if first is self.nothing or rest is self.nothing:
            return self.nothing
        if first is self.empty or (first is self.anything and rest is self.anything):
            return rest
        if rest is self.empty:
            return first
        if isinstance(first, Union):
            return self.union([self.concatenation(part, rest) for part in first.parts])
        if isinstance(first, Concatenation):
            return self._reassociated(first, rest)
        cost = first.cost + 1 + (rest.cost if first.is_nullable else 0)
        return self._keep(Concatenation(first.is_nullable and rest.is_nullable, cost, first, rest))

    def union(self, parts: Iterable[Node]) -> Node:
        """Any of them."""
        flat: set[Node] = set()
        for part in parts:
            flat.update(part.parts if isinstance(part, Union) else (part,))
        flat.discard(self.nothing)
        if self.anything in flat:
            return self.anything
        single = [part for part in flat if isinstance(part, Characters)]
        if len(single) > 1:
            flat.difference_update(single)
            flat.add(self.characters(each for part in single for each in part.ranges))
        if self.empty in flat and any(part.is_nullable for part in flat if part is not self.empty):
            flat.discard(self.empty)
        if len(flat) < 2:  # noqa: PLR2004 - a sum has at least two parts
            return flat.pop() if flat else self.nothing
        is_nullable = any(part.is_nullable for part in flat)
        return self._keep(Union(is_nullable, sum(part.cost for part in flat), frozenset(flat)))

    def intersection(self, parts: Iterable[Node]) -> Node:
        """All of them."""
        flat: set[Node] = set()
        for part in parts:
            flat.update(part.parts if isinstance(part, Intersection) else (part,))
        flat.discard(self.anything)
        if self.nothing in flat or (self.empty in flat and not all(part.is_nullable for part in flat)):
            return self.nothing
        if self.empty in flat:
            return self.empty
        if len(flat) < 2:  # noqa: PLR2004 - a product has at least two parts
            return flat.pop() if flat else self.anything
        is_nullable = all(part.is_nullable for part in flat)
        return self._keep(Intersection(is_nullable, sum(part.cost for part in flat), frozenset(flat)))

    def complement(self, inner: Node) -> Node:
        """All but it."""
        if inner is self.nothing:
            return self.anything
        if inner is self.anything:
            return self.nothing
        if isinstance(inner, Complement):
            return inner.inner
        return self._keep(Complement(not inner.is_nullable, inner.cost + 1, inner))

    def repetition(self, inner: Node, least: int, most: int | None) -> Node:
        """It, again and again."""
        if most == 0 or inner is self.empty:
            return self.empty
        if inner is self.nothing:
            return self.empty if least == 0 else self.nothing
        if least == 1 and most == 1:
            return inner
        if inner.is_nullable:
            least = 0
        if isinstance(inner, Repetition) and inner.least == 0 and inner.most is None:
            return inner
        return self._keep(Repetition(inner.is_nullable or least == 0, inner.cost + 1, inner, least, most))

    def _reassociated(self, first: Concatenation, rest: Node) -> Node:
        parts: list[Node] = []
        node: Node = first
        while isinstance(node, Concatenation):
            parts.append(node.first)
            node = node.rest
        whole = self.concatenation(node, rest)
        for part in reversed(parts):
            whole = self.concatenation(part, whole)
        return whole

    def _keep(self, node: Node) -> Node:
        """The node, or the equal one that was made before."""
        return self._made.setdefault(_identity(node), node)


def _identity(node: Node) -> Hashable:
    match node:
        case Characters(ranges=ranges):
            return ranges
        case Concatenation(first=first, rest=rest):
            return (Concatenation, first, rest)
        case Union(parts=parts) | Intersection(parts=parts):
            return (type(node), parts)
        case Complement(inner=inner):
            return (Complement, inner)
        case Repetition(inner=inner, least=least, most=most):
            return (Repetition, inner, least, most)
    return node
