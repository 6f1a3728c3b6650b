"""Figures as people read them: durations, shares, columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

__all__ = ["MINUTE", "STEPS", "aligned", "in_minutes", "percent", "spoken"]

MINUTE: Final = timedelta(minutes=1)
STEPS: Final = tuple(timedelta(seconds=each) for each in (10, 30)) + tuple(
    timedelta(minutes=each) for each in (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 960, 1440, 2880, 5760, 11520)
)
"""By how much the lookbacks of a picture are longer than the interval."""


def in_minutes(lookback: timedelta, interval: timedelta) -> timedelta:
    """In whole minutes, as people write them, unless the interval is shorter than one."""
    return lookback if interval < MINUTE else -(-lookback // MINUTE) * MINUTE


def spoken(duration: timedelta) -> str:
    """A duration in its two largest units: `1h30m`, `4m2s`, `0.35s`."""
    seconds = duration.total_seconds()
    if seconds < MINUTE.total_seconds():
        return f"{seconds:.3g}s"
    whole = round(seconds)
    units = [("d", whole // 86400), ("h", whole // 3600 % 24), ("m", whole // 60 % 60), ("s", whole % 60)]
    first = next(place for place, (_, number) in enumerate(units) if number)
    return "".join(f"{number}{unit}" for unit, number in units[first : first + 2] if number)


def percent(share: float) -> str:
    """A share for people: three digits, and never 0% for what is not nothing."""
    return "0%" if share == 0 else f"{share * 100:.3g}%"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as columns: the first to the left, all others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        rest = (f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        yield f"  {row[0]:<{widths[0]}}{''.join(rest)}".rstrip()
