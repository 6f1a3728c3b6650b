"""Rules of type `threshold` in a store: one alert for each group and slot with enough events, and its count exact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counted_world import BASE, CountedWorld, Event, at
from event_indices import iso
from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.execution.record import Status
from lolbin_rules.plan.window import position
from worlds import KINDS, World, in_folder, open_world

world = pytest.fixture(params=KINDS)(open_world)

HOSTS = st.sampled_from("ab")
BY_HOST = {"field": ["host.name"], "value": 4}


def generated(seed: int, size: int = 400, minutes: int = 30) -> list[Event]:
    """Events of some hosts and users within so many minutes."""
    chance = Random(seed)
    return [
        (
            chance.randrange(minutes * 60_000) / 60_000,
            {
                "host": {"name": chance.choice("abcdefghijkl")},
                "user": {"name": chance.choice(["u", "v", "w", ["u", "v"]])},
                **({"event": {"category": "network"}} if chance.random() < 0.2 else {}),
            },
        )
        for _ in range(size)
    ]


def counted(events: list[Event], *, value: int, slot: int = 5) -> dict[tuple[str, str], int]:
    """Slot and host -> how many events of category process, where they are enough."""
    counts = Counter(
        (iso(at(minute // slot * slot)), event["host"]["name"]) for minute, event in events if "event" not in event
    )
    return {group: number for group, number in counts.items() if number >= value}


def alerted(alerts: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """The same from the alerts, each of which must be of another group or slot."""
    found = {
        (
            alert["kibana.alert.threshold_result.from"],
            alert["kibana.alert.threshold_result.terms"][0]["value"],
        ): alert["kibana.alert.threshold_result.count"]
        for alert in alerts
    }
    assert len(found) == len(alerts)
    return found


def test_every_group_has_one_alert_with_its_count(world: World, tmp_path: Path) -> None:
    """Over ticks that overlap, whose windows begin within slots; what is searched again by hand adds nothing."""
    scene = CountedWorld(world, tmp_path, type="threshold", threshold=BY_HOST)
    events = generated(1)
    expected = counted(events, value=4)
    assert 20 < len(expected) < 72
    scene.add(events)
    scene.ticks([4, 9, 13, 18, 22, 27, 31, 36])
    alerts = scene.alerts()
    assert alerted(alerts) == expected
    for alert in alerts:
        slot = alert["kibana.alert.threshold_result.from"]
        assert alert["host.name"] == alert["kibana.alert.threshold_result.terms"][0]["value"]
        assert alert["kibana.alert.threshold_result.terms"][0]["field"] == "host.name"
        assert (alert["kibana.alert.original_time"], alert["kibana.alert.depth"]) == (slot, 1)
        assert alert["_index"] == f"{world.written}-alerts-2024.03"
    (again,) = scene.replay(-60, 60)
    assert (again.tally.alerts, again.tally.duplicates) == (0, len(expected))
    assert scene.alerts() == alerts


def test_of_a_long_outage_is_done_what_can_be_done(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hours are made up for hour by hour: one that is not answered is searched again, alone."""
    scene = CountedWorld(world, tmp_path, type="threshold", threshold=BY_HOST, max_alerts=10_000)
    scene.add([(-60, {})])
    scene.ticks([5])
    events = [(10 + minute, event) for minute, event in generated(2, size=3000, minutes=350)]
    scene.add(events)
    aggregate = type(world.store).aggregate

    def refuse(store: Any, index: Any, query: Any, aggregations: Any, **within: Any) -> Any:
        asked = [each["range"]["@timestamp"] for each in query["bool"]["filter"] if "range" in each]
        if any(span["gte"] < position(at(150)) < span["lt"] for span in asked):
            raise StoreUnavailable("refused by the test: it takes too long")
        return aggregate(store, index, query, aggregations, **within)

    with monkeypatch.context() as patch:
        patch.setattr(type(world.store), "aggregate", refuse)
        execution = scene.tick(361)
    done = sum(window.duration.total_seconds() for window in execution.tally.searched)
    assert execution.status is Status.PARTIAL_FAILURE
    assert len(execution.planned) > 5
    assert 290 * 60 < done < 362 * 60
    (repeated,) = scene.ticks([366])
    assert sum(window.duration.total_seconds() for window in repeated.planned) < 80 * 60
    assert alerted(scene.alerts()) == counted(events, value=4)


def test_an_alert_grows_with_its_slot_and_with_what_comes_late(world: World, tmp_path: Path) -> None:
    """A slot that is not over alerts as soon as it has enough; its alert then tells the last count, and never less."""
    scene = CountedWorld(
        world,
        tmp_path,
        type="threshold",
        threshold={"field": ["host.name"], "value": 2, "cardinality": [{"field": "user.name", "value": 1}]},
    )
    mine: dict[str, Any] = {"host": {"name": "a"}, "user": {"name": "u"}}
    scene.add([(0.5, mine), (1, mine)])
    scene.ticks([2])
    (first,) = scene.alerts()
    assert (first["kibana.alert.threshold_result.count"], first["host.name"]) == (2, "a")
    scene.add([(3, {**mine, "user": {"name": "v"}}), (4, mine), (4, {**mine, "host": {"name": "b"}})])
    scene.ticks([6])
    (grown,) = scene.alerts()
    assert grown["kibana.alert.threshold_result.count"] == 4
    assert grown["kibana.alert.threshold_result.cardinality"] == [{"field": "user.name", "value": 2}]
    changed = {name for name in first if first[name] != grown[name]}
    assert changed == {"kibana.alert.threshold_result.count", "kibana.alert.threshold_result.cardinality"}
    scene.add([(0.1, mine), (4.9, {**mine, "host": {"name": "b"}})])
    scene.ticks([11, 16])
    assert {alert["host.name"]: alert["kibana.alert.threshold_result.count"] for alert in scene.alerts()} == {
        "a": 5,
        "b": 2,
    }


def test_a_cap_defers_groups_and_drops_none(world: World, tmp_path: Path) -> None:
    """Nine groups and at most two alerts in an execution: after five executions all have theirs."""
    scene = CountedWorld(world, tmp_path, type="threshold", threshold=BY_HOST, max_alerts=2, lookback="now-20m")
    events: list[Event] = [
        (slot * 5 + place / 2, {"host": {"name": host}}) for slot in range(3) for host in "abc" for place in range(5)
    ]
    scene.add(events)
    executions = [scene.tick(15 + number * 5) for number in range(12)]
    assert all(execution.tally.alerts <= 2 for execution in executions)
    assert executions[0].status is Status.PARTIAL_FAILURE
    assert executions[-1].status is Status.SUCCEEDED, executions[-1].reason
    assert sum(execution.tally.alerts for execution in executions) == 9
    assert alerted(scene.alerts()) == counted(events, value=4) == dict.fromkeys(counted(events, value=4), 5)


def test_without_fields_all_events_are_one_group(world: World, tmp_path: Path) -> None:
    """A slot is then the whole of what an alert is known by."""
    scene = CountedWorld(world, tmp_path, type="threshold", threshold={"value": 3, "duration": "10m"})
    scene.add([(1, {}), (2, {}), (9, {}), (11, {}), (12, {})])
    scene.ticks([10, 15, 20])
    (alert,) = scene.alerts()
    assert alert["kibana.alert.threshold_result.count"] == 3
    assert alert["kibana.alert.threshold_result.terms"] == []


def test_alerts_of_one_group_are_suppressed_within_a_slot_of_the_suppression(world: World, tmp_path: Path) -> None:
    """The threshold's fields name the group: one alert for each host and hour, with the number of its slots."""
    scene = CountedWorld(
        world, tmp_path, type="threshold", threshold=BY_HOST, suppression={"duration": "1h"}, max_alerts=1000
    )
    events = generated(2, size=900, minutes=90)
    scene.add(events)
    scene.ticks([*range(5, 105, 5)])
    folds = Counter((slot[:13], host) for slot, host in counted(events, value=4))
    assert set(folds.values()) != {1}
    found = scene.alerts()
    assert {
        (alert["lolbin.suppression.slot.start"][:13], alert["host.name"]): alert["lolbin.suppression.count"]
        for alert in found
    } == folds
    assert len(found) == len(folds)
    assert len(scene.members()) == sum(folds.values())
    scene.replay(0, 120)
    assert scene.alerts() == found


def test_an_index_whose_values_cannot_be_counted_with_the_others_is_left_out_and_named(
    world: World, tmp_path: Path
) -> None:
    """A store would refuse the whole request for it."""
    scene = CountedWorld(world, tmp_path, type="threshold", threshold=BY_HOST)
    scene.add([(1, {"host": {"name": "5"}})] * 4)
    host = {"host": {"properties": {"name": {"type": "long"}}}}
    scene.add_mapped("numbers", host, [(1, {"host": {"name": 5}})] * 4)
    text = {"host": {"properties": {"name": {"type": "text"}}}}
    scene.add_mapped("a-text", text, [(1, {"host": {"name": "5"}})] * 4)
    execution = scene.tick(5)
    assert execution.status is Status.PARTIAL_FAILURE, execution.reason
    assert f"field host.name is of type long in index {scene.index}-numbers" in execution.reason.lower()
    assert f"field host.name is of type text in index {scene.index}-a-text" in execution.reason.lower()
    (alert,) = scene.alerts()
    assert alert["kibana.alert.threshold_result.count"] == 4


def test_a_change_of_what_is_counted_begins_anew(world: World, tmp_path: Path) -> None:
    """Coverage of the old logic is none of the new: the last lookback is evaluated again at once."""
    scene = CountedWorld(world, tmp_path, type="threshold", threshold={**BY_HOST, "value": 9})
    scene.add([(1, {"host": {"name": "a"}})] * 5)
    scene.ticks([5])
    assert not scene.alerts()
    scene.rule = scene.written(tmp_path, type="threshold", threshold=BY_HOST)
    scene.ticks([6])
    assert alerted(scene.alerts()) == {(iso(BASE), "a"): 5}


minutes = st.integers(0, 120).map(lambda number: number / 4)
searches = st.tuples(minutes, st.integers(1, 20)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1]))
happened = st.lists(
    st.tuples(minutes, st.fixed_dictionaries({"host": st.fixed_dictionaries({"name": HOSTS})})), max_size=20
)


@settings(max_examples=20, deadline=None)
@given(
    batches=st.lists(st.tuples(happened, st.lists(searches, max_size=2)), min_size=1, max_size=3),
    cap=st.sampled_from([1, 2, 9]),
)
def test_whatever_was_searched_in_between_the_alerts_are_those_of_all_events(
    batches: list[tuple[list[Event], list[tuple[float, float]]]],
    cap: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Events come in any order and any windows are searched between them, under any cap; then all of it once."""
    folder = tmp_path_factory.mktemp("history")
    with in_folder(folder / "store", "h-") as world:
        kind: dict[str, Any] = {"type": "threshold", "threshold": {"field": ["host.name"], "value": 3}}
        scene = CountedWorld(world, folder, max_alerts=cap, **kind)
        scene.add([(0, {"user": {"name": "nobody"}})])
        for events, spans in batches:
            scene.add(events)
            for start, end in spans:
                scene.replay(start, end)
        scene.replay(0, 40)
        expected = counted([event for events, _ in batches for event in events], value=3)
        assert alerted(scene.alerts()) == expected
