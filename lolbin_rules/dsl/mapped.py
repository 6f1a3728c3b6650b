"""The parts that a mapping consists of: objects, fields with their sub-fields, aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lolbin_rules.dsl.field import Field

__all__ = ["MappedAlias", "MappedField", "MappedObject", "Node"]


@dataclass(slots=True)
class MappedField:
    """A field that documents have values in.

    Attributes:
        name: its full name.
        field: the field itself.
        subfields: its multi-fields, which have the same values, by the last part of their name.
        copy_to: full names of the fields that get its values as well.
        is_read: False for a type whose values are not read.
        scope: the name of the nested object that it is below; "" for none.
        is_in_root: False below a nested object: its values are not those of the document.
        is_reached: False below an object that is not enabled: it has no values.
        definition: what was mapped.
    """

    name: str
    field: Field
    subfields: dict[str, Field]
    copy_to: tuple[str, ...]
    is_read: bool
    scope: str
    is_in_root: bool
    is_reached: bool
    definition: Mapping[str, Any]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The field and its sub-fields."""
        return (self.field, *self.subfields.values())


@dataclass(slots=True)
class MappedAlias:
    """Another name of a field; queries may use it, documents may not."""

    name: str
    path: str
    scope: str


@dataclass(slots=True)
class MappedObject:
    """An object, or the whole document.

    Attributes:
        name: its full name; "" for the whole document.
        own: what was mapped of it, without its properties.
        depth: how many names it stands under; 0 for the whole document.
        dynamic: what becomes of keys that it does not map: "true", "false" or "strict".
        is_reached: False: whatever is in it is taken and nothing is read, as it, or an object above, is not enabled.
        has_subobjects: False: it has no objects below it; dots are part of its fields' names.
        scope: the name of the nested object that it is, or is below; "" for none.
        is_in_root: False below a nested object without `include_in_root`.
        children: what it maps, by key.
    """

    name: str
    own: dict[str, Any]
    depth: int = 0
    dynamic: str = "true"
    is_reached: bool = True
    has_subobjects: bool = True
    scope: str = ""
    is_in_root: bool = True
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def is_nested(self) -> bool:
        """Whether it is of type nested."""
        return self.own.get("type") == "nested"

    def full_name(self, key: str) -> str:
        """The full name of what a key of it maps."""
        return f"{self.name}.{key}" if self.name else key


Node: TypeAlias = MappedObject | MappedField | MappedAlias
