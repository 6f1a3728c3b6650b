"""One rule and one event -> the alert that stands for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import ancestors, depth
from lolbin_rules.alert.context import ExecutionContext
from lolbin_rules.alert.fit import fit
from lolbin_rules.alert.identity import NO_IDENTITY, Identity, block_id
from lolbin_rules.alert.overrides import overrides
from lolbin_rules.alert.reason import alert_name, alert_reason
from lolbin_rules.alert.rule_fields import rule_fields
from lolbin_rules.alert.source import event_time, first, flat, objects, write_time
from lolbin_rules.alert.suppression import Member, group_fields
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Hit

__all__ = [
    "Alert",
    "ExecutionContext",
    "Told",
    "build_alert",
    "build_blocks",
    "build_group_alert",
    "dead_letter",
    "minimal_alert",
]

MOST_LEFT_OUT: Final = 100
"""Names of refused parts that an alert lists."""
MOST_NAMED: Final = 5
"""As above, that a note lists."""
LONGEST_NAME: Final = 100
LONGEST_REASON: Final = 10_000
LONGEST_LETTER: Final = 1_000_000
"""Bytes of a refused alert that are kept."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert ready to be written.

    Attributes:
        id: the document's id.
        source: the document.
        notes: what had to be done without, in sentences for the record of the execution.
    """

    id: str
    source: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert says of its match beyond what it says of its event.

    Attributes:
        fields: dotted names with their values.
        identity: what the match is known by, where that is more than one event.
        events: of a sequence, in their order.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    identity: Identity = NO_IDENTITY
    events: tuple[Hit, ...] = ()


NOTHING: Final = Told()


def build_alert(
    rule: Rule, hit: Hit, *, alert_id: str, context: ExecutionContext, told: Told = NOTHING, is_block: bool = False
) -> Alert:
    """The alert of one match: the event's own fields, and `kibana.alert.*` as flat dotted keys beside them.

    The rule's overrides hold for all but the building blocks of a sequence (`is_block`), as in Elastic's engine.
    Whatever the event holds, there is an alert: a template that fails gives way to the default text, and parts that the
    index could not take are left out and named. The notes say so.
    """
    name, name_note = (rule.name, "") if is_block else alert_name(rule, hit.source)
    reason, reason_note = alert_reason(rule, hit.source)
    copied, left_out = _copy(hit.source)
    alert = {
        **copied,
        **_about_alert(rule, reason, alert_id, context),
        **({} if is_block else overrides(rule, hit.source)),
        **_origin(hit, told.events),
        **_about_match(rule, alert_id, told),
        **rule_fields(rule),
        fields.RULE_NAME: name,
        fields.EXECUTION_UUID: context.uuid,
        fields.EXECUTION_TIMESTAMP: write_time(context.created_at),
        fields.EXECUTION_TYPE: context.kind,
    }
    if context.is_sweep:
        alert[fields.SWEEP] = True
    if left_out:
        alert[fields.LEFT_OUT] = left_out[:MOST_LEFT_OUT]
    notes = (name_note, reason_note, _left_out_note(left_out))
    return Alert(alert_id, alert, tuple(filter(None, notes)))


def _left_out_note(left_out: Sequence[str]) -> str:
    if not left_out:
        return ""
    some = ", ".join(f"{name[:LONGEST_NAME]!r}" for name in left_out[:MOST_NAMED])
    more = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
    return f"Parts of an event were left out of its alert, because the alert index takes no such values: {some}{more}"


def build_blocks(rule: Rule, events: Sequence[Hit], *, group: str, context: ExecutionContext) -> list[Alert]:
    """The building-block alerts of a sequence's events; `group` is the id of the sequence's own alert."""
    alerts = []
    for number, event in enumerate(events):
        place = {fields.GROUP_ID: group, fields.GROUP_INDEX: number, fields.BUILDING_BLOCK_TYPE: "default"}
        name = block_id(group, number)
        alerts.append(build_alert(rule, event, alert_id=name, context=context, told=Told(place), is_block=True))
    return alerts


def _about_match(rule: Rule, alert_id: str, told: Told) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if rule.building_block_type is not None:
        about[fields.BUILDING_BLOCK_TYPE] = rule.building_block_type
    if told.events:
        about[fields.GROUP_ID] = alert_id
    if told.identity.parts:
        about[fields.MATCH] = told.identity.text
    return {**about, **told.fields}


def build_group_alert(rule: Rule, hit: Hit, of: Member, *, context: ExecutionContext, told: Told = NOTHING) -> Alert:
    """The alert of a group, made of the match that opens it; `with_fold` brings it up to date as members join."""
    alert = build_alert(rule, hit, alert_id=of.group_id, context=context, told=told)
    return Alert(alert.id, {**alert.source, **group_fields(of, rule, context)}, alert.notes)


def _copy(source: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The event as its alert holds it: without what only alerts may say, `event.kind` replaced."""
    kept = {key: value for key, value in source.items() if key.split(".", 1)[0] not in fields.OURS}
    kept.pop(fields.TIMESTAMP, None)
    kept, left_out = fit(kept)
    return _as_signal(kept), left_out


def _as_signal(source: dict[str, Any]) -> dict[str, Any]:
    event = source.get(fields.EVENT)
    source.pop(fields.EVENT_KIND, None)
    if isinstance(event, Mapping):
        source[fields.EVENT] = {**event, "kind": "signal"}
        return source
    if event is not None:
        source[fields.EVENT] = [_without_kind(part) for part in flat(event)]
    source[fields.EVENT_KIND] = "signal"
    return source


def _without_kind(part: Any) -> Any:
    return {key: value for key, value in part.items() if key != "kind"} if isinstance(part, Mapping) else part


def _about_alert(rule: Rule, reason: str, alert_id: str, context: ExecutionContext) -> dict[str, Any]:
    created_at = write_time(context.created_at)
    return {
        fields.TIMESTAMP: created_at,
        fields.SPACE_IDS: ["default"],
        fields.UUID: alert_id,
        fields.STATUS: "active",
        fields.WORKFLOW_STATUS: "open",
        fields.WORKFLOW_TAGS: [],
        fields.WORKFLOW_ASSIGNEE_IDS: [],
        fields.REASON: reason,
        fields.SEVERITY: rule.severity,
        fields.RISK_SCORE: rule.risk_score,
        fields.START: created_at,
        fields.LAST_DETECTED: created_at,
        fields.INTENDED_TIMESTAMP: write_time(context.intended),
    }


def _origin(hit: Hit, events: Sequence[Hit]) -> dict[str, Any]:
    found = [each for event in events or (hit,) for each in ancestors(event.source, event.key)]
    origin: dict[str, Any] = {fields.ANCESTORS: found, fields.DEPTH: depth(found)}
    if (happened := event_time(hit.source)) is not None:
        origin[fields.ORIGINAL_TIME] = write_time(happened)
    for name, stem in ((fields.EVENT, fields.ORIGINAL_EVENT), ("data_stream", fields.ORIGINAL_DATA_STREAM)):
        origin |= {f"{stem}.{key}": value for key, value in _members(hit.source, name).items()}
    return fit(origin)[0]


def _members(source: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What lies under `name`, as dotted keys below it: from one object, several, and dotted keys beside them."""
    found = {key[len(name) + 1 :]: value for key, value in source.items() if key.startswith(f"{name}.")}
    for part in flat(source.get(name)):
        if isinstance(part, Mapping):
            for key, value in part.items():
                found[key] = [*flat(found[key]), *flat(value)] if key in found else value
    return found


def minimal_alert(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The same alert with nothing copied from the event, for an index that refused it: all that is left is ours."""
    copied = (f"{fields.ORIGINAL_EVENT}.", f"{fields.ORIGINAL_DATA_STREAM}.")
    ours = {
        key: value
        for key, value in alert.items()
        if key == fields.TIMESTAMP or (key.split(".", 1)[0] in fields.OURS and not key.startswith(copied))
    }
    return {**ours, fields.EVENT_KIND: "signal"}


def dead_letter(alert: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """What is kept of an alert that its index refused, for `<prefix>-dead-letters` under the alert's own id.

    The refused alert is kept as JSON text that no index looks into, so that whatever it was refused for cannot get the
    dead letter refused as well.
    """
    encoded = _json(alert).encode("utf-8", "replace")
    parent = (objects(alert, fields.ANCESTORS) or [{}])[-1]
    return {
        "@timestamp": first(alert, fields.TIMESTAMP),
        "reason": reason[:LONGEST_REASON],
        "alert": {"id": first(alert, fields.UUID)},
        "rule": {"id": first(alert, fields.RULE_ID), "name": first(alert, fields.RULE_NAME)},
        "event": {
            "id": parent.get("id"),
            "index": parent.get("index"),
            "time": first(alert, fields.ORIGINAL_TIME),
        },
        "execution": {"uuid": first(alert, fields.EXECUTION_UUID)},
        "refused": encoded[:LONGEST_LETTER].decode("utf-8", "ignore"),
        "refused_bytes": len(encoded),
        "is_truncated": len(encoded) > LONGEST_LETTER,
    }


def _json(alert: Mapping[str, Any]) -> str:
    try:
        return json.dumps(alert, ensure_ascii=False, default=str, skipkeys=True)
    except (RecursionError, ValueError) as error:
        return f"cannot be written as JSON: {error}"
