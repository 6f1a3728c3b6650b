"""A query that two sides disagree about, made smaller as long as they do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["shrunk", "smaller_parts"]

_CLAUSES = frozenset(
    {
        *(
            "term",
            "terms",
            "range",
            "exists",
            "wildcard",
            "prefix",
            "regexp",
            "match",
            "match_phrase",
            "match_phrase_prefix",
        ),
        *("match_bool_prefix", "multi_match", "query_string", "simple_query_string", "ids", "bool", "constant_score"),
        *("dis_max", "boosting", "match_all", "match_none"),
    }
)
_NEEDED = frozenset({"query", "value", "filter", "positive", "negative"})
_LONGEST_TEXT = 60


def shrunk(
    query: dict[str, Any], disagree: Callable[[Sequence[dict[str, Any]]], Sequence[bool]], steps: int
) -> dict[str, Any]:
    """The smallest query found about which `disagree` is still true.

    Args:
        query: what they disagree about.
        disagree: says of each of some queries whether the sides still disagree.
        steps: how many rounds of smaller queries are tried at most.
    """
    for _ in range(steps):
        candidates = sorted(_smaller(query), key=lambda each: len(str(each)))[:400]
        still = disagree(candidates)
        better = next((candidate for candidate, does in zip(candidates, still, strict=True) if does), None)
        if better is None:
            break
        query = better
    return query


def _smaller(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (inner for inner in _inside(query) if inner is not query)
    for path in _paths(query):
        yield from _without(query, path)


def _inside(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if len(part) == 1 and next(iter(part)) in _CLAUSES:
            yield part
        for inner in part.values():
            yield from _inside(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _inside(inner)


def _paths(part: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        yield (*above, key)
        yield from _paths(value, (*above, key))


def smaller_parts(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The JSON without one of its members, at any depth."""
    for path in _paths(whole):
        made = copy.deepcopy(whole)
        holder: Any = made
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]
        yield made


def _without(query: dict[str, Any], path: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """The query without what is there, and with less of it where it is a text."""
    made = copy.deepcopy(query)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    if len(path) > 1 and len(holder) > 1 and path[-1] not in _NEEDED:
        del holder[path[-1]]
        yield made
    elif isinstance(value, list) and len(value) == 1:
        yield _replaced(query, path, value[0])
    if isinstance(value, str) and value:
        for cut in _cuts(value):
            yield _replaced(query, path, cut)


def _replaced(query: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(query)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return made


def _cuts(text: str) -> Iterator[str]:
    length = len(text)
    for size in {length // 2, length // 4, length // 8} - {0, 1}:
        for start in range(0, length, size):
            yield text[:start] + text[start + size :]
    if length <= _LONGEST_TEXT:
        for at in range(length):
            yield text[:at] + text[at + 1 :]
