"""How indices of events are mapped: as Winlogbeat and Elastic Defend have theirs mapped.

The fields are those of the lists in `fields/`; everything else is mapped as it comes, texts as keywords.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from lolbin_rules.store.port import IndexTemplate

__all__ = ["VERSION", "event_templates"]

VERSION: Final = 1
"""Grows with every change of the mappings."""

IGNORE_ABOVE: Final = 1024
"""Characters of a keyword that are searchable, as in every template of Beats; `wildcard` has no such bound."""
SETTINGS: Final[Mapping[str, Any]] = {
    # A value that does not fit its field (`destination.port: "-"`) is left out of that field. Without this it would
    # take the whole event with it, and a hunt would never see it.
    "index.mapping.ignore_malformed": True,
    "index.mapping.total_fields.limit": 10_000,  # as Beats do: ECS alone is more than the default of 1,000
}
DYNAMIC_TEMPLATES: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "event_data": {
            "path_match": ["winlog.event_data.*", "winlog.user_data.*"],
            "match_mapping_type": "string",
            "mapping": {"type": "keyword", "ignore_above": IGNORE_ABOVE},
        }
    },
    {
        "addresses": {
            "path_match": ["*.ip", "*.resolved_ip", "*.forwarded_ip"],
            "match_mapping_type": "string",
            "mapping": {"type": "ip"},
        }
    },
    {
        "texts": {
            "match_mapping_type": "string",
            "mapping": {"type": "keyword", "ignore_above": IGNORE_ABOVE},
        }
    },
)

OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "keyword": {"type": "keyword", "ignore_above": IGNORE_ABOVE},
    # A constant would refuse every event of another data set, and events of several come to one index here.
    "constant_keyword": {"type": "keyword", "ignore_above": IGNORE_ABOVE},
    "scaled_float": {"type": "scaled_float", "scaling_factor": 1000},
}
"""Types that are not mapped by their name alone."""
NOT_INDEXED: Final[Mapping[str, Any]] = {"index": False, "doc_values": False}


def event_templates(more: Sequence[str] = ()) -> list[IndexTemplate]:
    """The templates for events: of Winlogbeat, and of Elastic's agents.

    For the embedded store: on a cluster, the shippers' own templates are in place.

    Args:
        more: further indices, or patterns of them, that events are read into.
    """
    winlogbeat = _body(("ecs.csv", "winlogbeat.csv"))
    agents = _body(("ecs.csv", "winlogbeat.csv", "endpoint.csv"))
    others = tuple(name for name in dict.fromkeys(more) if not name.startswith(("winlogbeat-", "logs-")))
    return [
        IndexTemplate("lolbin-rules-winlogbeat", ("winlogbeat-*", *others), VERSION, winlogbeat),
        IndexTemplate("lolbin-rules-logs", ("logs-*",), VERSION, agents),
    ]


@cache
def _body(lists: tuple[str, ...]) -> Mapping[str, Any]:
    mappings = {
        "date_detection": False,
        "dynamic_templates": list(DYNAMIC_TEMPLATES),
        "properties": _properties(row for name in lists for row in _rows(name)),
    }
    return {"settings": dict(SETTINGS), "mappings": mappings}


def _rows(name: str) -> Iterator[tuple[str, str, bool]]:
    text = (files(__package__) / "fields" / name).read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        yield row["Field"], row["Type"], row["Indexed"] == "true"


def _properties(rows: Iterator[tuple[str, str, bool]]) -> dict[str, Any]:
    root: dict[str, Any] = {"properties": {}}
    for field, kind, is_indexed in rows:
        *path, last = field.split(".")
        node = root
        for part in path:
            node = node.setdefault("properties", {}).setdefault(part, {})
        options = {**OPTIONS.get(kind, {"type": kind}), **({} if is_indexed else NOT_INDEXED)}
        is_value = node.get("type", "object") not in {"object", "nested"}
        known = node.setdefault("fields" if is_value else "properties", {}).setdefault(last, {})
        known.update(options)
    properties: dict[str, Any] = root["properties"]
    return properties
