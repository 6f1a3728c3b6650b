"""A mapping as a tree of objects and fields, built from JSON, grown by documents, written as JSON again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lolbin_rules.dsl.definitions import Definitions
from lolbin_rules.dsl.dynamic import OBJECT_PARAMETERS, DynamicMapping
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.index_settings import IndexSettings, flag
from lolbin_rules.dsl.keys import has_name
from lolbin_rules.dsl.mapped import MappedAlias, MappedField, MappedObject, Node
from lolbin_rules.dsl.values import Malformed
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["MappedTree"]

_NESTED = OBJECT_PARAMETERS - {"subobjects", "store_array_source"} | {"include_in_parent", "include_in_root"}
_ROOT = frozenset({
    "dynamic", "enabled", "subobjects", "properties", "dynamic_templates", "date_detection", "numeric_detection",
    "dynamic_date_formats", "runtime", "_source", "_routing", "_meta", "_data_stream_timestamp", "_field_names",
    "_size",
})  # fmt: skip
_FLATTENED_AWAY = frozenset({"type", "properties", "subobjects", "dynamic", "enabled"})


class MappedTree:
    """The objects and fields of an index.

    Attributes:
        root: the whole document.
        settings: the settings of the index that bear on its fields.
        dynamic: how new keys are mapped.
        fields: full name -> field, sub-fields too; those of which nothing can be asked have a type that says so.
        kinds: full name -> type as mapped, where it is not the field's type.
        normalizers: full name -> normalizer as mapped, of the fields that have one.
        aliases: full name -> full name of the target.
        objects: full name -> object.
        nodes: full name -> field with its sub-fields.
        version: grows by one with every dynamic addition.
    """

    def __init__(self, mappings: Mapping[str, Any], settings: IndexSettings) -> None:
        """Build the tree of a mapping.

        Raises:
            StoreRejected: Elasticsearch would refuse it.
            Unsupported: it asks for something that cannot be done exactly.
        """
        self.version = 0
        self.settings = settings
        self.fields: dict[str, Field] = {}
        self.kinds: dict[str, str] = {}
        self.normalizers: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.objects: dict[str, MappedObject] = {}
        self.nodes: dict[str, MappedField] = {}
        self._definitions = Definitions(settings)
        self._count = 0
        self._alias_nodes: list[MappedAlias] = []
        written = copy.deepcopy(dict(mappings))
        _refuse_unknown(written.keys() - _ROOT, "the whole document")
        self.dynamic = DynamicMapping(written)
        self.root = self._root({key: value for key, value in written.items() if key != "properties"})
        self._map_properties(self.root, written.get("properties") or {})
        self._map_runtime(written.get("runtime") or {})
        self._check()

    def add(self, parent: MappedObject, key: str, definition: Mapping[str, Any]) -> Node | None:
        """Map one more key of an object, as a document has it; None where the index has no room for it.

        Raises:
            Malformed: the definition, or one field more, makes Elasticsearch refuse the document.
        """
        name = parent.full_name(key)
        size = 1 + len(definition.get("fields") or ())
        if self._count + size > self.settings.most_fields:
            if self.settings.drops_beyond_limit:
                return None
            raise Malformed(name, f"Limit of total fields [{self.settings.most_fields}] has been exceeded")
        try:
            node = self._map(parent, key, definition)
            self._check_copies()
        except StoreRejected as error:
            if key in parent.children:
                self.remove(parent, key)
            if isinstance(error, Unsupported):
                raise
            raise Malformed(name, str(error)) from error
        self.version += 1
        return node

    def remove(self, parent: MappedObject, key: str) -> None:
        """Take back what `add` has added, and all below it; the version stays."""
        node = parent.children.pop(key)
        if isinstance(node, MappedObject):
            for inner in list(node.children):
                self.remove(node, inner)
            del self.objects[node.name]
        elif isinstance(node, MappedAlias):
            del self.aliases[node.name]
        else:
            del self.nodes[node.name]
            for field in node.fields:
                del self.fields[field.name]
                self.kinds.pop(field.name, None)
                self.normalizers.pop(field.name, None)
        self._count -= len(node.fields) if isinstance(node, MappedField) else 1

    def make_constant(self, node: MappedField, value: str) -> None:
        """Fix the value of a `constant_keyword` that has none yet."""
        node.field = replace(node.field, constant=value)
        node.definition = {**node.definition, "value": value}
        self._register(node)
        self.version += 1

    def unmake_constant(self, node: MappedField) -> None:
        """Take back what `make_constant` has done; the version stays."""
        node.field = replace(node.field, constant=None)
        node.definition = {key: value for key, value in node.definition.items() if key != "value"}
        self._register(node)

    def to_json(self) -> dict[str, Any]:
        """The mapping that the tree is of."""
        written: dict[str, Any] = copy.deepcopy(_written(self.root))
        return written

    def _map(self, parent: MappedObject, key: str, definition: Mapping[str, Any]) -> Node:
        """Map one key, whose name is taken as it is."""
        name = parent.full_name(key)
        kind = definition.get("type", "object")
        node: Node
        if kind in ("object", "nested"):
            node = self._object(name, parent, {each: definition[each] for each in definition if each != "properties"})
            self.objects[name] = node
        elif kind == "alias":
            node = self._alias(name, definition, parent.scope)
        else:
            node = self._definitions.mapped(name, definition, parent)
            self._register(node)
            self.nodes[name] = node
        parent.children[key] = node
        self._count += len(node.fields) if isinstance(node, MappedField) else 1
        if isinstance(node, MappedObject):
            self._map_properties(node, definition.get("properties") or {})
        return node

    def _map_properties(self, parent: MappedObject, properties: Any) -> None:
        if not isinstance(properties, Mapping):
            if properties:
                raise StoreRejected(f'The properties of "{parent.name}" are no object. Correct the mapping.')
            return
        for key, definition in properties.items():
            name = parent.full_name(key)
            if not isinstance(definition, Mapping):
                raise StoreRejected(f'The mapping of "{name}" is {definition!r}, not an object. Correct the mapping.')
            _refuse_untyped(name, definition)
            self._map_property(parent, key, definition)

    def _map_property(self, parent: MappedObject, key: str, definition: Mapping[str, Any]) -> None:
        if not parent.has_subobjects and definition.get("type", "object") in ("object", "nested"):
            self._map_flattened_away(parent, key, definition)
            return
        holder = parent
        path = key.split(".") if parent.has_subobjects else [key]
        while len(path) > 1 and not path[-1]:
            path.pop()
        if not all(map(has_name, path)):
            raise StoreRejected(f'The field name "{parent.full_name(key)}" has an empty part. Correct the mapping.')
        while len(path) > 1 and holder.has_subobjects:
            inner = holder.children.get(path[0]) or self._map(holder, path[0], {"properties": {}})
            if not isinstance(inner, MappedObject):
                raise _conflict(inner.name)
            holder = inner
            path.pop(0)
        self._put(holder, ".".join(path), definition)

    def _put(self, holder: MappedObject, key: str, definition: Mapping[str, Any]) -> None:
        """Map a key that a dotted name may have mapped already; then the first definition of a field holds."""
        present = holder.children.get(key)
        is_object = definition.get("type", "object") in ("object", "nested")
        if present is None:
            self._map(holder, key, definition)
        elif isinstance(present, MappedObject) != is_object:
            raise _conflict(present.name)
        elif isinstance(present, MappedObject):
            self._map_properties(present, definition.get("properties") or {})

    def _map_flattened_away(self, parent: MappedObject, key: str, definition: Mapping[str, Any]) -> None:
        """Map the fields of an object where there may be none: they get dotted names."""
        name = parent.full_name(key)
        is_other = (
            _dynamic(definition.get("dynamic", parent.dynamic), name) != parent.dynamic
            or not flag(definition.get("enabled", True), f"enabled of {name}")
            or flag(definition.get("subobjects", False), f"subobjects of {name}")
        )
        if definition.get("type") == "nested" or is_other or definition.keys() - _FLATTENED_AWAY:
            raise StoreRejected(
                f'"{name}" is an object where `subobjects` is false. Elasticsearch refuses such a mapping. Correct it.'
            )
        for inner, each in (definition.get("properties") or {}).items():
            self._map_properties(parent, {f"{key}.{inner}": each})

    def _map_runtime(self, runtime: Mapping[str, Any]) -> None:
        """Runtime fields hide the mapped fields of their names; documents have no values in them."""
        for name, definition in runtime.items():
            self.fields[name] = Field(name, "runtime field", name)
            self.kinds[name] = str((definition or {}).get("type"))

    def _root(self, own: dict[str, Any]) -> MappedObject:
        where = "the whole document"
        return MappedObject(
            "",
            own,
            dynamic=_dynamic(own.get("dynamic", True), where),
            is_reached=flag(own.get("enabled", True), f"enabled of {where}"),
            has_subobjects=flag(own.get("subobjects", True), f"subobjects of {where}"),
        )

    def _object(self, name: str, parent: MappedObject, own: dict[str, Any]) -> MappedObject:
        is_nested = own.get("type") == "nested"
        _refuse_unknown(own.keys() - (_NESTED if is_nested else OBJECT_PARAMETERS), f'"{name}"')
        if parent.depth + 1 >= self.settings.most_depth:
            raise StoreRejected(
                f"Limit of mapping depth [{self.settings.most_depth}] is exceeded by the object [{name}]"
            )
        is_in_root = parent.is_in_root
        if is_nested:
            in_parent = flag(own.get("include_in_parent", False), f'include_in_parent of "{name}"')
            in_root = flag(own.get("include_in_root", False), f'include_in_root of "{name}"')
            is_in_root = (is_in_root and in_parent) or in_root
        return MappedObject(
            name,
            own,
            parent.depth + 1,
            _dynamic(own["dynamic"], f'"{name}"') if "dynamic" in own else parent.dynamic,
            is_reached=flag(own.get("enabled", True), f'enabled of "{name}"') and parent.is_reached,
            has_subobjects=flag(own.get("subobjects", True), f'subobjects of "{name}"'),
            scope=name if is_nested else parent.scope,
            is_in_root=is_in_root,
        )

    def _alias(self, name: str, definition: Mapping[str, Any], scope: str) -> MappedAlias:
        if not isinstance(definition.get("path"), str) or definition.keys() - {"type", "path"}:
            raise StoreRejected(f'The alias "{name}" needs a `path`, and nothing else. Correct the mapping.')
        self.aliases[name] = definition["path"]
        alias = MappedAlias(name, definition["path"], scope)
        self._alias_nodes.append(alias)
        return alias

    def _register(self, node: MappedField) -> None:
        definitions = (node.definition, *(node.definition.get("fields") or {}).values())
        for field, definition in zip(node.fields, definitions, strict=True):
            self.fields[field.name] = field if node.is_in_root else replace(field, type="nested")
            if self.fields[field.name].type != definition["type"]:
                self.kinds[field.name] = definition["type"]
            if field.normalizer is not None:
                self.normalizers[field.name] = str(definition["normalizer"])

    def _check(self) -> None:
        for alias in self._alias_nodes:
            self._check_alias(alias)
        self._check_copies()
        for definitions in self.dynamic.examples():
            self._check_example(definitions)
        if self._count > self.settings.most_fields:
            raise StoreRejected(
                f"The mapping has {self._count} fields, and Elasticsearch takes {self.settings.most_fields}. "
                "Map fewer, or raise the setting index.mapping.total_fields.limit."
            )

    def _check_alias(self, alias: MappedAlias) -> None:
        target = self.fields.get(alias.path)
        if target is None and alias.path not in ("_id", "_index", "_seq_no"):
            raise StoreRejected(
                f'The alias "{alias.name}" is for "{alias.path}", which is no field. Correct the mapping.'
            )
        node = self.nodes.get(target.source) if target is not None else None
        if node is not None and node.scope != alias.scope:
            raise StoreRejected(
                f'The alias "{alias.name}" and "{alias.path}" are not below one nested object. Correct the mapping.'
            )

    def _check_copies(self) -> None:
        copying = [node for node in self.nodes.values() if node.copy_to]
        subfields = {field.name for node in self.nodes.values() for field in node.subfields.values()} if copying else ()
        for node in copying:
            for name in node.copy_to:
                if name in self.objects or name in subfields:
                    raise StoreRejected(
                        f'"{node.name}" is copied to "{name}", which is no field of its own. Elasticsearch refuses '
                        "such a mapping. Correct it."
                    )

    def _check_example(self, definitions: list[dict[str, Any]]) -> None:
        """Refuse a dynamic template that makes no field of any kind of value that it is for."""
        refused: StoreRejected | None = None
        for definition in definitions:
            kind = definition.get("type", "object")
            if kind in ("object", "nested") or "{" in str(kind):
                return
            try:
                self._definitions.mapped("of a dynamic template", definition, self.root)
            except Unsupported:
                raise
            except StoreRejected as error:
                refused = error
            else:
                return
        if refused is not None:
            raise refused


def _written(node: Node) -> dict[str, Any]:
    if isinstance(node, MappedField):
        return dict(node.definition)
    if isinstance(node, MappedAlias):
        return {"type": "alias", "path": node.path}
    properties = {key: _written(child) for key, child in node.children.items()}
    if properties:
        return {**node.own, "properties": properties}
    return dict(node.own) if node.own or not node.name else {"type": "object"}


def _dynamic(value: Any, where: str) -> str:
    text = str(value).lower() if str(value).lower() in ("strict", "runtime") else value
    if text == "runtime":
        raise Unsupported(
            f'dynamic of {where} is "runtime"; the embedded store has no runtime fields. Use true or false, or '
            "Elasticsearch."
        )
    if text == "strict":
        return "strict"
    return "true" if flag(text, f"dynamic of {where}") else "false"


def _refuse_unknown(parameters: Any, where: str) -> None:
    if parameters:
        raise StoreRejected(f"The mapping of {where} has no parameter {', '.join(sorted(parameters))}. Correct it.")


def _refuse_untyped(name: str, definition: Mapping[str, Any]) -> None:
    if definition.get("type") is None and not definition.keys() & {"properties", "enabled"}:
        raise StoreRejected(f'No type is specified for the field "{name}". Correct the mapping.')


def _conflict(name: str) -> StoreRejected:
    return StoreRejected(f'"{name}" is mapped both as an object and as a field. Correct the mapping.')
