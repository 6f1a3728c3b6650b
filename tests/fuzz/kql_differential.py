"""Asks a real node, the embedded store and a reference the same KQL, and tells where they differ.

By hand: `PYTHONPATH=tests python -m fuzz.kql_differential --queries 10000 --documents 500 --seed 1 --url URL`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from elasticsearch import Elasticsearch

from fuzz.answers import Answer, Difference, brief
from fuzz.kql_documents import MAPPINGS, Document, Documents
from fuzz.kql_queries import WEIGHTS, Asked, Queries
from fuzz.kql_reference import BeyondReference, matches
from fuzz.loading import as_json
from fuzz.node_side import NodeIndex, node_now
from fuzz.store_side import StoreSide
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse
from lolbin_rules.errors import StoreRejected, Unsupported
from lolbin_rules.query.kql.compile import compile_kql
from lolbin_rules.query.kql.fields import kql_fields
from lolbin_rules.query.kql.syntax import parse_kql
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore
from lolbin_rules.store.port import FieldTypes, Query, Store

__all__ = ["KqlDifferential", "KqlReport", "main"]

_BATCH = 200
_MOST_TOLD = 20
_MOST_BATCHES = 50
"""For each batch that would do if every query counted."""


@dataclass(slots=True)
class KqlReport:
    """What came out.

    Attributes:
        counted: kind of query -> how many were asked that count: distinct, and answered by some but not all documents.
        referenced: how many of these the reference could judge.
        asked: all distinct queries.
        refused: kind of query -> queries that both stores refuse.
        unsupported: kind of query -> queries that the embedded store does not answer; the reference does.
        differences: must be none.
    """

    counted: Counter[str] = field(default_factory=Counter)
    referenced: int = 0
    asked: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unsupported: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    @property
    def figure(self) -> str:
        """The last line."""
        unsupported = ", ".join(f"{kind} {number}" for kind, number in self.unsupported.most_common()) or "none"
        return (
            f"{self.counted.total()} queries that count, {len(self.differences)} differences, {self.referenced} judged "
            f"by the reference as well, {self.asked} distinct asked, {self.refused.total()} refused by both, "
            f"unsupported by the embedded store: {unsupported}"
        )

    def shares(self) -> Iterator[str]:
        """A line for each kind of query."""
        for kind in WEIGHTS:
            yield f"{kind:20} {self.counted[kind]:6} {self.counted[kind] / max(1, self.counted.total()):6.1%}"


@dataclass(frozen=True, slots=True)
class _Case:
    """A query and what it became by the field types of each store."""

    asked: Asked
    by_node: Query
    by_store: Query


class KqlDifferential:
    """One comparison: an index on the node, the same documents in an embedded store, and queries to both."""

    def __init__(self, client: Elasticsearch, url: str, prefix: str, seed: int) -> None:
        self._client = client
        self._url = url
        self._seed = seed
        self._node = NodeIndex(client, f"{prefix}kql-fuzz", MAPPINGS, {})
        self._store = StoreSide(MAPPINGS, {})
        self._mapping = IndexMapping(MAPPINGS)
        self._documents: dict[str, Document] = {}
        self.report = KqlReport()

    def run(self, queries: int, documents: int) -> KqlReport:
        """Ask until so many queries counted, or something is clearly wrong."""
        self._documents = Documents(self._seed).make(documents)
        with contextlib.closing(self._store), self._node as node:
            refused = {**node.add(self._documents), **self._store.add(self._documents)}
            if refused:
                raise RuntimeError(f"documents were refused: {refused}")
            with contextlib.closing(ElasticsearchStore(Connection(url=self._url), clock=_now)) as beside:
                self._ask(queries, beside)
        return self.report

    def _ask(self, queries: int, beside: Store) -> None:
        source = Queries(self._seed, self._documents)
        whole = sum(WEIGHTS.values())
        seen: set[tuple[str, bool]] = set()
        for _ in range(_MOST_BATCHES * (queries // _BATCH + 1)):
            missing = {
                kind: -(-queries * weight // whole) - self.report.counted[kind] for kind, weight in WEIGHTS.items()
            }
            wanted = [kind for kind, number in missing.items() for _ in range(min(max(number, 0), _BATCH // 8))]
            if not wanted or len(self.report.differences) >= _MOST_TOLD:
                return
            made = {(each.text, each.is_caseless): each for each in map(source.make, wanted)}
            fresh = [each for key, each in made.items() if key not in seen]
            seen |= made.keys()
            self._compare(fresh, beside)

    def _compare(self, fresh: Sequence[Asked], beside: Store) -> None:
        self.report.asked += len(fresh)
        names = sorted({name for each in fresh for name in kql_fields(each.text)} | set(_MAPPED))
        by_node = beside.field_types([self._node.name], names)
        by_store = self._store._store.field_types(["fuzz"], names)
        cases = [_case(each, by_node, by_store) for each in fresh]
        now = node_now(self._client)
        asked = self._node.ask([case.by_node for case in cases])
        for case, node, store in zip(cases, asked, self._of_store(cases, now), strict=True):
            self._judge(case, node, store)

    def _of_store(self, cases: Sequence[_Case], now: int) -> list[Answer]:
        answers = {str(at): self._not_taken(case.by_store, now) for at, case in enumerate(cases)}
        taken = {name: cases[int(name)].by_store for name, answer in answers.items() if answer is None}
        found = self._store.ask(taken, now)
        return [answer or found[name] for name, answer in answers.items()]

    def _not_taken(self, query: Query, now: int) -> Answer | None:
        try:
            parse(query, self._mapping, now)
        except Unsupported as error:
            return Answer(unsupported=str(error))
        except StoreRejected as error:
            return Answer(refused=str(error))
        return None

    def _judge(self, case: _Case, node: Answer, store: Answer) -> None:
        asked = case.asked
        reference = self._referenced(asked)
        faults = []
        if parse_kql(asked.text) != asked.node:
            faults.append(f"it is read as {parse_kql(asked.text)}")
        if case.by_node != case.by_store:
            faults.append(f"by the field types of the embedded store it is {as_json(case.by_store)}")
        if not store.unsupported and not node.agrees(store):
            faults.append(f"embedded store: {brief(store)}")
        if reference is not None and reference != node:
            faults.append(f"reference: {brief(reference)}")
        if faults:
            told = [f"[{asked.kind}] {asked.text!r} caseless: {asked.is_caseless}", f"as {as_json(case.by_node)}"]
            told += [f"node: {brief(node)}", *faults, *self._disputed(node, store, reference)]
            self.report.differences.append(Difference("query", "\n  ".join(told)))
        elif node.refused:
            self.report.refused[asked.kind] += 1
        elif store.unsupported and reference is None:
            self.report.unsupported[asked.kind] += 1
        elif node.hits is not None and 0 < len(node.hits) < len(self._documents):
            self.report.counted[asked.kind] += 1
            self.report.referenced += reference is not None
            if store.unsupported:
                self.report.unsupported[asked.kind] += 1

    def _referenced(self, asked: Asked) -> Answer | None:
        try:
            hits = [
                name
                for name, document in self._documents.items()
                if matches(asked.node, document, caseless=asked.is_caseless)
            ]
        except BeyondReference:
            return None
        return Answer(hits=frozenset(hits))

    def _disputed(self, node: Answer, *others: Answer | None) -> Iterator[str]:
        for other in others:
            if other is not None and other.hits is not None:
                for name in sorted((node.hits or frozenset()) ^ other.hits)[:2]:
                    yield f"disputed {name}: {as_json(self._documents[name])}"


_MAPPED = ("dll.name", "dll.size", *MAPPINGS["properties"])


def _case(asked: Asked, by_node: FieldTypes, by_store: FieldTypes) -> _Case:
    found = [compile_kql(asked.text, types, case_insensitive=asked.is_caseless).query for types in (by_node, by_store)]
    return _Case(asked, *found)


def _now() -> datetime:
    return datetime.now(UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one comparison and print what came out; 1 if there were differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000, help="how many that count")
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", default="http://127.0.0.1:9200", help="of the node")
    parser.add_argument("--prefix", default="lolbin-", help="of the name of the index that is made and deleted")
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    with Elasticsearch(asked.url, request_timeout=120) as client:
        report = KqlDifferential(client, asked.url, asked.prefix, asked.seed).run(asked.queries, asked.documents)
    lines = [
        *(each.told for each in report.differences),
        *report.shares(),
        f"seed {asked.seed}, {asked.documents} documents, {time.monotonic() - begun:.0f} s",
        report.figure,
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.differences or report.counted.total() < asked.queries else 0


if __name__ == "__main__":
    sys.exit(main())
