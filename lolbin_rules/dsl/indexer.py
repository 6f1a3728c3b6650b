"""Documents turned into columns: every field of every document, validated, mapped where it is new, and encoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from lolbin_rules.dsl.additions import Additions
from lolbin_rules.dsl.cells import cut
from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.encoded import EncodedRows, Leaf
from lolbin_rules.dsl.keys import path_of
from lolbin_rules.dsl.mapped import MappedField, MappedObject
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.plans import IGNORED, Ignored, Place, Plan, Plans, Shape, is_reserved, refuse_reserved
from lolbin_rules.dsl.values import Malformed, flattened, json_text

__all__ = ["Indexer", "Malformed"]

_NULL = b"null"
_LONGEST_STEADY = 2048
"""Bytes of JSON."""
_MOST_CHECKED = 100_000
"""Values that an indexer without rows remembers."""


class Indexer:
    """Takes documents one after the other.

    The mapping is shared: what other indexers add to it is seen, and what this one adds is seen by them.
    """

    def __init__(self, mapping: IndexMapping) -> None:
        self._tree = mapping.tree
        self._additions = Additions(mapping.tree)
        self._begin()

    @property
    def size(self) -> int:
        """Rows so far."""
        return self._rows.size

    def add(self, source: Mapping[str, Any]) -> None:
        """One more row.

        Raises:
            Malformed: Elasticsearch would refuse the document; it, and what it added to the mapping, leave no trace.
            Unsupported: what Elasticsearch would do with it cannot be done exactly; it leaves no trace either.
        """
        self._take(source)
        self._rows.keep_row()

    def check(self, source: Mapping[str, Any]) -> None:
        """As `add`, without keeping a row; what it adds to the mapping stays."""
        self._take(source)
        self._rows.drop_row()
        if not self.size and self._rows.known > _MOST_CHECKED:
            self._begin()

    def columns(self) -> dict[str, Column]:
        """The columns of the fields that any row has values in, by full name."""
        return dict(self.cut())

    def cut(self) -> Iterator[tuple[str, Column]]:
        """As `columns`, one after the other, so that they need not all be there at once. Take no rows meanwhile."""
        constants = {
            name: found.constant for name, found in list(self._tree.fields.items()) if found.constant is not None
        }
        for name, column in cut(self._rows.taken(), self._plans.leaves):
            if name not in constants:
                yield name, column
        for name, constant in constants.items() if self.size else ():
            yield name, Column.of([(constant,)] * self.size)

    def _begin(self) -> None:
        self._rows = EncodedRows()
        self._append = self._rows.pending.append
        self._plans = Plans(self._tree, self._additions)
        self._root = Place(self._tree.root)

    def _take(self, source: Mapping[str, Any]) -> None:
        """Read a document: its codes are pending, its additions mapped."""
        self._additions.begin()
        is_taken = False
        try:
            if self._tree.root.is_reached:
                self._walk(self._root, source)
                if self._additions.settle():
                    # As Elasticsearch does: map what is new, then read the document again.
                    self._rows.drop_row()
                    self._walk(self._root, source)
            is_taken = True
        except RecursionError as error:
            raise Malformed("", "it is nested too deeply") from error
        finally:
            if not is_taken:
                self._undo()

    def _undo(self) -> None:
        self._rows.drop_row()
        gone = self._additions.names
        self._additions.undo()
        if gone:
            self._plans.forget(gone)
            self._root = Place(self._tree.root)

    def _walk(self, place: Place, source: Mapping[str, Any]) -> None:
        """Take the keys of an object. This runs for every object of every document."""
        shape = place.shapes.get(tuple(source))
        if shape is None:
            self._walk_first(place, source)
            return
        others, objects = shape.others, shape.objects  # what is learnt below changes them
        if shape.fetch is not None:
            texts = shape.fetch(source)
            try:
                code = shape.known.get(texts)
            except TypeError:  # there is an array or an object among them
                code = None
            if code is None:
                self._take_texts(place, shape, texts)
            else:
                self._append(code)
        if others:
            self._take_others(place, others, source)
        if shape.fetch_steady is not None:
            self._take_recurring(place, shape, shape.fetch_steady(source))
        for key, inner in objects:
            value = source[key]
            if value.__class__ is dict:
                self._walk(inner, value)
            else:
                self._take_objects(inner, value)

    def _walk_first(self, place: Place, source: Mapping[str, Any]) -> None:
        """Take the keys of an object of which there was no like."""
        for key, value in source.items():
            plan = place.plans.get(key)
            if plan is None:
                self._take_unplanned(place, key, value)
            else:
                self._take_planned(place, key, plan, value)
        place.learn(source)

    def _take_others(self, place: Place, others: Sequence[tuple[str, Leaf]], source: Mapping[str, Any]) -> None:
        """Take the fields of an object that are not taken all at once."""
        for key, leaf in others:
            value = source[key]
            if value.__class__ is list and len(value) == 1:
                value = value[0]
            if value.__class__ is str:
                code = leaf.texts.get(value)
                self._append(self._rows.code_text(leaf, value) if code is None else code)
            else:
                self._take_values(place, key, leaf, value)

    def _take_texts(self, place: Place, shape: Shape, texts: tuple[Any, ...]) -> None:
        """Take values that were mostly texts before, in this combination for the first time."""
        start = len(self._rows.pending)
        is_text = True
        for (key, leaf), value in zip(shape.leaves, texts, strict=False):
            self._take_values(place, key, leaf, value)
            is_text = is_text and value.__class__ is str
        if is_text:
            shape.keep(texts, self._rows.bundle(self._rows.pending[start:]))

    def _take_recurring(self, place: Place, shape: Shape, values: tuple[Any, ...]) -> None:
        """Take the values that are steady all at once, if they were met before."""
        try:
            text = orjson.dumps(values)
        except TypeError:  # there is something that no text in JSON says
            text = _NULL
        code = shape.recurring.get(text)
        if code is not None:
            self._append(code)
            return
        start = len(self._rows.pending)
        for (key, plan), value in zip(shape.steady, values, strict=False):
            self._take_planned(place, key, plan, value)
        # Infinity is null in JSON as well; and what is new in the mapping has no codes yet.
        if len(text) <= _LONGEST_STEADY and _NULL not in text and not self._additions.are_open:
            shape.keep_steady(text, self._rows.bundle(self._rows.pending[start:]))

    def _take_planned(self, place: Place, key: str, plan: Plan, value: Any) -> None:
        if isinstance(plan, Leaf):
            self._take_values(place, key, plan, value)
        elif isinstance(plan, Place):
            self._take_objects(plan, value)

    def _take_objects(self, place: Place, value: Any) -> None:
        """Take what a key has that is mapped as an object."""
        if isinstance(value, Mapping):
            self._walk(place, value)
        elif isinstance(value, list):
            for each in flattened(value):
                self._take_objects(place, each)
        elif value is not None:
            raise Malformed(place.mapped.name, f"it is mapped as an object, and {json_text(value)} is none")

    def _take_values(self, place: Place, key: str, leaf: Leaf, value: Any) -> None:
        """Take what a key has that is mapped as a field."""
        if value.__class__ is list and len(value) == 1:
            value = value[0]
        if isinstance(value, str):
            code = leaf.texts.get(value)
            self._append(self._rows.code_text(leaf, value) if code is None else code)
        elif value.__class__ is int:
            code = leaf.wholes.get(value)
            if code is None:
                code = self._rows.code_one(leaf, leaf.wholes, value, value)
            self._append(code)
        elif isinstance(value, list):
            self._take_array(place, key, leaf, value)
        elif not isinstance(value, Mapping):
            # 1, 1.0 and true are equal, and so are 0.0 and -0.0; their texts are not.
            known = (value.__class__, value or repr(value))
            code = leaf.others.get(known)
            if code is None:
                code = self._rows.code_one(leaf, leaf.others, known, value)
            self._append(code)
        elif place.mapped.has_subobjects:
            raise Malformed(place.mapped.full_name(key), "it is mapped as a field, and an object is none")
        else:
            self._take_spread(place, key, value)

    def _take_array(self, place: Place, key: str, leaf: Leaf, values: list[Any]) -> None:
        kinds = set(map(type, values))
        if list in kinds or dict in kinds:
            for each in flattened(values):
                self._take_values(place, key, leaf, each)
            return
        is_texts = kinds == {str}
        known = tuple(values) if is_texts else tuple((each.__class__, each or repr(each)) for each in values)
        code = leaf.others.get(known)
        if code is None:
            code = leaf.others[known] = self._rows.code(leaf, known if is_texts else values)
        self._append(code)

    def _take_spread(self, place: Place, key: str, value: Mapping[str, Any]) -> None:
        """Take an object where there are no objects: its keys are fields with dotted names."""
        child = place.mapped.children.get(key)
        if isinstance(child, MappedField) and child.copy_to:
            raise Malformed(child.name, "it is copied to other fields, and an object cannot be")
        for inner, each in value.items():
            dotted = f"{key}.{inner}"
            plan = place.plans.get(dotted)
            if plan is None:
                self._take_last(place, dotted, each)
            else:
                self._take_planned(place, dotted, plan, each)

    def _take_unplanned(self, place: Place, key: str, value: Any) -> None:
        """Take a key that was not met before, or whose meaning depends on the document."""
        found = self._descend(place, path_of(key, has_levels=place.mapped.has_subobjects))
        if found is None:
            return
        holder, last = found
        plan = holder.plans.get(last) or self._plans.plan(holder.mapped, last)
        if plan is None:
            self._take_last(holder, last, value)
            return
        holder.plans[last] = plan
        if holder.mapped.has_subobjects:
            place.plans[key] = plan
        self._take_planned(holder, last, plan, value)

    def _descend(self, place: Place, path: list[str]) -> tuple[Place, str] | None:
        """The object that the last name of a path belongs to, and that name; None where all below is ignored."""
        while len(path) > 1 and place.mapped.has_subobjects:
            key = path.pop(0)
            plan = place.plans.get(key) or self._plans.plan(place.mapped, key)
            if plan is None:
                plan = self._new_place(place, key)
            else:
                place.plans[key] = plan
            if isinstance(plan, Leaf):
                raise Malformed(place.mapped.full_name(key), "it is mapped as a field, and an object is none")
            if isinstance(plan, Ignored):
                return None
            place = plan
        return place, ".".join(path)

    def _new_place(self, place: Place, key: str) -> Place | Ignored:
        """The object of a key that is not planned."""
        refuse_reserved(place.mapped, key, {})
        node = self._additions.map_object(place.mapped, key)
        if node is None:
            return IGNORED
        if isinstance(node, MappedObject):
            return Place(node) if node.is_reached else IGNORED
        if isinstance(node, MappedField) and not node.is_read:
            return IGNORED
        raise Malformed(node.name, "it is mapped as a field, and an object is none")

    def _take_last(self, place: Place, key: str, value: Any) -> None:
        """Take a key that is not planned: not mapped, new in this document, an alias, or a field that is not final."""
        mapped, child = place.mapped, place.mapped.children.get(key)
        refuse_reserved(mapped, key, value)
        if is_reserved(mapped, key):
            return
        self._additions.refuse_if_strict(mapped, key)
        if isinstance(value, list):
            if child is not None or not self._additions.map_vector(mapped, key, value):
                for each in flattened(value):
                    self._take_last(place, key, each)
        elif isinstance(value, Mapping):
            if mapped.has_subobjects:
                self._take_planned(place, key, self._new_place(place, key), value)
            else:
                if child is None:
                    self._additions.map_spread(mapped, key)
                self._take_spread(place, key, value)
        elif isinstance(child, MappedField) and not self._additions.is_new(child.name):
            self._take_open(place, key, child, value)
        elif value is not None:
            self._take_new(mapped, key, value)

    def _take_new(self, mapped: MappedObject, key: str, value: Any) -> None:
        self._additions.map_scalar(mapped, key, value)
        added = mapped.children.get(key)
        if isinstance(added, MappedField):
            self._copy(added, value)

    def _take_open(self, place: Place, key: str, node: MappedField, value: Any) -> None:
        """Take a value of a field that its values may still change: its constant, or fields it is copied to."""
        if node.field.type == "constant_keyword" and node.field.constant is None and value is not None:
            self._additions.make_constant(node, json_text(value))
        self._copy(node, value)
        copies = [self._tree.nodes[name] for name in node.copy_to if name in self._tree.nodes]
        final = [each for each in copies if not self._additions.is_new(each.name)]
        self._take_values(place, key, self._plans.leaf(node, final), value)

    def _copy(self, node: MappedField, value: Any) -> None:
        """Map the fields that a value is copied to, where they are not."""
        for name in node.copy_to:
            if name in self._tree.aliases:
                raise Malformed(node.name, f"it cannot be copied to an alias, [{name}]")
            if name in self._tree.nodes and not self._additions.is_new(name):
                continue
            found = self._descend(self._root, name.split("."))
            if found is not None:
                self._additions.refuse_if_strict(found[0].mapped, found[1])
                if value is not None:
                    self._additions.map_scalar(found[0].mapped, found[1], value)
