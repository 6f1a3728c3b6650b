"""Named date formats and Java patterns as elements. What each format takes was asked of a node, text by text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from lolbin_rules.dsl.date_elements import (
    Choice,
    Element,
    Fraction,
    Literal,
    Number,
    Offset,
    Optional,
    Region,
    Words,
    adjoined,
)
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["LENIENT", "MAYBE_ZONE", "elements_of", "has_words"]

_COLON, _DASH, _T = Literal(":"), Literal("-"), Literal("T")
_ZONE = Choice((Region(), Offset("Z", needs_minutes=False)))
_OFFSET = Choice((Offset("Z", ":"), Offset("Z", needs_minutes=False)))
_POINT = Fraction(1, 9, ".")
_MAYBE_POINT_OR_COMMA = (Optional((_POINT,)), Optional((Fraction(1, 9, ","),)))
_MOST_YEAR = 9


def _two(field: str) -> Number:
    return Number(field, 2, 2)


def _short(field: str) -> Number:
    return Number(field, 1, 2)


_STRICT_YEAR = Number("year", 4, 4, "padded")
_LONG_YEAR = Number("year", 4, 10, "padded")
_YEAR = Number("year", 1, _MOST_YEAR, "minus")
_STRICT_DAY = (_LONG_YEAR, _DASH, _two("month"), _DASH, _two("day"))
_STRICT_MAYBE_DAY = (_STRICT_YEAR, Optional((_DASH, _two("month"), Optional((_DASH, _two("day"))))))
_LOOSE_MONTH = Number("month", 1, 19)
_DAY = (_YEAR, _DASH, _LOOSE_MONTH, _DASH, Number("day", 1, 19))
_MAYBE_DAY = (_YEAR, Optional((_DASH, _short("month"), Optional((_DASH, _short("day"))))))
_STRICT_MINUTE = (_two("hour"), _COLON, _two("minute"))
_STRICT_SECOND = (*_STRICT_MINUTE, _COLON, _two("second"))
_MINUTE = (_short("hour"), _COLON, _short("minute"))
_SECOND = (*_MINUTE, _COLON, _short("second"))
_STRICT_ORDINAL = (_STRICT_YEAR, _DASH, Number("day_of_year", 3, 3))
_ORDINAL = (_STRICT_YEAR, _DASH, Number("day_of_year", 1, 3))
_BASIC_DAY = (_STRICT_YEAR, _two("month"), _two("day"))
_BASIC_ORDINAL = (_STRICT_YEAR, Number("day_of_year", 3, 3))
_BASIC_SECOND = (_two("hour"), _two("minute"), _two("second"))
MAYBE_ZONE = (Optional((Region(),)), Optional((Offset("Z", needs_minutes=False),)))
_MAYBE_TIME = (
    _short("hour"),
    Optional(
        (_COLON, _short("minute"), Optional((_COLON, _short("second"))), *_MAYBE_POINT_OR_COMMA, *MAYBE_ZONE),
    ),
)

_NAMED: dict[str, Sequence[Element]] = {
    "basic_date": (*_BASIC_DAY[:-1], _short("day")),
    "basic_date_time": (*_BASIC_DAY, _T, *_BASIC_SECOND, _POINT, _ZONE),
    "basic_date_time_no_millis": (*_BASIC_DAY, _T, *_BASIC_SECOND, _ZONE),
    "basic_ordinal_date": _BASIC_ORDINAL,
    "basic_ordinal_date_time": (Number("year", 4, 4), *_BASIC_ORDINAL[1:], _T, *_BASIC_SECOND, _POINT, _ZONE),
    "basic_ordinal_date_time_no_millis": (*_BASIC_ORDINAL, _T, *_BASIC_SECOND, _ZONE),
    "basic_time": (*_BASIC_SECOND, _POINT, _ZONE),
    "basic_time_no_millis": (*_BASIC_SECOND, _ZONE),
    "basic_t_time": (_T, *_BASIC_SECOND, _POINT, _ZONE),
    "basic_t_time_no_millis": (_T, *_BASIC_SECOND, _ZONE),
    "date": _MAYBE_DAY,
    "strict_date": _STRICT_DAY,
    "date_hour": (*_MAYBE_DAY, _T, _short("hour")),
    "strict_date_hour": (*_STRICT_DAY, _T, _two("hour")),
    "date_hour_minute": (*_MAYBE_DAY, _T, *_MINUTE),
    "strict_date_hour_minute": (*_STRICT_DAY, _T, *_STRICT_MINUTE),
    "date_hour_minute_second": (*_MAYBE_DAY, _T, *_SECOND),
    "strict_date_hour_minute_second": (*_STRICT_DAY, _T, *_STRICT_SECOND),
    "date_hour_minute_second_fraction": (*_MAYBE_DAY, _T, *_SECOND, _POINT),
    "strict_date_hour_minute_second_fraction": (*_STRICT_MAYBE_DAY, _T, *_STRICT_SECOND, _POINT),
    "date_hour_minute_second_millis": (*_MAYBE_DAY, _T, *_SECOND, Fraction(1, 3, ".")),
    "strict_date_hour_minute_second_millis": (*_STRICT_MAYBE_DAY, _T, *_STRICT_SECOND, _POINT),
    "date_optional_time": (*_MAYBE_DAY, Optional((_T, Optional(_MAYBE_TIME)))),
    "date_time": (*_MAYBE_DAY, _T, *_MINUTE, Optional((_COLON, _short("second"), _POINT)), _OFFSET),
    "strict_date_time": (*_STRICT_MAYBE_DAY, _T, *_STRICT_SECOND, Optional((_POINT,)), _ZONE),
    "date_time_no_millis": (*_MAYBE_DAY, _T, *_MINUTE, Optional((_COLON, _short("second"))), Optional((_ZONE,))),
    "strict_date_time_no_millis": (*_STRICT_MAYBE_DAY, _T, *_STRICT_SECOND, _ZONE),
    "hour": (_short("hour"),),
    "strict_hour": (_two("hour"),),
    "hour_minute": _MINUTE,
    "strict_hour_minute": _STRICT_MINUTE,
    "hour_minute_second": _SECOND,
    "strict_hour_minute_second": _STRICT_SECOND,
    "hour_minute_second_fraction": (*_SECOND, _POINT),
    "strict_hour_minute_second_fraction": (*_STRICT_SECOND, _POINT),
    "hour_minute_second_millis": (*_SECOND, Fraction(1, 3, ".")),
    "strict_hour_minute_second_millis": (*_STRICT_SECOND, _POINT),
    "ordinal_date": _ORDINAL,
    "strict_ordinal_date": _STRICT_ORDINAL,
    "ordinal_date_time": (*_ORDINAL, _T, *_MINUTE, Optional((_COLON, _short("second"), _POINT)), _ZONE),
    "strict_ordinal_date_time": (
        *_STRICT_ORDINAL, _T, *_STRICT_MINUTE, Optional((_COLON, _two("second"), _POINT)), _ZONE,
    ),
    "ordinal_date_time_no_millis": (*_ORDINAL, _T, *_SECOND, _ZONE),
    "strict_ordinal_date_time_no_millis": (*_STRICT_ORDINAL, _T, *_STRICT_SECOND, _ZONE),
    "time": (*_SECOND, _POINT, _ZONE),
    "strict_time": (*_STRICT_SECOND, _POINT, _ZONE),
    "time_no_millis": (*_SECOND, _ZONE),
    "strict_time_no_millis": (*_STRICT_SECOND, _ZONE),
    "t_time": (_T, *_SECOND, _POINT, _ZONE),
    "strict_t_time": (_T, *_STRICT_SECOND, _POINT, _ZONE),
    "t_time_no_millis": (_T, *_SECOND, _ZONE),
    "strict_t_time_no_millis": (_T, *_STRICT_SECOND, _ZONE),
    "year": (_YEAR,),
    "strict_year": (_STRICT_YEAR,),
    "year_month": (_YEAR, _DASH, _LOOSE_MONTH),
    "strict_year_month": (_STRICT_YEAR, _DASH, _two("month")),
    "year_month_day": _DAY,
    "strict_year_month_day": _STRICT_MAYBE_DAY,
}  # fmt: skip
"""All names but those that `dates` knows, and those of weeks."""

LENIENT = {"strict_date": "lenient", "strict_date_hour": "smart", "strict_date_hour_minute": "smart"}
"""Formats that take days which there are not: "lenient" goes on into the next months, "smart" ends with the month."""

_MONTHS: tuple[str, ...] = ("January", "February", "March", "April", "May", "June", "July")
_MONTHS += ("August", "September", "October", "November", "December")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT = 3
_NO_LETTERS = frozenset("bCfiIjJloPrRtTU")
_ITEM = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|\[|\]|[^A-Za-z'\[\]]", re.ASCII)
_TEXTS = frozenset("MLE")
_CLOCK = {"H": "hour", "m": "minute", "s": "second"}
_OFFSETS: dict[str, Element] = {
    "X": Offset("Z", needs_minutes=False),
    "XX": Offset("Z"),
    "XXX": Offset("Z", ":"),
    "XXXX": Offset("Z", has_seconds=True),
    "XXXXX": Offset("Z", ":", has_seconds=True),
    "x": Offset("+00", needs_minutes=False),
    "xx": Offset("+0000"),
    "xxx": Offset("+00:00", ":"),
    "xxxx": Offset("+0000", has_seconds=True),
    "xxxxx": Offset("+00:00", ":", has_seconds=True),
    **dict.fromkeys(("Z", "ZZ", "ZZZ"), Offset("+0000")),
    "ZZZZZ": Offset("Z", ":", has_seconds=True),
    "VV": Region(),
}


@lru_cache(maxsize=512)
def elements_of(name: str) -> tuple[Element, ...]:
    """The elements of a named format or a Java pattern.

    Raises:
        StoreRejected: it is neither.
        Unsupported: a pattern with letters that are not known here.
    """
    if name in _NAMED:
        return adjoined(_NAMED[name])
    if "week" in name:
        raise Unsupported(
            f'The date format "{name}" counts weeks, which the embedded store cannot read. Use another, or '
            "Elasticsearch."
        )
    pattern = name.removeprefix("8")
    items = list(_items(pattern))
    odd = [item for item in items if item[0] in _NO_LETTERS]
    if odd:
        raise _refused(name, f"{odd[0]} is neither a part of a date nor quoted")
    stack: list[list[Element]] = [[]]
    for item in items:
        if item == "[":
            stack.append([])
        elif item == "]":
            if len(stack) == 1:
                raise _refused(name, "a bracket is closed that was not opened")
            optional = Optional(adjoined(stack.pop()))
            stack[-1].append(optional)
        else:
            stack[-1].append(_element(name, item))
    while len(stack) > 1:
        optional = Optional(adjoined(stack.pop()))
        stack[-1].append(optional)
    return adjoined(stack[0])


def has_words(name: str) -> bool:
    """Whether a format has names of months or days, which depend on the language."""
    return name not in _NAMED and any(
        item[0] == "a" or (item[0] in _TEXTS and (len(item) >= _SHORT or item[0] == "E")) for item in _items(name)
    )


def _items(pattern: str) -> Iterator[str]:
    place = 0
    for match in _ITEM.finditer(pattern):
        if match.start() != place:
            break
        place = match.end()
        yield match[0]
    if place != len(pattern):
        raise _refused(pattern, "a quote is not closed")


def _element(name: str, item: str) -> Element:
    letter, size = item[0], len(item)
    if letter == "'":
        return Literal("'" if item == "''" else item[1:-1].replace("''", "'"))
    if not letter.isalpha():
        if letter in "{}#":
            raise _refused(name, f"it has the reserved character {letter}")
        return Literal(letter)
    found: Element | None = _OFFSETS.get(item) or _number(letter, size) or _words(letter, size)
    if found is None:
        raise Unsupported(
            f'The date format "{name}" has the part "{item}", which the embedded store cannot read. Use numbers for '
            "years, months, days and times, and X, Z or VV for time zones; or use Elasticsearch."
        )
    return found


def _number(letter: str, size: int) -> Element | None:
    if letter in "uy":
        field = "year" if letter == "u" else "year_of_era"
        if size == 2:  # noqa: PLR2004 - the last two digits of a year from 2000 on
            return Number(field, 2, 2, offset=2000)
        return Number(field, size, 19, "padded" if size > _SHORT else "minus")
    if letter == "S":
        return Fraction(size, size)
    if letter == "D" and size <= _SHORT:
        return Number("day_of_year", 1, 19, "minus") if size == 1 else Number("day_of_year", size, 3)
    fields = {**_CLOCK, "M": "month", "L": "month", "d": "day", "h": "half_day_hour"}
    if letter in fields and size <= 2:  # noqa: PLR2004 - of any length, or of two digits
        return Number(fields[letter], 1, 19, "minus") if size == 1 else Number(fields[letter], 2, 2)
    return None


def _words(letter: str, size: int) -> Element | None:
    if letter == "a" and size == 1:
        return Words("half_day", {"AM": 0, "PM": 1})
    names = _MONTHS if letter in "ML" and size >= _SHORT else _WEEKDAYS if letter == "E" else ()
    if not names or size > _SHORT + 1:
        return None
    field = "weekday" if letter == "E" else "month"
    return Words(field, {(name[:3] if size <= _SHORT else name): number for number, name in enumerate(names, 1)})


def _refused(name: str, why: str) -> StoreRejected:
    return StoreRejected(f'Elasticsearch refuses the date format "{name}": {why}. Correct the format.')
