"""What a KQL tree means for one document, said once more and independently: no query, no store, no index.

Only keyword, long, ip, boolean and date fields are known, as `kql_documents` has them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from fuzz.kql_documents import FIELDS, Document, values
from lolbin_rules.query.kql.nodes import And, Everything, Is, Name, Nested, Node, Not, Or, Range, Value, Wild

__all__ = ["BeyondReference", "matches"]

_NESTED = {"dll.name": "keyword", "dll.size": "long"}


class BeyondReference(Exception):  # noqa: N818 - no error: such a query is not judged
    """The tree asks for words in texts, which only the stores can tell."""


def matches(node: Node, document: Document, *, caseless: bool) -> bool:
    """Whether the document matches.

    Raises:
        BeyondReference: that cannot be said here; for the same tree it may be raised for some documents only.
    """
    match node:
        case Everything():
            return True
        case And(parts):
            return all(matches(part, document, caseless=caseless) for part in parts)
        case Or(parts):
            return any(matches(part, document, caseless=caseless) for part in parts)
        case Not(part):
            return not matches(part, document, caseless=caseless)
        case Nested(path, part):
            objects = [_below(path, each) for each in values(document, path)]
            return any(matches(_moved(part, path), each, caseless=caseless) for each in objects)
        case Is() | Range():
            return _leaf(node, document, caseless=caseless)


def _below(path: str, inner: Mapping[str, Any]) -> Document:
    return {f"{path}.{name}": value for name, value in inner.items()}


def _moved(node: Node, path: str) -> Node:
    """The same with whole names."""
    match node:
        case And(parts):
            return And(tuple(_moved(part, path) for part in parts))
        case Or(parts):
            return Or(tuple(_moved(part, path) for part in parts))
        case Not(part):
            return Not(_moved(part, path))
        case Is(str() as name, value):
            return Is(f"{path}.{name}", value)
        case Range(str() as name, comparison, limit):
            return Range(f"{path}.{name}", comparison, limit)
        case _:
            raise BeyondReference


def _leaf(node: Is | Range, document: Document, *, caseless: bool) -> bool:
    if node.field is None:
        raise BeyondReference
    if isinstance(node, Is) and isinstance(node.field, Wild) and node.field.is_any and _is_any(node.value):
        return True
    for name in _names(node.field):
        kind = FIELDS.get(name) or _NESTED.get(name, "")
        test = _test(node, kind, caseless=caseless)
        if kind and any(test(value) for value in values(document, name)):
            return True
    return False


def _is_any(value: Value) -> bool:
    return isinstance(value, Wild) and value.is_any


def _names(name: Name) -> list[str]:
    if isinstance(name, str):
        return [name]
    pattern = _glob(name)
    return [each for each in FIELDS if pattern.fullmatch(each)]


@lru_cache(maxsize=4096)
def _glob(wild: Wild) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, wild.parts)), re.DOTALL)


def _test(node: Is | Range, kind: str, *, caseless: bool) -> Callable[[Any], bool]:
    if isinstance(node, Is) and _is_any(node.value):
        return lambda _: True
    if kind == "text":
        raise BeyondReference
    if isinstance(node, Range):
        return _ranged(node, kind)
    if isinstance(node.value, Wild):
        wild = _glob(Wild(tuple(map(_lower, node.value.parts))) if caseless else node.value)
        return lambda value: wild.fullmatch(_lower(value) if caseless else value) is not None
    wanted = node.value.text if isinstance(node.value.text, str) else str(node.value.text).lower()
    return _equal(wanted, kind, caseless=caseless and isinstance(node.value.text, str))


def _equal(wanted: str, kind: str, *, caseless: bool) -> Callable[[Any], bool]:
    match kind:
        case "long":
            return lambda value: bool(value == int(wanted))
        case "boolean":
            return lambda value: bool(value == (wanted == "true"))
        case "ip":
            network = _network(wanted)
            return lambda value: _address(value) in network
        case "date":
            start, end = _span(wanted)
            return lambda value: start <= _moment(value) < end
    return lambda value: _lower(value) == _lower(wanted) if caseless else bool(value == wanted)


def _ranged(node: Range, kind: str) -> Callable[[Any], bool]:
    limit = str(node.limit.text)
    if kind == "date":
        start, end = _span(limit)
        return {
            "gt": lambda value: _moment(value) >= end,
            "gte": lambda value: _moment(value) >= start,
            "lt": lambda value: _moment(value) < start,
            "lte": lambda value: _moment(value) < end,
        }[node.comparison]
    readers: Mapping[str, Callable[[Any], Any]] = {"long": int, "ip": lambda text: int(_address(text))}
    read = readers.get(kind, str)
    wanted = read(limit)
    return {
        "gt": lambda value: read(value) > wanted,
        "gte": lambda value: read(value) >= wanted,
        "lt": lambda value: read(value) < wanted,
        "lte": lambda value: read(value) <= wanted,
    }[node.comparison]


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv6Address:
    """Addresses are kept, ordered and compared as those of version 6 that stand for them."""
    return ipaddress.IPv6Address(text if ":" in text else f"::ffff:{text}")


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv6Network:
    start, _, length = text.partition("/")
    if ":" in text:
        return ipaddress.IPv6Network(text)
    return ipaddress.IPv6Network(f"::ffff:{start}/{96 + int(length or 32)}")


def _lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@lru_cache(maxsize=4096)
def _span(text: str) -> tuple[datetime, datetime]:
    """From where to where a date reaches: its day, hour, minute or second; a year or a month alone is its first day."""
    start = datetime.fromisoformat(text + _FULL[len(text) :]).replace(tzinfo=UTC)
    return start, start + next(step for length, step in _STEPS.items() if len(text) <= length)


_FULL = "2000-01-01T00:00:00"
_STEPS = {10: timedelta(days=1), 13: timedelta(hours=1), 16: timedelta(minutes=1), 19: timedelta(seconds=1)}
