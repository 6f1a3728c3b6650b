"""Rules, hits and documents to make alerts of, well-formed and hostile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from lolbin_rules.alert.context import ExecutionContext
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Hit, Key

quick = settings(max_examples=60, deadline=None)

NOW = datetime(2026, 11, 22, 5, 16, 16, 276000, tzinfo=UTC)
CONTEXT = ExecutionContext("0e4c1f6e-7f5b-4a55-9a3e-0b1f6a1c2d3e", NOW, NOW - timedelta(seconds=16), "scheduled")
KEY = Key(".ds-winlogbeat-8.6.2-2026.11.20-000003", "kx2mE5MBn0")

REACHED_OUT: Mapping[str, Any] = {
    "@timestamp": "2026-11-22T05:10:09.123Z",
    "agent": {"type": "winlogbeat", "version": "8.6.2"},
    "event": {"kind": "event", "category": ["network"], "type": ["start", "connection"], "code": "3"},
    "process": {"name": "regsvr32.exe", "pid": 4242, "executable": r"C:\Windows\System32\regsvr32.exe"},
    "destination": {"ip": "93.184.216.34", "port": 443, "domain": "example.org"},
    "source": {"ip": "10.1.2.3", "port": 50123},
    "network": {"direction": "egress", "transport": "tcp"},
    "user": {"name": "alice", "domain": "ACME"},
    "host": {"name": "WIN10", "os": {"type": "windows"}},
    "winlog": {"event_id": "3", "event_data": {"Initiated": "true"}},
}
"""A Sysmon event of a connection, as Winlogbeat ships it."""


def make_rule(**changes: Any) -> Rule:
    """A rule that differs from the usual one in `changes`."""
    written = {
        "id": "network-connection-via-regsvr32",
        "name": "Network connection by regsvr32",
        "description": "regsvr32 reached out.",
        "author": ["Jane Doe"],
        "license": "Apache-2.0",
        "index": ["winlogbeat-*"],
        "severity": "low",
        "risk_score": 21,
        "match": {"process.name": "regsvr32.exe"},
        "exclude": {"destination.ip": {"cidr": ["10.0.0.0/8"]}},
    }
    return Rule.model_validate(written | changes)


def hit(source: Mapping[str, Any], key: Key = KEY) -> Hit:
    """What a scan would find."""
    return Hit(key, source, 0, frozenset())


def field_names(document: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted names of all values of a document."""
    for key, value in document.items():
        for item in (value or [None]) if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                yield from field_names(item, f"{path}{key}.")
            else:
                yield f"{path}{key}"


def mapped_fields(properties: Mapping[str, Any], path: str = "") -> dict[str, Mapping[str, Any]]:
    """Dotted name -> what a mapping says about it, for all fields that hold values."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, spec in properties.items():
        if "properties" in spec:
            found |= mapped_fields(spec["properties"], f"{path}{name}.")
        else:
            found[f"{path}{name}"] = spec
    return found


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["2026-11-22T05:10:09Z", "1::2", "network", "ingress", "signal"]),
)
NAMES = (
    "@timestamp",
    "event",
    "event.kind",
    "event.category",
    "kind",
    "category",
    "action",
    "host",
    "host.name",
    "name",
    "process",
    "process.name",
    "pid",
    "destination",
    "ip",
    "port",
    "geo",
    "geo.location",
    "location",
    "network.direction",
    "direction",
    "user",
    "domain",
    "labels",
    "winlog",
    "event_data",
    "winlog.event_data.x",
    "signal",
    "signal.rule",
    "ancestors",
    "depth",
    "kibana",
    "kibana.alert.ancestors",
    "kibana.alert.depth",
    "kibana.alert.rule.uuid",
    "threshold_result",
    "lolbin",
    "data_stream",
    "type",
    "dns.question.name",
    "tags",
    "message",
    "unmapped",
    "unmapped.x",
    "host.name.below",
    ".",
    "a..b",
)
names = st.sampled_from(NAMES) | st.text(max_size=3)


def _objects(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, children, max_size=4)


documents: st.SearchStrategy[dict[str, Any]] = _objects(
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | _objects(inner), max_leaves=8)
)
"""JSON objects whose names mean something to whoever makes alerts, and whose values are anything."""


def deep(levels: int) -> Any:
    """An object and a list within each other, so many levels down."""
    value: Any = "bottom"
    for level in range(levels):
        value = {"host": value} if level % 2 else [value]
    return value
