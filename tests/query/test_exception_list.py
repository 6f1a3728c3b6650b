"""Exceptions become the clauses that the index's field types call for, and leave out what they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lolbin_rules.query.exception_list import compile_exceptions, exception_fields
from lolbin_rules.rule.model import ExceptionList, NamedList
from lolbin_rules.store.port import Document, FieldTypes, IndexTemplate, Key, Query, Verdict
from worlds import KINDS, ON_A_NODE, World, open_world

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WITHIN = timedelta(seconds=30)
LISTS = {
    "private": NamedList(
        id="private", name="Private", type="cidr", values=("10.0.0.0/8", "192.168.0.5-192.168.0.9", "fe80::1 - fe80::9")
    ),
    "ranges": NamedList(id="ranges", name="Ranges", type="cidr", values=("10.0.0.1-10.0.0.2",)),
    "names": NamedList(id="names", name="Names", type="keyword", values=("a.exe", "b.exe")),
}
A_RANGE = {"range": {"ip": {"gte": "192.168.0.5", "lte": "192.168.0.9"}}}
ANOTHER = {"range": {"ip": {"gte": "fe80::1", "lte": "fe80::9"}}}
X: Query = {"term": {"a": {"value": "x"}}}

world = pytest.fixture(params=KINDS)(open_world)


def exceptions(*items: list[dict[str, Any]], list_id: str = "e", **more: Any) -> ExceptionList:
    """An exception list with these entries, item by item."""
    written = [{"name": f"item {n}", "reason": "r", "entries": entries, **more} for n, entries in enumerate(items)]
    return ExceptionList.model_validate({"id": list_id, "name": "E", "owner": "o", "items": written})


def types(**by_field: str | dict[str, str]) -> FieldTypes:
    """Field types: `a_b="keyword"`, or by index: `a_b={"i1": "keyword", "i2": "text"}`."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for name, given in by_field.items():
        per_index = {"i1": given} if isinstance(given, str) else given
        found[name.replace("_", ".")] = {
            kind: frozenset(index for index, its in per_index.items() if its == kind) for kind in per_index.values()
        }
    return FieldTypes(types=found)


def either(*clauses: Query) -> Query:
    """One of these."""
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}


CASES: list[tuple[dict[str, Any], FieldTypes, Query]] = [
    ({"field": "a", "type": "match", "value": "x"}, types(), X),
    ({"field": "a", "type": "match", "value": "x"}, types(a="keyword"), X),
    ({"field": "a", "type": "match", "value": "x"}, types(a="text"), {"match_phrase": {"a": "x"}}),
    (
        {"field": "a", "type": "match", "value": "x"},
        types(a={"i1": "keyword", "i2": "text"}),
        either(X, {"match_phrase": {"a": "x"}}),
    ),
    ({"field": "a", "type": "match", "value": 5}, types(a="long"), {"term": {"a": {"value": 5}}}),
    (
        {"field": "ip", "type": "match", "value": "10.0.0.0/8"},
        types(ip="ip"),
        {"term": {"ip": {"value": "10.0.0.0/8"}}},
    ),
    ({"field": "a", "type": "match_any", "value": ["x", "y"]}, types(a="keyword"), {"terms": {"a": ["x", "y"]}}),
    ({"field": "a", "type": "match_any", "value": "x"}, types(a="keyword"), X),
    ({"field": "a", "type": "exists"}, types(a="long"), {"exists": {"field": "a"}}),
    ({"field": "a", "type": "wildcard", "value": "*x?"}, types(a="keyword"), {"wildcard": {"a": {"value": "*x?"}}}),
    ({"field": "a", "type": "list", "list": "names"}, types(a="keyword"), {"terms": {"a": ["a.exe", "b.exe"]}}),
    (
        {"field": "ip", "type": "list", "list": "private"},
        types(ip="ip"),
        either({"term": {"ip": {"value": "10.0.0.0/8"}}}, A_RANGE, ANOTHER),
    ),
    (
        {"field": "ip", "type": "list", "list": "ranges"},
        types(ip="ip"),
        {"range": {"ip": {"gte": "10.0.0.1", "lte": "10.0.0.2"}}},
    ),
]


@pytest.mark.parametrize(("entry", "found", "expected"), CASES)
def test_an_entry_becomes_one_clause(entry: dict[str, Any], found: FieldTypes, expected: Query) -> None:
    """Included it is a filter, excluded a must_not; all entries of an item must hold."""
    exists = {"field": "z", "type": "exists"}
    listed = exceptions([entry], [{**entry, "operator": "excluded"}, exists], [entry, exists])
    included, excluded, both = compile_exceptions([listed], LISTS, found, NOW)
    assert included.query == {"bool": {"filter": [expected]}}
    assert excluded.query == {"bool": {"filter": [{"exists": {"field": "z"}}], "must_not": [expected]}}
    assert both.query == {"bool": {"filter": [expected, {"exists": {"field": "z"}}]}}
    assert (both.list_id, both.name) == ("e", "item 2")
    assert not included.misfits + excluded.misfits + both.misfits


def test_a_nested_entry_asks_one_object() -> None:
    """Its inner entries are named below the field, and excluded ones are must_not within."""
    inner = [{"field": "b", "type": "match", "value": "x"}, {"field": "c", "type": "exists", "operator": "excluded"}]
    listed = exceptions([{"field": "a", "type": "nested", "entries": inner}])
    (compiled,) = compile_exceptions([listed], LISTS, types(a="nested", a_b="keyword"), NOW)
    within = {"filter": [{"term": {"a.b": {"value": "x"}}}], "must_not": [{"exists": {"field": "a.c"}}]}
    nested = {"path": "a", "query": {"bool": within}, "score_mode": "none", "ignore_unmapped": True}
    assert compiled.query == {"bool": {"filter": [{"nested": nested}]}}
    assert exception_fields([listed]) == {"a", "a.b", "a.c"}
    (elsewhere,) = compile_exceptions([listed], LISTS, types(a={"i": "object", "j": "unmapped"}, a_b="long"), NOW)
    assert [(misfit.field, misfit.found, misfit.indices) for misfit in elsewhere.misfits] == [
        ("a", "object", ("i",)),
        ("a.b", "long", ("i1",)),
    ]


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"type": "match", "value": "x"}, "long"),
    ({"type": "match", "value": "x"}, "ip"),
    ({"type": "match_any", "value": ["10.0.0.1", "x"]}, "ip"),
    ({"type": "wildcard", "value": "x*"}, "text"),
    ({"type": "wildcard", "value": "x*"}, "long"),
    ({"type": "list", "list": "private"}, "keyword"),
    ({"type": "list", "list": "names"}, "ip"),
]


@pytest.mark.parametrize("operator", ["included", "excluded"])
@pytest.mark.parametrize(("entry", "found"), MISFITS)
def test_an_index_that_an_exception_cannot_be_applied_to_is_named(
    entry: dict[str, Any], found: str, operator: str
) -> None:
    """Whoever asks the rule can leave that index out, and only that."""
    listed = exceptions([{"field": "a.b", "operator": operator, **entry}, {"field": "c", "type": "exists"}])
    (compiled,) = compile_exceptions([listed], LISTS, types(a_b={"good": "unmapped", "bad": found}), NOW)
    (misfit,) = compiled.misfits
    assert (misfit.field, misfit.found, misfit.indices) == ("a.b", found, ("bad",))


def test_exceptions_that_are_over_are_left_out() -> None:
    """From the moment on that they name; the others keep their order."""
    entry = [{"field": "a", "type": "exists"}]
    listed = [
        exceptions(entry, list_id="before", expires="2026-11-22T11:59:59Z"),
        exceptions(entry, list_id="now", expires="2026-11-22T12:00:00Z"),
        exceptions(entry, entry, list_id="later", expires="2026-11-22T12:00:01Z"),
        exceptions(entry, list_id="never"),
    ]
    found = compile_exceptions(listed, LISTS, types(), NOW)
    assert [(each.list_id, each.name) for each in found] == [
        ("later", "item 0"),
        ("later", "item 1"),
        ("never", "item 0"),
    ]
    assert compile_exceptions([], LISTS, types(), NOW) == ()


EVENTS: dict[str, dict[str, Any]] = {
    "private": {"name": "a.exe", "ip": "10.1.2.3", "line": "run the backup now", "port": 443},
    "in a range": {"name": "b.exe", "ip": "192.168.0.5"},
    "behind a range": {"name": "B.exe", "ip": "192.168.0.10"},
    "in a range of the other family": {"name": "c.exe", "ip": ["fe80::9", "8.8.8.8"]},
    "public": {"name": ["a.exe", "z.com"], "ip": "8.8.8.8", "line": "backup the run"},
    "nothing": {"other": 1},
}
MEANINGS: list[tuple[list[dict[str, Any]], set[str]]] = [
    ([{"field": "name", "type": "match", "value": "a.exe"}], {"private", "public"}),
    (
        [{"field": "name", "type": "match_any", "value": ["b.exe", "c.exe"]}],
        {"in a range", "in a range of the other family"},
    ),
    ([{"field": "name", "type": "wildcard", "value": "?.exe"}], {*EVENTS} - {"nothing"}),
    ([{"field": "name", "type": "list", "list": "names"}], {"private", "in a range", "public"}),
    ([{"field": "line", "type": "match", "value": "the backup"}], {"private"}),
    ([{"field": "port", "type": "match", "value": 443}], {"private"}),
    ([{"field": "ip", "type": "list", "list": "private"}], {"private", "in a range", "in a range of the other family"}),
    ([{"field": "ip", "type": "exists", "operator": "excluded"}], {"nothing"}),
    (
        [
            {"field": "name", "type": "match", "value": "a.exe"},
            {"field": "ip", "type": "list", "list": "private", "operator": "excluded"},
        ],
        {"public"},
    ),
]


def prepared(world: World, properties: dict[str, Any], events: dict[str, dict[str, Any]]) -> str:
    """An index of this mapping with these events."""
    index = f"{world.prefix}events"
    world.store.prepare([IndexTemplate(index, (index,), 1, {"mappings": {"properties": properties}})])
    written = [Document(Key(index, name), {"@timestamp": NOW.isoformat(), **event}) for name, event in events.items()]
    assert {outcome.verdict for outcome in world.store.create(written)} == {Verdict.CREATED}
    world.store.refresh([index])
    return index


def test_events_that_are_left_out(world: World) -> None:
    """Every store leaves out the same events: those that fit one of the exceptions."""
    mapping = {"@timestamp": "date", "name": "keyword", "ip": "ip", "line": "text", "port": "long"}
    index = prepared(world, {name: {"type": kind} for name, kind in mapping.items()}, EVENTS)
    try:
        listed = exceptions(*(entries for entries, _ in MEANINGS))
        found = world.store.field_types([index], sorted(exception_fields([listed])))
        for compiled, (_, left_out) in zip(compile_exceptions([listed], LISTS, found, NOW), MEANINGS, strict=True):
            assert not compiled.misfits
            for name in EVENTS:
                query = {"bool": {"filter": [compiled.query, {"ids": {"values": [name]}}]}}
                assert world.store.count([index], query, within=WITHIN).value == (name in left_out), (compiled, name)
    finally:
        world.remove(index)


@ON_A_NODE
def test_nested_objects_are_asked_one_by_one(world: World) -> None:
    """One object must hold all inner entries; where the field is not mapped, nothing does, and nothing fails."""
    properties = {"dll": {"type": "nested", "properties": {"name": {"type": "keyword"}, "signed": {"type": "boolean"}}}}
    events = {
        "one object": {"dll": [{"name": "a.dll", "signed": True}, {"name": "b.dll", "signed": False}]},
        "two objects": {"dll": [{"name": "a.dll", "signed": False}, {"name": "b.dll", "signed": True}]},
    }
    index = prepared(world, properties, events)
    try:
        inner = [
            {"field": "name", "type": "match", "value": "a.dll"},
            {"field": "signed", "type": "match", "value": True},
        ]
        listed = exceptions(
            [{"field": "dll", "type": "nested", "entries": inner}],
            [{"field": "so", "type": "nested", "entries": inner}],
        )
        found = world.store.field_types([index], sorted(exception_fields([listed])))
        here, nowhere = compile_exceptions([listed], LISTS, found, NOW)
        assert not here.misfits + nowhere.misfits
        assert world.store.count([index], here.query, within=WITHIN).value == 1
        assert world.store.count([index], nowhere.query, within=WITHIN).value == 0
    finally:
        world.remove(index)
