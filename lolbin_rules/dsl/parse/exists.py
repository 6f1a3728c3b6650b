"""`exists`: the document has a value in a field, in any field below an object, or in any field that a pattern names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.combine import ALL, NONE, any_of
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import check_names, text
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.families import SHAPELESS, check_known, present
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.wildcard import compile_wildcard, simple_pattern

__all__ = ["exists", "has", "read_exists"]


def read_exists(body: Mapping[str, Any], context: Context) -> Clause:
    """`exists`."""
    check_names("exists", body, {"field"})
    name = text("exists", "field", body.get("field"))
    if not name:
        raise rejected("exists", "the name of the field is empty")
    return exists(f"exists [{name}]", name, context)


def exists(clause: str, name: str, context: Context) -> Clause:
    """The document has one of the fields that the name stands for."""
    mapping = context.mapping
    if "*" in name:
        return any_of([_metadata(clause, name), *(has(clause, field) for field in mapping.matching(name))])
    if mapping.is_object(name):
        return any_of(has(clause, field) for field in mapping.under(name))
    return has(clause, context.field(name))


def _metadata(clause: str, pattern: str) -> Clause:
    """What the pattern means for the fields that every index has."""
    matches = compile_wildcard(simple_pattern(pattern))
    refused = [name for name in _REFUSED if matches(name)]
    if refused:
        raise rejected(clause, f"it stands for [{refused[0]}] as well, which cannot be asked for", "Name the fields.")
    if any(map(matches, _EVERYWHERE)):
        return ALL
    if matches("_ignored"):
        raise unsupported(clause, "it stands for [_ignored] as well", "Name the fields.")
    return NONE


_EVERYWHERE = ("_id", "_index", "_index_mode", "_seq_no", "_version")
_REFUSED = ("_data_stream_timestamp", "_doc_count", "_field_names", "_nested_path", "_source")


def has(clause: str, field: Field | None) -> Clause:
    """The document has the field."""
    if field is not None and field.type in _EVERYWHERE:
        return ALL
    if field is not None and field.type in _REFUSED:
        raise rejected(clause, f"[{field.name}] cannot be asked for")
    if field is not None and field.type in SHAPELESS:
        raise unsupported(clause, f"fields of type [{field.type}] are not read", "Ask about another field.")
    return present(field) if check_known(clause, field) and field is not None else NONE
