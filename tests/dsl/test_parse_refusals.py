"""What is not answered says which clause, which field, why, and what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.dsl.clause import Nothing
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse
from lolbin_rules.errors import StoreRejected, Unsupported

MAPPING = IndexMapping(
    {
        "properties": {
            "name": {"type": "keyword"},
            "hidden": {"type": "keyword", "index": False, "doc_values": False},
            "text": {"type": "text"},
            "pid": {"type": "long"},
            "ip": {"type": "ip"},
            "when": {"type": "date"},
            "flag": {"type": "boolean"},
            "place": {"type": "geo_point"},
        }
    }
)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"nosuch": {}}, ["nosuch"]),
        ({}, ["empty"]),
        ({"term": {"name": "x"}, "match_all": {}}, ["term", "match_all"]),
        ({"term": {"pid": "abc"}}, ["term", "pid", "abc", "long"]),
        ({"term": {"name": {"value": "x", "fuzzy": 1}}}, ["term", "name", "fuzzy"]),
        ({"term": {"name": ["x"]}}, ["term", "name"]),
        ({"term": {"hidden": "x"}}, ["term", "hidden", "not indexed"]),
        ({"term": {"pid": {"value": 1, "case_insensitive": True}}}, ["term", "pid", "case"]),
        ({"terms": {"name": "x"}}, ["terms", "name"]),
        ({"terms": {"name": ["x"], "pid": [1]}}, ["terms"]),
        ({"terms": {"ip": ["10.0.0.0/8", "x"]}}, ["terms", "ip", "x"]),
        ({"terms": {"pid": [2**70]}}, ["terms", "pid", "range"]),
        ({"terms": {"name": [str(n) for n in range(65_537)]}}, ["terms", "name", "65536"]),
        ({"range": {"ip": {"gte": "10.0.0.0/8"}}}, ["range", "ip", "10.0.0.0/8"]),
        ({"range": {"when": {"gte": "yesterday"}}}, ["range", "when", "yesterday"]),
        ({"range": {"when": {"gte": 0, "lt": "2026-01-01"}}}, ["range", "when", "2026-01-01"]),
        ({"range": {"when": {"gte": "2026", "time_zone": "Atlantis"}}}, ["range", "when", "Atlantis"]),
        ({"range": {"pid": {"gte": "abc"}}}, ["range", "pid", "abc"]),
        ({"range": {"place": {"gte": "1"}}}, ["range", "place", "geo_point"]),
        ({"wildcard": {"pid": "1*"}}, ["wildcard", "pid", "long"]),
        ({"prefix": {"ip": "10."}}, ["prefix", "ip"]),
        ({"regexp": {"name": "["}}, ["regexp", "["]),
        ({"regexp": {"name": "a" * 1001}}, ["regexp", "name", "1000"]),
        ({"exists": {"field": ""}}, ["exists"]),
        ({"match": {"flag": "maybe"}}, ["match", "flag", "maybe"]),
        ({"match_phrase": {"text": {"query": "a b", "slop": -1}}}, ["match_phrase", "text", "slop"]),
        ({"multi_match": {"query": "x", "fields": ["name^big"]}}, ["multi_match", "big"]),
        ({"query_string": {"query": "a AND"}}, ["query_string", "a AND"]),
        ({"query_string": {"query": "pid:x", "lenient": False}}, ["query_string", "pid"]),
        ({"boosting": {"positive": {"match_all": {}}}}, ["boosting", "negative"]),
        ({"dis_max": {"queries": []}}, ["dis_max"]),
    ],
)
def test_what_a_node_refuses_is_refused(query: dict[str, Any], words: list[str]) -> None:
    """And the message names what is at fault."""
    with pytest.raises(StoreRejected) as refused:
        parse(query, MAPPING, 0)
    assert not isinstance(refused.value, Unsupported)
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"nested": {"path": "x", "query": {"match_all": {}}}}, ["nested"]),
        ({"script": {"script": "true"}}, ["script"]),
        ({"fuzzy": {"name": "x"}}, ["fuzzy"]),
        ({"match": {"text": {"query": "quikc", "fuzziness": "AUTO"}}}, ["match", "text", "fuzziness"]),
        ({"match": {"text": {"query": "x", "analyzer": "english"}}}, ["match", "text", "analyzer"]),
        ({"match_phrase": {"text": {"query": "a b a", "slop": 1}}}, ["match_phrase", "text", "slop"]),
        ({"query_string": {"query": "text:quikc~"}}, ["query_string", "text", "~"]),
        ({"terms": {"name": {"index": "i", "id": "1", "path": "p"}}}, ["terms", "name"]),
        ({"prefix": {"name": {"value": "a", "rewrite": "top_terms_5"}}}, ["prefix", "name", "top_terms_5"]),
        ({"exists": {"field": "place"}}, ["exists", "place", "geo_point"]),
        ({"term": {"_ignored": "x"}}, ["term", "_ignored"]),
    ],
)
def test_what_cannot_be_done_exactly_is_not_supported_by_name(query: dict[str, Any], words: list[str]) -> None:
    """Never guessed; short words are not made similar by AUTO, so they may be asked for."""
    with pytest.raises(Unsupported) as refused:
        parse(query, MAPPING, 0)
    assert [word for word in words if word not in str(refused.value)] == []
    assert "ELASTICSEARCH_URL" in str(refused.value)


@pytest.mark.parametrize(
    "query",
    [
        {"term": {"nosuch": "x"}},
        {"terms": {"nosuch": [1]}},
        {"range": {"nosuch": {"gte": "x"}}},
        {"exists": {"field": "nosuch"}},
        {"exists": {"field": "nosuch.*"}},
        {"wildcard": {"nosuch": "*"}},
        {"regexp": {"nosuch": ".*"}},
        {"prefix": {"nosuch": ""}},
        {"match": {"nosuch": {"query": "", "zero_terms_query": "all"}}},
        {"match_phrase_prefix": {"nosuch": "x"}},
        {"multi_match": {"query": "x", "fields": ["nosuch"]}},
        {"query_string": {"query": "nosuch:x"}},
        {"terms": {"hidden": []}},
    ],
)
def test_a_field_that_is_not_mapped_matches_nothing(query: dict[str, Any]) -> None:
    """Without an error: indices differ in their fields."""
    assert parse(query, MAPPING, 0) == Nothing()
