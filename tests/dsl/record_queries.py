"""Asks a node the questions of `recorded/queries.json` again and writes down its answers.

Run it with the address of an Elasticsearch node: `python tests/dsl/record_queries.py http://127.0.0.1:9200`. The
questions were written for this project, among them some thousand drawn at random; the answers are those of
Elasticsearch 8.19.9.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from record import RECORDED, REFUSED, Node

FILE = RECORDED / "queries.json"
INDEX = "queried"
"""The name of the index, which some of the queries ask for."""
_AT_ONCE = 200


def ask_all(node: Node, queries: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each query the ids of its hits, joined by blanks, or that it was refused."""
    answers: list[str] = []
    for first in range(0, len(queries), _AT_ONCE):
        some = queries[first : first + _AT_ONCE]
        bodies = [{"query": query, "size": 10_000, "_source": False, "sort": ["_doc"]} for query in some]
        lines = [line for body in bodies for line in ({"index": INDEX}, body)]
        told = node.ask("POST", "/_msearch", "\n".join([*(json.dumps(line) for line in lines), ""]))
        if "responses" in told:
            answers += map(_answer, told["responses"])
        else:  # one of them cannot even be read
            answers += [_answer(node.ask("POST", f"/{INDEX}/_search", body)) for body in bodies]
    return answers


def _answer(told: Mapping[str, Any]) -> str:
    if "error" in told:
        return REFUSED
    ids: list[str] = sorted(hit["_id"] for hit in told["hits"]["hits"])
    return " ".join(ids)


def record_group(node: Node, group: Mapping[str, Any]) -> dict[str, Any]:
    """The group with the node's answers."""
    node.ask("DELETE", f"/{INDEX}")
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    created = node.ask("PUT", f"/{INDEX}", {"mappings": group["mapping"], "settings": settings})
    if "error" in created:
        raise SystemExit(f"The index of group {group['name']} is refused: {created['error']}")
    pairs = [({"index": {"_id": name}}, source) for name, source in group["documents"].items()]
    lines = [json.dumps(line) for pair in pairs for line in pair]
    told = node.ask("POST", f"/{INDEX}/_bulk?refresh=true", "\n".join([*lines, ""]))
    if told["errors"]:
        raise SystemExit(f"A document of group {group['name']} is refused: {told}")
    questions = [query for query, _ in group["queries"]]
    answers = ask_all(node, questions)
    node.ask("DELETE", f"/{INDEX}")
    return {**group, "queries": list(zip(questions, answers, strict=True))}


def write(groups: Sequence[Mapping[str, Any]]) -> None:
    """One line for each query, so that changes can be read."""
    parts = []
    for group in groups:
        head = json.dumps({key: group[key] for key in ("name", "mapping", "documents")}, ensure_ascii=False)
        queries = ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in group["queries"])
        parts.append(f'{head[:-1]}, "queries": [\n{queries}\n]}}')
    FILE.write_text("[\n" + ",\n".join(parts) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    asked = Node(sys.argv[1])
    write([record_group(asked, group) for group in json.loads(FILE.read_text(encoding="utf-8"))])
