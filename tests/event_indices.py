"""Events in indices of a real node, mapped as Winlogbeat and Elastic Defend map the fields that rules ask for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import Elasticsearch

from lolbin_rules.rule.model import Rule

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


def create_index(client: Elasticsearch, index: str, mapping: Mapping[str, Any] = MAPPING, **settings: Any) -> None:
    """An index for events, searchable at once after `refresh`."""
    client.indices.create(index=index, mappings=dict(mapping), settings={**SETTINGS, **settings})


def index_events(client: Elasticsearch, events: Iterable[tuple[str, str, Any]]) -> int:
    """Write (index, id, source) and make them searchable; every one must be taken. How many."""
    written, indices = 0, set[str]()
    for chunk in _chunks(events, 2000):
        lines: list[Any] = []
        for index, name, source in chunk:
            indices.add(index)
            body = source if isinstance(source, bytes) else orjson.dumps(source)
            lines += [orjson.dumps({"create": {"_index": index, "_id": name}}), body]
        answer = client.bulk(operations=lines)
        refused = [item for item in answer["items"] if item["create"]["status"] != 201]
        assert not refused, json.dumps(refused[0])
        written += len(chunk)
    client.indices.refresh(index=sorted(indices))
    return written


def recorded_events(folder: Path, prefix: str) -> Iterator[tuple[str, str, bytes]]:
    """Every recorded event, for an index named after its file."""
    for file in sorted(folder.glob("*.ndjson.gz")):
        index = prefix + file.name.removesuffix(".ndjson.gz").lower()
        with gzip.open(file) as lines:
            for line in lines:
                yield index, orjson.loads(line)["event"]["id"], line.rstrip(b"\n")


def under(prefix: str, rule: Rule, **changes: Any) -> Rule:
    """The rule, reading only indices of this test."""
    return rule.model_copy(update={"index": tuple(prefix + pattern for pattern in rule.index), **changes})


def stored(client: Elasticsearch, index: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Every document of an index (at most 10,000), refreshed; its id under `_id`."""
    if not client.indices.exists(index=index):
        return []
    client.indices.refresh(index=index)
    answer = client.search(index=index, query=query or {"match_all": {}}, size=10_000, track_total_hits=True)
    assert answer["hits"]["total"]["value"] <= 10_000
    return [{**hit["_source"], "_id": hit["_id"], "_index": hit["_index"]} for hit in answer["hits"]["hits"]]


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
