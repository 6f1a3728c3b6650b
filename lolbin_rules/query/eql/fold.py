"""What is known of a condition before any document is seen: constants, nulls, and one spelling for what means the same.

Null is worked out as Elasticsearch does it. A comparison with a null is null, except `== null` and `!= null`, which
become null checks; a null within `and` or `or` counts as false, `not` of a null is null. A field that is mapped and has
no value in a document is no such null: what is asked of it is false, and `not` of that is true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from lolbin_rules.query.eql.constants import folded_value
from lolbin_rules.query.eql.nodes import (
    And,
    Call,
    Comparison,
    Field,
    Like,
    Literal,
    Membership,
    Node,
    Not,
    NullCheck,
    Or,
    Regex,
    Scalar,
    children,
    with_children,
)
from lolbin_rules.query.eql.patterns import matcher
from lolbin_rules.query.eql.texts import fold as fold_case
from lolbin_rules.query.eql.texts import units

__all__ = ["compare", "fold", "is_among", "is_boolean", "with_nulls"]

_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def with_nulls(node: Node, is_null: Callable[[str], bool]) -> Node:
    """The node with null in the place of every optional field that no index has."""
    if isinstance(node, Field):
        return Literal(None, node.at) if node.is_optional and is_null(node.name) else node
    return with_children(node, [with_nulls(child, is_null) for child in children(node)])


def compare(sign: str, left: Scalar, right: Scalar) -> bool:
    """What a comparison of two values that are not null comes to; texts are ordered by their code units."""
    if isinstance(left, str) and isinstance(right, str):
        return _ORDERS[sign](units(left), units(right))
    if isinstance(left, bool) is not isinstance(right, bool) or isinstance(left, str) or isinstance(right, str):
        return sign == "!="  # a value of an index that maps the field otherwise
    return _ORDERS[sign](left, right)


def is_boolean(node: Node) -> bool:
    """Whether the node is a condition by itself, and no value that only stands for one."""
    return isinstance(node, Comparison | Membership | Like | Regex | NullCheck | Not | And | Or) or (
        isinstance(node, Call) and node.name in {"cidrMatch", "endsWith", "startsWith", "stringContains"}
    )


def fold(node: Node) -> Node:
    """The condition with all that is known worked out; as a whole it may be a literal then.

    Raises:
        Misuse: a constant in it has no value, or an expression is no regular one.
    """
    if isinstance(node, Literal | Field):
        return node
    node = with_children(node, [fold(child) for child in children(node)])
    folding = _FOLDING.get(type(node))
    return folding(node) if folding is not None else folded_value(node) or node


def _comparison(node: Comparison) -> Node:
    left, right, sign = node.left, node.right, node.operator
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, sign = right, left, _FLIPPED[sign]
    if Literal(None) in (left, right):
        return _null_comparison(left, right, sign, node.at)
    if isinstance(left, Literal) and isinstance(right, Literal):
        return Literal(compare(sign, left.value, right.value), node.at)
    if isinstance(right, Literal) and isinstance(right.value, bool) and is_boolean(left):
        return left if right.value is (sign == "==") else _not(Not(left, node.at))
    if sign == "!=" and isinstance(left, Field):
        return Not(Comparison("==", left, right, node.at), node.at)
    return Comparison(sign, left, right, node.at)


def _null_comparison(left: Node, right: Node, sign: str, at: int) -> Node:
    """A null check, where it is the right side that is null; a null otherwise."""
    if right != Literal(None) or sign not in {"==", "!="}:
        return Literal(None, at)
    if isinstance(left, Literal):
        return Literal((left.value is None) is (sign == "=="), at)
    if sign == "!=" and isinstance(left, Field):
        return Not(NullCheck(left, is_null=True, at=at), at)
    return NullCheck(left, is_null=sign == "==", at=at)


def _membership(node: Membership) -> Node:
    items = tuple(item for item in node.items if item != Literal(None))
    if not items or node.subject == Literal(None):
        return Literal(None, node.at)
    if isinstance(node.subject, Literal) and all(isinstance(item, Literal) for item in items):
        values = [item.value for item in items if isinstance(item, Literal)]
        return Literal(is_among(node.subject.value, values, is_caseless=node.is_caseless), node.at)
    return Membership(node.subject, items, node.is_caseless, node.at)


def is_among(value: Scalar, values: list[Scalar], *, is_caseless: bool) -> bool:
    """Whether the value is one of several."""
    if is_caseless and isinstance(value, str):
        return fold_case(value) in {fold_case(str(each)) for each in values}
    return any(compare("==", value, each) for each in values)


def _matched(node: Like | Regex) -> Node:
    if not isinstance(node.subject, Literal):
        return node
    value = node.subject.value
    return Literal(None if value is None else matcher(node, is_field=False)(str(value)), node.at)


def _not(node: Not) -> Node:
    match node.operand:
        case Literal(value):
            return Literal(None if value is None else not value, node.at)
        case Not(inner):
            return inner
        case _:
            return node


def _and(node: And) -> Node:
    flat = [each for part in node.parts for each in (part.parts if isinstance(part, And) else (part,))]
    kept = [part for part in flat if part != Literal(True)]
    if any(isinstance(part, Literal) for part in kept):
        return Literal(False, node.at)
    if len(kept) < 2:  # noqa: PLR2004 - nothing is joined
        return kept[0] if kept else Literal(True, node.at)
    return And(tuple(kept), node.at)


def _or(node: Or) -> Node:
    flat = [each for part in node.parts for each in (part.parts if isinstance(part, Or) else (part,))]
    if any(part == Literal(True) for part in flat):
        return Literal(True, node.at)
    kept = [part for part in flat if not isinstance(part, Literal)]
    if len(kept) < 2:  # noqa: PLR2004 - nothing is joined
        return kept[0] if kept else Literal(False, node.at)
    return Or(tuple(kept), node.at)


_FOLDING: Mapping[type, Callable[[Any], Node]] = {
    Comparison: _comparison,
    Membership: _membership,
    Like: _matched,
    Regex: _matched,
    Not: _not,
    And: _and,
    Or: _or,
}
