"""The times that people give on the command line."""

from __future__ import annotations

from datetime import datetime

from lolbin_rules.alert.source import parse_time
from lolbin_rules.errors import SettingsError
from lolbin_rules.plan.window import Window, floor

__all__ = ["asked_span", "asked_time"]


def asked_time(present: datetime, now: str | None, begin: str | None, end: str | None) -> datetime | Window | None:
    """The time (`--now`) or the span (`--from`, `--to`) that was asked for; None for the present.

    Raises:
        SettingsError: it means nothing, lies ahead, or is asked for in two ways.
    """
    is_span = begin is not None or end is not None
    if now is not None and is_span:
        raise SettingsError("--now and --from/--to are two ways to say when. Give one of them.")
    if is_span:
        return asked_span(present, begin, end)
    return None if now is None else _moment(present, "--now", now)


def asked_span(present: datetime, begin: str | None, end: str | None) -> Window:
    """The span between `--from` and `--to`, or the present.

    Raises:
        SettingsError: there is no such span, or it lies ahead.
    """
    if begin is None:
        raise SettingsError("--to without --from leaves open where to begin. Give both.")
    start = _moment(present, "--from", begin)
    until = _moment(present, "--to", end) if end else floor(present)
    if start >= until:
        raise SettingsError(f"--from {begin} is not before --to {end or 'now'}; there is nothing between them.")
    return Window(start, until)


def _moment(present: datetime, name: str, text: str) -> datetime:
    moment = parse_time(text)
    if moment is None:
        raise SettingsError(f"{name} {text!r} is no time. Write ISO 8601, such as 2020-07-22T03:30:00Z.")
    if moment > present:
        raise SettingsError(f"{name} {text!r} lies ahead; what has not happened cannot be searched. Give a past time.")
    return floor(moment)
