"""Which key tuples a document takes part with: its values in one form, in every combination."""

from __future__ import annotations

from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.plan import Key, SequencePlan, Stage
from lolbin_rules.rule_types.sequence_candidates import UNTIL, Candidate, order_of
from lolbin_rules.rule_types.sequence_keys import TooManyKeys, candidate_keys, key_tuples
from lolbin_rules.rule_types.sequences import SequenceMachine
from rule_types.notation import shown

FOLDER = Path(__file__).parent
CASES = yaml.safe_load((FOLDER / "key_tuples.yaml").read_text(encoding="utf-8"))
JOINED = yaml.safe_load((FOLDER / "joined_documents.yaml").read_text(encoding="utf-8"))
ANYTHING = Compiled({"match_all": {}})

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["1", "::1"])
jsons = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner))
TYPES = ["ip", "date", "date_nanos", "long", "double", "boolean", "keyword", "text", "unmapped", "geo_point"]


def keys_of(written: list[str]) -> tuple[Key, ...]:
    """`?field` is optional, `-field` not mapped."""
    return tuple(Key(text.lstrip("?-"), is_optional="?" in text, is_mapped="-" not in text) for text in written)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['source']} {case['keys']} {case.get('types', '')}")
def test_a_document_takes_part_with_its_values(case: dict[str, Any]) -> None:
    """Sources and key tuples as data; equal values must be of one kind as well."""
    types = [frozenset(each) for each in case.get("types", [])]
    found = key_tuples(keys_of(case["keys"]), case["source"], types)
    assert found == tuple(map(tuple, case["tuples"]))
    assert [list(map(type, key)) for key in found] == [list(map(type, key)) for key in case["tuples"]]


@given(jsons, st.frozensets(st.sampled_from(TYPES), max_size=3), st.booleans())
def test_whatever_a_document_holds_is_a_value_or_none(value: Any, types: frozenset[str], is_optional: bool) -> None:  # noqa: FBT001
    """Nothing raises, nothing is there twice, and every value joins with itself."""
    found = key_tuples((Key("u", is_optional=is_optional),), {"u": value}, (types,))
    assert len(set(found)) == len(found)
    assert found == key_tuples((Key("u", is_optional=is_optional),), {"u": [value, value]}, (types,))
    assert bool(found) or not is_optional


def test_a_document_with_too_many_keys_is_told_by_its_fields() -> None:
    """A document cannot take the memory of all others."""
    source = {"u": list(range(101)), "v": list(range(100)), "w": "x"}
    keys = (Key("u"), Key("v"), Key("w"))
    with pytest.raises(TooManyKeys, match=r"with 10100 keys: u \(101 values\), v \(100 values\), w \(1 values\);"):
        key_tuples(keys, source)
    source["u"] = list(range(100))
    assert len(key_tuples(keys, source)) == 10_000


def test_only_what_is_matched_has_keys() -> None:
    """Each item by its own fields, `until` by its own, and only where they are matched."""
    plan = SequencePlan(
        stages=(Stage(ANYTHING, (Key("a"),)), Stage(ANYTHING, (Key("b"),)), Stage(ANYTHING, (Key("c"),))),
        until=Stage(ANYTHING, (Key("d"),)),
    )
    source = {"a": "1", "b": ["2", "3"], "d": "4"}
    assert candidate_keys(plan, {0, 1, 2}, source) == {0: (("1",),), 1: (("2",), ("3",)), 2: ()}
    assert candidate_keys(plan, {1}, source, is_until=True) == {1: (("2",), ("3",)), UNTIL: (("4",),)}
    assert candidate_keys(plan, (), source) == {}


@pytest.mark.parametrize("case", JOINED, ids=lambda case: str(case["name"]))
def test_documents_are_joined(case: dict[str, Any]) -> None:
    """Documents through keys and machine; `by` has the keys of each letter, `U` those of the until."""
    by = {letter: keys_of(written) for letter, written in case["by"].items()}
    items = case["query"].split()
    plan = SequencePlan(
        stages=tuple(Stage(ANYTHING, by[item[-1]], is_missing=item.startswith("!")) for item in items),
        until=Stage(ANYTHING, by["U"]) if "U" in by else None,
        maxspan=timedelta(milliseconds=case["maxspan"]) if "maxspan" in case else None,
        key_types=tuple(frozenset(each) for each in case.get("types", [])),
    )
    machine = SequenceMachine(plan)
    made = sorted((candidate_of(event, items, plan) for event in case["events"]), key=attrgetter("order"))
    found = [each for candidate in made for each in machine.feed(candidate)] + machine.finish()
    assert shown(found) == case["result"]


def candidate_of(event: dict[str, Any], items: list[str], plan: SequencePlan) -> Candidate:
    """A document such as `{is: A1, user: x}` as a candidate."""
    name = event["is"]
    letters, time = name.rstrip("0123456789"), int(name.lstrip("ABCMU"))
    stages = frozenset(index for index, item in enumerate(items) if item[-1] in letters)
    is_until = "U" in letters
    keys = candidate_keys(plan, stages, event, is_until=is_until)
    return Candidate(time, order_of(time), stages, is_until, keys, hit=name)
