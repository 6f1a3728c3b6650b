"""Aggregations answer as an 8.19.9 node did: requests and its answers are recorded (see `record_searches`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lolbin_rules.dsl.aggregations import Part, aggregate
from lolbin_rules.dsl.aggregations.unsupported import UNSUPPORTED
from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.errors import StoreRejected, Unsupported

RECORDED = json.loads((Path(__file__).parent / "conformance" / "searches-8.19.9.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = [case for case in RECORDED["cases"] if "aggs" in case]
NOW_MS = 1_790_000_000_000


class Index:
    """A recorded index in segments of `rows` documents each."""

    def __init__(self, name: str, rows: int) -> None:
        self.name, recorded = name, RECORDED["indices"][name]
        self.mapping = IndexMapping(recorded["mapping"])
        self.sources = recorded["documents"]
        self.segments = {first: self._segment(first, first + rows) for first in range(0, len(self.sources), rows)}

    def parts(self, query: dict[str, Any]) -> list[Part]:
        """What a query finds; none where it cannot find anything."""
        clause = parse(query, self.mapping, NOW_MS)
        return [
            Part(self.mapping, segment, evaluate({"q": clause}, segment)["q"], self._hits(first), self.name)
            for first, segment in self.segments.items()
        ]

    def _segment(self, first: int, end: int) -> MemorySegment:
        indexer = Indexer(self.mapping)
        for source in self.sources[first:end]:
            indexer.add(source)
        numbers = Column.of_numbers(np.arange(first, first + indexer.size))
        return MemorySegment({**indexer.columns(), "_seq_no": numbers}, indexer.size)

    def _hits(self, first: int) -> Any:
        return lambda row: {"_index": self.name, "_id": str(first + row), "_source": self.sources[first + row]}


@pytest.fixture(scope="module", params=[100, 1], ids=["one segment", "a segment per document"])
def indices(request: pytest.FixtureRequest) -> dict[str, Index]:
    """Answers do not depend on how documents are spread over segments."""
    return {name: Index(name, request.param) for name in RECORDED["indices"]}


def named(case: dict[str, Any]) -> str:
    """A name for a case."""
    return json.dumps(case["aggs"])


@pytest.mark.parametrize("case", CASES, ids=map(named, CASES))
def test_aggregations_answer_as_recorded(indices: dict[str, Index], case: dict[str, Any]) -> None:
    """Buckets, keys, numbers and their texts; and what was refused is refused."""
    query = case.get("query", {"match_all": {}})
    parts = [part for name in case.get("indices", ["main"]) for part in indices[name].parts(query)]
    if "refused" in case:
        with pytest.raises(StoreRejected):
            aggregate(case["aggs"], parts, NOW_MS)
    else:
        assert aggregate(case["aggs"], parts, NOW_MS) == case["answer"]


def asked(aggregation: dict[str, Any], parts: list[Part] | None = None) -> Any:
    """The answer to one aggregation."""
    return aggregate({"a": aggregation}, parts or [], NOW_MS)["a"]


@pytest.mark.parametrize("kind", sorted(UNSUPPORTED))
def test_aggregations_that_are_not_there_are_refused_by_name(kind: str) -> None:
    """Unlike those that Elasticsearch does not know."""
    with pytest.raises(Unsupported, match=f'"a" is of type {kind},'):
        asked({kind: {"field": "n"}})
    with pytest.raises(StoreRejected, match="unknown type") as error:
        asked({f"{kind}_": {"field": "n"}})
    assert not isinstance(error.value, Unsupported)


@pytest.mark.parametrize(
    ("aggregation", "what"),
    [
        ({"terms": {"script": "doc['n']"}}, '"script"'),
        ({"terms": {"field": "k", "include": {"partition": 0, "num_partitions": 2}}}, "partitions"),
        ({"terms": {"field": "k", "show_term_doc_count_error": True}}, "show_term_doc_count_error"),
        ({"terms": {"field": "k", "shard_min_doc_count": 2}}, "shard_min_doc_count"),
        ({"terms": {"field": "n", "format": "000"}}, '"format" for field "n"'),
        ({"max": {"field": "n", "format": "0.0"}}, '"format" for field "n"'),
        ({"top_hits": {}}, 'no "sort"'),
        ({"top_hits": {"sort": ["_score"]}}, '"_score"'),
        ({"top_hits": {"sort": ["n"], "highlight": {}}}, "highlight"),
        ({"top_hits": {"sort": ["n"], "_source": "a*"}}, r'pattern "a\*"'),
        ({"date_histogram": {"field": "t", "fixed_interval": "1d", "hard_bounds": {"min": 1}}}, "hard_bounds"),
        ({"date_histogram": {"field": "n", "fixed_interval": "1d"}}, 'field "n", a field of whole numbers'),
        ({"date_histogram": {"field": "t", "fixed_interval": "1d", "time_zone": "Mars/Base"}}, "Mars/Base"),
        ({"composite": {"sources": [{"g": {"geotile_grid": {"field": "k"}}}]}}, "geotile_grid"),
        ({"terms": {"field": "o"}}, 'field "o" of type flattened'),
        ({"cardinality": {"field": "u"}}, 'field "u" of type unsigned_long'),
    ],
)
def test_what_cannot_be_done_exactly_is_refused_by_name(aggregation: dict[str, Any], what: str) -> None:
    """The message names the aggregation, its type and what stands in the way."""
    types = {"k": "keyword", "n": "long", "t": "date", "o": "flattened", "u": "unsigned_long"}
    mapping = IndexMapping({"properties": {name: {"type": kind} for name, kind in types.items()}})
    part = Part(mapping, MemorySegment({}, 1), np.zeros(1, np.uint32), lambda _: {})
    with pytest.raises(Unsupported, match=what):
        asked(aggregation, [part])


def test_a_fixed_interval_beside_a_change_of_clocks_is_refused() -> None:
    """Unless the change is a multiple of the interval, what a node makes of it is not worked out here."""
    index = Index("clocks", 100)
    body = {"field": "t", "time_zone": "Europe/Berlin", "min_doc_count": 1}
    with pytest.raises(Unsupported, match="change of clocks"):
        asked({"date_histogram": {**body, "fixed_interval": "7h"}}, index.parts({"match_all": {}}))
    assert asked({"date_histogram": {**body, "fixed_interval": "30m"}}, index.parts({"match_all": {}}))["buckets"]


def test_a_cut_order_by_averages_of_nothing_is_refused_for_texts() -> None:
    """A node puts them first or last among texts and addresses, depending on how many there are."""
    parts = Index("many", 100).parts({"match_all": {}})
    body = {"field": "k", "size": 3, "shard_size": 5, "order": {"m": "desc"}}
    below = {"aggs": {"m": {"avg": {"field": "v"}}}}
    with pytest.raises(Unsupported, match="averages"):
        asked({"terms": body, **below}, parts)
    assert asked({"terms": {**body, "order": {"m": "asc"}}, **below}, parts)["buckets"]
    assert asked({"terms": {**body, "shard_size": 30}, **below}, parts)["buckets"]


def test_more_buckets_than_elasticsearch_makes_are_refused() -> None:
    """65,536 in the whole answer."""
    mapping = IndexMapping({"properties": {"n": {"type": "long"}}})
    numbers = Column.of_numbers(np.arange(65_537))
    part = Part(mapping, MemorySegment({"n": numbers}, 65_537), np.arange(65_537, dtype=np.uint32), lambda _: {})
    terms = {"terms": {"field": "n", "size": 65_536}}
    assert len(asked(terms, [part])["buckets"]) == 65_536
    with pytest.raises(StoreRejected, match="more than 65536 buckets"):
        aggregate({"a": terms, "b": {"filter": {"match_all": {}}}}, [part], NOW_MS)
    with pytest.raises(StoreRejected, match="more than 65536 buckets"):
        asked({"histogram": {"field": "n", "interval": 0.0001}}, [part])


def test_distinct_values_are_counted_exactly() -> None:
    """Whatever their number, over segments and in buckets; texts, addresses, whole numbers and fractions."""
    types = {"text": "keyword", "ip": "ip", "number": "long", "fraction": "double", "half": "keyword"}
    mapping = IndexMapping({"properties": {name: {"type": kind} for name, kind in types.items()}})
    parts = []
    for first in (0, 3000):
        numbers = range(first, first + 6000)
        columns = {
            "text": Column.of((str(number),) for number in numbers),
            "ip": Column.of((number << 64,) for number in numbers),
            "number": Column.of_numbers(np.array(numbers)),
            "fraction": Column.of_numbers(np.array(numbers) / 2),
            "half": Column.of((("a", "b")[number % 2],) for number in numbers),
        }
        parts.append(Part(mapping, MemorySegment(columns, 6000), np.arange(6000, dtype=np.uint32), lambda _: {}))
    for field in ("text", "ip", "number", "fraction"):
        body = {"terms": {"field": "half"}, "aggs": {"c": {"cardinality": {"field": field}}}}
        assert [bucket["c"] for bucket in asked(body, parts)["buckets"]] == [{"value": 4500}] * 2
        assert asked({"cardinality": {"field": field}}, parts) == {"value": 9000}


def test_a_constant_is_the_value_of_every_document() -> None:
    """Of those of a constant_keyword field with a value."""
    mapping = IndexMapping({"properties": {"c": {"type": "constant_keyword", "value": "logs"}}})
    part = Part(mapping, MemorySegment({}, 3), np.arange(2, dtype=np.uint32), lambda _: {})
    assert asked({"terms": {"field": "c"}}, [part])["buckets"] == [{"key": "logs", "doc_count": 2}]


def test_nothing_is_answered_of_no_index() -> None:
    """As of indices without documents."""
    assert asked({"terms": {"field": "x"}}) == {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": 0,
        "buckets": [],
    }
