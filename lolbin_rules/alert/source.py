"""Reading the fields of a document, however it spells them.

Elasticsearch takes `{"host": {"name": "a"}}`, `{"host.name": "a"}`, `{"host": [{"name": "a"}]}` and any mixture of them
for the same document; so does this module. Nothing here raises, whatever a document holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

__all__ = ["EPOCH", "event_time", "first", "flat", "nested", "objects", "parse_time", "values", "write_time"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

DATE: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:T(?:(?P<hour>\d\d)(?::(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?)?)?)?",
    re.ASCII,
)
"""Elasticsearch's `strict_date_optional_time`, as far as it needs no time zone database."""
MILLISECONDS: Final = re.compile(r"-?\d{1,18}(?:\.\d+)?", re.ASCII)
"""Elasticsearch's `epoch_millis`."""
WIDEST_OFFSET: Final = timedelta(hours=18)
DEEPEST: Final = 32
"""Objects that lie deeper are not handed to templates."""


def flat(value: Any) -> Iterator[Any]:
    """The elements of a value, lists within lists taken apart, nulls left out."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend(reversed(item))
        elif item is not None:
            yield item


def values(source: Mapping[str, Any], field: str) -> list[Any]:
    """All values of a field by its dotted name, in the order written; objects are no values."""
    return [value for value in _found(source, field) if not isinstance(value, Mapping)]


def first(source: Mapping[str, Any], field: str) -> Any:
    """The first value of a field, or None."""
    return next(iter(values(source, field)), None)


def objects(source: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """All objects that lie under a dotted name, in the order written."""
    return [value for value in _found(source, field) if isinstance(value, Mapping)]


def _found(node: Mapping[str, Any], field: str) -> Iterator[Any]:
    for key, rest in _splits(field):
        value = node.get(key)
        if value is None:
            continue
        for child in flat(value) if isinstance(value, list | tuple) else (value,):
            if not rest:
                yield child
            elif isinstance(child, Mapping):
                yield from _found(child, rest)


@lru_cache(maxsize=4096)
def _splits(field: str) -> tuple[tuple[str, str], ...]:
    """`a.b.c` -> (a, b.c), (a.b, c), (a.b.c, ""): the keys that it may stand under, and what is left to find there."""
    parts = field.split(".")
    return tuple((".".join(parts[:at]), ".".join(parts[at:])) for at in range(1, len(parts) + 1))


def event_time(source: Mapping[str, Any], field: str = "@timestamp") -> datetime | None:
    """When the event happened: the earliest value of the field that can be read as a date, in UTC.

    Read as Elasticsearch's default date format does (`strict_date_optional_time||epoch_millis`): no zone means UTC,
    four digits alone are a year. None where there is no such value, or where it lies outside the years 1 to 9999.
    """
    moments = [moment for value in values(source, field) if (moment := parse_time(value)) is not None]
    return min(moments, default=None)


def parse_time(value: Any) -> datetime | None:
    """One date value in UTC, cut to microseconds; None where it is no date. See `event_time`."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        text = str(value)
        if found := DATE.fullmatch(text):
            return _from_calendar(found)
        if MILLISECONDS.fullmatch(text):
            return _from_milliseconds(text)
    except (ValueError, OverflowError):
        pass
    return None


def _from_calendar(found: re.Match[str]) -> datetime | None:
    zone = _offset(found["zone"])
    if abs(zone) > WIDEST_OFFSET:
        return None
    moment = datetime(
        int(found["year"]),
        int(found["month"] or 1),
        int(found["day"] or 1),
        int(found["hour"] or 0),
        int(found["minute"] or 0),
        int(found["second"] or 0),
        int((found["fraction"] or "0")[:6].ljust(6, "0")),
        tzinfo=timezone(zone),
    )
    return moment.astimezone(UTC)


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in {"Z", "UTC", "GMT"}:
        return timedelta(0)
    digits = zone[1:].replace(":", "").ljust(6, "0")
    clock = time(0, int(digits[2:4]), int(digits[4:]))
    offset = timedelta(hours=int(digits[:2]), minutes=clock.minute, seconds=clock.second)
    return -offset if zone[0] == "-" else offset


def _from_milliseconds(text: str) -> datetime:
    whole, _, fraction = text.partition(".")
    microseconds = int(fraction[:3].ljust(3, "0")) if fraction else 0
    if whole.startswith("-"):
        microseconds = -microseconds
    return EPOCH + timedelta(milliseconds=int(whole), microseconds=microseconds)


def write_time(moment: datetime) -> str:
    """As alerts hold times: `2026-11-22T05:16:16.276Z`, cut to milliseconds, which is what a `date` field keeps."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def nested(source: Mapping[str, Any]) -> dict[str, Any]:
    """The document with dotted keys taken apart and lists of one element replaced by the element.

    For templates (`{{ event.process.name }}`): one spelling, whichever the document uses. Where two spellings
    contradict each other (a value where there is an object), the object is kept.
    """
    return _nested(source, DEEPEST)


def _nested(source: Mapping[str, Any], depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in source.items():
        *path, last = key.split(".", depth)
        node = result
        for part in path:
            child = node.get(part)
            if not isinstance(child, dict):
                child = node[part] = {}
            node = child
        _put(node, last, _unboxed(value, depth - 1))
    return result


def _put(node: dict[str, Any], key: str, value: Any) -> None:
    present = node.get(key)
    if isinstance(present, dict) and isinstance(value, dict):
        for name, child in value.items():
            _put(present, name, child)
    elif not isinstance(present, dict):
        node[key] = value


def _unboxed(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return _nested(value, depth) if depth > 0 else {}
    if isinstance(value, list | tuple) and depth > 0:
        items = [_unboxed(item, depth - 1) for item in value]
        return items[0] if len(items) == 1 else items
    return value
