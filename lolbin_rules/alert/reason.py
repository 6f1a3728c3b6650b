"""The sentence that says what an alert is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lolbin_rules.alert.overrides import name_override
from lolbin_rules.alert.source import first, nested, values
from lolbin_rules.errors import RenderError
from lolbin_rules.query.render import render
from lolbin_rules.rule.model import Rule

__all__ = ["alert_name", "alert_reason", "default_reason"]

LONGEST_PART: Final = 256
"""Characters that one value of an event may take in the sentence."""
LONGEST_NAME: Final = 512
LONGEST_REASON: Final = 4096


def alert_name(rule: Rule, source: Mapping[str, Any]) -> tuple[str, str]:
    """The name that the alert bears, and a note where `name_template` could not be filled ("" where it could)."""
    override = name_override(rule, source)
    if override is not None:
        return _cut(_line(override), LONGEST_NAME), ""
    return _filled(rule, source, "name_template", rule.name, LONGEST_NAME)


def alert_reason(rule: Rule, source: Mapping[str, Any]) -> tuple[str, str]:
    """The sentence that the alert bears, and a note where `reason` could not be filled ("" where it could)."""
    return _filled(rule, source, "reason", default_reason(rule, source), LONGEST_REASON)


def _filled(rule: Rule, source: Mapping[str, Any], which: str, default: str, longest: int) -> tuple[str, str]:
    template: str | None = getattr(rule, which)
    if template is None:
        return default, ""
    try:
        text = render(template, {"event": nested(source), "vars": rule.vars, "rule": _about(rule)}).strip()
    except (RenderError, RecursionError) as error:
        return default, f"{which} of rule {rule.id!r} failed on an event and its default was used: {error}"
    if not text:
        return default, f"{which} of rule {rule.id!r} came out empty for an event and its default was used"
    return _cut(_printable(text, "\n\t"), longest), ""


def _about(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "name": rule.name, "severity": rule.severity, "risk_score": rule.risk_score}


def default_reason(rule: Rule, source: Mapping[str, Any]) -> str:
    r"""What happened, by whom and where, as far as the event says, then the rule and how it rates it.

    `regsvr32.exe (pid 4242) connected to 93.184.216.34:443 (example.org, egress, tcp) as ACME\alice on WIN10: low
    severity, risk score 21, rule "Network connection by regsvr32".`
    """
    host = _text(source, "host.name") or _text(source, "host.hostname")
    where = f"{_labelled(' as ', _user(source))}{_labelled(' on ', host)}"
    rating = f'{rule.severity} severity, risk score {rule.risk_score}, rule "{_cut(rule.name, LONGEST_PART)}"'
    return _cut(f"{_actor(source)} {_deed(source)}{where}: {rating}.", LONGEST_REASON)


def _actor(source: Mapping[str, Any]) -> str:
    name = _text(source, "process.name") or _text(source, "process.executable")
    pid = _text(source, "process.pid")
    if name and pid:
        return f"{name} (pid {pid})"
    return name or (f"Process {pid}" if pid else "An event")


def _deed(source: Mapping[str, Any]) -> str:
    if connection := _connection(source):
        return connection
    if question := _text(source, "dns.question.name"):
        return f"asked DNS for {question}"
    for field, words in (("file.path", "touched file"), ("registry.path", "touched registry path")):
        if value := _text(source, field):
            return f"{words} {value}"
    action = _text(source, "event.action") or ", ".join(_texts(source, "event.category"))
    return f"matched ({action})" if action else "matched"


def _connection(source: Mapping[str, Any]) -> str:
    to, domain = _end(source, "destination"), _text(source, "destination.domain")
    if not to:
        return ""
    direction = _text(source, "network.direction")
    details = ("" if domain == _place(source, "destination") else domain, direction, _text(source, "network.transport"))
    about = _labelled(" (", ", ".join(filter(None, details)), ")")
    came = _end(source, "source")
    if direction in {"ingress", "inbound"} and came:
        return f"was reached from {came} at {to}{about}"
    return f"connected to {to}{about}"


def _end(source: Mapping[str, Any], side: str) -> str:
    place, port = _place(source, side), _text(source, f"{side}.port")
    if not place or not port:
        return place
    return f"[{place}]:{port}" if ":" in place else f"{place}:{port}"


def _place(source: Mapping[str, Any], side: str) -> str:
    names = (_text(source, f"{side}.{name}") for name in ("ip", "address", "domain"))
    return next((name for name in names if name), "")


def _user(source: Mapping[str, Any]) -> str:
    name, domain = _text(source, "user.name"), _text(source, "user.domain")
    return f"{domain}\\{name}" if name and domain else name or _text(source, "user.id")


def _labelled(label: str, text: str, end: str = "") -> str:
    return f"{label}{text}{end}" if text else ""


def _text(source: Mapping[str, Any], field: str) -> str:
    value = first(source, field)
    return "" if value is None else _line(value)


def _texts(source: Mapping[str, Any], field: str) -> list[str]:
    return [_line(value) for value in values(source, field)[:5]]


def _line(value: Any) -> str:
    """On one line and not too long: an event's text must not be able to shape the sentence."""
    return _cut(" ".join(_printable(str(value)[: 4 * LONGEST_PART]).split()), LONGEST_PART)


def _printable(text: str, kept: str = "") -> str:
    """Without what moves a terminal's cursor or turns the direction of writing."""
    return "".join(letter if letter.isprintable() or letter in kept else " " for letter in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
