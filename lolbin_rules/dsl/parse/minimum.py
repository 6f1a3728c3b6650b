"""`minimum_should_match`: how many of the optional clauses have to match.

A number, a percentage, either of them negative (how many may be missing), or `2<75% 9<-3`: above so many clauses, this.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from lolbin_rules.dsl.parse.arguments import text
from lolbin_rules.dsl.parse.faults import rejected

__all__ = ["minimum"]

_INTEGER = re.compile(r"[+-]?[0-9]+")


def minimum(clause: str, wanted: Any, count: int) -> int:
    """The number that `wanted` means for `count` optional clauses; it may be more than there are.

    Raises:
        StoreRejected: it is not written as above.
    """
    return _number(clause, text(clause, "minimum_should_match", wanted), count)


def _number(clause: str, wanted: str, count: int) -> int:
    wanted = wanted.strip()
    if "<" in wanted:
        return _conditional(clause, re.sub(r"\s*<\s*", "<", wanted), count)
    if "%" not in wanted:
        number = _integer(clause, wanted)
        return max(0, count + number if number < 0 else number)
    part = _float(count * _integer(clause, wanted[:-1]) * _HUNDREDTH)
    return max(0, count + int(part) if part < 0 else int(part))


def _conditional(clause: str, wanted: str, count: int) -> int:
    number = count
    for condition in wanted.split():
        bound, _, rest = condition.partition("<")
        if count <= _integer(clause, bound):
            return number
        number = _number(clause, rest.partition("<")[0], count)
    return number


def _integer(clause: str, digits: str) -> int:
    if not _INTEGER.fullmatch(digits):
        raise rejected(clause, f"[minimum_should_match]: {digits!r} is no whole number")
    return int(digits)


def _float(number: float) -> float:
    """The number as Elasticsearch reckons with it, in 32 bits."""
    single: float = struct.unpack("f", struct.pack("f", number))[0]
    return single


_HUNDREDTH = _float(0.01)
