"""Sequences and samples as plans; fields, misfits and values: what is around the conditions of a query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lolbin_rules.errors import QueryError
from lolbin_rules.query.compiled import Misfit
from lolbin_rules.query.eql.compile import compile_event, compile_sequence
from lolbin_rules.query.eql.fields import eql_fields
from lolbin_rules.query.eql.nodes import EventQuery, Field, Literal, SampleQuery, SequenceQuery
from lolbin_rules.query.eql.plan import Key, SequencePlan
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.query.eql.writing import eql_quote, write
from lolbin_rules.store.port import FieldTypes
from query.eql.test_eql_cases import TYPES, assert_told, cases, event, field_types


def planned(text: str, **more: list[str]) -> SequencePlan:
    """The plan of a text under `TYPES`."""
    query = parse_eql(text)
    assert not isinstance(query, EventQuery)
    return compile_sequence(query, field_types(TYPES | more))


def test_everything_that_a_sequence_says_is_in_its_plan() -> None:
    """Keys of the whole before own keys, maxspan, until, missing events, pipes in order."""
    plan = planned(
        "sequence by k, ?u with maxspan=90s [process where b] by i ![file where n == 1] by i"
        ' [any where k : "x"] by i until [network where true] by i | head 4 | tail 2 + 1'
    )
    keys = (Key("k"), Key("u", is_optional=True, is_mapped=False), Key("i"))
    assert [stage.keys for stage in plan.stages] == [keys] * 3
    assert [stage.is_missing for stage in plan.stages] == [False, True, False]
    assert plan.maxspan == timedelta(seconds=90)
    assert plan.slices == (("head", 4), ("tail", 3))
    assert not plan.is_sample
    assert plan.key_types == (frozenset({"keyword"}), frozenset(), frozenset({"ip"}))
    exists = [{"exists": {"field": "k"}}, {"exists": {"field": "i"}}]
    category = {"term": {"event.category": {"value": "network"}}}
    assert plan.until is not None
    assert plan.until.keys == keys
    assert plan.until.event.query == {"bool": {"filter": [category, *exists]}}
    assert plan.stages[2].event.query == {
        "bool": {"filter": [{"term": {"k": {"value": "x", "case_insensitive": True}}}, *exists]}
    }


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("1d", timedelta(1)),
    ],
)
def test_maxspan_has_its_unit(written: str, span: timedelta) -> None:
    """Milliseconds to days."""
    assert planned(f"sequence with maxspan={written} [any where b] [any where b]").maxspan == span


def test_runs_are_written_out() -> None:
    """An event that must come several times is as many stages; one event is enough then."""
    plan = planned("sequence [any where n == 1] with runs=3 [any where b]")
    assert [stage.event.query for stage in plan.stages] == [{"term": {"n": {"value": 1}}}] * 3 + [
        {"term": {"b": {"value": True}}}
    ]
    assert len(planned("sequence by k [any where b] with runs=2").stages) == 2
    absent = planned("sequence with maxspan=1m [any where b] ![any where n == 1] with runs=2")
    assert [stage.is_missing for stage in absent.stages] == [False, True, True]


def test_a_sample_is_a_plan_without_order() -> None:
    """It has keys and stages, and nothing else."""
    plan = planned("sample by k [any where b] by n [any where n > 1] by n")
    assert plan.is_sample
    assert (plan.until, plan.maxspan, plan.slices) == (None, None, ())
    assert [stage.keys for stage in plan.stages] == [(Key("k"), Key("n"))] * 2


def test_a_key_that_is_analyzed_text_is_searched_by_its_keyword() -> None:
    """The key is read from the document under the field's own name."""
    plan = planned("sequence by t [any where b] [any where b]")
    assert plan.stages[0].keys == (Key("t"),)
    assert {"exists": {"field": "t.keyword"}} in plan.stages[0].event.query["bool"]["filter"]
    assert plan.key_types == (frozenset({"keyword"}),)


def test_an_event_of_a_sequence_tells_its_unknown_fields_and_keys() -> None:
    """A key that no index has is unknown unless it is optional; what is left open is kept."""
    first, second = planned("sequence by u, ?v [any where length(k) > 1] [any where zz == 1]", zz=["unmapped"]).stages
    assert (first.event.unknown, second.event.unknown) == (("u",), ("u", "zz"))
    assert first.event.keeps is not None
    assert first.event.keeps({"k": "ab"})
    assert second.event.keeps is None


@pytest.mark.parametrize("case", cases("plans"))
def test_a_plan_that_could_find_nothing_is_refused(case: dict[str, Any]) -> None:
    """Keys of different types, and whatever is wrong with one of the events, at its place in the whole text."""
    with pytest.raises(QueryError) as caught:
        planned(case["text"])
    assert_told(caught, case)


def test_optional_keys_of_unknown_fields_join_with_any_type() -> None:
    """What no index has is null everywhere."""
    assert planned("sequence [any where b] by ?u [any where b] by n").key_types == (frozenset({"long"}),)


def test_indices_that_map_a_field_otherwise_are_left_out() -> None:
    """The others are asked; the reason names field, type and index."""
    types = field_types(TYPES | {"k": ["keyword", "long"], "t": ["keyword", "text"]})
    compiled = compile_event(event('any where k : "x" and t == "y" and length(k) > 1'), types)
    assert compiled.misfits == (Misfit("k", "long", "keyword", ("i1",)), Misfit("t", "text", "keyword", ("i1",)))
    assert compiled.left_out == ("i1",)


def test_indices_whose_text_has_no_keyword_are_left_out() -> None:
    """Those that have one are asked by it."""
    both, one = frozenset({"i0", "i1"}), frozenset({"i0"})
    types = FieldTypes(types={"m": {"text": both}, "m.keyword": {"keyword": one, "unmapped": both - one}})
    compiled = compile_event(event('any where m == "x"'), types)
    assert compiled.query == {"term": {"m.keyword": {"value": "x"}}}
    assert compiled.left_out == ("i1",)


def test_a_field_that_some_indices_have_is_mapped() -> None:
    """Neither unknown nor null, optional or not."""
    types = field_types({"k": ["keyword", "unmapped"]})
    compiled = compile_event(event('any where ?k != "x"'), types)
    assert compiled.query == {"bool": {"must_not": [{"term": {"k": {"value": "x"}}}]}}
    assert not compiled.misfits
    assert not compiled.unknown


def test_without_any_index_no_field_is_unknown() -> None:
    """Patterns that match nothing yet are told by others; optional fields are null."""
    compiled = compile_event(event('any where k == "x" and ?n == null'), FieldTypes(types={"k": {}, "n": {}}))
    assert compiled.query == {"term": {"k": {"value": "x"}}}
    assert not compiled.unknown


def test_the_event_category_field_can_be_another() -> None:
    """For single events and for those of sequences."""
    single = compile_event(event("process where true"), field_types(TYPES), event_category_field="kind")
    assert single.query == {"term": {"kind": {"value": "process"}}}
    sequence = parse_eql("sequence [process where true] [any where b]")
    assert isinstance(sequence, SequenceQuery)
    plan = compile_sequence(sequence, field_types(TYPES), event_category_field="kind")
    assert plan.stages[0].event.query == single.query


def test_what_is_left_open_is_part_of_the_fingerprint() -> None:
    """Equal for equal conditions however they are written, different for different ones and types."""

    def fingerprint(text: str, types: dict[str, Any]) -> str:
        return compile_event(event(text), field_types(types)).fingerprint()

    texts = ("any where length(k) > 3", "any where 3 < LENGTH(k) // x", "any where length(k) > 4")
    first, same, other = (fingerprint(text, TYPES) for text in texts)
    assert first == same
    assert first != other
    assert fingerprint(texts[0], TYPES | {"k": ["text"], "k.keyword": ["keyword"]}) != first


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('process where a.b == 1 and not (length(?c) > 1 or d : ("x"))', {"a.b", "c", "d"}),
        ("sequence by a [any where b] by c [any where true] by d until [any where e] by f", set("abcdef")),
        ("sample by a [any where b] [any where c in (1)]", set("abc")),
        ("any where true", set()),
    ],
)
def test_the_fields_whose_types_are_needed(text: str, fields: set[str]) -> None:
    """All that are mentioned, each with the sub-field that would be asked in its place, and not the category."""
    assert eql_fields(parse_eql(text)) == fields | {f"{name}.keyword" for name in fields}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("x", '"x"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("\t\n\r\b\f", r'"\t\n\r\b\f"'),
        ("\x00\u2028é", r'"\u{00}\u{2028}é"'),
        (True, "true"),
        (None, "null"),
        (-5, "-5"),
        (0.25, "0.25"),
    ],
)
def test_values_are_written_as_constants(value: Any, written: str) -> None:
    """Whatever the text, it is one constant and cannot become anything else."""
    assert eql_quote(value) == written


def test_numbers_that_eql_cannot_write_are_refused() -> None:
    """Infinity is no constant."""
    with pytest.raises(ValueError, match="EQL has no number inf"):
        eql_quote(float("inf"))


def test_trees_are_equal_wherever_they_stand() -> None:
    """Places do not take part in comparisons, and are there."""
    one, other = event("any where  a"), event("any where a")
    assert one == other
    assert (one.condition.at, other.condition.at) == (11, 10)
    sample = parse_eql("sample by a [any where b] [any where c]")
    assert isinstance(sample, SampleQuery)
    assert [item.event.text for item in sample.items] == [sample.text] * 2
    assert write(Literal(None)) == "null"
    assert write(Field("a b", is_optional=True)) == "?`a b`"
