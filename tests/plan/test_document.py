"""The stored form of a coverage."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline import SECOND, any_spans, at, instants, span, windows

from lolbin_rules.plan.coverage import Coverage, closed
from lolbin_rules.plan.document import from_document, to_document
from lolbin_rules.plan.indices import Bounds, Indices, Look, Named
from lolbin_rules.plan.logic import Logic, Logics
from lolbin_rules.plan.sequence import Cursor, Sequence, ShardKey
from lolbin_rules.plan.window import FOREVER, MILLISECOND, Spans, Window

searches = st.tuples(windows(), instants(1, 50), st.sampled_from("abc"))
deferrals = st.tuples(windows(), instants(1, 50))
values = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
unknown = st.dictionaries(st.text(min_size=1, max_size=4).map(lambda name: f"x_{name}"), values, max_size=2)


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    """Any coverage, by what may have happened to a rule."""
    logics = Logics(Logic("a", at(0)))
    for fingerprint, since in draw(st.lists(st.tuples(st.sampled_from("abc"), instants()), max_size=3)):
        logics = logics.edited(Logic(fingerprint, since))
    coverage = Coverage("r", logics, draw(any_spans()) | Spans.between(at(60), FOREVER))
    for window, searched_at, fingerprint in draw(st.lists(searches, max_size=4)):
        coverage = coverage.with_searched(window, searched_at, fingerprint, MILLISECOND)
    for window, searched_at in draw(st.lists(deferrals, max_size=2)):
        coverage = coverage.with_deferred(window, searched_at)
    if draw(st.booleans()):
        shards = {ShardKey("i", "h", 0): Cursor(5, frozenset({2}), at(9)), ShardKey("i", "h", 1): Cursor()}
        whole_at, passed_over = draw(st.sampled_from([None, at(8)])), draw(any_spans())
        coverage = replace(coverage, sequence=Sequence("a", at(0), shards, whole_at, passed_over))
    if draw(st.booleans()):
        bounds = Bounds(at(1), at(2), at(3))
        look = Look(bounds, {at(1): draw(st.integers(1, 9))}, recent=2, older=3)
        there = {"known": Named("a"), "new": Named("b")}
        met = Indices.begin(("a-*", "b"), {"known": there["known"]})
        coverage = replace(coverage, indices=met).with_looks(there, {"new": look}, draw(instants(1, 50)), SECOND)
    return coverage if draw(st.booleans()) else closed(coverage, at(70))


@given(coverages())
@settings(max_examples=40, deadline=None)
def test_what_is_stored_is_what_is_read(coverage: Coverage) -> None:
    """Through JSON and back a coverage is the same."""
    assert from_document(json.loads(json.dumps(to_document(coverage)))) == coverage


@given(coverages(), unknown, unknown, unknown)
@settings(max_examples=40, deadline=None)
def test_what_is_unknown_is_written_back(
    coverage: Coverage, top: dict[str, Any], axes: dict[str, Any], axis: dict[str, Any]
) -> None:
    """Keys and axes of a later version survive a reader that does not know them, and its changes."""
    document = to_document(coverage)
    event_time = {**document["axes"]["event_time"], **axis}
    document = {**document, **top, "axes": {**axes, "event_time": event_time}}
    read = from_document(document)
    assert to_document(read) == document
    changed = to_document(read.with_searched(span(0, 9), at(9), "a", MILLISECOND))
    assert top.items() <= changed.items()
    assert axes.items() <= changed["axes"].items()
    assert axis.items() <= changed["axes"]["event_time"].items()


def test_a_stored_document_is_nobody_elses() -> None:
    """Changing a document that was read or is to be written changes no coverage."""
    document = {**stored(), "later": {"certificates": [1]}}
    coverage = from_document(document)
    document["later"]["certificates"].append(2)
    to_document(coverage)["later"]["certificates"].append(3)
    assert to_document(coverage)["later"] == {"certificates": [1]}


def stored() -> dict[str, Any]:
    """A document with one of everything."""
    logics = Logics(Logic("a", at(0))).edited(Logic("b", at(5000)))
    coverage = Coverage("r", logics, Spans.between(at(0), FOREVER)).with_asked(Window(at(-9000), at(-8000)))
    return to_document(
        coverage.with_searched(span(0, 9000), at(10_000), "b", SECOND).with_deferred(span(8500, 9000), at(10_001))
    )


def test_the_stored_form_is_the_documented_one() -> None:
    """Other programs read this document; what is where, and in which unit, does not change by accident."""
    assert stored() == {
        "format": 1,
        "rule_id": "r",
        "axes": {
            "event_time": {
                "asked": [
                    {"start": "2026-11-02T11:59:51.000Z", "end": "2026-11-02T11:59:52.000Z"},
                    {"start": "2026-11-02T12:00:00.000Z", "end": None},
                ],
                "logic": {"fingerprint": "b", "since": "2026-11-02T12:00:05.000Z"},
                "history": [
                    {
                        "fingerprint": "a",
                        "since": "2026-11-02T12:00:00.000Z",
                        "until": "2026-11-02T12:00:05.000Z",
                    }
                ],
                "searched": [
                    {
                        "start": "2026-11-02T12:00:00.000Z",
                        "end": "2026-11-02T12:00:09.000Z",
                        "searched_at": "2026-11-02T12:00:10.000Z",
                        "lag_ms": 1000,
                        "logic": "b",
                    }
                ],
                "deferred": [
                    {
                        "start": "2026-11-02T12:00:08.500Z",
                        "end": "2026-11-02T12:00:09.000Z",
                        "deferred_at": "2026-11-02T12:00:10.001Z",
                    }
                ],
            }
        },
    }


@pytest.mark.parametrize("other", [2, "1", None])
def test_another_format_is_refused(other: object) -> None:
    """A format that this version does not know is not guessed at; the message says what to do."""
    with pytest.raises(ValueError, match=r"rule 'r' has format .*, this version reads 1; .* Upgrade lolbin-rules"):
        from_document({**stored(), "format": other})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("rule_id", None),
        ("axes", []),
        ("axes/event_time", None),
        ("axes/event_time/searched", None),
        ("axes/event_time/searched/0/certainty", "low"),
        ("axes/event_time/asked/0/start", "yesterday"),
        ("axes/event_time/asked/0/start", "2026-11-02T11:59:51.000"),
        ("axes/event_time/searched/0/searched_at", 1),
        ("axes/event_time/searched/0/searched_at", "2026-11-02T12:00:10.000500Z"),
        ("axes/event_time/searched/0/searched_at", "2026-11-02T12:00:11.000Z"),
        ("axes/event_time/searched/0/lag_ms", -1),
        ("axes/event_time/searched/0/lag_ms", "long"),
        ("axes/event_time/searched/0/start", "2026-11-02T12:00:09.000Z"),
        ("axes/event_time/history/0/since", "2027-11-02T12:00:00.000Z"),
    ],
)
def test_a_damaged_document_is_refused(place: str, value: object) -> None:
    """Whatever is wrong with a document, nothing is believed of it; the message says what to do."""
    document = stored()
    path: list[Any] = [int(step) if step.isdigit() else step for step in place.split("/")]
    reduce(getitem, path[:-1], document)[path[-1]] = value
    with pytest.raises(ValueError, match=r"is damaged: .* Restore the document, or delete it"):
        from_document(document)


def test_overlapping_stretches_are_refused() -> None:
    """Two answers for one moment are none."""
    document = stored()
    document["axes"]["event_time"]["searched"] *= 2
    with pytest.raises(ValueError, match="overlap or are not in order"):
        from_document(document)


def test_the_stored_form_of_numbers_is_the_documented_one() -> None:
    """With what was left, and without what goes without saying; what a later version adds is written back."""
    key, other = ShardKey("i", "h", 0), ShardKey("i", "h", 1)
    cursors = {other: Cursor(), key: Cursor(5, frozenset({2}), at(9))}
    known = Sequence("a", at(0), cursors, at(8), Spans.between(at(3), at(4)))
    document = to_document(Coverage.begin("r", at(0), "a").with_sequence(known))
    assert document["axes"]["sequence"] == {
        "logic": "a",
        "since": "2026-11-02T12:00:00.000Z",
        "whole_at": "2026-11-02T12:00:00.008Z",
        "passed_over": [{"start": "2026-11-02T12:00:00.003Z", "end": "2026-11-02T12:00:00.004Z"}],
        "shards": [
            {
                "index": "i",
                "history": "h",
                "shard": 0,
                "next": 5,
                "left": [2],
                "read_at": "2026-11-02T12:00:00.009Z",
            },
            {"index": "i", "history": "h", "shard": 1, "next": 0},
        ],
    }
    document["axes"]["sequence"]["later"] = {"x": 1}
    assert to_document(from_document(document)) == document


@pytest.mark.parametrize(
    "damage",
    [{"shards": [{"index": "i"}]}, {"since": 4}, {"shards": [{"index": "i", "history": "h", "shard": 0, "next": -1}]}],
)
def test_a_damaged_axis_of_numbers_is_refused(damage: dict[str, Any]) -> None:
    """Rather than read from anywhere."""
    document = to_document(Coverage.begin("r", at(0), "a").with_sequence(Sequence("a", at(0))))
    document["axes"]["sequence"] |= damage
    with pytest.raises(ValueError, match="is damaged"):
        from_document(document)
