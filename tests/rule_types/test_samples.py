"""Samples are found wherever there are any, and are always the same."""

from __future__ import annotations

from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lolbin_rules.rule_types.samples import SampleMachine
from lolbin_rules.rule_types.sequence_candidates import Candidate, Found, KeyTuple, TooManyPending, order_of
from rule_types.notation import Asked, asked, candidates, plan_of, shown

CASES = yaml.safe_load((Path(__file__).parent / "samples.yaml").read_text(encoding="utf-8"))

thorough = settings(max_examples=300, deadline=None)
written = st.lists(
    st.tuples(st.sampled_from(["a", "a", "b", "a,b"]), st.frozensets(st.sampled_from("ABC"), min_size=1)), max_size=9
).map(lambda made: " ".join(f"{key}:{''.join(sorted(letters))}{time}" for time, (key, letters) in enumerate(made)))
queries = st.lists(st.sampled_from("ABC"), min_size=2, max_size=4).map(lambda made: plan_of(made, is_sample=True))


def found_by_machine(query: Asked, fed: list[Candidate]) -> list[Found]:
    """The samples of documents fed in this order."""
    machine = SampleMachine(query.plan)
    for each in fed:
        machine.feed(each)
    return machine.finish()


def first_choice(query: Asked, key: KeyTuple, given_documents: list[Candidate]) -> tuple[Candidate, ...] | None:
    """The first of all choices of distinct documents, tried one after the other."""
    by_item = [
        [each for each in given_documents if index in each.stages and key in each.keys[index]]
        for index in range(len(query.letters))
    ]
    return next((choice for choice in product(*by_item) if len(set(map(id, choice))) == len(choice)), None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['events']} | {case['query']}")
def test_a_case_has_its_result(case: dict[str, Any]) -> None:
    """Documents and a query as data."""
    query = asked(case["query"])
    assert shown(found_by_machine(query, candidates(case["events"], query))) == case["result"]


@thorough
@given(written, queries, st.randoms())
def test_the_first_choice_is_found_in_whatever_order_documents_come(events: str, query: Asked, chance: Any) -> None:
    """Trying every choice of documents finds the same."""
    given_documents = candidates(events, query)
    expected = {key: first_choice(query, key, given_documents) for key in (("a",), ("b",))}
    chance.shuffle(given_documents)
    found = found_by_machine(query, given_documents)
    assert [(each.join_key, tuple(map(id, each.events))) for each in found] == [
        (key, tuple(map(id, choice))) for key, choice in sorted(expected.items()) if choice
    ]


def test_samples_come_in_the_order_of_their_keys() -> None:
    """Null, booleans, numbers, texts; within each by size."""
    keys: list[KeyTuple] = [("b",), (None,), (10,), ("",), (2.5,), (True,), (False,), ("a",)]
    query = asked("sample A B")
    fed = [
        Candidate(time, order_of(time), frozenset({0, 1}), is_until=False, keys=dict.fromkeys((0, 1), tuple(keys)))
        for time in (1, 2)
    ]
    found = [each.join_key[0] for each in found_by_machine(query, fed)]
    assert found == [None, False, True, 2.5, 10, "", "a", "b"]


def test_a_key_holds_as_many_documents_per_item_as_there_are_items() -> None:
    """A thousand documents of one key take no more room than two, and the earliest stay."""
    query = asked("sample A B")
    machine = SampleMachine(query.plan)
    fed = candidates(" ".join(f"AB{time}" for time in range(1000)), query)
    for each in reversed(fed):
        machine.feed(each)
    assert [len(item) for item in machine._items[()]] == [2, 2]
    assert shown(machine.finish()) == ["AB0 AB1"]


def test_too_many_keys_are_an_error() -> None:
    """Nothing is dropped in silence."""
    query = asked("sample A B")
    machine = SampleMachine(query.plan, limit=2)
    *fitting, last = sorted(candidates("a:A1 b:A2 c:A3", query), key=attrgetter("order"))
    for each in fitting:
        machine.feed(each)
    with pytest.raises(TooManyPending, match=r"^3 keys .* more than the 2 "):
        machine.feed(last)
    assert machine.pending == 3


@pytest.mark.parametrize("query", ["A B", "sample A !M", "sample A B, until U", "sample A B, maxspan 5"])
def test_what_is_no_sample_is_refused(query: str) -> None:
    """A sequence, and a sample with what only sequences have."""
    with pytest.raises(ValueError, match="a sample has neither until nor maxspan nor missing items"):
        SampleMachine(asked(query).plan)
