"""What the tests of a store work with: a store, and indices of their own on it. Everything goes through the port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lolbin_rules.store.port import Document, Hit, IndexTemplate, Key, Page, Scan, Store, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ALL: dict[str, Any] = {"match_all": {}}

PROPERTIES: dict[str, Any] = {
    "@timestamp": {"type": "date"},
    "name": {"type": "keyword"},
    "size": {"type": "long"},
    "ip": {"type": "ip"},
}


@dataclass(frozen=True)
class Bench:
    """A store, and the prefix that the names of all indices and templates begin with."""

    store: Store
    prefix: str

    def index(self, name: str, properties: Mapping[str, Any] = PROPERTIES, shards: int = 1) -> str:
        """The name of an index that will be mapped so once something is written to it."""
        full = self.prefix + name
        settings = {"index": {"number_of_shards": shards, "number_of_replicas": 0}}
        body = {"settings": settings, "mappings": {"dynamic": False, "properties": dict(properties)}}
        self.store.prepare([IndexTemplate(full, (full,), 1, body)])
        return full

    def fill(self, index: str, *sources: Mapping[str, Any], first: int = 0) -> list[Key]:
        """Write the sources under the ids "0", "1" and so on, and make them searchable."""
        documents = [Document(Key(index, str(number)), source) for number, source in enumerate(sources, first)]
        outcomes = self.store.create(documents)
        assert {outcome.verdict for outcome in outcomes} <= {Verdict.CREATED}, outcomes
        self.store.refresh([index])
        return [document.key for document in documents]

    def pages(self, *index: str, queries: Mapping[str, Any] | None = None, **more: Any) -> list[Page]:
        """All pages of a scan; of everything, unless queries are given."""
        queries = dict(queries or {"all": ALL})
        return list(self.store.scan(Scan(index=index, queries=queries, **({"filter": ALL} | more))))

    def hits(self, *index: str, queries: Mapping[str, Any] | None = None, **more: Any) -> list[Hit]:
        """All hits of a scan whose every page must be whole."""
        pages = self.pages(*index, queries=queries, **more)
        assert all(page.is_whole for page in pages), pages
        return hits_of(pages)

    def ids(self, *index: str, queries: Mapping[str, Any] | None = None, **more: Any) -> list[str]:
        """The ids of `hits`."""
        return [hit.key.id for hit in self.hits(*index, queries=queries, **more)]


def hits_of(pages: Iterable[Page]) -> list[Hit]:
    """The hits of some pages, in order."""
    return [hit for page in pages for hit in page.hits]


def verdicts(outcomes: Sequence[Any]) -> list[str]:
    """The verdicts of some outcomes, in order."""
    return [outcome.verdict.value for outcome in outcomes]
