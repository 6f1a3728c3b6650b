"""What becomes of the keys of documents, as far as the mapping says and until it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, TypeAlias

import orjson

from lolbin_rules.dsl.additions import Additions
from lolbin_rules.dsl.encoded import Leaf
from lolbin_rules.dsl.mapped import MappedAlias, MappedField, MappedObject
from lolbin_rules.dsl.mapped_tree import MappedTree
from lolbin_rules.dsl.mapping import METADATA
from lolbin_rules.dsl.values import READ_TYPES, Malformed
from lolbin_rules.errors import Unsupported

__all__ = ["IGNORED", "Ignored", "Place", "Plan", "Plans", "Shape", "is_reserved", "refuse_reserved"]

_RESERVED = frozenset(METADATA) - {"_tier"}
_MOST_SHAPES = 500
_MOST_KNOWN = 256
_VARIED = 4
"""A field is varied if it has a new text in one of so many combinations."""


class Ignored:
    """What becomes of values that are taken whatever they are, and not read."""


IGNORED: Final = Ignored()


@dataclass(slots=True, eq=False)
class Place:
    """An object of the mapping, and what is known of its keys.

    Attributes:
        mapped: the object.
        plans: key -> what becomes of its values; what depends on the document is not among them.
        shapes: keys of a document, in their order -> how such documents are taken at once.
    """

    mapped: MappedObject
    plans: dict[str, Plan] = field(default_factory=dict)
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict)

    def learn(self, source: Mapping[str, Any]) -> None:
        """Remember the shape of a document, if all of it is planned and the order of its keys does not matter."""
        if len(self.shapes) >= _MOST_SHAPES or any("." in key or key not in self.plans for key in source):
            return
        shape = Shape({}, [], [])
        leaves: list[tuple[str, Leaf]] = []
        steady: list[tuple[str, Place | Leaf]] = []
        for key, value in source.items():
            plan = self.plans[key]
            if isinstance(plan, Place):
                steady.append((key, plan))
            elif isinstance(plan, Leaf):
                if plan.copies:
                    return
                if value.__class__ is list:
                    steady.append((key, plan))
                else:
                    (leaves if value.__class__ is str else shape.others).append((key, plan))
        shape.set_leaves(leaves)
        shape.set_steady(steady)
        self.shapes[tuple(source)] = shape


@dataclass(slots=True, eq=False)
class Shape:
    """How documents with certain keys are taken.

    Attributes:
        known: texts of the leaves -> the code of all of them.
        others: keys with other values than texts, or with ever new ones.
        objects: keys with objects.
        leaves: keys with texts that repeat themselves.
        fetch: the values of those (of a single one, twice).
        steady: those of the objects that are the same as before in most documents.
        recurring: JSON of the steady objects -> the code of everything in them.
        fetch_steady: those objects (a single one, twice).
    """

    known: dict[Any, int]
    others: list[tuple[str, Leaf]]
    objects: list[tuple[str, Place]]
    leaves: list[tuple[str, Leaf]] = field(default_factory=list)
    fetch: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = None
    steady: list[tuple[str, Place | Leaf]] = field(default_factory=list)
    recurring: dict[bytes, int] = field(default_factory=dict)
    fetch_steady: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = None

    def set_leaves(self, leaves: list[tuple[str, Leaf]]) -> None:
        """Take these at once, and forget what was known."""
        keys = [key for key, _ in leaves]
        self.known.clear()
        self.leaves = leaves
        self.fetch = itemgetter(*keys, keys[0]) if len(keys) == 1 else itemgetter(*keys) if keys else None

    def keep(self, texts: tuple[Any, ...], code: int) -> None:
        """Remember the code of some texts; where they are too many, take the most varied fields by themselves."""
        self.known[texts] = code
        if len(self.known) < _MOST_KNOWN:
            return
        distinct = [len(set(column)) for column in zip(*self.known, strict=True)]
        varied = [each for each, count in zip(self.leaves, distinct, strict=False) if count * _VARIED > _MOST_KNOWN]
        # Another list: the one that was is being gone through.
        self.others = [*self.others, *(varied or self.leaves)]
        self.set_leaves([each for each in self.leaves if each not in varied] if varied else [])

    def set_steady(self, steady: list[tuple[str, Place | Leaf]]) -> None:
        """Take these at once, and forget what recurred."""
        keys = [key for key, _ in steady]
        self.recurring.clear()
        self.steady = steady
        self.fetch_steady = itemgetter(*keys, keys[0]) if len(keys) == 1 else itemgetter(*keys) if keys else None

    def keep_steady(self, text: bytes, code: int) -> None:
        """Remember the code of some objects and arrays; where they are too many, the most varied are not steady."""
        self.recurring[text] = code
        if len(self.recurring) < _MOST_KNOWN:
            return
        columns = zip(*map(orjson.loads, self.recurring), strict=True)
        distinct = [len(set(map(orjson.dumps, column))) for column in columns]
        least = min(_MOST_KNOWN // _VARIED, max(distinct))
        varied = [each for each, count in zip(self.steady, distinct, strict=False) if count >= least]
        # Other lists: those that were are being gone through.
        self.objects = self.objects + [(key, plan) for key, plan in varied if isinstance(plan, Place)]
        self.others = self.others + [(key, plan) for key, plan in varied if isinstance(plan, Leaf)]
        self.set_steady([each for each in self.steady if each not in varied])


Plan: TypeAlias = Place | Leaf | Ignored


class Plans:
    """Makes plans."""

    def __init__(self, tree: MappedTree, additions: Additions) -> None:
        self._tree = tree
        self._additions = additions
        self._leaves: dict[tuple[str, ...], Leaf] = {}

    @property
    def leaves(self) -> list[Leaf]:
        """All that codes values."""
        return list(self._leaves.values())

    def forget(self, names: set[str]) -> None:
        """Give up what codes the values of some fields, as they are mapped no more."""
        self._leaves = {known: leaf for known, leaf in self._leaves.items() if names.isdisjoint(known)}

    def plan(self, mapped: MappedObject, key: str) -> Plan | None:
        """What becomes of the values of a key of an object; None where that depends on the document."""
        child = mapped.children.get(key)
        if child is None:
            is_free = mapped.has_subobjects and not is_reserved(mapped, key)
            return IGNORED if mapped.dynamic == "false" and is_free else None
        if isinstance(child, MappedAlias) or self._additions.is_new(child.name):
            return None
        if isinstance(child, MappedObject):
            return Place(child) if child.is_reached else IGNORED
        if not child.is_read:
            return IGNORED
        is_open = child.field.type == "constant_keyword" and child.field.constant is None
        copies = [self._tree.nodes.get(name) for name in child.copy_to if not self._is_unmappable(name)]
        final = [each for each in copies if each is not None and not self._additions.is_new(each.name)]
        return None if is_open or len(final) < len(copies) else self.leaf(child, final)

    def leaf(self, node: MappedField, copied: Sequence[MappedField]) -> Leaf:
        """What codes the values of a field that is copied to these."""
        copies = tuple(each for to in copied if to.is_in_root and to.is_reached for each in to.fields)
        known = (node.name, *(each.name for each in copies))
        leaf = self._leaves.get(known)
        if leaf is None:
            own = tuple(each for each in node.fields if each.type in READ_TYPES)
            leaf = Leaf(own, tuple(each for each in copies if each.type in READ_TYPES), is_kept=node.is_in_root)
            self._leaves[known] = leaf
        return leaf

    def _is_unmappable(self, name: str) -> bool:
        """Whether no document can map a field that others are copied to."""
        mapped = self._tree.root
        for key in name.split("."):
            child = mapped.children.get(key)
            if child is None:
                return mapped.dynamic == "false" or not mapped.is_reached
            if not isinstance(child, MappedObject):
                return False
            mapped = child
        return True


def is_reserved(mapped: MappedObject, key: str) -> bool:
    """Whether a key is the name of a metadata field."""
    return key in _RESERVED and not mapped.name and key not in mapped.children


def refuse_reserved(mapped: MappedObject, key: str, value: Any) -> None:
    """Refuse values under the name of a metadata field or an alias.

    Raises:
        Malformed: there are some.
        Unsupported: a `_doc_count`, which counts a document several times.
    """
    if isinstance(mapped.children.get(key), MappedAlias) and value != []:
        raise Malformed(mapped.full_name(key), "it is an alias, and documents have no values in those")
    if not is_reserved(mapped, key) or value == []:
        return
    if key != "_doc_count":
        raise Malformed(key, "it is a metadata field, and documents have no values in those")
    if value.__class__ is not int or value < 1:
        raise Malformed(key, f"it is a positive number, not {value!r}")
    if value > 1:
        raise Unsupported(
            "A document with the field `_doc_count` counts more than once, and the embedded store counts it once. "
            "Leave the field out, or use Elasticsearch."
        )
