"""Groups with enough events in a slot are found, whichever windows are asked for, and by nothing but their events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lolbin_rules.alert import fields
from lolbin_rules.plan.window import Window
from lolbin_rules.rule_types import threshold
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import UNMAPPED, FieldTypes
from rule_types.counted_rules import BASE, Scene, combinations, compiled, make_rule, minute, ms_of, window
from worlds import KINDS, World, open_world

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("threshold_cases.yaml").read_text())
ALL_TIME = Window(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))
SLOT = 300_000


world = pytest.fixture(params=KINDS)(open_world)


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    """A store that is gone afterwards; every scene in it has an index of its own."""
    opened = EmbeddedStore(None, clock=lambda: BASE)
    yield opened
    opened.close()


def told(match: Match) -> tuple[int, list[str], int, list[int]]:
    """When the slot begins, the values of the group, the count, and how many different values."""
    terms = [term["value"] for term in match.fields[fields.THRESHOLD_RESULT + ".terms"]]
    different = [each["value"] for each in match.fields[fields.THRESHOLD_RESULT + ".cardinality"]]
    return match.hit.position, terms, match.fields[fields.THRESHOLD_COUNT], different


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_case(case: dict[str, Any], world: World) -> None:
    """Each says which groups are matches."""
    rule = make_rule(type="threshold", **case["rule"])
    scene = Scene(world.store, world.prefix)
    scene.add(case["events"])
    found = scene.evaluate(rule, window(*case["window"]))
    assert not found.problems
    expected = [(ms_of(minute(start)), terms, many, more) for start, terms, many, more in case["expected"]]
    assert [told(match) for match in found.matches] == expected


def test_what_a_match_consists_of(store: EmbeddedStore) -> None:
    """Its alert can be written by it: what it is known by, where it lies, what it tells, and when it has grown."""
    rule = make_rule(type="threshold", threshold={"field": ["host.name", "process.pid"], "value": 1})
    scene = Scene(store)
    scene.add([(6, {"host.name": "a", "process.pid": 7}), (9, {"host.name": "a", "process.pid": 7})])
    (match,) = scene.evaluate(rule, window(0, 10)).matches
    start = minute(5)
    terms = [["host.name", "a"], ["process.pid", "7"]]
    assert match.identity == ("threshold", SLOT, ms_of(start), terms)
    assert (match.dated, match.total, match.events) == (start, 2, ())
    written = "2024-03-05T12:05:00.000Z"
    assert match.hit.source == {"@timestamp": written, "host.name": "a", "process.pid": 7}
    assert (match.hit.position, match.hit.key.index) == (ms_of(start), scene.index)
    assert match.fields == {
        fields.THRESHOLD_COUNT: 2,
        fields.THRESHOLD_RESULT + ".from": written,
        fields.THRESHOLD_RESULT + ".cardinality": [],
        fields.THRESHOLD_RESULT + ".terms": [{"field": name, "value": text} for name, text in terms],
    }


def test_the_names_of_fields_are_those_of_alerts() -> None:
    """This layer cannot see the other's names, and an alert grows by one of them."""
    names = (threshold.TERMS, threshold.CARDINALITY, threshold.COUNT, threshold.FROM)
    assert names[2] == fields.THRESHOLD_COUNT
    assert {name.rpartition(".")[0] for name in names} == {fields.THRESHOLD_RESULT}


@pytest.mark.parametrize("duration", ["1s", "5m", "7h", "366d"])
def test_the_whole_calendar_is_one_window(duration: str, world: World) -> None:
    """Slots at its ends reach beyond it; such a slot has no moment, and no step of the way overflows."""
    moments = [
        "0001-01-01T00:00:00.001Z",
        "1969-12-31T23:59:59.999Z",
        "2024-03-05T12:00:00Z",
        "9999-12-31T23:59:59.998Z",
    ]
    scene = Scene(world.store, world.prefix)
    scene.add([(0, {"host.name": "a", "@timestamp": moment}) for moment in moments])
    rule = make_rule(type="threshold", threshold={"field": "host.name", "value": 1, "duration": duration})
    matches = scene.evaluate(rule, ALL_TIME).matches
    assert len(matches) == len(moments)
    length = {"1s": 1000, "5m": SLOT, "7h": 7 * 3_600_000, "366d": 366 * 86_400_000}[duration]
    for match, moment in zip(matches, moments, strict=True):
        happened = ms_of(datetime.fromisoformat(moment))
        assert match.hit.position == happened // length * length
        assert match.identity[2] == match.hit.position
        is_in_calendar = match.hit.position >= ms_of(ALL_TIME.start)
        assert (match.dated is not None, "@timestamp" in match.hit.source) == (is_in_calendar, is_in_calendar)


def test_what_takes_more_than_one_request_is_found_whole(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of every size, which end within slots and between them, give the same matches."""
    scene = Scene(store)
    scene.add([(number % 13, {"host.name": f"h{number % 7}", "user.name": "u"}) for number in range(80)])
    several: list[dict[str, Any]] = [{}, {"cardinality": [{"field": "user.name", "value": 1}]}]
    for more in several:
        rule = make_rule(type="threshold", threshold={"field": "host.name", "value": 2, **more})
        expected = [told(match) for match in scene.evaluate(rule, window(0, 15)).matches]
        assert len(expected) == 21
        for size in (1, 2, 7, 20, 21, 22):
            monkeypatch.setattr(threshold, "PAGE_SIZE", size)
            monkeypatch.setattr(threshold, "SMALL_PAGE", size)
            assert [told(match) for match in scene.evaluate(rule, window(0, 15)).matches] == expected


LOGIC: list[dict[str, Any]] = [
    {"threshold": {"field": ["host.name"], "value": 2}},
    {"threshold": {"field": ["host.name"], "value": 3}},
    {"threshold": {"field": ["user.name"], "value": 2}},
    {"threshold": {"field": ["host.name", "user.name"], "value": 2}},
    {"threshold": {"field": ["host.name"], "value": 2, "duration": "1h"}},
    {"threshold": {"field": ["host.name"], "value": 2, "cardinality": [{"field": "user.name", "value": 2}]}},
    {"threshold": {"field": ["host.name"], "value": 2, "cardinality": [{"field": "user.name", "value": 3}]}},
    {"threshold": {"field": ["host.name"], "value": 2}, "match": {"event.category": "network"}},
    {"threshold": {"field": ["host.name"], "value": 2}, "interval": "6m"},
]


def test_a_rule_that_counts_otherwise_has_another_logic() -> None:
    """Whatever changes what is found changes the fingerprint; what does not, does not."""
    prints = [compiled(make_rule(type="threshold", **changes)).fingerprint("threshold") for changes in LOGIC]
    assert len(set(prints)) == len(LOGIC)
    renamed = make_rule(type="threshold", name="Renamed", **LOGIC[0])
    said = make_rule(type="threshold", threshold={"field": ["host.name"], "value": 2, "duration": "5m"})
    assert compiled(renamed).fingerprint("threshold") == compiled(said).fingerprint("threshold") == prints[0]


def test_indices_whose_values_cannot_be_counted_together_are_left_out() -> None:
    """Most indices decide; text is never counted, and a field that no index has is named."""
    rule = make_rule(
        type="threshold",
        threshold={"field": ["host.name"], "value": 1, "cardinality": [{"field": "user.name", "value": 1}]},
    )
    found = compiled(
        rule,
        FieldTypes(
            types={
                "host.name": {
                    "keyword": frozenset({"a", "b"}),
                    "long": frozenset({"c"}),
                    "text": frozenset({"d"}),
                    UNMAPPED: frozenset({"e"}),
                },
                "user.name": {"text": frozenset({"a"}), "keyword": frozenset({"b"}), "long": frozenset({"c"})},
            }
        ),
    )
    assert found.left_out == found.refusing == ("a", "c", "d")
    by_index = {misfit.indices: str(misfit) for misfit in found.misfits}
    assert "needs keyword as in the other indices" in by_index["c",]
    assert "such as keyword" in by_index["d",]
    # Indices without documents are no misfits for whoever executes the rule, but still refuse.
    assert replace(found, misfits=()).refusing == found.refusing
    nowhere = compiled(rule, FieldTypes(types={"host.name": {UNMAPPED: frozenset({"a"})}}))
    assert (nowhere.left_out, nowhere.unknown) == ((), ("host.name",))


@pytest.mark.parametrize("together", [("long", "short"), ("float", "double"), ("keyword", "flattened")])
def test_types_that_are_ordered_alike_are_counted_together(together: tuple[str, str]) -> None:
    """As Elasticsearch's `composite` does; whole numbers and fractions it does not."""
    types = {"host.name": {name: frozenset({name}) for name in (*together, "ip")}}
    rule = make_rule(type="threshold", threshold={"field": ["host.name"], "value": 1})
    assert compiled(rule, FieldTypes(types=types)).left_out == ("ip",)


def test_between_as_many_indices_of_each_keyword_decides() -> None:
    """It is what such fields are meant to be."""
    types = {"host.name": {name: frozenset({name}) for name in ("ip", "keyword", "version")}}
    rule = make_rule(type="threshold", threshold={"field": ["host.name"], "value": 1})
    assert compiled(rule, FieldTypes(types=types)).left_out == ("ip", "version")


happenings = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda number: number / 2),
        st.fixed_dictionaries(
            {"host.name": st.sampled_from(["a", "b", ["a", "b"], ["a", "a"], []])},
            optional={"user.name": st.sampled_from(["u", "v", ["u", "w"]]), "event.category": st.just("network")},
        ),
    ),
    max_size=30,
)
windows = st.lists(st.tuples(st.integers(0, 19), st.integers(1, 10)), min_size=1, max_size=4)
thresholds = st.fixed_dictionaries(
    {"value": st.integers(1, 4), "field": st.sampled_from([[], ["host.name"], ["host.name", "user.name"]])},
    optional={
        "duration": st.sampled_from(["2m", "3m", "1h"]),
        "cardinality": st.just([{"field": "user.name", "value": 2}]),
    },
)


@settings(max_examples=60, deadline=None)
@given(events=happenings, asked=thresholds, spans=windows)
def test_any_windows_in_any_order_find_what_counting_finds(
    store: EmbeddedStore,
    events: list[tuple[float, dict[str, Any]]],
    asked: dict[str, Any],
    spans: list[tuple[int, int]],
) -> None:
    """Events that come between two windows make matches grow; nothing else changes."""
    rule = make_rule(type="threshold", threshold=asked)
    assert rule.threshold is not None
    length = rule.threshold.duration or timedelta(minutes=5)
    scene = Scene(store)
    for begin, end in ((0, len(events) // 2), (len(events) // 2, len(events))):
        scene.add(events[begin:end])
        for start, size in spans:
            over = window(start, start + size)
            found = scene.evaluate(rule, over).matches
            counted = _counted(events[:end], asked, length, over)
            assert {json.dumps(match.identity): told(match)[2:] for match in found} == counted
            assert len(found) == len(counted)
            assert [match.hit.position for match in found] == sorted(match.hit.position for match in found)


def _counted(
    events: list[tuple[float, dict[str, Any]]], asked: dict[str, Any], length: timedelta, over: Window
) -> dict[Any, tuple[int, list[int]]]:
    """The matches by hand: identity -> count, and how many different values."""
    step = length // timedelta(milliseconds=1)
    counts, users = Counter[Any](), dict[Any, set[str]]()
    for at, event in events:
        if event.get("event.category"):
            continue
        slot = ms_of(minute(at)) // step * step
        if slot < ms_of(over.end) and slot + step > ms_of(over.start):
            for values in combinations(event, asked["field"]):
                counts[slot, values] += 1
                users.setdefault((slot, values), set()).update(name for (name,) in combinations(event, ["user.name"]))
    wanted = [each["value"] for each in asked.get("cardinality", [])]
    return {
        json.dumps(["threshold", step, slot, list(zip(asked["field"], values, strict=True))]): (
            counts[slot, values],
            [len(users[slot, values])] * len(wanted),
        )
        for slot, values in counts
        if counts[slot, values] >= asked["value"] and all(len(users[slot, values]) >= least for least in wanted)
    }
