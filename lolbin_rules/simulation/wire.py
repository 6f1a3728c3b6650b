"""Addresses, and connections between them."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["Connection", "Endpoint"]

_PROTOCOLS: Final = {
    53: "dns",
    80: "http",
    88: "kerberos",
    135: "epmap",
    389: "ldap",
    443: "https",
    445: "microsoft-ds",
}
_TRANSPORTS: Final = {"tcp": 6, "udp": 17}


class Endpoint(NamedTuple):
    """An address with a port, and the name it was found by, if any."""

    address: str
    port: int
    name: str = ""

    @property
    def is_ipv6(self) -> bool:
        """The address is one of IPv6."""
        return ":" in self.address

    @property
    def is_internal(self) -> bool:
        """It lies in the office network."""
        return self.address.startswith("10.20.")


class Connection(NamedTuple):
    """Who spoke to whom, seen from the machine that recorded it."""

    source: Endpoint
    destination: Endpoint
    is_outbound: bool
    transport: str = "tcp"

    @property
    def direction(self) -> str:
        """As Sysmon's and Defend's documents call it."""
        return "egress" if self.is_outbound else "ingress"

    @property
    def network_type(self) -> str:
        """ipv4 or ipv6."""
        return "ipv6" if self.destination.is_ipv6 else "ipv4"

    @property
    def protocol(self) -> str | None:
        """What the port is registered for, where Windows knows it."""
        return _PROTOCOLS.get(self.destination.port)

    @property
    def community_id(self) -> str:
        """The Community ID of the flow (version 1, seed 0): the same whichever end is called the source."""
        ends = [(_packed(end.address), end.port.to_bytes(2, "big")) for end in (self.source, self.destination)]
        (first, first_port), (second, second_port) = sorted(ends)
        kind = bytes((_TRANSPORTS[self.transport], 0))
        flow = b"\0\0" + first + second + kind + first_port + second_port
        return "1:" + base64.b64encode(hashlib.sha1(flow, usedforsecurity=False).digest()).decode()


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed
