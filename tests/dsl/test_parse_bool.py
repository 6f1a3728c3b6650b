"""How many clauses of a `bool` have to match: every row was tried on an 8.19.9 node."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.dsl.clause import AtLeast, Every, Leaf, Not, Nothing, OneOf
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.parse.minimum import minimum
from lolbin_rules.errors import StoreRejected

MAPPING = IndexMapping({"properties": {name: {"type": "keyword"} for name in "abcd"}})
A, B, C = ({"term": {name: "x"}} for name in "abc")
a, b, c = (Leaf(name, OneOf(frozenset({"x"}))) for name in "abc")


@pytest.mark.parametrize(
    ("wanted", "count", "number"),
    [
        (1, 3, 1),
        ("2", 3, 2),
        (" 2 ", 3, 2),
        ("+1", 3, 1),
        (-1, 3, 2),
        (-5, 3, 0),
        (5, 3, 5),
        ("67%", 3, 2),
        ("66%", 3, 1),
        ("70%", 10, 7),
        ("29%", 100, 29),
        ("100%", 3, 3),
        ("200%", 3, 6),
        ("-50%", 3, 2),
        ("-100%", 3, 0),
        ("2<75%", 2, 2),
        ("2<75%", 4, 3),
        ("2 < 75%", 4, 3),
        ("2<75% 5<-2", 4, 3),
        ("2<75% 5<-2", 6, 4),
        ("3<50%", 3, 3),
        ("0<1", 3, 1),
        ("2<", 2, 2),
    ],
)
def test_minimum_should_match_is_a_number(wanted: Any, count: int, number: int) -> None:
    """Numbers, percentages, what may be missing, and conditions."""
    assert minimum("bool", wanted, count) == number


@pytest.mark.parametrize("wanted", ["abc", "", "1.5", 1.5, True, "%", "50.5%", "2<", "x<1"])
def test_what_is_no_number_is_refused(wanted: Any) -> None:
    """Whatever the clauses are."""
    with pytest.raises(StoreRejected, match="minimum_should_match"):
        minimum("bool", wanted, 3)


@pytest.mark.parametrize(
    ("body", "clause"),
    [
        ({}, Every()),
        ({"must": []}, Every()),
        ({"should": [], "minimum_should_match": 1}, Every()),
        ({"must": A}, a),
        ({"must": [A], "filter": [B]}, Every((a, b))),
        ({"should": [A, B]}, AtLeast(1, (a, b))),
        ({"should": [A, B], "minimum_should_match": 0}, AtLeast(1, (a, b))),
        ({"should": [A, B], "must_not": C}, Every((AtLeast(1, (a, b)), Not(c)))),
        ({"should": [A, B], "filter": C}, c),
        ({"should": [A, B], "filter": C, "minimum_should_match": 1}, Every((c, AtLeast(1, (a, b))))),
        ({"should": [A, B], "filter": C, "minimum_should_match": 2}, Every((c, a, b))),
        ({"should": [A, B, C], "minimum_should_match": 2}, AtLeast(2, (a, b, c))),
        ({"should": [A, A], "minimum_should_match": 2}, a),
        ({"should": [A, B], "minimum_should_match": 3}, Nothing()),
        ({"must": A, "minimum_should_match": 1}, Nothing()),
        ({"must": A, "minimum_should_match": -1}, a),
        ({"must_not": A, "minimum_should_match": 1}, Not(a)),
        ({"must_not": A, "adjust_pure_negative": False}, Nothing()),
        ({"mustNot": [A, B]}, Every((Not(a), Not(b)))),
        ({"must_not": {"match_all": {}}}, Nothing()),
        ({"must_not": {"match_none": {}}}, Every()),
        ({"should": [{"match_none": {}}, A], "minimum_should_match": "100%"}, Nothing()),
        ({"should": [{"match_all": {}}, A], "minimum_should_match": 2}, a),
        ({"must_not": [{"bool": {"must_not": A}}]}, a),
        ({"filter": {"term": {"nosuch": "x"}}}, Nothing()),
        ({"must": None, "should": A, "boost": 2, "_name": "n"}, a),
    ],
)
def test_a_bool_says_which_of_its_clauses_have_to_match(body: dict[str, Any], clause: Any) -> None:
    """What is optional, what is needed all the same, and what can never be."""
    assert parse({"bool": body}, MAPPING, 0) == clause


@pytest.mark.parametrize(
    "body",
    [
        {"must": "x"},
        {"must": [None]},
        {"must": [[A]]},
        {"must": {}},
        {"foo": A},
        {"minimumShouldMatch": 1, "should": A},
        {"must": A, "boost": -1},
        {"must": A, "boost": "x"},
        {"must": A, "minimum_should_match": "x"},
        {"must_not": A, "minimum_should_match": "x"},
    ],
)
def test_a_malformed_bool_is_refused(body: dict[str, Any]) -> None:
    """Never read as something else."""
    with pytest.raises(StoreRejected):
        parse({"bool": body}, MAPPING, 0)


def test_clauses_may_be_nested_thirty_deep() -> None:
    """As a node has it: 29 around a term."""
    query: dict[str, Any] = A
    for _ in range(29):
        query = {"bool": {"must": query}}
    assert parse(query, MAPPING, 0) == a
    with pytest.raises(StoreRejected, match="30"):
        parse({"constant_score": {"filter": query}}, MAPPING, 0)
