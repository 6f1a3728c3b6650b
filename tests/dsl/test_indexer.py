"""Documents against what a node took, mapped and stored of them, and what the indexer promises beyond that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_cases import all_values, recorded, told

from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.indexer import Indexer, Malformed
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.errors import Unsupported

GROUPS = recorded("documents")


def canonical(mapped: Any) -> Any:
    """A part of a mapping without what a node adds, or leaves out, when it writes one."""
    if not isinstance(mapped, dict):
        return mapped
    if mapped.get("type") == "dense_vector":
        return {"type": "dense_vector", "dims": mapped["dims"]}
    kept = {key: canonical(value) for key, value in mapped.items() if key != "locale"}
    if isinstance(kept.get("dynamic"), bool):
        kept["dynamic"] = str(kept["dynamic"]).lower()
    if isinstance(kept.get("copy_to"), str):
        kept["copy_to"] = [kept["copy_to"]]
    if "properties" in kept and kept.get("type") == "object":
        del kept["type"]
    return kept


def taken(indexer: Indexer, source: Any) -> bool:
    """Whether a document is taken; if so, it is a row."""
    try:
        indexer.add(source)
    except Malformed:
        return False
    return True


def replay(group: dict[str, Any], documents: list[str], fields: list[str]) -> tuple[list[bool], list[Any], Any]:
    """Which documents are taken, their values, and what is mapped in the end."""
    mapping = IndexMapping(group["mappings"], group.get("settings", {}))
    indexer = Indexer(mapping)
    is_taken = [taken(indexer, json.loads(text)) for text in documents]
    columns = indexer.columns()
    rows = iter(range(indexer.size))
    values: list[Any] = []
    for each in is_taken:
        row = next(rows) if each else None
        typed = {} if row is None else {name: column.dictionary[column.codes[row]] for name, column in columns.items()}
        values.append(all_values(mapping, fields, {name: found for name, found in typed.items() if found}))
    return is_taken, values, mapping.to_json().get("properties", {})


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_documents_are_taken_mapped_and_stored_as_by_a_node(number: int) -> None:
    """Every recorded document: whether it is taken, its values, and the mapping that it leaves."""
    group = GROUPS[number]
    documents, fields = group["documents"], group.get("fields", [])
    runs = [[text] for text in documents] if group.get("each") else [documents]
    done = 0
    for run, mapped in zip(runs, group["mapped"], strict=True):
        is_taken, values, properties = replay(group, run, fields)
        expected = group["taken"][done : done + len(run)]
        assert dict(zip(run, is_taken, strict=True)) == dict(zip(run, expected, strict=True))
        node_values = group["values"][done : done + len(run)]
        mapping = IndexMapping({**group["mappings"], "properties": properties}, group.get("settings", {}))
        for text, ours, theirs in zip(run, values, node_values, strict=True):
            expected_values = {}
            for name, found in theirs.items():
                field = mapping.field(name)
                assert field is not None, (text, name)
                expected_values[name] = told(field, found)
            assert ours == expected_values, text
        if all(expected) or len(run) > 1:
            assert canonical(properties) == canonical(mapped), run
        done += len(run)


def rows_of(indexer: Indexer) -> list[dict[str, Values]]:
    """The rows of an indexer, field by field, those without values left out."""
    columns = indexer.columns()
    return [
        {name: found for name, column in columns.items() if (found := column.values(row))}
        for row in range(indexer.size)
    ]


FREE: dict[str, Any] = {
    "properties": {
        "k": {"type": "keyword", "fields": {"low": {"type": "keyword", "normalizer": "lowercase"}}},
        "n": {"type": "long", "null_value": -1},
        "x": {"type": "double"},
        "b": {"type": "boolean", "ignore_malformed": True},
        "c": {"type": "keyword", "copy_to": ["all", "k"]},
        "all": {"type": "keyword"},
        "o": {"properties": {"k": {"type": "keyword"}, "n": {"type": "keyword"}, "o": {"type": "object"}}},
        "off": {"type": "object", "enabled": False},
        "alias": {"type": "alias", "path": "k"},
    },
    "dynamic": "false",
}

KEYS = ("k", "n", "x", "b", "c", "all", "o", "off", "o.k", "o.n", "unmapped", "o.unmapped", "k.")
SCALARS = st.sampled_from(["a", "B", "1", 1, 0, 1.0, 0.0, -0.0, True, False, None, "", "true", "2.5"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), max_size=12)


def sorted_values(row: Mapping[str, Values]) -> dict[str, list[str]]:
    """A row, whatever the order of its values."""
    return {name: sorted(map(repr, values)) for name, values in row.items()}


@settings(max_examples=80, deadline=None)
@given(DOCUMENTS)
def test_indexer_and_reader_read_alike(documents: list[dict[str, Any]]) -> None:
    """Whatever was taken before, in whatever shape: a row is what the reader makes of the document alone."""
    mapping = IndexMapping(FREE)
    indexer, reader = Indexer(mapping), Reader(mapping, [field.name for field in mapping.matching("*")])
    kept = [source for source in documents * 2 if taken(indexer, source)]
    assert indexer.size == len(kept)
    for row, source in zip(rows_of(indexer), kept, strict=True):
        assert sorted_values(row) == sorted_values(reader.read(source))
    assert kept == [source for source in documents if taken(Indexer(IndexMapping(FREE)), source)] * 2


def test_varied_fields_do_not_hinder_the_others() -> None:
    """More distinct texts, and more combinations, than are remembered together."""
    mapping = IndexMapping({"properties": {name: {"type": "keyword"} for name in ("id", "kind", "host")}})
    indexer = Indexer(mapping)
    sources: list[dict[str, Any]] = [
        {"id": f"id-{number}", "kind": f"kind-{number % 3}", "host": [f"host-{number % 70}"]} for number in range(3000)
    ]
    sources[2500]["kind"] = 5
    sources[2600]["kind"] = ["kind-0", "kind-1"]
    sources[2700]["id"] = None
    for source in sources:
        indexer.add(source)
    reader = Reader(mapping, ["id", "kind", "host"])
    assert rows_of(indexer) == [reader.read(source) for source in sources]


def test_objects_that_recur_are_read_as_if_they_were_new() -> None:
    """More combinations than are remembered, of objects that differ in what Python calls equal, or in JSON alone."""
    kinds = {"a": "keyword", "b": "keyword", "x": "double", "s": "keyword"}
    inner = {"properties": {name: {"type": kind} for name, kind in kinds.items()}}
    mapping = IndexMapping(
        {"properties": dict.fromkeys(("calm", "wild", "odd"), inner) | {"tags": {"type": "keyword"}}}
    )
    odd: list[Any] = [
        *({"a": 1, "x": 1}, {"a": True, "x": 1.0}, {"a": 1.0, "x": 0.0}, {"a": "1", "x": -0.0}, {"a": [], "x": []}),
        *({"a": None, "x": None}, {"b": "1", "a": "1"}, [{"a": "1"}, {"a": "2", "b": "3"}], {"a": ["2", 1]}, {}, None),
    ]
    sources: list[dict[str, Any]] = [
        {
            "calm": {"a": "still", "b": f"{number % 3}"},
            "wild": {"a": f"wild-{number}", "b": "same"},
            "odd": odd[number % len(odd)],
            "tags": ["all", f"tag-{number % 5}"],
        }
        for number in range(1500)
    ]
    indexer = Indexer(mapping)
    reader = Reader(mapping, [field.name for field in mapping.matching("*")])
    for source in sources:
        indexer.add(source)
    for row, source in zip(rows_of(indexer), sources, strict=True):
        # Not `==`: 1 and 1.0, and 0.0 and -0.0, are equal.
        assert sorted_values(row) == sorted_values(reader.read(source))


def test_objects_that_recur_and_the_mapping() -> None:
    """What the first of many like objects adds to the mapping is in all rows, and what is refused stays refused."""
    mapping = IndexMapping({"properties": {"o": {"properties": {"n": {"type": "long"}}}}})
    indexer = Indexer(mapping)
    for _ in range(3):
        indexer.add({"o": {"n": 1}, "p": {"q": "new"}})
    for _ in range(3):
        indexer.add({"o": {"n": 1, "m": "newer"}, "p": {"q": "new"}})
        assert not taken(indexer, {"o": {"n": "none"}, "p": {"q": "new"}})
        assert not taken(indexer, {"o": {"n": 1}, "p": "no object"})
    first: dict[str, Values] = {"o.n": (1,), "p.q": ("new",), "p.q.keyword": ("new",)}
    assert rows_of(indexer) == [first] * 3 + [first | {"o.m": ("newer",), "o.m.keyword": ("newer",)}] * 3


def test_equal_numbers_are_different_values() -> None:
    """1, 1.0 and true are equal in Python; as texts they are not."""
    indexer = Indexer(IndexMapping({"properties": {"k": {"type": "keyword"}}}))
    values = [1, 1.0, True, "1", [1, 1.0], [True, 1], [1.0, True], ["1", "1.0"], 0, -0.0, False, 0.0]
    for value in values:
        indexer.add({"k": value})
    texts = [("1",), ("1.0",), ("true",), ("1",), ("1", "1.0"), ("true", "1"), ("1.0", "true"), ("1", "1.0")]
    assert [row["k"] for row in rows_of(indexer)] == [*texts, ("0",), ("-0.0",), ("false",), ("0.0",)]


def test_numbers_that_are_ever_new() -> None:
    """More numbers than are remembered, as numbers and texts, one or several; those of refused documents are gone."""
    inner = {"properties": {"n": {"type": "long"}}}
    kinds = {"all": "long", "n": "long", "d": "date", "s": "short", "copied": "long"}
    properties: dict[str, Any] = {name: {"type": kind} for name, kind in kinds.items()} | {"o": inner}
    properties["from"] = {"type": "integer", "copy_to": "copied"}
    mapping = IndexMapping({"properties": properties})
    indexer, reader = Indexer(mapping), Reader(mapping, [*kinds, "from", "o.n"])
    kept = []
    for number in range(10_000):
        source: dict[str, Any] = {"all": number, "n": number * 10**12, "d": 1_600_000_000_000 + number}
        source["s"] = number % 7
        match number % 1000:
            case 1:
                source |= {"n": [number, -number], "d": ["2020", number], "from": number, "copied": [number, "5"]}
            case 2:
                source |= {"n": str(number), "d": "2024-05-01T00:00:00.123Z", "from": 2.5, "s": None}
            case 3:
                source |= {"o": [{"n": number}, {"n": [7, number]}, {"n": 7}], "d": 2024, "copied": 1}
            case 4:
                source["s"] = 2**15
        if taken(indexer, source):
            kept.append(source)
    assert len(kept) == 9_990
    assert rows_of(indexer) == [reader.read(source) for source in kept]
    assert list(indexer.columns()["all"].dictionary)[1:] == [(source["all"],) for source in kept]


def test_values_of_one_field_that_are_kept_in_different_ways() -> None:
    """Short texts, texts longer than what is kept, values that another field brings, arrays of objects that recur."""
    short = {"type": "keyword", "ignore_above": 30}
    properties = {"k": short, "n": {"type": "long"}, "c": {"type": "keyword", "copy_to": "k"}}
    properties |= {"alone": short, "m": {"type": "integer", "copy_to": "n"}}
    mapping = IndexMapping({"properties": {**properties, "o": {"properties": properties}}})
    indexer, reader = Indexer(mapping), Reader(mapping, [*properties, *(f"o.{name}" for name in properties)])
    texts = ["", "a", "b", "x" * 15, "x" * 16, "x" * 30, "x" * 31, "\U0001f600" * 15, "\U0001f600" * 16]
    sources: list[dict[str, Any]] = [
        {"k": text, "alone": text, "n": number % 7, "o": [{"k": "a", "c": "b", "n": 3}, {"k": ["b", "a"]}]}
        for number in range(100)
        for text in texts
    ]
    sources += [{"c": text, "m": number, "n": 2} for number in range(3) for text in texts]
    for source in sources:
        indexer.add(source)
    assert rows_of(indexer) == [reader.read(source) for source in sources]
    columns = indexer.columns()
    assert all(len(set(column.dictionary)) == len(column.dictionary) for column in columns.values())
    assert set(columns["alone"].dictionary) == {(), *((text,) for text in texts if len(text.encode("utf-16-le")) <= 60)}


def test_a_refused_document_leaves_no_trace() -> None:
    """Neither a row, nor a field, nor a part of one, and what it would have mapped can be mapped otherwise."""
    mapping = IndexMapping({"properties": {"n": {"type": "long"}}})
    indexer = Indexer(mapping)
    indexer.add({"n": 1, "first": "a"})
    before, version = mapping.to_json(), mapping.version
    for source in (
        {"new": "x", "o": {"p": {"q": 1}}, "n": "no number"},
        {"n": 2, "new": [1, 2.5]},
        {"n": 3, "o": {"p": 1, "": 2}},
        {"n": [4, {"m": 1}], "first": "b"},
    ):
        with pytest.raises(Malformed) as caught:
            indexer.add(source)
        assert isinstance(caught.value.reason, str)
        with pytest.raises(Malformed):
            indexer.check(source)
        assert (mapping.to_json(), mapping.version, indexer.size) == (before, version, 1)
    indexer.add({"new": {"p": True}, "o": "text", "n": 5})
    assert mapping.version == version + 3
    assert (mapping.types("new"), mapping.types("new.p"), mapping.types("o")) == ("object", "boolean", "text")
    assert rows_of(indexer) == [
        {"n": (1,), "first": ("a",), "first.keyword": ("a",)},
        {"n": (5,), "new.p": (1,), "o": ("text",), "o.keyword": ("text",)},
    ]


def test_refused_documents_take_no_room() -> None:
    """What they would have mapped does not count against the limit of fields."""
    mapping = IndexMapping({"properties": {"n": {"type": "long"}}}, {"index.mapping.total_fields.limit": 4})
    indexer = Indexer(mapping)
    for number in range(10):
        with pytest.raises(Malformed):
            indexer.add({f"new-{number}": {"a": "x"}, "n": "no number"})
    indexer.add({"a": {"b": 1, "c": 2}})
    with pytest.raises(Malformed, match="Limit"):
        indexer.add({"d": 1})


def test_every_addition_counts_in_the_version() -> None:
    """So that others see that they have to look again."""
    mapping = IndexMapping({})
    indexer = Indexer(mapping)
    indexer.add({"a": {"b": {"c": 1}}, "d": "x"})
    assert mapping.version == 4
    indexer.add({"a": {"b": {"c": 2}}, "d": None})
    assert mapping.version == 4


def test_check_keeps_additions_and_no_row() -> None:
    """It is for documents that are written down elsewhere; it remembers no more than it needs."""
    mapping = IndexMapping({})
    indexer = Indexer(mapping)
    indexer.check({"a": "x"})
    assert indexer.size == 0
    assert indexer.columns() == {}
    assert mapping.types("a.keyword") == "keyword"
    indexer.add({"b": 1})
    indexer.check({"a": "y"})
    assert rows_of(indexer) == [{"b": (1,)}]


def test_a_checking_indexer_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that runs for months checks millions of documents."""
    monkeypatch.setattr("lolbin_rules.dsl.indexer._MOST_CHECKED", 10)
    indexer = Indexer(IndexMapping({}))
    for number in range(100):
        indexer.check({"a": f"text {number}"})
        assert indexer._rows.known <= 12
    indexer.add({"a": "x"})
    for number in range(100):
        indexer.check({"a": f"text {number}"})
    assert rows_of(indexer) == [{"a": ("x",), "a.keyword": ("x",)}]


def test_indexers_share_a_mapping() -> None:
    """What one adds the other knows, and readers too."""
    mapping = IndexMapping({})
    one, other, reader = Indexer(mapping), Indexer(mapping), Reader(mapping, ["a"])
    assert reader.read({"a": "1"}) == {}
    one.add({"a": 1})
    assert reader.read({"a": "1"}) == {"a": (1,)}
    other.add({"a": "2"})
    assert rows_of(other) == [{"a": (2,)}]
    with pytest.raises(Malformed):
        other.add({"a": "x"})


def test_a_constant_is_that_of_the_first_document() -> None:
    """As documented; then every document has it, and one with another is refused."""
    mapping = IndexMapping({"properties": {"c": {"type": "constant_keyword"}, "n": {"type": "long"}}})
    indexer, reader = Indexer(mapping), Reader(mapping, ["c"])
    indexer.add({"n": 1, "c": None})
    assert reader.read({}) == {}
    with pytest.raises(Malformed):
        indexer.add({"c": "a", "n": "x"})
    with pytest.raises(Malformed):
        indexer.add({"c": ["a", "b"]})
    field = mapping.field("c")
    assert field is not None
    assert field.constant is None
    indexer.add({"c": "b"})
    with pytest.raises(Malformed):
        indexer.add({"c": "a"})
    assert rows_of(indexer) == [{"n": (1,), "c": ("b",)}, {"c": ("b",)}]
    assert reader.read({}) == {"c": ("b",)}
    assert mapping.to_json()["properties"]["c"] == {"type": "constant_keyword", "value": "b"}


def test_a_document_that_counts_twice_is_not_supported() -> None:
    """Elasticsearch counts it so in aggregations; nothing here does."""
    indexer = Indexer(IndexMapping({}))
    with pytest.raises(Unsupported, match="_doc_count"):
        indexer.add({"a": 1, "_doc_count": 2})
    assert indexer.size == 0


def test_documents_nested_too_deeply_are_refused() -> None:
    """Elasticsearch's parser takes a thousand levels; none of these ends the process."""
    mapping = IndexMapping({"subobjects": False})
    indexer = Indexer(mapping)
    deep: Any = 1
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(Malformed, match="deep"):
        indexer.add(deep)
    deep_array: Any = "x"
    for _ in range(100_000):
        deep_array = [deep_array]
    indexer.add({"a": deep_array})
    assert rows_of(indexer) == [{"a": ("x",), "a.keyword": ("x",)}]


def test_columns_are_compact() -> None:
    """The smallest codes, entry 0 for absent, distinct entries, no column for fields without values."""
    mapping = IndexMapping({"properties": {name: {"type": "keyword"} for name in ("few", "many", "none")}})
    indexer = Indexer(mapping)
    for number in range(70_000):
        indexer.add({"few": str(number % 2) if number % 5 else None, "many": str(number), "none": []})
    columns = indexer.columns()
    assert columns.keys() == {"few", "many"}
    assert [columns[name].codes.dtype for name in ("few", "many")] == [np.dtype("uint8"), np.dtype("uint32")]
    assert list(columns["few"].dictionary) == [(), ("1",), ("0",)]
    assert len(set(columns["many"].dictionary)) == len(columns["many"].dictionary) == 70_001
    assert columns["few"].codes[:6].tolist() == [0, 1, 2, 1, 2, 0]
