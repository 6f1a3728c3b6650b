"""Asks a node for the answers of `dsl/conformance/searches-<version>.json` and writes them into the file.

Requests are kept as they are; add one by hand: `aggs` or `sort`, and `query`, `search_after`, `indices` where they
matter. Then run `python tests/record_searches.py http://127.0.0.1:9200`. What the node refuses gets `"refused": true`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

FILE = Path(__file__).parent / "dsl" / "conformance" / "searches-8.19.9.json"
PREFIX = "recorded-"


def main(url: str) -> None:
    """Record the answers of the node at `url`."""
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    with Elasticsearch(url) as client:
        quiet = client.options(ignore_status=[400, 404, 500, 503])
        for name, index in recorded["indices"].items():
            quiet.indices.delete(index=PREFIX + name)
            settings = {"number_of_shards": 1, "number_of_replicas": 0}
            client.indices.create(index=PREFIX + name, mappings=index["mapping"], settings=settings)
            for number, source in enumerate(index["documents"]):
                client.index(index=PREFIX + name, id=str(number), document=source)
            client.indices.refresh(index=PREFIX + name)
        for case in recorded["cases"]:
            record(quiet, case)
        for name in recorded["indices"]:
            quiet.indices.delete(index=PREFIX + name)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in recorded.pop("cases"))
    head = json.dumps(recorded, ensure_ascii=False)[:-1]
    FILE.write_text(f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


def record(client: Elasticsearch, case: dict[str, Any]) -> None:
    """Ask for one answer: aggregations, or the hits with their sort values."""
    names = ",".join(PREFIX + name for name in case.get("indices", ["main"]))
    body = {name: case[name] for name in ("query", "aggs", "sort", "search_after") if name in case}
    size = 0 if "aggs" in case else 100
    answer = client.search(index=names, size=size, source=False, allow_partial_search_results=False, **body)
    case.pop("answer", None)
    case.pop("refused", None)
    if "error" in answer:
        case["refused"] = True
    elif "aggs" in case:
        case["answer"] = json.loads(json.dumps(answer["aggregations"]).replace(PREFIX, ""))
    else:
        case["answer"] = [[hit["_id"], hit["sort"]] for hit in answer["hits"]["hits"]]


if __name__ == "__main__":
    main(sys.argv[1])
