"""Where an alert comes from: the event, and what the event itself was made of where it is an alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.alert import fields
from lolbin_rules.alert.identity import rule_uuid
from lolbin_rules.alert.source import first, objects, values
from lolbin_rules.store.port import Key

__all__ = ["ancestors", "depth", "is_alert", "is_own_alert"]


def is_alert(source: Mapping[str, Any]) -> bool:
    """Whether the document is itself an alert: `event.kind: signal` and ancestors under today's or the legacy name."""
    return "signal" in values(source, fields.EVENT_KIND) and bool(_recorded(source))


def ancestors(source: Mapping[str, Any], key: Key) -> list[dict[str, Any]]:
    """The source's own ancestors, oldest first, then the source as the parent."""
    if not is_alert(source):
        return [{"id": key.id, "type": "event", "index": key.index, "depth": 0}]
    parent: dict[str, Any] = {"id": key.id, "type": "signal", "index": key.index, "depth": _depth_of_alert(source)}
    rule = first(source, fields.RULE_UUID) or first(source, fields.LEGACY_RULE_UUID)
    if rule is not None:
        parent["rule"] = str(rule)
    return [*map(dict, _recorded(source)), parent]


def depth(found: list[dict[str, Any]]) -> int:
    """The depth of an alert with these ancestors: one more than the deepest of them; 1 for an alert of an event."""
    return 1 + max((_whole(ancestor.get("depth")) or 0 for ancestor in found), default=0)


def is_own_alert(rule_id: str, source: Mapping[str, Any]) -> bool:
    """Whether the document is an alert of this rule, or made of one: alerting that would never end."""
    own = rule_uuid(rule_id)
    if rule_id in {first(source, fields.RULE_ID), first(source, fields.LEGACY_RULE_ID)}:
        return True
    if own in {first(source, fields.RULE_UUID), first(source, fields.LEGACY_RULE_UUID)}:
        return True
    return any(ancestor.get("rule") == own for ancestor in _recorded(source))


def _recorded(source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return objects(source, fields.ANCESTORS) or objects(source, fields.LEGACY_ANCESTORS)


def _depth_of_alert(source: Mapping[str, Any]) -> int:
    for field in (fields.DEPTH, fields.LEGACY_DEPTH):
        if (recorded := _whole(first(source, field))) is not None:
            return recorded
    return len(_recorded(source))


def _whole(value: Any) -> int | None:
    """A depth as a small whole number; None where it is none, so that a forged one cannot overflow the field."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1_000_000:  # noqa: PLR2004
        return None
    return value
