"""Documents put into both sides: which are refused, what mapping there is then, and what typed values they have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

from fuzz.answers import Difference
from fuzz.drawing import fields_of, leaves
from fuzz.kernel_side import Kernel
from fuzz.node_side import NodeIndex
from fuzz.shrink import smaller_parts
from fuzz.variants import Variant
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["as_json", "compare_loaded", "compare_refusals", "compare_variant"]

_MOST_OF_A_FIELD = 3
_NONE: frozenset[Any] = frozenset()
_LONGEST = 800
_MOST_STEPS = 150


def as_json(value: Any) -> str:
    """Canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def compare_refusals(
    what: str, made: Mapping[str, Any], node: Mapping[str, str], engine: Mapping[str, str]
) -> Iterator[Difference]:
    """A document is refused by both or by neither."""
    for name, source in made.items():
        if (name in node) != (name in engine) or engine.get(name, "").startswith("BROKEN"):
            both = f"node:   {node.get(name, 'taken')}\n  engine: {engine.get(name, 'taken')}"
            yield Difference(f"{what} refused", f"{name} {as_json(source)[:_LONGEST]}\n  {both}")


def compare_loaded(node: NodeIndex, engine: Kernel, documents: Mapping[str, Any]) -> Iterator[Difference]:
    """The mapping is the same, and so are the typed values as such: queries would find few of those that are wrong."""
    ours = set(fields_of(engine.mapping.to_json().get("properties", {})))
    theirs = set(fields_of(node.mappings().get("properties", {})))
    for field in sorted(ours ^ theirs, key=str):
        yield Difference("mapping", f"{field} only in {'the engine' if field in ours else 'the node'}")
    told = sorted((field for field in theirs & ours if field.has_values and not field.is_alias), key=str)
    fields = {field.name: field.type for field in told}
    sources = {field.name: field.source for field in told}
    by_node = node.values(fields)
    for way, by_engine in engine.values(list(fields)).items():
        for name, kind in fields.items():
            sides = (
                (each, by_node.get(each, {}).get(name, _NONE), by_engine[each].get(name, _NONE)) for each in documents
            )
            wrong = ((each, right, mine) for each, right, mine in sides if right != mine)
            for each, right, mine in islice(wrong, _MOST_OF_A_FIELD):
                both = f"node {sorted(right, key=str)}, engine {sorted(mine, key=str)}"
                raw = as_json([value for path, value in leaves(documents[each]) if path == sources[name]])
                yield Difference("values", f"{name} ({kind}), by {way}, of {each}: {both}; raw {raw[:_LONGEST]}")


def compare_variant(client: Elasticsearch, name: str, variant: Variant) -> Iterator[Difference]:
    """One small index with its documents: the first difference, as small as it can be made."""
    found = _difference(client, name, variant)
    left = iter(range(_MOST_STEPS))

    def differs(smaller: Variant) -> bool:
        other = _difference(client, name, smaller) if next(left, None) is not None else None
        return other is not None and found is not None and other.what == found.what

    if found is not None:
        small = _shrunk_variant(variant, differs)
        found = _difference(client, name, small) or found
        made = f"mappings {as_json(small.mappings)}\n  settings {as_json(small.settings)}"
        documents = "".join(f"\n  {each} {as_json(source)[:_LONGEST]}" for each, source in small.documents.items())
        yield Difference(f"variant: {found.what}", f"{found.told}\n  {made}{documents}")


def _difference(client: Elasticsearch, name: str, variant: Variant) -> Difference | None:
    engine, why_not = None, ""
    try:
        engine = Kernel(variant.mappings, variant.settings)
    except Unsupported:
        return None
    except StoreRejected as error:
        why_not = str(error)
    try:
        with NodeIndex(client, name, variant.mappings, variant.settings) as index:
            if engine is None:
                return Difference("mapping refused", f"only by the engine: {why_not}")
            documents = variant.documents
            refused = index.add(documents), engine.add(documents)
            taken = {each: documents[each] for each in engine.documents}
            # What comes after a difference may be caused by it.
            return next(compare_refusals("document", documents, *refused), None) or next(
                compare_loaded(index, engine, taken), None
            )
    except BadRequestError as error:
        return Difference("mapping refused", f"only by the node: {str(error)[:_LONGEST]}") if engine else None


def _shrunk_variant(variant: Variant, differs: Callable[[Variant], bool]) -> Variant:
    """With fewer documents, then with less in them and in the mapping, as long as there is a difference."""
    while smaller := next(filter(differs, _smaller_variants(variant)), None):
        variant = smaller
    return variant


def _smaller_variants(variant: Variant) -> Iterator[Variant]:
    for size in (len(variant.documents) // 2, 4, 2, 1):
        for start in range(0, len(variant.documents), size or 1):
            kept = [*variant.documents.items()]
            del kept[start : start + size]
            if 0 < len(kept) < len(variant.documents):
                yield replace(variant, documents=dict(kept))
    yield from (replace(variant, mappings=each) for each in smaller_parts(variant.mappings))
    yield from (replace(variant, settings=each) for each in smaller_parts(variant.settings))
    yield from (replace(variant, documents=each) for each in smaller_parts(variant.documents))
