"""What an EQL condition may compare with what.

Without the types of fields everything is found that is wrong whatever they are; with them, the rest. Where the indices
map a field differently, those are told apart in which the condition means something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lolbin_rules.query.eql.functions import FUNCTIONS, Parameter
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.networks import network
from lolbin_rules.query.eql.nodes import (
    And,
    Arithmetic,
    Call,
    Comparison,
    Field,
    Like,
    Literal,
    Membership,
    Negative,
    Node,
    Not,
    NullCheck,
    Or,
    Regex,
    Scalar,
    children,
    fields_in,
)

__all__ = ["NEEDED", "WORDS", "Checker", "Placement", "Unfit", "alike", "preferred"]

_LONGEST_REGEX = 1000
"""`index.max_regex_length` as Elasticsearch ships it, in code units of UTF-16."""
WORDS: Mapping[str, str] = {
    "text": "a text",
    "number": "a number",
    "boolean": "true or false",
    "address": "an address",
    "date": "a date",
    "unsearchable": "analyzed text without a keyword sub-field",
}
_VALUES = frozenset({"text", "number", "boolean", "address", "date"})
_PREFERRED = ("address", "date", "number", "boolean", "text")
NEEDED: Mapping[str, str] = {
    "text": "keyword",
    "number": "a number",
    "boolean": "boolean",
    "address": "ip",
    "date": "date",
}
"""The type that a field of each kind needs, in words."""

Kinds: TypeAlias = frozenset[str]


@dataclass(frozen=True, slots=True)
class Placement:
    """How some indices map a field.

    Attributes:
        kind: what its values are: text, number, boolean, address, date; or unsearchable, or something else.
        type: as mapped.
        indices: in which.
    """

    kind: str
    type: str
    indices: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unfit:
    """Indices in which a field is of a type that the condition cannot be asked of."""

    field: str
    type: str
    needed: str
    indices: frozenset[str]


def _anywhere(_: str) -> Sequence[Placement]:
    return ()


class Checker:
    """Goes through a condition once.

    Attributes:
        unfit: what was found of indices that do not fit, while others do.
    """

    def __init__(
        self, placements: Callable[[str], Sequence[Placement]] = _anywhere, *, is_optional_null: bool = True
    ) -> None:
        """Name the types of fields; `is_optional_null`: any `?field` may still turn out to be null."""
        self._placements = placements
        self._is_optional_null = is_optional_null
        self.unfit: set[Unfit] = set()

    def condition(self, node: Node) -> None:
        """See that the node is true or false.

        Raises:
            Misuse: it is not, or a part of it compares what cannot be compared.
        """
        match node:
            case Field():
                self._need(node, frozenset({"boolean"}), "a condition")
            case Call() | Literal() | Arithmetic() | Negative():
                kind = self._value(node)
                if kind not in {"boolean", None}:
                    remedy = "Compare it with something, such as == or `:`."
                    raise Misuse(node.at, f"a condition is true or false, and this is {WORDS[str(kind)]}", remedy)
            case And() | Or() | Not():
                for part in children(node):
                    self.condition(part)
            case NullCheck(operand):
                self._any(operand)
            case _:
                self._leaf(node)

    def _leaf(self, node: Comparison | Membership | Like | Regex) -> None:
        match node:
            case Comparison():
                self._comparison(node)
            case Membership():
                self._membership(node)
            case Like(subject) | Regex(subject):
                what = "regex" if isinstance(node, Regex) else "like or `:`"
                self._take(subject, frozenset({"text"}), what, node.at)
                if isinstance(node, Regex):
                    _check_lengths(node)

    def _value(self, node: Node) -> str | None:
        """The kind of the values of a node that is no field; None where it is not known."""
        match node:
            case Literal(value):
                return _kind(value)
            case Call():
                return self._call(node)
            case Arithmetic(operator, left, right, at):
                for side in (left, right):
                    self._take(side, frozenset({"number"}), operator, at)
                return "number"
            case Negative(operand, at):
                self._take(operand, frozenset({"number"}), "-", at)
                return "number"
            case _:
                self.condition(node)
                return "boolean"

    def _any(self, node: Node) -> None:
        """See that the node has values, of whatever kind; analyzed text has some as well."""
        if not isinstance(node, Field):
            self._value(node)
            return
        placements = self._placements(node.name)
        if placements and not any(each.kind in WORDS for each in placements):
            what = f"the field {node.name} is of type {placements[0].type}, of which nothing can be asked"
            raise Misuse(node.at, what, "Name a field below it, or another one.")

    def _take(self, node: Node, kinds: Kinds, what: str, at: int) -> None:
        """See that the node is of one of the kinds; nulls and fields without known types are."""
        if isinstance(node, Field):
            self._need(node, kinds, what)
            return
        kind = self._value(node)
        if kind is not None and kind not in kinds:
            found = f"{what} takes {_listed(kinds)}, and this is {WORDS[kind]}"
            raise Misuse(node.at or at, found, _remedy(kinds, kind))

    def _need(self, field: Field, kinds: Kinds, what: str) -> None:
        placements = self._placements(field.name)
        chosen = preferred(placements, kinds)
        others = [placement for placement in placements if placement.kind != chosen]
        if placements and len(others) == len(placements):
            kind, found = others[0].kind, others[0].type
            said = f"{what} takes {_listed(kinds)}, and the field {field.name} is of type {found}"
            raise Misuse(
                field.at,
                said + (" without a keyword sub-field" if kind == "unsearchable" else ""),
                _remedy(kinds, kind),
            )
        self.unfit |= {Unfit(field.name, each.type, NEEDED[chosen], each.indices) for each in others}

    def _call(self, call: Call) -> str:
        function = FUNCTIONS[call.name]
        for place, argument in enumerate(call.arguments):
            parameter = function.parameter(place)
            self._take(argument, _taken(parameter), f"{parameter.name} of {call.name}", call.at)
            if parameter.is_constant:
                self._constant(argument, f"{parameter.name} of {call.name}")
            if parameter.is_constant and isinstance(argument, Literal) and isinstance(argument.value, str):
                _check_network(argument.value, argument.at)
        return function.result

    def _constant(self, node: Node, what: str) -> None:
        field = next(self._fields(node), None)
        if field is not None:
            raise Misuse(
                field.at, f"{what} must be a constant, and the field {field.name} is none", "Write a constant."
            )

    def _fields(self, node: Node) -> Iterator[Field]:
        return (field for field in fields_in(node) if not (field.is_optional and self._is_optional_null))

    def _comparison(self, node: Comparison) -> None:
        left, right = node.left, node.right
        if Literal(None) in (left, right):
            self._any(left)
            self._any(right)
            return
        one, other = next(self._fields(left), None), next(self._fields(right), None)
        if one is not None and other is not None:
            what = f"{node.operator} compares the field {one.name} with the field {other.name}"
            raise Misuse(node.at, what, "Elasticsearch compares fields with constants only; compare each with its own.")
        if isinstance(right, Field):
            left, right = right, left
        if isinstance(right, Field):  # two optional ones, one of which must turn out to be null
            return
        kind = self._value(right)
        if isinstance(left, Field):
            self._need(left, _comparable(node, kind, right), f"{node.operator} with {_shown(right, kind)}")
            return
        mine = self._value(left)
        if mine is not None and kind is not None and mine != kind:
            remedy = "Compare what is alike; string(...) makes texts of other values, number(...) numbers of texts."
            raise Misuse(node.at, f"{node.operator} compares {WORDS[mine]} with {WORDS[kind]}", remedy)
        _comparable(node, kind, right)

    def _membership(self, node: Membership) -> None:
        kinds = frozenset({"text"}) if node.is_caseless else _VALUES
        for item in node.items:
            self._constant(item, "what `in` looks through")
            kind = None if isinstance(item, Field) else self._value(item)
            if kind is not None:
                kinds &= _alike(kind, item)
        if not kinds:
            what = "in~ looks through texts only" if node.is_caseless else "the values in the list are not alike"
            raise Misuse(node.at, what, "Write a list of texts, or of numbers, and `or` between several.")
        self._take(node.subject, kinds, "in~" if node.is_caseless else "in", node.at)


def preferred(placements: Sequence[Placement], kinds: Kinds) -> str:
    """The kind that a field has for a condition which takes several: the one that compares most closely; "" if none."""
    found = {placement.kind for placement in placements} & kinds
    return next((kind for kind in _PREFERRED if kind in found), "")


def alike(value: Literal) -> Kinds:
    """The kinds of values that a constant can be compared with."""
    kind = _kind(value.value)
    return _VALUES if kind is None else _alike(kind, value)


def _kind(value: Scalar) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _taken(parameter: Parameter) -> Kinds:
    if parameter.kind == "any":
        return _VALUES
    return frozenset({"address", "text"}) if parameter.kind == "address" else frozenset({parameter.kind})


def _comparable(node: Comparison, kind: str | None, value: Node) -> Kinds:
    """What can be compared with something of a kind."""
    if kind == "boolean" and node.operator not in {"==", "!="}:
        raise Misuse(node.at, f"{node.operator} puts in order, and true and false have none", "Compare with == or !=.")
    return _VALUES if kind is None else _alike(kind, value)


def _alike(kind: str, value: Node) -> Kinds:
    if kind == "number":
        return frozenset({"number", "date"})
    if kind == "text":
        is_truth = isinstance(value, Literal) and value.value in ("true", "false")
        return frozenset({"text", "address", "date", *(("boolean",) if is_truth else ())})
    return frozenset({kind})


def _check_lengths(node: Regex) -> None:
    for pattern in node.patterns:
        units = len(str(pattern.value).encode("utf-16-le", "surrogatepass")) // 2
        if units > _LONGEST_REGEX:
            what = f"the expression has {units} characters, more than the {_LONGEST_REGEX} that Elasticsearch takes"
            raise Misuse(pattern.at, what, "Split it into a list of several.")


def _check_network(block: str, at: int) -> None:
    try:
        network(block)
    except ValueError as error:
        raise Misuse(at, f"this is no network: {error}", "Write such as 10.0.0.0/8 or fe80::/10.") from None


def _listed(kinds: Kinds) -> str:
    return " or ".join(sorted(WORDS[kind] for kind in kinds))


def _shown(node: Node, kind: str | None) -> str:
    return WORDS[kind] if kind and not isinstance(node, Literal) else f"the {kind or 'value'} {_literal(node)}".rstrip()


def _literal(node: Node) -> str:
    return repr(node.value)[:40] if isinstance(node, Literal) else ""


def _remedy(kinds: Kinds, found: str) -> str:
    if found == "unsearchable":
        return "Use another field, or give it a keyword sub-field in the mapping."
    if found == "number" and kinds >= {"text"}:
        return "Write a number without quotes, or string(...) around what is no text."
    if kinds == {"text"}:
        return "Write string(...) around what is no text."
    if "number" in kinds:
        return "Write the constant in double quotes, as the field's values are texts, or use another field."
    return "Use something of that kind."
