"""Times rounded down to the beginning of their interval, in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.aggregations.options import Options
from lolbin_rules.dsl.date_printing import zone_offset
from lolbin_rules.dsl.dates import parse_zone

__all__ = ["Rounding", "read_rounding"]

Times: TypeAlias = npt.NDArray[np.int64]
"""Milliseconds since 1970."""

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_FIXED = re.compile(r"(\d+)(ms|s|m|h|d)", re.ASCII)
_FIXED_UNITS = {"ms": 1, "s": _SECOND, "m": _MINUTE, "h": _HOUR, "d": _DAY}
_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_CALENDAR = {unit: unit for unit in _UNITS} | dict(
    zip(("1s", "1m", "1h", "1d", "1w", "1M", "1q", "1y"), _UNITS, strict=True)
)
_PLAIN_UNITS = {"second": _SECOND, "minute": _MINUTE, "hour": _HOUR}
_OFFSETS_KNOWN = 900_000
"""Within a quarter of an hour that begins with the clock's, no zone changes its offset."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_rounding(options: Options) -> Rounding:
    """The rounding that `fixed_interval` or `calendar_interval`, `time_zone` and `offset` ask for.

    Raises:
        StoreRejected: Elasticsearch would refuse them.
        Unsupported: the time zone is not known here.
    """
    fixed, calendar = options.text("fixed_interval"), options.text("calendar_interval")
    if (fixed is None) == (calendar is None):
        raise options.refusal('has to have either "fixed_interval" or "calendar_interval"')
    name = options.text("time_zone")
    try:
        zone = UTC if name is None else parse_zone(name)
    except (ValueError, KeyError) as error:  # KeyError: a zone by name that is unknown, or no data of zones at all
        raise options.unsupported(f'has the time zone "{name}"') from error
    offset = _read_offset(options, options.take("offset", 0))
    if fixed is not None:
        found = _FIXED.fullmatch(fixed)
        if not found or not int(found[1]):
            raise options.refusal(f'has "{fixed}" as "fixed_interval", which is no interval such as 5m or 1d')
        return Rounding(options, int(found[1]) * _FIXED_UNITS[found[2]], zone, offset)
    if calendar not in _CALENDAR:
        raise options.refusal(f'has "{calendar}" as "calendar_interval", which is no single unit such as 1d or month')
    return Rounding(options, _CALENDAR[calendar], zone, offset)


class Rounding:
    """Rounds times down.

    Attributes:
        zone: the time zone that days and months are those of.
    """

    def __init__(self, options: Options, interval: int | str, zone: tzinfo, offset: int) -> None:
        self._options, self._interval, self._offset, self.zone = options, interval, offset, zone
        self._is_constant = zone is UTC or isinstance(zone, timezone)
        self._phases: set[int] = set()

    def floor(self, times: Times) -> Times:
        """When the intervals begin that the times are in."""
        times = times - self._offset
        if isinstance(self._interval, int):
            return self._fixed(times, self._interval) + self._offset
        ahead = self._ahead(times)
        if self._interval in _PLAIN_UNITS:
            unit = _PLAIN_UNITS[self._interval]
            return (times + ahead) // unit * unit - ahead + self._offset
        return self._utc(_floor_local(times + ahead, self._interval)) + self._offset

    def next(self, time: int) -> int:
        """When the interval after the one that begins at `time` begins."""
        if isinstance(self._interval, int):
            return time + self._interval
        if self._interval in _PLAIN_UNITS:
            return time + _PLAIN_UNITS[self._interval]
        start = np.array([time - self._offset])
        local = _next_local(start + self._ahead(start), self._interval)
        return int(self._utc(local)[0]) + self._offset

    def _fixed(self, times: Times, interval: int) -> Times:
        """A fixed interval counts from 1970 by the clock of the zone; beside a change of clocks that is not exact."""
        ahead = self._ahead(times)
        starts = (times + ahead) // interval * interval - ahead
        self._phases.update((np.concatenate([ahead, self._ahead(starts)]) % interval).tolist())
        if len(self._phases) > 1:
            raise self._options.unsupported("has a fixed interval and times from before and after a change of clocks")
        return starts

    def _ahead(self, times: Times) -> Times:
        """How far the zone is ahead of UTC."""
        if self._is_constant:
            return np.full(len(times), zone_offset(0, self.zone))
        blocks, places = np.unique(times // _OFFSETS_KNOWN, return_inverse=True)
        offsets = [zone_offset(block * _OFFSETS_KNOWN, self.zone) for block in blocks.tolist()]
        return np.array(offsets, dtype=np.int64)[places]

    def _utc(self, local: Times) -> Times:
        """When clocks of the zone show these beginnings of days for the first time, or would if they did."""
        if self._is_constant:
            return local - zone_offset(0, self.zone)
        distinct, places = np.unique(local, return_inverse=True)
        return np.array([_first_instant(each, self.zone) for each in distinct.tolist()], dtype=np.int64)[places]


@lru_cache(maxsize=4096)
def _first_instant(local: int, zone: tzinfo) -> int:
    when = (_EPOCH + timedelta(milliseconds=local)).replace(tzinfo=zone)
    return (when.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def _floor_local(local: Times, unit: str) -> Times:
    if unit == "day":
        return local // _DAY * _DAY
    if unit == "week":
        return ((local // _DAY + 3) // 7 * 7 - 3) * _DAY
    return _start_of(_months(local) // _MONTHS_OF[unit] * _MONTHS_OF[unit])


def _next_local(local: Times, unit: str) -> Times:
    if unit in ("day", "week"):
        return _floor_local(local, unit) + (_DAY if unit == "day" else 7 * _DAY)
    return _start_of((_months(local) // _MONTHS_OF[unit] + 1) * _MONTHS_OF[unit])


_MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}


def _months(local: Times) -> Times:
    """Months since January 1970."""
    return local.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)


def _start_of(months: Times) -> Times:
    return months.astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)


def _read_offset(options: Options, asked: Any) -> int:
    if isinstance(asked, int) and not isinstance(asked, bool):
        return asked
    text = str(asked)
    found = _FIXED.fullmatch(text.lstrip("+-"))
    if not found:
        raise options.refusal(f'has {asked!r} as "offset", which is no time such as +6h')
    return int(found[1]) * _FIXED_UNITS[found[2]] * (-1 if text.startswith("-") else 1)
