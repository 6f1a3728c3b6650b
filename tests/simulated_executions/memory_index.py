"""One index in memory, as Elasticsearch keeps it: what is written is read at once, and found after a refresh."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lolbin_rules.dsl.field import Typed
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.store.embedded.asked import Asked
from lolbin_rules.store.embedded.catalog import Index, setting
from lolbin_rules.store.embedded.growth import TIMESTAMP, UNITS, shard_of
from lolbin_rules.store.embedded.rows import Window
from lolbin_rules.store.embedded.views import known

__all__ = ["Kept", "MemoryIndex"]

_ALIKE: dict[str, IndexMapping] = {}
"""Mappings that no document can add to are understood once for all stores of the process."""


class Kept(NamedTuple):
    """One document.

    Attributes:
        place: among all documents of the store, in the order in which they were created; breaks ties.
        id: its id.
        seq_no: grows with every write to its shard.
        source: the document. Nobody changes it.
        times: the earliest and the latest of its times, in epoch milliseconds; None where it has none.
    """

    place: int
    id: str
    seq_no: int
    source: Mapping[str, Any]
    times: tuple[int, int] | None

    def is_within(self, window: Window | None) -> bool:
        """Whether it may have a time in the window."""
        return window is None or (
            self.times is not None and self.times[0] <= window.high and self.times[1] >= window.low
        )


PRIMARY_TERM: Final = 1


@dataclass(slots=True)
class MemoryIndex:
    """An index.

    Attributes:
        name: its name.
        body: the part of a template that it was made after.
        number: tells it from all others of its store.
        kept: what was written, by id.
        found: what searches find, by id: the state of `kept` at the last refresh.
    """

    name: str
    body: Mapping[str, Any]
    number: int
    kept: dict[str, Kept] = field(default_factory=dict)
    found: dict[str, Kept] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: uuid.uuid4().hex)
    next_seq_nos: list[int] = field(default_factory=list)
    _mapping: IndexMapping = field(init=False)
    _indexer: Indexer = field(init=False)
    _seen: tuple[int, Index] | None = None
    _reader: Reader | None = None
    _typed: dict[frozenset[str], dict[str, tuple[int, Typed]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mapping = _mapping(self.body)
        self._indexer = Indexer(self._mapping)
        shards = setting(self.body.get("settings", {}), "number_of_shards")
        self.next_seq_nos = [0] * (1 if shards is None else int(shards))

    def check(self, source: Mapping[str, Any]) -> None:
        """Map what is new in a document.

        Raises:
            Malformed, StoreRejected: Elasticsearch would refuse it.
        """
        self._indexer.check(source)

    def keep(self, place: int, name: str, source: Mapping[str, Any]) -> None:
        """Write a document that was checked."""
        shard = shard_of(name, len(self.next_seq_nos))
        self.kept[name] = Kept(place, name, self.next_seq_nos[shard], source, self._times(source))
        self.next_seq_nos[shard] += 1

    def refresh(self) -> None:
        """Let searches find what was written."""
        if self.found != self.kept:
            self.found = dict(self.kept)

    def typed(self, kept: Kept, asked: Asked) -> Typed:
        """The fields of a document that are asked for, with what the store itself knows of it; read once."""
        read = self._typed.setdefault(asked.fields, {})
        found = read.get(kept.id)
        if found is None or found[0] != kept.seq_no:
            found = read[kept.id] = (kept.seq_no, asked.reader.read(kept.source) | known(self.seen, kept[:3]))
        return found[1]

    def _times(self, source: Mapping[str, Any]) -> tuple[int, int] | None:
        field = self._mapping.field(TIMESTAMP)
        if field is None or field.name != TIMESTAMP or field.type not in UNITS:
            return None
        if self._reader is None:
            self._reader = Reader(self._mapping, [TIMESTAMP])
        values = [int(value) // UNITS[field.type] for value in self._reader.read(source).get(TIMESTAMP, ())]
        return (min(values), max(values)) if values else None

    @property
    def seen(self) -> Index:
        """As queries see it: with the mapping of this moment, which nobody adds to."""
        if self._seen is None or self._seen[0] != self._mapping.version:
            settings = self.body.get("settings", {})
            is_grown = self._mapping.version and _mapping(self.body) is not self._mapping
            mapping = IndexMapping(self._mapping.to_json(), settings) if is_grown else self._mapping
            aliases = tuple(self.body.get("aliases", {}))
            index = Index(self.number, self.name, self.uuid, mapping, len(self.next_seq_nos), aliases, False, 0, 0)
            self._seen = (self._mapping.version, index)
        return self._seen[1]


def _mapping(body: Mapping[str, Any]) -> IndexMapping:
    mappings, settings = body.get("mappings", {}), body.get("settings", {})
    text = json.dumps([mappings, settings], default=dict)
    is_fixed = str(mappings.get("dynamic")).lower() == "false" and text.count('"dynamic"') == 1
    if not is_fixed or "constant_keyword" in text:
        return IndexMapping(mappings, settings)
    if text not in _ALIKE:
        _ALIKE[text] = IndexMapping(mappings, settings)
    return _ALIKE[text]
