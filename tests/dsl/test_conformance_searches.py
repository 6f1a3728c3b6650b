"""Sorted and aggregated searches answer as an 8.19.9 node did; its answers were recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lolbin_rules.dsl.aggregations import Part, aggregate
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.order import Ordering, SortedRow, parse_sort
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.segment import FileSegment, MemorySegment, Segment, write_segment
from lolbin_rules.errors import StoreRejected

RECORDED = json.loads((Path(__file__).parent / "conformance" / "elasticsearch-8.19.9.json").read_text(encoding="utf-8"))
NOW_MS = RECORDED["now"]
NAMES = list(RECORDED["documents"])
SEARCHES: list[dict[str, Any]] = RECORDED["searches"]
NOT_RECORDED = {"doc_count_error_upper_bound", "sum_other_doc_count", "_index", "_score", "sort", "max_score"}


class Hits:
    """Gives hits by row."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __call__(self, row: int) -> dict[str, Any]:
        """The hit of a row."""
        return {"_id": self._names[row]}


class Searched:
    """The recorded documents in segments."""

    def __init__(self, bounds: list[int], folder: Path | None, open_files: ExitStack) -> None:
        self.mapping = IndexMapping(RECORDED["mapping"])
        self.segments: list[tuple[int, Segment]] = []
        for first, end in pairwise(bounds):
            indexer = Indexer(self.mapping)
            for name in NAMES[first:end]:
                indexer.add(RECORDED["documents"][name])
            segment: Segment = MemorySegment(indexer.columns(), indexer.size)
            if folder:
                write_segment(folder / str(first), indexer.cut(), indexer.size)
                segment = open_files.enter_context(FileSegment(folder / str(first)))
            self.segments.append((first, segment))

    def rows(self, segment: Segment, body: dict[str, Any]) -> Rows:
        """What the query of a search finds."""
        clause = parse(body.get("query", {"match_all": {}}), self.mapping, NOW_MS)
        return evaluate({"q": clause}, segment)["q"]

    def sorted_hits(self, body: dict[str, Any]) -> list[list[Any]]:
        """Ids and sort values, in order, merged over segments."""
        sort, found = parse_sort(body["sort"]), list[tuple[int, SortedRow]]()
        for first, segment in self.segments:
            rows, after = self.rows(segment, body), body.get("search_after")
            some = Ordering(sort, self.mapping, segment, rows).first(body["size"], after)
            found += [(first, row) for row in some]
        found.sort(key=lambda pair: pair[1].key)
        return [[NAMES[first + row.row], row.values] for first, row in found[: body["size"]]]

    def aggregations(self, body: dict[str, Any]) -> Any:
        """What the aggregations answer."""
        parts = [
            Part(self.mapping, segment, self.rows(segment, body), Hits(NAMES[first:]))
            for first, segment in self.segments
        ]
        return aggregate(body["aggs"], parts, NOW_MS)


@pytest.fixture(scope="module", params=["one segment", "three segments", "no row or one per segment", "files"])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    """Answers do not depend on how rows are spread over segments."""
    bounds = {
        "one segment": [0, len(NAMES)],
        "three segments": [0, 9, 20, len(NAMES)],
        "no row or one per segment": [0, *range(len(NAMES) + 1), len(NAMES)],
        "files": [0, 11, len(NAMES)],
    }[request.param]
    with ExitStack() as open_files:
        yield Searched(bounds, tmp_path_factory.mktemp("segments") if request.param == "files" else None, open_files)


def stripped(answer: Any) -> Any:
    """Without what was left out of the recording."""
    if isinstance(answer, dict):
        return {key: stripped(value) for key, value in answer.items() if key not in NOT_RECORDED}
    return [stripped(each) for each in answer] if isinstance(answer, list) else answer


def named(search: dict[str, Any]) -> str:
    """A name for a search."""
    return f"{search['group']}: {json.dumps(search['body'].get('aggs') or search['body']['sort'])}"


@pytest.mark.parametrize("search", SEARCHES, ids=map(named, SEARCHES))
def test_a_search_answers_as_elasticsearch_did(searched: Searched, search: dict[str, Any]) -> None:
    """The same hits in the same order with the same sort values, and the same buckets."""
    if "error" in search:
        with pytest.raises(StoreRejected):
            searched.aggregations(search["body"])
    elif "hits" in search:
        assert searched.sorted_hits(search["body"]) == search["hits"]
    else:
        assert stripped(searched.aggregations(search["body"])) == search["aggregations"]


def test_nothing_recorded_was_passed_over() -> None:
    """The file is whole."""
    assert len(SEARCHES) == 28
    assert np.unique([search["group"] for search in SEARCHES]).tolist() == [
        *("agg_card", "agg_composite", "agg_other", "agg_terms", "search_after", "sort")
    ]
