"""JSON as this store keeps it: always such that `orjson` reads it back, whatever a single odd document holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

__all__ = ["encode", "part"]


def encode(value: Any) -> bytes:
    """The value as UTF-8 JSON; NaN and the infinities become null, half a surrogate pair becomes U+FFFD.

    Raises:
        TypeError, ValueError: something in it has no form in JSON, or it is nested too deeply.
    """
    try:
        return orjson.dumps(value, default=_plain)
    except orjson.JSONEncodeError:
        pass  # lone surrogates, integers beyond 64 bits and deep nesting are beyond it, and JSON all the same
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        raw = json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False).encode()
        orjson.loads(raw)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return raw


def part(source: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """What lies under the names in a document, whether its keys have dots in them or lie in each other."""
    return _part(source, "", fields)


def _part(source: Mapping[str, Any], prefix: str, fields: Sequence[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    below = tuple(f"{field}." for field in fields)
    for key, value in source.items():
        name = f"{prefix}{key}"
        if name in fields or name.startswith(below):
            kept[key] = value
        elif isinstance(value, Mapping | list) and any(field.startswith(f"{name}.") for field in fields):
            found = _inner(value, f"{name}.", fields)
            if found:
                kept[key] = found
    return kept


def _inner(value: Any, prefix: str, fields: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return _part(value, prefix, fields)
    if isinstance(value, list):
        return [found for found in (_inner(each, prefix, fields) for each in value) if found]
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
