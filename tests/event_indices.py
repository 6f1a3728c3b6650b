"""Events in indices of a store, mapped as Winlogbeat and Elastic Defend map the fields that rules ask for."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import Elasticsearch

from lolbin_rules.rule.model import Rule
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, IndexTemplate, Key, Scan, Store, Verdict

MAPPING: dict[str, Any] = {
    "date_detection": False,
    "dynamic_templates": [
        {
            "addresses": {
                "path_match": ["*.ip", "related.ip"],
                "match_mapping_type": "string",
                "mapping": {"type": "ip"},
            }
        },
        {"text": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}},
    ],
    "properties": {
        "@timestamp": {"type": "date"},
        "event": {
            "properties": {
                "code": {"type": "keyword"},
                "created": {"type": "date"},
                "ingested": {"type": "date"},
                "category": {"type": "keyword"},
                "type": {"type": "keyword"},
            }
        },
        "message": {"type": "text"},
        "process": {"properties": {"pid": {"type": "long"}, "name": {"type": "keyword"}}},
        "destination": {"properties": {"ip": {"type": "ip"}, "port": {"type": "long"}}},
        "source": {"properties": {"ip": {"type": "ip"}, "port": {"type": "long"}}},
        "winlog": {
            "properties": {
                "event_id": {"type": "keyword"},
                "record_id": {"type": "keyword"},
                "event_data": {"type": "object", "enabled": False},
                "user_data": {"type": "object", "enabled": False},
            }
        },
    },
}
SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0, "index.mapping.total_fields.limit": 3000}
MOST_STORED = 10_000


def map_indices(store: Store, *patterns: str, mapping: Mapping[str, Any] = MAPPING) -> None:
    """Indices with these names, or patterns of names, will be mapped so once something is written to them."""
    body = {"settings": SETTINGS, "mappings": dict(mapping)}
    name = patterns[0].rstrip("*")
    assert store.prepare([IndexTemplate(name, patterns, 1, body)]) == [name], "another template has that name"


def index_events(store: Store, events: Iterable[tuple[str, str, Any]]) -> int:
    """Write (index, id, source) and make them searchable; every one must be taken. How many."""
    written, indices = 0, set[str]()
    for chunk in _chunks(events, 2000):
        documents = [Document(Key(index, name), source) for index, name, source in chunk]
        outcomes = store.create(documents)
        refused = [outcome for outcome in outcomes if outcome.verdict is not Verdict.CREATED]
        assert not refused, refused[0]
        indices.update(document.key.index for document in documents)
        written += len(documents)
    store.refresh(sorted(indices))
    return written


def index_of(file: Path, prefix: str) -> str:
    """The index for the recorded events of this file."""
    return prefix + file.name.removesuffix(".ndjson.gz").lower()


def recorded_lines(folder: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Every recorded event as it is written, with its index."""
    for file in sorted(folder.glob("*.ndjson.gz")):
        with gzip.open(file) as lines:
            for line in lines:
                yield index_of(file, prefix), line.rstrip(b"\n")


def load_onto_node(client: Elasticsearch, lines: Iterable[tuple[str, bytes]]) -> int:
    """Write recorded events to a node under their `event.id`; every one must be taken. How many."""
    written, indices = 0, set[str]()
    for chunk in _chunks(lines, 2000):
        operations: list[Any] = []
        for index, line in chunk:
            operations += [{"create": {"_index": index, "_id": orjson.loads(line)["event"]["id"]}}, line]
        answer = client.bulk(operations=operations)
        refused = [item for item in answer["items"] if item["create"]["status"] != 201]
        assert not refused, refused[0]
        indices.update(index for index, _ in chunk)
        written += len(chunk)
    client.indices.refresh(index=sorted(indices))
    return written


def load_into_folder(store: EmbeddedStore, lines: Iterable[tuple[str, bytes]]) -> int:
    """Write recorded events to an embedded store under their `event.id`; every one must be taken. How many."""
    sources = ((index, line, orjson.loads(line)) for index, line in lines)
    outcomes = store.ingest((index, source["event"]["id"], line, source) for index, line, source in sources)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.CREATED}
    return len(outcomes)


def under(prefix: str, rule: Rule, **changes: Any) -> Rule:
    """The rule, reading only indices of this test."""
    return rule.model_copy(update={"index": tuple(prefix + pattern for pattern in rule.index), **changes})


def stored(store: Store, index: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Every document of an index (at most 10,000), refreshed, in order of index and id; its id under `_id`.

    An index that a runner is just making has shards that cannot be searched yet: they are waited for.
    """
    everything: dict[str, Any] = {"match_all": {}}
    deadline = time.monotonic() + 10
    while True:
        store.refresh([index])
        pages = list(store.scan(Scan((index,), {"all": query or everything}, everything, page_size=MOST_STORED)))
        if all(page.is_whole for page in pages):
            break
        assert time.monotonic() < deadline, pages
        time.sleep(0.1)
    hits = {hit.key: hit.source for page in pages for hit in page.hits}
    assert len(hits) <= MOST_STORED
    return [{**hits[key], "_id": key.id, "_index": key.index} for key in sorted(hits)]


def iso(moment: datetime) -> str:
    """As documents write times."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chunks(events: Iterable[Any], size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
