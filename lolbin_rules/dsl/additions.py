"""What one document adds to the mapping of its index, and how that is taken back if the document is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lolbin_rules.dsl.mapped import MappedField, MappedObject, Node
from lolbin_rules.dsl.mapped_tree import MappedTree
from lolbin_rules.dsl.values import Malformed

__all__ = ["Additions"]


class Additions:
    """The additions of the document that is being read.

    A key that a document brings is mapped by each of its values, and Elasticsearch refuses the document where they
    would map it differently ([1, 2.5]); from the next document on, the mapping holds.
    """

    def __init__(self, tree: MappedTree) -> None:
        self._tree = tree
        self._version = tree.version
        self._definitions: dict[str, dict[str, Any]] = {}
        self._keys: list[tuple[MappedObject, str]] = []
        self._constants: list[MappedField] = []

    @property
    def names(self) -> set[str]:
        """The full names of all that was added."""
        return {parent.full_name(key) for parent, key in self._keys} | {node.name for node in self._constants}

    @property
    def are_open(self) -> bool:
        """Whether the document that is being read has added something that is not taken as mapped yet."""
        return bool(self._definitions)

    def begin(self) -> None:
        """Another document: what was added so far is kept."""
        self._version = self._tree.version
        if self._keys or self._constants:
            self._definitions.clear()
            self._keys.clear()
            self._constants.clear()

    def settle(self) -> bool:
        """Take the additions as mapped, though they can still be undone; whether there are any."""
        self._definitions.clear()
        return bool(self._keys or self._constants)

    def undo(self) -> None:
        """Take back what the document has added."""
        for parent, key in reversed(self._keys):
            self._tree.remove(parent, key)
        for node in self._constants:
            self._tree.unmake_constant(node)
        self._tree.version = self._version
        self.begin()

    def is_new(self, name: str) -> bool:
        """Whether this document has added it."""
        return name in self._definitions

    def map_object(self, parent: MappedObject, key: str) -> Node | None:
        """Map a key that has an object; None where it is not to be mapped.

        Raises:
            Malformed: the mapping is strict, or it has no room.
        """
        definition = self._tree.dynamic.object(key, parent.full_name(key))
        node = self._map(parent, key, definition)
        self._compare(node, definition)
        return node

    def map_spread(self, parent: MappedObject, key: str) -> None:
        """Map a key that has an object where there are no objects, if a dynamic template makes a field of it.

        The keys of the object are fields of their own besides; nobody has values in this one yet.
        """
        definition = self._tree.dynamic.object(key, parent.full_name(key))
        if definition.get("type", "object") != "object":
            self._map(parent, key, definition)

    def map_scalar(self, parent: MappedObject, key: str, value: Any) -> None:
        """Map a key that has a value which is neither null nor an object or array, or check it against the others.

        Raises:
            Malformed: the mapping is strict, it has no room, or another value of this document maps the key otherwise.
        """
        definition = self._tree.dynamic.scalar(key, parent.full_name(key), value)
        node = self._map(parent, key, definition)
        self._compare(node, definition)
        if isinstance(node, MappedObject) and node.is_reached:
            raise Malformed(node.name, "it is an object, and so cannot have a concrete value")

    def map_vector(self, parent: MappedObject, key: str, values: Sequence[Any]) -> bool:
        """Map a key that has an array of fractions which is a vector; whether it is one."""
        definition = self._tree.dynamic.vector(key, parent.full_name(key), values)
        if definition is None or parent.dynamic != "true":
            return False
        self._map(parent, key, definition)
        return True

    def make_constant(self, node: MappedField, value: str) -> None:
        """Fix the value of a `constant_keyword` to that of the first document that has one."""
        self._tree.make_constant(node, value)
        self._constants.append(node)

    def refuse_if_strict(self, parent: MappedObject, key: str) -> None:
        """Refuse a key that is not mapped where the mapping is strict.

        Raises:
            Malformed: it is.
        """
        if parent.dynamic == "strict" and key not in parent.children:
            where = parent.name or "_doc"
            raise Malformed(parent.full_name(key), f"dynamic is strict, so that nothing may be added to [{where}]")

    def _map(self, parent: MappedObject, key: str, definition: dict[str, Any]) -> Node | None:
        if key in parent.children:
            return parent.children[key]
        self.refuse_if_strict(parent, key)
        if parent.dynamic == "false":
            return None
        node = self._tree.add(parent, key, definition)
        if node is not None:
            self._definitions[node.name] = definition
            self._keys.append((parent, key))
        return node

    def _compare(self, node: Node | None, definition: dict[str, Any]) -> None:
        known = self._definitions.get(node.name) if node is not None else None
        if node is not None and known is not None and known != definition:
            raise Malformed(node.name, f"its values would map it as {known} and as {definition}")
