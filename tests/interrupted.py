"""A store in which something happens at one of its verbs, around any other store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lolbin_rules.errors import StoreForbidden
from lolbin_rules.store.port import Document, Outcome, Page, Put, Scan, ShardFailure, ShardProgress, Store, Verdict

__all__ = ["Interrupted"]

FAILED = Outcome(Verdict.UNAVAILABLE, "made to fail")


@dataclass
class Interrupted:
    """The store behind it, but for what is set.

    Attributes:
        behind: that store.
        before_put: called once, before something is put there.
        is_forbidden: it does not tell how far shards are.
        broken: the verb, `scan`, `create` or `put`, that fails.
        refused: the id of an event whose alert is refused in whatever form.
        scans: how many there were of single shards.
    """

    behind: Store
    before_put: Callable[[], None] | None = None
    is_forbidden: bool = False
    broken: str = ""
    refused: str = ""
    scans: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)

    def shard_progress(self, index: Sequence[str]) -> list[ShardProgress]:
        """See `Store.shard_progress`."""
        if self.is_forbidden:
            raise StoreForbidden("It was made to be forbidden.")
        return self.behind.shard_progress(index)

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`; broken, the half of each page is missing."""
        self.scans += request.shard is not None
        for page in self.behind.scan(request):
            if self.broken == "scan":
                failure = ShardFailure("", -1, "made to fail", is_query_at_fault=False)
                yield replace(page, hits=page.hits[::2], failures=(failure,))
            else:
                yield page

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`; broken, every second alert is not written."""
        if self.refused:
            return [
                Outcome(Verdict.REJECTED, "made to be refused")
                if _is_about(document, self.refused)
                else self.behind.create([document])[0]
                for document in documents
            ]
        if self.broken != "create" or not any("-alerts-" in document.key.index for document in documents):
            return self.behind.create(documents)
        taken = self.behind.create(documents[::2])
        return [taken[place // 2] if place % 2 == 0 else FAILED for place in range(len(documents))]

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`."""
        if self.broken == "put":
            return [FAILED for _ in puts]
        if self.before_put is not None:
            happen, self.before_put = self.before_put, None
            happen()
        return self.behind.put(puts)


def _is_about(document: Document, event: str) -> bool:
    ancestors = document.source.get("kibana.alert.ancestors", [{}])
    return "-alerts-" in document.key.index and ancestors[-1].get("id") == event
