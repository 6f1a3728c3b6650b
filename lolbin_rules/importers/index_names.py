"""Which index an event goes to when the caller does not say, and names that Elasticsearch takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from lolbin_rules.alert.source import first
from lolbin_rules.errors import SettingsError

__all__ = ["DEFAULT_INDEX", "checked_index", "index_of", "legal_index"]

DEFAULT_INDEX: Final = "winlogbeat-files"
"""For events that do not say where they belong; rules that read `winlogbeat-*` find them."""
ENDPOINT: Final = "endpoint"
NAMESPACE: Final = "default"
ILLEGAL: Final = re.compile(r'[\s"*\\<|,>/?#:\x00-\x1f]')
"""Elasticsearch's forbidden characters; it takes `:` only to name another cluster."""
LONGEST_NAME: Final = 255
"""Bytes."""
BACKING: Final = re.compile(r"(?:partial-|restored-)?\.ds-(?P<stream>.+?)(?:-\d{4}\.\d{2}\.\d{2})?-\d{6,}")
"""An index behind a data stream: `.ds-<stream>-<date>-<generation>`, which patterns of rules do not match by name."""


def checked_index(name: str) -> str:
    """The name, if an index can have it.

    Raises:
        SettingsError: it cannot.
    """
    if not name or name != legal_index(name):
        raise SettingsError(
            f"--index {name!r} is no name for an index, so the events cannot be stored. "
            "Use lower case letters, digits, dots and dashes, such as winlogbeat-case42."
        )
    return name


def legal_index(name: str) -> str:
    """The nearest name that an index can have, empty where nothing is left: an event is not lost for its index.

    Lower case, `_` for forbidden characters, no `-`, `_` or `+` at the front, 255 bytes at most. An index behind a data
    stream gets the name of the stream, `cluster:index` that of the index.
    """
    name = name.rpartition(":")[2]
    if backing := BACKING.fullmatch(name):
        name = backing["stream"]
    name = ILLEGAL.sub("_", name.lower()).lstrip("-_+").encode()[:LONGEST_NAME].decode(errors="ignore")
    return "" if name in {".", ".."} else name


def index_of(source: Mapping[str, Any]) -> str:
    """The index that Elastic's own shippers would have used, as far as the document tells it.

    `data_stream.*` names the data stream; Elastic Defend's events without it go to theirs by `event.dataset`; all
    others to `DEFAULT_INDEX`.
    """
    if "data_stream" in source or "data_stream.type" in source:
        parts = [_text(source, f"data_stream.{part}") for part in ("type", "dataset", "namespace")]
        if parts[0] and parts[1]:
            return legal_index("-".join([*parts[:2], parts[2] or NAMESPACE])) or DEFAULT_INDEX
    event = source.get("event")
    if isinstance(event, dict) and "dataset" not in event and event.get("module", ENDPOINT) != ENDPOINT:
        return DEFAULT_INDEX  # what Winlogbeat writes: nearly all there is, so found without a search
    return _index_of_event(*(_text(source, f"event.{part}") for part in ("dataset", "module", "category")))


@lru_cache(maxsize=4096)
def _index_of_event(dataset: str, module: str, category: str) -> str:
    if dataset.startswith(f"{ENDPOINT}."):
        return legal_index(f"logs-{dataset}-{NAMESPACE}")
    if module == ENDPOINT:
        return legal_index(f"logs-{ENDPOINT}.events.{category or 'other'}-{NAMESPACE}")
    return DEFAULT_INDEX


def _text(source: Mapping[str, Any], field: str) -> str:
    parent, _, key = field.partition(".")
    inner = source.get(parent)
    if field not in source and type(inner) is dict:  # as nearly all have it: found without a search
        value = inner.get(key)
        value = value[0] if type(value) is list and len(value) == 1 else value
        if value is None or type(value) is str:
            return value or ""
    value = first(source, field)
    return value if isinstance(value, str) else ""
