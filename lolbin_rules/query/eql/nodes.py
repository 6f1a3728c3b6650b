"""EQL queries as trees: what was written, with the place of every part.

Places (`at`) are offsets in the text of the query, counted in characters from 0; they do not take part in comparisons,
so that equal conditions are equal wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import is_
from typing import Any, TypeAlias
from typing import Literal as Choice

__all__ = [
    "And",
    "Arithmetic",
    "Call",
    "Comparison",
    "EventQuery",
    "Field",
    "Item",
    "Like",
    "Literal",
    "Membership",
    "Negative",
    "Node",
    "Not",
    "NullCheck",
    "Or",
    "Pipe",
    "Regex",
    "SampleQuery",
    "Scalar",
    "SequenceQuery",
    "children",
    "fields_in",
    "with_children",
]

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; None is `null`."""

    value: Scalar
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its dotted name; `is_optional` where it was written `?name`."""

    name: str
    is_optional: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `functions.FUNCTIONS`, under the name it has there; `is_caseless` where it was written `name~`."""

    name: str
    arguments: tuple[Node, ...]
    is_caseless: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right`, also `-`, `*`, `/`, `%`."""

    operator: str
    left: Node
    right: Node
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """`-operand`."""

    operand: Node
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left == right`, also `!=`, `<`, `<=`, `>`, `>=`."""

    operator: str
    left: Node
    right: Node
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """`subject in (items)`, or `in~`."""

    subject: Node
    items: tuple[Node, ...]
    is_caseless: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Like:
    """`subject like (patterns)`; caseless for `like~` and `:`. `*` and `?` are the wildcards, nothing is escaped."""

    subject: Node
    patterns: tuple[Literal, ...]
    is_caseless: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Regex:
    """`subject regex (patterns)`, or `regex~`."""

    subject: Node
    patterns: tuple[Literal, ...]
    is_caseless: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NullCheck:
    """Whether the operand is null (or is not); written as a comparison with null, which only `fold` makes into this."""

    operand: Node
    is_null: bool
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    operand: Node
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """`a and b and ...`."""

    parts: tuple[Node, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """`a or b or ...`."""

    parts: tuple[Node, ...]
    at: int = field(default=0, compare=False)


Node: TypeAlias = (
    Literal | Field | Call | Arithmetic | Negative | Comparison | Membership | Like | Regex | NullCheck | Not | And | Or
)


@dataclass(frozen=True, slots=True)
class Pipe:
    """`| head count` or `| tail count`."""

    end: Choice["head", "tail"]
    count: int
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """`category where condition`.

    Attributes:
        category: what the event category field must be; None for `any`.
        condition: what must hold besides.
        pipes: in the order written; none for an event within a sequence.
        text: the whole text that the places are in.
        at: where the query begins.
    """

    category: str | None
    condition: Node
    pipes: tuple[Pipe, ...] = ()
    text: str = field(default="", compare=False)
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a sequence or sample.

    Attributes:
        event: which documents it is.
        keys: its own join keys, which come after those of the whole sequence.
        is_missing: written `![...]`.
        runs: how many times in a row it must come.
        at: where its bracket opens.
    """

    event: EventQuery
    keys: tuple[Field, ...] = ()
    is_missing: bool = False
    runs: int = 1
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SequenceQuery:
    """`sequence by keys with maxspan=... items until [...] | pipes`; `items` are as written, runs not repeated."""

    items: tuple[Item, ...]
    keys: tuple[Field, ...] = ()
    until: Item | None = None
    maxspan: timedelta | None = None
    pipes: tuple[Pipe, ...] = ()
    text: str = field(default="", compare=False)
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SampleQuery:
    """`sample by keys items`."""

    items: tuple[Item, ...]
    keys: tuple[Field, ...] = ()
    text: str = field(default="", compare=False)
    at: int = field(default=0, compare=False)


_SINGLE: Mapping[type, tuple[str, ...]] = {
    **dict.fromkeys((Arithmetic, Comparison), ("left", "right")),
    **dict.fromkeys((Negative, Not, NullCheck), ("operand",)),
    **dict.fromkeys((Membership, Like, Regex), ("subject",)),
}
_SEVERAL: Mapping[type, str] = {Call: "arguments", Membership: "items", And: "parts", Or: "parts"}


def children(node: Node) -> tuple[Node, ...]:
    """The parts that a node is made of, in the order written; patterns are none."""
    single = tuple(getattr(node, name) for name in _SINGLE.get(type(node), ()))
    several = _SEVERAL.get(type(node))
    return single if several is None else (*single, *getattr(node, several))


def with_children(node: Node, parts: Sequence[Node]) -> Node:
    """The node with other parts in the place of `children(node)`, as many of them."""
    if all(map(is_, parts, children(node))):
        return node
    single, several = _SINGLE.get(type(node), ()), _SEVERAL.get(type(node))
    changed: dict[str, Any] = dict(zip(single, parts, strict=False))
    if several is not None:
        changed[several] = tuple(parts[len(single) :])
    return replace(node, **changed)


def fields_in(node: Node) -> Iterator[Field]:
    """Every mention of a field, in the order written."""
    stack = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, Field):
            yield found
        else:
            stack.extend(reversed(children(found)))
