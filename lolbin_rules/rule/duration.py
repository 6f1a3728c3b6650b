"""Durations and lookbacks as rule files write them: `5m`, `now-9m`."""

from __future__ import annotations

import re
from datetime import timedelta

from lolbin_rules.rule.refusal import Refusal, spoken

__all__ = [
    "DURATION_PATTERN",
    "LOOKBACK_PATTERN",
    "format_duration",
    "format_lookback",
    "parse_duration",
    "parse_lookback",
]

UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
LONGEST = timedelta(days=366)
NUMBER_AND_UNIT = "[1-9][0-9]{0,8}[smhd]"
DURATION_PATTERN = f"^{NUMBER_AND_UNIT}$"
LOOKBACK_PATTERN = f"^now-{NUMBER_AND_UNIT}$"
SPELLED_OUT = re.compile(r"\s*0*([1-9][0-9]{0,8})\s*(s|m|h|d)[a-z]*\s*", re.IGNORECASE)


def parse_duration(text: str) -> timedelta:
    """`5m` -> five minutes. Units are s, m, h and d; at most 366 days.

    Raises:
        Refusal: (a ValueError) the text is no such duration; the message says what would be.
    """
    if not re.fullmatch(NUMBER_AND_UNIT, text):
        raise Refusal(f"{spoken(text)} is no duration", f"Write {_suggested(text)}.")
    duration = int(text[:-1]) * UNITS[text[-1]]
    if duration > LONGEST:
        raise Refusal(f"{spoken(text)} is longer than 366d", "Use 366d or less.")
    return duration


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back: five minutes -> `5m`. Whole seconds only."""
    seconds = int(duration.total_seconds())
    for unit in ("d", "h", "m"):
        length = int(UNITS[unit].total_seconds())
        if seconds % length == 0 and seconds:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def parse_lookback(text: str) -> timedelta:
    """`now-9m` -> nine minutes: the whole reach of a window, in Elastic's notation.

    Raises:
        Refusal: (a ValueError) the text is no such lookback.
    """
    duration = text.removeprefix("now-")
    if duration == text or not re.fullmatch(NUMBER_AND_UNIT, duration):
        raise Refusal(f"{spoken(text)} is no lookback", f"Write now- and {_suggested(duration, 'now-')}.")
    return parse_duration(duration)


def format_lookback(lookback: timedelta) -> str:
    """Nine minutes -> `now-9m`."""
    return f"now-{format_duration(lookback)}"


def _suggested(text: str, prefix: str = "") -> str:
    """What was probably meant by a text that is no duration: `5 minutes` -> `5m`."""
    found = SPELLED_OUT.fullmatch(text.removeprefix("now-"))
    example = f"{prefix}{found[1]}{found[2].lower()}" if found else f"{prefix}5m"
    return f"a whole number from 1 up and one of s, m, h, d, such as {example}"
