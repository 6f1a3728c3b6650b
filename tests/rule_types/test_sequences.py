"""Sequences are found as Elasticsearch finds them: worked examples, and properties against a plain reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lolbin_rules.rule_types.sequence_candidates import (
    Candidate,
    Found,
    TooManyPending,
    milliseconds,
    order_of,
    reach,
    settling,
    sliced,
)
from lolbin_rules.rule_types.sequences import SequenceMachine
from rule_types.notation import Asked, asked, candidates, plan_of, shown
from rule_types.plain_reference import all_sequences

FOLDER = Path(__file__).parent
FILES = ("worked_sequences.yaml", "derived_sequences.yaml", "missing_sequences.yaml")
CASES: list[dict[str, Any]] = [
    case for name in FILES for case in yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
]

thorough = settings(max_examples=300, deadline=None)
items = st.sampled_from(["A", "B", "C", "A", "B", "!M", "!N"])


@st.composite
def queries(draw: st.DrawFn) -> Asked:
    """Plans of two to five items in which anything may be missing, but not everything."""
    wanted = draw(st.lists(items, min_size=2, max_size=5).filter(lambda made: any("!" not in item for item in made)))
    must_end = any("!" in item for item in wanted)
    maxspan = draw(st.integers(1, 15) if must_end else st.none() | st.integers(1, 15))
    return plan_of(wanted, maxspan, draw(st.none() | st.just("U")))


events = st.builds(
    lambda letters, time, tiebreaker, implicit, key: (
        f"{key}:{''.join(sorted(letters))}{time}{'' if tiebreaker is None else f'~{tiebreaker}'}/{implicit}"
    ),
    st.frozensets(st.sampled_from("AABBCMNU"), min_size=1, max_size=3),
    st.integers(0, 20),
    st.none() | st.integers(0, 2),
    st.integers(0, 1),
    st.sampled_from(["a", "a", "a", "b", "a,b", "null"]),
)
happenings = (st.lists(events, max_size=8) | st.lists(events, min_size=8, max_size=30)).map(" ".join)
worlds = st.tuples(happenings, queries())


def found_by_machine(query: Asked, given_events: Sequence[Candidate]) -> list[Found]:
    """All the sequences, from one machine that is told at the end that there is no more."""
    machine = SequenceMachine(query.plan)
    return [found for each in given_events for found in machine.feed(each)] + machine.finish()


def names(found: Sequence[Found]) -> list[tuple[Any, ...]]:
    """What was found, documents by identity."""
    return [(each.join_key, *map(id, each.candidates)) for each in found]


def told(case: dict[str, Any]) -> str:
    """The case in one line."""
    complete = f" | complete {case['complete']}" if "complete" in case else ""
    return f"{case['events']} | {case['query']}{complete}"


@pytest.mark.parametrize("case", CASES, ids=told)
def test_a_case_has_its_result(case: dict[str, Any]) -> None:
    """Events and a query as data; `complete` is the time up to which the events are known, by default all."""
    query = asked(case["query"])
    machine = SequenceMachine(query.plan)
    found = [each for candidate in candidates(case["events"], query) for each in machine.feed(candidate)]
    found += machine.finish(case.get("complete"))
    assert shown(sliced(found, query.plan.slices)) == case["result"]
    assert shown(machine.undecided) == case.get("undecided", [])


@pytest.mark.parametrize("case", [case for case in CASES if "complete" not in case], ids=told)
def test_the_reference_agrees_with_every_case(case: dict[str, Any]) -> None:
    """What the machine is measured by is itself measured by the cases."""
    query = asked(case["query"])
    found = all_sequences(query.plan, candidates(case["events"], query))
    assert sorted(shown(sliced(found, query.plan.slices))) == sorted(case["result"])


def test_the_cases_are_all_different() -> None:
    """No case is counted twice."""
    assert len({told(case) for case in CASES}) == len(CASES)


@thorough
@given(worlds)
def test_the_machine_finds_what_the_plain_reference_finds(world: tuple[str, Asked]) -> None:
    """The same documents in the same places, in the order of the last events."""
    written, query = world
    given_events = candidates(written, query)
    found = found_by_machine(query, given_events)
    assert Counter(names(found)) == Counter(names(all_sequences(query.plan, given_events)))
    places = [given_events.index(each.events[-1]) for each in found]
    assert [given_events[place].order for place in places] == sorted(given_events[place].order for place in places)


@thorough
@given(worlds, st.data())
def test_pages_make_no_difference(world: tuple[str, Asked], data: st.DataObject) -> None:
    """Told after every page how far the events are complete, a machine finds the same, in the same order."""
    written, query = world
    given_events = candidates(written, query)
    machine = SequenceMachine(query.plan)
    found = []
    for at, each in enumerate(given_events):
        found += machine.feed(each)
        if data.draw(st.booleans()):
            following = given_events[at + 1].moment if at + 1 < len(given_events) else each.moment + 5
            found += machine.advance(data.draw(st.integers(each.moment, following)))
    found += machine.finish()
    assert names(found) == names(found_by_machine(query, given_events))


@thorough
@given(worlds, st.integers(0, 20), st.integers(0, 20))
def test_a_window_that_reaches_back_finds_what_all_of_time_holds(
    world: tuple[str, Asked], start: int, length: int
) -> None:
    """Sequences that end in a window are the same with events from `reach` before it until `settling` after it."""
    written, query = world
    if query.plan.maxspan is None:
        return
    end = start + length
    given_events = candidates(written, query)
    begin, until = start - milliseconds(reach(query.plan, query.plan.maxspan)), end + milliseconds(settling(query.plan))
    machine = SequenceMachine(query.plan)
    inside = [each for each in given_events if begin <= each.moment < until]
    found = [each for candidate in inside for each in machine.feed(candidate)] + machine.finish(until)
    whole = found_by_machine(query, given_events)
    assert names([each for each in found if start <= each.last < end]) == names(
        [each for each in whole if start <= each.last < end]
    )


@thorough
@given(worlds)
def test_memory_is_bounded_by_maxspan(world: tuple[str, Asked]) -> None:
    """At any time only keys and finished sequences of the last `maxspan` are held, and after it nothing."""
    written, query = world
    if query.plan.maxspan is None:
        return
    span = milliseconds(query.plan.maxspan)
    machine = SequenceMachine(query.plan)
    fed: list[Candidate] = []
    for each in candidates(written, query):
        machine.feed(each)
        fed.append(each)
        recent = [other for other in fed if each.moment - other.moment <= span]
        keys = [{key for known in other.keys.values() for key in known} for other in recent]
        assert set(machine._states) <= set().union(*keys)
        assert machine.pending - len(machine._states) <= sum(map(len, keys))
    if fed:
        machine.advance(fed[-1].moment + span + 1)
        assert machine.pending == 0
        assert not machine.undecided


def test_a_key_holds_two_unfinished_sequences_for_each_item_at_most() -> None:
    """Without maxspan, a thousand beginnings of one key take no more room than the newest."""
    query = asked("A B C")
    machine = SequenceMachine(query.plan)
    for each in candidates(" ".join(f"AB{time}" for time in range(1000)), query):
        assert machine.feed(each) == []
        state = machine._states[()]
        assert sum(each is not None for each in (*state._ready, *state._fresh)) <= 4
    assert machine.pending == 1


def test_what_is_ended_by_until_is_not_held() -> None:
    """Without maxspan, `until` frees the memory of its key; an until without a beginning takes none."""
    query = asked("A B, until U")
    machine = SequenceMachine(query.plan)
    for each in candidates("a:A1 b:A2 c:U3 a:U4", query):
        machine.feed(each)
    assert set(machine._states) == {("a",), ("b",)}, "an event of the time of the until may still end the sequence"
    machine.advance(5)
    assert set(machine._states) == {("b",)}


def test_too_much_that_is_unfinished_is_an_error_that_says_where() -> None:
    """Nothing is dropped in silence: what was returned stands, the rest is known not to have been searched."""
    query = asked("A B")
    machine = SequenceMachine(query.plan, limit=3)
    *fitting, last = candidates("a:A1 b:A2 a:B3 c:A4 d:A5 e:A6", query)
    assert shown([found for each in fitting for found in machine.feed(each)]) == ["a= A1 B3"]
    with pytest.raises(
        TooManyPending, match=r"^4 keys and sequences .* more than the 3 that are allowed; .* at 6 ms"
    ) as raised:
        machine.feed(last)
    assert raised.value.moment == 6


def test_events_must_come_in_order() -> None:
    """A caller that feeds an earlier event after a later one is told so, and likewise one whose time goes back."""
    query = asked("A B")
    early, late = candidates("A1 B2", query)
    machine = SequenceMachine(query.plan)
    machine.feed(late)
    with pytest.raises(ValueError, match="candidates come in order"):
        machine.feed(early)
    with pytest.raises(ValueError, match="time does not go back: 1 ms came after 2 ms"):
        machine.advance(1)


@pytest.mark.parametrize("query", ["!M, maxspan 5", "A !M", "sample A B"])
def test_what_is_no_sequence_is_refused(query: str) -> None:
    """Nothing but missing items, a missing item without an end to its time, a sample."""
    with pytest.raises(ValueError, match=r"at least one item that is not missing|need a maxspan"):
        SequenceMachine(asked(query).plan)


def test_results_come_as_soon_as_they_are_certain() -> None:
    """Without trailing missing items at once; with them when the time is over, and never out of order."""
    query = asked("A B !M, maxspan 10")
    machine = SequenceMachine(query.plan)
    given_events = candidates("a:A0 b:A4 b:B5 a:B6 c:A10 c:B14", query)
    assert [machine.feed(each) for each in given_events[:5]] == [[]] * 5
    assert shown(machine.undecided) == ["b= A4 B5 -", "a= A0 B6 -"]
    assert shown(machine.advance(11)) == [], "a is certain, but b comes before it"
    assert shown(machine.feed(given_events[5])) == []
    assert shown(machine.advance(14)) == []
    assert shown(machine.advance(15)) == ["b= A4 B5 -", "a= A0 B6 -"]
    assert shown(machine.finish(20)) == []
    assert shown(machine.undecided) == ["c= A10 B14 -"]


def test_an_end_does_not_keep_what_is_certain() -> None:
    """When a search ends, what is certain is returned though something before it in order is not."""
    query = asked("A B !M, maxspan 10")
    machine = SequenceMachine(query.plan)
    for each in candidates("a:A0 b:A4 b:B5 a:B6", query):
        machine.feed(each)
    assert shown(machine.finish(11)) == ["a= A0 B6 -"]
    assert shown(machine.undecided) == ["b= A4 B5 -"]
    assert machine.pending == 1


def test_the_order_of_events_is_time_then_tiebreaker_then_the_store() -> None:
    """Numbers, then texts, then events without a tiebreaker; the order of the store comes last."""
    ordered = [
        order_of(0, "z", 9),
        order_of(1, -1, 9),
        order_of(1, 2, 0),
        order_of(1, 2, 1),
        order_of(1, 2.5, 0),
        order_of(1, "", 0),
        order_of(1, "a", 0),
        order_of(1, None, 0),
        order_of(1, None, 1),
        order_of(2, 0, 0),
    ]
    assert all(before < after for before, after in pairwise(ordered))
    assert order_of(1) == order_of(1)


def test_how_far_a_search_must_reach() -> None:
    """`maxspan` back, or what the caller can afford; `maxspan` on where something must be missing at the end."""
    bounded, endless, trailing = asked("!M A, maxspan 5").plan, asked("A B").plan, asked("A !M, maxspan 5").plan
    assert bounded.maxspan
    assert endless.maxspan is None
    assert reach(bounded, 9 * bounded.maxspan) == bounded.maxspan
    assert reach(endless, 9 * bounded.maxspan) == 9 * bounded.maxspan
    assert not settling(bounded)
    assert not settling(endless)
    assert settling(trailing) == bounded.maxspan


def test_a_sequence_knows_its_first_and_last_event() -> None:
    """Missing items have no time."""
    (found,) = found_by_machine(query := asked("!M A B !M, maxspan 9"), candidates("A3 B7", query))
    assert (found.first, found.last) == (3, 7)
    assert [each.hit for each in found.events] == ["A3", "B7"]
