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
        if name.startswith("*") and not name.strip("*"):
            raise rejected(clause, "not all metadata can be asked for", "Name the fields.")
        if name.startswith("_"):
            raise unsupported(clause, "it names metadata by a pattern", "Name the fields.")
        return any_of(has(clause, field) for field in mapping.matching(name))
    if mapping.is_object(name):
        return any_of(has(clause, field) for field in mapping.under(name))
    return has(clause, context.field(name))


def has(clause: str, field: Field | None) -> Clause:
    """The document has the field."""
    if field is not None and field.type == "_version":
        return ALL
    if field is not None and field.type in SHAPELESS:
        raise unsupported(clause, f"fields of type [{field.type}] are not read", "Ask about another field.")
    return present(field) if check_known(clause, field) and field is not None else NONE
