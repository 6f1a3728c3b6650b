"""One clause of Query DSL in plain words, and the field that it asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse.families import TEXTS

__all__ = ["Worded", "words_of"]

_MOST: Final = 5
"""Values of a list that are told."""
_SIGNS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Worded:
    """A clause in words; `field` is empty where it asks no field, or several."""

    text: str
    field: str = ""


def words_of(query: Mapping[str, Any], mapping: IndexMapping) -> Worded:
    """The clause in words; one that is not known here as it is written."""
    if len(query) == 1:
        ((kind, body),) = query.items()
        if kind in _PLAIN and isinstance(body, Mapping):
            return _PLAIN[kind](body)
        if kind in _OF_A_FIELD and isinstance(body, Mapping):
            for name in body:
                if name not in {"boost", "_name"}:
                    return Worded(f"{name} {_OF_A_FIELD[kind](body[name], _kind(name, mapping))}", name)
    return Worded(json.dumps(query, ensure_ascii=False, default=str))


def _kind(name: str, mapping: IndexMapping) -> str:
    field = mapping.field(name)
    return "" if field is None else field.type


def _option(options: Any, *names: str) -> Any:
    """What is asked for, where `{field: x}` is short for `{field: {name: x}}`."""
    return next((options[name] for name in names if name in options), None) if isinstance(options, Mapping) else options


def _case(options: Any) -> str:
    is_caseless = isinstance(options, Mapping) and str(options.get("case_insensitive", False)).lower() == "true"
    return " (any case)" if is_caseless else ""


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _equal(value: Any, kind: str) -> str:
    is_network = kind == "ip" and "/" in str(value)
    return f"is in {value}" if is_network else f"is {_value(value)}"


def _term(options: Any, kind: str) -> str:
    return _equal(_option(options, "value", "term"), kind) + _case(options)


def _terms(values: Any, _: str) -> str:
    if not isinstance(values, Sequence) or isinstance(values, str):
        return f"is one of {_value(values)}"
    shown = ", ".join(map(_value, values[:_MOST]))
    rest = f" and {len(values) - _MOST} more" if len(values) > _MOST else ""
    return f"is one of {shown}{rest}"


def _match(options: Any, kind: str) -> str:
    value = _option(options, "query")
    if kind not in TEXTS:
        return _equal(value, kind)
    needs_all = isinstance(options, Mapping) and str(options.get("operator", "or")).lower() == "and"
    return f"has {'all words' if needs_all else 'a word'} of {_value(value)}"


def _phrase(options: Any, kind: str) -> str:
    value = _option(options, "query")
    return f"has the phrase {_value(value)}" if kind in TEXTS else _equal(value, kind)


def _like(options: Any, _: str) -> str:
    return f"is like {_value(_option(options, 'value', 'wildcard'))}{_case(options)}"


def _begun(options: Any, _: str) -> str:
    return f"begins with {_value(_option(options, 'value', 'prefix'))}{_case(options)}"


def _matching(options: Any, _: str) -> str:
    return f"matches the regular expression {_value(_option(options, 'value', 'regexp'))}{_case(options)}"


def _ranged(options: Any, _: str) -> str:
    if not isinstance(options, Mapping) or not options.keys() <= _SIGNS.keys() or not options:
        return f"is in the range {_value(options)}"
    return " and ".join(f"{_SIGNS[name]} {_value(limit)}" for name, limit in options.items())


_OF_A_FIELD: Final[Mapping[str, Callable[[Any, str], str]]] = {
    "term": _term,
    "terms": _terms,
    "match": _match,
    "match_phrase": _phrase,
    "wildcard": _like,
    "prefix": _begun,
    "regexp": _matching,
    "range": _ranged,
}
"""Name of a clause -> what it says of a field, from its options and the type of the field."""


def _exists(body: Mapping[str, Any]) -> Worded:
    name = str(body.get("field", ""))
    return Worded(f"{name} has a value", "" if "*" in name else name)


def _written(body: Mapping[str, Any]) -> Worded:
    """`query_string`."""
    fields = body.get("fields") or [body.get("default_field", "any field")]
    name = ", ".join(map(str, fields)) if isinstance(fields, list) else str(fields)
    is_one = isinstance(fields, list) and len(fields) == 1 and "*" not in name and "^" not in name
    return Worded(
        f"{name} matches the query string {_value(body.get('query'))}", name if is_one and "fields" in body else ""
    )


def _anywhere(body: Mapping[str, Any]) -> Worded:
    """`multi_match`."""
    fields = body.get("fields") or ["any field"]
    name = ", ".join(map(str, fields)) if isinstance(fields, list) else str(fields)
    what = "the phrase" if body.get("type") == "phrase" else "a word of"
    return Worded(f"{name} has {what} {_value(body.get('query'))}")


_PLAIN: Final[Mapping[str, Callable[[Mapping[str, Any]], Worded]]] = {
    "match_all": lambda _: Worded("any event"),
    "match_none": lambda _: Worded("no event"),
    "exists": _exists,
    "query_string": _written,
    "multi_match": _anywhere,
}
