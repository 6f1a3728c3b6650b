"""Conditions become the clauses that the index's field types call for."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.errors import RenderError
from lolbin_rules.query.match import compile_match, fields_of, timestamp_misfits
from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.store.port import FieldTypes

LISTS = {
    "private": NamedList(id="private", name="Private", type="cidr", values=("10.0.0.0/8", "fe80::/10")),
    "ranges": NamedList(id="ranges", name="Ranges", type="cidr", values=("10.0.0.1-10.0.0.9", "fe80::/10", "::1-::2")),
    "names": NamedList(id="names", name="Names", type="keyword", values=("a.exe", "b.exe")),
}


def rule(match: dict[str, Any], exclude: dict[str, Any] | None = None, **more: Any) -> Rule:
    """A rule with this logic."""
    return Rule.model_validate(
        {
            "id": "r",
            "name": "R",
            "description": "d",
            "author": "a",
            "license": "Apache-2.0",
            "index": "logs-*",
            "severity": "low",
            "risk_score": 1,
            "match": match,
            "exclude": exclude or {},
            **more,
        }
    )


def types(**by_field: str | dict[str, str]) -> FieldTypes:
    """Field types: `process_name="keyword"`, or by index: `process_name={"i1": "keyword", "i2": "text"}`."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for name, given in by_field.items():
        per_index = {"i1": given} if isinstance(given, str) else given
        found[name.replace("_", ".")] = {
            kind: frozenset(index for index, its in per_index.items() if its == kind) for kind in per_index.values()
        }
    return FieldTypes(types=found)


CASES: list[tuple[Any, FieldTypes, dict[str, Any]]] = [
    ("x", types(), {"term": {"a.b": {"value": "x"}}}),
    (["x", "y"], types(a_b="keyword"), {"terms": {"a.b": ["x", "y"]}}),
    (3, types(a_b="long"), {"term": {"a.b": {"value": 3}}}),
    (True, types(a_b="boolean"), {"term": {"a.b": {"value": True}}}),
    (
        {"any_of": ["x", "y"], "case_insensitive": True},
        types(a_b="keyword"),
        {
            "bool": {
                "should": [
                    {"term": {"a.b": {"value": "x", "case_insensitive": True}}},
                    {"term": {"a.b": {"value": "y", "case_insensitive": True}}},
                ],
                "minimum_should_match": 1,
            }
        },
    ),
    ({"any_of": "x", "case_insensitive": True}, types(), {"term": {"a.b": {"value": "x", "case_insensitive": True}}}),
    ({"any_of": 3, "case_insensitive": True}, types(a_b="long"), {"term": {"a.b": {"value": 3}}}),
    ("x y", types(a_b="text"), {"match_phrase": {"a.b": "x y"}}),
    (
        "x",
        types(a_b={"i1": "keyword", "i2": "text"}),
        {
            "bool": {
                "should": [{"term": {"a.b": {"value": "x"}}}, {"match_phrase": {"a.b": "x"}}],
                "minimum_should_match": 1,
            }
        },
    ),
    ({"wildcard": "*scrobj*"}, types(a_b="keyword"), {"wildcard": {"a.b": {"value": "*scrobj*"}}}),
    (
        {"wildcard": ["a*", "b*"], "case_insensitive": True},
        types(a_b="keyword"),
        {
            "bool": {
                "should": [
                    {"wildcard": {"a.b": {"value": "a*", "case_insensitive": True}}},
                    {"wildcard": {"a.b": {"value": "b*", "case_insensitive": True}}},
                ],
                "minimum_should_match": 1,
            }
        },
    ),
    ({"gte": 1, "lt": 5}, types(a_b="long"), {"range": {"a.b": {"gte": 1, "lt": 5}}}),
    ({"gt": "now-1d"}, types(a_b="date"), {"range": {"a.b": {"gt": "now-1d"}}}),
    ({"exists": True}, types(a_b="keyword"), {"exists": {"field": "a.b"}}),
    ({"cidr": ["10.0.0.0/8", "::1"]}, types(a_b="ip"), {"terms": {"a.b": ["10.0.0.0/8", "::1"]}}),
    ({"list": "private"}, types(a_b="ip"), {"terms": {"a.b": ["10.0.0.0/8", "fe80::/10"]}}),
    (
        {"list": "ranges"},
        types(a_b="ip"),
        {
            "bool": {
                "should": [
                    {"term": {"a.b": {"value": "fe80::/10"}}},
                    {"range": {"a.b": {"gte": "10.0.0.1", "lte": "10.0.0.9"}}},
                    {"range": {"a.b": {"gte": "::1", "lte": "::2"}}},
                ],
                "minimum_should_match": 1,
            }
        },
    ),
    ({"list": ["names"]}, types(a_b="keyword"), {"terms": {"a.b": ["a.exe", "b.exe"]}}),
    ("{{ vars.name }}.exe", types(), {"term": {"a.b": {"value": "filled.exe"}}}),
]


@pytest.mark.parametrize(("condition", "found", "expected"), CASES)
def test_a_condition_becomes_one_clause(condition: Any, found: FieldTypes, expected: dict[str, Any]) -> None:
    """Each kind of condition, under `match` a filter and under `exclude` a must_not, nothing else."""
    asked = compile_match(rule({"a.b": condition}, vars={"name": "filled"}), LISTS, found)
    assert asked.query == {"bool": {"filter": [expected]}}
    refused = compile_match(rule({"c": "d"}, {"a.b": condition}, vars={"name": "filled"}), LISTS, found)
    assert refused.query == {"bool": {"filter": [{"term": {"c": {"value": "d"}}}], "must_not": [expected]}}
    assert not asked.misfits


def test_a_field_that_must_be_absent_changes_sides() -> None:
    """`exists: false` is a must_not under `match` and a filter under `exclude`."""
    query = compile_match(rule({"a": {"exists": False}}, {"b": {"exists": False}}), LISTS, types()).query
    assert query == {"bool": {"filter": [{"exists": {"field": "b"}}], "must_not": [{"exists": {"field": "a"}}]}}


def test_a_lower_case_sub_field_takes_the_place_of_caseless_terms() -> None:
    """`terms` on the sub-field is asked where every index has it, and only for ASCII text."""
    caseless = {"any_of": ["A.EXE", "b.exe"], "case_insensitive": True}
    there = FieldTypes(types={"n": {"keyword": frozenset({"i"})}}, lowercase=frozenset({"n.caseless"}))
    asked = compile_match(rule({"n": caseless}), LISTS, there)
    assert asked.query == {"bool": {"filter": [{"terms": {"n.caseless": ["a.exe", "b.exe"]}}]}}
    assert "n.caseless" in fields_of(rule({"n": caseless}))
    beyond = {"any_of": ["\u212aelvin", "b"], "case_insensitive": True}
    assert "should" in str(compile_match(rule({"n": beyond}), LISTS, there).query)
    with_number = {"any_of": ["a", 3], "case_insensitive": True}
    assert "should" in str(compile_match(rule({"n": with_number}), LISTS, there).query)


MISFITS: list[tuple[Any, str]] = [
    ({"cidr": "10.0.0.0/8"}, "keyword"),
    ({"list": "private"}, "keyword"),
    ({"list": "private"}, "long"),
    ({"list": "ranges"}, "keyword"),
    ("text", "long"),
    ("text", "ip"),
    ("text", "boolean"),
    ("text", "object"),
    ("text", "nested"),
    ({"any_of": "x", "case_insensitive": True}, "ip"),
    ({"any_of": "x", "case_insensitive": True}, "long"),
    ({"wildcard": "x*"}, "text"),
    ({"wildcard": "x*"}, "long"),
    ({"gte": 5}, "keyword"),
    ({"gte": "now-1d"}, "long"),
]


@pytest.mark.parametrize(("condition", "found"), MISFITS)
def test_an_index_that_means_something_else_is_named(condition: Any, found: str) -> None:
    """A clause that an index's mapping would change the meaning of names field, type and that index only."""
    compiled = compile_match(rule({"a.b": condition}), LISTS, types(a_b={"good": "unmapped", "bad": found}))
    (misfit,) = compiled.misfits
    assert (misfit.field, misfit.found, misfit.indices) == ("a.b", found, ("bad",))
    assert compiled.left_out == ("bad",)
    assert "a.b" in str(misfit)
    assert "bad" in str(misfit)


def test_a_field_that_no_index_has_is_unknown_but_fits() -> None:
    """Unmapped fields match nothing in Elasticsearch: they are reported, not left out."""
    compiled = compile_match(rule({"a.b": "x", "c": "y"}), LISTS, types(a_b={"i": "unmapped"}, c={"i": "keyword"}))
    assert compiled.unknown == ("a.b",)
    assert not compiled.misfits


def test_the_fingerprint_names_the_logic() -> None:
    """It changes with query, list, variable and field type, and not with name or misfits."""
    plain = compile_match(rule({"a.b": "x"}), LISTS, types())
    again = compile_match(rule({"a.b": "x"}, name="Other"), LISTS, types(a_b={"i": "keyword", "j": "long"}))
    assert plain.fingerprint("query") == again.fingerprint("query")
    assert again.misfits
    others = [
        compile_match(rule({"a.b": "y"}), LISTS, types()),
        compile_match(rule({"a.b": "x"}), LISTS, types(a_b="text")),
        compile_match(rule({"a.b": {"list": "names"}}), LISTS, types()),
    ]
    assert len({one.fingerprint("query") for one in (plain, *others)}) == 4
    assert plain.fingerprint("query") != plain.fingerprint("other")


def test_a_list_of_networks_must_hold_networks() -> None:
    """A template that fills in something else than an address is refused before it can exclude nothing."""
    with pytest.raises(RenderError, match="no address"):
        compile_match(rule({"c": "d"}, {"ip": {"list": ["private", "names"]}}), LISTS, types(ip="ip"))
    lists = {"l": NamedList(id="l", name="L", type="keyword", values=("10.0.0.9-10.0.0.1",)), **LISTS}
    with pytest.raises(RenderError, match="no address"):
        compile_match(rule({"c": "d"}, {"ip": {"list": ["private", "l"]}}), lists, types(ip="ip"))


def test_a_time_field_must_be_a_date_wherever_there_are_documents() -> None:
    """Indices that lack the time field or keep it as text are misfits of their own."""
    found = FieldTypes(
        types={"@timestamp": {"date": frozenset({"a"}), "keyword": frozenset({"b"}), "unmapped": frozenset({"c"})}}
    )
    assert [misfit.indices for misfit in timestamp_misfits(found, "@timestamp")] == [("b",), ("c",)]
