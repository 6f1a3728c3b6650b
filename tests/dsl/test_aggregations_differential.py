"""Random aggregations and sorts over random documents: what a node answers, the columns answer."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest
from elasticsearch import Elasticsearch

from generated_aggregations import MAPPING, OTHER_MAPPING, Json, Requests, document
from lolbin_rules.dsl.aggregations import Part, aggregate
from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.order import Ordering, parse_sort
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.errors import StoreRejected, Unsupported

pytestmark = pytest.mark.elasticsearch

DOCUMENTS, REQUESTS, SORTS = 200, 200, 40
MOST_UNSUPPORTED = 0.1
NOW_MS = 1_790_000_000_000


@dataclass
class Index:
    """The same documents on the node and in columns."""

    name: str
    mapping: IndexMapping
    sources: list[Json]
    segments: list[tuple[int, MemorySegment]]

    @classmethod
    def filled(cls, client: Elasticsearch, name: str, mapping: Json, sources: list[Json]) -> Index:
        """Index the documents here and there; here in several segments, some of them empty."""
        client.indices.create(index=name, mappings=mapping, settings={"number_of_shards": 1, "number_of_replicas": 0})
        lines = itertools.chain.from_iterable(
            ({"index": {"_id": str(at)}}, source) for at, source in enumerate(sources)
        )
        answer = client.bulk(index=name, operations=list(lines), refresh=True)
        assert not answer["errors"], answer
        made = cls(name, IndexMapping(mapping), sources, [])
        for first, end in itertools.pairwise([0, 0, len(sources) // 3, len(sources) // 2, len(sources)]):
            indexer = Indexer(made.mapping)
            for source in sources[first:end]:
                indexer.add(source)
            numbers = Column.of_numbers(np.arange(first, end))
            made.segments.append((first, MemorySegment({**indexer.columns(), "_seq_no": numbers}, end - first)))
        return made

    def parts(self, query: Json) -> Iterator[Part]:
        """What a query finds."""
        clause = parse(query, self.mapping, NOW_MS)
        for first, segment in self.segments:
            rows = evaluate({"q": clause}, segment)["q"]
            yield Part(self.mapping, segment, rows, self._hits(first), self.name)

    def sorted_hits(self, query: Json, sort: Any) -> list[list[Any]]:
        """Ids and sort values in order."""
        clause, fields = parse(query, self.mapping, NOW_MS), parse_sort(sort)
        found = [
            (row.key, first + row.row, row.values)
            for first, segment in self.segments
            for row in Ordering(fields, self.mapping, segment, evaluate({"q": clause}, segment)["q"]).first()
        ]
        return [[str(number), values] for _, number, values in sorted(found, key=lambda each: each[0])]

    def _hits(self, first: int) -> Any:
        return lambda row: {"_index": self.name, "_id": str(first + row), "_source": self.sources[first + row]}


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """Speaks to the node."""
    with Elasticsearch(elasticsearch_url) as client:
        yield client


@pytest.fixture
def indices(client: Elasticsearch, index_prefix: str) -> list[Index]:
    """Two indices with the same documents' fields, the second with fewer of them mapped."""
    random = Random(8)
    return [
        Index.filled(client, f"{index_prefix}a", MAPPING, [document(random) for _ in range(DOCUMENTS)]),
        Index.filled(client, f"{index_prefix}b", OTHER_MAPPING, [document(random) for _ in range(DOCUMENTS // 5)]),
    ]


def found_in(indices: list[Index], query: Json) -> Iterator[Part]:
    """What a query finds in all of the indices."""
    return itertools.chain.from_iterable(index.parts(query) for index in indices)


def answered(client: Elasticsearch, indices: list[Index], bodies: list[Json]) -> list[Any]:
    """What the node answers to each; None where it or one of its shards refuses."""
    names = ",".join(index.name for index in indices)
    searches = list(itertools.chain.from_iterable(({"index": names}, body) for body in bodies))
    responses = client.msearch(searches=searches)["responses"]
    return [None if "error" in response or response["_shards"]["failed"] else response for response in responses]


def own(work: Any) -> tuple[Any, str]:
    """What the columns answer and "", or None and why not."""
    try:
        return work(), ""
    except Unsupported as error:
        return None, f"unsupported: {error}"
    except StoreRejected as error:
        return None, f"rejected: {error}"


def check(expected: list[Any], found: list[tuple[Any, str]], bodies: list[Json]) -> Counter[str]:
    """Every answer is the node's; how many were not given."""
    verdicts: Counter[str] = Counter()
    for theirs, (ours, why), body in zip(expected, found, bodies, strict=True):
        verdict = why.partition(":")[0] or "answered"
        verdicts[verdict] += 1
        if verdict != "unsupported":
            assert ours == theirs, f"{json.dumps(body)}\n node: {json.dumps(theirs)}\n ours: {json.dumps(ours)} {why}"
    return verdicts


def plain(answer: Any) -> Any:
    """Without bounds of errors, for there are none, and texts of numbers, for shards without the field know none."""
    if isinstance(answer, dict):
        kept = (key for key in answer if key != "doc_count_error_upper_bound" and not key.endswith("_as_string"))
        return {key: plain(answer[key]) for key in kept}
    return [plain(each) for each in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize("number", [1, 2])
def test_aggregations_answer_as_a_node_does(client: Elasticsearch, indices: list[Index], number: int) -> None:
    """Of one index, and of two with different mappings."""
    requests, used = Requests(Random(15), shards=number), indices[:number]
    bodies = [
        {"size": 0, "query": requests.query(), "aggs": requests.aggregations()} for _ in range(REQUESTS // number)
    ]
    expected = [response and response["aggregations"] for response in answered(client, used, bodies)]
    found = [
        own(
            lambda body=body: aggregate(
                body["aggs"], itertools.chain.from_iterable(index.parts(body["query"]) for index in used), NOW_MS
            )
        )
        for body in bodies
    ]
    if number > 1:
        expected, found = [plain(each) for each in expected], [(plain(each), why) for each, why in found]
    verdicts = check(expected, found, bodies)
    assert verdicts["unsupported"] < MOST_UNSUPPORTED * len(bodies), verdicts
    assert verdicts["answered"] > len(bodies) // 2, verdicts


def test_pages_of_composites_follow_one_another(client: Elasticsearch, indices: list[Index]) -> None:
    """Each page begins after the last bucket of the former, here and there."""
    index, requests = indices[0], Requests(Random(16))
    for _ in range(20):
        body = requests.composite()
        body["composite"]["size"] = 7
        for _ in range(4):
            (response,) = answered(client, [index], [{"size": 0, "aggs": {"c": body}}])
            ours, why = own(lambda body=body: aggregate({"c": body}, index.parts({"match_all": {}}), NOW_MS))
            if why.startswith("unsupported"):
                break
            assert ours == (response and response["aggregations"]), body
            if "after_key" not in (ours or {"c": {}})["c"]:
                break
            body["composite"]["after"] = ours["c"]["after_key"]


def test_sorted_hits_follow_one_another_as_on_a_node(client: Elasticsearch, indices: list[Index]) -> None:
    """With the same sort values."""
    index, requests = indices[0], Requests(Random(17))
    bodies = [
        {"size": 1000, "query": requests.query(), "sort": [*requests.sort(), {"_seq_no": "asc"}], "_source": False}
        for _ in range(SORTS)
    ]
    expected = [
        response and [[hit["_id"], hit["sort"]] for hit in response["hits"]["hits"]]
        for response in answered(client, [index], bodies)
    ]
    found = [own(lambda body=body: index.sorted_hits(body["query"], body["sort"])) for body in bodies]
    verdicts = check(expected, found, bodies)
    assert verdicts["answered"] > len(bodies) * 0.8, verdicts
