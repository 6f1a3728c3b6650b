"""What a document must have for a clause to be worth a look: some of these values in one of these fields.

A document that has none of a clause's drivers cannot match it, so of many clauses only those have to be evaluated that
the document's own values lead to.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lolbin_rules.dsl.analysis import words
from lolbin_rules.dsl.caseless import fold
from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, OneOf, Test
from lolbin_rules.dsl.combine import all_of
from lolbin_rules.dsl.field import Value, Values
from lolbin_rules.dsl.predicates import Caseless, Prefix, Wildcard
from lolbin_rules.dsl.wildcard import read_wildcard
from lolbin_rules.dsl.word_tests import AnyWord

__all__ = ["Driven", "Driver", "Drivers", "Table", "View"]


class View(enum.Enum):
    """How a document's values of a field are compared with keys; the first ones tell more than the last ones."""

    VALUES = enum.auto()
    """A key is one of the values."""
    FOLDED = enum.auto()
    """A key is one of the values without their case."""
    WORDS = enum.auto()
    """A key is one of the words."""
    FOLDED_WORDS = enum.auto()
    """A key is one of the words without their case."""
    PARTS = enum.auto()
    """A key is a part of one of the values without their case."""
    PRESENCE = enum.auto()
    """There are values; the only key is the empty text."""


def _folded(values: Values) -> list[str]:
    return [fold(str(value)) for value in values]


def _words(values: Values) -> Iterable[Value]:
    return {word for value in values for word in words(str(value))}


def _folded_words(values: Values) -> Iterable[Value]:
    return {fold(word) for value in values for word in words(str(value))}


_LOOKS: Mapping[View, Callable[[Values], Iterable[Value]]] = {
    View.VALUES: lambda values: values,
    View.FOLDED: _folded,
    View.WORDS: _words,
    View.FOLDED_WORDS: _folded_words,
    View.PRESENCE: lambda _values: ("",),
}


class Table:
    """The names that values of one field lead to, compared in one way."""

    def __init__(self, field: str, view: View) -> None:
        self.field = field
        self.view = view
        self._names: dict[Value, list[str]] = {}

    def add(self, key: Value, name: str) -> None:
        """Let a key lead to a name."""
        self._names.setdefault(key, []).append(name)

    def names(self, values: Values) -> Iterable[Sequence[str]]:
        """Lists of the names that the values lead to; a name may be in several."""
        if self.view is View.PARTS:
            parts: Any = self._names.items()  # keys of this view are texts
            return [names for text in _folded(values) for part, names in parts if part in text]
        known = self._names
        return [known[key] for key in _LOOKS[self.view](values) if key in known]


@dataclass(frozen=True, slots=True)
class Driver:
    """What a leaf cannot do without: one of the keys."""

    field: str
    view: View
    keys: frozenset[Value]


@dataclass(frozen=True, slots=True)
class Driven:
    """A clause and what it takes to look at it.

    Attributes:
        drivers: one of them must hold; None: the clause has to be evaluated for every document.
        rest: what is left to be evaluated where one of them holds.
    """

    drivers: tuple[Driver, ...] | None
    rest: Clause


class Drivers:
    """Chooses drivers for clauses that will be evaluated together.

    Of several possible drivers the one is taken that probably few documents have: few keys, out of the many that all
    the clauses together ask of that field.
    """

    def __init__(self, clauses: Iterable[Clause]) -> None:
        keys: dict[tuple[str, View], set[Value]] = {}
        for clause in clauses:
            for driver in _all_drivers(clause):
                keys.setdefault((driver.field, driver.view), set()).update(driver.keys)
        self._variety = Counter({where: len(found) for where, found in keys.items()})

    def split(self, clause: Clause) -> Driven:
        """The clause's drivers and what else it asks."""
        parts = clause.clauses if isinstance(clause, Every) else (clause,)
        possible = [(found, part) for part in parts if (found := self._drivers(part)) is not None]
        if not possible:
            return Driven(None, clause)
        drivers, chosen = min(possible, key=lambda pair: self._share(pair[0]))
        is_sure = isinstance(chosen, Leaf) and drivers[0].view not in {View.PARTS, View.PRESENCE}
        return Driven(drivers, all_of(part for part in parts if not is_sure or part is not chosen))

    def _drivers(self, clause: Clause) -> tuple[Driver, ...] | None:
        match clause:
            case Leaf():
                return (_driver(clause),)
            case Every(clauses):
                found = [drivers for part in clauses if (drivers := self._drivers(part)) is not None]
                return min(found, key=self._share, default=None)
            case AtLeast(number, clauses):
                return self._of_some(number, clauses)
        return None

    def _of_some(self, number: int, clauses: Sequence[Clause]) -> tuple[Driver, ...] | None:
        """Of all clauses but `number - 1`: one of those must hold if so many hold."""
        found = [drivers for part in clauses if (drivers := self._drivers(part)) is not None]
        needed = len(clauses) - number + 1
        if len(found) < needed:
            return None
        return tuple(driver for drivers in sorted(found, key=self._share)[:needed] for driver in drivers)

    def _share(self, drivers: Sequence[Driver]) -> float:
        """How many documents have one of the drivers, guessed."""
        return sum(
            _GUESSED.get(driver.view) or len(driver.keys) / self._variety[driver.field, driver.view]
            for driver in drivers
        )


_GUESSED = {View.PARTS: 2.0, View.PRESENCE: 10.0}
"""These are taken only where nothing can be looked up."""


def _driver(leaf: Leaf) -> Driver:
    test: Test = leaf.test
    match test:
        case OneOf(values):
            return Driver(leaf.field, View.VALUES, values)
        case Caseless(folded):
            return Driver(leaf.field, View.FOLDED, frozenset[Value](folded))
        case AnyWord(OneOf(values)):
            return Driver(leaf.field, View.WORDS, values)
        case AnyWord(Caseless(folded)):
            return Driver(leaf.field, View.FOLDED_WORDS, frozenset[Value](folded))
    part = _part(test)
    return Driver(leaf.field, View.PARTS if part else View.PRESENCE, frozenset({part}))


def _part(test: Test) -> str:
    """The longest text that every value that passes has in it, without its case; empty if there is none."""
    if isinstance(test, Prefix):
        return fold(test.text)
    if not isinstance(test, Wildcard):
        return ""
    parts = [""]
    for symbol in read_wildcard(test.pattern):
        if symbol.is_operator:
            parts.append("")
        else:
            parts[-1] += symbol.text
    return fold(max(parts, key=len))


def _all_drivers(clause: Clause) -> Iterable[Driver]:
    match clause:
        case Leaf():
            return (_driver(clause),)
        case Every(clauses) | AtLeast(_, clauses):
            return [driver for part in clauses for driver in _all_drivers(part)]
        case Not():
            return ()
    return ()
