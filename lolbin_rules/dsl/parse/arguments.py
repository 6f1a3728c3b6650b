"""Reads the options of clauses as strictly, and as leniently, as Elasticsearch does: `"true"` is true, `"2"` is 2."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from lolbin_rules.dsl.parse.faults import rejected, unsupported

__all__ = [
    "ANYWHERE",
    "boolean",
    "check_names",
    "check_rewrite",
    "check_weight",
    "one_field",
    "query_text",
    "scalar",
    "text",
    "whole",
]

ANYWHERE = frozenset({"boost", "_name"})
"""Options of every clause; they say nothing of which documents match."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_LEAST_PLAIN, _LEAST_SCIENTIFIC = 1e-3, 1e7
"""Between these Java prints a number without an exponent."""
_ALL_TERMS = frozenset({"constant_score", "constant_score_blended", "constant_score_boolean", "scoring_boolean"})
_SOME_TERMS = re.compile(r"top_terms_(boost_|blended_freqs_)?[0-9]+")


def one_field(clause: str, body: Mapping[str, Any], value: str) -> tuple[str, dict[str, Any]]:
    """The field that a clause names and its options, where `{field: x}` is short for `{field: {value: x}}`."""
    if len(body) > 1:
        raise rejected(clause, f"it names several fields: {', '.join(body)}", "Write one clause for each of them.")
    for name, options in body.items():
        if not name:
            break
        return name, dict(options) if isinstance(options, Mapping) else {value: options}
    raise rejected(clause, "it names no field")


def check_names(clause: str, options: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse options that the clause does not have, and weights that are none."""
    for name in options:
        if name not in known and name not in ANYWHERE:
            raise rejected(clause, f"it has no option [{name}]")
    check_weight(clause, options.get("boost"))


def check_weight(clause: str, weight: Any) -> None:
    """Refuse a `boost` that is no number or a negative one."""
    if weight is None:
        return
    try:
        is_negative = isinstance(weight, bool) or float(weight) < 0
    except (TypeError, ValueError):
        raise rejected(clause, f"[boost] is {weight!r}, which is no number") from None
    if is_negative:
        raise rejected(clause, f"[boost] is {weight!r}", "Give it a number that is not negative, or leave it out.")


def scalar(clause: str, name: str, value: Any) -> Any:
    """A text, number or boolean."""
    if value is None or isinstance(value, Mapping | list):
        raise rejected(clause, f"[{name}] is {value!r}, where one text, number or boolean is expected")
    return value


def text(clause: str, name: str, value: Any) -> str:
    """A text; numbers and booleans are taken as they are written."""
    return query_text(scalar(clause, name, value))


def query_text(value: Any) -> str:
    """A text, number or boolean of a query as the text that Elasticsearch takes it for: `true`, `1`, `1.0`, `1.0E7`.

    A number with a point has become a number of 64 bits by then, which Java prints.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _double_text(value) if isinstance(value, float) else str(value)


def _double_text(number: float) -> str:
    if not math.isfinite(number) or number == 0 or _LEAST_PLAIN <= abs(number) < _LEAST_SCIENTIFIC:
        return repr(number).replace("nan", "NaN").replace("inf", "Infinity")
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    first, *rest = map(str, digits)
    scale = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{first}.{''.join(rest) or '0'}E{scale}"


def boolean(clause: str, name: str, value: Any) -> bool:
    """True or false, as such or as a text."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise rejected(clause, f"[{name}] is {value!r}, where true or false is expected")


def whole(clause: str, name: str, value: Any) -> int:
    """A whole number, as such or as a text; fractions are cut off."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise rejected(clause, f"[{name}] is {value!r}, where a whole number is expected")


def check_rewrite(clause: str, rewrite: Any) -> None:
    """Refuse a `rewrite` that does not exist, or that leaves out documents by how common their terms are."""
    if rewrite is None or rewrite in _ALL_TERMS:
        return
    if isinstance(rewrite, str) and _SOME_TERMS.fullmatch(rewrite):
        raise unsupported(clause, f"[rewrite] is {rewrite!r}, with which rare terms are left out", "Leave it out.")
    raise rejected(clause, f"[rewrite] is {rewrite!r}, and there is no such method")
