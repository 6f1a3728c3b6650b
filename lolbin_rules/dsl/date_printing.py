"""Dates as Elasticsearch prints them: in the first format of a field, in a time zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from lolbin_rules.errors import Unsupported

__all__ = ["date_printer", "zone_offset"]

_MS_OF_DAY = 86_400_000
_DAYS_OF_400_YEARS = 146_097
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: tuple[str, ...] = ("January", "February", "March", "April", "May", "June")
_MONTHS += ("July", "August", "September", "October", "November", "December")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST_PLAIN_YEAR, _LAST_PLAIN_YEAR = 1000, 9999

_DAY, _BASIC_DAY, _TIME, _BASIC_TIME = "uuuu-MM-dd", "uuuuMMdd", "HH:mm:ss", "HHmmss"
_ISO = f"{_DAY}'T'{_TIME}.SSSXXX"
_PATTERNS = {
    **dict.fromkeys(("date_optional_time", "date_optional_time_nanos", "iso8601", "date_time"), _ISO),
    "date_time_no_millis": f"{_DAY}'T'{_TIME}XXX",
    "date_hour_minute_second": f"{_DAY}'T'{_TIME}",
    "date_hour_minute_second_millis": f"{_DAY}'T'{_TIME}.SSS",
    "date_hour_minute_second_fraction": f"{_DAY}'T'{_TIME}.SSS",
    "date_hour_minute": f"{_DAY}'T'HH:mm",
    "date_hour": f"{_DAY}'T'HH",
    "date": _DAY,
    "year_month_day": _DAY,
    "year_month": "uuuu-MM",
    "year": "uuuu",
    "basic_date": _BASIC_DAY,
    "basic_date_time": f"{_BASIC_DAY}'T'{_BASIC_TIME}.SSSXXX",
    "basic_date_time_no_millis": f"{_BASIC_DAY}'T'{_BASIC_TIME}XXX",
    "time": f"{_TIME}.SSSXXX",
    "time_no_millis": f"{_TIME}XXX",
    "hour_minute_second": _TIME,
    "hour_minute": "HH:mm",
    "hour": "HH",
    "ordinal_date": "uuuu-DDD",
    "basic_ordinal_date": "uuuuDDD",
}
"""Named formats as Java patterns; those whose names begin with `strict_` print the same."""
_ITEM = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']", re.ASCII)


class _Moment(NamedTuple):
    """A date and time of day in a time zone."""

    year: int
    month: int
    day: int
    ms: int
    """Of the day."""
    offset: int
    """Of the time zone, in seconds."""
    days: int
    """Since 1970."""


_Printer: TypeAlias = Callable[[_Moment], str]


@lru_cache(maxsize=256)
def date_printer(formats: str, zone: tzinfo = UTC) -> Callable[[int], str]:
    """A function that prints milliseconds since 1970.

    Args:
        formats: named formats or Java patterns, separated by `||`; the first is used for printing.
        zone: the time zone that is printed.

    Raises:
        Unsupported: the format is not known here.
    """
    name = formats.split("||", maxsplit=1)[0].removeprefix("8")
    if name == "epoch_millis":
        return str
    if name == "epoch_second":
        return _epoch_second
    pattern = _PATTERNS.get(name.removeprefix("strict_"), name)
    printers = [_printer(item[0], formats) for item in _items(pattern, formats)]

    def print_date(ms: int) -> str:
        moment = _moment(ms, zone)
        if pattern != _ISO and not _FIRST_PLAIN_YEAR <= moment.year <= _LAST_PLAIN_YEAR:
            what = f'cannot print the year {moment.year} in the format "{formats}" as Elasticsearch does'
            raise Unsupported(f"The embedded store {what}. Exclude such dates, or print all of the date and time.")
        return "".join(printer(moment) for printer in printers)

    return print_date


def zone_offset(ms: int, zone: tzinfo) -> int:
    """How far a time zone is ahead of UTC at a time, in milliseconds. Years beyond 1 to 9999 are taken for those."""
    ms = max(-62_135_500_000_000, min(ms, 253_402_200_000_000))
    offset = (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(milliseconds=1)


def _items(pattern: str, formats: str) -> list[re.Match[str]]:
    items = list(_ITEM.finditer(pattern))
    if sum(len(item[0]) for item in items) != len(pattern):
        raise Unsupported(
            f'The date format "{formats}" has an open quote, so no date can be printed in it. Correct it.'
        )
    return items


def _printer(item: str, formats: str) -> _Printer:
    """What prints one item of a pattern."""
    if item.startswith("'"):
        return _constant(item[1:-1].replace("''", "'") or "'")
    if not item[0].isalpha():
        return _constant(item)
    printer = _letters(item[0], len(item))
    if printer is None:
        raise Unsupported(
            f'The embedded store cannot print dates as "{item}" of the format "{formats}" asks. Use another format.'
        )
    return printer


def _constant(text: str) -> _Printer:
    return lambda _: text


def _letters(letter: str, length: int) -> _Printer | None:
    """What prints one letter of Java's date patterns, repeated so often."""
    if letter in _NUMBERS and length <= _LONGEST.get(letter, 2):
        number = _NUMBERS[letter]
        return lambda moment: f"{number(moment):0{length}d}"
    if letter in "uy":
        return lambda moment: _year(moment.year, length)
    if letter in "XxZ" and length <= _COLON:
        return lambda moment: _offset(moment.offset, letter, length)
    if letter == "S":
        return lambda moment: f"{moment.ms % 1000:03d}".ljust(length, "0")[:length]
    return _NAMES.get(letter * length)


_NUMBERS: dict[str, Callable[[_Moment], int]] = {
    "M": lambda moment: moment.month,
    "d": lambda moment: moment.day,
    "D": lambda moment: moment.days - _days(moment.year, 1, 1) + 1,
    "H": lambda moment: moment.ms // 3_600_000,
    "h": lambda moment: (moment.ms // 3_600_000 - 1) % 12 + 1,
    "m": lambda moment: moment.ms // 60_000 % 60,
    "s": lambda moment: moment.ms // 1000 % 60,
}
_LONGEST = {"D": 3}
_NAMES: dict[str, _Printer] = {
    "MMM": lambda moment: _MONTHS[moment.month - 1][:3],
    "MMMM": lambda moment: _MONTHS[moment.month - 1],
    **dict.fromkeys(("E", "EE", "EEE"), lambda moment: _WEEKDAYS[(moment.days + 3) % 7][:3]),
    "EEEE": lambda moment: _WEEKDAYS[(moment.days + 3) % 7],
    "a": lambda moment: "PM" if moment.ms >= _MS_OF_DAY // 2 else "AM",
}
_TWO_DIGITS, _COLON, _FOUR_DIGITS = 2, 3, 4
"""Lengths of items from which on years, offsets and years again are printed in another way."""


def _year(year: int, length: int) -> str:
    if length == _TWO_DIGITS:
        return f"{year % 100:02d}"
    sign = "-" if year < 0 else "+" if length >= _FOUR_DIGITS and year >= 10**length else ""
    return f"{sign}{abs(year):0{length}d}"


def _offset(seconds: int, letter: str, length: int) -> str:
    if not seconds and letter == "X":
        return "Z"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    colon = ":" if length == _COLON and letter != "Z" else ""
    tail = f"{colon}{minutes:02d}" if minutes or length > 1 or letter == "Z" else ""
    return f"{'-' if seconds < 0 else '+'}{hours:02d}{tail}"


def _epoch_second(ms: int) -> str:
    sign, (seconds, rest) = "-" if ms < 0 else "", divmod(abs(ms), 1000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{sign}{seconds}{fraction}"


def _moment(ms: int, zone: tzinfo) -> _Moment:
    offset = 0 if zone is UTC else zone_offset(ms, zone)
    days, of_day = divmod(ms + offset, _MS_OF_DAY)
    year, month, day = _civil(days)
    return _Moment(year, month, day, of_day, offset // 1000, days)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date of the Gregorian calendar, extended to all times."""
    eras, year_of_era = divmod(year, 400)
    return (datetime(year_of_era + 400, month, day, tzinfo=UTC) - _EPOCH).days + (eras - 1) * _DAYS_OF_400_YEARS


def _civil(days: int) -> tuple[int, int, int]:
    """The date that so many days since 1970 make; the calendar repeats itself after 400 years."""
    eras, rest = divmod(days, _DAYS_OF_400_YEARS)
    day = _EPOCH + timedelta(days=rest)
    return day.year + 400 * eras, day.month, day.day
