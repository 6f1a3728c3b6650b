"""Single conditions as clauses of Query DSL, for the types that their fields have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lolbin_rules.dsl.addresses import parse_address
from lolbin_rules.dsl.dates import DEFAULT_NANOS_FORMATS, parse_date, parse_nanos
from lolbin_rules.dsl.wildcard import escape_wildcard
from lolbin_rules.query.eql.check import alike
from lolbin_rules.query.eql.columns import Columns
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import (
    Call,
    Comparison,
    Field,
    Like,
    Literal,
    Membership,
    Node,
    NullCheck,
    Regex,
    Scalar,
)
from lolbin_rules.query.eql.patterns import as_wildcard, check_expression, has_wildcards, is_anything
from lolbin_rules.store.port import Query

__all__ = ["any_of", "clause_of", "exists", "only_stores_know"]

_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_NANOS_OF_MS = 1_000_000
_BITS = {"long": 63, "integer": 31, "short": 31, "byte": 31}
"""Of the numbers, without their sign, that can be looked for in a field of whole numbers."""
_LARGEST_WHOLE = 2**63
_NOTHING: Query = {"match_none": {}}


def clause_of(node: Node, columns: Columns) -> Query | None:
    """The condition as a clause; None where Query DSL cannot say it.

    Args:
        node: one condition, folded: no `and`, `or` or `not`, constants on the right, names as they can be compared.
        columns: the fields.

    Raises:
        Misuse: a constant or pattern is none that the field can be compared with.
    """
    match node:
        case Comparison(operator, Field(name), Literal() as value):
            return _compared(name, operator, value, columns)
        case Membership(Field(name), items, is_caseless):
            constants = [item for item in items if isinstance(item, Literal)]
            return _listed(name, constants, columns, is_caseless=is_caseless)
        case Like(Field(name), patterns, is_caseless):
            return any_of([_like(name, str(pattern.value), is_caseless=is_caseless) for pattern in patterns])
        case Regex(Field(name), patterns, is_caseless):
            return any_of([_regex(name, pattern, is_caseless=is_caseless) for pattern in patterns])
        case Call(_, (Field(name), *constants)):
            values = [constant.value for constant in constants if isinstance(constant, Literal)]
            return _called(node, name, values, columns) if len(values) == len(constants) else None
        case _:
            return _plain(node)


def _plain(node: Node) -> Query | None:
    match node:
        case Field(name):
            return _term(name, True)
        case NullCheck(Field(name), is_null=False):
            return exists(name)
        case _:
            return None


def exists(name: str) -> Query:
    """The field has a value."""
    return {"exists": {"field": name}}


def any_of(clauses: Sequence[Query]) -> Query:
    """One of the clauses holds."""
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def only_stores_know(node: Node, columns: Columns) -> str:
    """What of the condition cannot be told from a document alone, in words; "" if nothing is."""
    match node:
        case Comparison(operator, Field(name), Literal() as value):
            if _is_date_math(value.value) and columns.kind(name, alike(value)) == "date":
                return "a time reckoned from now"
            is_version = any(each.type == "version" for each in columns.placements(name))
            return "an order of versions" if is_version and operator != "==" else ""
        case Membership(Field() as field, items):
            told = (only_stores_know(Comparison("==", field, item), columns) for item in items)
            return next(filter(None, told), "")
        case _:
            return ""


def _term(name: str, value: Scalar) -> Query:
    return {"term": {name: {"value": value}}}


def _with_case(kind: str, name: str, value: str, *, is_caseless: bool) -> Query:
    return {kind: {name: {"value": value, "case_insensitive": True} if is_caseless else {"value": value}}}


def _compared(name: str, operator: str, value: Literal, columns: Columns) -> Query:
    kind = columns.kind(name, alike(value))
    if kind == "date":
        return _date(name, operator, value, columns)
    asked = _asked(value, kind)
    if _is_beyond(asked, name, columns):
        return exists(name) if (operator in {"<", "<="}) is (_number(asked) > 0) and operator != "==" else _NOTHING
    return _term(name, asked) if operator == "==" else {"range": {name: {_BOUNDS[operator]: asked}}}


def _asked(value: Literal, kind: str) -> Scalar:
    """The constant as a field of that kind is asked for it."""
    if kind == "address":
        try:
            parse_address(str(value.value))
        except ValueError:
            remedy = "Write an address; for networks write cidrMatch(field, ...)."
            raise Misuse(value.at, f"{str(value.value)[:60]!r} is no address", remedy) from None
    if kind == "boolean" and isinstance(value.value, str):
        return value.value == "true"
    if isinstance(value.value, float) and value.value.is_integer() and abs(value.value) <= _LARGEST_WHOLE:
        return int(value.value)
    return value.value


def _number(value: Scalar) -> float:
    return value if isinstance(value, int | float) else 0


def _is_beyond(value: Scalar, name: str, columns: Columns) -> bool:
    """Whether a number is larger, or smaller, than any of the field can be: Elasticsearch refuses to look for it."""
    bits = [_BITS.get(each.type) for each in columns.placements(name)]
    most = max((2**each for each in bits if each), default=0)
    return bool(most) and None not in bits and not -most <= _number(value) <= most - 1


def _listed(name: str, items: Sequence[Literal], columns: Columns, *, is_caseless: bool) -> Query:
    if is_caseless:
        return any_of([_with_case("term", name, str(item.value), is_caseless=True) for item in items])
    kinds = frozenset.intersection(*(alike(item) for item in items))
    if columns.kind(name, kinds) == "date":
        return any_of([_date(name, "==", item, columns) for item in items])
    every = dict.fromkeys(_asked(item, columns.kind(name, kinds)) for item in items)
    asked = [value for value in every if not _is_beyond(value, name, columns)]
    if not asked:
        return _NOTHING
    return _term(name, asked[0]) if len(asked) == 1 else {"terms": {name: asked}}


def _like(name: str, pattern: str, *, is_caseless: bool) -> Query:
    if is_anything(pattern):
        return exists(name)
    if has_wildcards(pattern):
        return _with_case("wildcard", name, as_wildcard(pattern), is_caseless=is_caseless)
    return _with_case("term", name, pattern, is_caseless=is_caseless)


def _regex(name: str, pattern: Literal, *, is_caseless: bool) -> Query:
    check_expression(pattern, is_caseless=is_caseless)
    body: dict[str, Any] = {"value": pattern.value, "flags": "ALL"}
    return {"regexp": {name: body | {"case_insensitive": True} if is_caseless else body}}


def _called(call: Call, name: str, values: Sequence[Scalar], columns: Columns) -> Query | None:
    if call.name == "cidrMatch":
        is_address = columns.kind(name, frozenset({"address", "text"})) in {"address", ""}
        return {"terms": {name: list(values)}} if is_address else None
    if call.name not in {"startsWith", "endsWith", "stringContains"}:
        return None
    text = str(values[0])
    if not text:
        return _NOTHING if call.name == "stringContains" else exists(name)
    if call.name == "startsWith":
        return _with_case("prefix", name, text, is_caseless=call.is_caseless)
    end = "*" if call.name == "stringContains" else ""
    return _with_case("wildcard", name, f"*{escape_wildcard(text)}{end}", is_caseless=call.is_caseless)


def _is_date_math(value: Scalar) -> bool:
    return isinstance(value, str) and (value.startswith("now") or "||" in value)


def _date(name: str, operator: str, value: Literal, columns: Columns) -> Query:
    """A range of points in time: constants stand for their first moment, never for a whole day or second."""
    if _is_date_math(value.value):
        bound: Scalar = value.value
        body: dict[str, Any] = {}
    else:
        bound = _moment(value, is_nanos=any(each.type == "date_nanos" for each in columns.placements(name)))
        body = {"format": "epoch_millis"}
    bounds = ["gte", "lte"] if operator == "==" else [_BOUNDS[operator]]
    return {"range": {name: dict.fromkeys(bounds, bound) | body}}


def _moment(value: Literal, *, is_nanos: bool) -> Scalar:
    written = value.value if isinstance(value.value, int | float) else str(value.value)
    try:
        if not is_nanos:
            return parse_date(written)
        nanos = parse_nanos(written, DEFAULT_NANOS_FORMATS)
        return f"{nanos // _NANOS_OF_MS}.{nanos % _NANOS_OF_MS:06}"
    except ValueError:
        remedy = 'Write it as "2026-11-22T10:00:00Z", or in milliseconds since 1970.'
        raise Misuse(value.at, f"{str(written)[:60]!r} is no date", remedy) from None
