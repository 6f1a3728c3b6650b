"""Puts clauses together in their simplest form, so that queries share what is alike and executors find drivers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, Nothing, OneOf, Test
from lolbin_rules.dsl.field import Value
from lolbin_rules.dsl.predicates import Caseless
from lolbin_rules.dsl.word_tests import AnyWord

__all__ = ["ALL", "NONE", "all_of", "any_of", "at_least", "none_of"]

ALL = Every()
NONE = Nothing()


def all_of(clauses: Iterable[Clause]) -> Clause:
    """Every clause; one that is such a list itself is taken apart."""
    flat: dict[Clause, None] = {}
    for clause in clauses:
        if isinstance(clause, Nothing):
            return NONE
        flat.update(dict.fromkeys(clause.clauses if isinstance(clause, Every) else (clause,)))
    return next(iter(flat)) if len(flat) == 1 else Every(tuple(flat))


def any_of(clauses: Iterable[Clause]) -> Clause:
    """At least one clause; exact terms for the same field become one leaf."""
    flat: dict[Clause, None] = {}
    for clause in clauses:
        if clause == ALL:
            return ALL
        parts = clause.clauses if isinstance(clause, AtLeast) and clause.number == 1 else (clause,)
        flat.update(dict.fromkeys(part for part in parts if not isinstance(part, Nothing)))
    return _any(_merged(flat))


def at_least(number: int, clauses: Iterable[Clause]) -> Clause:
    """At least so many of the clauses; a clause that is there twice counts twice."""
    listed = [clause for clause in clauses if not isinstance(clause, Nothing)]
    sure = sum(clause == ALL for clause in listed)
    listed = [clause for clause in listed if clause != ALL]
    number -= sure
    if number <= 0:
        return ALL
    if number > len(listed):
        return NONE
    if number == len(listed):
        return all_of(listed)
    return any_of(listed) if number == 1 else AtLeast(number, tuple(listed))


def none_of(clauses: Iterable[Clause]) -> Clause:
    """None of the clauses."""
    return all_of(map(_opposite, clauses))


def _opposite(clause: Clause) -> Clause:
    if isinstance(clause, Not):
        return clause.clause
    if isinstance(clause, Nothing):
        return ALL
    return NONE if clause == ALL else Not(clause)


def _any(clauses: list[Clause]) -> Clause:
    if not clauses:
        return NONE
    return clauses[0] if len(clauses) == 1 else AtLeast(1, tuple(clauses))


def _merged(clauses: Iterable[Clause]) -> list[Clause]:
    """The clauses with the exact terms of each field in one leaf, in the order of their first."""
    alike: dict[object, list[Clause]] = {}
    for clause in clauses:
        alike.setdefault(_kind(clause), []).append(clause)
    return [same[0] if len(same) == 1 else _joined(same) for same in alike.values()]


def _kind(clause: Clause) -> object:
    """Equal for clauses that can be joined; other clauses stand for themselves."""
    if isinstance(clause, Leaf):
        test = clause.test
        inner = test.test if isinstance(test, AnyWord) else test
        if isinstance(inner, OneOf | Caseless):
            return clause.field, type(test), type(inner)
    return clause


def _joined(leaves: Sequence[Clause]) -> Clause:
    """One leaf for leaves of the same kind."""
    tests = [leaf.test for leaf in leaves if isinstance(leaf, Leaf)]
    inner = [test.test if isinstance(test, AnyWord) else test for test in tests]
    exact = frozenset[Value]().union(*(test.values for test in inner if isinstance(test, OneOf)))
    folded = frozenset[str]().union(*(test.folded for test in inner if isinstance(test, Caseless)))
    joined: Test = OneOf(exact) if exact else Caseless(folded)
    first = leaves[0]
    assert isinstance(first, Leaf)  # noqa: S101 - only leaves are of a kind with others
    return Leaf(first.field, AnyWord(joined) if isinstance(first.test, AnyWord) else joined)
