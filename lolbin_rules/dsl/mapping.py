"""What an index maps: its fields by name, as a mapping says and as documents have added to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lolbin_rules.dsl.definitions import FAMILIES
from lolbin_rules.dsl.dynamic import matches_pattern
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.index_settings import IndexSettings
from lolbin_rules.dsl.mapped_tree import MappedTree
from lolbin_rules.dsl.values import Malformed

__all__ = ["METADATA", "IndexMapping", "Malformed"]

METADATA = (
    "_id", "_index", "_seq_no", "_version", "_source", "_routing", "_ignored", "_field_names", "_nested_path",
    "_doc_count", "_data_stream_timestamp", "_ignored_source", "_index_mode", "_tier",
)  # fmt: skip
"""Fields that every index has; their type is their name."""

_METADATA_FIELDS = {name: Field(name, name, name) for name in METADATA}
_UNMAPPED = "unmapped"
_LEAST_LENGTH = 256


class IndexMapping:
    """The fields of an index.

    Attributes:
        tree: the same as a tree, for those who read documents.
    """

    def __init__(self, mappings: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> None:
        """Understand a mapping, and settings, as an index template has them.

        Raises:
            StoreRejected: Elasticsearch would refuse it.
            Unsupported: it asks for something that cannot be done exactly.
        """
        self.tree = MappedTree(mappings, IndexSettings(settings or {}))

    @property
    def version(self) -> int:
        """Grows by one with every dynamic addition."""
        return self.tree.version

    def to_json(self) -> dict[str, Any]:
        """The mapping with what documents have added; `IndexMapping` of it is the same again."""
        return self.tree.to_json()

    def field(self, name: str) -> Field | None:
        """The field of that name; None if it is unmapped or an object.

        An alias is followed to its target. Below a nested object the type is `nested`, below a `flattened` field it is
        `flattened`, a runtime field's is `runtime field`: nothing can be asked of those.
        """
        target = self.tree.aliases.get(name, name)
        return self.tree.fields.get(target) or _METADATA_FIELDS.get(target) or self._below_flattened(target)

    def is_object(self, name: str) -> bool:
        """Whether it is an object, nested or not."""
        return name in self.tree.objects

    def types(self, name: str) -> str:
        """The type of the field as `_field_caps` tells it: its family; "object" or "nested"; or "unmapped".

        An object is told only where there is a field below it, and what is below a `flattened` field is not told.
        """
        target = self.tree.aliases.get(name, name)
        found = self.tree.fields.get(target) or _METADATA_FIELDS.get(target)
        if found is not None:
            kind = self.tree.kinds.get(target, found.type)
            return FAMILIES.get(kind, kind)
        if name in self.tree.objects and any(self._names_below(name)):
            return "nested" if self.tree.objects[name].is_nested else "object"
        return _UNMAPPED

    def under(self, name: str) -> list[Field]:
        """The fields below an object, sub-fields and the targets of aliases too; none for anything else."""
        return self._resolved(self._names_below(name)) if name in self.tree.objects else []

    def matching(self, pattern: str) -> list[Field]:
        """The fields whose names, or aliases, match a pattern with `*`; metadata fields are not among them."""
        if "*" not in pattern:
            return self._resolved([] if pattern in _METADATA_FIELDS else [pattern])
        return self._resolved(self.names_matching(pattern))

    def names_matching(self, pattern: str) -> list[str]:
        """The names of fields and aliases that match a pattern with `*`."""
        return [name for name in self._names() if matches_pattern(pattern, name)]

    def is_lowercase(self, name: str) -> bool:
        """Whether it is a keyword with the built-in normalizer `lowercase` that keeps texts of 256 characters."""
        field = self.tree.fields.get(name)
        if field is None or field.type != "keyword" or field.normalizer is None:
            return False
        is_built_in = self.tree.normalizers[name] == "lowercase" and self.tree.settings.is_built_in("lowercase")
        return is_built_in and (field.ignore_above is None or field.ignore_above >= _LEAST_LENGTH)

    def _names(self) -> Iterator[str]:
        yield from self.tree.fields
        yield from self.tree.aliases

    def _names_below(self, name: str) -> Iterator[str]:
        return (each for each in self._names() if each.startswith(f"{name}."))

    def _resolved(self, names: Iterable[str]) -> list[Field]:
        found = (self.field(name) for name in names)
        return list(dict.fromkeys(field for field in found if field is not None))

    def _below_flattened(self, name: str) -> Field | None:
        parent = name
        while "." in parent:
            parent = parent.rpartition(".")[0]
            found = self.tree.fields.get(self.tree.aliases.get(parent, parent))
            if found is not None:
                return Field(name, "flattened", parent) if found.type == "flattened" else None
        return None
