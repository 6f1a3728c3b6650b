"""`range`: values between two limits, in the order of the field's type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lolbin_rules.dsl.addresses import parse_address
from lolbin_rules.dsl.clause import Clause, Leaf, Test
from lolbin_rules.dsl.combine import ALL, NONE
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import boolean, check_names, one_field, query_text, text
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.dates import Calendar, Limit, read_zone
from lolbin_rules.dsl.parse.exists import has
from lolbin_rules.dsl.parse.families import (
    DATES,
    KEYWORDS,
    NUMBERS,
    TEXTS,
    check_known,
    check_searchable,
    normalized,
)
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.parse.numbers import between_numbers
from lolbin_rules.dsl.predicates import Between, BetweenTexts
from lolbin_rules.dsl.word_tests import AnyWord

__all__ = ["between", "read_range"]

_LIMITS = {"gte": (0, True), "gt": (0, False), "lte": (1, True), "lt": (1, False), "from": (0, None), "to": (1, None)}
"""Name -> which end, and whether the limit itself is covered (None: that is not said)."""
_SWITCHES = {"include_lower": 0, "include_upper": 1}
_RELATIONS = frozenset({"intersects", "within", "contains"})


@dataclass(slots=True)
class _Ends:
    """What has been read of a range so far; what comes later counts."""

    values: list[Any]
    are_included: list[bool]

    def limits(self) -> tuple[Limit, Limit]:
        return Limit(self.values[0], self.are_included[0]), Limit(self.values[1], self.are_included[1])


def read_range(body: Mapping[str, Any], context: Context) -> Clause:
    """`range`."""
    name, options = one_field("range", body, "")
    clause = f"range [{name}]"
    if "" in options:
        raise rejected(clause, f"limits are expected, {options['']!r} was found")
    check_names(clause, options, {*_LIMITS, *_SWITCHES, "time_zone", "format", "relation"})
    ends = _Ends([None, None], [True, True])
    for option, value in options.items():
        if option in _LIMITS:
            which, is_included = _LIMITS[option]
            if isinstance(value, list | Mapping):
                raise unsupported(clause, f"[{option}] is {value!r}", "Give one text, number or boolean.")
            ends.values[which] = value
            ends.are_included[which] = ends.are_included[which] if is_included is None else is_included
        elif option in _SWITCHES:
            ends.are_included[_SWITCHES[option]] = boolean(clause, option, value)
    _check_relation(clause, options)
    low, high = ends.limits()
    calendar = _calendar(clause, options, context)
    if low.value is None and high.value is None:
        return has(clause, context.field(name))
    return between(clause, context.field(name), low, high, calendar)


def _check_relation(clause: str, options: Mapping[str, Any]) -> None:
    relation = text(clause, "relation", options.get("relation", "intersects")).lower()
    if relation not in _RELATIONS:
        raise rejected(clause, f"[relation] is {relation!r}", "Leave it out.")


def _calendar(clause: str, options: Mapping[str, Any], context: Context) -> Calendar:
    formats = text(clause, "format", options["format"]).split("||") if "format" in options else ()
    zone = read_zone(clause, text(clause, "time_zone", options["time_zone"])) if "time_zone" in options else None
    return Calendar(context.now_ms, tuple(formats), zone)


def between(clause: str, field: Field | None, low: Limit, high: Limit, calendar: Calendar) -> Clause:
    """The field has a value, or a word, between the limits.

    Raises:
        StoreRejected: a limit is none for the field's type, or the type has no order.
    """
    if not check_known(clause, field) or field is None:
        return NONE
    if field.type in DATES:
        test: Test = calendar.between(clause, field, low, high)
        return Leaf(field.name, test) if field.is_indexed or field.has_doc_values else NONE
    check_searchable(clause, field)
    if field.type == "constant_keyword":
        return ALL if field.constant is not None and _texts(field, low, high).holds((field.constant,)) else NONE
    test = _test(clause, field, low, high)
    is_empty = isinstance(test, Between) and test.low > test.high
    return NONE if is_empty else Leaf(field.name, test)


def _test(clause: str, field: Field, low: Limit, high: Limit) -> Test:
    if field.type in NUMBERS:
        return between_numbers(clause, field, low, high)
    if field.type in KEYWORDS:
        return _texts(field, low, high)
    if field.type in TEXTS:
        return AnyWord(_texts(field, low, high))
    if field.type == "boolean":
        if not field.is_indexed and not (low.is_included and high.is_included):
            raise unsupported(clause, f"[gt] or [lt] of [{field.name}], which is not indexed", "Write [gte] or [lte].")
        return _steps(low, high, lambda value: int(boolean(clause, field.name, value)))
    if field.type == "ip":
        return _steps(low, high, lambda value: _address(clause, field, value))
    raise rejected(clause, f"[{field.name}] is of type [{field.type}], which has no ranges")


def _texts(field: Field, low: Limit, high: Limit) -> BetweenTexts:
    start, end = (None if limit.value is None else normalized(field, query_text(limit.value)) for limit in (low, high))
    return BetweenTexts(start, end, low.is_included, high.is_included)


def _steps(low: Limit, high: Limit, read: Callable[[Any], int]) -> Between:
    """Between two of the whole numbers that `read` makes of limits."""
    start = -math.inf if low.value is None else read(low.value) + (not low.is_included)
    end = math.inf if high.value is None else read(high.value) - (not high.is_included)
    return Between(start, end)


def _address(clause: str, field: Field, value: Any) -> int:
    try:
        return parse_address(query_text(value))
    except ValueError as error:
        raise rejected(clause, f"[{field.name}]: {error}", "Networks are asked for by `term`.") from None
