"""Documents inside of what Elasticsearch writes and takes: hits, answers of searches, actions of `_bulk`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Action", "Wrapped", "is_wrapped", "read_action", "unwrapped"]

ACTIONS: Final = frozenset({"create", "delete", "index", "update"})
ACTION_KEYS: Final = frozenset({
    "_id", "_index", "_routing", "_type", "dynamic_templates", "if_primary_term", "if_seq_no",
    "list_executed_pipelines", "op_type", "pipeline", "require_alias", "require_data_stream", "retry_on_conflict",
    "routing", "version", "version_type",
})  # fmt: skip
ANSWER_KEYS: Final = frozenset({"_shards", "timed_out", "took"})
"""An object that has `hits.hits` and one of these is the answer to a search."""
HIT_KEYS: Final = frozenset({"_id", "_index"})


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A document, and the `_id` and `_index` that stand beside it, as they were read."""

    source: dict[str, Any]
    id: Any = None
    index: Any = None


@dataclass(frozen=True, slots=True)
class Action:
    """A line of a bulk body: what to do with the document on the next line, and the `_id` and `_index` it names."""

    kind: str
    id: Any
    index: Any


def is_wrapped(value: Mapping[str, Any]) -> bool:
    """Whether an object may be anything but an event: worth a closer look, which few lines are."""
    return "_source" in value or "hits" in value or len(value) == 1


def read_action(value: Any) -> Action | None:
    """The action that a line of a bulk body is, or None where it is none."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, about),) = value.items()
    if kind not in ACTIONS or not isinstance(about, dict) or not about.keys() <= ACTION_KEYS:
        return None
    return Action(kind, about.get("_id"), about.get("_index"))


def unwrapped(value: Any) -> Iterator[Wrapped | str]:
    """The documents that a JSON value holds; in words, why a part of it is none."""
    if isinstance(value, list):
        for item in value:
            yield _document(item) if isinstance(item, dict) else _stranger(item)
    elif not isinstance(value, dict):
        yield _stranger(value)
    elif (hits := _hits(value)) is not None:
        yield from unwrapped(hits)
    else:
        yield _document(value)


def _document(value: dict[str, Any]) -> Wrapped:
    source = value.get("_source")
    if isinstance(source, dict) and HIT_KEYS & value.keys():
        return Wrapped(source, value.get("_id"), value.get("_index"))
    return Wrapped(value)


def _hits(value: Mapping[str, Any]) -> list[Any] | None:
    hits = value.get("hits")
    found = hits.get("hits") if isinstance(hits, dict) and ANSWER_KEYS & value.keys() else None
    return found if isinstance(found, list) else None


def _stranger(value: Any) -> str:
    kind = {str: "a text", bool: "true or false", type(None): "null", list: "a list"}.get(type(value), "a number")
    return f"is JSON, but {kind} and no object, so it is no event"
