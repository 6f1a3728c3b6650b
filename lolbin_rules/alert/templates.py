"""The index templates of everything that is written; the mappings themselves are `index_template.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from lolbin_rules.store.port import IndexTemplate

__all__ = ["VERSION", "mapping", "templates"]

VERSION: Final = 4
"""Grows with every change of `index_template.json`; a cluster that has a later version keeps it."""

MONTHLY: Final = ("alerts", "suppressed", "executions")
"""What is written to one index a month (`<prefix>-alerts-2026.11`) and read through an alias (`<prefix>-alerts`)."""
SINGLE: Final = ("coverage", "dead-letters", "certificates", "leases")
"""What is written to one index (`<prefix>-coverage`)."""


@lru_cache(maxsize=1)
def _bodies() -> Mapping[str, Any]:
    text = files(__package__).joinpath("index_template.json").read_text(encoding="utf-8")
    bodies: dict[str, Any] = json.loads(text)
    return bodies


def mapping(kind: str) -> Mapping[str, Any]:
    """The `properties` of the mapping of one kind of index, such as `alerts`. Not to be changed."""
    properties: Mapping[str, Any] = _bodies()[kind]["mappings"]["properties"]
    return properties


def templates(prefix: str) -> list[IndexTemplate]:
    """One template for each kind of index; no index name fits two of them."""
    monthly = [_template(f"{prefix}-{kind}", kind, f"{prefix}-{kind}-*", {f"{prefix}-{kind}": {}}) for kind in MONTHLY]
    single = [_template(f"{prefix}-{kind}", kind, f"{prefix}-{kind}", {}) for kind in SINGLE]
    return monthly + single


def _template(name: str, kind: str, pattern: str, aliases: Mapping[str, Any]) -> IndexTemplate:
    body = {**_bodies()[kind], "aliases": aliases} if aliases else dict(_bodies()[kind])
    return IndexTemplate(name=name, patterns=(pattern,), version=VERSION, body=body)
