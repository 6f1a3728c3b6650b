"""What every simulated document holds, whatever it tells: times, machine, collector, and that it is simulated."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from lolbin_rules.simulation.hosts import DOMAIN, Account, Host
from lolbin_rules.simulation.moments import iso
from lolbin_rules.simulation.processes import Process

__all__ = ["Stamp", "envelope", "process_of", "user_of", "winlogbeat"]

_ECS_VERSION: Final = "8.0.0"
_AGENT_VERSION: Final = "8.15.0"


class Stamp(NamedTuple):
    """Where, when and as which record something was written down; times in milliseconds since 1970.

    Attributes:
        at: When it happened.
        created: When the collector read it.
        ingested: When it took its place in the pipeline.
        number: Its number among the machine's records, growing with time.
        scenario: The attack that it is part of, or nothing.
    """

    host: Host
    at: int
    created: int
    ingested: int
    number: int
    id: str
    scenario: str | None


def envelope(stamp: Stamp, agent: str, event: dict[str, Any]) -> dict[str, Any]:
    """The fields that documents of every collector have; `event` becomes part of it."""
    host = stamp.host
    event["created"] = iso(stamp.created)
    event["id"] = stamp.id
    event["ingested"] = iso(stamp.ingested)
    event["kind"] = "event"
    labels = {"simulated": "true"}
    if stamp.scenario is not None:
        labels["scenario"] = stamp.scenario
    return {
        "@timestamp": iso(stamp.at),
        "agent": {"id": host.agent_id, "name": host.name, "type": agent, "version": _AGENT_VERSION},
        "ecs": {"version": _ECS_VERSION},
        "event": event,
        "host": _host_of(host),
        "labels": labels,
        "tags": ["simulated"],
    }


def winlogbeat(stamp: Stamp, event: dict[str, Any], winlog: dict[str, Any]) -> dict[str, Any]:
    """A record of the Windows event log as Winlogbeat ships it; `event` and `winlog` become part of it."""
    document = envelope(stamp, "winlogbeat", event)
    document["log"] = {"level": "information"}
    winlog["api"] = "wineventlog"
    winlog["computer_name"] = stamp.host.computer_name
    winlog["event_id"] = event["code"]
    winlog["opcode"] = "Info"
    winlog["provider_name"] = event["provider"]
    winlog["record_id"] = str(stamp.number)
    document["winlog"] = winlog
    return document


def process_of(process: Process) -> dict[str, Any]:
    """The process that an event is about, as far as every event tells."""
    image = process.image
    return {"entity_id": process.entity_id, "executable": image.path, "name": image.name, "pid": process.pid}


def user_of(account: Account) -> dict[str, Any]:
    """The user that an event names."""
    return {"domain": account.domain, "id": account.sid, "name": account.name}


def _host_of(host: Host) -> dict[str, Any]:
    system = host.os
    return {
        "architecture": "x86_64",
        "domain": DOMAIN,
        "hostname": host.name,
        "id": host.id,
        "ip": [host.ipv4, host.ipv6],
        "mac": [host.mac],
        "name": host.name,
        "os": {
            "build": system.build,
            "family": "windows",
            "kernel": f"{system.version}.{system.build}",
            "name": system.name,
            "platform": "windows",
            "type": "windows",
            "version": system.version,
        },
    }
