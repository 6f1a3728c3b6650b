"""Expressions of functions and operations, as functions of the values that one document has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from lolbin_rules.query.eql.columns import Columns
from lolbin_rules.query.eql.fold import compare, is_among
from lolbin_rules.query.eql.functions import FUNCTIONS, apply
from lolbin_rules.query.eql.misuse import Misuse
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
)
from lolbin_rules.query.eql.numbers import OPERATORS
from lolbin_rules.query.eql.patterns import matcher

__all__ = ["Evaluate", "evaluator"]

Evaluate: TypeAlias = Callable[[Mapping[str, Scalar]], Scalar]
"""Takes one value of each field, None where there is none; null where the result is none."""


def evaluator(node: Node, columns: Columns) -> Evaluate:
    """The value of an expression; within one, null is worked out as in SQL.

    Where a function or operation has no value for what a document has, such as `number("x")`, it is null here;
    Elasticsearch gives up the whole query.

    Raises:
        Misuse: dates, addresses or versions are compared within an expression.
    """
    match node:
        case Literal(value):
            return lambda _: value
        case Field(name):
            return lambda values: values[name]
        case Call() | Arithmetic() | Negative():
            return _reckoned(node, columns)
        case And(parts) | Or(parts):
            return _joined([evaluator(part, columns) for part in parts], decisive=isinstance(node, Or))
        case _:
            return _decided(node, columns)


def _decided(node: NullCheck | Comparison | Membership | Like | Regex | Not, columns: Columns) -> Evaluate:
    first = evaluator(children(node)[0], columns)
    match node:
        case NullCheck(_, is_null):
            return lambda values: (first(values) is None) is is_null
        case Comparison(operator, _, right):
            _check_kinds(node, columns)
            return _of_two(first, evaluator(right, columns), lambda one, other: compare(operator, one, other))
        case Membership(_, items, is_caseless):
            _check_kinds(node, columns)
            among = [item.value for item in items if isinstance(item, Literal)]
            return _of_one(first, lambda value: is_among(value, among, is_caseless=is_caseless))
        case Like(subject) | Regex(subject):
            matches = matcher(node, is_field=isinstance(subject, Field))
            return _of_one(first, lambda value: matches(str(value)))
        case Not():
            return _of_one(first, lambda value: not value)


def _reckoned(node: Call | Arithmetic | Negative, columns: Columns) -> Evaluate:
    parts = [evaluator(child, columns) for child in children(node)]

    def reckon(*values: Scalar) -> Scalar:
        if isinstance(node, Call):
            return apply(FUNCTIONS[node.name], values, is_caseless=node.is_caseless)
        if None in values:
            return None
        if isinstance(node, Negative):
            return OPERATORS["-"](0, *values)  # type: ignore[arg-type]
        return OPERATORS[node.operator](*values)  # type: ignore[arg-type]

    def value(values: Mapping[str, Scalar]) -> Scalar:
        try:
            return reckon(*[part(values) for part in parts])
        except (ValueError, OverflowError):
            return None

    return value


def _of_one(operand: Evaluate, decide: Callable[[Scalar], bool]) -> Evaluate:
    def value(values: Mapping[str, Scalar]) -> Scalar:
        found = operand(values)
        return None if found is None else decide(found)

    return value


def _of_two(left: Evaluate, right: Evaluate, decide: Callable[[Scalar, Scalar], bool]) -> Evaluate:
    def value(values: Mapping[str, Scalar]) -> Scalar:
        one, other = left(values), right(values)
        return None if one is None or other is None else decide(one, other)

    return value


def _joined(parts: list[Evaluate], *, decisive: bool) -> Evaluate:
    """`or` where true decides, `and` where false does; if none decides, a null makes the whole null."""

    def value(values: Mapping[str, Scalar]) -> Scalar:
        found = [part(values) for part in parts]
        if decisive in found:
            return decisive
        return None if None in found else not decisive

    return value


def _check_kinds(node: Comparison | Membership, columns: Columns) -> None:
    field = next((each for each in children(node) if isinstance(each, Field)), None)
    placements = columns.placements(field.name) if field is not None else ()
    if field is not None and any(each.kind in {"address", "date"} or each.type == "version" for each in placements):
        what = f"{field.name}, a date, address or version, is compared within another expression"
        raise Misuse(node.at, what, "Compare it by itself.")
