"""Which of many queries one document matches: for ticks, rule tests and explanations.

Queries are looked up by the document's own values (see `drivers`); those are evaluated that something leads to. What
several queries ask in the same words is asked once for a document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, Nothing, OneOf
from lolbin_rules.dsl.drivers import Drivers, Table, View
from lolbin_rules.dsl.field import Typed
from lolbin_rules.dsl.predicates import Between, Caseless, Present

__all__ = ["Matcher"]

_Memo: TypeAlias = dict[int, bool]
_Predicate: TypeAlias = Callable[[Typed, _Memo], bool]


class Matcher:
    """Named queries, compiled once, for one document after the other.

    Attributes:
        fields: every field that a query asks; a document has to be given with those, `_id` and `_index` among them if
            they are there.
    """

    def __init__(self, queries: Mapping[str, Clause]) -> None:
        possible = {name: clause for name, clause in queries.items() if not isinstance(clause, Nothing)}
        self.fields = frozenset(field for clause in possible.values() for field in _fields(clause))
        drivers = Drivers(possible.values())
        driven = {name: drivers.split(clause) for name, clause in possible.items()}
        compiler = _Compiler(each.rest for each in driven.values())
        self._predicates = {name: compiler.compiled(each.rest) for name, each in driven.items()}
        self._always = [name for name, each in driven.items() if each.drivers is None]
        tables: dict[tuple[str, View], Table] = {}
        for name, each in driven.items():
            for driver in each.drivers or ():
                where = (driver.field, driver.view)
                table = tables.setdefault(where, Table(*where))
                for key in driver.keys:
                    table.add(key, name)
        self._tables = [(table.field, table.names) for table in tables.values()]

    def match(self, document: Typed) -> frozenset[str]:
        """The names of the queries that the document matches."""
        candidates = set(self._always)
        for field, names in self._tables:
            values = document.get(field)
            if values:
                candidates.update(*names(values))
        memo: _Memo = {}
        predicates = self._predicates
        return frozenset([name for name in candidates if predicates[name](document, memo)])


def _fields(clause: Clause) -> Iterable[str]:
    match clause:
        case Leaf(field):
            yield field
        case Every(clauses) | AtLeast(_, clauses):
            for part in clauses:
                yield from _fields(part)
        case Not(inner):
            yield from _fields(inner)


class _Compiler:
    """Turns clauses into functions; those for parts that occur more than once remember their answer per document."""

    def __init__(self, clauses: Iterable[Clause]) -> None:
        self._uses: Counter[Clause] = Counter()
        for clause in clauses:
            self._count(clause)
        self._compiled: dict[Clause, _Predicate] = {}

    def compiled(self, clause: Clause) -> _Predicate:
        """The function for a clause."""
        known = self._compiled.get(clause)
        if known is None:
            known = self._new(clause)
            if self._uses[clause] > 1:
                known = _remembering(known, len(self._compiled))
            self._compiled[clause] = known
        return known

    def _count(self, clause: Clause) -> None:
        self._uses[clause] += 1
        if self._uses[clause] > 1:
            return
        match clause:
            case Every(clauses) | AtLeast(_, clauses):
                for part in clauses:
                    self._count(part)
            case Not(inner):
                self._count(inner)

    def _new(self, clause: Clause) -> _Predicate:
        match clause:
            case Leaf():
                return _leaf(clause)
            case Every(clauses):
                return _every([self.compiled(part) for part in sorted(clauses, key=_cost)])
            case AtLeast(number, clauses):
                return _at_least(number, [self.compiled(part) for part in sorted(clauses, key=_cost)])
            case Not(inner):
                return _not(self.compiled(inner))
            case Nothing():
                return lambda _document, _memo: False


def _cost(clause: Clause) -> int:
    """What is asked first: cheap tests before those that look at every character."""
    match clause:
        case Leaf(_, test):
            if isinstance(test, OneOf | Present | Between):
                return 0
            return 1 if isinstance(test, Caseless) else 10
        case Every(clauses) | AtLeast(_, clauses):
            return sum(map(_cost, clauses)) + 1
        case Not(inner):
            return _cost(inner)
        case Nothing():
            return 0


def _remembering(predicate: _Predicate, number: int) -> _Predicate:
    def remembered(document: Typed, memo: _Memo) -> bool:
        known = memo.get(number)
        if known is None:
            known = memo[number] = predicate(document, memo)
        return known

    return remembered


def _leaf(leaf: Leaf) -> _Predicate:
    field, holds = leaf.field, leaf.test.holds

    def matches(document: Typed, _memo: _Memo) -> bool:
        values = document.get(field)
        return bool(values) and holds(values or ())

    return matches


def _every(predicates: Sequence[_Predicate]) -> _Predicate:
    if len(predicates) == 1:
        return predicates[0]

    def matches(document: Typed, memo: _Memo) -> bool:
        for predicate in predicates:  # noqa: SIM110 - a generator would cost more than most predicates
            if not predicate(document, memo):
                return False
        return True

    return matches


def _at_least(number: int, predicates: Sequence[_Predicate]) -> _Predicate:
    def matches(document: Typed, memo: _Memo) -> bool:
        missing = number
        for predicate in predicates:
            if predicate(document, memo):
                missing -= 1
                if not missing:
                    return True
        return False

    return matches


def _not(predicate: _Predicate) -> _Predicate:
    return lambda document, memo: not predicate(document, memo)
