"""Values are new at the events that brute force says, whichever windows are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lolbin_rules.alert import fields
from lolbin_rules.plan.window import Window
from lolbin_rules.rule_types import buckets, new_terms
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Aggregated, FieldTypes, ShardFailure
from rule_types.counted_rules import BASE, Scene, combinations, compiled, make_rule, minute, ms_of, window
from worlds import KINDS, World, open_world

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("new_terms_cases.yaml").read_text())
ALL_TIME = Window(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))
HISTORY = 3_600_000
SLOT = 300_000


world = pytest.fixture(params=KINDS)(open_world)


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    """A store that is gone afterwards; every scene in it has an index of its own."""
    opened = EmbeddedStore(None, clock=lambda: BASE)
    yield opened
    opened.close()


def rule_for(*names: str, **changes: Any) -> Any:
    """A rule for new values of these fields, whose history is an hour."""
    return make_rule(**{"type": "new_terms", "new_terms_fields": [*names], "history_window_start": "now-1h", **changes})


def told(match: Match) -> tuple[int, list[str]]:
    """When the first event happened, and the new values."""
    return match.hit.position, match.fields[fields.NEW_TERMS]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_case(case: dict[str, Any], world: World) -> None:
    """Each says which values are new at which event."""
    scene = Scene(world.store, world.prefix)
    scene.add(case["events"])
    found = scene.evaluate(rule_for(*case["fields"]), window(*case["window"]))
    assert not found.problems
    assert [told(match) for match in found.matches] == [(ms_of(minute(at)), values) for at, values in case["expected"]]


def test_what_a_match_consists_of(store: EmbeddedStore) -> None:
    """The first event, of several at the same time the first by id; values, and the step of the grid it is in."""
    scene = Scene(store)
    scene.add([(61, {"user.name": "u", "process.pid": 7, "n": number}) for number in range(3)])
    (match,) = scene.evaluate(rule_for("user.name", "process.pid"), window(60, 65)).matches
    assert match.hit.source["n"] == 0
    assert match.hit.key.index == scene.index
    assert match.identity == ("new_terms", [["user.name", "u"], ["process.pid", "7"]], ms_of(minute(60)))
    assert (match.dated, match.total, match.events) == (minute(61), None, ())
    assert match.fields == {fields.NEW_TERMS: ["u", "7"]}
    assert match.hit.position == ms_of(minute(61))


def test_the_name_of_the_field_is_that_of_alerts() -> None:
    """This layer cannot see the other's names."""
    assert new_terms.NEW_TERMS == fields.NEW_TERMS


def test_the_whole_calendar_is_one_window(world: World) -> None:
    """No history before its beginning is asked for in vain, and no step of the way overflows."""
    moments = [
        "0001-01-01T00:00:00.001Z",
        "1969-12-31T23:59:59.999Z",
        "2024-03-05T12:00:00Z",
        "9999-12-31T23:59:59.998Z",
    ]
    scene = Scene(world.store, world.prefix)
    scene.add([(0, {"user.name": "u", "@timestamp": moment}) for moment in moments])
    for history in ("now-1h", "now-366d"):
        found = scene.evaluate(rule_for("user.name", history_window_start=history), ALL_TIME)
        assert [match.hit.source["@timestamp"] for match in found.matches] == moments
        assert len({match.identity for match in _hashable(found.matches)}) == len(moments)


def _hashable(matches: list[Match]) -> list[Any]:
    return [Match(match.hit, (str(match.identity),)) for match in matches]


def test_what_takes_more_than_one_request_is_found_whole(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that end between and within the steps of one value; lookups and events in chunks of every size."""
    scene = Scene(store)
    scene.add([(number * 7 % 400 - 100, {"user.name": f"u{number % 23}"}) for number in range(120)])
    rule = rule_for("user.name")
    expected = [told(match) for match in scene.evaluate(rule, window(0, 300)).matches]
    assert len(expected) > 23
    for size in (1, 2, 5, 23):
        monkeypatch.setattr(new_terms, "MOST_LOOKED_UP", size)
        monkeypatch.setattr(new_terms, "MOST_FETCHED", size)
        monkeypatch.setattr(buckets.Grouping.__init__, "__defaults__", (None, True, dict, size))
        assert [told(match) for match in scene.evaluate(rule, window(0, 300)).matches] == expected


class Lacking:
    """A store some of whose shards do not answer aggregations over times before a moment, or after it."""

    def __init__(self, store: EmbeddedStore, *, before: datetime | None = None) -> None:
        self._store = store
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def aggregate(self, index: Any, query: Any, aggregations: Any, *, within: timedelta) -> Aggregated:
        """As the store, but not whole."""
        answer = self._store.aggregate(index, query, aggregations, within=within)
        end = query["bool"]["filter"][-1]["range"]["@timestamp"]["lt"]
        if self._before is not None and end > ms_of(self._before):
            return answer
        return Aggregated(answer.values, (ShardFailure("an-index", 0, "it is gone", is_query_at_fault=False),))


def test_a_value_whose_history_could_not_be_read_is_not_called_new(store: EmbeddedStore) -> None:
    """The window is doubted, and the value alerted once its history is known."""
    scene = Scene(store)
    scene.add([(-5, {"user.name": "u"}), (1, {"user.name": "v"})])
    scene.store = Lacking(store, before=minute(0))
    found = scene.evaluate(rule_for("user.name"), window(0, 5))
    assert not found.matches
    assert found.problems == ["Shard 0 of an-index did not answer: it is gone; the window is searched again."]


def test_a_silence_within_a_window_that_was_not_read_whole_proves_nothing(store: EmbeddedStore) -> None:
    """What is new by a history that was read whole is a match; what is new by the window itself is not."""
    scene = Scene(store)
    scene.add([(-5, {"user.name": "v"}), (1, {"user.name": "u"}), (200, {"user.name": "u"}), (210, {"user.name": "w"})])
    whole = scene.evaluate(rule_for("user.name"), window(0, 300))
    assert [match.fields[fields.NEW_TERMS] for match in whole.matches] == [["u"], ["u"], ["w"]]
    scene.store = _OnlyHistory(store)
    found = scene.evaluate(rule_for("user.name"), window(0, 300))
    assert [told(match) for match in found.matches] == [(ms_of(minute(1)), ["u"])]
    assert len(found.problems) == 1


class _OnlyHistory(Lacking):
    """Answers whole only about what is before the base."""

    def aggregate(self, index: Any, query: Any, aggregations: Any, *, within: timedelta) -> Aggregated:
        """As the store, but not whole about the window."""
        end = query["bool"]["filter"][-1]["range"]["@timestamp"]["lt"]
        if end <= ms_of(minute(0)):
            return self._store.aggregate(index, query, aggregations, within=within)
        return super().aggregate(index, query, aggregations, within=within)


def test_a_rule_that_looks_otherwise_has_another_logic() -> None:
    """Fields, the length of the history and of the slots, and the query."""
    rules = [
        rule_for("user.name"),
        rule_for("host.name"),
        rule_for("user.name", "host.name"),
        rule_for("user.name", history_window_start="now-2h"),
        rule_for("user.name", interval="6m"),
        rule_for("user.name", match={"event.category": "network"}),
    ]
    assert len({compiled(rule).fingerprint("new_terms") for rule in rules}) == len(rules)
    assert compiled(rule_for("user.name", name="Renamed")).fingerprint() == compiled(rules[0]).fingerprint()


def test_dates_and_text_are_no_values() -> None:
    """Indices that map a field so are left out."""
    types = {"user.name": {name: frozenset({name}) for name in ("keyword", "date", "text", "date_nanos")}}
    found = compiled(rule_for("user.name"), FieldTypes(types=types))
    assert found.left_out == ("date", "date_nanos", "text")


happenings = st.lists(
    st.tuples(
        st.integers(-40, 80).map(lambda number: number * 1.5),
        st.fixed_dictionaries(
            {"user.name": st.sampled_from(["u", "v", ["u", "w"], []])},
            optional={"host.name": st.sampled_from(["a", ["a", "b"]]), "event.category": st.just("network")},
        ),
    ),
    max_size=25,
)
windows = st.lists(st.tuples(st.integers(-30, 100), st.integers(1, 100)), min_size=1, max_size=3)


@settings(max_examples=80, deadline=None)
@given(
    events=happenings,
    names=st.sampled_from([("user.name",), ("user.name", "host.name")]),
    history=st.sampled_from([11, 20, 33, 60]),
    interval=st.sampled_from([5, 7]),
    spans=windows,
)
def test_any_windows_in_any_order_find_what_looking_back_finds(
    store: EmbeddedStore,
    events: list[tuple[float, dict[str, Any]]],
    names: tuple[str, ...],
    history: int,
    interval: int,
    spans: list[tuple[int, int]],
) -> None:
    """Long windows and short, and events that come between two of them."""
    rule = rule_for(*names, history_window_start=f"now-{history}m", interval=f"{interval}m", lookback="now-10m")
    scene = Scene(store)
    for begin, end in ((0, len(events) // 2), (len(events) // 2, len(events))):
        scene.add(events[begin:end])
        for start, size in spans:
            over = window(start, start + size)
            found = scene.evaluate(rule, over)
            assert not found.problems
            new = _new(events[:end], names, history * 60_000, interval * 60_000, over)
            assert sorted(told(match) for match in found.matches) == new
            assert len({str(match.identity) for match in found.matches}) == len(new)
            assert [match.hit.position for match in found.matches] == [place for place, _ in new]


def _new(
    events: list[tuple[float, dict[str, Any]]], names: tuple[str, ...], history: int, interval: int, over: Window
) -> list[tuple[int, list[str]]]:
    """The first events of new values by hand."""
    times: dict[Any, set[int]] = {}
    for at, event in events:
        if not event.get("event.category"):
            for values in combinations(event, names):
                times.setdefault(values, set()).add(ms_of(minute(at)))
    first, end = ms_of(over.start) // interval * interval, ms_of(over.end)
    return sorted(
        (time, list(values))
        for values, its in times.items()
        for time in its
        if first <= time < end and not any(time // interval * interval - history <= other < time for other in its)
    )
