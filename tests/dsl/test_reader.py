"""Reading a few fields of documents, however these write them."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.reader import Malformed, Reader

MAPPING: dict[str, Any] = {
    "dynamic": "false",
    "properties": {
        "a": {"properties": {"b": {"properties": {"c": {"type": "keyword", "fields": {"t": {"type": "text"}}}}}}},
        "n": {"type": "long", "null_value": 0, "copy_to": "all"},
        "all": {"type": "keyword", "null_value": "NULL"},
        "alias": {"type": "alias", "path": "a.b.c"},
        "off": {"enabled": False, "properties": {"x": {"type": "keyword"}}},
        "nested": {"type": "nested", "properties": {"x": {"type": "keyword", "copy_to": "all"}}},
        "constant": {"type": "constant_keyword", "value": "logs"},
        "place": {"type": "geo_point"},
        "flat": {"subobjects": False, "properties": {"x.y": {"type": "keyword"}, "x": {"type": "keyword"}}},
    },
}


def read(source: Any, *names: str) -> Any:
    """What a reader of these fields finds in a document."""
    return Reader(IndexMapping(MAPPING), names).read(source)


@pytest.mark.parametrize(
    "source",
    [
        {"a": {"b": {"c": "x"}}},
        {"a.b.c": "x"},
        {"a.b": {"c": "x"}},
        {"a": {"b.c": ["x"]}},
        {"a": [None, {"b": [{"c": [["x"], []]}]}], "a.b": None},
        {"a.b.c.": "x"},
    ],
)
def test_dots_and_levels_are_the_same(source: Any) -> None:
    """And arrays are as if they were not there."""
    assert read(source, "a.b.c") == {"a.b.c": ("x",)}


def test_values_come_in_the_order_written() -> None:
    """Of all places together."""
    source = {"a": [{"b": {"c": "1"}}, {"b.c": ["2", "3"]}], "a.b.c": "4", "a.b": [{"c": "5"}]}
    assert read(source, "a.b.c") == {"a.b.c": ("1", "2", "3", "4", "5")}


def test_sub_fields_aliases_and_fields_that_are_not_there() -> None:
    """A field is told under the name that was asked for; without values it is not told."""
    found = read({"a.b.c": "X"}, "a.b.c.t", "alias", "n", "nope", "a", "_id", "place")
    assert found == {"a.b.c.t": ("X",), "alias": ("X",)}


def test_nulls_and_copies() -> None:
    """A null has its value; it is not copied. Copies come from nested objects too."""
    source = {"n": [None, "5", 6.7], "all": "own", "nested": [{"x": "p"}, {"x": "q"}]}
    assert read(source, "n", "all", "nested.x") == {"n": (0, 5, 6), "all": ("5", "6.7", "own", "p", "q")}


def test_what_is_not_read() -> None:
    """Below a disabled object there are no values; a constant is in every document."""
    assert read({"off": {"x": "a"}, "off.x": "b"}, "off.x", "constant") == {"constant": ("logs",)}


def test_objects_without_levels() -> None:
    """A field may lie below another one."""
    source = {"flat": {"x": ["1", {"y": "2"}], "x.y": "3"}, "flat.x.y": "4"}
    assert read(source, "flat.x", "flat.x.y") == {"flat.x": ("1",), "flat.x.y": ("2", "3", "4")}


def test_a_value_that_does_not_fit_spoils_no_other_document() -> None:
    """Such a document is in no index."""
    reader = Reader(IndexMapping(MAPPING), ["n", "a.b.c"])
    for _ in range(2):
        with pytest.raises(Malformed) as caught:
            reader.read({"a.b.c": "x", "n": [1, "no number"]})
        assert caught.value.field == "n"
        assert reader.read({"n": 2}) == {"n": (2,)}


def test_fields_that_are_mapped_later_are_read_then() -> None:
    """Documents add to the mapping while readers are there."""
    mapping = IndexMapping({})
    reader = Reader(mapping, ["a", "a.keyword"])
    assert reader.read({"a": "x"}) == {}
    Indexer(mapping).check({"a": "y"})
    assert reader.read({"a": "x"}) == {"a": ("x",), "a.keyword": ("x",)}


def test_texts_are_remembered_within_bounds() -> None:
    """What was read before is not read again, and memory stays small."""
    reader = Reader(IndexMapping({"properties": {"n": {"type": "long"}}}), ["n"])
    for number in range(10_000):
        assert reader.read({"n": [str(number % 5000), "7"]}) == {"n": (number % 5000, 7)}
    assert len(reader._wanted["n"]._known) <= 4096
