"""Leaving out of an event what the alert index would refuse a whole alert for.

`ignore_malformed` makes Elasticsearch pass over an address that is none or a number that is none, but not over text
where the mapping has an object, nor an object where it has a keyword, nor a name with a blank part: those make it
refuse the document. The rest of the event is worth more than such a part, which can still be read in the event itself.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from lolbin_rules.alert.source import flat
from lolbin_rules.alert.templates import mapping

__all__ = ["fit"]

DEEPEST: Final = 20
"""Levels of objects that a `flattened` field takes."""
LONGEST_PATH: Final = 4096
"""Characters of the names down to a value; with the value, of at most 1,024, they fit into one term of Lucene."""
COORDINATES: Final = frozenset({"lat", "lon"})
METADATA: Final = frozenset(
    f"_{name}"
    for name in (
        *("id", "index", "source", "routing", "type", "version", "seq_no", "primary_term", "size", "tier", "tsid"),
        *("field_names", "nested_path", "ignored", "ignored_source", "doc_count", "data_stream_timestamp", "feature"),
        *("inference_fields", "ts_routing_hash", "recovery_source"),
    )
)
"""Names that are Elasticsearch's own at the top of a document."""


class Leaf(enum.Enum):
    """What a field without fields of its own takes."""

    VALUE = enum.auto()
    OBJECT = enum.auto()
    """A `flattened` field."""
    PLACE = enum.auto()
    """A `geo_point`: text, a pair of numbers, an object of two numbers, or several of these."""
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
    return {"flattened": Leaf.OBJECT, "geo_point": Leaf.PLACE}.get(spec["type"], Leaf.VALUE)


def fit(source: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The document without the parts that the alerts' mapping cannot take, and the names of those parts, sorted.

    Fields that the mapping does not have are kept: it does not look at them (`dynamic: false`).
    """
    left_out = {name for name in source if name in METADATA}
    rest = {key: value for key, value in source.items() if key not in left_out} if left_out else source
    return _object(rest, _alerts(), "", left_out), sorted(left_out)


def _object(source: Mapping[str, Any], shapes: Mapping[str, Shape], path: str, left_out: set[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in source.items():
        shape = shapes[key] if key in shapes else _under(shapes, key)
        if shape is Leaf.NOTHING:
            left_out.add(f"{path}{key}")
        elif value is None or shape is None or (shape is Leaf.VALUE and isinstance(value, str | int | float)):
            kept[key] = value
        elif (fitted := _value(value, shape, f"{path}{key}", left_out)) is not None:
            kept[key] = fitted
    return kept


def _under(shapes: Mapping[str, Shape], key: str) -> Shape:
    """What may stand under a dotted or unknown key: below a value nothing, below an object a value."""
    shape: Shape = shapes
    parts = key.split(".")
    if not all(map(str.strip, parts)):
        return Leaf.NOTHING
    for part in parts:
        if isinstance(shape, Leaf):
            return _under_leaf(shape, part, key)
        if shape is None:
            return None
        shape = shape.get(part)
    return shape


def _under_leaf(leaf: Leaf, part: str, key: str) -> Leaf:
    if leaf is Leaf.OBJECT and "\0" not in key and len(key) <= LONGEST_PATH:
        return Leaf.VALUE
    return Leaf.VALUE if leaf is Leaf.PLACE and part in COORDINATES else Leaf.NOTHING


def _value(value: Any, shape: Mapping[str, Shape] | Leaf, name: str, left_out: set[str]) -> Any:
    """The value as far as it fits; None where nothing of it does."""
    if isinstance(value, list | tuple) and shape is not Leaf.PLACE:
        fitted = [_value(item, shape, name, left_out) for item in flat(value)]
        return ([item for item in fitted if item is not None] or None) if fitted else value
    if isinstance(shape, Mapping) and isinstance(value, Mapping):
        return _object(value, shape, f"{name}.", left_out)
    if isinstance(shape, Leaf) and _is_taken(value, shape):
        return value
    left_out.add(name)
    return None


def _is_taken(value: Any, leaf: Leaf) -> bool:
    if leaf is Leaf.PLACE:
        return _is_place(value)
    if isinstance(value, Mapping):
        return leaf is Leaf.OBJECT and _is_flattened(value)
    return leaf is not Leaf.OBJECT


def _is_place(value: Any, *, is_one: bool = False) -> bool:
    """Whether a `geo_point` at least passes over it: it stumbles over other objects and over pairs that are none."""
    if isinstance(value, Mapping):
        return value.keys() == COORDINATES and all(isinstance(item, str | int | float) for item in value.values())
    if not isinstance(value, list | tuple):
        return not (is_one and _is_number(value))
    if any(map(_is_number, value)):
        return len(value) in {2, 3} and all(map(_is_number, value))
    return not is_one and all(_is_place(item, is_one=True) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_flattened(value: Any) -> bool:
    """Whether a `flattened` field takes an object: not too deep, no name with a zero byte, no path without end."""
    stack = [(value, 0, 0)]
    while stack:
        item, depth, length = stack.pop()
        if isinstance(item, Mapping):
            if depth == DEEPEST or length > LONGEST_PATH or any("\0" in key for key in item):
                return False
            stack += [(child, depth + 1, length + len(key) + 1) for key, child in item.items()]
        elif isinstance(item, list | tuple):
            stack += [(child, depth, length) for child in item]
        elif length > LONGEST_PATH:
            return False
    return True
