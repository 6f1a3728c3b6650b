"""The fields of a query as the indices map them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lolbin_rules.query.eql.check import Placement, preferred
from lolbin_rules.query.eql.nodes import Field, Node, NullCheck, children, with_children
from lolbin_rules.store.port import UNMAPPED, FieldTypes

__all__ = ["KEYWORD", "Columns"]

KEYWORD: Final = ".keyword"
"""The sub-field that dynamic mapping gives every text."""

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("keyword", "version", "flattened"), "text"),
    **dict.fromkeys(("long", "integer", "short", "byte", "unsigned_long"), "number"),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float"), "number"),
    **dict.fromkeys(("date", "date_nanos"), "date"),
    "ip": "address",
    "boolean": "boolean",
    "text": "unsearchable",
}
_KNOWN: Final = frozenset({"text", "number", "boolean", "address", "date"})
_PLAIN_NUMBERS: Final = tuple({kind} for kind in _KINDS if _KINDS[kind] == "number" and kind != "scaled_float")
_FRACTIONS: Final = frozenset({"double", "float", "half_float", "scaled_float"})


class Columns:
    """What the types of fields mean for a query."""

    def __init__(self, types: FieldTypes) -> None:
        self._types = types.types

    def is_unmapped(self, name: str) -> bool:
        """Whether no index has the field; False where nothing is known of it."""
        return name in self._types and set(self._types[name]) <= {UNMAPPED}

    def is_unknown(self, name: str) -> bool:
        """Whether there are indices, and none of them has the field."""
        return set(self._types.get(name, ())) == {UNMAPPED}

    def placements(self, name: str) -> Sequence[Placement]:
        """How the indices that have the field map it; none where no index has it, or nothing is known of it."""
        mapped = {kind: indices for kind, indices in self._types.get(name, {}).items() if kind != UNMAPPED}
        found = [
            Placement(_KINDS.get(kind, kind), kind, indices)
            for kind, indices in sorted(mapped.items())
            if kind != "text"
        ]
        if "text" not in mapped:
            return found
        # A field that is searchable as it is in one index is not asked by two names: the others are told apart.
        beside = frozenset() if found else self._types.get(name + KEYWORD, {}).get("keyword", frozenset())
        texts = mapped["text"]
        searchable = Placement("text", "text", texts & beside)
        rest = Placement("unsearchable", "text", texts - beside)
        return [*found, *(each for each in (searchable, rest) if each.indices or not texts)]

    def exact(self, name: str) -> str:
        """The name under which the field's values can be compared: its own, or that of its keyword sub-field."""
        is_beside = any(each.type == "text" and each.kind == "text" for each in self.placements(name))
        return name + KEYWORD if is_beside else name

    def with_exact_names(self, node: Node) -> Node:
        """The node with the names that can be compared; for null checks a field's own name is good enough."""
        if isinstance(node, Field):
            exact = self.exact(node.name)
            return node if exact == node.name else Field(exact, at=node.at)
        if isinstance(node, NullCheck) and isinstance(node.operand, Field):
            return node
        return with_children(node, [self.with_exact_names(child) for child in children(node)])

    def kind(self, name: str, kinds: frozenset[str]) -> str:
        """Which of the kinds the values of the field have, as the checks have it; "" where nothing is known."""
        return preferred(self.placements(name), kinds)

    def type(self, name: str) -> str:
        """The type that can hold every value of the field that is asked about; "" where nothing is known."""
        source = name.removesuffix(KEYWORD)
        if name != source and self._types.get(source, {}).get("text"):
            return "keyword"
        placements = self.placements(name)
        kind = preferred(placements, _KNOWN)
        found = {each.type for each in placements if each.kind == kind}
        if kind == "number":
            return next(iter(found)) if found in _PLAIN_NUMBERS else "double" if found & _FRACTIONS else "long"
        if kind == "text":
            return "keyword"
        return min(found, default="")

    def mapping(self, types: Mapping[str, str]) -> dict[str, Any]:
        """A mapping of these fields (name -> type), as an index has it; a `.keyword` below a text is a sub-field."""
        properties: dict[str, Any] = {}
        for name, kind in sorted(types.items()):
            parent = name.removesuffix(KEYWORD)
            if name.endswith(KEYWORD) and self._types.get(parent, {}).get("text"):
                properties[parent] = {"type": "text", "fields": {KEYWORD[1:]: {"type": kind}}}
            elif name not in properties:
                properties[name] = {"type": kind}
        return {"dynamic": "false", "properties": properties}
