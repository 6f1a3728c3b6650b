"""Names of documents and indices, expressions, aliases and templates of the embedded store."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.errors import StoreRejected, Unsupported
from lolbin_rules.store.embedded import names, transaction
from lolbin_rules.store.embedded.catalog import setting
from lolbin_rules.store.embedded.json_text import part
from lolbin_rules.store.port import Document, IndexTemplate, Key, Put
from store.bench import ALL, Bench, verdicts


@pytest.mark.parametrize(
    "name", ["", "Upper", "_a", "-a", "+a", ".", "..", "a b", "a/b", "a*", "a,b", "a:b", "x" * 256, "\ud800"]
)
def test_names_that_no_index_can_have_are_rejected(small: Bench, name: str) -> None:
    """As Elasticsearch does (invalid_index_name_exception); neighbours are written."""
    outcomes = small.store.create([Document(Key(name, "1"), {}), Document(Key("t-a", "1"), {})])
    assert verdicts(outcomes) == ["rejected", "created"]


@pytest.mark.parametrize("name", ["", "x" * 513, "\ud800", "a\0b"])
def test_ids_that_cannot_be_kept_are_rejected(small: Bench, name: str) -> None:
    """One at a time; and nobody finds a document under them."""
    outcomes = small.store.create([Document(Key("t-a", name), {}), Document(Key("t-a", "1"), {})])
    assert verdicts(outcomes) == ["rejected", "created"]
    assert verdicts(small.store.put([Put(Document(Key("t-a", name), {}), None)])) == ["rejected"]
    assert small.store.get([Key("t-a", name)]) == [None]


def test_documents_that_are_too_long_are_rejected(small: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elasticsearch takes no more than 100 MB at once; here, for the test, 1 kB."""
    monkeypatch.setattr(transaction, "_LONGEST_SOURCE", 1000)
    outcomes = small.store.create([Document(Key("t-a", "1"), {"x": "x" * 1000}), Document(Key("t-a", "2"), {"x": 1})])
    assert verdicts(outcomes) == ["rejected", "created"]


@pytest.mark.usefixtures("either_way")
def test_aliases_stand_for_their_indices(small: Bench) -> None:
    """An alias of a template is searched by, written to while it has one index, and known to `_index`."""
    body = {"aliases": {"t-alias": {}}, "settings": {"index.number_of_shards": 1}}
    small.store.prepare([IndexTemplate("t", ("t-one", "t-other"), 1, body)])
    small.fill("t-one", {"x": 1})
    small.fill("t-alias", {"x": 2}, first=1)
    assert small.ids("t-alias") == ["0", "1"]
    assert {hit.key.index for hit in small.hits("t-al*", queries={"it": {"term": {"_index": "t-alias"}}})} == {"t-one"}
    assert [stored and stored.source for stored in small.store.get([Key("t-alias", "1")])] == [{"x": 2}]
    small.fill("t-other", {"x": 3})
    assert len(small.hits("t-alias")) == 3
    outcomes = small.store.create([Document(Key("t-alias", "9"), {})])
    assert (verdicts(outcomes), "alias of 2 indices" in outcomes[0].reason) == (["rejected"], True)
    with pytest.raises(StoreRejected, match="alias of 2 indices"):
        small.store.get([Key("t-alias", "1")])


@pytest.mark.usefixtures("either_way")
def test_expressions_stand_for_indices(small: Bench) -> None:
    """Patterns, lists, exclusions, `_all`; what is hidden is found by its name only."""
    for name in ("a1", "a2", "b1"):
        small.fill(name, {})
    small.store.prepare([IndexTemplate("h", ("hid*",), 1, {"settings": {"index": {"hidden": True}}})])
    small.fill("hidden", {})
    cases = {
        ("*",): "a1 a2 b1",
        ("_all",): "a1 a2 b1",
        ("a*",): "a1 a2",
        ("a1,b1",): "a1 b1",
        ("*", "-a*"): "b1",
        ("*1", "-a1"): "b1",
        ("hidden",): "hidden",
        ("nothing", "c*"): "",
    }
    for expressions, expected in cases.items():
        assert " ".join(sorted({hit.key.index for hit in small.hits(*expressions)})) == expected, expressions
    with pytest.raises(Unsupported, match="date math"):
        small.hits("<logs-{now/d}>")


def test_an_alias_may_not_be_the_name_of_an_index(small: Bench) -> None:
    """Nobody could tell which is meant; the neighbours are written."""
    small.fill("t-alias", {})
    small.store.prepare([IndexTemplate("t", ("t-one",), 1, {"aliases": {"t-alias": {}}})])
    outcomes = small.store.create([Document(Key("t-one", "1"), {}), Document(Key("t-a", "1"), {})])
    assert verdicts(outcomes) == ["rejected", "created"]


def test_one_call_may_name_an_index_in_two_ways(small: Bench) -> None:
    """By its name and by its alias; an id that is taken by the one is taken by the other."""
    small.store.prepare([IndexTemplate("t", ("t-one",), 1, {"aliases": {"t-alias": {}}})])
    small.fill("t-one", {})
    names_and_ids = [("t-alias", "1"), ("t-one", "2"), ("t-one", "1"), ("t-alias", "0"), ("t-alias", "3")]
    outcomes = small.store.create([Document(Key(name, number), {}) for name, number in names_and_ids])
    assert verdicts(outcomes) == ["created", "created", "exists", "exists", "created"]
    assert small.ids("t-one", order_by="_seq_no") == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        ({"a": {"b": 1, "c": 2}, "a.b": 3, "ab": 4}, ["a.b"], {"a": {"b": 1}, "a.b": 3}),
        ({"a": {"b": 1, "c": 2}, "a.b": 3, "ab": 4}, ["a"], {"a": {"b": 1, "c": 2}, "a.b": 3}),
        ({"a": [[{"b": 1}], 2, {"b": []}, {"c": 1}]}, ["a.b"], {"a": [[{"b": 1}], {"b": []}]}),
        ({"a": {"b": {"c": 1}}, "a.b": {"c": 2, "d": 3}}, ["a.b.c"], {"a": {"b": {"c": 1}}, "a.b": {"c": 2}}),
        ({"e": {}, "f": None, "g": []}, ["e", "f", "g"], {"e": {}, "f": None, "g": []}),
        ({"x": {"y": 1}}, ["x.z"], {}),
    ],
)
def test_parts_of_sources_are_those_of_elasticsearch(
    source: dict[str, Any], fields: list[str], expected: dict[str, Any]
) -> None:
    """What `_source_includes` of 8.19.9 leaves of these documents."""
    assert part(source, fields) == expected


def test_templates_that_meet_are_refused(small: Bench) -> None:
    """Two templates of one priority may not fit one index, as Elasticsearch has it; nor may a mapping be nonsense."""
    small.store.prepare([IndexTemplate("one", ("logs-*",), 1, {})])
    with pytest.raises(StoreRejected, match=r'"other".*logs-\* of the template "one"'):
        small.store.prepare([IndexTemplate("other", ("*-special",), 1, {})])
    assert small.store.prepare([IndexTemplate("one", ("logs-*", "l*"), 2, {})]) == ["one"]
    with pytest.raises(StoreRejected, match='"bad"'):
        small.store.prepare([IndexTemplate("bad", ("x",), 1, {"mappings": {"properties": {"a": {"type": "nothing"}}}})])
    with pytest.raises(Unsupported, match="filter"):
        small.store.prepare([IndexTemplate("bad", ("x",), 1, {"aliases": {"y": {"filter": ALL}}})])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a*", "ab", True),
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("*", "", True),
        ("a*c", "ab", False),
        ("*a*", "*b*", True),
        ("ab*", "a*b", True),
        ("a", "a*b", False),
        ("", "a*", False),
    ],
)
def test_patterns_meet_or_not(one: str, other: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Whether some name is what both say; the order makes no difference."""
    assert (names.is_overlap(one, other), names.is_overlap(other, one)) == (expected, expected)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("abc", "abc", True),
        ("abc", "ab", False),
        ("abc", "a*", True),
        ("abc", "*c", True),
        ("abc", "a*c", True),
        ("abab", "ab*ab", True),
        ("ab", "ab*ab", False),
        ("a.b", "a?b", False),
        ("aXbXc", "a*b*c", True),
        ("aXcXb", "a*b*c", False),
        ("abc", "**b**", True),
        ("a" * 200, "a*" * 50 + "b", False),
    ],
)
def test_names_match_patterns(name: str, pattern: str, expected: bool) -> None:  # noqa: FBT001 - as above
    """Only `*` is special, and no pattern takes long."""
    assert names.is_match(name, pattern) is expected


def test_settings_are_read_however_they_are_written() -> None:
    """Nested, dotted, flat, with and without `index`."""
    for settings in (
        {"number_of_shards": 2},
        {"index": {"number_of_shards": 2}},
        {"index.number_of_shards": 2},
        {"index": {"index.number_of_shards": 2}},
    ):
        assert setting(settings, "number_of_shards") == 2
    assert setting({"index": {"mapping": {"depth.limit": 3}}}, "mapping.depth.limit") == 3
    assert setting({"index": {"number_of_replicas": 2}}, "number_of_shards") is None
