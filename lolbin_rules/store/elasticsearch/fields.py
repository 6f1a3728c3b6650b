"""Which indices there are, and how they map fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from elastic_transport import ApiError

from lolbin_rules.store.elasticsearch import errors
from lolbin_rules.store.elasticsearch.request import Ask, Requests, empty_if_missing, path_of
from lolbin_rules.store.port import UNMAPPED, FieldTypes

__all__ = ["find_field_types"]

_NEEDS = "the index privileges `view_index_metadata` and `read`"
_OPEN = {"ignore_unavailable": "true", "allow_no_indices": "true", "expand_wildcards": "open"}
_LONGEST_NAMES = 2000
"""Characters of field names in one URL; a server takes 4,096 for the whole first line of a request."""
_LEAST_LENGTH = 256
_UUID = "index.uuid"
_HISTORY = "index.history.uuid"
"""Set where an index was restored, over a closed one too, which keeps its uuid."""
_NORMALIZER = "index.analysis.normalizer.lowercase"
_IGNORE_ABOVE = "index.mapping.ignore_above"


def find_field_types(requests: Requests, index: Sequence[str], fields: Sequence[str]) -> FieldTypes:
    """See `Store.field_types`.

    Types are families, as Elasticsearch tells them: `constant_keyword` and `wildcard` are keyword, `match_only_text`
    is text; an alias has the type of its target, a metadata field such as `_index` its own name. Of an index without
    a shard that answers, the type is the one in its mapping.
    """
    listed = {expression: _listed(requests, expression) for expression in dict.fromkeys(index)}
    if not any(listed.values()):
        return FieldTypes(listed, {name: {} for name in fields})
    where = ",".join(listed)
    told = _told(requests, where, fields or ["_id"])
    answering = frozenset(told["indices"])
    silent = frozenset(name for failure in told.get("failures", ()) for name in failure["indices"])
    if answering or silent:
        # Under an alias, `_resolve` lists closed indices as well; they are in neither set.
        listed = {expression: found & (answering | silent) for expression, found in listed.items()}
    indices = frozenset[str]().union(*listed.values())
    names = list(dict.fromkeys([*fields, *(each for name in fields for each in _meant(name, told["fields"]))]))
    types = {name: _types(told["fields"].get(name, {}), indices & answering) for name in names}
    doubtful = [name for name, found in types.items() if UNMAPPED in found and "*" not in name]
    if doubtful:
        # Objects are told of only as parents of fields that are asked for.
        parents = _told(requests, where, [f"{name}.*" for name in doubtful])["fields"]
        for name in doubtful:
            types[name] = _types(_merged(told["fields"].get(name, {}), parents.get(name, {})), indices & answering)
    mappings = _Mappings(requests, where, indices - answering)
    types = {name: _with_others(found, mappings.types_without_shards(name)) for name, found in types.items()}
    keywords = [name for name, found in types.items() if set(found) == {"keyword"}]
    settings = _settings(requests, [expression for expression in listed if ":" not in expression])
    known = {name: found for name, found in settings.items() if name in indices}
    identities = {name: f"{found[_UUID]}/{found.get(_HISTORY, '')}" for name, found in known.items()}
    return FieldTypes(listed, types, mappings.lowercase(keywords, indices, known), identities)


def _settings(requests: Requests, expressions: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """What tells an index from all others, and what decides about its keywords, by index; of this cluster only."""
    if not expressions:
        return {}
    wanted = f"{_UUID},{_HISTORY},{_NORMALIZER}*,{_IGNORE_ABOVE}"
    path = path_of(",".join(expressions), "_settings", wanted)
    answer = requests.send(Ask("GET", path, _NEEDS, _OPEN | {"flat_settings": "true"}, accept=empty_if_missing))
    return {index: found["settings"] for index, found in answer.items()}


class _Mappings:
    """Parts of the mappings of some indices, read as they are needed.

    Attributes:
        silent: indices without a shard that answers; their mappings are known to the cluster all the same.
    """

    def __init__(self, requests: Requests, where: str, silent: frozenset[str]) -> None:
        self._requests = requests
        self._where = where
        self.silent = silent
        self._whole: dict[str, Mapping[str, Any]] = {}
        self._fields: dict[tuple[str, str], Mapping[str, Any]] = {}
        for some in _in_urls(silent):
            answer = requests.send(Ask("GET", path_of(",".join(some), "_mapping"), _NEEDS, _OPEN))
            self._whole |= {index: found["mappings"] for index, found in answer.items()}

    def types_without_shards(self, name: str) -> dict[str, set[str]]:
        """Type -> those of the silent indices that map the field so."""
        types: dict[str, set[str]] = {}
        for index in self.silent:
            types.setdefault(_type(self._mapping(index, name)), set()).add(index)
        return types

    def lowercase(
        self, names: Sequence[str], indices: frozenset[str], settings: Mapping[str, Mapping[str, str]]
    ) -> frozenset[str]:
        """Those of the names that are lowercase and long enough in all the indices."""
        for some in _in_urls(names):
            self._read(some)
        names = [name for name in names if all(_is_lowercase(self._mapping(each, name)) for each in indices)]
        if not names:
            return frozenset()
        for index, flat in settings.items():
            length = int(flat.get(_IGNORE_ABOVE, _LEAST_LENGTH))
            # A normalizer of the index's own hides the built-in one of that name.
            if any(name.startswith(_NORMALIZER) for name in flat):
                return frozenset()
            if length < _LEAST_LENGTH:
                names = [name for name in names if "ignore_above" in self._mapping(index, name)]
        return frozenset(names)

    def _read(self, names: Sequence[str]) -> None:
        path = path_of(self._where, "_mapping", "field", ",".join(names))
        answer = self._requests.send(Ask("GET", path, _NEEDS, _OPEN, accept=empty_if_missing))
        for index, found in answer.items():
            for name, mapped in found["mappings"].items():
                # The mapping stands under the last part of the name, which may have dots in it.
                self._fields[index, name] = next(iter(mapped["mapping"].values()), {})

    def _mapping(self, index: str, name: str) -> Mapping[str, Any]:
        if index in self._whole:
            return _part(self._whole[index], name) or {}
        return self._fields.get((index, name), {})


def _told(requests: Requests, where: str, fields: Sequence[str]) -> dict[str, Any]:
    parameters = _OPEN | {"include_unmapped": "true"}
    ask = Ask("POST", path_of(where, "_field_caps"), _NEEDS, parameters, {"fields": list(fields)}, _no_shards)
    told: dict[str, Any] = requests.send(ask)
    return told


def _meant(name: str, told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The fields that a pattern with `*` stands for, objects and metadata fields not among them."""
    if "*" not in name:
        return []
    pattern = re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)
    return [
        each
        for each, found in told.items()
        if pattern.fullmatch(each) and not found.keys() & {"object", "nested"} and not _is_metadata(found)
    ]


def _is_metadata(told: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(capability.get("metadata_field") for capability in told.values())


def _merged(*told: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: capability for each in told for kind, capability in each.items() if kind != UNMAPPED}


def _part(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """What a mapping says of the field, whose name may be one key or several in each other."""
    for parts in ("properties", "fields"):
        for key, part in mapping.get(parts, {}).items():
            if key == name:
                found: Mapping[str, Any] = part
                return found
            inner = _part(part, name.removeprefix(f"{key}.")) if name.startswith(f"{key}.") else None
            if inner is not None:
                return inner
    return None


def _type(mapping: Mapping[str, Any]) -> str:
    return str(mapping.get("type", "object" if "properties" in mapping else UNMAPPED))


def _is_lowercase(mapping: Mapping[str, Any]) -> bool:
    is_long_enough = int(mapping.get("ignore_above", _LEAST_LENGTH)) >= _LEAST_LENGTH
    return mapping.get("type") == "keyword" and mapping.get("normalizer") == "lowercase" and is_long_enough


def _listed(requests: Requests, expression: str) -> frozenset[str]:
    """The concrete indices behind an expression, closed ones under an alias included."""
    path = path_of("_resolve", "index", expression)
    found = requests.send(Ask("GET", path, _NEEDS, {"expand_wildcards": "open"}, accept=empty_if_missing))
    own = [each["name"] for each in found.get("indices", ()) if "closed" not in each.get("attributes", ())]
    under_aliases = [name for each in found.get("aliases", ()) for name in each["indices"]]
    behind_streams = [name for each in found.get("data_streams", ()) for name in each["backing_indices"]]
    return frozenset([*own, *under_aliases, *behind_streams])


def _types(told: Mapping[str, Any], answering: frozenset[str]) -> dict[str, frozenset[str]]:
    """Type -> indices; `told` leaves out the indices where all that answered have one type."""
    types = {
        kind: answering.intersection(capability.get("indices") or answering)
        for kind, capability in told.items()
        if kind != UNMAPPED
    }
    return _with_others(types, {UNMAPPED: answering.difference(*types.values())})


def _with_others(types: Mapping[str, frozenset[str]], others: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    merged = {kind: types.get(kind, frozenset()).union(others.get(kind, ())) for kind in [*types, *others]}
    return {kind: indices for kind, indices in merged.items() if indices}


def _in_urls(names: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    length = 0
    for name in names:
        if some and length + len(name) > _LONGEST_NAMES:
            yield some
            some, length = [], 0
        some.append(name)
        length += len(name) + 1
    if some:
        yield some


def _no_shards(error: ApiError) -> dict[str, Any] | None:
    if "no_shard_available_action_exception" in errors.kinds(error.body):
        return {"indices": [], "fields": {}}
    return None
