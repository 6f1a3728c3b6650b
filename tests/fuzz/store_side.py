"""The engine behind the store port: the same documents in SQLite and in sealed segments, found by scanning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fuzz.answers import Answer
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, IndexTemplate, Key, Scan, Verdict

__all__ = ["StoreSide"]

_INDEX = "fuzz"
_ROWS_OF_A_SEGMENT = 256
"""So few that there are several segments and some documents behind the last, and enough to be read as columns."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StoreSide:
    """An embedded store with one index, gone when it is closed."""

    def __init__(self, mappings: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self._now_ms = 0
        self._store = EmbeddedStore(None, clock=self._clock, segment_rows=_ROWS_OF_A_SEGMENT)
        body = {"mappings": mappings, "settings": {"index": settings}}
        self._store.prepare([IndexTemplate("fuzz", (_INDEX,), 1, body)])

    def _clock(self) -> datetime:
        return _EPOCH + timedelta(milliseconds=self._now_ms)

    def add(self, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Add the documents; id -> why it was refused, of those that were."""
        outcomes = self._store.create([Document(Key(_INDEX, each), source) for each, source in documents.items()])
        return {
            each: f"{outcome.verdict.value}: {outcome.reason}"
            for each, outcome in zip(documents, outcomes, strict=True)
            if outcome.verdict is not Verdict.CREATED
        }

    def ask(self, queries: Mapping[str, Mapping[str, Any]], now_ms: int) -> dict[str, Answer]:
        """The answer to each of the queries, all asked in one scan."""
        self._now_ms = now_ms
        hits: dict[str, set[str]] = {name: set() for name in queries}
        request = Scan((_INDEX,), dict(queries), {"match_all": {}}, order_by="_seq_no", page_size=100)
        for page in self._store.scan(request):
            if not page.is_whole:
                return dict.fromkeys(queries, Answer(broken=f"{page.failures} timed out: {page.timed_out}"))
            for hit in page.hits:
                for name in hit.names:
                    hits[name].add(hit.key.id)
        return {name: Answer(hits=frozenset(found)) for name, found in hits.items()}

    def close(self) -> None:
        """Remove it."""
        self._store.close()
