"""What happens on one machine within one minute, written down as it would be recorded there."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from lolbin_rules.simulation import defend, security, sysmon
from lolbin_rules.simulation.hosts import Account, Host
from lolbin_rules.simulation.images import Image
from lolbin_rules.simulation.processes import Process, entity_id, process_id
from lolbin_rules.simulation.wire import Connection, Endpoint

__all__ = ["LONGEST_CONNECTION", "WINLOGBEAT_INDEX", "Record", "Stage"]

WINLOGBEAT_INDEX: Final = "winlogbeat-8.15.0-simulated"
LONGEST_CONNECTION: Final = 1500
"""A connection that Elastic Defend records is over before so many milliseconds."""


class Record(NamedTuple):
    """Something that was recorded: when, into which index, and how its document is made.

    Attributes:
        at: When it happened, in milliseconds since 1970.
        into: The index of its document.
        shape: Makes the document of a stamp and the `details`.
        scenario: The attack that it is part of, or nothing.
    """

    at: int
    into: str
    shape: Callable[..., dict[str, Any]]
    details: tuple[Any, ...]
    scenario: str | None


class Stage:
    """A machine for a minute; the activities of its programs write to `records`.

    Args:
        host: The machine.
        peers: All machines of the fleet.
        running: The programs that run on it all day.
        roll: Decides everything that is left to chance.
        is_away: The machine is not in the office: nothing in there can be reached, the Internet can.
    """

    def __init__(
        self, host: Host, peers: tuple[Host, ...], running: Mapping[str, Process], roll: random.Random, *, is_away: bool
    ) -> None:
        self.host = host
        self.peers = peers
        self.running = running
        self.roll = roll
        self.is_away = is_away
        self.scenario: str | None = None
        self.records: list[Record] = []

    def start(
        self, at: int, image: Image, arguments: tuple[str, ...], parent: Process, account: Account | None = None
    ) -> Process:
        """A program starts, on behalf of its parent's account if of no other."""
        mark = entity_id(self.host, at, 0x100 + len(self.records))
        process = Process(image, process_id(self.roll), mark, arguments, account or parent.account, parent)
        self._record(at, sysmon.process_started, process)
        if self.host.role == "server":  # process creation is audited there
            self._record(at, security.process_created, process)
        return process

    def end(self, at: int, process: Process) -> None:
        """A program ends."""
        self._record(at, sysmon.process_ended, process)

    def write(self, at: int, process: Process, path: str) -> None:
        """A program creates a file."""
        self._record(at, sysmon.file_created, process, path)

    def resolve(self, at: int, process: Process, endpoint: Endpoint) -> None:
        """A program asks for the address of a name. Names of the office cannot be resolved elsewhere."""
        if not (self.is_away and endpoint.is_internal):
            self._record(at, sysmon.name_resolved, process, endpoint)

    def connect(self, at: int, process: Process, endpoint: Endpoint) -> None:
        """A program connects to somewhere, as far as that can be reached from where the machine is."""
        if self.is_away and endpoint.is_internal:
            return
        source = self.host.ipv6 if endpoint.is_ipv6 else self.host.home_ipv4 if self.is_away else self.host.ipv4
        port = self.roll.randrange(49152, 65536)
        self._connection(at, process, Connection(Endpoint(source, port), endpoint, is_outbound=True))

    def accept(self, at: int, process: Process, peer: Host, port: int) -> None:
        """A program is connected to by another machine of the office."""
        source = Endpoint(peer.ipv4, self.roll.randrange(49152, 65536))
        self._connection(at, process, Connection(source, Endpoint(self.host.ipv4, port), is_outbound=False))

    def log_on(self, at: int, account: Account, logon_type: int, peer: Host | None = None) -> None:
        """Somebody logs on, from another machine if there is one."""
        self._record(at, security.logged_on, account, logon_type, peer, self.running["services"])

    def _connection(self, at: int, process: Process, connection: Connection) -> None:
        if not self.host.has_defend:
            self._record(at, sysmon.connected, process, connection)
            return
        self._record(at, defend.connection_started, process, connection, index=defend.INDEX)
        length, sent, received = (
            self.roll.randrange(40, LONGEST_CONNECTION),
            self.roll.randrange(200, 9000),
            self.roll.randrange(90_000),
        )
        self._record(at + length, defend.connection_ended, process, connection, (sent, received), index=defend.INDEX)

    def _record(
        self, at: int, shape: Callable[..., dict[str, Any]], *details: Any, index: str = WINLOGBEAT_INDEX
    ) -> None:
        self.records.append(Record(at, index, shape, details, self.scenario))
