"""Clauses taken apart: what is the same in several of them becomes one node, and what asks one field is kept together.

A node that asks a single field can be answered per distinct value of that field, whatever its shape; so a list of
networks to be excluded costs no more per row than one term. Nodes are compared by identity: equal ones are one.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, Nothing, OneOf
from lolbin_rules.dsl.needles import needle_of
from lolbin_rules.dsl.predicates import Between, Caseless, Present

__all__ = ["ClauseGraph", "Kind", "Node"]

_LOOKED_UP = (OneOf, Caseless, Between, Present)
"""Tests whose answers are found in an index of the values, without asking value by value."""


class Kind(enum.Enum):
    """What a node says of its children, or of a field."""

    LEAF = enum.auto()
    EVERY = enum.auto()
    AT_LEAST = enum.auto()
    NOT = enum.auto()
    NOTHING = enum.auto()


@dataclass(slots=True, eq=False)
class Node:
    """A clause, or a part of one.

    Attributes:
        kind: see `Kind`.
        children: what it is made of; for a leaf nothing.
        number: of AT_LEAST.
        leaf: of LEAF.
        field: the one field that all of it asks; None if it asks several or none.
        is_heavy: somewhere in it Python has to be asked about values; otherwise it is all lookups.
        needle: of a heavy leaf: a text that passing values contain, see `needle_of`.
        parents: how many other nodes and names it is part of.
    """

    kind: Kind
    children: tuple[Node, ...] = ()
    number: int = 0
    leaf: Leaf | None = None
    field: str | None = None
    is_heavy: bool = False
    needle: str | None = None
    parents: int = 0


class ClauseGraph:
    """Every distinct part of some clauses, once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Node] = {}

    def node(self, clause: Clause) -> Node:
        """The node that means the same as the clause."""
        match clause:
            case Leaf():
                return self._leaf(clause)
            case Every(clauses):
                return self._every([self.node(each) for each in clauses])
            case AtLeast(1, clauses):
                return self._any([self.node(each) for each in clauses])
            case AtLeast(number, clauses):
                return self._at_least(number, [self.node(each) for each in clauses])
            case Not(inner):
                return self._not(self.node(inner))
            case Nothing():
                return self._intern(Kind.NOTHING)

    def fields(self) -> frozenset[str]:
        """Every field that is asked."""
        return frozenset(node.leaf.field for node in self._known.values() if node.leaf)

    def _leaf(self, leaf: Leaf) -> Node:
        node = self._known.get(leaf)
        if node is None:
            is_heavy = not isinstance(leaf.test, _LOOKED_UP)
            needle = needle_of(leaf.test) if is_heavy else None
            node = Node(Kind.LEAF, leaf=leaf, field=leaf.field, is_heavy=is_heavy, needle=needle)
            self._known[leaf] = node
        return node

    def _every(self, children: Iterable[Node]) -> Node:
        distinct = dict.fromkeys(_flat(children, Kind.EVERY))
        if any(child.kind is Kind.NOTHING for child in distinct):
            return self._intern(Kind.NOTHING)
        return self._grouped(Kind.EVERY, list(distinct))

    def _any(self, children: Iterable[Node]) -> Node:
        distinct = dict.fromkeys(child for child in _flat(children, Kind.AT_LEAST) if child.kind is not Kind.NOTHING)
        everything = self._intern(Kind.EVERY)
        if everything in distinct:
            return everything
        if not distinct:
            return self._intern(Kind.NOTHING)
        return self._grouped(Kind.AT_LEAST, self._united(list(distinct)), number=1)

    def _at_least(self, number: int, children: Sequence[Node]) -> Node:
        possible = [child for child in children if child.kind is not Kind.NOTHING]
        if number > len(possible):
            return self._intern(Kind.NOTHING)
        return self._intern(Kind.AT_LEAST, tuple(possible), number)

    def _not(self, child: Node) -> Node:
        if child.kind is Kind.NOT:
            return child.children[0]
        if child.kind is Kind.NOTHING:
            return self._intern(Kind.EVERY)
        if child.kind is Kind.EVERY and not child.children:
            return self._intern(Kind.NOTHING)
        return self._intern(Kind.NOT, (child,))

    def _united(self, children: Sequence[Node]) -> list[Node]:
        """Exact terms of one field as one leaf; everything else as it is."""
        values: dict[str, set[str | int | float]] = {}
        others = []
        for child in children:
            if child.leaf and isinstance(child.leaf.test, OneOf):
                values.setdefault(child.leaf.field, set()).update(child.leaf.test.values)
            else:
                others.append(child)
        return [self._leaf(Leaf(field, OneOf(frozenset(each)))) for field, each in values.items()] + others

    def _grouped(self, kind: Kind, children: Sequence[Node], number: int = 0) -> Node:
        """One node of the children, in which those that ask the same single field are one child."""
        by_field: dict[str, list[Node]] = {}
        for child in children:
            if child.field is not None:
                by_field.setdefault(child.field, []).append(child)
        groups = [child for child in children if child.field is None]
        groups += [
            alike[0] if len(alike) == 1 else self._intern(kind, tuple(alike), number) for alike in by_field.values()
        ]
        return groups[0] if len(groups) == 1 else self._intern(kind, tuple(groups), number)

    def _intern(self, kind: Kind, children: tuple[Node, ...] = (), number: int = 0) -> Node:
        key = (kind, children, number)
        node = self._known.get(key)
        if node is None:
            fields = {child.field for child in children}
            field = fields.pop() if len(fields) == 1 else None
            is_heavy = any(child.is_heavy for child in children)
            node = self._known[key] = Node(kind, children, number, field=field, is_heavy=is_heavy)
            for child in children:
                child.parents += 1
        return node


def _flat(children: Iterable[Node], kind: Kind) -> Iterable[Node]:
    """The children, in place of those of the kind theirs (of AT_LEAST only where one suffices)."""
    for child in children:
        if child.kind is kind and child.number <= 1:
            yield from child.children
        else:
            yield child
