"""What can be written in a `query_string` query; see `query_string` for how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Beginning", "Group", "Item", "Pattern", "Phrase", "Piece", "Run", "Similar", "Span", "Spelling"]


@dataclass(frozen=True, slots=True)
class Run:
    """Words that follow each other; `is_single` where it was one word (which may still be several for a text field)."""

    field: str | None
    text: str
    is_single: bool = True


@dataclass(frozen=True, slots=True)
class Phrase:
    """A quotation; `slop` is None where none was written."""

    field: str | None
    text: str
    slop: int | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A wildcard pattern, with its backslashes."""

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """What values begin with."""

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """A regular expression."""

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Similar:
    """A word and words that are spelled nearly so."""

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A range; None as limit: there is none."""

    field: str | None
    low: str | None
    high: str | None
    includes_low: bool
    includes_high: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One clause of a group.

    Attributes:
        conjunction: AND, OR or nothing, as it stands before the clause.
        mark: + (required), - (excluded) or nothing.
        piece: the clause.
    """

    conjunction: str
    mark: str
    piece: Piece


@dataclass(frozen=True, slots=True)
class Group:
    """Clauses side by side; at least one."""

    items: tuple[Item, ...]


Piece: TypeAlias = Run | Phrase | Pattern | Beginning | Spelling | Similar | Span | Group
