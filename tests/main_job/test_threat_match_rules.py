"""Rules that compare events with indicators, in a store: what they alert on, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types import threat_index
from lolbin_rules.store.port import Store
from worlds import World

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
INDICATORS: dict[str, Any] = {
    "date_detection": False,
    "properties": {
        "@timestamp": {"type": "date"},
        "threat": {
            "properties": {
                "feed": {"properties": {"name": {"type": "keyword"}}},
                "indicator": {
                    "properties": {
                        "ip": {"type": "ip"},
                        "port": {"type": "long"},
                        "type": {"type": "keyword"},
                        "file": {"properties": {"hash": {"properties": {"sha256": {"type": "keyword"}}}}},
                    }
                },
            }
        },
    },
}


def rule_of(world: World, **changes: Any) -> Rule:
    """A rule for connections to addresses, or files with hashes, that are indicators of the last 30 days."""
    base = {
        "id": "threats",
        "name": "Known threats",
        "description": "Events that match an indicator.",
        "author": "tests",
        "license": "Apache-2.0",
        "severity": "high",
        "risk_score": 73,
        "type": "threat_match",
        "query": "event.category: *",
        "index": [f"{world.prefix}events"],
        "threat_index": [f"{world.prefix}ti-*"],
        "threat_query": '@timestamp >= "now-30d/d"',
        "threat_mapping": [
            {"entries": [{"field": "destination.ip", "type": "mapping", "value": "threat.indicator.ip"}]},
            {"entries": [{"field": "file.hash.sha256", "value": "threat.indicator.file.hash.sha256"}]},
        ],
    }
    return Rule.model_validate({**base, **changes})


def event(minute: float, category: str = "network", **fields: Any) -> dict[str, Any]:
    """An event so many minutes after the base; the names of fields have `__` for dots."""
    found: dict[str, Any] = {"@timestamp": iso(BASE + timedelta(minutes=minute)), "event": {"category": category}}
    return {**found, **{name.replace("__", "."): value for name, value in fields.items()}}


def indicator(age: float = 1, feed: str = "Feed", **fields: Any) -> dict[str, Any]:
    """An indicator that was seen so many days ago, by the clock."""
    found = {name.replace("__", "."): value for name, value in fields.items()}
    moment = iso(datetime.now(UTC) - timedelta(days=age))
    return {"@timestamp": moment, "threat": {"feed": {"name": feed}, "indicator": found}}


def load(world: World, index: str, documents: Iterable[Mapping[str, Any]], mapping: Mapping[str, Any] | None) -> None:
    """Write documents under the ids "0", "1" and so on."""
    name = f"{world.prefix}{index}"
    if mapping is None:
        map_indices(world.store, name)
    else:
        map_indices(world.store, name, mapping=mapping)
    index_events(world.store, [(name, str(number), source) for number, source in enumerate(documents)])


def tick(world: World, rule: Rule, at: datetime) -> Execution:
    """One scheduled execution."""
    (execution,) = execute(Orders([rule], {}, at, prefix=world.written), world.store)
    return execution


def alerts(world: World) -> list[dict[str, Any]]:
    """Every alert, in the order of its event."""
    found = stored(world.store, f"{world.written}-alerts-*")
    return sorted(found, key=lambda alert: int(alert["kibana.alert.ancestors"][0]["id"]))


def ids(world: World) -> list[int]:
    """The events that have an alert."""
    return [int(alert["kibana.alert.ancestors"][0]["id"]) for alert in alerts(world)]


def told(alert: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The indicators that an alert tells of, with what matched."""
    return [(each["matched"]["id"], each["matched"]["atomic"]) for each in alert["threat.enrichments"]]


@pytest.fixture(params=[10_000, -1], ids=["few indicators", "many indicators"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All indicators are read at once, or asked for with each page of events."""
    monkeypatch.setattr(threat_index, "FEW", request.param)


SHA = "a" * 64
EVENTS = [
    event(1, destination__ip="203.0.113.9"),
    event(2, destination__ip=["198.51.100.1", "::ffff:203.0.113.9"]),
    event(3, destination__ip="203.0.113.10"),
    event(4, "file", file={"hash": {"sha256": SHA}}),
    event(5, "file", file={"hash": {"sha256": SHA.upper()}}),
    event(6, destination__ip="2001:db8::5", file__hash__sha256=[SHA, "b" * 64]),
    event(7, destination__ip="203.0.113.77"),
    {"@timestamp": iso(BASE + timedelta(minutes=8)), "destination": {"ip": "203.0.113.9"}},
]
THREATS = [
    indicator(3, ip="203.0.113.9", type="ipv4-addr"),
    indicator(2, ip=["203.0.113.9", "2001:DB8:0::5"]),
    indicator(1, feed="Other", file={"hash": {"sha256": SHA}}),
    indicator(45, ip="203.0.113.77"),
]


@pytest.mark.usefixtures("either_way")
def test_each_event_that_matches_an_indicator_has_one_alert(store: Store, world: World) -> None:
    """However often its time is searched; the alert tells of every indicator, oldest first."""
    load(world, "events", EVENTS, None)
    load(world, "ti-one", THREATS, INDICATORS)
    rule = rule_of(world, lookback="now-30m")
    first = tick(world, rule, BASE + timedelta(minutes=10))
    assert first.status is Status.SUCCEEDED, first.reason
    again = [tick(world, rule, BASE + timedelta(minutes=minute)) for minute in (15, 20)]
    assert [execution.tally.alerts for execution in (first, *again)] == [4, 0, 0]
    list(replay(Orders([rule], {}, BASE, prefix=world.written), Window(BASE, BASE + timedelta(hours=1)), store))
    assert ids(world) == [0, 1, 3, 5]
    found = alerts(world)
    assert [told(alert) for alert in found] == [
        [("0", "203.0.113.9"), ("1", "203.0.113.9")],
        [("0", "::ffff:203.0.113.9"), ("1", "::ffff:203.0.113.9")],
        [("2", SHA)],
        [("1", "2001:db8::5"), ("2", SHA)],
    ]
    enrichment = found[0]["threat.enrichments"][0]
    assert enrichment["indicator"] == {"ip": "203.0.113.9", "type": "ipv4-addr"}
    assert enrichment["feed"] == {"name": "Feed"}
    assert enrichment["matched"]["index"] == f"{world.prefix}ti-one"
    assert found[0]["kibana.alert.rule.rule_id"] == "threats"


@pytest.mark.usefixtures("either_way")
def test_the_cap_leaves_the_later_events_to_the_next_executions(store: Store, world: World) -> None:
    """The oldest come first, none is dropped."""
    load(world, "events", [event(minute / 4, destination__ip="203.0.113.9") for minute in range(9)], None)
    load(world, "ti-one", THREATS, INDICATORS)
    rule = rule_of(world, max_alerts=2)
    assert tick(world, rule, BASE + timedelta(minutes=5)).tally.alerts == 2
    assert ids(world) == [0, 1]
    for minute in range(10, 60, 5):
        assert tick(world, rule, BASE + timedelta(minutes=minute)).tally.alerts <= 2
    assert Counter(ids(world)) == Counter(range(9))


@pytest.mark.usefixtures("either_way")
def test_an_indicator_that_comes_later_alerts_what_is_searched_again(store: Store, world: World) -> None:
    """The events of the lookback, and not those before it."""
    load(world, "events", [event(minute, destination__ip="203.0.113.50") for minute in (1, 18)], None)
    load(world, "ti-one", THREATS, INDICATORS)
    rule = rule_of(world, interval="5m", lookback="now-10m")
    for minute in (5, 10, 15, 20):
        assert tick(world, rule, BASE + timedelta(minutes=minute)).tally.alerts == 0
    load(world, "ti-two", [indicator(ip="203.0.113.50")], INDICATORS)
    assert tick(world, rule, BASE + timedelta(minutes=25)).tally.alerts == 1
    assert ids(world) == [1]


@pytest.mark.usefixtures("either_way")
def test_indices_that_map_the_indicators_differently_are_all_compared(store: Store, world: World) -> None:
    """An address field is not asked for what only a keyword field can hold, in one request for both."""
    texts = {"properties": {"threat": {"properties": {"indicator": {"properties": {"ip": {"type": "keyword"}}}}}}}
    load(world, "ti-one", [indicator(ip="203.0.113.9")], INDICATORS)
    load(world, "ti-two", [indicator(ip="evil.example"), indicator(ip="203.0.113.10")], texts)
    events = [
        event(1, dns__question__name="evil.example"),
        event(2, dns__question__name=["203.0.113.9", "other.example"]),
        event(3, dns__question__name="203.0.113.10"),
    ]
    load(world, "events", events, None)
    entry = {"field": "dns.question.name", "value": "threat.indicator.ip"}
    rule = rule_of(world, threat_mapping=[{"entries": [entry]}], threat_query="*:*")
    execution = tick(world, rule, BASE + timedelta(minutes=5))
    assert execution.status is Status.SUCCEEDED, execution.reason
    assert ids(world) == [0, 1, 2]


@pytest.mark.usefixtures("either_way")
def test_all_comparisons_of_a_mapping_hold_of_one_indicator(store: Store, world: World) -> None:
    """An address and a port of two different indicators are no match."""
    threats = [indicator(ip="203.0.113.9", port=443), indicator(ip="203.0.113.10", port=8443)]
    load(world, "ti-one", threats, INDICATORS)
    events = [
        event(1, destination={"ip": "203.0.113.9", "port": 443}),
        event(2, destination={"ip": "203.0.113.9", "port": 8443}),
        event(3, destination={"ip": ["203.0.113.9", "203.0.113.10"], "port": 8443}),
    ]
    load(world, "events", events, None)
    address = {"field": "destination.ip", "value": "threat.indicator.ip"}
    port = {"field": "destination.port", "value": "threat.indicator.port"}
    both = rule_of(world, threat_mapping=[{"entries": [address, port]}])
    assert tick(world, both, BASE + timedelta(minutes=5)).tally.alerts == 2
    assert ids(world) == [0, 2]
    differs = rule_of(world, id="differs", threat_mapping=[{"entries": [address, {**port, "negate": True}]}])
    assert tick(world, differs, BASE + timedelta(minutes=5)).tally.alerts == 2
    assert sorted(ids(world)) == [0, 1, 2, 2]


def test_without_indicators_the_time_is_searched_again(store: Store, world: World) -> None:
    """Events that nothing could be compared with are not taken for harmless."""
    load(world, "events", EVENTS, None)
    rule = rule_of(world)
    execution = tick(world, rule, BASE + timedelta(minutes=9))
    assert execution.status is Status.PARTIAL_FAILURE
    assert execution.tally.problems[0].startswith(f"No index matches {world.prefix}ti-*: there is no indicator")
    load(world, "ti-one", THREATS, INDICATORS)
    tick(world, rule, BASE + timedelta(hours=1))
    assert ids(world) == [0, 1, 3, 5]


def test_a_lone_surrogate_in_an_event_hides_no_other(store: Store, world: World) -> None:
    """What is no text at all is compared with nothing and breaks nothing."""
    load(world, "ti-one", THREATS, INDICATORS)
    load(world, "events", [event(1, file__hash__sha256="\ud800"), event(2, file__hash__sha256=SHA)], None)
    assert tick(world, rule_of(world), BASE + timedelta(minutes=5)).tally.alerts == 1
    assert ids(world) == [1]
