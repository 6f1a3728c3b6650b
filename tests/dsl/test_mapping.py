"""Mappings: what Elasticsearch refuses, what fields say of themselves, and that a mapping survives being written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recorded_cases import recorded

from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.errors import StoreRejected, Unsupported

GROUPS = recorded("mappings")

NORMALIZER = {"analysis": {"normalizer": {"n": {"type": "custom", "filter": ["lowercase", "asciifolding"]}}}}
MAPPING: dict[str, Any] = {
    "dynamic": "false",
    "properties": {
        "@timestamp": {"type": "date"},
        "process": {
            "properties": {
                "name": {
                    "type": "keyword",
                    "ignore_above": 1024,
                    "fields": {
                        "text": {"type": "match_only_text"},
                        "caseless": {"type": "keyword", "normalizer": "lowercase"},
                        "short": {"type": "keyword", "normalizer": "lowercase", "ignore_above": 255},
                    },
                },
                "pid": {"type": "long"},
                "exe": {"type": "alias", "path": "process.name"},
            }
        },
        "empty": {"type": "object"},
        "off": {"type": "object", "enabled": False},
        "data_stream": {"properties": {"type": {"type": "constant_keyword", "value": "logs"}}},
        "path": {"type": "wildcard"},
        "labels": {"type": "flattened"},
        "lab": {"type": "alias", "path": "labels"},
        "items": {"type": "nested", "properties": {"code": {"type": "keyword", "fields": {"n": {"type": "long"}}}}},
        "place": {"type": "geo_point", "fields": {"text": {"type": "keyword"}}},
    },
}


@pytest.fixture
def mapping() -> IndexMapping:
    """One of each."""
    return IndexMapping(MAPPING)


@pytest.mark.parametrize("group", GROUPS, ids=json.dumps)
def test_mappings_are_refused_as_by_a_node(group: dict[str, Any]) -> None:
    """Every recorded mapping."""
    try:
        IndexMapping(group["mappings"], group.get("settings"))
    except Unsupported:
        raise
    except StoreRejected:
        assert not group["taken"]
    else:
        assert group["taken"]


@pytest.mark.parametrize(
    ("name", "kind", "family"),
    [
        ("process.name", "keyword", "keyword"),
        ("process.name.text", "match_only_text", "text"),
        ("process.exe", "keyword", "keyword"),
        ("process", None, "object"),
        ("empty", None, "unmapped"),
        ("off", None, "unmapped"),
        ("off.x", None, "unmapped"),
        ("process.nope", None, "unmapped"),
        ("data_stream.type", "constant_keyword", "keyword"),
        ("path", "wildcard", "keyword"),
        ("labels", "flattened", "flattened"),
        ("labels.a.b", "flattened", "unmapped"),
        ("lab.a", "flattened", "unmapped"),
        ("items", None, "nested"),
        ("items.code", "nested", "keyword"),
        ("items.code.n", "nested", "long"),
        ("place", "geo_point", "geo_point"),
        ("place.text", "keyword below a geo_point", "keyword"),
        ("_id", "_id", "_id"),
        ("_index", "_index", "_index"),
        ("_seq_no", "_seq_no", "_seq_no"),
    ],
)
def test_fields_and_their_types(mapping: IndexMapping, name: str, kind: str | None, family: str) -> None:
    """What queries are told, and what `_field_caps` tells."""
    field = mapping.field(name)
    assert (field.type if field else None) == kind
    assert mapping.types(name) == family
    assert mapping.is_object(name) == (name in ("process", "empty", "off", "items", "data_stream"))


def test_an_alias_is_its_target(mapping: IndexMapping) -> None:
    """The field that it stands for, not one of its own name."""
    assert mapping.field("process.exe") == mapping.field("process.name")


def test_fields_below_objects_and_by_pattern(mapping: IndexMapping) -> None:
    """Sub-fields and the targets of aliases are among them, each once; metadata fields are not."""
    names = [field.name for field in mapping.under("process")]
    subfields = ["process.name.text", "process.name.caseless", "process.name.short"]
    assert names == ["process.name", *subfields, "process.pid"]
    assert mapping.under("proc") == mapping.under("process.name") == []
    assert [field.name for field in mapping.matching("process.*")] == names
    assert [field.name for field in mapping.matching("*.pid")] == ["process.pid"]
    assert [field.name for field in mapping.matching("process.e*")] == ["process.name"]
    assert [field.name for field in mapping.matching("process.pid")] == ["process.pid"]
    assert mapping.matching("_i*") == mapping.matching("_id") == mapping.matching("no*") == []


def test_sub_fields_have_the_source_of_their_parent(mapping: IndexMapping) -> None:
    """So that whoever reads documents knows where to look."""
    field = mapping.field("process.name.caseless")
    assert field is not None
    assert (field.source, field.normalizer, field.ignore_above) == ("process.name", "lowercase", None)


def test_is_lowercase(mapping: IndexMapping) -> None:
    """Only the normalizer that Elasticsearch brings, and only where it keeps long texts."""
    assert mapping.is_lowercase("process.name.caseless")
    assert not any(map(mapping.is_lowercase, ["process.name.short", "process.name", "process.exe", "nope", "process"]))
    own = {"analysis": {"normalizer": {"low": {"type": "lowercase"}}}}
    definition = {"properties": {"a": {"type": "keyword", "normalizer": "low"}}}
    assert not IndexMapping(definition, own).is_lowercase("a")
    hidden = {"index.analysis.normalizer.lowercase.type": "lowercase"}
    assert not IndexMapping(MAPPING, hidden).is_lowercase("process.name.caseless")
    assert not IndexMapping(MAPPING, {"mapping": {"ignore_above": 100}}).is_lowercase("process.name.caseless")


@pytest.mark.parametrize(
    "settings",
    [
        {"index.mapping.ignore_above": 3},
        {"index": {"mapping": {"ignore_above": "3"}}},
        {"mapping.ignore_above": 3},
        {"index": {"mapping.ignore_above": 3}},
    ],
)
def test_settings_in_any_form(settings: dict[str, Any]) -> None:
    """Nested, dotted, with `index` or without."""
    field = IndexMapping({"properties": {"a": {"type": "keyword"}}}, settings).field("a")
    assert field is not None
    assert field.ignore_above == 3


@pytest.mark.parametrize(
    ("mappings", "settings"),
    [
        ({"dynamic": "runtime"}, {}),
        ({"dynamic_templates": [{"a": {"match": "x", "runtime": {}}}]}, {}),
        ({"dynamic_templates": [{"a": {"match": "(?<=x)(?", "match_pattern": "regex", "mapping": {}}}]}, {}),
        ({"properties": {"a": {"type": "keyword", "normalizer": "n"}}}, NORMALIZER),
        ({"properties": {"a": {"type": "keyword", "script": "emit(1)"}}}, {}),
        ({"properties": {"a": {"type": "date", "format": "GG"}}}, {}),
        ({"properties": {"a": {"type": "date", "format": "week_date"}}}, {}),
        ({"properties": {"a": {"type": "date", "format": "dd MMM yyyy", "locale": "de"}}}, {}),
    ],
)
def test_what_cannot_be_done_exactly_is_refused_by_name(mappings: Any, settings: Any) -> None:
    """Elasticsearch takes these."""
    with pytest.raises(Unsupported, match=r'"'):
        IndexMapping(mappings, settings)


@pytest.mark.parametrize(
    ("definition", "settings"),
    [
        ({"analyzer": "simple"}, {}),
        ({"search_analyzer": "whitespace"}, {}),
        ({}, {"index.analysis.analyzer.default.type": "keyword"}),
    ],
)
def test_a_text_of_another_analyzer_cannot_be_asked(definition: Any, settings: Any) -> None:
    """Its type says why; whoever tells types still says that it is a text."""
    mapping = IndexMapping({"properties": {"a": {"type": "text", **definition}}}, settings)
    field = mapping.field("a")
    assert field is not None
    assert field.type.startswith("text with the analyzer ")
    assert mapping.types("a") == "text"


def test_runtime_fields_hide_mapped_ones() -> None:
    """Nothing can be asked of them."""
    mapping = IndexMapping({"runtime": {"a": {"type": "keyword"}}, "properties": {"a": {"type": "long"}}})
    field = mapping.field("a")
    assert field is not None
    assert field.type == "runtime field"
    assert mapping.types("a") == "keyword"


@pytest.mark.parametrize("group", [group for group in GROUPS if group["taken"]], ids=json.dumps)
def test_a_mapping_survives_being_written(group: dict[str, Any]) -> None:
    """`to_json` is the mapping again: same fields, same JSON; and it is a copy."""
    mapping = IndexMapping(group["mappings"], group.get("settings"))
    written = mapping.to_json()
    again = IndexMapping(json.loads(json.dumps(written)), group.get("settings"))
    assert again.to_json() == written
    assert again.tree.fields == mapping.tree.fields
    written["properties"] = {}
    assert mapping.to_json() == again.to_json()


def test_the_mapping_that_was_given_is_not_touched() -> None:
    """Nor does it matter what becomes of it."""
    given = json.loads(json.dumps(MAPPING))
    mapping = IndexMapping(given)
    mapping.tree.add(mapping.tree.root, "new", {"type": "keyword"})
    assert given == MAPPING
    given["properties"].clear()
    assert mapping.types("process.name") == "keyword"
    assert mapping.version == 1


@pytest.mark.parametrize(
    ("outer", "inner", "is_taken"),
    [
        ({}, {"dynamic": "true"}, True),
        ({}, {"dynamic": "strict"}, False),
        ({"dynamic": "false"}, {"dynamic": False}, True),
        ({"dynamic": "false"}, {"dynamic": True}, False),
        ({}, {"enabled": True, "subobjects": False, "type": "object"}, True),
        ({}, {"enabled": False}, False),
        ({}, {"subobjects": True}, False),
    ],
)
def test_objects_where_there_are_none_say_nothing_else(outer: Any, inner: Any, is_taken: bool) -> None:  # noqa: FBT001
    """As a node does: an object is taken for its fields only, if it asks for nothing that its parent does not."""
    mapping = {**outer, "subobjects": False, "properties": {"deep": {"properties": {"b": {"type": "ip"}}, **inner}}}
    if is_taken:
        assert IndexMapping(mapping, {}).types("deep.b") == "ip"
    else:
        with pytest.raises(StoreRejected, match=r"deep.*subobjects"):
            IndexMapping(mapping, {})
