"""The tree that a query becomes: what has to be true of a document.

A tree is immutable and hashable, so that many queries can share what is alike in them. It is two-valued: a leaf is true
or false of a document, and `Not` is the opposite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from lolbin_rules.dsl.field import Value, Values

__all__ = ["AtLeast", "Clause", "Every", "Leaf", "Not", "Nothing", "OneOf", "Test"]


@runtime_checkable
class Test(Protocol):
    """What is asked of the values of one field. Hashable and compared by value: equal tests are evaluated once."""

    def holds(self, values: Values) -> bool:
        """Whether a document with these values (never none) passes."""
        ...


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of the document's values is one of these: what exact terms become. Executors look such documents up."""

    values: frozenset[Value]

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return any(value in self.values for value in values)


@dataclass(frozen=True, slots=True)
class Leaf:
    """The field has values and they pass the test."""

    field: str
    test: Test


@dataclass(frozen=True, slots=True)
class Every:
    """All of the clauses; with none of them, every document."""

    clauses: tuple[Clause, ...] = ()


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least `number` (one or more) of the clauses."""

    number: int
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The document does not match the clause."""

    clause: Clause


@dataclass(frozen=True, slots=True)
class Nothing:
    """No document."""


Clause: TypeAlias = Leaf | Every | AtLeast | Not | Nothing
