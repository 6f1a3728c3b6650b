"""The fields whose types the compilation of an EQL query needs."""

from __future__ import annotations

from collections.abc import Iterator

from lolbin_rules.query.eql.columns import KEYWORD
from lolbin_rules.query.eql.nodes import EventQuery, Field, SampleQuery, SequenceQuery, fields_in

__all__ = ["eql_fields"]


def eql_fields(query: EventQuery | SequenceQuery | SampleQuery) -> frozenset[str]:
    """The fields of conditions and join keys, with the sub-fields that would be asked in their place.

    The field of the event category is not among them.
    """
    names = {field.name for field in _fields(query)}
    return frozenset(names | {name + KEYWORD for name in names})


def _fields(query: EventQuery | SequenceQuery | SampleQuery) -> Iterator[Field]:
    if isinstance(query, EventQuery):
        yield from fields_in(query.condition)
        return
    yield from query.keys
    until = (query.until,) if isinstance(query, SequenceQuery) and query.until else ()
    for item in (*query.items, *until):
        yield from item.keys
        yield from fields_in(item.event.condition)
