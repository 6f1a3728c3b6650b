"""The sentence of an alert says what the event says, and no template can cost an alert."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from alert.alert_cases import CONTEXT, REACHED_OUT, documents, hit, make_rule, quick
from lolbin_rules.alert.build import build_alert
from lolbin_rules.alert.reason import alert_name, alert_reason, default_reason

RATING = 'low severity, risk score 21, rule "Network connection by regsvr32".'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            REACHED_OUT,
            r"regsvr32.exe (pid 4242) connected to 93.184.216.34:443 (example.org, egress, tcp) as ACME\alice on WIN10",
        ),
        (
            {**REACHED_OUT, "network": {"direction": "ingress"}, "user": {}, "host": {}},
            "regsvr32.exe (pid 4242) was reached from 10.1.2.3:50123 at 93.184.216.34:443 (example.org, ingress)",
        ),
        ({"destination.ip": "2001:db8::1", "destination.port": 80}, "An event connected to [2001:db8::1]:80"),
        ({"destination": {"domain": "example.org", "port": 80}}, "An event connected to example.org:80"),
        ({"process.name": "x.exe", "destination.ip": ["10.0.0.1", "10.0.0.2"]}, "x.exe connected to 10.0.0.1"),
        ({"network.direction": "inbound", "destination.ip": "10.0.0.1"}, "An event connected to 10.0.0.1 (inbound)"),
        (
            {"process": {"executable": r"C:\x.exe"}, "dns.question.name": "example.org", "host.hostname": "pc"},
            r"C:\x.exe asked DNS for example.org on pc",
        ),
        ({"process.pid": 7, "file.path": "C:\\y", "user.id": "S-1-5-18"}, "Process 7 touched file C:\\y as S-1-5-18"),
        ({"registry": [{"path": "HKLM\\Run"}]}, "An event touched registry path HKLM\\Run"),
        ({"event": {"action": "logged-in", "category": "authentication"}}, "An event matched (logged-in)"),
        ({"event.category": ["process", "network"]}, "An event matched (process, network)"),
        ({}, "An event matched"),
    ],
)
def test_the_sentence_says_what_the_event_says(source: dict[str, Any], said: str) -> None:
    """Process, user, host, and the far end of a connection, whatever is there; then the rule."""
    assert default_reason(make_rule(), source) == f"{said}: {RATING}"


def test_an_event_cannot_shape_the_sentence() -> None:
    """Line breaks become spaces and long values are cut."""
    reason = default_reason(
        make_rule(), {"process.name": "a\r\n\tb" + "c" * 1000, "host.name": "\u2028x\x1b[2Jy\u202ez"}
    )
    assert reason.startswith("a bccc")
    assert "on x [2Jy z: low" in reason
    assert len(reason.splitlines()) == 1
    assert len(reason) < 400


@given(documents)
@quick
def test_every_event_has_a_sentence(source: dict[str, Any]) -> None:
    """Of one line, that ends with the rule."""
    assert default_reason(make_rule(), source).endswith(RATING)


def test_templates_replace_name_and_reason() -> None:
    """They see the event in one spelling, the rule's variables and the rule."""
    rule = make_rule(
        name_template="{{ event.process.name }} spoke",
        reason="{{ event.process.name }} to {{ event.destination.ip }}: {{ vars.why }} ({{ rule.severity }})",
        vars={"why": "never does"},
    )
    source = {"process.name": ["regsvr32.exe"], "destination": [{"ip": "10.0.0.1"}]}
    assert alert_name(rule, source) == ("regsvr32.exe spoke", "")
    assert alert_reason(rule, source) == ("regsvr32.exe to 10.0.0.1: never does (low)", "")
    built = build_alert(rule, hit(source), alert_id="x", context=CONTEXT)
    assert built.source["kibana.alert.rule.name"] == "regsvr32.exe spoke"
    assert built.source["kibana.alert.reason"].startswith("regsvr32.exe to")
    assert built.notes == ()


@pytest.mark.parametrize(
    "template",
    [
        "{{ event.process.absent }}",
        "{{ event.absent.name }}",
        "{{ 1 / 0 }}",
        "{{ event.process.pid + event.process.name }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 'x' * 20000 }}",
        "{% for n in range(99999999) %}x{% endfor %}",
        "{{ unclosed",
        "  {{ '' }} ",
    ],
)
def test_a_template_that_fails_costs_no_alert(template: str) -> None:
    """The default takes its place, and a note says so."""
    rule = make_rule(reason=template)
    built = build_alert(rule, hit(REACHED_OUT), alert_id="x", context=CONTEXT)
    assert built.source["kibana.alert.reason"] == default_reason(rule, REACHED_OUT)
    assert len(built.notes) == 1
    assert "reason of rule 'network-connection-via-regsvr32'" in built.notes[0]


def test_long_results_are_cut() -> None:
    """A name or reason cannot grow beyond what its field takes."""
    rule = make_rule(reason="{{ 'é' * 9000 }}", name_template="{{ 'x' * 9000 }}")
    assert len(alert_reason(rule, {})[0]) == 4096
    assert len(alert_name(rule, {})[0]) == 512


def test_results_of_templates_are_printable() -> None:
    """Lines are the author's to break; what else an event smuggles in is blanked."""
    rule = make_rule(reason="a\n\t{{ event.x }}")
    assert alert_reason(rule, {"x": "b\x1b[31mc\x00"}) == ("a\n\tb [31mc ", "")
