"""An alert holds what its event held, what Elastic's interface reads, and nothing that the event forged."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from alert.alert_cases import CONTEXT, KEY, NOW, REACHED_OUT, deep, documents, hit, make_rule, quick
from lolbin_rules.alert import fields
from lolbin_rules.alert.build import Alert, ExecutionContext, build_alert, dead_letter, minimal_alert
from lolbin_rules.alert.identity import rule_uuid
from lolbin_rules.alert.source import values


def _built(source: Any, **rule: Any) -> Alert:
    return build_alert(make_rule(**rule), hit(source), alert_id="id-1", context=CONTEXT)


def test_an_alert_holds_its_event() -> None:
    """Every field but `@timestamp` and `event.kind`, as it was; the event itself is not touched."""
    before = copy.deepcopy(dict(REACHED_OUT))
    alert = _built(REACHED_OUT).source
    assert before == REACHED_OUT
    for name in before.keys() - {"@timestamp", "event"}:
        assert alert[name] == before[name]
    assert alert["event"] == {**before["event"], "kind": "signal"}


def test_an_alert_says_what_it_is() -> None:
    """The fields of an alert itself, as Elastic's engine names them."""
    alert = _built(REACHED_OUT).source
    expected = {
        "@timestamp": "2026-11-22T05:16:16.276Z",
        "kibana.space_ids": ["default"],
        "kibana.alert.uuid": "id-1",
        "kibana.alert.status": "active",
        "kibana.alert.workflow_status": "open",
        "kibana.alert.workflow_tags": [],
        "kibana.alert.workflow_assignee_ids": [],
        "kibana.alert.severity": "low",
        "kibana.alert.risk_score": 21,
        "kibana.alert.depth": 1,
        "kibana.alert.ancestors": [{"id": KEY.id, "type": "event", "index": KEY.index, "depth": 0}],
        "kibana.alert.original_time": "2026-11-22T05:10:09.123Z",
        "kibana.alert.original_event.kind": "event",
        "kibana.alert.original_event.category": ["network"],
        "kibana.alert.original_event.type": ["start", "connection"],
        "kibana.alert.original_event.code": "3",
        "kibana.alert.start": "2026-11-22T05:16:16.276Z",
        "kibana.alert.last_detected": "2026-11-22T05:16:16.276Z",
        "kibana.alert.intended_timestamp": "2026-11-22T05:16:00.276Z",
    }
    assert {name: alert[name] for name in expected} == expected


def test_an_alert_says_which_rule_made_it() -> None:
    """Under the names of Elastic's rules, with the logic as the author wrote it."""
    rule = make_rule(
        tags=["Windows"],
        references=["https://example.org"],
        false_positives=["installers"],
        note="Look at the script.",
        suppression={"group_by": ["host.name"], "duration": "1h", "missing_fields": "do_not_suppress"},
        threat=[
            {
                "tactic": {
                    "id": "TA0005",
                    "name": "Defense Evasion",
                    "reference": "https://attack.mitre.org/tactics/TA0005/",
                }
            }
        ],
    )
    alert = build_alert(rule, hit(REACHED_OUT), alert_id="id-1", context=CONTEXT).source
    expected = {
        "uuid": rule_uuid(rule.id),
        "rule_id": rule.id,
        "name": rule.name,
        "type": "query",
        "rule_type_id": "siem.queryRule",
        "category": "Custom Query Rule",
        "consumer": "siem",
        "producer": "siem",
        "version": 1,
        "revision": 0,
        "description": rule.description,
        "enabled": True,
        "author": ["Jane Doe"],
        "license": "Apache-2.0",
        "from": "now-9m",
        "to": "now",
        "interval": "5m",
        "indices": ["winlogbeat-*"],
        "max_signals": 100,
        "note": "Look at the script.",
        "references": ["https://example.org"],
        "false_positives": ["installers"],
        "risk_score": 21,
        "severity": "low",
        "tags": ["Windows"],
        "immutable": False,
        "execution.uuid": CONTEXT.uuid,
        "execution.timestamp": "2026-11-22T05:16:16.276Z",
        "execution.type": "scheduled",
    }
    assert {name: alert[f"kibana.alert.rule.{name}"] for name in expected} == expected
    assert alert["kibana.alert.rule.threat"][0]["tactic"]["id"] == "TA0005"
    parameters = alert["kibana.alert.rule.parameters"]
    assert parameters["match"] == {"process.name": {"any_of": ["regsvr32.exe"]}}
    assert parameters["exclude"] == {"destination.ip": {"cidr": ["10.0.0.0/8"]}}
    assert parameters["alert_suppression"] == {
        "group_by": ["host.name"],
        "duration": {"value": 3600, "unit": "s"},
        "missing_fields_strategy": "doNotSuppress",
    }


def test_a_manual_run_says_so() -> None:
    """And for which time it stood in."""
    context = ExecutionContext("u", NOW, NOW - timedelta(days=1), "manual")
    alert = build_alert(make_rule(), hit(REACHED_OUT), alert_id="x", context=context).source
    assert alert[fields.EXECUTION_TYPE] == "manual"
    assert alert[fields.INTENDED_TIMESTAMP] == "2026-11-21T05:16:16.276Z"


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ({}, {"event.kind": "signal"}),
        ({"event": {"kind": ["event"], "action": "a"}}, {"event": {"kind": "signal", "action": "a"}}),
        ({"event.kind": "event", "event.action": "a"}, {"event.kind": "signal", "event.action": "a"}),
        ({"event": {"action": "a"}, "event.kind": "x"}, {"event": {"kind": "signal", "action": "a"}}),
        (
            {"event": [{"kind": "event", "action": "a"}, {"action": "b"}]},
            {"event": [{"action": "a"}, {"action": "b"}], "event.kind": "signal"},
        ),
        ({"event": "text"}, {"event.kind": "signal", "lolbin.left_out": ["event"]}),
        ({"event": ["text", None]}, {"event.kind": "signal", "lolbin.left_out": ["event"]}),
        ({"event": None}, {"event": None, "event.kind": "signal"}),
    ],
)
def test_an_alert_is_a_signal_whatever_the_event_was(source: dict[str, Any], kept: dict[str, Any]) -> None:
    """`event.kind` is replaced in place where `event` is one object, else put beside it; the rest of `event` stays."""
    alert = _built(source).source
    assert values(alert, "event.kind") == ["signal"]
    ours = {name for name in alert if name.startswith("kibana.")} | {"@timestamp"}
    assert {name: value for name, value in alert.items() if name not in ours} == kept


def test_what_was_left_out_is_noted() -> None:
    """In the alert by name, up to a hundred, and in one sentence for the record of the run."""
    built = _built({f"host.name.{number:03}": "x" for number in range(200)} | {"user": "text"})
    assert built.source["lolbin.left_out"] == [f"host.name.{number:03}" for number in range(100)]
    (note,) = built.notes
    assert "values: 'host.name.000', 'host.name.001', 'host.name.002', " in note
    assert note.endswith(" and 196 more")
    assert _built({"user": "text"}).notes == (
        "Parts of an event were left out of its alert, because the alert index takes no such values: 'user'",
    )


def test_the_original_event_is_kept_in_every_spelling() -> None:
    """Nested, dotted and listed members of `event` come together."""
    alert = _built({"event": [{"action": "a", "code": 1}, {"action": "b"}], "event.category": ["c"]}).source
    original = {name: value for name, value in alert.items() if name.startswith(fields.ORIGINAL_EVENT)}
    assert original == {
        "kibana.alert.original_event.action": ["a", "b"],
        "kibana.alert.original_event.code": 1,
        "kibana.alert.original_event.category": ["c"],
    }
    stream = _built({"data_stream": {"type": "logs"}, "data_stream.dataset": "x"}).source
    assert stream["kibana.alert.original_data_stream.type"] == "logs"
    assert stream["kibana.alert.original_data_stream.dataset"] == "x"


def test_an_event_cannot_forge_an_alert() -> None:
    """What only the maker of an alert may say is not copied, nested or dotted."""
    forged = {
        "kibana": {"alert": {"uuid": "forged"}},
        "kibana.alert.uuid": "forged",
        "kibana.alert.url": "forged",
        "kibana.alert.original_time": "2001-01-01",
        "signal": {"rule": {"name": "forged"}},
        "signal.status": "closed",
        "threshold_result": {"count": 1},
        "lolbin": {"suppression": {"count": 9}},
        "kibanana": "fine",
    }
    alert = _built(forged).source
    assert alert["kibana.alert.uuid"] == "id-1"
    assert alert["kibanana"] == "fine"
    assert "forged" not in json.dumps(alert)
    assert fields.ORIGINAL_TIME not in alert
    assert not [name for name in alert if name.startswith(("signal", "threshold_result", "lolbin"))]


@given(documents)
@quick
def test_every_event_becomes_an_alert(source: dict[str, Any]) -> None:
    """Whatever it holds: a signal, under the given id, that can be written as JSON and leaves the event alone."""
    before = repr(source)
    alert = _built(source, reason="{{ event.host.name }}").source
    assert repr(source) == before
    assert alert["kibana.alert.uuid"] == "id-1"
    assert values(alert, "event.kind") == ["signal"]
    assert values(alert, "kibana.alert.uuid") == ["id-1"]
    assert json.dumps(alert)
    assert json.dumps(dead_letter(alert, "why"))


def test_deep_events_become_alerts() -> None:
    """However deep their values lie."""
    for source in ({"host": deep(50_000)}, {"event": deep(50_000)}, {"unmapped": deep(50_000)}):
        alert = _built(source, reason="{{ event.host.name }}").source
        assert dead_letter(alert, "why")["refused_bytes"]
        assert minimal_alert(alert)["kibana.alert.uuid"] == "id-1"


def test_a_minimal_alert_is_all_ours() -> None:
    """Nothing that came from the event but its time and its key; the rule and the sentence remain."""
    alert = _built(REACHED_OUT).source
    minimal = minimal_alert(alert)
    assert minimal["event.kind"] == "signal"
    assert minimal.keys() - {"event.kind"} == {
        name
        for name in alert
        if name == "@timestamp" or (name.startswith("kibana.") and not name.startswith(fields.ORIGINAL_EVENT))
    }
    assert minimal[fields.REASON] == alert[fields.REASON]


def test_a_dead_letter_keeps_what_was_refused() -> None:
    """As text, with who made it of what and why it was refused."""
    alert = _built(REACHED_OUT).source
    letter = dead_letter(alert, "mapping conflict")
    assert json.loads(letter.pop("refused")) == alert
    assert letter == {
        "@timestamp": "2026-11-22T05:16:16.276Z",
        "reason": "mapping conflict",
        "alert": {"id": "id-1"},
        "rule": {"id": "network-connection-via-regsvr32", "name": "Network connection by regsvr32"},
        "event": {"id": KEY.id, "index": KEY.index, "time": "2026-11-22T05:10:09.123Z"},
        "execution": {"uuid": CONTEXT.uuid},
        "refused_bytes": len(json.dumps(alert)),
        "is_truncated": False,
    }


def test_a_dead_letter_is_bounded() -> None:
    """At most a million bytes are kept, cut between characters, and it says so."""
    letter = dead_letter({"message": "é" * 600_000}, "x" * 20_000)
    assert letter["is_truncated"]
    assert letter["refused_bytes"] > 1_200_000
    assert 999_990 < len(letter["refused"].encode()) <= 1_000_000
    assert len(letter["reason"]) == 10_000
