"""Conditions and values written as EQL: for templates, and to tell conditions apart."""

from __future__ import annotations

import json
import math

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
from lolbin_rules.query.eql.tokens import is_plain_name

__all__ = ["eql_quote", "write"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def eql_quote(value: Scalar) -> str:
    """The value as EQL writes it: texts in double quotes with everything escaped that needs it, null for None.

    Raises:
        ValueError: it is a number that EQL cannot write: not a number, infinite.
    """
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"EQL has no number {value}")
    return json.dumps(value)


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\u{{{ord(character):02x}}}"


def write(node: Node) -> str:
    """The node as EQL, in brackets wherever one could doubt what belongs together; reading it yields the node again."""
    match node:
        case Literal(value):
            return eql_quote(value)
        case Field(name, is_optional):
            return ("?" if is_optional else "") + (name if is_plain_name(name) else f"`{name.replace('`', '``')}`")
        case Call(name, arguments, is_caseless):
            return f"{name}{'~' * is_caseless}({', '.join(map(write, arguments))})"
        case _:
            return f"({_operation(node)})"


def _operation(
    node: Arithmetic | Comparison | Negative | Membership | Like | Regex | NullCheck | Not | And | Or,
) -> str:
    first = write(children(node)[0])
    match node:
        case Arithmetic(operator, _, right) | Comparison(operator, _, right):
            return f"{first} {operator} {write(right)}"
        case Negative() | Not():
            return f"{'-' if isinstance(node, Negative) else 'not '}{first}"
        case Membership(_, several, is_caseless) | Like(_, several, is_caseless) | Regex(_, several, is_caseless):
            return f"{first} {_WORDS[type(node)]}{'~' * is_caseless} ({', '.join(map(write, several))})"
        case NullCheck(_, is_null):
            return f"{first} {'==' if is_null else '!='} null"
        case And(parts) | Or(parts):
            return (" and " if isinstance(node, And) else " or ").join(map(write, parts))


_WORDS = {Membership: "in", Like: "like", Regex: "regex"}
