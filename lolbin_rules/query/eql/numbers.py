"""Numbers in EQL: arithmetic as Java has it, and numbers written as texts."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

__all__ = ["NAMES", "OPERATORS", "number"]

Number: TypeAlias = int | float

_LARGEST_LONG = 2**63 - 1
_HEXADECIMAL = 16
_LEAST_BASE, _LARGEST_BASE = 2, 36
_BLANKS = " \t\r\n\f\v"
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PREFIXED = re.compile(r"([+-]?)0[xX]([0-9a-fA-F]+)")
_DIGITS = re.compile(r"[+-]?[0-9a-zA-Z]+")


def number(text: str, base: Number | None = None) -> Number:
    """The number that a text is; a base of None is 10, or 16 where the text begins with 0x.

    Raises:
        ValueError: it is none.
    """
    bare = text.strip(_BLANKS)
    hexadecimal = _PREFIXED.fullmatch(bare)
    if hexadecimal is not None and base in {None, _HEXADECIMAL}:
        return _long(int(hexadecimal[1] + hexadecimal[2], _HEXADECIMAL))
    if base is None or base == 10:  # noqa: PLR2004 - ten
        if not _DECIMAL.fullmatch(bare):
            raise ValueError(f'"{text}" is no number')
        return _long(int(bare)) if bare.lstrip("+-").isdigit() else float(bare)
    if not isinstance(base, int) or not _LEAST_BASE <= base <= _LARGEST_BASE:
        raise ValueError(f"{base} is no base from {_LEAST_BASE} to {_LARGEST_BASE}")
    if not _DIGITS.fullmatch(bare):
        raise ValueError(f'"{text}" is no number of base {base}')
    return _long(int(bare, base))


def _long(value: int) -> int:
    if not -_LARGEST_LONG - 1 <= value <= _LARGEST_LONG:
        raise ValueError(f"{value} has more than 64 bits")
    return value


def _whole_or_not(reckon: Callable[[Number, Number], Number]) -> Callable[[Number, Number], Number]:
    def reckoned(left: Number, right: Number) -> Number:
        result = reckon(left, right)
        return _long(result) if isinstance(result, int) else result

    return reckoned


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        if not right:
            raise ValueError("nothing can be divided by zero")
        quotient = abs(left) // abs(right)
        return _long(quotient if (left < 0) == (right < 0) else -quotient)
    if right:
        return left / right
    return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


def _modulo(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        if not right:
            raise ValueError("there is no rest of a division by zero")
        rest = abs(left) % abs(right)
        return rest if left >= 0 else -rest
    return math.fmod(left, right) if right and math.isfinite(left) else math.nan


OPERATORS: Mapping[str, Callable[[Number, Number], Number]] = {
    "+": _whole_or_not(operator.add),
    "-": _whole_or_not(operator.sub),
    "*": _whole_or_not(operator.mul),
    "/": _divide,
    "%": _modulo,
}
"""Whole numbers stay whole: a quotient is cut towards zero, and a rest has the sign of the dividend.

Each raises ValueError where a whole result would have more than 64 bits, or a whole number is divided by zero.
"""
NAMES: Mapping[str, str] = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}
"""The functions that do the same."""
