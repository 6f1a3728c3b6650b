"""Types of the keyword and text families that a node without x-pack lacks: `constant_keyword`, `wildcard` and others.

What is expected here is documented, not recorded.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lolbin_rules.dsl.clause import Clause, Every, Leaf, Nothing, OneOf
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.predicates import Caseless, Present, Wildcard
from lolbin_rules.dsl.word_tests import AnyWord, Phrase

MAPPING = IndexMapping(
    {
        "properties": {
            "dataset": {"type": "constant_keyword", "value": "sysmon.operational"},
            "unset": {"type": "constant_keyword"},
            "line": {"type": "wildcard"},
            "message": {"type": "match_only_text"},
            "name": {"type": "keyword", "normalizer": "lowercase"},
            "other": {"type": "alias", "path": "name"},
        }
    }
)


@pytest.mark.parametrize(
    "query",
    [
        {"term": {"dataset": "sysmon.operational"}},
        {"term": {"dataset": "sysmon.*"}},
        {"term": {"dataset": {"value": "SYSMON.Operational", "case_insensitive": True}}},
        {"terms": {"dataset": ["x", "sysmon.operational"]}},
        {"match": {"dataset": "sysmon.operational"}},
        {"match_phrase": {"dataset": "sysmon.operational"}},
        {"prefix": {"dataset": "sysmon"}},
        {"wildcard": {"dataset": "*oper*"}},
        {"regexp": {"dataset": "sysmon\\..*"}},
        {"range": {"dataset": {"gte": "s", "lt": "t"}}},
        {"exists": {"field": "dataset"}},
        {"query_string": {"query": "dataset:sysmon*"}},
    ],
)
def test_a_constant_is_true_of_every_document_or_of_none(query: dict[str, Any]) -> None:
    """It is decided when the query is read."""
    assert parse(query, MAPPING, 0) == Every()
    if "exists" not in query:
        others = {"sysmon": "winlog", "SYSMON": "WINLOG", "oper": "log", '"s"': '"w"', '"t"': '"x"'}
        assert parse(rewritten(query, others), MAPPING, 0) == Nothing()
    assert parse(rewritten(query, {"dataset": "unset"}), MAPPING, 0) == Nothing()


def rewritten(query: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """The query with other words."""
    text = json.dumps(query)
    for word, other in words.items():
        text = text.replace(word, other)
    other_query: dict[str, Any] = json.loads(text)
    return other_query


@pytest.mark.parametrize(
    ("query", "clause"),
    [
        ({"term": {"line": "a"}}, Leaf("line", OneOf(frozenset({"a"})))),
        ({"term": {"line": ""}}, Nothing()),
        ({"regexp": {"line": ""}}, Nothing()),
        ({"wildcard": {"line": "*"}}, Leaf("line", Present())),
        ({"wildcard": {"line": "a*"}}, Leaf("line", Wildcard("a*"))),
        ({"wildcard": {"line": "abc"}}, Leaf("line", OneOf(frozenset({"abc"})))),
        (
            {"wildcard": {"line": {"value": "CMD.exe", "case_insensitive": True}}},
            Leaf("line", Caseless(frozenset({"cmd.exe"}))),
        ),
        ({"regexp": {"line": "cmd\\.exe"}}, Leaf("line", OneOf(frozenset({"cmd.exe"})))),
        ({"match": {"message": "QUICK"}}, Leaf("message", AnyWord(OneOf(frozenset({"quick"}))))),
        ({"match_phrase": {"message": "quick fox"}}, Leaf("message", Phrase(("quick", "fox")))),
        ({"exists": {"field": "message"}}, Leaf("message", Present())),
        ({"term": {"other": "ABC"}}, Leaf("name", OneOf(frozenset({"abc"})))),
        ({"wildcard": {"name": "\\AB*"}}, Leaf("name", Wildcard("\\Ab*"))),
    ],
)
def test_patterns_of_exact_texts_are_exact(query: dict[str, Any], clause: Clause) -> None:
    """Executors look those up; normalizers and aliases are followed."""
    assert parse(query, MAPPING, 0) == clause


def test_the_name_of_the_index_is_a_constant_as_well() -> None:
    """Its pattern is matched when documents are."""
    assert parse({"term": {"_index": "winlogbeat-*"}}, MAPPING, 0) == Leaf("_index", Wildcard("winlogbeat-*"))
    assert parse({"prefix": {"_index": "logs-"}}, MAPPING, 0) == Leaf("_index", Wildcard("logs-*"))
    assert parse({"terms": {"_index": ["a", "b"]}}, MAPPING, 0) == Leaf("_index", OneOf(frozenset({"a", "b"})))
