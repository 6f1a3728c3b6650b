"""The answers of a node that `record.py` wrote down, and the kernel's values in the form that the node tells them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from lolbin_rules.dsl.addresses import address_text
from lolbin_rules.dsl.field import Field, Value, Values
from lolbin_rules.dsl.mapping import IndexMapping

RECORDED = Path(__file__).parent / "recorded"
REFUSED = "refused"
_NANOS = 1_000_000_000


def recorded(name: str) -> list[dict[str, Any]]:
    """The groups of one file."""
    groups: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return groups


def as_told(field: Field, values: Values) -> list[Any]:
    """Values as the node tells those of a search: sorted, and texts and addresses only once."""
    if field.type in ("keyword", "ip"):
        texts = {value if isinstance(value, str) else address_text(int(value)) for value in values}
        return sorted(texts)
    return [_told(field, value) for value in sorted(values)]


def told(field: Field, values: Iterable[Any]) -> list[Any]:
    """What the node told, in one form: numbers as numbers, texts sorted."""
    if field.type in ("keyword", "ip"):
        return sorted(values)
    if field.type == "date":
        return sorted(map(int, values))
    if field.type == "date_nanos":
        return sorted(map(_nanos, values))
    return list(values)


def _nanos(text: str) -> int:
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * _NANOS + int(fraction.ljust(9, "0"))


def _told(field: Field, value: Value) -> Any:
    if field.type == "boolean":
        return bool(value)
    return value


def all_values(mapping: IndexMapping, names: Iterable[str], typed: Mapping[str, Values]) -> dict[str, list[Any]]:
    """Values of some fields as the node tells them; fields without any are left out."""
    found = {name: mapping.field(name) for name in names}
    return {name: as_told(field, typed[name]) for name, field in found.items() if field is not None and name in typed}
