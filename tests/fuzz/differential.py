"""Asks a real node and the package's own engine the same, and tells where they differ.

By hand: `python tests/fuzz/differential.py --queries 20000 --documents 2000 --seed 1 --url http://127.0.0.1:9200`.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch, ElasticsearchWarning

if __package__ in {None, ""}:  # run as a program: the folder of the tests is not where modules are looked for
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fuzz.answers import Answer, Difference, brief
from fuzz.documents import MAPPINGS, SETTINGS, Documents, probes
from fuzz.drawing import Draw, Field, fields_of, leaves
from fuzz.kernel_side import Kernel
from fuzz.leaves import Query
from fuzz.loading import as_json, compare_loaded, compare_refusals, compare_variant
from fuzz.node_side import NodeIndex, node_now
from fuzz.queries import WEIGHTS, Queries
from fuzz.shrink import shrunk
from fuzz.store_side import StoreSide
from fuzz.variants import variant

__all__ = ["Difference", "Differential", "Report", "main"]

_BATCH = 1000
_SHRINKING_STEPS = 40
_MOST_ALIKE = 3
_FEW = 20
_LIMIT = "failed to create query: Determinizing"
"""What the node says where a pattern is too complex for it."""
_MOST_TOLD = 40


@dataclass(slots=True)
class Report:
    """What came out.

    Attributes:
        counted: kind of query -> how many were asked that count: distinct, and answered by some but not all documents.
        asked: all distinct queries.
        refused: queries that both sides refuse.
        unsupported: clause -> queries that only the node answers, the engine says so.
        causes: what these are unsupported for, in words.
        stricter: queries of which the engine refuses a part that the node never looked at.
        beyond: queries that the node could answer were they simpler; the engine has no such limit.
        differences: must be none.
    """

    counted: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    refused: int = 0
    unsupported: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    stricter: int = 0
    beyond: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def figure(self) -> str:
        """The last line."""
        by_clause = ", ".join(f"{clause} {number}" for clause, number in self.unsupported.most_common()) or "none"
        return (
            f"{self.counted.total()} queries that count, {len(self.differences)} differences, "
            f"{self.unsupported.total()} unsupported by clause: {by_clause} ({self.asked} distinct asked, "
            f"{self.refused} refused by both, {self.stricter} refused for what the node skipped, "
            f"{self.beyond} beyond the node's limits)"
        )

    def shares(self) -> Iterator[str]:
        """A line for each kind of query."""
        for kind in WEIGHTS:
            yield f"{kind:28} {self.counted[kind]:6} {self.counted[kind] / max(1, self.counted.total()):6.1%}"
        yield from (f"unsupported {number:4} {cause}" for cause, number in self.causes.most_common())


class Differential:
    """One comparison: an index on the node, the same documents in the engine, and queries to both."""

    def __init__(self, client: Elasticsearch, prefix: str, seed: int) -> None:
        self._client = client
        self._prefix = prefix
        self._seed = seed
        self.report = Report()
        self._probes = NodeIndex(client, f"{prefix}fuzz-probes", MAPPINGS, SETTINGS)
        self._node = NodeIndex(client, f"{prefix}fuzz", MAPPINGS, SETTINGS)
        self._store = StoreSide(MAPPINGS, SETTINGS)
        self._kernel = Kernel(MAPPINGS, SETTINGS, self._store)
        self._compared: frozenset[str] = frozenset()
        self._documents: dict[str, Any] = {}

    def run(self, queries: int, documents: int, *, variants: int = 0, most_differences: int = _MOST_TOLD) -> Report:
        """Ask until so many queries counted, or so many differences were found; before, try small random mappings."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", ElasticsearchWarning)  # the node comments on strange mappings
            for each in range(variants):
                made = variant(self._seed * 1000 + each)
                self.report.differences += compare_variant(self._client, f"{self._prefix}fuzz-variant", made)
            now = node_now(self._client)
            for resource in (self._probes, self._node, contextlib.closing(self._store)):
                stack.enter_context(resource)
            self._load(documents, now)
            draw = Draw(self._seed, self._shared_fields(), self._documents, now)
            self._ask(Queries(draw), queries, most_differences + len(self.report.differences))
        return self.report

    def _load(self, number: int, now: int) -> None:
        found = self.report.differences
        made = {f"p{at}": _document(name, value) for at, (name, value) in enumerate(probes())}
        by_node = self._probes.add(made)
        found += compare_refusals("value", made, by_node, Kernel(MAPPINGS, SETTINGS).add(made, keep=False))
        taken: dict[str, list[Any]] = defaultdict(list)
        for at, (name, value) in enumerate(probes()):
            if f"p{at}" not in by_node:
                taken[name].append(value)
        refused = [probe for at, probe in enumerate(probes()) if f"p{at}" in by_node]
        documents = Documents(self._seed, taken, refused, now).make(number)
        by_node = self._node.add(documents)
        found += compare_refusals("document", documents, by_node, self._kernel.add(documents))
        self._documents = {name: source for name, source in documents.items() if name not in by_node}
        self._compared = frozenset(self._documents) & frozenset(self._kernel.documents)
        found += compare_loaded(self._node, self._kernel, {each: documents[each] for each in sorted(self._compared)})

    def _shared_fields(self) -> list[Field]:
        """What was mapped differently is a difference already; questions about it would be many more."""
        ours = set(fields_of(self._kernel.mapping.to_json().get("properties", {})))
        return [field for field in fields_of(self._node.mappings()["properties"]) if field in ours]

    def _ask(self, source: Queries, queries: int, most_differences: int) -> None:
        seen: set[str] = set()
        while self.report.counted.total() < queries and len(self.report.differences) < most_differences:
            size = min(_BATCH, max(20, queries // 5))
            made: dict[str, tuple[str, Query]] = {}
            for kind in source.wanted(self.report.counted, size):
                query = source.make(kind)
                text = as_json(query)
                if text not in seen:
                    made[text] = (kind, query)
            seen |= made.keys()
            batch = list(made.values())
            self.report.asked += len(batch)
            for (kind, query), (node, engine) in zip(batch, self._both([query for _, query in batch]), strict=True):
                source.learn(kind, query, node.hits or frozenset())
                self._judge(kind, query, node, engine)

    def _both(
        self, asked: Sequence[Query], only: frozenset[str] | None = None
    ) -> list[tuple[Answer, dict[str, Answer]]]:
        """What both sides say of the documents that both have, or only of some."""
        if not asked:
            return []
        now = node_now(self._client)
        ids = self._compared if only is None else only
        node = [answer.within(ids) for answer in self._node.ask(asked)]
        engine = self._kernel.ask(asked, now, only)
        ours = [{way: answer.within(ids) for way, answer in answers.items()} for answers in engine]
        return list(zip(node, ours, strict=True))

    def _judge(self, kind: str, query: Query, node: Answer, engine: Mapping[str, Answer]) -> None:
        if unsupported := next((answer.unsupported for answer in engine.values() if answer.unsupported), ""):
            self.report.unsupported[_clause_in(unsupported)] += 1
            self.report.causes[_cause(unsupported)] += 1
        elif _LIMIT in node.refused:
            self.report.beyond += 1
        elif not _agree(node, engine):
            self._look_closer(kind, query)
        elif node.hits is None:
            self.report.refused += 1
        elif 0 < len(node.hits) < len(self._compared):
            self.report.counted[kind] += 1

    def _look_closer(self, kind: str, query: Query) -> None:
        # The clock goes on between the two sides.
        node, engine = self._both([query])[0]
        if _agree(node, engine):
            return
        if not node.refused and any(answer.refused for answer in engine.values()) and self._has_refused_part(query):
            self.report.stricter += 1
            return
        sort = _sort(node, engine)
        only = self._few(node, engine)
        small = shrunk(
            query, lambda some: [self._same(sort, *both) for both in self._both(some, only)], _SHRINKING_STEPS
        )
        node, engine = self._both([small])[0]
        told = [f"[{kind}] {as_json(small)}"]
        if small != query:
            told.append(f"of {as_json(query)}")
        told.append(f"node:     {brief(node)}")
        told += [f"{way + ':':9} {_compared(node, answer)}" for way, answer in engine.items()]
        told.append(f"node says: {self._node.explain(small)}")
        told += self._tell_documents(small, node, engine)
        self.report.differences.append(Difference(sort, "\n  ".join(told), self._sign(sort, small)))

    def _few(self, node: Answer, engine: Mapping[str, Answer]) -> frozenset[str]:
        """Some documents that the sides disagree about, and some others."""
        found = [answer.hits for answer in engine.values() if answer.hits is not None]
        wrong = {each for hits in found for each in (node.hits or frozenset()) ^ hits}
        return frozenset([*sorted(wrong)[:_FEW], *sorted(self._compared)[:_FEW]])

    def _same(self, sort: str, node: Answer, engine: Mapping[str, Answer]) -> bool:
        return not _agree(node, engine) and _sort(node, engine) == sort

    def _has_refused_part(self, query: Query) -> bool:
        """Whether a clause inside is refused by both, taken alone: the node skips what cannot matter."""
        parts = [part for part in _parts(query) if part != query]
        both = self._both(parts, frozenset())
        return any(node.refused and any(each.refused for each in engine.values()) for node, engine in both)

    def _tell_documents(self, query: Query, node: Answer, engine: Mapping[str, Answer]) -> Iterator[str]:
        found = [answer.hits for answer in engine.values() if answer.hits is not None]
        wrong = {each for hits in found for each in (node.hits or frozenset()) ^ hits}
        asked = [field for field in fields_of(self._node.mappings()["properties"]) if field.name in as_json(query)]
        sources = {field.source for field in asked}
        for each in sorted(wrong)[:3]:
            side = "missing" if each in (node.hits or ()) else "extra"
            raw = {path: value for path, value in leaves(self._documents[each]) if path in sources}
            yield f"{side} {each}: {self._kernel.read(each, [field.name for field in asked])} of {as_json(raw)[:600]}"

    def _sign(self, sort: str, query: Query) -> str:
        """What differences of one cause have mostly in common: the query without its values."""
        types = {field.name: field.type for field in fields_of(self._node.mappings()["properties"])}
        return f"{sort} {as_json(_without_values(query, types))}"


def _agree(node: Answer, engine: Mapping[str, Answer]) -> bool:
    return all(node.agrees(answer) or (answer.unsupported and not node.broken) for answer in engine.values())


def _compared(node: Answer, answer: Answer) -> str:
    return "the same" if node.agrees(answer) else brief(answer)


def _sort(node: Answer, engine: Mapping[str, Answer]) -> str:
    if any(answer.broken for answer in engine.values()):
        return "the engine breaks"
    if node.broken:
        return "the node breaks"
    if node.refused:
        return "only the node refuses"
    return "only the engine refuses" if any(answer.refused for answer in engine.values()) else "hits"


def _without_values(part: Any, types: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {types.get(key, key): _without_values(value, types) for key, value in part.items()}
    if isinstance(part, list):
        return [_without_values(value, types) for value in part]
    return type(part).__name__


def _document(name: str, value: Any) -> Query:
    for part in reversed(name.split(".")):
        value = {part: value}
    made: Query = value
    return made


def _parts(part: Any) -> Iterator[Query]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in {"must", "filter", "should", "must_not", "queries", "positive", "negative"}:
                for inner in value if isinstance(value, list) else [value]:
                    yield inner
                    yield from _parts(inner)
            elif key in {"bool", "constant_score", "dis_max", "boosting"}:
                yield from _parts(value)


def _clause_in(message: str) -> str:
    """The clause that an answer is unsupported for: messages begin with it."""
    found = re.match(r"\w+(?=[ :])", message)
    return found[0] if found else "?"


def _cause(message: str) -> str:
    """What an answer is unsupported for, without the names and values in it."""
    return re.sub(r"\[[^\]]*\]|\"[^\"]*\"|'[^']*'", "..", message.partition(";")[0])[:100]


def told(differences: Sequence[Difference]) -> Iterator[str]:
    """Differences as texts; of those that look alike, some."""
    alike: dict[str, list[Difference]] = defaultdict(list)
    for each in differences:
        alike[each.sign or each.what].append(each)
    for group in sorted(alike.values(), key=len):
        yield from (f"{each.what}: {each.told}\n" for each in group[: _MOST_ALIKE if group[0].sign else None])
        if group[0].sign:
            yield f"({len(group)} alike)\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one comparison and print what came out; 1 if there were differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=20_000, help="how many that count")
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--variants", type=int, default=100, help="how many small random mappings are tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", default="http://127.0.0.1:9200", help="of the node")
    parser.add_argument("--prefix", default="lolbin-", help="of the names of the two indices that are made and deleted")
    parser.add_argument("--most-differences", type=int, default=_MOST_TOLD, help="stop when there are so many")
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    with Elasticsearch(asked.url, request_timeout=120) as client:
        differential = Differential(client, asked.prefix, asked.seed)
        report = differential.run(
            asked.queries, asked.documents, variants=asked.variants, most_differences=asked.most_differences
        )
    lines = list(told(report.differences))
    lines += [
        *report.shares(),
        f"seed {asked.seed}, {asked.documents} documents, {time.monotonic() - begun:.0f} s",
        report.figure,
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
