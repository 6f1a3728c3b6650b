"""Recorded documents that are searched by each executor in turn: by the matcher and by columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.field import Typed
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.errors import StoreRejected, Unsupported

INDEX = "queried"
REFUSED = "refused"
UNSUPPORTED = "unsupported"

Found = dict[str, str]
"""Query -> the ids of its hits, joined by blanks; or that it is refused or unsupported."""


class Queried:
    """An index of recorded documents."""

    def __init__(self, mapping: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]], now_ms: int) -> None:
        self._documents = documents
        self._now_ms = now_ms
        self._indexer = Indexer(IndexMapping(mapping))
        self.mapping = IndexMapping(mapping)

    def by_matcher(self, queries: Mapping[str, Mapping[str, Any]]) -> Found:
        """Every query on one document after the other."""
        clauses, found = self._parsed(queries)
        matcher = Matcher(clauses)
        reader = Reader(self.mapping, matcher.fields)
        hits: dict[str, list[str]] = {name: [] for name in clauses}
        for number, (document, source) in enumerate(self._documents.items()):
            typed: Typed = {**reader.read(source), **_metadata(number, document)}
            for name in matcher.match(typed):
                hits[name].append(document)
        return found | {name: " ".join(sorted(ids)) for name, ids in hits.items()}

    def by_columns(self, queries: Mapping[str, Mapping[str, Any]]) -> Found:
        """Every query on all documents at once."""
        clauses, found = self._parsed(queries)
        for source in self._documents.values():
            self._indexer.add(source)
        names = list(self._documents)
        metadata = [_metadata(number, name) for number, name in enumerate(names)]
        columns = dict(self._indexer.columns())
        columns |= {key: Column.of([typed[key] for typed in metadata]) for key in ("_id", "_index", "_seq_no")}
        rows = evaluate(clauses, MemorySegment(columns, self._indexer.size))
        return found | {name: " ".join(sorted(names[row] for row in each)) for name, each in rows.items()}

    def _parsed(self, queries: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Clause], Found]:
        clauses: dict[str, Clause] = {}
        found: Found = {}
        for name, query in queries.items():
            try:
                clauses[name] = parse(query, self.mapping, self._now_ms)
            except Unsupported:
                found[name] = UNSUPPORTED
            except StoreRejected:
                found[name] = REFUSED
        return clauses, found


def _metadata(number: int, name: str) -> dict[str, Any]:
    return {"_id": (name,), "_index": (INDEX,), "_seq_no": (number,)}
