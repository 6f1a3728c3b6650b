"""What clauses ask of the values of one field: tests that are equal where they ask the same.

`OneOf` (see `clause`) and `Caseless` name all the values they accept: executors find documents by them instead of
trying one document after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lolbin_rules.dsl.caseless import fold, fold_any_letter
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.regexp import Flags, compile_regexp
from lolbin_rules.dsl.wildcard import compile_wildcard

__all__ = [
    "Between",
    "BetweenTexts",
    "BetweenZero",
    "Caseless",
    "CaselessAnyLetter",
    "Prefix",
    "PrefixAnyLetter",
    "Present",
    "Regexp",
    "Wildcard",
    "Zero",
]

_Matches = Callable[[Any], bool]


def _some(matches: _Matches, values: Values) -> bool:
    return matches(values[0]) if len(values) == 1 else any(map(matches, values))


@dataclass(frozen=True, slots=True)
class Present:
    """There are values, whatever they are."""

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return bool(values)


@dataclass(frozen=True, slots=True)
class Caseless:
    """One of the document's texts is one of these but for the case of A to Z; `folded` has them in lower case."""

    folded: frozenset[str]

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return any(fold(str(value)) in self.folded for value in values)


@dataclass(frozen=True, slots=True)
class CaselessAnyLetter:
    """One of the document's texts is one of these but for the case of any letter; see `fold_any_letter`."""

    folded: frozenset[str]

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return any(fold_any_letter(str(value)) in self.folded for value in values)


@dataclass(frozen=True, slots=True)
class PrefixAnyLetter:
    """One of the document's texts begins so but for the case of any letter; see `fold_any_letter`."""

    folded: str

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return any(fold_any_letter(str(value)).startswith(self.folded) for value in values)


@dataclass(frozen=True, slots=True)
class Between:
    """One of the document's numbers lies between these, both included. Dates and addresses are numbers as well."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        low, high = self.low, self.high
        numbers: tuple[Any, ...] = values
        return any(low <= number <= high for number in numbers)


@dataclass(frozen=True, slots=True)
class Zero:
    """One of the document's floating-point numbers is zero with this sign; the two zeros are not equal."""

    is_negative: bool

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return any(value == 0 and _is_negative(value) == self.is_negative for value in values)


@dataclass(frozen=True, slots=True)
class BetweenZero:
    """As `Between`, where one end is a zero, so that only a zero of its sign is covered: -0.0 comes before 0.0."""

    low: float
    high: float
    is_negative: bool

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        numbers: tuple[Any, ...] = values
        return any(
            self.low <= number <= self.high and (number != 0 or _is_negative(number) == self.is_negative)
            for number in numbers
        )


def _is_negative(number: Any) -> bool:
    return math.copysign(1, number) < 0


@dataclass(frozen=True, slots=True)
class BetweenTexts:
    """One of the document's texts lies between these in the order of code points; None: there is no such bound."""

    low: str | None = None
    high: str | None = None
    includes_low: bool = True
    includes_high: bool = True

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return any(self._covers(str(value)) for value in values)

    def _covers(self, text: str) -> bool:
        if self.low is not None and not (text > self.low or (self.includes_low and text == self.low)):
            return False
        return self.high is None or text < self.high or (self.includes_high and text == self.high)


@dataclass(frozen=True, slots=True)
class Prefix:
    """One of the document's texts begins so."""

    text: str
    is_caseless: bool = False
    _matches: _Matches = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = fold(self.text)
        matches = (lambda value: fold(value).startswith(text)) if self.is_caseless else self._begins
        object.__setattr__(self, "_matches", matches)

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return _some(self._matches, values)

    def _begins(self, value: str) -> bool:
        return value.startswith(self.text)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """One of the document's texts matches the pattern; see `wildcard`."""

    pattern: str
    is_caseless: bool = False
    _matches: _Matches = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matches", compile_wildcard(self.pattern, is_caseless=self.is_caseless))

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return _some(self._matches, values)


@dataclass(frozen=True, slots=True)
class Regexp:
    """One of the document's texts matches the regular expression; see `regexp`.

    Raises:
        StoreRejected: it is not well-formed.
        Unsupported: it is too complex; a test may raise it as well.
    """

    pattern: str
    flags: Flags = Flags.ALL
    is_caseless: bool = False
    _matches: _Matches = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matches = compile_regexp(self.pattern, self.flags, is_caseless=self.is_caseless)
        object.__setattr__(self, "_matches", matches)

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        return _some(self._matches, values)
