"""EQL text -> tree: the grammar, and all that can be said of a query without the types of fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from lolbin_rules.query.eql.check import Checker
from lolbin_rules.query.eql.constants import check_depth, with_constants
from lolbin_rules.query.eql.faults import fault
from lolbin_rules.query.eql.grammar import read
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import EventQuery, Field, Item, Node, SampleQuery, SequenceQuery

__all__ = ["parse_eql"]

_MOST_STAGES = 100
_LARGEST_COUNT = 2**31 - 1
_MOST_REMEMBERED = 1024
"""Queries. A rule's is read twice in every execution of it."""


@lru_cache(maxsize=_MOST_REMEMBERED)
def parse_eql(text: str) -> EventQuery | SequenceQuery | SampleQuery:
    """The query as a tree, checked as far as it can be without the types of fields.

    Args:
        text: at most 100,000 characters, nested at most 100 levels deep.

    Raises:
        QueryError: Elasticsearch would refuse the query, or it is longer or deeper than that.
    """
    query = read(text)
    try:
        match query:
            case EventQuery():
                _check_condition(query.condition)
                _check_pipes(query)
                return replace(query, text=text)
            case SequenceQuery():
                _check_sequence(query)
                until = query.until and _with_text(query.until, text)
                items = tuple(_with_text(item, text) for item in query.items)
                return replace(query, items=items, until=until, text=text)
            case SampleQuery():
                _check_sample(query)
                return replace(query, items=tuple(_with_text(item, text) for item in query.items), text=text)
    except Misuse as error:
        raise fault(text, error.at, error.what, error.remedy) from None


def _with_text(item: Item, text: str) -> Item:
    return replace(item, event=replace(item.event, text=text))


def _check_condition(condition: Node) -> None:
    check_depth(condition)
    Checker().condition(condition)
    # Networks that are put together are known only then.
    Checker().condition(with_constants(condition))


def _check_pipes(query: EventQuery | SequenceQuery) -> None:
    for pipe in query.pipes:
        if not 0 <= pipe.count <= _LARGEST_COUNT:
            what = f"{pipe.end} keeps {pipe.count}"
            raise Misuse(pipe.at, what, f"Write a whole number from 0 to {_LARGEST_COUNT}.")


def _check_sequence(query: SequenceQuery) -> None:
    for item in query.items:
        _check_condition(item.event.condition)
    if query.until is not None:
        _check_condition(query.until.event.condition)
    _check_pipes(query)
    stages = sum(item.runs for item in query.items)
    if stages < 2:  # noqa: PLR2004 - what makes a sequence
        raise Misuse(query.at, "a sequence has two events or more", "Add one, or `with runs=2`, or leave sequence out.")
    if stages > _MOST_STAGES:
        raise Misuse(query.at, f"the sequence has {stages} events, more than {_MOST_STAGES}", "Write fewer.")
    missing = next((item for item in query.items if item.is_missing), None)
    if missing is not None and query.maxspan is None:
        what = "a missing event needs a time in which it is missing"
        raise Misuse(missing.at, what, "Write `with maxspan=...` behind sequence and its keys.")
    if missing is not None and all(item.is_missing for item in query.items):
        raise Misuse(query.at, "every event of the sequence is missing", "Write one that is there, without the !.")
    _check_keys(query.keys, [*query.items, *([query.until] if query.until else [])])


def _check_sample(query: SampleQuery) -> None:
    for item in query.items:
        _check_condition(item.event.condition)
    if len(query.items) < 2:  # noqa: PLR2004 - what makes a sample
        raise Misuse(query.at, "a sample has two events or more", "Add one, or leave sample out.")
    if not query.keys and not query.items[0].keys:
        raise Misuse(query.at, "a sample needs keys", "Write `sample by ...`.")
    _check_keys(query.keys, query.items)


def _check_keys(shared: Sequence[Field], items: Sequence[Item]) -> None:
    first = items[0]
    optional: dict[str, bool] = {}
    for field in (*shared, *(field for item in items for field in item.keys)):
        if optional.setdefault(field.name, field.is_optional) != field.is_optional:
            what = f"the key {field.name} is optional in one place and not in another"
            raise Misuse(field.at, what, f"Write ?{field.name} everywhere, or nowhere.")
    for item in items:
        if len(item.keys) != len(first.keys):
            what = f"this event has {len(item.keys)} keys of its own, the first one has {len(first.keys)}"
            raise Misuse(item.at, what, "Write as many keys behind every event.")
