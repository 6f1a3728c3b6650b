"""Rules of type `new_terms` in a store: one alert for each new value, with the event that has it first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counted_world import CountedWorld, Event, at
from event_indices import iso
from lolbin_rules.execution.record import Status
from worlds import KINDS, World, in_folder, open_world

world = pytest.fixture(params=KINDS)(open_world)

HOUR = {"type": "new_terms", "history_window_start": "now-1h", "interval": "5m", "lookback": "now-9m"}
ONE = {**HOUR, "new_terms_fields": ["user.name"]}
TWO = {**HOUR, "new_terms_fields": ["host.name", "user.name"]}


def generated(seed: int) -> list[Event]:
    """Two hours of history and half an hour of events; some users are rare."""
    chance = Random(seed)
    return [
        (
            chance.randrange(-120 * 60, 30 * 60) / 60,
            {
                "host": {"name": chance.choice(["a", "b", "c", ["a", "b"]])},
                "user": {"name": f"u{int(chance.paretovariate(0.5)) % 400}"},
            },
        )
        for _ in range(600)
    ]


def new_in(events: list[Event], first: float, end: float) -> Counter[tuple[str, str, str]]:
    """Time, host and user of each event that is the first of both in the hour before its slot of five minutes."""
    times: dict[tuple[str, str], set[float]] = {}
    for minute, event in events:
        hosts = event["host"]["name"]
        for host in hosts if isinstance(hosts, list) else [hosts]:
            times.setdefault((host, event["user"]["name"]), set()).add(minute)
    return Counter(
        (iso(at(minute)), *values)
        for values, its in times.items()
        for minute in its
        if first <= minute < end and not any(minute // 5 * 5 - 60 <= other < minute for other in its)
    )


def alerted(alerts: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    """The same from the alerts."""
    return Counter((alert["kibana.alert.original_time"], *alert["kibana.alert.new_terms"]) for alert in alerts)


def test_every_new_combination_has_one_alert(world: World, tmp_path: Path) -> None:
    """Over ticks that overlap; what is searched again by hand adds nothing; long windows find the same."""
    scene = CountedWorld(world, tmp_path, max_alerts=1000, **TWO)
    events = generated(3)
    expected = new_in(events, 0, 30)
    assert len(expected) > 20
    scene.add(events)
    scene.ticks([9, 13, 18, 22, 27, 30])
    alerts = scene.alerts()
    assert alerted(alerts) == expected
    assert all(alert["user"]["name"] == alert["kibana.alert.new_terms"][1] for alert in alerts)
    (again,) = scene.replay(0, 30)
    assert (again.tally.alerts, again.tally.duplicates) == (0, len(expected))
    scene.replay(-120, 30)
    assert alerted(scene.alerts()) == new_in(events, -120, 30)


def test_an_event_that_comes_late_is_the_first_but_no_second_alert(world: World, tmp_path: Path) -> None:
    """The value was alerted already; that it came earlier than was known makes it new no second time."""
    scene = CountedWorld(world, tmp_path, **ONE)
    scene.add([(4, {"user": {"name": "u"}})])
    scene.ticks([5])
    (alert,) = scene.alerts()
    scene.add([(2, {"user": {"name": "u"}}), (3, {"user": {"name": "v"}})])
    scene.ticks([6, 11])
    assert [each["kibana.alert.new_terms"] for each in scene.alerts() if each["_id"] != alert["_id"]] == [["v"]]
    assert alert in scene.alerts()


def test_an_event_with_two_new_values_has_two_alerts(world: World, tmp_path: Path) -> None:
    """Each tells its value, and both copy the event."""
    scene = CountedWorld(world, tmp_path, **ONE)
    scene.add([(-30, {"user": {"name": "old"}}), (1, {"user": {"name": ["x", "old", "y"]}})])
    scene.ticks([5, 10])
    alerts = scene.alerts()
    assert sorted(alert["kibana.alert.new_terms"] for alert in alerts) == [["x"], ["y"]]
    assert [alert["user"]["name"] for alert in alerts] == [["x", "old", "y"]] * 2
    assert len({alert["kibana.alert.ancestors"][0]["id"] for alert in alerts}) == 1


def test_a_cap_defers_values_and_drops_none(world: World, tmp_path: Path) -> None:
    """Nine new values and at most two alerts in an execution, some at the same millisecond."""
    scene = CountedWorld(world, tmp_path, max_alerts=2, **ONE)
    events: list[Event] = [(number // 3, {"user": {"name": f"u{number}"}}) for number in range(9)]
    scene.add([*events, *((minute + 20, event) for minute, event in events)])
    executions = [scene.tick(5 + number * 5) for number in range(12)]
    assert all(execution.tally.alerts <= 2 for execution in executions)
    assert executions[0].status is Status.PARTIAL_FAILURE
    assert executions[-1].status is Status.SUCCEEDED, executions[-1].reason
    assert alerted(scene.alerts()) == Counter((iso(at(minute)), event["user"]["name"]) for minute, event in events)


def test_addresses_and_numbers_are_found_again(world: World, tmp_path: Path) -> None:
    """The store's own answer is what it is asked for: in whatever type, the first event is read."""
    fields = ["source.ip", "process.pid", "is_odd"]
    scene = CountedWorld(world, tmp_path, **{**HOUR, "new_terms_fields": fields})
    old = {"source": {"ip": "2001:db8::1"}, "process": {"pid": 7}, "is_odd": True}
    mapped = {"source": {"ip": "::ffff:10.0.0.1"}, "process": {"pid": 2**53 + 1}, "is_odd": False}
    scene.add([(-20, old), (1, old), (2, mapped), (3, {**old, "source": {"ip": "2001:db8:0::2"}})])
    scene.ticks([5, 9])
    assert alerted(scene.alerts()) == Counter(
        [
            (iso(at(2)), "10.0.0.1", str(2**53 + 1), "false"),
            (iso(at(3)), "2001:db8::2", "7", "true"),
        ]
    )


def test_new_values_are_suppressed_as_other_alerts_are(world: World, tmp_path: Path) -> None:
    """Of one event with two new values both are members of its group."""
    scene = CountedWorld(world, tmp_path, suppression={"group_by": ["host.name"], "duration": "1h"}, **ONE)
    scene.add(
        [
            (1, {"host": {"name": "a"}, "user": {"name": ["u", "v"]}}),
            (3, {"host": {"name": "a"}, "user": {"name": "w"}}),
            (4, {"host": {"name": "b"}, "user": {"name": "w"}}),
        ]
    )
    scene.ticks([5, 10])
    (alert,) = scene.alerts()
    assert (alert["host"]["name"], alert["lolbin.suppression.count"]) == ("a", 3)
    assert len(scene.members()) == 3


spans = st.tuples(st.integers(-100, 29), st.integers(1, 120)).map(lambda drawn: (drawn[0], min(30, sum(drawn))))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), searched=st.lists(spans, min_size=1, max_size=3), cap=st.sampled_from([9, 100]))
def test_whatever_windows_are_searched_the_alerts_are_those_of_the_events_in_them(
    seed: int, searched: list[tuple[int, int]], cap: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Windows longer and shorter than the history, in any order, one within another, under a small cap or none."""
    events = generated(seed)[:120]
    folder = tmp_path_factory.mktemp("windows")
    with in_folder(folder / "store", "w-") as world:
        scene = CountedWorld(world, folder, max_alerts=cap, **TWO)
        scene.add(events)
        expected = Counter[tuple[str, str, str]]()
        for start, end in searched:
            scene.replay(start, end)
            expected |= new_in(events, start // 5 * 5, end)
        assert alerted(scene.alerts()) == expected
