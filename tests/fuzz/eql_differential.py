"""Asks a real node, the embedded store and a reference the same EQL queries, and tells where they differ.

By hand: `python -m fuzz.eql_differential --queries 5000 --documents 500 --seed 1 --url http://127.0.0.1:9200`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from elasticsearch import Elasticsearch

from fuzz import eql_reference
from fuzz.answers import Answer, brief
from fuzz.eql_documents import MAPPINGS, TYPES, documents
from fuzz.eql_queries import Queries
from fuzz.node_side import NodeIndex, node_now
from fuzz.store_side import StoreSide
from lolbin_rules.errors import QueryError
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.compile import compile_event, whole_condition
from lolbin_rules.query.eql.nodes import EventQuery
from lolbin_rules.query.eql.syntax import parse_eql

__all__ = ["Report", "compare", "main"]

_BATCH = 250
_SHARE = 1.4
"""Queries that are asked for one that counts, about."""
_SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}


@dataclass(slots=True)
class Report:
    """What came out.

    Attributes:
        exact: queries that count (distinct, answered by some but not all documents) and that Query DSL says in full.
        open: queries that count and leave something to decide on each document.
        found: documents that queries of the second sort found; the others were never looked at.
        kept: those of them that were hits.
        refused: queries that could not be compiled; there should be none.
        differences: must be none.
    """

    exact: int = 0
    open: int = 0
    asked: int = 0
    found: int = 0
    kept: int = 0
    refused: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def counted(self) -> int:
        """Queries that count."""
        return self.exact + self.open

    @property
    def figure(self) -> str:
        """The last line."""
        return (
            f"{self.counted} queries that count, {len(self.differences)} differences ({self.exact} exact, {self.open} "
            f"with a decision left open, which found {self.found} documents for {self.kept} hits; {self.asked} "
            f"distinct asked, {len(self.refused)} refused)"
        )


def compare(client: Elasticsearch, prefix: str, *, queries: int, number: int, seed: int) -> Report:
    """Ask until so many queries counted, or something differs in twenty."""
    report = Report()
    sources = documents(seed, number)
    store = StoreSide(MAPPINGS, _SETTINGS)
    try:
        with NodeIndex(client, f"{prefix}fuzz-eql", MAPPINGS, _SETTINGS) as node:
            refused = node.add(sources) | store.add(sources)
            if refused:
                report.differences.append(f"documents are refused: {refused}")
                return report
            _ask(Queries(seed), report, _Sides(client, node, store, sources), queries)
    finally:
        store.close()
    return report


@dataclass(frozen=True, slots=True)
class _Sides:
    client: Elasticsearch
    node: NodeIndex
    store: StoreSide
    sources: Mapping[str, Mapping[str, Any]]

    def ask(self, compiled: Mapping[str, Compiled]) -> dict[str, tuple[Answer, Answer]]:
        """What node and store find by the queries."""
        asked = {text: each.query for text, each in compiled.items()}
        by_node = self.node.ask(list(asked.values()))
        by_store = self.store.ask(asked, node_now(self.client))
        return {text: (found, by_store[text]) for (text, found) in zip(asked, by_node, strict=True)}


def _ask(made: Queries, report: Report, sides: _Sides, queries: int) -> None:
    rows = {name: eql_reference.values_of(source) for name, source in sides.sources.items()}
    seen: set[str] = set()
    while report.counted < queries and len(report.differences) < 20:
        size = min(_BATCH, max(20, int((queries - report.counted) * _SHARE)))
        texts = list(dict.fromkeys(text for text in (made.make() for _ in range(size)) if text not in seen))
        seen |= set(texts)
        report.asked += len(texts)
        parsed: dict[str, EventQuery] = {}
        compiled: dict[str, Compiled] = {}
        for text in texts:
            try:
                query = parse_eql(text)
                assert isinstance(query, EventQuery)
                compiled[text] = compile_event(query, TYPES)
                parsed[text] = query
            except QueryError as error:
                report.refused.append(str(error))
        for text, (node, store) in sides.ask(compiled).items():
            expected = frozenset(name for name, row in rows.items() if eql_reference.holds(parsed[text], row))
            whole = whole_condition(parsed[text], TYPES)
            decided = frozenset(name for name, source in sides.sources.items() if whole(source))
            _judge(report, text, compiled[text], [node, store], [expected, decided], sides.sources)


def _judge(
    report: Report,
    text: str,
    compiled: Compiled,
    found: Sequence[Answer],
    expected: Sequence[frozenset[str]],
    sources: Mapping[str, Mapping[str, Any]],
) -> None:
    keeps = compiled.keeps
    kept = [frozenset(name for name in answer.hits or () if keeps is None or keeps(sources[name])) for answer in found]
    has_answers = all(answer.hits is not None for answer in found) and found[0].hits == found[1].hits
    if not has_answers or len({*kept, *expected}) != 1:
        told = [text, str(compiled.query), f"keeps {keeps.text if keeps else None}"]
        told += [f"{side} {brief(answer)}" for side, answer in zip(("node", "store"), found, strict=True)]
        told += [
            f"{side} kept {sorted(names)[:8]} of {len(names)}"
            for side, names in zip(("node", "store"), kept, strict=True)
        ]
        told += [
            f"{side} {sorted(names)[:8]} of {len(names)}"
            for side, names in zip(("reference", "decided"), expected, strict=True)
        ]
        wrong = sorted({*expected[0] ^ kept[0], *expected[0] ^ expected[1]})[:2]
        told += [f"{name} {sources[name]}" for name in wrong]
        report.differences.append("\n  ".join(told))
        return
    if not 0 < len(expected[0]) < len(sources):
        return
    if keeps is None:
        report.exact += 1
    else:
        report.open += 1
        report.found += len(found[0].hits or ())
        report.kept += len(kept[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one comparison and print what came out; 1 if there were differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=5_000, help="how many that count")
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", default="http://127.0.0.1:9200", help="of the node")
    parser.add_argument("--prefix", default="lolbin-", help="of the name of the index that is made and deleted")
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    with Elasticsearch(asked.url, request_timeout=120) as client:
        report = compare(client, asked.prefix, queries=asked.queries, number=asked.documents, seed=asked.seed)
    lines = [*report.differences, *report.refused[:5]]
    lines += [f"seed {asked.seed}, {asked.documents} documents, {time.monotonic() - begun:.0f} s", report.figure]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
