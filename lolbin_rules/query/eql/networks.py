"""Addresses and networks, as `cidrMatch` compares them: as numbers of 128 bits, IPv4 as ::ffff:a.b.c.d."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

__all__ = ["is_within", "network"]

_WRITTEN = re.compile(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?")
_MAPPED = 0xFFFF << 32
_IPV4 = 4


@lru_cache(maxsize=8192)
def network(block: str) -> tuple[int, int]:
    """The lowest and the highest address of a network such as 10.0.0.77/8, or of a single address.

    Bits beyond the prefix do not matter.

    Raises:
        ValueError: it is neither.
    """
    if not _WRITTEN.fullmatch(block):
        raise ValueError(f'"{block}" is no network')
    found = ipaddress.ip_network(block, strict=False)
    if isinstance(found, ipaddress.IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise ValueError(f'"{block}" writes a network of IPv4 as one of IPv6')
    return _number(found.network_address), _number(found.broadcast_address)


def is_within(address: str, *blocks: str) -> bool:
    """Whether the address is in one of the networks.

    Raises:
        ValueError: it is no address.
    """
    found = _number(ipaddress.ip_address(address.partition("%")[0]))
    return any(low <= found <= high for low, high in map(network, blocks))


def _number(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    return int(address) | _MAPPED if address.version == _IPV4 else int(address)
