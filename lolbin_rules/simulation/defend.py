"""Documents of Elastic Defend about connections: their beginning, of type start alone, and their end."""

from __future__ import annotations

import base64
from typing import Any, Final

from lolbin_rules.simulation.envelope import Stamp, envelope, process_of, user_of
from lolbin_rules.simulation.processes import Process
from lolbin_rules.simulation.wire import Connection, Endpoint

__all__ = ["INDEX", "connection_ended", "connection_started"]

INDEX: Final = "logs-endpoint.events.network-simulated"


def connection_started(stamp: Stamp, process: Process, connection: Connection) -> dict[str, Any]:
    """A program connects or is connected to."""
    action = "connection_attempted" if connection.is_outbound else "connection_accepted"
    return _document(stamp, process, connection, action, "start")


def connection_ended(stamp: Stamp, process: Process, connection: Connection, volume: tuple[int, int]) -> dict[str, Any]:
    """A connection ends, after so many bytes from its source and its destination."""
    document = _document(stamp, process, connection, "disconnect_received", "end")
    document["source"]["bytes"], document["destination"]["bytes"] = volume
    document["network"]["bytes"] = sum(volume)
    return document


def _document(stamp: Stamp, process: Process, connection: Connection, action: str, kind: str) -> dict[str, Any]:
    event = {
        "action": action,
        "category": ["network"],
        "dataset": "endpoint.events.network",
        "module": "endpoint",
        "outcome": "unknown",
        "sequence": stamp.number,
        "type": [kind],
    }
    document = envelope(stamp, "endpoint", event)
    document["data_stream"] = {"dataset": "endpoint.events.network", "namespace": "simulated", "type": "logs"}
    document["source"] = _end(connection.source)
    document["destination"] = _end(connection.destination)
    document["message"] = "Endpoint network event"
    document["network"] = {
        "direction": connection.direction,
        "transport": connection.transport,
        "type": connection.network_type,
    }
    document["process"] = process_of(process)
    document["process"]["entity_id"] = base64.b64encode(process.entity_id.encode()).decode()
    document["related"] = {"ip": [connection.source.address, connection.destination.address]}
    document["user"] = user_of(process.account)
    return document


def _end(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {"address": endpoint.address, "ip": endpoint.address, "port": endpoint.port}
    if endpoint.name:
        found["domain"] = endpoint.name
    return found
