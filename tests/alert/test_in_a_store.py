"""A store takes what is written, whatever the event was, and finds it under today's and the old names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from alert.alert_cases import CONTEXT, REACHED_OUT, deep, hit, make_rule
from lolbin_rules.alert.build import build_alert, build_group_alert, dead_letter, minimal_alert
from lolbin_rules.alert.identity import alert_id, alert_index
from lolbin_rules.alert.suppression import fold_aggregation, member, read_fold, with_fold
from lolbin_rules.alert.templates import templates
from lolbin_rules.errors import Unsupported
from lolbin_rules.store.port import Document, Key, Store, Verdict
from worlds import KINDS, World, open_world

WITHIN = timedelta(seconds=30)
RULE = make_rule(suppression={"group_by": ["host.name"], "duration": "1h"})
HOSTILE: tuple[Mapping[str, Any], ...] = (
    {"host": "text", "event": ["a", {"kind": "event", "action": "x"}], "process": [{"name": {"a": 1}}, "t", None]},
    {"host.name.below": 1, "user.name": {"x": 1}, "event.kind": {"a": 1}, "event.action.x": {"y": 1}},
    {"destination": {"ip": "junk", "port": "x", "geo": {"location": {"": "junk"}}}, "source.geo.location": [1, "x"]},
    {"labels": "text", "labels.a": 1, "winlog": {"event_data": "text", "event_id": {"a": 1}}, "tags": {"a": 1}},
    {
        "winlog.event_data": {"deep": deep(60)},
        "registry": {"data": {"strings": ["z" * 40_000]}},
        "message": "m" * 99_999,
    },
    {"signal": {"rule": {"name": "forged"}}, "kibana": {"x": 1}, "kibana.alert.uuid": {}, "lolbin": 3, "_id": "x"},
    {"": 1, " ": 2, "a..b": 3, ".": 4, "host. ": 5, "unmapped": {"": {" ": 1}}, "@timestamp": ["junk", {"a": 1}]},
    {"file": {"size": True, "created": {"x": 1}, "code_signature": {"trusted": "maybe"}}, "dns": {"answers": [5]}},
    {"unmapped": deep(200), "process.command_line": "y" * 99_999, "related": {"ip": [["1.1.1.1"], {"a": 2}]}},
)


world = pytest.fixture(params=KINDS)(open_world)


@pytest.fixture
def prefix(world: World) -> str:
    """What the names of this test's indices begin with."""
    return world.written


@pytest.fixture
def store(world: World, prefix: str) -> Store:
    """A store whose templates are in place."""
    assert len(world.store.prepare(templates(prefix))) == len(templates(prefix))
    return world.store


def _count(store: Store, index: str, **term: Any) -> int:
    store.refresh([index])
    return store.count([index], {"term": term} if term else {"match_all": {}}, within=WITHIN).value


@pytest.mark.parametrize("source", HOSTILE)
def test_a_store_takes_the_alert_of_any_event(store: Store, prefix: str, source: Mapping[str, Any]) -> None:
    """The full alert, the minimal one and the dead letter."""
    alert = build_alert(RULE, hit(source), alert_id="a", context=CONTEXT)
    index = alert_index(prefix, source)
    documents = [
        Document(Key(index, "full"), alert.source),
        Document(Key(index, "minimal"), minimal_alert(alert.source)),
        Document(Key(f"{prefix}-dead-letters", "letter"), dead_letter(alert.source, "why")),
    ]
    assert [(outcome.verdict, outcome.reason) for outcome in store.create(documents)] == [(Verdict.CREATED, "")] * 3
    assert _count(store, f"{prefix}-alerts", **{"kibana.alert.uuid": "a"}) == 2
    assert _count(store, f"{prefix}-alerts", **{"event.kind": "signal"}) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event.kind", "signal"),
        ("destination.ip", "93.184.216.0/24"),
        ("process.pid", 4242),
        ("kibana.alert.workflow_status", "open"),
        ("kibana.alert.ancestors.type", "event"),
        ("kibana.alert.original_time", "2026-11-22T05:10:09.123Z"),
        ("kibana.alert.original_event.code", "3"),
        ("signal.rule.name", "Network connection by regsvr32"),
        ("signal.rule.severity", "low"),
        ("signal.status", "open"),
        ("signal.depth", 1),
        ("signal.original_event.code", "3"),
    ],
)
def test_an_alert_is_found(store: Store, prefix: str, field: str, value: Any) -> None:
    """By what its event held, by what it says itself, by its rule, and by the names of old."""
    alert = build_alert(RULE, hit(REACHED_OUT), alert_id="a", context=CONTEXT)
    store.create([Document(Key(alert_index(prefix, REACHED_OUT), "a"), alert.source)])
    assert _count(store, f"{prefix}-alerts", **{field: value}) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("winlog.event_data.Initiated", "true"),
        ("kibana.alert.rule.parameters.match.process.name.any_of", "regsvr32.exe"),
        ("kibana.alert.rule.parameters.alert_suppression.group_by", "host.name"),
    ],
)
def test_an_alert_is_found_by_a_part_of_a_flattened_field(world: World, store: Store, field: str, value: Any) -> None:
    """The embedded store, which does not read such fields, refuses by name."""
    alert = build_alert(RULE, hit(REACHED_OUT), alert_id="a", context=CONTEXT)
    store.create([Document(Key(alert_index(world.written, REACHED_OUT), "a"), alert.source)])
    with pytest.raises(Unsupported, match="flattened") if world.name == "embedded" else nullcontext():
        assert _count(store, f"{world.written}-alerts", **{field: value}) == 1


def test_members_add_up(store: Store, prefix: str) -> None:
    """Over months, with one member written twice and one of another group."""
    sources = [
        {**REACHED_OUT, "@timestamp": "2026-11-30T23:30:00.001Z"},
        {**REACHED_OUT, "@timestamp": "2026-11-30T23:59:59.999Z"},
        {**REACHED_OUT, "@timestamp": "2026-11-30T23:30:00.002Z", "host": {"name": "WIN11"}},
    ]
    hits = [hit(source, Key("winlogbeat-8", str(number))) for number, source in enumerate(sources)]
    members = [found for one in hits if (found := member(RULE, one, prefix=prefix, context=CONTEXT))]
    verdicts = [outcome.verdict for outcome in store.create([found.document for found in [*members, members[0]]])]
    assert verdicts == [*[Verdict.CREATED] * 3, Verdict.EXISTS]
    store.refresh([f"{prefix}-suppressed"])
    query, aggregations = fold_aggregation([members[0].group_id, "unknown"])
    folds = read_fold(store.aggregate([f"{prefix}-suppressed"], query, aggregations, within=WITHIN).values)
    assert folds.keys() == {members[0].group_id}
    alert = build_group_alert(RULE, hits[0], members[0], context=CONTEXT).source
    folded = with_fold(alert, folds[members[0].group_id])
    assert {name: value for name, value in folded.items() if alert[name] != value} == {
        "lolbin.suppression.count": 2,
        "kibana.alert.suppression.docs_count": 1,
        "kibana.alert.suppression.end": "2026-11-30T23:59:59.999Z",
    }
    assert members[0].document.key.id == alert_id(RULE.id, hits[0].key)
