"""What an EQL condition says of a document, worked out from its text alone: no Query DSL, no kernel, nothing folded.

It follows the rules as they are told: a condition on a field without a value is false, `not` of that is true; a field
that no index has is null if it is optional, and null is worked out first; one value that fits is enough.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from fuzz.eql_documents import FIELDS
from lolbin_rules.query.eql.functions import FUNCTIONS, apply
from lolbin_rules.query.eql.nodes import (
    And,
    Arithmetic,
    Call,
    Comparison,
    EventQuery,
    Field,
    Like,
    Literal,
    Membership,
    Negative,
    Node,
    Not,
    Or,
    Regex,
    children,
    fields_in,
)
from lolbin_rules.query.eql.numbers import OPERATORS
from lolbin_rules.store.port import UNMAPPED

__all__ = ["holds", "values_of"]

Row = Mapping[str, list[Any]]
"""Field -> its values, as its type has them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEAN_FUNCTIONS = {"cidrMatch", "endsWith", "startsWith", "stringContains"}
_LETTERS = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def values_of(source: Mapping[str, Any]) -> Row:
    """The values of every field of a document."""
    return {name: [_typed(kind, raw) for raw in _raw(source, name)] for name, kind in FIELDS.items()}


def _raw(source: Mapping[str, Any], name: str) -> Iterator[Any]:
    outer, _, inner = name.partition(".")
    found = [
        source.get(name),
        source.get(outer, {}).get(inner) if inner and isinstance(source.get(outer), dict) else None,
    ]
    for value in found:
        yield from (each for each in (value if isinstance(value, list) else [value]) if each is not None)


def _typed(kind: str, raw: Any) -> Any:
    if kind == "ip":
        return _address(raw)
    return _ms(raw) if kind == "date" else float(raw) if kind == "double" else raw


def _address(text: str) -> int:
    address = ipaddress.ip_address(text)
    return int(address) if address.version == 6 else int(address) | 0xFFFF_0000_0000


def _ms(text: str | float) -> int:
    if not isinstance(text, str):
        return int(text)
    padded = text + "0001-01-01"[len(text) :] if len(text) < len("2026-11-22") else text
    moment = datetime.fromisoformat(padded)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)


def holds(query: EventQuery, row: Row) -> bool:
    """Whether the document is found."""
    if query.category is not None and query.category not in row["event.category"]:
        return False
    return _condition(query.condition, row) is True


def _condition(node: Node, row: Row) -> bool | None:
    """True or false; None for a null that no document has a part in."""
    match node:
        case And(parts):
            return all(_condition(part, row) is True for part in parts)
        case Or(parts):
            return any(_condition(part, row) is True for part in parts)
        case Not(operand):
            found = _condition(operand, row)
            return None if found is None else not found
        case Comparison():
            return _comparison(node, row)
        case _:
            return _leaf(node, row)


def _comparison(node: Comparison, row: Row) -> bool | None:
    left, right, sign = node.left, node.right, node.operator
    if _is_constant(left) and not _is_constant(right):
        left, right, sign = right, left, {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
    constant = _value(right, {})
    if constant is None:
        return _null_check(left, sign, row) if sign in {"==", "!="} else None
    if _is_constant(left):
        value = _value(left, {})
        return None if value is None else _compare(sign, value, constant)
    if _is_condition(left) and isinstance(constant, bool):
        found = _condition(left, row)
        return found if constant is (sign == "==") else None if found is None else not found
    return _compared(left, sign, constant, row)


def _null_check(operand: Node, sign: str, row: Row) -> bool:
    is_null = sign == "=="
    if isinstance(operand, Field) and not _is_null(operand):
        return (not row[operand.name]) is is_null
    return _any(operand, row, lambda value: (value is None) is is_null)


def _compared(left: Node, sign: str, constant: Any, row: Row) -> bool:
    if not isinstance(left, Field):
        return _any(left, row, lambda value: value is not None and _compare(sign, value, constant))
    asked = _as_field(left, constant)
    plain = "==" if sign == "!=" else sign
    found = _any(left, row, lambda value: value is not None and _compare(plain, value, asked, "utf-8"))
    return found if sign != "!=" else not found


def _leaf(node: Node, row: Row) -> bool | None:
    if _is_constant(node):
        found = _value(node, {})
        return None if found is None else bool(found)
    return _any(node, row, lambda value: value is True)


def _any(node: Node, row: Row, test: Any) -> bool:
    """Whether some choice of a value for each field makes a value that passes."""
    names = sorted({field.name for field in fields_in(node) if not _is_null(field)})
    choices = product(*((row[name] or [None]) for name in names))
    is_plain = isinstance(node, Field) or (isinstance(node, Membership) and isinstance(node.subject, Field))
    for choice in choices:
        env = dict(zip(names, choice, strict=True))
        if test(_value(node, env if is_plain else {name: _shown(name, value) for name, value in env.items()})):
            return True
    return False


def _is_null(field: Field) -> bool:
    return field.is_optional and FIELDS[field.name] == UNMAPPED


def _is_constant(node: Node) -> bool:
    return all(_is_null(field) for field in fields_in(node))


def _is_condition(node: Node) -> bool:
    return isinstance(node, Comparison | Membership | Like | Regex | Not | And | Or) or (
        isinstance(node, Call) and node.name in _BOOLEAN_FUNCTIONS
    )


def _as_field(field: Field, constant: Any) -> Any:
    kind = FIELDS[field.name]
    return _address(constant) if kind == "ip" else _ms(constant) if kind == "date" else constant


def _shown(name: str, value: Any) -> Any:
    """As functions are given it."""
    if value is None or FIELDS[name] not in {"ip", "date"}:
        return value
    if FIELDS[name] == "date":
        return (_EPOCH + timedelta(milliseconds=value)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(ipaddress.ip_address(value & 0xFFFFFFFF if value >> 32 == 0xFFFF else value.to_bytes(16, "big")))


def _value(node: Node, env: Mapping[str, Any]) -> Any:
    """The value for one value of each field; null spreads as in SQL."""
    match node:
        case Literal(value):
            return value
        case Field(name):
            return None if _is_null(node) else env[name]
        case Call(name, arguments, is_caseless):
            return _tried(
                lambda: apply(FUNCTIONS[name], [_value(each, env) for each in arguments], is_caseless=is_caseless)
            )
        case Arithmetic(operator, left, right):
            sides = [_value(left, env), _value(right, env)]
            return None if None in sides else _tried(lambda: OPERATORS[operator](*sides))
        case Negative(operand):
            found = _value(operand, env)
            return None if found is None else _tried(lambda: OPERATORS["-"](0, found))
        case _:
            return _decided(node, env)


def _tried(attempt: Any) -> Any:
    try:
        return attempt()
    except ValueError:
        return None


def _decided(node: Node, env: Mapping[str, Any]) -> bool | None:
    found = [_value(child, env) for child in children(node)]
    if isinstance(node, And | Or):
        decisive = isinstance(node, Or)
        return decisive if decisive in found else None if None in found else not decisive
    if isinstance(node, Comparison) and node.operator in {"==", "!="} and found[1] is None and _is_constant(node.right):
        return (found[0] is None) is (node.operator == "==")
    if found[0] is None or (isinstance(node, Comparison) and found[1] is None):
        return None
    if isinstance(node, Not):
        return not found[0]
    if isinstance(node, Comparison):
        return _compare(node.operator, *found)
    return _among(node, found)


def _among(node: Node, found: list[Any]) -> bool | None:
    """Whether the value is in a list, or is like one of several patterns."""
    match node:
        case Membership(subject, _, is_caseless):
            constants = [each for each in found[1:] if each is not None]
            if isinstance(subject, Field):
                constants = [_as_field(subject, each) for each in constants]
            return any(_same(found[0], each, is_caseless=is_caseless) for each in constants) if constants else None
        case Like(_, patterns, is_caseless):
            return any(_is_like(found[0], str(each.value), is_caseless=is_caseless) for each in patterns)
        case Regex(_, patterns, is_caseless):
            flags = re.DOTALL | (re.IGNORECASE | re.ASCII if is_caseless else 0)
            return any(re.fullmatch(str(each.value), found[0], flags) is not None for each in patterns)
    raise AssertionError(node)


def _same(one: Any, other: Any, *, is_caseless: bool) -> bool:
    return _folded(one) == _folded(other) if is_caseless else _compare("==", one, other)


def _folded(text: str) -> str:
    return text.translate(_LETTERS)


def _is_like(value: str, pattern: str, *, is_caseless: bool) -> bool:
    if is_caseless:
        value, pattern = _folded(value), _folded(pattern)
    source = "".join(".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.fullmatch(source, value, re.DOTALL) is not None


def _compare(sign: str, one: Any, other: Any, encoding: str = "utf-16-be") -> bool:
    """Texts are in the order of their bytes in the index, and of their code units elsewhere."""
    if sign in {"==", "!="}:
        return (one == other) is (sign == "==")
    if isinstance(one, str):
        one, other = one.encode(encoding, "surrogatepass"), other.encode(encoding, "surrogatepass")
    return bool({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign])
