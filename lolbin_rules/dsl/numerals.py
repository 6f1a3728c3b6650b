"""Numbers written as text, and floats of fewer bits, as Elasticsearch's number fields read them.

Whole numbers of 64 bits are read as decimals, all others as floating point, so that " 1d " is a number for an `integer`
and none for a `long`. What is odd here was observed on a node.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal

__all__ = ["MOST_64_BITS", "parse_double", "parse_float", "parse_half_float", "parse_long"]

MOST_64_BITS = 2**63 - 1
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?")
_HEXADECIMAL = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+[fFdD]?")
_SPECIAL = {sign + name: float(sign + name) for sign in ("", "+", "-") for name in ("NaN", "Infinity")}
_BLANKS = "".join(map(chr, range(0x21)))
_DECIMAL = re.compile(r"([+-]?)(\d+\.?|\d*\.(\d+))(?:[eE]([+-]?\d+))?")
_LARGEST_EXPONENT = 2**31 - 1
_EXPONENT_DIGITS = 10
_MOST_SCALE = 19


def parse_double(text: str) -> float:
    """The number of 64 bits that a text is for `double`, `integer`, `short` and `byte`.

    Decimal or hexadecimal, with blanks around it and a final `f` or `d` allowed; NaN and Infinity are numbers here.

    Raises:
        ValueError: it is no number.
    """
    bare = text.strip(_BLANKS)
    if _DOUBLE.fullmatch(bare):
        return float(bare.rstrip("fFdD"))
    if _HEXADECIMAL.fullmatch(bare):
        try:
            # Behind the exponent f and d are suffixes; before it they would be digits.
            return float.fromhex(bare.rstrip("fFdD"))
        except OverflowError:
            return -math.inf if bare.startswith("-") else math.inf
    if bare in _SPECIAL:
        return _SPECIAL[bare]
    raise ValueError(f'"{text}" is not a number')


def parse_float(text: str) -> float:
    """The nearest number of 32 bits, rounded once; see `parse_double`.

    Raises:
        ValueError: it is no number, or there is no finite one of 32 bits.
    """
    number = parse_double(text)
    near = _narrowed(number, "<f")
    if near == number or not math.isfinite(number):
        return near
    # Halfway between two floats, what the 64 bits have lost decides.
    other = _neighbour(near, number)
    if abs(number - near) == abs(other - number) and _DOUBLE.fullmatch(text.strip(_BLANKS)):
        written = Decimal(text.strip(_BLANKS).rstrip("fFdD"))
        if written != Decimal(number):
            return max(near, other) if written > Decimal(number) else min(near, other)
    return near


def parse_half_float(text: str) -> float:
    """The nearest number of 16 bits to the nearest of 32 bits; see `parse_float`."""
    return _narrowed(parse_float(text), "<e")


def parse_long(text: str) -> int:
    """The whole number of 64 bits that a text is for `long`; fractions are cut off.

    Digits of any script are digits. With more than 19 digits behind the point, any number is 0.

    Raises:
        ValueError: it is no number or has more than 64 bits.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a number')
    sign, digits, fraction, exponent = match.groups()
    scale = len(fraction or "") - _exponent(exponent or "0", text)
    if scale > _MOST_SCALE:
        return 0
    number = Decimal(f"{sign}{digits}E{_exponent(exponent or '0', text)}") if scale >= -_MOST_SCALE else None
    if number is None or not -MOST_64_BITS - 2 < number < MOST_64_BITS + 1:
        raise ValueError(f"[{text}] is out of range for a long")
    return int(number)


def _exponent(digits: str, text: str) -> int:
    shortened = digits.lstrip("+-").lstrip("0")
    if len(shortened) > _EXPONENT_DIGITS or int(shortened or "0") > _LARGEST_EXPONENT:
        raise ValueError(f'"{text}" is not a number: its exponent is too large')
    return int(digits)


def _narrowed(number: float, layout: str) -> float:
    try:
        narrowed: float = struct.unpack(layout, struct.pack(layout, number))[0]
    except OverflowError:
        raise ValueError(f"{number} is out of range: only finite values are taken") from None
    return narrowed


def _neighbour(near: float, towards: float) -> float:
    """The float of 32 bits next to one, on the side of the other number."""
    bits: int = struct.unpack("<i", struct.pack("<f", near))[0]
    if near == 0:
        return math.copysign(struct.unpack("<f", struct.pack("<i", 1))[0], towards)
    step = 1 if (towards > near) == (near > 0) else -1
    neighbour: float = struct.unpack("<f", struct.pack("<i", bits + step))[0]
    return neighbour
