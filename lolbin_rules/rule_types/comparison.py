"""When a field of an event and a field of an indicator have a value in common, and how a store is asked for that.

Values are equal where the types of the two fields make them so: addresses however they are written, numbers by value,
booleans, all else as text. Where one field is typed and the other is a keyword, the keyword is read as the type.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lolbin_rules.alert.source import values
from lolbin_rules.query.compiled import Misfit
from lolbin_rules.query.eql.plan import Key
from lolbin_rules.rule_types.sequence_candidates import KeyValue
from lolbin_rules.rule_types.sequence_keys import key_tuples
from lolbin_rules.store.port import UNMAPPED, FieldTypes, Query

__all__ = ["MOST_VALUES", "Column", "Comparison", "Form", "any_of", "type_names"]

MOST_VALUES: Final = 10_000
"""Values in one clause; Elasticsearch takes 65,536."""
LONGEST: Final = 32_766
"""Bytes of a text that a keyword field can hold."""
NEEDED: Final = "a keyword, ip, number or boolean"

_TEXTS: Final = frozenset({"keyword", "version", "flattened"})
_WHOLE: Final[Mapping[str, tuple[int, int]]] = {
    "long": (-(2**63), 2**63 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-(2**7), 2**7 - 1),
    "unsigned_long": (0, 2**64 - 1),
}
_FRACTIONAL: Final[Mapping[str, float]] = {
    "double": 1.7e308,
    "float": 3.4e38,
    "half_float": 65504.0,
    "scaled_float": 9e15,
}
_FAMILY: Final[Mapping[str, str]] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys([*_WHOLE, *_FRACTIONAL], "number"),
    "ip": "ip",
    "boolean": "boolean",
}
_READ_AS: Final = {"ip": "ip", "number": "double", "boolean": "boolean", "text": "keyword"}
_NO_FIELDS: Final = frozenset({UNMAPPED, "object", "nested"})
_PLACE: Final = (Key("v"),)


def type_names(name: str) -> frozenset[str]:
    """The fields whose types `Column.of` needs for a field."""
    parent = name.rpartition(".")[0]
    return frozenset({name, f"{name}.keyword", *([parent] if parent else [])})


@dataclass(frozen=True, slots=True)
class Form:
    """How the values of a field are read, so that equal ones are equal.

    Attributes:
        types: what they are read as.
        may_be_text: what cannot be read so is text, where the field is a keyword in some indices.
        is_folded: letters count without case.
    """

    types: frozenset[str]
    may_be_text: bool = False
    is_folded: bool = False

    def read(self, written: Any) -> KeyValue:
        """The value in this form; None where it has none."""
        found = _read(written, self.types)
        if found is None and self.may_be_text:
            found = _read(written, frozenset({"keyword"}))
        return _folded(found) if self.is_folded and isinstance(found, str) else found


def _read(written: Any, types: frozenset[str]) -> KeyValue:
    return next((value for (value,) in key_tuples(_PLACE, {"v": [written]}, (types,))), None)


def _folded(text: str) -> str:
    """Letter by letter, as Elasticsearch's `lowercase` normalizer."""
    return "".join(letter.lower()[:1] for letter in text)


@dataclass(frozen=True, slots=True)
class _Part:
    """The indices in which a field is asked for under one name and has one type."""

    asked: str
    type: str
    indices: frozenset[str]

    @property
    def family(self) -> str:
        return _FAMILY[self.type]


@dataclass(frozen=True, slots=True)
class Column:
    """A field of events or of indicators.

    Attributes:
        name: as the rule names it.
        written: the field that documents hold its values in: of a sub-field, the field that it belongs to.
        parts: how it is mapped; empty where no index has it in a type that can be compared.
        misfits: the indices where it has another type.
        is_folded: the index keeps its values in lower case.
    """

    name: str
    written: str
    parts: tuple[_Part, ...] = ()
    misfits: tuple[Misfit, ...] = ()
    is_folded: bool = False

    @classmethod
    def of(cls, name: str, types: FieldTypes) -> Column:
        """The column of a field, as some indices map it. A text is compared by its sub-field `.keyword`."""
        parts, misfits = [], []
        exact = types.types.get(f"{name}.keyword", {}).get("keyword", frozenset())
        for found, indices in sorted(types.types.get(name, {}).items()):
            if found in _FAMILY:
                parts.append(_Part(name, found, indices))
            elif found == "text":
                parts += [_Part(f"{name}.keyword", "keyword", indices & exact)] if indices & exact else []
                misfits += [_misfit(name, found, indices - exact)] if indices - exact else []
            elif found != UNMAPPED and indices:
                misfits.append(_misfit(name, found, indices))
        parent = name.rpartition(".")[0]
        is_sub_field = bool(types.types.get(parent, {}).keys() - _NO_FIELDS)
        is_folded = bool(parts) and {part.asked for part in parts} <= types.lowercase
        return cls(name, parent if is_sub_field else name, tuple(parts), tuple(misfits), is_folded)

    @property
    def families(self) -> frozenset[str]:
        """The kinds of types that it has."""
        return frozenset(part.family for part in self.parts)

    def held(self, source: Mapping[str, Any]) -> list[Any]:
        """Its values in a document, as they are written there."""
        return values(source, self.written)

    def exists(self) -> Query:
        """The documents that have a value in it."""
        return any_of([{"exists": {"field": asked}} for asked in dict.fromkeys(part.asked for part in self.parts)])

    @property
    def is_alike(self) -> bool:
        """Whether all indices that have it have it in one type."""
        return len(self.parts) == 1 and not self.misfits

    def holding(self, wanted: Sequence[Any]) -> Iterator[tuple[frozenset[str], Query]]:
        """The documents that have one of these values in it, as far as its types can hold them.

        Each type is asked for in a query of its own, which its own indices alone can take: an address field refuses
        what is no address.

        Yields:
            The indices to ask, all of them where there are none, and the query.
        """
        for part in self.parts:
            found = list(dict.fromkeys(each for value in wanted for each in _asked(part, value)))
            if found:
                yield (frozenset() if self.is_alike else part.indices), {"terms": {part.asked: found}}


def any_of(clauses: Sequence[Query]) -> Query:
    """The documents that one of the clauses finds."""
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def _misfit(name: str, found: str, indices: Iterable[str]) -> Misfit:
    return Misfit(name, found, NEEDED, tuple(sorted(indices)))


def _asked(part: _Part, value: Any) -> Iterator[Any]:
    """What a field of a type is asked for to find a value: nothing that the type refuses."""
    if part.family == "text":
        yield from (text for text in _spellings(value) if len(text.encode("utf-8", "replace")) <= LONGEST)
        return
    found = _read(value, frozenset({part.type}))
    if found is not None and _RANGES.get(part.type, lambda _: True)(found):
        yield found


def _spellings(value: Any) -> Iterator[str]:
    """How a keyword may spell a value: as it is written, and an address or a number as they are commonly written."""
    for types in ("keyword", "ip", "double"):
        if (found := _read(value, frozenset({types}))) is not None:
            yield str(found)
    if (address := _read(value, frozenset({"ip"}))) is not None:
        known = ipaddress.ip_address(str(address))
        if isinstance(known, ipaddress.IPv4Address):
            forms = [f"::ffff:{known}"]
        else:
            forms = [str(known), known.exploded, ":".join(f"{int(group, 16):x}" for group in known.exploded.split(":"))]
        yield from (spelled for form in forms for spelled in (form, form.upper()))


def _between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


_RANGES: Final[Mapping[str, Callable[[Any], bool]]] = {
    **{name: _between(low, high) for name, (low, high) in _WHOLE.items()},
    **{name: _between(-most, most) for name, most in _FRACTIONAL.items()},
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field of an event and one of an indicator.

    Attributes:
        event: the field of the event.
        indicator: the field of the indicator.
        is_negated: they must have no value in common.
    """

    event: Column
    indicator: Column
    is_negated: bool = False

    @property
    def forms(self) -> tuple[Form, Form]:
        """How the values of the event and those of the indicator are read."""
        both = self.event.families | self.indicator.families
        typed = sorted(both - {"text"})
        if len(typed) != 1:
            # Nothing but text, or types that have no value in common but their text.
            form = Form(frozenset({"keyword"}), is_folded=self.indicator.is_folded)
            return form, form
        return self._form(self.event, typed[0]), self._form(self.indicator, typed[0])

    @staticmethod
    def _form(column: Column, family: str) -> Form:
        own = frozenset(part.type for part in column.parts if part.family == family)
        return Form(own or frozenset({_READ_AS[family]}), may_be_text="text" in column.families)

    @property
    def is_exact_in_events(self) -> bool:
        """Whether one query, `event.holding` of indicators' values, finds every event that has one of them."""
        is_alike = self.event.is_alike and self.event.families == self.indicator.families
        return is_alike and (self.event.is_folded or not self.indicator.is_folded)
