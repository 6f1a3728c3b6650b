"""Dates of documents and queries as milliseconds since 1970: written in a format, or reckoned from `now`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from lolbin_rules.dsl.date_elements import Fields, read_all
from lolbin_rules.dsl.date_fields import NANOS, days_of, local_seconds, moment_of, month_of, parse_zone, seconds_in_zone
from lolbin_rules.dsl.date_formats import LENIENT, MAYBE_ZONE, elements_of, has_words
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = [
    "DEFAULT_FORMATS",
    "DEFAULT_NANOS_FORMATS",
    "check_formats",
    "date_math",
    "parse_date",
    "parse_nanos",
    "parse_zone",
]

DEFAULT_FORMATS = ("strict_date_optional_time", "epoch_millis")
DEFAULT_NANOS_FORMATS = ("strict_date_optional_time_nanos", "epoch_millis")

_NANOS_OF_MS = 1_000_000
_MOST_LONG = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_PLAIN = re.compile(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z")
_ISO = re.compile(
    r"(-?[0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?"
    r"(?:T(?:([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?)?([^0-9:].*)?)?",
    re.DOTALL,
)
_ISO_OFFSET = re.compile(r"Z|([+-])([0-9]{2})(?::([0-5][0-9])(?::([0-5][0-9]))?|([0-5][0-9])([0-5][0-9])?)?")
_EPOCH_NUMBER = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]*))?")
_EPOCHS = {"epoch_millis": (1000, 6), "epoch_second": (1, 9)}
"""Units in a second, and digits behind the point."""
_DEAF = "basic_date"
_STEP = re.compile(r"([/+-])(\d*)([yMwdhHms])")
_FIXED_UNITS = {"h": 3600, "H": 3600, "m": 60, "s": 1}
_DAY = 86_400
_MOST_STEPS = 2**31 - 1
_ISO_NAMES = ("strict_date_optional_time", "iso8601", "strict_date_optional_time_nanos")


def parse_date(
    value: str | float,
    formats: Sequence[str] = DEFAULT_FORMATS,
    *,
    zone: tzinfo | None = None,
    round_up: bool = False,
) -> int:
    """Milliseconds since 1970 of a date in the first of the formats that fits; what is smaller is cut off.

    Args:
        value: as written; a number as JSON writes it.
        formats: named formats and Java patterns.
        zone: of a date that names none; UTC otherwise.
        round_up: what is missing of the time of day is the latest possible, not the earliest.

    Raises:
        ValueError: it is no date in any of the formats.
        Unsupported: a format is not known here.
    """
    text = value if isinstance(value, str) else repr(value)
    if not round_up and formats[0] in _ISO_NAMES and _PLAIN.fullmatch(text):
        return _plain(text)
    seconds, nanos = _moment(text, formats, zone, round_up=round_up)
    ms = seconds * 1000 + nanos // _NANOS_OF_MS
    if not -_MOST_LONG - 1 <= ms <= _MOST_LONG:
        raise ValueError(f"the date [{text}] is out of range")
    return ms


def parse_nanos(
    value: str | float,
    formats: Sequence[str] = DEFAULT_FORMATS,
    *,
    zone: tzinfo | None = None,
    round_up: bool = False,
) -> int:
    """Nanoseconds since 1970, for `date_nanos`; see `parse_date`.

    Raises:
        ValueError: it is no date in any of the formats, or before 1970, or has more than 63 bits.
        Unsupported: a format is not known here.
    """
    text = value if isinstance(value, str) else repr(value)
    seconds, nanos = _moment(text, formats, zone, round_up=round_up)
    found = seconds * NANOS + nanos
    if not 0 <= found <= _MOST_LONG:
        raise ValueError(f"the date [{text}] is not from 1970 to 2262, and has no place among nanoseconds")
    return found


def date_math(
    text: str | float,
    formats: Sequence[str] = DEFAULT_FORMATS,
    *,
    now_ms: int,
    zone: tzinfo | None = None,
    round_up: bool = False,
) -> int:
    """Milliseconds since 1970 of a date as queries write it: `now-9m/d`, `2026-03-01||+1M/d`, or one to `parse_date`.

    Args:
        text: as written; a number as JSON writes it.
        formats: named formats and Java patterns.
        now_ms: what `now` is.
        zone: of dates that name none, and of days and months; UTC otherwise.
        round_up: rounding is to the last millisecond, not to the first; see `parse_date`.

    Raises:
        ValueError: it is no date.
        Unsupported: a format is not known here.
    """
    written = text if isinstance(text, str) else repr(text)
    if written.startswith("now"):
        seconds, ms = divmod(now_ms, 1000)
        return _reckon(written[3:], seconds, ms, zone or UTC, round_up=round_up)
    date, bars, reckoning = written.partition("||")
    if not bars:
        return parse_date(written, formats, zone=zone, round_up=round_up)
    seconds, ms = divmod(parse_date(date, formats, zone=zone), 1000)
    return _reckon(reckoning, seconds, ms, zone or UTC, round_up=round_up)


def check_formats(formats: Sequence[str], where: str, *, is_english: bool = True) -> None:
    """Refuse formats before anything is written in them.

    Args:
        formats: named formats and Java patterns.
        where: what they belong to, for the message.
        is_english: names of months and days are English.

    Raises:
        StoreRejected: Elasticsearch refuses one.
        Unsupported: one is not known here.
    """
    for name in formats:
        if name in _EPOCHS or name in _ISO_NAMES:
            continue
        try:
            elements_of(name)
        except StoreRejected as error:
            raise type(error)(f"{where}: {error}") from error
        if has_words(name) and not is_english:
            raise Unsupported(
                f'{where}: the date format "{name}" has names in another language than English. Use numbers, or '
                "Elasticsearch."
            )


@lru_cache(maxsize=4096)
def _plain(text: str) -> int:
    """Milliseconds of a date as most documents have it, often several times."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MS


def _moment(text: str, formats: Sequence[str], zone: tzinfo | None, *, round_up: bool) -> tuple[int, int]:
    """Seconds since 1970 and nanoseconds."""
    if not text:
        raise ValueError("cannot parse empty datetime")
    for name in formats:
        if name in _EPOCHS:
            found = _epoch(text, name, zone, round_up=round_up)
        elif name in _ISO_NAMES:
            found = _iso(text, name, zone, round_up=round_up)
        else:
            fields: Fields = {}
            is_read = read_all(elements_of(name), text, 0, fields) == len(text)
            days = LENIENT.get(name, "strict")
            # As Elasticsearch does; this format alone pays no heed to a time zone, unless it rounds up.
            its_zone = None if name == _DEAF and not round_up else zone
            found = moment_of(fields, zone=its_zone, round_up=round_up, days=days) if is_read else None
        if found is not None:
            return found
    raise ValueError(f"failed to parse date field [{text}] with format [{'||'.join(formats)}]")


def _iso(text: str, name: str, zone: tzinfo | None, *, round_up: bool) -> tuple[int, int] | None:
    """A date as most systems write it; None if it is none.

    Args:
        text: the date.
        name: the format. Only `iso8601` takes a zone without a time, and that of nanoseconds takes times to the second.
        zone: of a date that names none.
        round_up: see `parse_date`.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, written = match.groups()
    if (written is not None and hour is None and name != "iso8601") or (
        name.endswith("_nanos") and "T" in text and second is None
    ):
        return None
    fields: Fields = {"year": int(year)}
    named = {"month": month, "day": day, "hour": hour, "minute": minute, "second": second}
    fields |= {name: int(digits) for name, digits in named.items() if digits is not None}
    if fraction is not None:
        fields["nano"] = int(fraction.ljust(9, "0"))
    if written is not None:
        offset = _ISO_OFFSET.fullmatch(written)
        if offset is not None:
            sign, hours, minutes, seconds, bare_minutes, bare_seconds = offset.groups()
            total = int(hours or 0) * 3600 + int(minutes or bare_minutes or 0) * 60 + int(seconds or bare_seconds or 0)
            fields["offset"] = -total if sign == "-" else total
        elif _is_zone(written):
            fields["region"] = written
        elif read_all(MAYBE_ZONE, written, 0, fields) != len(written):
            return None
    return moment_of(fields, zone=zone, round_up=round_up)


def _is_zone(text: str) -> bool:
    try:
        parse_zone(text)
    except ValueError:
        return False
    return text[0].isalpha()


def _epoch(text: str, name: str, zone: tzinfo | None, *, round_up: bool) -> tuple[int, int] | None:
    """A number; where a time zone is given, Elasticsearch takes it for what a clock in that zone counts."""
    match = _EPOCH_NUMBER.fullmatch(text)
    if match is None:
        return None
    units, digits = _EPOCHS[name]
    sign, whole, fraction = match.groups()
    if len(fraction or "") > digits or int(whole) > _MOST_LONG:
        return None
    unit = NANOS // units
    total = int(whole) * unit + int((fraction or "0").ljust(digits, "0"))
    # Without a fraction the end of the unit is as late as it can be, before 1970 as after.
    rest = unit - 1 if round_up and not fraction else 0
    seconds, nanos = divmod((-total if sign else total) + rest, NANOS)
    return (seconds if zone is None else seconds_in_zone(seconds, zone)), nanos


def _reckon(steps: str, seconds: int, ms: int, zone: tzinfo, *, round_up: bool) -> int:
    place = 0
    while place < len(steps):
        match = _STEP.match(steps, place)
        sign, digits, unit = match.groups() if match is not None else ("", "", "")
        number = int(digits or "1")
        if match is None or number > _MOST_STEPS or (sign == "/" and number != 1):
            raise ValueError(f"[{steps}] is no date math: after each +, - or / there is a unit, of y M w d h H m s")
        place = match.end()
        if sign != "/":
            seconds = _add(seconds, -number if sign == "-" else number, unit, zone)
        elif round_up:
            seconds, ms = _add(_start(seconds, unit, zone), 1, unit, zone) - 1, 999
        else:
            seconds, ms = _start(seconds, unit, zone), 0
    return seconds * 1000 + ms


def _start(seconds: int, unit: str, zone: tzinfo) -> int:
    """The start of the year, month, week (on Monday), day, hour, minute or second."""
    local = local_seconds(seconds, zone)
    day, time = divmod(local, _DAY)
    if unit in _FIXED_UNITS:
        start = day * _DAY + time - time % _FIXED_UNITS[unit]
    else:
        year, month, _ = month_of(day)
        days = {"y": days_of(year, 1, 1), "M": days_of(year, month, 1), "w": day - (day + 3) % 7, "d": day}
        start = days[unit] * _DAY
    return seconds_in_zone(start, zone, local - seconds)


def _add(seconds: int, number: int, unit: str, zone: tzinfo) -> int:
    """So many units later; days and longer units as the calendar counts them."""
    if unit in _FIXED_UNITS:
        return seconds + number * _FIXED_UNITS[unit]
    local = local_seconds(seconds, zone)
    day, time = divmod(local, _DAY)
    if unit in "dw":
        day += number * (7 if unit == "w" else 1)
    else:
        year, month, of_month = month_of(day)
        years, months = divmod(year * 12 + month - 1 + number * (12 if unit == "y" else 1), 12)
        last = days_of(years + (months + 1) // 12, (months + 1) % 12 + 1, 1) - 1
        day = min(days_of(years, months + 1, of_month), last)
    return seconds_in_zone(day * _DAY + time, zone, local - seconds)
