"""The fields that were read of a date put together to one point in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from lolbin_rules.dsl.date_elements import Fields
from lolbin_rules.errors import Unsupported

__all__ = ["NANOS", "days_of", "local_seconds", "moment_of", "month_of", "parse_zone", "seconds_in_zone"]

NANOS = 1_000_000_000
_DAY = 86_400
_DAYS_OF_400_YEARS = 146_097
_DAYS_TO_1970 = 719_468
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what the clock of any zone shows
_MOST_OFFSET = 18 * 3600
_ZONE_OFFSET = re.compile(r"([+-])(?:(\d)|(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)", re.ASCII)
_PREFIXED = re.compile(r"(?:UTC|GMT|UT)(.*)", re.DOTALL)
_NO_JAVA_ZONES = frozenset({"EST", "HST", "MST", "ROC", "Factory", "localtime"})
_RANGES = {
    "month": (1, 12),
    "day": (1, 31),
    "day_of_year": (1, 366),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "weekday": (1, 7),
    "half_day_hour": (1, 12),
    "year_of_era": (1, 999_999_999),
    "year": (-999_999_999, 999_999_999),
}
_LATEST = {"minute": 59, "second": 59, "nano": NANOS - 1}


def days_of(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a day of the Gregorian calendar, reckoned back as well; the day is not checked."""
    year -= month < 3  # noqa: PLR2004 - a year from March on ends with its leap day
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # noqa: PLR2004 - as above
    return (
        era * _DAYS_OF_400_YEARS
        + year_of_era * 365
        + year_of_era // 4
        - year_of_era // 100
        + day_of_year
        - _DAYS_TO_1970
    )


def month_of(day: int) -> tuple[int, int, int]:
    """Year, month and day of the month of a day since 1970; the opposite of `days_of`."""
    era, day_of_era = divmod(day + _DAYS_TO_1970, _DAYS_OF_400_YEARS)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)  # noqa: PLR2004 - a year from March on ends with its leap day
    return era * 400 + year_of_era + (month < 3), month, day_of_year - (153 * shifted + 2) // 5 + 1  # noqa: PLR2004


def moment_of(fields: Fields, *, zone: tzinfo | None, round_up: bool, days: str = "strict") -> tuple[int, int]:
    """Seconds since 1970, and nanoseconds.

    What is missing is the least possible, or, where it is to be rounded up, the latest time of day.

    Args:
        fields: what was read.
        zone: of a date that names none; UTC otherwise.
        round_up: see above.
        days: what is done with days that there are not: "strict" refuses them, see `date_formats`.

    Raises:
        ValueError: there is no such date.
    """
    if round_up and days == "lenient":
        days = "smart"
    if days != "lenient":
        _check(fields)
    values = {name: value for name, value in fields.items() if isinstance(value, int)}
    if round_up:
        values = _with_defaults(values)
    if "half_day_hour" in values and "half_day" in values:
        values["hour"] = values["half_day_hour"] % 12 + 12 * values["half_day"]
    time, nanos = 0, 0
    has_time = _has_time(values)
    if has_time:
        time = values["hour"] * 3600 + values.get("minute", 0) * 60 + values.get("second", 0)
        nanos = values.get("nano", 0)
    local = _day(values, days, has_time=has_time) * _DAY + time
    region = fields.get("region")
    if region is not None:
        return seconds_in_zone(local, parse_zone(str(region))), nanos
    if "offset" in values:
        if abs(values["offset"]) > _MOST_OFFSET:
            raise ValueError("an offset is at most 18 hours")
        return local - values["offset"], nanos
    return seconds_in_zone(local, zone or UTC), nanos


@lru_cache(maxsize=256)
def parse_zone(text: str) -> tzinfo:
    """A time zone: Z, an offset such as +01:00, +0100 or +1, UTC+1, or the name of a region.

    Raises:
        ValueError: there is none of that name.
        Unsupported: Python has no table of time zones on this machine.
    """
    prefixed = _PREFIXED.fullmatch(text)
    offset = prefixed[1] if prefixed else text
    if offset in ("Z", "") and text:
        return UTC
    match = _ZONE_OFFSET.fullmatch(offset)
    if match is not None:
        sign, hour, hours, minutes, seconds = match.groups()
        total = timedelta(hours=int(hour or hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
        if total > timedelta(seconds=_MOST_OFFSET) or int(minutes or 0) > 59 or int(seconds or 0) > 59:  # noqa: PLR2004
            raise ValueError(f"the time zone [{text}] has an offset of more than 18 hours")
        return timezone(-total if sign == "-" else total)
    names = _region_names()
    if not names:
        raise Unsupported(
            f'The time zone "{text}" is not known, as this machine has no table of time zones. Install the package '
            "`tzdata`, or write offsets such as +01:00."
        )
    if text not in names:
        raise ValueError(f"there is no time zone [{text}]")
    return ZoneInfo(text)


def local_seconds(seconds: int, zone: tzinfo) -> int:
    """Seconds since 1970 as a clock in the zone counts them."""
    if isinstance(zone, timezone):
        return seconds + _offset(zone, _EPOCH)
    return seconds + _offset(zone, _naive(seconds), is_utc=True)


def seconds_in_zone(local: int, zone: tzinfo, before: int | None = None) -> int:
    """Seconds since 1970 of what a clock in the zone counts so.

    Of a time that the clock shows twice it is the first, unless the offset that held `before` holds at the second one;
    a time that it skips is as long after the change as written.
    """
    if isinstance(zone, timezone):
        return local - _offset(zone, _EPOCH)
    when = _naive(local)
    second = _offset(zone, when.replace(fold=1))
    return local - (
        second if second == before and local_seconds(local - second, zone) == local else _offset(zone, when)
    )


def _offset(zone: tzinfo, when: datetime, *, is_utc: bool = False) -> int:
    at = when.replace(tzinfo=UTC).astimezone(zone) if is_utc else when.replace(tzinfo=zone)
    offset = at.utcoffset() or timedelta()
    return offset // timedelta(seconds=1)


def _naive(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise Unsupported("Dates beyond the years 1 to 9999 are known in UTC and with offsets only.") from None


@lru_cache(maxsize=1)
def _region_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_JAVA_ZONES


def _check(fields: Fields) -> None:
    for name, value in fields.items():
        low, high = _RANGES.get(name, (value, value))
        if isinstance(value, int) and not int(low) <= value <= int(high):
            raise ValueError(f"{name} is {value}, not from {low} to {high}")


def _with_defaults(values: dict[str, int]) -> dict[str, int]:
    """The fields, with the first day for what is missing of the day, and the latest for what is missing of the time."""
    first = {} if "day_of_year" in values else {"month": 1, "day": 1}
    if "half_day_hour" in values:
        return {**first, "half_day": 1, **_LATEST, **values}
    if values.get("half_day") == 0:
        raise ValueError("the last hour of a day is not before noon")
    return {**first, "hour": 23, **_LATEST, **values}


def _has_time(values: dict[str, int]) -> bool:
    """Whether there is a time of day: nothing is missing between the hour and the smallest that was read."""
    named = [name in values for name in ("hour", "minute", "second", "nano")]
    return named[0] and named == sorted(named, reverse=True)


def _day(values: dict[str, int], days: str, *, has_time: bool) -> int:
    """The day since 1970."""
    year = values.get("year", values.get("year_of_era"))
    has_month = bool(values.keys() & {"month", "day", "day_of_year"})
    if year is None and not has_month and not has_time:
        raise ValueError("there is neither a day nor a time")
    if year is None or (has_time and not has_month):
        # Elasticsearch forgets the year of a time that has neither month nor day.
        year = _EPOCH.year
    elif "day_of_year" in values:
        day = days_of(year, 1, 1) + values["day_of_year"] - 1
        if day >= days_of(year + 1, 1, 1):
            raise ValueError(f"the year {year} has no day {values['day_of_year']}")
        return day
    return _day_of_month(values, year, days)


def _day_of_month(values: dict[str, int], year: int, days: str) -> int:
    month, day = values.get("month", 1), values.get("day", 1)
    years, months = divmod(month - 1, 12)
    found = days_of(year + years, months + 1, 1) + day - 1
    last = days_of(year + years + (months + 1) // 12, (months + 1) % 12 + 1, 1) - 1
    if found > last and days != "lenient":
        if days == "strict":
            raise ValueError(f"the month {year}-{month} has no day {day}")
        found = last
    weekday = values.get("weekday")
    if weekday is not None and "year" in values and (found + 3) % 7 + 1 != weekday:
        raise ValueError(f"{year}-{month}-{day} is another day of the week")
    return found
