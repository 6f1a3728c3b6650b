"""Leaving out of an event what the alert index would refuse a whole alert for.

`ignore_malformed` makes Elasticsearch pass over an address that is none or a number that is none, but not over text
where the mapping has an object, nor an object where it has a keyword, nor a name with a blank part: those make it
refuse the document. The rest of the event is worth more than such a part, which can still be read in the event itself.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from lolbin_rules.alert.source import flat
from lolbin_rules.alert.templates import mapping

__all__ = ["fit"]

DEEPEST: Final = 20
"""Levels of objects that a `flattened` field takes."""


class Leaf(enum.Enum):
    """What a field without fields of its own takes."""

    VALUE = enum.auto()
    OBJECT = enum.auto()
    EITHER = enum.auto()
    NOTHING = enum.auto()


Shape: TypeAlias = "Mapping[str, Shape] | Leaf | None"
"""An object's fields, or what a leaf takes; None for what the mapping does not look at."""


@lru_cache(maxsize=1)
def _alerts() -> Mapping[str, Shape]:
    return {name: _shape(spec) for name, spec in mapping("alerts").items()}


def _shape(spec: Mapping[str, Any]) -> Shape:
    if "properties" in spec:
        return {name: _shape(inner) for name, inner in spec["properties"].items()}
    if spec.get("enabled") is False:
        return None
    return {"flattened": Leaf.OBJECT, "geo_point": Leaf.EITHER}.get(spec["type"], Leaf.VALUE)


def fit(source: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The document without the parts that the alerts' mapping cannot take, and the names of those parts, sorted.

    Fields that the mapping does not have are kept: it does not look at them (`dynamic: false`).
    """
    left_out: set[str] = set()
    return _object(source, _alerts(), "", left_out), sorted(left_out)


def _object(source: Mapping[str, Any], shapes: Mapping[str, Shape], path: str, left_out: set[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in source.items():
        shape = shapes[key] if key in shapes else _under(shapes, key)
        if value is None or shape is None or (shape is Leaf.VALUE and isinstance(value, str | int | float)):
            kept[key] = value
        elif (fitted := _value(value, shape, f"{path}{key}", left_out)) is not None:
            kept[key] = fitted
    return kept


def _under(shapes: Mapping[str, Shape], key: str) -> Shape:
    """What may stand under a dotted or unknown key: nothing below a value, anything below a flattened object."""
    shape: Shape = shapes
    parts = key.split(".")
    if not all(map(str.strip, parts)):
        return Leaf.NOTHING
    for part in parts:
        if isinstance(shape, Leaf):
            return Leaf.EITHER if shape is Leaf.OBJECT else Leaf.NOTHING
        if shape is None:
            return None
        shape = shape.get(part)
    return shape


def _value(value: Any, shape: Mapping[str, Shape] | Leaf, name: str, left_out: set[str]) -> Any:
    """The value as far as it fits; None where nothing of it does."""
    if isinstance(value, list | tuple):
        fitted = [_value(item, shape, name, left_out) for item in flat(value)]
        return ([item for item in fitted if item is not None] or None) if fitted else value
    if isinstance(shape, Mapping) and isinstance(value, Mapping):
        return _object(value, shape, f"{name}.", left_out)
    if isinstance(shape, Leaf) and _is_taken(value, shape):
        return value
    left_out.add(name)
    return None


def _is_taken(value: Any, shape: Leaf) -> bool:
    if shape is Leaf.OBJECT:
        return isinstance(value, Mapping) and all(depth <= DEEPEST for depth in _depths(value))
    return shape is Leaf.EITHER or (shape is Leaf.VALUE and not isinstance(value, Mapping))


def _depths(value: Any) -> Iterator[int]:
    """How many objects each object in a value lies in, itself counted."""
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, Mapping):
            yield depth + 1
            stack += [(child, depth + 1) for child in item.values() if isinstance(child, Mapping | list | tuple)]
        elif isinstance(item, list | tuple):
            stack += [(child, depth) for child in item]
