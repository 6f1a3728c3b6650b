"""Hits are ordered as on an 8.19.9 node, with its sort values: its answers are recorded (see `record_searches`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.order import Ordering, SortField, parse_sort
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.errors import StoreRejected, Unsupported

RECORDED = json.loads((Path(__file__).parent / "conformance" / "searches-8.19.9.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = [case for case in RECORDED["cases"] if "sort" in case]


class Index:
    """A recorded index in segments of `rows` documents each."""

    def __init__(self, name: str, rows: int) -> None:
        recorded = RECORDED["indices"][name]
        self.mapping = IndexMapping(recorded["mapping"])
        self.segments = {}
        for first in range(0, len(recorded["documents"]), rows):
            indexer = Indexer(self.mapping)
            for source in recorded["documents"][first : first + rows]:
                indexer.add(source)
            numbers = Column.of_numbers(np.arange(first, first + indexer.size))
            columns = {name: column.compact() for name, column in indexer.columns().items()}
            self.segments[first] = MemorySegment({**columns, "_seq_no": numbers}, indexer.size)

    def hits(self, case: dict[str, Any]) -> list[tuple[Any, str, list[Any]]]:
        """Keys to order by, ids and sort values."""
        clause = parse(case.get("query", {"match_all": {}}), self.mapping, 0)
        sort, after = parse_sort(case["sort"]), case.get("search_after")
        return [
            (found.key, str(first + found.row), found.values)
            for first, segment in self.segments.items()
            for found in Ordering(sort, self.mapping, segment, evaluate({"q": clause}, segment)["q"]).first(after=after)
        ]


@pytest.fixture(scope="module", params=[100, 2, 1], ids=["one segment", "pairs", "a segment per document"])
def indices(request: pytest.FixtureRequest) -> dict[str, Index]:
    """The order does not depend on how documents are spread over segments."""
    return {name: Index(name, request.param) for name in ("sorted", "unmapped")}


def named(case: dict[str, Any]) -> str:
    """A name for a case."""
    return json.dumps([case["sort"], case.get("search_after")])


@pytest.mark.parametrize("case", CASES, ids=map(named, CASES))
def test_hits_are_ordered_as_recorded(indices: dict[str, Index], case: dict[str, Any]) -> None:
    """Missing values, several values, all types, and going on after a hit."""
    if "refused" in case:
        with pytest.raises(StoreRejected):
            [indices[name].hits(case) for name in case["indices"]]
    else:
        hits = [hit for name in case["indices"] for hit in indices[name].hits(case)]
        assert [[name, values] for _, name, values in sorted(hits, key=lambda hit: hit[0])] == case["answer"]


@pytest.mark.parametrize(
    ("sort", "what"),
    [
        ("_score", '"_score"'),
        ([{"_script": {}}], "_script"),
        ({"n": {"mode": "avg"}}, '"mode": "avg" in the sort by "n"'),
        ({"n": {"nested": {"path": "a"}}}, "nested"),
        ({"n": {"numeric_type": "double"}}, "numeric_type"),
        ({"n": {"numeric_type": "date"}}, "numeric_type"),
        ({"n": {"format": "000"}}, '"format" for field "n"'),
        ({"f": "asc"}, 'field "f" of type flattened'),
        ({"_seq_no": "asc"}, '"_seq_no"'),
    ],
)
def test_what_cannot_be_sorted_by_is_refused_by_name(sort: Any, what: str) -> None:
    """What Elasticsearch could do and this cannot."""
    mapping = IndexMapping({"properties": {"n": {"type": "long"}, "f": {"type": "flattened"}}})
    with pytest.raises(Unsupported, match=what):
        Ordering(parse_sort(sort), mapping, MemorySegment({}, 1), np.zeros(1, np.uint32))


def test_a_limit_takes_the_first() -> None:
    """Ties keep the order of rows."""
    segment = MemorySegment({"n": Column.of([(2,), (1,), (), (1,), (3, 0)])}, 5)
    mapping = IndexMapping({"properties": {"n": {"type": "long"}}})
    rows = np.array([0, 1, 2, 3, 4], dtype=np.uint32)
    assert [found.row for found in Ordering([SortField("n")], mapping, segment, rows).first(3)] == [4, 1, 3]
    assert [found.row for found in Ordering([SortField("n")], mapping, segment, rows[1:4]).first()] == [1, 3, 2]
    assert [found.row for found in Ordering([], mapping, segment, rows[1:4]).first(2)] == [1, 2]
