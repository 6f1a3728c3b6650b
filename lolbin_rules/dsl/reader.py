"""A few fields of a document, typed: what is needed to see whether queries match it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lolbin_rules.dsl.field import Field, Value, Values
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.values import READ_TYPES, Malformed, flattened, read_value

__all__ = ["Malformed", "Reader"]

_MOST_KNOWN = 4096


class _Wanted:
    """One field that is read; it remembers what texts it has seen lately."""

    __slots__ = ("_field", "_known", "found")

    def __init__(self, field: Field) -> None:
        self._field = field
        self._known: dict[str, Value | None] = {}
        self.found: list[Value] = []

    def take(self, raw: Any) -> None:
        """Add the value of a JSON value that is no array, if it has one."""
        if raw.__class__ is not str:
            value = read_value(self._field, raw)
        elif raw in self._known:
            value = self._known[raw]
        else:
            value = read_value(self._field, raw)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[raw] = value
        if value is not None:
            self.found.append(value)


@dataclass(slots=True)
class _Branch:
    """What is wanted of, and below, one name of a path.

    Attributes:
        below: the names below it.
        own: fields that have its value.
        copies: fields that its value is copied to.
    """

    below: dict[str, _Branch] = field(default_factory=dict)
    own: list[_Wanted] = field(default_factory=list)
    copies: list[_Wanted] = field(default_factory=list)


class Reader:
    """Reads some fields of documents that the index has taken."""

    def __init__(self, mapping: IndexMapping, fields: Iterable[str]) -> None:
        """Name the fields; aliases, sub-fields and names that are not mapped (yet) are allowed."""
        self._mapping = mapping
        self._names = tuple(dict.fromkeys(fields))
        self._plan()

    def read(self, source: Mapping[str, Any]) -> dict[str, Values]:
        """The values of the fields that have any, under the names that were asked for.

        Raises:
            Malformed: a value does not fit; such a document is in no index.
        """
        if self._version != self._mapping.version:
            self._plan()
        try:
            _walk(self._root, source)
            values = dict(self._constants)
            values |= {name: tuple(wanted.found) for name, wanted in self._wanted.items() if wanted.found}
        finally:
            for wanted in self._wanted.values():
                wanted.found.clear()
        return values

    def _plan(self) -> None:
        self._version = self._mapping.version
        self._root = _Branch()
        self._wanted: dict[str, _Wanted] = {}
        self._constants: dict[str, Values] = {}
        for name in self._names:
            found = self._mapping.field(name)
            if found is None or found.type not in READ_TYPES:
                continue
            if found.constant is not None:
                self._constants[name] = (found.constant,)
            elif self._mapping.tree.nodes[found.source].is_reached:
                self._wanted[name] = self._want(found)

    def _want(self, found: Field) -> _Wanted:
        wanted = _Wanted(found)
        self._branch(found.source).own.append(wanted)
        for node in self._mapping.tree.nodes.values():
            if found.source in node.copy_to and node.is_reached:
                self._branch(node.name).copies.append(wanted)
        return wanted

    def _branch(self, path: str) -> _Branch:
        branch = self._root
        for part in path.split("."):
            branch = branch.below.setdefault(part, _Branch())
        return branch


def _walk(branch: _Branch, source: Mapping[str, Any]) -> None:
    below = branch.below
    for key, value in source.items():
        inner = below.get(key)
        if inner is not None:
            _take(inner, value)
        elif "." in key:
            dotted = _below(branch, key)
            if dotted is not None:
                _take(dotted, value)


def _below(branch: _Branch, path: str) -> _Branch | None:
    for part in path.rstrip(".").split("."):
        if part not in branch.below:
            return None
        branch = branch.below[part]
    return branch


def _take(branch: _Branch, value: Any) -> None:
    if isinstance(value, Mapping):
        _walk(branch, value)
    elif isinstance(value, list):
        for each in flattened(value):
            _take(branch, each)
    else:
        for wanted in branch.own:
            wanted.take(value)
        if value is not None:
            for wanted in branch.copies:
                wanted.take(value)
