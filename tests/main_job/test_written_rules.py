"""Rules in every language, with exceptions, overrides and filters, in a store: what they alert on, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from interrupted import Interrupted
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.store.port import Store
from worlds import KINDS, World, open_world

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "date_detection": False,
    "properties": {
        "@timestamp": {"type": "date"},
        "event": {
            "properties": {
                "category": {"type": "keyword"},
                "ingested": {"type": "date"},
                "severity": {"type": "long"},
                "sequence": {"type": "long"},
            }
        },
        "host": {"properties": {"name": {"type": "keyword"}}},
        "process": {
            "properties": {
                "name": {"type": "keyword"},
                "pid": {"type": "long"},
                "command_line": {"type": "keyword", "ignore_above": 8191},
            }
        },
        "destination": {"properties": {"ip": {"type": "ip"}}},
        "message": {"type": "text"},
        "labels": {"properties": {"rating": {"type": "keyword"}, "title": {"type": "keyword"}}},
    },
}

world = pytest.fixture(params=KINDS)(open_world)


@dataclass
class Site:
    """A world with one index of events, and executions of rules over it.

    Attributes:
        world: the store.
        rules: what is executed at every tick.
        lists: named lists.
        exceptions: the exception lists of each rule.
    """

    world: World
    rules: list[Rule]
    lists: dict[str, NamedList] = field(default_factory=dict)
    exceptions: dict[str, Sequence[ExceptionList]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.store.prepare(templates(self.world.written))
        map_indices(self.world.store, self.index, mapping=MAPPING)

    @property
    def index(self) -> str:
        """The index of the events."""
        return f"{self.world.prefix}events"

    def add(self, events: Mapping[str, Mapping[str, Any]]) -> None:
        """Write events under their names."""
        index_events(self.world.store, [(self.index, name, source) for name, source in events.items()])

    def tick(self, minutes: float, store: Store | None = None) -> dict[str, Execution]:
        """One scheduled execution of every rule, so many minutes after the base; on the store as it is, or another."""
        orders = Orders(
            self.rules,
            self.lists,
            BASE + timedelta(minutes=minutes),
            prefix=self.world.written,
            exceptions=self.exceptions,
        )
        return {execution.rule.id: execution for execution in execute(orders, store or self.world.store)}

    def alerts(self, rule_id: str | None = None, *, blocks: bool = False) -> list[dict[str, Any]]:
        """The alerts of a rule, building blocks of sequences only if they are asked for."""
        found = stored(self.world.store, f"{self.world.written}-alerts")
        return [
            alert
            for alert in found
            if rule_id in {None, alert["kibana.alert.rule.rule_id"]} and blocks is ("kibana.alert.group.index" in alert)
        ]

    def alerted(self, rule_id: str | None = None) -> Counter[str]:
        """The events that alerts stand for, by the last of their ancestors."""
        return Counter(alert["kibana.alert.ancestors"][-1]["id"] for alert in self.alerts(rule_id))


def rule(world: World, rule_id: str = "written", **keys: Any) -> Rule:
    """A rule over the events of a world."""
    base = {
        "id": rule_id,
        "name": "A written rule",
        "description": "What a test looks for.",
        "author": "tests",
        "license": "Apache-2.0",
        "severity": "low",
        "risk_score": 21,
        "index": [f"{world.prefix}events"],
    }
    return Rule.model_validate({**base, **keys})


def event(minute: float, name: str = "cmd.exe", category: str = "process", **fields: Any) -> dict[str, Any]:
    """An event so many minutes after the base; names of further fields have `__` for dots."""
    found: dict[str, Any] = {
        "@timestamp": iso(BASE + timedelta(minutes=minute)),
        "event.category": category,
        "process.name": name,
    }
    return {**found, **{key.replace("__", "."): value for key, value in fields.items()}}


EVENTS = {
    "cmd": event(1, "cmd.exe", process__pid=4, process__command_line="cmd.exe /c echo hi"),
    "upper": event(2, "CMD.EXE", process__pid=5, process__command_line="CMD.EXE"),
    "regsvr": event(3, "regsvr32.exe", category="network", destination__ip="93.184.216.34", message="it reached out"),
    "inside": event(3.5, "regsvr32.exe", category="network", destination__ip="10.1.2.3", message="out it reached"),
    "rundll": event(4, "rundll32.exe", process__pid=6, message="nothing to see"),
}
QUERIES = [
    ("kuery", "process.name: cmd.exe", {}, {"cmd"}),
    ("kuery", "process.name: cmd.exe", {"case_insensitive": True}, {"cmd", "upper"}),
    ("kuery", "process.name: (cmd.exe or rundll32.exe) and not process.pid >= 6", {}, {"cmd"}),
    ("kuery", "process.name: regsvr* and not destination.ip: 10.0.0.0/8", {}, {"regsvr"}),
    ("kuery", 'message: "reached out"', {}, {"regsvr"}),
    ("kuery", "process.n*: cmd.exe", {}, {"cmd"}),
    ("kuery", "", {"exclude": {"event.category": "process"}}, {"regsvr", "inside"}),
    ("kuery", "process.name: {{ vars.name | kql }}", {"vars": {"name": "cmd.exe"}}, {"cmd"}),
    ("kuery", "process.name: cmd.exe", {"type": "saved_query", "saved_id": "mine"}, {"cmd"}),
    ("lucene", "process.name:cmd.exe OR destination.ip:[93.0.0.0 TO 94.0.0.0]", {}, {"cmd", "regsvr"}),
    ("lucene", "process.name:/r.*32\\.exe/ AND NOT event.category:network", {}, {"rundll"}),
    ("eql", 'process where process.name : "cmd.exe"', {}, {"cmd", "upper"}),
    ("eql", 'network where not cidrMatch(destination.ip, "10.0.0.0/8")', {}, {"regsvr"}),
    ("eql", "any where length(process.command_line) > 7 and process.pid < 6", {}, {"cmd"}),
    (
        "eql",
        'any where process.name in~ ("cmd.exe", "rundll32.exe") and ?process.other == null',
        {},
        {"cmd", "upper", "rundll"},
    ),
]


@pytest.mark.parametrize(("language", "query", "keys", "expected"), QUERIES)
def test_a_query_alerts_on_each_of_its_events_once(
    world: World, language: str, query: str, keys: dict[str, Any], expected: set[str]
) -> None:
    """In whatever language; executions that overlap create nothing new."""
    written = {"type": "eql" if language == "eql" else "query", "language": language, "query": query or "*:*", **keys}
    site = Site(world, [rule(world, **written)])
    site.add(EVENTS)
    for minutes in (5, 8, 9):
        (execution,) = site.tick(minutes).values()
        assert execution.status is Status.SUCCEEDED, execution.reason
    assert site.alerted() == Counter(expected)


SEQUENCE = 'sequence by host.name with maxspan=2m [process where process.name : "cmd.exe"] [network where true]'


def starts_and_connects(*pairs: tuple[str, float, float]) -> dict[str, dict[str, Any]]:
    """Per host, a program started at one minute and a connection at another."""
    found = {}
    for host, start, connection in pairs:
        found[f"{host}-start"] = event(start, "cmd.exe", host__name=host, labels__rating="7")
        found[f"{host}-net"] = event(connection, "cmd.exe", category="network", host__name=host, labels__rating="7")
    return found


def test_a_sequence_is_one_alert_with_a_block_for_each_event(world: World) -> None:
    """Found by whatever execution sees its last event, however often it is seen."""
    site = Site(world, [rule(world, type="eql", query=SEQUENCE, name_template="{{ event.host.name }}")])
    site.add(starts_and_connects(("a", 1, 2), ("b", 1, 4), ("c", 4.5, 5.5)))
    for minutes in (5, 10, 11):
        (execution,) = site.tick(minutes).values()
        assert execution.status is Status.SUCCEEDED, execution.reason
    assert site.alerted() == Counter({"a-net": 1, "c-net": 1})
    shells = {alert["kibana.alert.ancestors"][-1]["id"]: alert for alert in site.alerts()}
    shell = shells["a-net"]
    assert [each["id"] for each in shell["kibana.alert.ancestors"]] == ["a-start", "a-net"]
    assert shell["kibana.alert.rule.name"] == "a"
    assert shell["labels.rating"] == "7"
    assert "event.category" not in shell
    blocks = [b for b in site.alerts(blocks=True) if b["kibana.alert.group.id"] == shell["kibana.alert.uuid"]]
    assert shell["kibana.alert.group.id"] == shell["kibana.alert.uuid"]
    assert {b["kibana.alert.group.index"]: b["kibana.alert.ancestors"][-1]["id"] for b in blocks} == {
        0: "a-start",
        1: "a-net",
    }
    assert {b["kibana.alert.building_block_type"] for b in blocks} == {"default"}
    assert len(site.alerts(blocks=True)) == 4


def test_a_first_event_that_comes_late_does_not_alert_the_same_ending_twice(world: World) -> None:
    """The id is of the join key and the last event."""
    site = Site(world, [rule(world, type="eql", query=SEQUENCE)])
    site.add(starts_and_connects(("a", 1, 3)))
    assert site.tick(5)["written"].tally.alerts == 1
    site.add({"late": event(2, "cmd.exe", host__name="a")})
    again = site.tick(6)["written"].tally
    assert (again.alerts, again.duplicates) == (0, 1)


def test_no_sequence_has_an_alert_before_each_of_its_events_has(world: World) -> None:
    """What comes late may make another sequence of them, and nobody would find this one again."""
    site = Site(world, [rule(world, type="eql", query=SEQUENCE)])
    site.add(starts_and_connects(("a", 1, 2)))
    execution = site.tick(5, Interrupted(world.store, broken="create"))["written"]
    assert "Writing alerts stopped: made to fail" in execution.reason
    assert not site.alerts()
    site.add({"late": event(1.5, "cmd.exe", category="network", host__name="a")})
    assert site.tick(6)["written"].status is Status.SUCCEEDED
    (shell,) = site.alerts()
    blocks = [b for b in site.alerts(blocks=True) if b["kibana.alert.group.id"] == shell["kibana.alert.uuid"]]
    events = {b["kibana.alert.group.index"]: b["kibana.alert.ancestors"][-1]["id"] for b in blocks}
    assert events == {0: "a-start", 1: "late"}


def test_alerts_of_a_sequence_that_the_index_refuses_are_kept(world: World) -> None:
    """Those of its events like its own: without the source, which goes to the dead letters; nothing is left to do."""
    site = Site(world, [rule(world, type="eql", query=SEQUENCE)])
    mapping = {"dynamic": "false", "properties": {"process": {"properties": {"name": {"type": "date"}}}}}
    (alerts,) = (template for template in templates(world.written) if template.name.endswith("-alerts"))
    body = {**alerts.body, "mappings": mapping, "settings": {"index.mapping.ignore_malformed": False}}
    assert world.store.prepare([replace(alerts, version=alerts.version + 1, body=body)])
    site.add(starts_and_connects(("a", 1, 2)))
    execution = site.tick(5)["written"]
    assert (execution.status, execution.tally.dead_letters) == (Status.PARTIAL_FAILURE, 3)
    assert len(stored(world.store, f"{world.written}-dead-letters")) == 3
    assert (len(site.alerts()), len(site.alerts(blocks=True))) == (1, 2)
    assert site.tick(6)["written"].status is Status.SUCCEEDED


def test_sequences_beyond_the_cap_come_with_the_next_executions(world: World) -> None:
    """None is dropped, and their events have their blocks."""
    site = Site(world, [rule(world, type="eql", query=SEQUENCE, max_alerts=2)])
    site.add(starts_and_connects(*((f"h{number}", 1, 1 + number / 10) for number in range(1, 8))))
    first = site.tick(5)["written"]
    assert (first.tally.alerts, first.status) == (2, Status.PARTIAL_FAILURE)
    for step in range(1, 8):
        site.tick(5 + step / 10)
    assert site.alerted() == Counter({f"h{number}-net": 1 for number in range(1, 8)})
    assert len(site.alerts(blocks=True)) == 14


def test_an_absence_is_told_when_its_time_is_over(world: World) -> None:
    """A missing event at the end is waited for as long as `maxspan` says."""
    query = 'sequence by host.name with maxspan=2m [process where process.name == "cmd.exe"] ![network where true]'
    site = Site(world, [rule(world, type="eql", query=query)])
    site.add(
        {name: source for name, source in starts_and_connects(("a", 4, 5), ("b", 4, 5)).items() if name != "b-net"}
    )
    site.tick(5)
    assert not site.alerts()
    for minutes in (7, 10):
        assert site.tick(minutes)["written"].status is Status.SUCCEEDED
    assert site.alerted() == Counter({"b-start": 1})


def test_a_sample_alerts_once_for_each_key(world: World) -> None:
    """The items may come in any order."""
    query = "sample by host.name [network where true] [process where true]"
    site = Site(world, [rule(world, type="eql", query=query)])
    site.add(starts_and_connects(("a", 1, 2), ("b", 3, 2)) | {"alone": event(1, host__name="c")})
    for minutes in (4, 5):
        assert site.tick(minutes)["written"].status is Status.SUCCEEDED
    assert len(site.alerts()) == 2


def exceptions(*items: Mapping[str, Any]) -> dict[str, Sequence[ExceptionList]]:
    """The exceptions of the rule that tests use."""
    entries = [{"reason": "known", **item} for item in items]
    known = {"id": "known", "name": "Known", "owner": "soc", "rules": "*", "items": entries}
    return {"written": [ExceptionList.model_validate(known)]}


def test_exceptions_hold_events_back_and_say_how_many(world: World) -> None:
    """By value, pattern, list and network; what is excluded, or expired, holds nothing back."""
    networks = NamedList.model_validate(
        {"id": "inside", "name": "Inside", "type": "cidr", "values": ["10.0.0.0/8", "192.168.0.1-192.168.0.9"]}
    )
    site = Site(
        world,
        [rule(world, query="process.name: *")],
        lists={"inside": networks},
        exceptions=exceptions(
            {"name": "shouting", "entries": [{"field": "process.name", "type": "wildcard", "value": "CMD*"}]},
            {
                "name": "inner",
                "entries": [
                    {"field": "destination.ip", "type": "list", "list": "inside"},
                    {"field": "process.name", "type": "match", "operator": "excluded", "value": "cmd.exe"},
                ],
            },
            {
                "name": "over",
                "expires": "2024-03-01",
                "entries": [{"field": "process.name", "type": "match", "value": "rundll32.exe"}],
            },
        ),
    )
    site.add(EVENTS)
    execution = site.tick(5)["written"]
    assert execution.status is Status.SUCCEEDED, execution.reason
    assert site.alerted() == Counter({"cmd", "regsvr", "rundll"})
    assert execution.to_json()["held_back"] == [
        {"exception": "known: inner", "events": 1},
        {"exception": "known: shouting", "events": 1},
    ]


def test_an_exception_that_cannot_be_applied_is_never_passed_over(world: World) -> None:
    """A pattern for an address means nothing to the index: it is not searched, and the execution says so."""
    site = Site(
        world,
        [rule(world, query="process.name: *")],
        exceptions=exceptions(
            {"name": "odd", "entries": [{"field": "destination.ip", "type": "wildcard", "value": "10.*"}]}
        ),
    )
    site.add(EVENTS)
    execution = site.tick(5)["written"]
    assert execution.status is not Status.SUCCEEDED
    assert "destination.ip" in execution.reason
    assert not site.alerts()


def test_sequences_have_exceptions_too(world: World) -> None:
    """What they hold back takes no part."""
    site = Site(
        world,
        [rule(world, type="eql", query=SEQUENCE)],
        exceptions=exceptions({"name": "a", "entries": [{"field": "host.name", "type": "match", "value": "a"}]}),
    )
    site.add(starts_and_connects(("a", 1, 2), ("b", 1, 2)))
    execution = site.tick(5)["written"]
    assert site.alerted() == Counter({"b-net": 1})
    assert execution.tally.held_back == {"known: a": 2}


def test_filters_of_kibana_hold_besides_the_query(world: World) -> None:
    """Negated ones must not hold, disabled ones do not count."""
    filters = [
        {"meta": {"negate": True}, "query": {"match_phrase": {"process.name": "CMD.EXE"}}},
        {"meta": {"disabled": True}, "query": {"match_none": {}}},
        {"range": {"process.pid": {"gte": 1}}},
    ]
    site = Site(world, [rule(world, query="process.name: *", filters=filters)])
    site.add(EVENTS)
    assert site.tick(5)["written"].status is Status.SUCCEEDED
    assert site.alerted() == Counter({"cmd", "rundll"})


def test_an_event_overrides_severity_risk_and_name(world: World) -> None:
    """The highest severity that fits, the greatest number, and the first text."""
    site = Site(
        world,
        [
            rule(
                world,
                query="process.name: *",
                severity_mapping=[
                    {"field": "labels.rating", "value": "bad", "severity": "critical"},
                    {"field": "labels.rating", "value": "odd", "severity": "medium"},
                    {"field": "event.severity", "value": "73", "severity": "high"},
                ],
                risk_score_mapping=[{"field": "process.pid", "operator": "equals", "value": ""}],
                rule_name_override="labels.title",
            )
        ],
    )
    site.add(
        {
            "bad": event(1, labels__rating=["odd", "bad"], process__pid=[7, 300, 99], labels__title="A title"),
            "high": event(2, event__severity=73),
            "plain": event(3, process__pid=4000, labels__rating="fine"),
        }
    )
    site.tick(5)
    found = {alert["kibana.alert.ancestors"][-1]["id"]: alert for alert in site.alerts()}
    said = {
        name: (alert["kibana.alert.severity"], alert["kibana.alert.risk_score"], alert["kibana.alert.rule.name"])
        for name, alert in found.items()
    }
    assert said == {
        "bad": ("critical", 99, "A title"),
        "high": ("high", 21, "A written rule"),
        "plain": ("low", 21, "A written rule"),
    }


@pytest.mark.parametrize("has_fallback", [True, False])
def test_events_are_looked_for_by_the_time_that_the_rule_names(world: World, has_fallback: bool) -> None:  # noqa: FBT001
    """A late event by when it was ingested; one that does not say by its own time, unless the rule forbids it."""
    site = Site(
        world,
        [
            rule(
                world,
                query="process.name: *",
                timestamp_override="event.ingested",
                timestamp_override_fallback_disabled=not has_fallback,
                max_alerts=2,
            )
        ],
    )
    late = {f"late{n}": event(-600 - n, event__ingested=iso(BASE + timedelta(minutes=3, seconds=n))) for n in range(4)}
    site.add(late | {"plain": event(2), "early": event(3, event__ingested=iso(BASE - timedelta(hours=9)))})
    for step in range(5):
        site.tick(5 + step / 10)
    assert site.tick(6)["written"].status is Status.SUCCEEDED
    assert site.alerted() == Counter([*late, *(["plain"] if has_fallback else [])])


def test_alerts_of_alerts_know_what_they_come_from(world: World) -> None:
    """Depth and ancestors grow; a rule never alerts on its own alerts."""
    first = rule(world, "first", query="process.name: cmd.exe", building_block_type="default")
    over = rule(world, "over", query="kibana.alert.building_block_type: default", index=[f"{world.written}-alerts-*"])
    every = rule(world, "every", query="event.kind: signal", index=[f"{world.written}-alerts-*"])
    site = Site(world, [first])
    site.add(EVENTS)
    site.tick(5)
    world.store.refresh([f"{world.written}-alerts*"])
    (below,) = site.alerts("first")
    created = datetime.fromisoformat(below["@timestamp"])
    site.rules = [over, every]
    for _ in range(2):
        site.tick((created - BASE) / timedelta(minutes=1) + 0.05)
        world.store.refresh([f"{world.written}-alerts*"])
    (above,) = site.alerts("over")
    assert (below["kibana.alert.depth"], above["kibana.alert.depth"]) == (1, 2)
    assert [each["id"] for each in above["kibana.alert.ancestors"]] == ["cmd", below["kibana.alert.uuid"]]
    depths = sorted(alert["kibana.alert.depth"] for alert in site.alerts("every"))
    assert depths in ([2], [2, 3])


def test_sequences_are_suppressed_as_events_are(world: World) -> None:
    """One alert for all of a group within a slot, which counts its sequences."""
    site = Site(
        world,
        [rule(world, type="eql", query=SEQUENCE, suppression={"group_by": ["labels.rating"], "duration": "1h"})],
    )
    site.add(starts_and_connects(("a", 1, 2), ("b", 1, 2.5), ("c", 6, 7)))
    for minutes in (5, 8, 10):
        assert site.tick(minutes)["written"].status is Status.SUCCEEDED
    (alert,) = site.alerts()
    assert alert["lolbin.suppression.count"] == 3
