"""What rules and lists name of each other, and where in their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lolbin_rules.rule.exception_list import EVERY_RULE
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lolbin_rules.rule.yaml_nodes import Node
    from lolbin_rules.rule.yaml_syntax import Place

__all__ = ["Definition", "Reference", "entries_of", "items_of", "references"]


Definition: TypeAlias = Rule | NamedList | ExceptionList
"""What a document of a file says."""


class Reference(NamedTuple):
    """The id of something, what it should be, and where it is named."""

    model: type[Definition]
    id: str
    place: Place


def references(model: type[Definition], root: Node) -> Iterator[Reference]:
    """What a rule or an exception list names, even one with faults."""
    if model is Rule:
        for section in ("match", "exclude"):
            for condition in entries_of(entries_of(root).get(section)).values():
                yield from _named(NamedList, entries_of(condition).get("list"))
        for key in ("exceptions", "exceptions_list"):
            for node in items_of(entries_of(root).get(key)):
                yield from _named(ExceptionList, entries_of(node).get("list_id", node))
    elif model is ExceptionList:
        for reference in _named(Rule, entries_of(root).get("rules")):
            if reference.id != EVERY_RULE:
                yield reference
        for entry in _entries_of_items(root):
            yield from _named(NamedList, entries_of(entry).get("list"))


def _entries_of_items(root: Node) -> Iterator[Node]:
    for item in items_of(entries_of(root).get("items")):
        for entry in items_of(entries_of(item).get("entries")):
            yield entry
            yield from items_of(entries_of(entry).get("entries"))


def _named(model: type[Definition], node: Node | None) -> Iterator[Reference]:
    for each in items_of(node):
        if isinstance(each.content, str):
            yield Reference(model, each.content, each.place)


def entries_of(node: Node | None) -> dict[str, Node]:
    """The entries of a mapping; none for anything else."""
    return node.content if node is not None and isinstance(node.content, dict) else {}


def items_of(node: Node | None) -> Iterable[Node]:
    """The items of a list; anything else is the one item of a list of one."""
    if node is None:
        return ()
    return node.content if isinstance(node.content, list) else (node,)
