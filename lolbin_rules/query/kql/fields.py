"""Which fields a KQL query names."""

from __future__ import annotations

from collections.abc import Iterator

from lolbin_rules.query.kql.nodes import And, Is, Nested, Node, Not, Or, Range
from lolbin_rules.query.kql.syntax import parse_kql

__all__ = ["fields_in", "kql_fields"]


def kql_fields(text: str) -> frozenset[str]:
    """The field names, and patterns of field names such as `file.hash.*`, whose types `compile_kql` needs.

    Names inside `path:{ ... }` are whole, with the path before them.

    Raises:
        QueryError: as `parse_kql`.
    """
    return frozenset(fields_in(parse_kql(text)))


def fields_in(node: Node, path: str = "") -> Iterator[str]:
    """As `kql_fields`, of a tree."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from fields_in(part, path)
        case Not(part):
            yield from fields_in(part, path)
        case Nested(name, part):
            yield from fields_in(part, f"{path}{name}.")
        case Is(field) if field is not None:
            yield f"{path}{field}"
        case Range(field):
            yield f"{path}{field}"
