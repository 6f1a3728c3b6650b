"""Which parts of a query an event meets and which it fails, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lolbin_rules.dsl.clause_words import Worded, words_of
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.parse.minimum import minimum
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.values import flattened

__all__ = ["Explained", "explain", "explained_lines"]

_MOST_VALUES: Final = 5
_LONGEST_VALUE: Final = 100


@dataclass(frozen=True, slots=True)
class Explained:
    """One clause of a query, and what an event makes of it.

    Attributes:
        text: the clause in words, such as `process.name is "regsvr32.exe" (any case)`; of clauses with parts `all of`,
            `any of` or `at least 2 of`. What must not be true begins with `must not: `.
        is_met: whether the event does what the text says. Below a `must not: ` this is said of each part by itself.
        field: the field that is asked, or "" where there is none or there are several.
        values: what the event has in that field, as it was written.
        children: the parts.
    """

    text: str
    is_met: bool
    field: str = ""
    values: tuple[Any, ...] = ()
    children: tuple[Explained, ...] = ()


def explain(query: Mapping[str, Any], mapping: IndexMapping, source: Mapping[str, Any], now_ms: int) -> Explained:
    """What an event makes of a query, clause by clause.

    Args:
        query: one clause of Query DSL. `bool` is taken apart; every other clause is one part.
        mapping: of the index that took the event.
        source: the event. What is asked of `_id` and `_index` fails: the source does not hold them.
        now_ms: what `now` is, in milliseconds since 1970.

    Raises:
        StoreRejected: Elasticsearch would refuse the query.
        Unsupported: it cannot be answered exactly.
        Malformed: the mapping would not have taken the event.
    """
    parse(query, mapping, now_ms)  # what is faulty, or nested too deep, is refused before it is taken apart
    outline = _outline(query, mapping)
    numbered = list(_each(outline))
    matcher = Matcher({str(at): parse(part.query, mapping, now_ms) for at, part in enumerate(numbered)})
    met = matcher.match(Reader(mapping, matcher.fields).read(source))
    is_met = {id(part): str(at) in met for at, part in enumerate(numbered)}
    return _explained(outline, is_met, mapping, source)


def explained_lines(tree: Explained) -> list[str]:
    """The tree as lines: `met` or `FAILED`, the clause, and what the event has where that is of interest."""
    return list(_lines(tree, 0))


@dataclass(frozen=True, slots=True)
class _Part:
    """A clause before it is known whether it is met."""

    query: Mapping[str, Any]
    worded: Worded
    parts: tuple[_Part, ...] = ()
    is_negated: bool = False
    is_optional: bool = False


def _outline(query: Mapping[str, Any], mapping: IndexMapping) -> _Part:
    body = query.get("bool")
    if not isinstance(body, Mapping):
        return _Part(query, words_of(query, mapping))
    required = [_outline(part, mapping) for name in ("must", "filter") for part in _listed(body, name)]
    excluded = [
        replace(_outline(part, mapping), is_negated=True)
        for name in ("must_not", "mustNot")
        for part in _listed(body, name)
    ]
    optional = [_outline(part, mapping) for part in _listed(body, "should")]
    least = (
        0 if body.get("minimum_should_match") is None else minimum("bool", body["minimum_should_match"], len(optional))
    )
    if optional and not required:
        least = max(least, 1)
    parts = [*required, *([_choice(optional, least)] if optional else []), *excluded]
    if len(parts) == 1 and not parts[0].is_negated and not parts[0].is_optional:
        return parts[0]
    return _Part(query, Worded("all of" if parts else "any event"), tuple(parts))


def _listed(body: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = body.get(name) or []
    return [found] if isinstance(found, Mapping) else found


def _choice(optional: Sequence[_Part], least: int) -> _Part:
    """Those of which only some are needed."""
    query = {"bool": {"should": [part.query for part in optional], "minimum_should_match": max(least, 1)}}
    if len(optional) == 1 and least == 1:
        return optional[0]
    text = {0: "optional, any of", 1: "any of"}.get(least, f"at least {least} of")
    return _Part(query, Worded(text), tuple(optional), is_optional=least == 0)


def _each(part: _Part) -> Iterator[_Part]:
    yield part
    for inner in part.parts:
        yield from _each(inner)


def _explained(part: _Part, is_met: Mapping[int, bool], mapping: IndexMapping, source: Mapping[str, Any]) -> Explained:
    asked = part.worded.field
    field = mapping.field(asked) if asked else None
    return Explained(
        f"must not: {part.worded.text}" if part.is_negated else part.worded.text,
        part.is_optional or is_met[id(part)] is not part.is_negated,
        asked,
        () if field is None else _values(field, source),
        tuple(_explained(inner, is_met, mapping, source) for inner in part.parts),
    )


def _values(field: Field, source: Mapping[str, Any]) -> tuple[Any, ...]:
    if field.constant is not None:
        return (field.constant,)
    return tuple(value for value in _found(source, field.source) if value is not None)


def _found(value: Any, path: str) -> Iterator[Any]:
    """What stands under a dotted name, however the event spells it."""
    for inner in flattened(value) if isinstance(value, list) else [value]:
        if not path:
            yield inner
        elif isinstance(inner, Mapping):
            for key, below in inner.items():
                if path == key or path.startswith(f"{key}."):
                    yield from _found(below, path[len(key) + 1 :])


def _lines(tree: Explained, depth: int) -> Iterator[str]:
    found = ""
    if tree.field:
        shown = ", ".join(map(_shown, tree.values[:_MOST_VALUES])) + (", ..." if tree.values[_MOST_VALUES:] else "")
        found = f" - the event has {shown or 'no value'}"
    yield f"{'met' if tree.is_met else 'FAILED':6} {'  ' * depth}{tree.text}{found}"
    for child in tree.children:
        yield from _lines(child, depth + 1)


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
