"""Numbers in queries as the types of fields read them: what is refused, and what no document can be equal to.

A term that is out of range or has a fraction is equal to nothing; a limit of a range that is out of range is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from lolbin_rules.dsl.clause import OneOf, Test
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.numerals import parse_double, parse_float, parse_half_float
from lolbin_rules.dsl.parse.arguments import query_text
from lolbin_rules.dsl.parse.dates import Limit
from lolbin_rules.dsl.parse.families import FRACTIONS
from lolbin_rules.dsl.parse.faults import rejected
from lolbin_rules.dsl.predicates import Between, BetweenZero, Zero

__all__ = ["between_numbers", "equal_number"]

_SIZES = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "_seq_no": (-(2**63), 2**63 - 1),
    "unsigned_long": (0, 2**64 - 1),
}
_INTEGER = re.compile(r"[+-]?[0-9]+(\.0)?")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_DECIMALS = frozenset({"long", "_seq_no", "unsigned_long"})
"""Types whose numbers are read as decimals; those of the other whole types go through floating point."""
_SIGNED = FRACTIONS - {"scaled_float"}
"""Types that have a zero with a sign."""
_NOT_FINITE = ("NaN", "Infinity", "+Infinity", "-Infinity")
"""What a `long` takes for a number in a term, and in nothing else."""
_PARSERS: Mapping[str, Callable[[str], float]] = {
    "double": parse_double,
    "float": parse_float,
    "half_float": parse_half_float,
    "scaled_float": parse_double,
}


def equal_number(clause: str, field: Field, value: Any, *, is_listed: bool = False) -> Test | None:
    """What is asked of a value to be equal to the number; None if there cannot be one.

    Among several numbers (`is_listed`), those that are out of range are refused.
    """
    is_strict = is_listed and field.is_indexed
    if field.type in FRACTIONS:
        fraction = _equal_fraction(clause, field, value, is_strict=is_strict)
        if fraction == 0 and field.type != "scaled_float":
            return Zero(is_negative=math.copysign(1, fraction) < 0)
        return None if fraction is None else OneOf(frozenset({fraction}))
    whole = _equal_whole(clause, field, value, is_strict=is_strict)
    return None if whole is None else OneOf(frozenset({whole}))


def between_numbers(clause: str, field: Field, low: Limit, high: Limit) -> Test:
    """What is asked of a value to lie between the limits."""
    start = -math.inf if low.value is None else _lowest(clause, field, low)
    is_whole = field.type not in FRACTIONS
    if is_whole and low.value is not None and not low.is_included and start > _limits(field)[1]:
        return Between(math.inf, -math.inf)  # Elasticsearch then does not look at the other limit, which may be none
    end = math.inf if high.value is None else _highest(clause, field, high)
    if field.type in _SIGNED:
        if start == end == 0 and math.copysign(1, start) > math.copysign(1, end):
            return Between(math.inf, -math.inf)
        if start == 0 and math.copysign(1, start) > 0:
            return BetweenZero(start, end, is_negative=False)
        if end == 0 and math.copysign(1, end) < 0:
            return BetweenZero(start, end, is_negative=True)
    return Between(start, end)


def _equal_whole(clause: str, field: Field, value: Any, *, is_strict: bool) -> int | None:
    if field.type in _DECIMALS and value in _NOT_FINITE:
        return None
    if field.type in _DECIMALS and field.type != "_seq_no" and _has_fraction(value):
        return None
    number = _number(clause, field, value)
    if math.isnan(number) or (math.isfinite(number) and number != math.floor(number)):
        return None
    low, high = _SIZES[field.type]
    if low <= number <= high:
        return int(number)
    low, high = _limits(field)
    is_refused = is_strict and math.isfinite(number) and not low <= number <= high
    return _out_of_range(clause, field, value) if is_refused else None


def _has_fraction(value: Any) -> bool:
    """Whether Java reads a text as a floating-point number (`.5f` is one) that is not whole: then it equals none."""
    try:
        number = parse_double(value) if isinstance(value, str) else 0.0
    except ValueError:
        return False
    return math.isfinite(number) and number % 1 != 0


def _equal_fraction(clause: str, field: Field, value: Any, *, is_strict: bool) -> float | None:
    fraction = _fraction(clause, field, value)
    if not math.isfinite(fraction):
        return _out_of_range(clause, field, value) if is_strict else None
    if field.type == "scaled_float":
        return _scaled(field, math.floor(fraction * _factor(field) + 0.5))
    return fraction


def _lowest(clause: str, field: Field, limit: Limit) -> float:
    """The least typed value that a range from here covers; more than any, if it covers nothing."""
    if field.type in FRACTIONS:
        fraction = _edge(clause, field, limit.value)
        # NaN comes after all numbers.
        return math.inf if math.isnan(fraction) else _stepped(field, fraction, math.inf, is_included=limit.is_included)
    number = _limit(clause, field, limit.value)
    if math.isnan(number):
        return 0
    return math.ceil(number) if limit.is_included else math.floor(number) + 1


def _highest(clause: str, field: Field, limit: Limit) -> float:
    """The greatest typed value that a range up to here covers."""
    if field.type in FRACTIONS:
        fraction = _edge(clause, field, limit.value)
        return math.inf if math.isnan(fraction) else _stepped(field, fraction, -math.inf, is_included=limit.is_included)
    number = _limit(clause, field, limit.value)
    if math.isnan(number):
        return 0
    return math.floor(number) if limit.is_included else math.ceil(number) - 1


def _stepped(field: Field, number: float, towards: float, *, is_included: bool) -> float:
    """The first number of the field in a direction, beginning with the number itself if it is included."""
    if field.type == "scaled_float":
        number *= _factor(field)
    if not is_included:
        is_other_zero = number == 0 and math.copysign(1, number) != math.copysign(1, towards)
        number = math.copysign(0, towards) if is_other_zero else math.nextafter(number, towards)
    if field.type == "scaled_float" and math.isfinite(number):
        return _scaled(field, math.ceil(number) if towards > 0 else math.floor(number))
    return number


def _limit(clause: str, field: Field, value: Any) -> Decimal | float:
    """A limit of a range over whole numbers."""
    number = _number(clause, field, value)
    if math.isnan(number):
        return number
    low, high = _limits(field)
    edge = math.trunc(number) if field.type in _DECIMALS and math.isfinite(number) else number
    if not low <= edge <= high:
        _out_of_range(clause, field, value)
    return number


def _limits(field: Field) -> tuple[int, int]:
    """What is not refused as being out of range; more than what fits into a `short` or a `byte`."""
    return _SIZES[field.type if field.type in _DECIMALS else "integer"]


def _out_of_range(clause: str, field: Field, value: Any) -> NoReturn:
    raise rejected(clause, f"{value!r} is out of the range of [{field.name}], a field of type {field.type}")


def _number(clause: str, field: Field, value: Any) -> Decimal | float:
    if isinstance(value, bool):
        raise _no_number(clause, field, value)
    if isinstance(value, int):
        return Decimal(value)
    text = query_text(value)
    if field.type == "_seq_no" and not _INTEGER.fullmatch(text):
        raise _no_number(clause, field, value)
    if field.type in _DECIMALS:
        if not _DECIMAL.fullmatch(text):
            raise _no_number(clause, field, value)
        # Whether there is a fraction is seen in floating point: large numbers have none.
        return Decimal(text) if float(text) % 1 else Decimal(int(Decimal(text)))
    return _floating(clause, field, value, parse_double)


def _fraction(clause: str, field: Field, value: Any) -> float:
    """A number as the field has it; infinite where it is too large."""
    return _nearest(_PARSERS[field.type], clause, field, value)


def _edge(clause: str, field: Field, value: Any) -> float:
    """A limit of a range, which a field of 16 bits has in 32."""
    return _nearest(parse_float if field.type == "half_float" else _PARSERS[field.type], clause, field, value)


def _nearest(parse: Callable[[str], float], clause: str, field: Field, value: Any) -> float:
    number = _floating(clause, field, value, parse_double)
    try:
        return parse(query_text(value))
    except ValueError:
        return math.copysign(math.inf, number)


def _floating(clause: str, field: Field, value: Any, parse: Callable[[str], float]) -> float:
    if isinstance(value, bool):
        raise _no_number(clause, field, value)
    try:
        return parse(query_text(value))
    except ValueError:
        raise _no_number(clause, field, value) from None


def _factor(field: Field) -> float:
    return field.scaling_factor or 1.0


def _scaled(field: Field, number: int) -> float:
    return number / _factor(field)


def _no_number(clause: str, field: Field, value: Any) -> Exception:
    return rejected(clause, f"{value!r} is no number, and [{field.name}] is a field of type {field.type}")
