"""What indices there are, as of one point in time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.store.embedded.names import is_match, split
from lolbin_rules.store.port import FieldTypes

__all__ = ["ROW_BITS", "Catalog", "Catalogs", "Index", "setting"]

ROW_BITS = 40
"""A document's `seq` is its index's id and, in so many lower bits, its row: its place among all that were created."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index.

    Attributes:
        id: its number in the database.
        name: its name.
        uuid: never given twice.
        mapping: what it maps, at that point in time; nobody adds to it.
        shards: how many it has.
        aliases: its other names.
        is_hidden: patterns pass it over.
        rows: how many documents were ever created in it.
        stamp: another number after every write to it.
    """

    id: int
    name: str
    uuid: str
    mapping: IndexMapping
    shards: int
    aliases: tuple[str, ...]
    is_hidden: bool
    rows: int
    stamp: int

    @property
    def first_seq(self) -> int:
        """The `seq` of its first document."""
        return self.id << ROW_BITS

    @property
    def end_seq(self) -> int:
        """The `seq` that follows that of its last document."""
        return self.first_seq + self.rows


class Catalog:
    """The indices by name."""

    def __init__(self, indices: Iterable[Index]) -> None:
        self.indices = {index.name: index for index in sorted(indices, key=lambda index: index.name)}
        self._aliases: dict[str, list[Index]] = {}
        for index in self.indices.values():
            for alias in index.aliases:
                self._aliases.setdefault(alias, []).append(index)

    def resolve(self, expressions: Iterable[str]) -> list[Index]:
        """The indices that the expressions stand for, each once, by name; `-name` takes away what came before it."""
        found: dict[str, Index] = {}
        for part in split(expressions):
            if part.startswith("-") and found:
                found = {name: index for name, index in found.items() if not self._is_meant(index, part[1:])}
            elif "*" in part or part == "_all":
                pattern = "*" if part == "_all" else part
                found |= {index.name: index for index in self.indices.values() if self._is_meant(index, pattern)}
            else:
                found |= {index.name: index for index in self.behind(part)}
        return [found[name] for name in sorted(found)]

    def behind(self, name: str) -> Sequence[Index]:
        """The index of this name, or those under this alias."""
        return [self.indices[name]] if name in self.indices else self._aliases.get(name, [])

    def _is_meant(self, index: Index, pattern: str) -> bool:
        if "*" in pattern and index.is_hidden and not (pattern.startswith(".") and index.name.startswith(".")):
            return False
        return any(is_match(name, pattern) for name in (index.name, *index.aliases))

    def field_types(self, expressions: Sequence[str], fields: Sequence[str]) -> FieldTypes:
        """See `Store.field_types`."""
        behind = {expression: self.resolve([expression]) for expression in dict.fromkeys(expressions)}
        indices = {index.name: index for found in behind.values() for index in found}.values()
        patterns = [name for name in fields if "*" in name]
        meant = [name for each in patterns for index in indices for name in index.mapping.names_matching(each)]
        types: dict[str, dict[str, set[str]]] = {name: {} for name in (*fields, *meant)}
        for name, found in types.items():
            for index in indices:
                found.setdefault(index.mapping.types(name), set()).add(index.name)
            if not indices:
                found.clear()
        lowercase = {name for name in types if indices and all(index.mapping.is_lowercase(name) for index in indices)}
        return FieldTypes(
            {expression: frozenset(index.name for index in found) for expression, found in behind.items()},
            {name: {kind: frozenset(names) for kind, names in found.items()} for name, found in types.items()},
            frozenset(lowercase),
            {index.name: index.uuid for index in indices},
        )


class Catalogs:
    """Reads catalogs, and keeps of them what is worth keeping: mappings that were understood once."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._mappings: dict[tuple[str, str], IndexMapping] = {}
        self._of_index: dict[tuple[int, int], tuple[str, str]] = {}

    def read(self, connection: sqlite3.Connection) -> Catalog:
        """The catalog as the connection's transaction sees it."""
        with self._reading:
            rows = connection.execute(
                "SELECT id, version, name, uuid, aliases, next_row, stamp,"
                " (SELECT count(*) FROM shards WHERE index_id = id) FROM indices WHERE name IS NOT NULL"
            ).fetchall()
            known, self._of_index, mappings, self._mappings = self._of_index, {}, self._mappings, {}
            return Catalog([self._index(connection, row, known, mappings) for row in rows])

    def _index(
        self,
        connection: sqlite3.Connection,
        row: tuple[int, int, str, str, str, int, int, int],
        known: Mapping[tuple[int, int], tuple[str, str]],
        mappings: Mapping[tuple[str, str], IndexMapping],
    ) -> Index:
        number, version, name, uuid, aliases, next_row, stamp, shards = row
        texts = known.get((number, version))
        if texts is None:
            texts = connection.execute("SELECT mappings, settings FROM indices WHERE id = ?", (number,)).fetchone()
        settings = orjson.loads(texts[1])
        mapping = self._mappings.get(texts) or mappings.get(texts)
        if mapping is None:
            mapping = IndexMapping(orjson.loads(texts[0]), settings)
        self._of_index[number, version] = texts
        self._mappings[texts] = mapping  # indices that are mapped alike share it, and what was parsed with it
        is_hidden = str(setting(settings, "hidden")).lower() == "true"
        names = tuple(orjson.loads(aliases))
        return Index(number, name, uuid, mapping, shards, names, is_hidden, next_row, stamp)


def setting(settings: Mapping[str, Any], name: str) -> Any:
    """The value of `index.<name>` in settings that are nested, dotted or flat; None if it is not there."""
    for key, value in settings.items():
        plain = key.removeprefix("index.")
        if plain == name:
            return value
        for prefix in ("index", plain):
            if isinstance(value, Mapping) and (key == "index" or name.startswith(f"{prefix}.")):
                found = setting(value, name if key == "index" else name.removeprefix(f"{prefix}."))
                if found is not None:
                    return found
    return None
