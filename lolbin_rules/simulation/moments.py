"""Moments as whole milliseconds since 1970, which is how the simulation reckons, and the texts that documents hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "iso", "milliseconds", "moment", "utc_time"]

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """The first whole millisecond at or after the moment: what lies before the one lies before the other.

    Raises:
        ValueError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone, so it is no moment. Give it one, such as UTC.")
    return -((_EPOCH - moment) // timedelta(milliseconds=1))


def moment(at: int) -> datetime:
    """The millisecond as a moment in UTC."""
    return _EPOCH + timedelta(milliseconds=at)


def iso(at: int) -> str:
    """As documents write moments: 2026-03-01T09:14:07.311Z."""
    return f"{_second(at // SECOND, 'T')}.{at % SECOND:03}Z"


def utc_time(at: int) -> str:
    """As Sysmon's messages write moments: 2026-03-01 09:14:07.311."""
    return f"{_second(at // SECOND, ' ')}.{at % SECOND:03}"


@lru_cache(maxsize=8192)
def _second(second: int, between: str) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime(f"%Y-%m-%d{between}%H:%M:%S")
