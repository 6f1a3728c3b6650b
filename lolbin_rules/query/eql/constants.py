"""Values that a query fixes without any document."""

from __future__ import annotations

from lolbin_rules.query.eql.functions import FUNCTIONS, apply
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import (
    Arithmetic,
    Call,
    Field,
    Literal,
    Negative,
    Node,
    Scalar,
    children,
    with_children,
)
from lolbin_rules.query.eql.numbers import OPERATORS
from lolbin_rules.query.eql.tokens import DEEPEST

__all__ = ["check_depth", "folded_value", "with_constants"]


def check_depth(node: Node) -> None:
    """See that what comes after may go down into the node.

    Raises:
        Misuse: it goes too deep.
    """
    found = [(node, 1)]
    for each, depth in found:
        if depth > DEEPEST:
            raise Misuse(each.at, f"conditions go deeper than {DEEPEST} levels", "Write fewer within each other.")
        found.extend((child, depth + 1) for child in children(each))


def with_constants(node: Node) -> Node:
    """The node with functions and operations of constants worked out, wherever in it.

    Raises:
        Misuse: one has no value, such as 1 / 0.
    """
    if isinstance(node, Literal | Field):
        return node
    parts = with_children(node, [with_constants(child) for child in children(node)])
    return folded_value(parts) or parts


def folded_value(node: Node) -> Literal | None:
    """What a function or an operation makes of constants; None where a part of it is none.

    Only the node itself is worked out: its parts are literals already, or it is no constant.

    Raises:
        Misuse: there is no such value, such as that of 1 / 0.
    """
    match node:
        case Literal():
            return node
        case Call():
            return _called(node)
        case Arithmetic(operator, left, right, at):
            values = _values((left, right))
            if values is None:
                return Literal(None, at) if Literal(None) in (left, right) else None
            return _reckoned(operator, values, at)
        case Negative(Literal(value), at):
            return _reckoned("-", [0, value], at)
        case _:
            return None


def _called(call: Call) -> Literal | None:
    values = _values(call.arguments)
    if values is None:
        return Literal(None, call.at) if _has_null(call) else None
    try:
        return Literal(apply(FUNCTIONS[call.name], values, is_caseless=call.is_caseless), call.at)
    except ValueError as error:
        raise Misuse(call.at, f"{call.name} has no value here: {error}", "Correct its arguments.") from None


def _values(nodes: tuple[Node, ...]) -> list[Scalar] | None:
    values = [node.value for node in nodes if isinstance(node, Literal)]
    return values if len(values) == len(nodes) else None


def _has_null(call: Call) -> bool:
    """Whether a null makes the result null, whatever the other arguments are."""
    function = FUNCTIONS[call.name]
    return any(
        argument == Literal(None) and not function.parameter(place).is_nullable
        for place, argument in enumerate(call.arguments)
    )


def _reckoned(operator: str, values: list[Scalar], at: int) -> Literal:
    left, right = values
    if left is None or right is None:
        return Literal(None, at)
    if not _is_number(left) or not _is_number(right):
        raise Misuse(at, f"{operator} reckons with numbers only, and one side is none", "Write numbers on both sides.")
    try:
        return Literal(OPERATORS[operator](left, right), at)  # type: ignore[arg-type]
    except ValueError as error:
        raise Misuse(at, f"{operator} has no value here: {error}", "Correct the numbers.") from None
    except OverflowError:
        raise Misuse(at, f"{operator} yields a number that is too large", "Correct the numbers.") from None


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
