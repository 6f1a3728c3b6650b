"""Texts in EQL: functions of code units of UTF-16, and values printed as texts."""

from __future__ import annotations

import math
import string as letters
from collections.abc import Callable
from typing import TypeAlias

__all__ = [
    "between",
    "concat",
    "contains",
    "ends_with",
    "fold",
    "index_of",
    "length",
    "starts_with",
    "string",
    "substring",
    "units",
]

Fold: TypeAlias = Callable[[str], str]

_LOWER = str.maketrans(letters.ascii_uppercase, letters.ascii_lowercase)
_LAST_PLAIN = "\uffff"
_LEAST_PLAIN_NUMBER, _LARGEST_PLAIN_NUMBER = 1e-3, 1e7


def fold(text: str) -> str:
    """The text with A to Z in lower case: what `case_insensitive` of Query DSL compares."""
    return text.translate(_LOWER)


def units(text: str) -> str:
    """The text with one character for each code unit of UTF-16."""
    if text.isascii() or max(text) <= _LAST_PLAIN:
        return text
    encoded = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(encoded[at] | encoded[at + 1] << 8) for at in range(0, len(encoded), 2))


def _joined(text: str) -> str:
    """The opposite of `units`."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def length(text: str) -> int:
    """How many code units."""
    return len(units(text))


def starts_with(source: str, beginning: str, *, fold: Fold) -> bool:
    """Whether the source begins so; every text begins with the empty one."""
    return fold(source).startswith(fold(beginning))


def ends_with(source: str, ending: str, *, fold: Fold) -> bool:
    """Whether the source ends so; every text ends with the empty one."""
    return fold(source).endswith(fold(ending))


def contains(source: str, part: str, *, fold: Fold) -> bool:
    """Whether the part is in the source; an empty part is in none."""
    return bool(part) and fold(part) in fold(source)


def index_of(source: str, part: str, start: float = 0, *, fold: Fold) -> int | None:
    """Where the part begins, counted from 0; null if it is not there from the start on."""
    begun = max(0, int(start))
    found = units(fold(source)).find(units(fold(part)), begun)
    return None if found < 0 else found


def between(source: str, left: str, right: str, greedy: bool | None = None, *, fold: Fold) -> str:  # noqa: FBT001
    """What stands between the first left and the next right (greedy: the last right); the empty text if nothing does.

    Without a left or a right the source is returned as it is.
    """
    if not left or not right:
        return source
    folded = fold(source)
    begun = folded.find(fold(left))
    if begun < 0:
        return ""
    begun += len(left)
    ended = folded.rfind(fold(right), begun) if greedy else folded.find(fold(right), begun)
    return "" if ended < 0 else source[begun:ended]


def substring(text: str, start: float, end: float | None = None) -> str:
    """From the start to before the end, counted from 0, or from behind where negative; possibly the empty text."""
    return _joined(units(text)[int(start) : None if end is None else int(end)])


def concat(*values: str | float | bool) -> str:
    """The values as texts, one after the other."""
    return "".join(map(string, values))


def string(value: str | float | bool) -> str:  # noqa: FBT001 - a value
    """The value as a text, numbers as Java prints them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _fraction(value)


def _fraction(number: float) -> str:
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    if not number or _LEAST_PLAIN_NUMBER <= abs(number) < _LARGEST_PLAIN_NUMBER:
        return repr(number)
    digits, _, exponent = f"{number!r}".partition("e")
    if not exponent:
        whole, _, rest = digits.lstrip("-").partition(".")
        exponent = str(len(whole) - 1)
        digits = ("-" if number < 0 else "") + whole[0] + "." + ((whole[1:] + rest).rstrip("0") or "0")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"
