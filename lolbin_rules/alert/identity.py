"""What makes an alert the same alert: ids and index names made of what never changes about an event.

From the design, "exactly one alert": an id depends on the rule's id, the index without the decoration that moving its
data adds or removes, and the document's id; never on a version, the clock or the concrete backing index. So the same
event always meets the same id in the same index, and creating it a second time is refused by the index itself.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from lolbin_rules.alert import fields
from lolbin_rules.alert.source import event_time, first, objects, values
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Hit, Key

__all__ = [
    "NO_IDENTITY",
    "Identity",
    "Terms",
    "alert_id",
    "alert_index",
    "alert_key",
    "block_id",
    "group_id",
    "group_terms",
    "instance_id",
    "membership_key",
    "monthly_index",
    "rule_uuid",
    "same_event",
    "same_match",
    "stable_index",
    "suppressed_index",
    "undecorated",
]

Terms: TypeAlias = tuple[tuple[str, tuple[str, ...] | None], ...]
"""Field -> its values as canonical text, sorted, each once; None where the event has none."""

PREFIX: Final = re.compile(r"(?:partial-|restored-|shrink-[a-z0-9_-]{4}-)+(?=.)")
BACKING: Final = re.compile(r"\.ds-(?P<name>.+)-\d{4}\.\d{2}\.\d{2}-\d{6,}", re.ASCII)
RULES: Final = uuid.UUID("0f3c9d2e-6a51-4b8f-9a3d-5d1c7e84b206")
"""The namespace of rule uuids. Changing it would orphan every alert that names a rule by uuid."""
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2099
EXACT: Final = 2**53
"""Whole floating-point numbers below it are written as whole numbers."""


def stable_index(name: str) -> str:
    """The index name without what a rollover, a shrink or a mounted snapshot adds to it.

    `.ds-<name>-<yyyy.MM.dd>-<generation of 6 or more digits>` -> `<name>`; the prefixes `partial-`, `restored-` and
    `shrink-<4 characters>-`, also stacked, are taken off first. A remote cluster's name (`eu:logs-x`) stays, and so do
    dates in plain names: `winlogbeat-8.6.2-2026.11.22` holds other documents than that of the day before.
    """
    cluster, colon, bare = undecorated(name).rpartition(":")
    backing = BACKING.fullmatch(bare)
    return f"{cluster}{colon}{backing['name'] if backing else bare}"


def undecorated(name: str) -> str:
    """The index name without the prefixes that a shrink or a mounted snapshot adds; the index that it was before."""
    cluster, colon, local = name.rpartition(":")
    found = PREFIX.match(local)
    return f"{cluster}{colon}{local[found.end() :] if found else local}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a match is known by where it is more than one event.

    Attributes:
        parts: strings, numbers, None and sequences of these, the same however and whenever the match is found; empty
            for a single event.
        dated: the moment whose month chooses the index.
    """

    parts: tuple[Any, ...] = ()
    dated: datetime | None = None

    @property
    def text(self) -> str:
        """As it stands in the alert."""
        return json.dumps(self.parts, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


NO_IDENTITY: Final = Identity()


def alert_key(prefix: str, rule_id: str, hit: Hit, identity: Identity = NO_IDENTITY) -> Key:
    """Where the alert of a match is, if it has one of its own."""
    if identity.parts:
        return Key(monthly_index(f"{prefix}-alerts", identity.dated), _match_id(rule_id, identity))
    return Key(alert_index(prefix, hit.source), alert_id(rule_id, hit.key))


def membership_key(prefix: str, rule_id: str, hit: Hit, identity: Identity = NO_IDENTITY) -> Key:
    """Where the membership of a match is, if it is in a group."""
    if identity.parts:
        return Key(monthly_index(f"{prefix}-suppressed", identity.dated), _match_id(rule_id, identity))
    return Key(suppressed_index(prefix, hit.source), alert_id(rule_id, hit.key))


def _match_id(rule_id: str, identity: Identity) -> str:
    return _digest([rule_id, "match", identity.parts])


def _digest(parts: Sequence[Any]) -> str:
    """Sha256 over a JSON array in ASCII without white space: these bytes must never change, or events alert twice.

    JSON, not joined strings: ("a", "bc") and ("ab", "c") stay apart. ASCII escapes: no text fails to encode, and no
    library decides how a character is written.
    """
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def alert_id(rule_id: str, key: Key) -> str:
    """The id of the alert that a rule makes of one event, 64 hexadecimal digits."""
    return _digest([rule_id, stable_index(key.index), key.id])


def block_id(group: str, number: int) -> str:
    """The id of the alert of one event of a sequence: by the sequence's own alert and the event's place in it."""
    return _digest(["block", group, number])


def same_match(stored: Mapping[str, Any], rule: Rule, identity: Identity) -> bool:
    """As `same_event`, for a match that is known by more than one event's index and id."""
    return bool(first(stored, fields.RULE_ID) == rule.id and first(stored, fields.MATCH) == identity.text)


def group_id(rule_id: str, terms: Terms, slot_start: datetime) -> str:
    """The id of the one alert that stands for a group of events within a slot of time."""
    return _digest([rule_id, "group", terms, _milliseconds(slot_start)])


def instance_id(rule_id: str, terms: Terms) -> str:
    """Names the group in whatever slot: the same for all its alerts."""
    return _digest([rule_id, "group", terms])


def _milliseconds(moment: datetime) -> int:
    from_epoch = moment - datetime.fromtimestamp(0, tz=moment.tzinfo)
    return (from_epoch.days * 86_400 + from_epoch.seconds) * 1000 + from_epoch.microseconds // 1000


def group_terms(source: Mapping[str, Any], group_by: Sequence[str]) -> Terms:
    """The values that name an event's group, in the order of `group_by`.

    Canonical, because what Elasticsearch indexes alike is not always written alike: 3 and "3", true and "true", the
    same address written in full or short, the same list in another order or with a value repeated.
    """
    return tuple((name, _canonical(name, values(source, name))) for name in group_by)


def _canonical(field: str, found: Sequence[Any]) -> tuple[str, ...] | None:
    is_address = field == "ip" or field.endswith(".ip")
    texts = {_text(value) for value in found}
    return tuple(sorted({_address(text) if is_address else text for text in texts})) or None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return str(value)


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def rule_uuid(rule_id: str) -> str:
    """The uuid that stands for a rule in alerts, as Kibana's object id does: always the same for the same id."""
    return str(uuid.uuid5(RULES, rule_id))


def alert_index(prefix: str, source: Mapping[str, Any], timestamp_field: str = "@timestamp") -> str:
    """The index of an event's own alert: by the event's month, never by the clock."""
    return monthly_index(f"{prefix}-alerts", event_time(source, timestamp_field))


def suppressed_index(prefix: str, source: Mapping[str, Any], timestamp_field: str = "@timestamp") -> str:
    """The index of an event's membership in a group."""
    return monthly_index(f"{prefix}-suppressed", event_time(source, timestamp_field))


def monthly_index(stem: str, moment: datetime | None) -> str:
    """`<stem>-2026.11`, or `<stem>-overflow` where there is no time or it lies outside 2000 to 2099."""
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return f"{stem}-overflow"
    return f"{stem}-{moment.year:04}.{moment.month:02}"


def same_event(stored: Mapping[str, Any], rule: Rule, key: Key) -> bool:
    """Whether a stored alert (or membership) is this rule's of this event: a taken id is "already there" only then.

    False means that two different events share an id: a collision, which must not pass for a duplicate.
    """
    ancestors = objects(stored, fields.ANCESTORS)
    if not ancestors or first(stored, fields.RULE_ID) != rule.id:
        return False
    parent = ancestors[-1]
    return parent.get("id") == key.id and stable_index(str(parent.get("index"))) == stable_index(key.index)
