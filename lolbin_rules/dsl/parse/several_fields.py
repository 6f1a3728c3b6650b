"""`multi_match`, and the lists of fields that it and `query_string` take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.combine import any_of
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import check_names, query_text, scalar, text
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.families import SHAPELESS, TEXTS
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.parse.full_text import (
    FUZZY,
    Matching,
    counted,
    match,
    match_phrase,
    match_phrase_prefix,
    read_matching,
)

__all__ = ["TYPES", "in_fields", "read_fields", "read_multi_match", "resolve"]

_WEIGHT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def read_multi_match(body: Mapping[str, Any], context: Context) -> Clause:
    """`multi_match`; with the fields `*`, or none, values that do not fit a field are passed over."""
    clause = "multi_match"
    known = {
        "query",
        "fields",
        "type",
        "operator",
        "minimum_should_match",
        "lenient",
        "analyzer",
        "slop",
        "tie_breaker",
    }
    check_names(clause, body, {*known, "zero_terms_query", "auto_generate_synonyms_phrase_query", *FUZZY})
    value = scalar(clause, "query", body.get("query"))
    names = read_fields(clause, body.get("fields", []))
    is_of_all = "*" in names or not names
    matching = read_matching(clause, {"lenient": is_of_all, **body})
    kind = text(clause, "type", body.get("type", "best_fields"))
    if kind not in TYPES:
        raise rejected(clause, f"[type] is {kind!r}, and there is no such type")
    if "fuzziness" in body and kind in {"phrase", "phrase_prefix", "cross_fields"}:
        raise rejected(clause, f"[fuzziness] with the type {kind}")
    return in_fields(kind, matching, resolve(clause, names or ["*"], context, is_list=True), value, context)


def read_fields(clause: str, fields: Any) -> list[str]:
    """The names of fields, without their weights."""
    listed = fields if isinstance(fields, list) else [fields]
    return [_without_weight(clause, text(clause, "fields", name)) for name in listed]


def _without_weight(clause: str, name: str) -> str:
    name, caret, weight = name.partition("^")
    if caret and not _WEIGHT.fullmatch(weight):
        raise rejected(clause, f"[fields]: the weight of [{name}] is {weight!r}, which is no number")
    return name


def resolve(clause: str, names: Iterable[str], context: Context, *, is_list: bool) -> list[Field]:
    """The fields that names and patterns stand for, each once; names of no field stand for nothing.

    In a list (`is_list`), patterns pass over fields that cannot be searched; elsewhere asking those is refused.
    """
    fields: dict[str, Field] = {}
    for name in names:
        single = context.field(name)
        if "*" not in name:
            found = [] if single is None else [single]
        elif is_list and name.startswith("_"):
            raise unsupported(clause, f"[{name}] stands for metadata", "Name the fields.")
        else:
            matching = [field for field in context.mapping.matching(name) if not field.name.startswith("_")]
            found = [field for field in matching if not is_list or _is_searched(field)]
        fields.update((field.name, field) for field in found)
    return list(fields.values())


def _is_searched(field: Field) -> bool:
    return field.type not in SHAPELESS and (field.is_indexed or field.has_doc_values)


def in_fields(kind: str, matching: Matching, fields: Sequence[Field], value: Any, context: Context) -> Clause:
    """What the type of a `multi_match` means: any of the fields, each by itself or as if they were one."""
    return TYPES[kind](matching, fields, value, context)


def _in_any(matching: Matching, fields: Sequence[Field], value: Any, context: Context) -> Clause:
    return any_of(match(matching, field, value, context) for field in fields)


def _phrase_in_any(matching: Matching, fields: Sequence[Field], value: Any, context: Context) -> Clause:
    return any_of(match_phrase(matching, field, value, context) for field in fields)


def _phrase_prefix_in_any(matching: Matching, fields: Sequence[Field], value: Any, context: Context) -> Clause:
    del context
    return any_of(match_phrase_prefix(matching, field, value) for field in fields)


def _prefix_in_any(matching: Matching, fields: Sequence[Field], value: Any, context: Context) -> Clause:
    return _in_any(replace(matching, has_prefix=True), fields, value, context)


def _across(matching: Matching, fields: Sequence[Field], value: Any, context: Context) -> Clause:
    """Text fields are searched as if they were one; all other fields have the whole value or not."""
    others = [match(matching, field, value, context) for field in fields if field.type not in TEXTS]
    texts = [field for field in fields if field.type in TEXTS]
    found = matching.words(texts[0], query_text(value)) if texts else ()
    if not texts or not found:
        return any_of([*others, _in_any(matching, texts, value, context)])
    single = replace(matching, minimum=None, analyzer="keyword")
    return any_of([*others, counted(matching, [_in_any(single, texts, word, context) for word in found])])


TYPES: Mapping[str, Callable[[Matching, Sequence[Field], Any, Context], Clause]] = {
    "best_fields": _in_any,
    "most_fields": _in_any,
    "phrase": _phrase_in_any,
    "phrase_prefix": _phrase_prefix_in_any,
    "bool_prefix": _prefix_in_any,
    "cross_fields": _across,
}
