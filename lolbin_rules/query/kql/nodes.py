"""What a KQL query says, as a tree. Immutable, hashable, compared by value; it holds no positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["And", "Everything", "Is", "Name", "Nested", "Node", "Not", "Or", "Range", "Value", "Wild", "Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """A value without wildcards.

    Attributes:
        text: escapes are resolved. Unquoted `true` and `false` are booleans; numbers stay texts.
        is_quoted: it is a phrase, for fields of type text.
    """

    text: str | bool
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Wild:
    """A value or a field name with wildcards: these parts with a `*` between each two; `*` itself is two empty parts.

    The parts are literal: a `*` that was escaped, a `?` and a backslash in them mean themselves.
    """

    parts: tuple[str, ...]

    @property
    def is_any(self) -> bool:
        """Whether it is a single `*`: any value at all. `**` is not."""
        return self.parts == ("", "")

    def __str__(self) -> str:
        return "*".join(self.parts)


Value: TypeAlias = Word | Wild
Name: TypeAlias = str | Wild
"""A field name, or a pattern of field names."""


@dataclass(frozen=True, slots=True)
class Everything:
    """The empty query: every document."""


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Node


@dataclass(frozen=True, slots=True)
class Is:
    """The field has the value; without a field, any field has it. A list of values becomes several of these."""

    field: Name | None
    value: Value


@dataclass(frozen=True, slots=True)
class Range:
    """The field has a value on this side of the limit."""

    field: Name
    comparison: Literal["gt", "gte", "lt", "lte"]
    limit: Word


@dataclass(frozen=True, slots=True)
class Nested:
    """One object of a nested field matches as a whole. Names in `part` begin below `path`."""

    path: str
    part: Node


Node: TypeAlias = Everything | And | Or | Not | Is | Range | Nested
