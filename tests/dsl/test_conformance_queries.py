"""Queries find what an 8.19.9 node found, document by document and by columns; its answers were recorded."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from queried import REFUSED, UNSUPPORTED, Queried

HERE = Path(__file__).parent
NOW_MS = 1_795_319_035_905
EXECUTORS = ("by_matcher", "by_columns")


@cache
def conformance() -> dict[str, Any]:
    """The 358 queries of the first study."""
    recorded: dict[str, Any] = json.loads((HERE / "conformance" / "elasticsearch-8.19.9.json").read_text("utf-8"))
    return recorded


@cache
def groups() -> dict[str, dict[str, Any]]:
    """The queries of `record_queries.py`: name -> group."""
    listed = json.loads((HERE / "recorded" / "queries.json").read_text("utf-8"))
    return {group["name"]: group for group in listed}


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """What was found otherwise; what is unsupported was not looked for, and may as well be refused."""
    may_be = {REFUSED: {REFUSED, UNSUPPORTED}}
    return [
        f"{query}: {found[query]!r}, and the node said {answer!r}"
        for query, answer in expected.items()
        if found[query] not in may_be.get(answer, {answer, UNSUPPORTED})
    ]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_queries_of_the_first_study_find_what_the_node_found(executor: str) -> None:
    """All but those for similar words, which are not supported."""
    recorded = conformance()
    queried = Queried(recorded["mapping"], recorded["documents"], recorded["now"])
    queries = {json.dumps(case["query"]): case["query"] for case in recorded["queries"]}
    expected = {
        json.dumps(case["query"]): " ".join(sorted(case["hits"])) if "hits" in case else REFUSED
        for case in recorded["queries"]
    }
    found = getattr(queried, executor)(queries)
    assert differences(expected, found) == []
    assert sum(answer == UNSUPPORTED for answer in found.values()) == 2


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("name", "most_unsupported"),
    [("types", 0.07), ("query_string", 0.01), ("simple_query_string", 0.05), ("date_nanos", 0), ("analyzers", 0)],
)
def test_odd_queries_find_what_the_node_found(name: str, most_unsupported: float, executor: str) -> None:
    """Values that do not fit their fields, options nobody uses, malformed queries: found, refused or unsupported."""
    group = groups()[name]
    queries = {json.dumps(query): query for query, _ in group["queries"]}
    found = getattr(Queried(group["mapping"], group["documents"], NOW_MS), executor)(queries)
    expected = {json.dumps(query): answer for query, answer in group["queries"]}
    assert differences(expected, found) == []
    assert sum(answer == UNSUPPORTED for answer in found.values()) <= most_unsupported * len(found)
