"""Which part of a query an event met or failed, in words."""

from __future__ import annotations

from typing import Any

import pytest

from fuzz.kql_documents import FIELDS, MAPPINGS, Documents
from fuzz.kql_queries import WEIGHTS, Queries
from lolbin_rules.dsl.explain import Explained, explain, explained_lines
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.errors import StoreRejected, Unsupported
from lolbin_rules.query.kql.compile import compile_kql
from lolbin_rules.store.port import FieldTypes

MAPPING = IndexMapping(
    {
        "properties": {
            "name": {"type": "keyword", "fields": {"words": {"type": "text"}}},
            "args": {"type": "keyword"},
            "line": {"type": "text"},
            "ip": {"type": "ip"},
            "pid": {"type": "long"},
            "ok": {"type": "boolean"},
            "at": {"type": "date"},
            "kind": {"type": "constant_keyword", "value": "logs"},
            "host": {"properties": {"name": {"type": "keyword"}}},
        }
    }
)
EVENT = {
    "name": "regsvr32.exe",
    "args": ["/s", ["/u", None]],
    "line": "access denied",
    "ip": "10.0.0.7",
    "pid": 7,
    "ok": True,
    "host": [{"name": "a"}, {"name": "b"}],
    "host.name": "c",
}
NOW = 1_790_000_000_000

LEAVES: list[tuple[dict[str, Any], str]] = [
    ({"term": {"name": {"value": "regsvr32.exe"}}}, 'met    name is "regsvr32.exe" - the event has "regsvr32.exe"'),
    (
        {"term": {"name": {"value": "REGSVR32.EXE", "case_insensitive": True}}},
        'met    name is "REGSVR32.EXE" (any case) - the event has "regsvr32.exe"',
    ),
    ({"term": {"name": "x"}}, 'FAILED name is "x" - the event has "regsvr32.exe"'),
    ({"terms": {"args": ["/u", "/v"]}}, 'met    args is one of "/u", "/v" - the event has "/s", "/u"'),
    (
        {"terms": {"args": list("abcdefg"), "boost": 2}},
        'FAILED args is one of "a", "b", "c", "d", "e" and 2 more - the event has "/s", "/u"',
    ),
    ({"terms": {"host.name": ["c"]}}, 'met    host.name is one of "c" - the event has "a", "b", "c"'),
    ({"term": {"ip": "10.0.0.0/8"}}, 'met    ip is in 10.0.0.0/8 - the event has "10.0.0.7"'),
    ({"match": {"ip": "fe80::1"}}, 'FAILED ip is "fe80::1" - the event has "10.0.0.7"'),
    ({"match": {"name": "a/1"}}, 'FAILED name is "a/1" - the event has "regsvr32.exe"'),
    ({"match": {"line": "denied it"}}, 'met    line has a word of "denied it" - the event has "access denied"'),
    (
        {"match": {"line": {"query": "denied it", "operator": "and"}}},
        'FAILED line has all words of "denied it" - the event has "access denied"',
    ),
    (
        {"match_phrase": {"line": "Access Denied"}},
        'met    line has the phrase "Access Denied" - the event has "access denied"',
    ),
    ({"match_phrase": {"name": "x y"}}, 'FAILED name is "x y" - the event has "regsvr32.exe"'),
    (
        {"match": {"name.words": "regsvr32.exe"}},
        'met    name.words has a word of "regsvr32.exe" - the event has "regsvr32.exe"',
    ),
    ({"wildcard": {"name": {"value": "reg*"}}}, 'met    name is like "reg*" - the event has "regsvr32.exe"'),
    ({"prefix": {"name": "reg"}}, 'met    name begins with "reg" - the event has "regsvr32.exe"'),
    ({"regexp": {"name": "r.*"}}, 'met    name matches the regular expression "r.*" - the event has "regsvr32.exe"'),
    ({"range": {"pid": {"gt": 5, "lte": 7}}}, "met    pid > 5 and <= 7 - the event has 7"),
    ({"range": {"pid": {"gte": 8, "boost": 2}}}, 'FAILED pid is in the range {"gte": 8, "boost": 2} - the event has 7'),
    ({"term": {"ok": False}}, "FAILED ok is false - the event has true"),
    ({"exists": {"field": "at"}}, "FAILED at has a value - the event has no value"),
    ({"exists": {"field": "hos*"}}, "met    hos* has a value"),
    ({"exists": {"field": "nothing"}}, "FAILED nothing has a value - the event has no value"),
    ({"term": {"kind": "logs"}}, 'met    kind is "logs" - the event has "logs"'),
    ({"match_all": {}}, "met    any event"),
    ({"match_none": {}}, "FAILED no event"),
    (
        {"query_string": {"fields": ["name"], "query": "reg* x"}},
        'met    name matches the query string "reg* x" - the event has "regsvr32.exe"',
    ),
    ({"query_string": {"query": "denied"}}, 'met    any field matches the query string "denied"'),
    ({"multi_match": {"query": "denied", "lenient": True}}, 'met    any field has a word of "denied"'),
    (
        {"multi_match": {"query": "a b", "fields": ["line", "name"], "type": "phrase"}},
        'FAILED line, name has the phrase "a b"',
    ),
    (
        {"constant_score": {"filter": {"term": {"pid": 7}}}},
        'met    {"constant_score": {"filter": {"term": {"pid": 7}}}}',
    ),
]


@pytest.mark.parametrize(("query", "line"), LEAVES)
def test_a_clause_is_told_in_words(query: dict[str, Any], line: str) -> None:
    """With whether it is met, and what the event has in its field."""
    assert explained_lines(explain(query, MAPPING, EVENT, NOW)) == [line]


A = {"term": {"name": "regsvr32.exe"}}
B = {"term": {"pid": 8}}
C = {"term": {"ok": True}}
TREES: list[tuple[dict[str, Any], list[str]]] = [
    ({"bool": {"filter": [A]}}, ['met    name is "regsvr32.exe" - the event has "regsvr32.exe"']),
    ({"bool": {}}, ["met    any event"]),
    (
        {"bool": {"filter": [A], "must": B, "must_not": [C]}},
        [
            "FAILED all of",
            "FAILED   pid is 8 - the event has 7",
            'met      name is "regsvr32.exe" - the event has "regsvr32.exe"',
            "FAILED   must not: ok is true - the event has true",
        ],
    ),
    ({"bool": {"must_not": [B]}}, ["met    all of", "met      must not: pid is 8 - the event has 7"]),
    (
        {"bool": {"should": [B, C]}},
        ["met    any of", "FAILED   pid is 8 - the event has 7", "met      ok is true - the event has true"],
    ),
    (
        {"bool": {"should": [A, B, C], "minimum_should_match": "-1"}},
        [
            "met    at least 2 of",
            'met      name is "regsvr32.exe" - the event has "regsvr32.exe"',
            "FAILED   pid is 8 - the event has 7",
            "met      ok is true - the event has true",
        ],
    ),
    (
        {"bool": {"filter": A, "should": [B]}},
        [
            "met    all of",
            'met      name is "regsvr32.exe" - the event has "regsvr32.exe"',
            "met      optional, any of",
            "FAILED     pid is 8 - the event has 7",
        ],
    ),
    (
        {"bool": {"filter": [A, {"bool": {"must_not": {"bool": {"should": [B, C]}}}}]}},
        [
            "FAILED all of",
            'met      name is "regsvr32.exe" - the event has "regsvr32.exe"',
            "FAILED   all of",
            "FAILED     must not: any of",
            "FAILED       pid is 8 - the event has 7",
            "met          ok is true - the event has true",
        ],
    ),
]


@pytest.mark.parametrize(("query", "lines"), TREES)
def test_a_bool_is_taken_apart(query: dict[str, Any], lines: list[str]) -> None:
    """By what it requires, allows and excludes."""
    assert explained_lines(explain(query, MAPPING, EVENT, NOW)) == lines


def test_long_values_are_cut() -> None:
    """In the lines alone; the tree has them whole."""
    tree = explain({"term": {"args": "x"}}, MAPPING, {"args": ["a" * 200, *"bcdefg"]}, NOW)
    assert len(tree.values) == 7
    assert explained_lines(tree) == ['FAILED args is "x" - the event has "' + "a" * 99 + '..., "b", "c", "d", "e", ...']


def test_what_cannot_be_asked_is_refused() -> None:
    """As a search would refuse it, however deep it is."""
    with pytest.raises(Unsupported):
        explain({"bool": {"filter": [A, {"nested": {"path": "x", "query": A}}]}}, MAPPING, EVENT, NOW)
    deep: dict[str, Any] = A
    for _ in range(5000):
        deep = {"bool": {"filter": [deep]}}
    with pytest.raises(StoreRejected, match="nested deeper"):
        explain(deep, MAPPING, EVENT, NOW)


def test_every_part_is_met_if_a_search_finds_it() -> None:
    """For queries of every kind: the root says what the matcher says, and the parts add up to it."""
    documents = Documents(7).make(40)
    mapping = IndexMapping(MAPPINGS)
    types = FieldTypes(types={name: {kind: frozenset({"i"})} for name, kind in FIELDS.items()})
    queries = Queries(7, documents)
    found = set()
    for kind in [kind for kind in WEIGHTS if kind != "nested"] * 4:
        asked = queries.make(kind)
        query = compile_kql(asked.text, types, case_insensitive=asked.is_caseless).query
        matcher = Matcher({"q": parse(query, mapping, NOW)})
        reader = Reader(mapping, matcher.fields)
        for source in list(documents.values())[:8]:
            tree = explain(query, mapping, source, NOW)
            assert tree.is_met is ("q" in matcher.match(reader.read(source))), asked.text
            check(tree)
            found.add(tree.is_met)
    assert found == {True, False}


def check(tree: Explained) -> None:
    """Whether the parts of a tree add up."""
    text = tree.text.removeprefix("must not: ")
    if tree.children:
        together = all if text == "all of" else any
        assert text in {"all of", "any of"}
        assert together(child.is_met for child in tree.children) is (tree.is_met is (text == tree.text))
    for child in tree.children:
        check(child)
