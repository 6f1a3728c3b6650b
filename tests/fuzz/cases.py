"""Small cases that the fuzzer once found differences in, with what a real node answers.

`python tests/fuzz/cases.py --url http://127.0.0.1:9200` asks a node about every case in `cases.json` again and writes
down what it says, with `--only TEXT` about those with the text in their name. A new case needs only a name, mappings,
documents and queries.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

if __package__ in {None, ""}:  # run as a program: the folder of the tests is not where modules are looked for
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fuzz.answers import Answer
from fuzz.node_side import NodeIndex, node_now

__all__ = ["CASES", "Case", "main", "read_cases"]

CASES = Path(__file__).with_name("cases.json")


@dataclass(slots=True)
class Case:
    """Some documents, and queries about them.

    Attributes:
        name: what it is about.
        mappings: of the index.
        settings: of the index, as far as they matter.
        documents: id -> document, in the order written.
        refused: the ids of those that are refused.
        queries: each with what the node answered: `hits`, or `refused`. What the engine does not answer is marked
            `unsupported`, by hand.
        now: the node's clock then, in milliseconds since 1970.
    """

    name: str
    mappings: dict[str, Any]
    documents: dict[str, Any]
    queries: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    now: int = 0

    def expected(self) -> list[Answer]:
        """The node's answers in the order of the queries."""
        return [
            Answer(refused="as recorded") if each.get("refused") else Answer(hits=frozenset(each["hits"]))
            for each in self.queries
        ]


def read_cases() -> list[Case]:
    """All cases."""
    return [Case(**each) for each in json.loads(CASES.read_text(encoding="utf-8"))]


def record(client: Elasticsearch, case: Case) -> None:
    """Ask the node about a case and note its answers."""
    settings = {"number_of_shards": 1, "number_of_replicas": 0} | case.settings
    with NodeIndex(client, "lolbin-fuzz-case", case.mappings, settings) as index:
        case.refused = sorted(index.add(case.documents))
        case.now = node_now(client)
        for query in case.queries:
            query.pop("hits", None)
            query.pop("refused", None)
        for query, answer in zip(case.queries, index.ask([each["query"] for each in case.queries]), strict=True):
            if answer.broken:
                raise RuntimeError(f"{case.name}: the node says {answer.broken} to {query['query']}")
            query.update({"refused": True} if answer.hits is None else {"hits": sorted(answer.hits)})


def main(arguments: Sequence[str] | None = None) -> None:
    """Record all cases anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:9200", help="of the node")
    parser.add_argument("--only", default="", help="a part of the names of the cases that are recorded")
    asked = parser.parse_args(arguments)
    cases = read_cases()
    with Elasticsearch(asked.url, request_timeout=60) as client:
        for case in cases:
            if asked.only in case.name:
                record(client, case)
    CASES.write_text("[\n" + ",\n".join(_lines(case) for case in cases) + "\n]\n", encoding="utf-8")


def _lines(case: Case) -> str:
    """One case as JSON: what it is made of a line each, and a line for each query."""
    written = {key: value for key, value in asdict(case).items() if key not in {"queries", "settings", "refused"}}
    written |= {key: value for key, value in (("settings", case.settings), ("refused", case.refused)) if value}
    parts = [f"    {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in written.items()]
    queries = ",\n".join(f"      {json.dumps(each, ensure_ascii=False)}" for each in case.queries)
    return (
        "  {\n"
        + ",\n".join([*parts, f'    "queries": [\n{queries}\n    ]' if queries else '    "queries": []'])
        + "\n  }"
    )


if __name__ == "__main__":
    main()
