"""JSON values against what a node stored of them, type by type."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recorded_cases import REFUSED, as_told, recorded, told

from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.values import Malformed, flattened, json_text, lowercase, read_value

GROUPS = recorded("values")
LONGEST_TERM = 32_766


def is_spelled_alike(raw: str) -> bool:
    """Whether Python spells the numbers of a JSON value as they were written: only then do we know their texts."""
    return json.dumps(json.loads(raw), separators=(",", ":")) == raw or '"' in raw


def field_of(definition: dict[str, Any], settings: dict[str, Any] | None = None) -> Field:
    """A field of that definition."""
    field = IndexMapping({"properties": {"f": definition}}, settings).field("f")
    assert field is not None
    return field


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: json.dumps(group["field"]))
def test_values_are_those_that_a_node_stores(group: dict[str, Any]) -> None:
    """Every recorded value, read by the reader and by the indexer."""
    mapping = IndexMapping({"properties": {"f": group["field"]}}, group.get("settings"))
    field = mapping.field("f")
    assert field is not None
    found: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for raw, answer in group["cases"].items():
        if field.type in ("keyword", "float", "half_float") and not is_spelled_alike(raw):
            continue
        expected[raw] = answer if answer == REFUSED else told(field, answer)
        source = {"f": json.loads(raw)}
        indexer = Indexer(mapping)
        try:
            indexer.add(source)
        except Malformed:
            found[raw] = REFUSED
            continue
        column = indexer.columns().get("f")
        read = Reader(mapping, ["f"]).read(source).get("f", ())
        assert read == (column.values(0) if column is not None else ())
        found[raw] = as_told(field, read)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ("a" * LONGEST_TERM, True),
        ("a" * (LONGEST_TERM + 1), False),
        ("é" * (LONGEST_TERM // 2), True),
        ("é" * (LONGEST_TERM // 2 + 1), False),
        ("\U0001f600" * (LONGEST_TERM // 4), True),
        ("\U0001f600" * (LONGEST_TERM // 4 + 1), False),
    ],
)
@pytest.mark.parametrize("definition", [{}, {"index": False}, {"doc_values": False}])
def test_a_keyword_takes_so_many_bytes(text: str, is_taken: bool, definition: dict[str, Any]) -> None:  # noqa: FBT001
    """Lucene keeps no longer terms; a node refuses the document, also where the field is not indexed."""
    field = field_of({"type": "keyword", **definition})
    if is_taken:
        assert read_value(field, text) == text
    else:
        with pytest.raises(Malformed, match="bytes"):
            read_value(field, text)


def test_a_keyword_that_is_nowhere_takes_any_length() -> None:
    """Neither indexed nor in doc values, or cut off by `ignore_above`: nothing is too long."""
    long = "a" * (LONGEST_TERM + 1)
    assert read_value(field_of({"type": "keyword", "index": False, "doc_values": False}), long) == long
    assert read_value(field_of({"type": "keyword", "ignore_above": 10}), long) is None
    assert read_value(field_of({"type": "wildcard"}), long) == long


@pytest.mark.parametrize(
    ("definition", "raw", "value"),
    [
        ({"type": "unsigned_long"}, 18446744073709551615, 18446744073709551615),
        ({"type": "unsigned_long"}, "5", 5),
        ({"type": "unsigned_long", "null_value": 7}, "", 7),
        ({"type": "scaled_float", "scaling_factor": 100}, 1.005, 1.0),
        ({"type": "scaled_float", "scaling_factor": 100}, "1.015", 1.01),
        ({"type": "scaled_float", "scaling_factor": 100}, -1.005, -1.0),
        ({"type": "scaled_float", "scaling_factor": 10}, 0.25, 0.3),
        ({"type": "scaled_float", "scaling_factor": 10}, -0.25, -0.2),
        ({"type": "constant_keyword", "value": "x"}, "x", "x"),
        ({"type": "match_only_text"}, 5, "5"),
        ({"type": "wildcard", "ignore_above": 2}, "abc", None),
    ],
)
def test_types_that_the_recording_node_lacks(definition: dict[str, Any], raw: Any, value: Any) -> None:
    """As documented: their modules are not among those that the node of these tests has."""
    assert read_value(field_of(definition), raw) == value


@pytest.mark.parametrize(
    ("definition", "raw"),
    [
        ({"type": "unsigned_long"}, -1),
        ({"type": "unsigned_long"}, 18446744073709551616),
        ({"type": "unsigned_long"}, 1.5),
        ({"type": "constant_keyword", "value": "x"}, "y"),
    ],
)
def test_what_those_types_refuse(definition: dict[str, Any], raw: Any) -> None:
    """As documented."""
    with pytest.raises(Malformed):
        read_value(field_of(definition), raw)


def test_texts_of_numbers_are_pythons() -> None:
    """What the client sends to Elasticsearch is what Python writes."""
    assert [json_text(raw) for raw in (1, 1.0, 1e16, True, False, "x", -0.0)] == [
        "1", "1.0", "1e+16", "true", "false", "x", "-0.0",
    ]  # fmt: skip


def test_lowercase_takes_every_character_by_itself() -> None:
    """Unlike Python, which looks at what follows a sigma and keeps the dot of an İ."""
    assert lowercase("ΑΣ İ ẞ") == "ας i ß".replace("ς", "\u03c3")


def test_arrays_in_arrays_are_one() -> None:
    """In the order written; depth costs no stack."""
    deep: list[Any] = [1]
    for _ in range(5000):
        deep = [deep]
    assert list(flattened([1, [2, [], [[3]]], None, deep])) == [1, 2, 3, None, 1]
