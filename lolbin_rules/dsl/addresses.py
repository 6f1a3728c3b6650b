"""Addresses of `ip` fields as numbers of 128 bits: what is taken for one, what a network covers, how one is printed."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["address_text", "parse_address", "parse_network"]

_MAPPED = 0xFFFF << 32
"""::ffff:0:0, under which IPv4 addresses live."""
_IPV4 = 0xFFFFFFFF
_BITS, _IPV4_BITS = 128, 32
_GROUPS, _GROUP_BITS = 8, 16
_LARGEST_GROUP = 0xFFFF
_OCTETS, _LARGEST_OCTET = 4, 255
_OCTET = re.compile(r"[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_PREFIX = re.compile(r"[+-]?\d+")


def parse_address(text: str) -> int:
    """The number of an address, IPv4 as ::ffff:a.b.c.d.

    A zone (`%eth0`) is left out. Octets have no leading zeros; an empty last one is 0. What is odd here is odd in
    Elasticsearch.

    Raises:
        ValueError: it is no address.
    """
    if ":" not in text:
        return _MAPPED | _ipv4(text, text)
    address, percent, zone = text.partition("%")
    if percent and (not zone or "." in address):
        raise _no_address(text)
    if "." in address:
        start, _, octets = address.rpartition(":")
        number = _ipv4(octets, text)
        address = f"{start}:{number >> _GROUP_BITS:x}:{number & _LARGEST_GROUP:x}"
    return _ipv6(address, text)


def parse_network(text: str) -> tuple[int, int]:
    """The lowest and the highest address of a network such as 10.0.0.77/8; bits beyond the prefix do not matter.

    A network of IPv4 addresses written as IPv6 (::ffff:10.0.0.0/104) is refused, as Elasticsearch refuses it.

    Raises:
        ValueError: it is no network.
    """
    address, slash, length = text.partition("/")
    if not slash or not _PREFIX.fullmatch(length):
        raise ValueError(f"'{text}' is not a network in CIDR notation such as 10.0.0.0/8")
    number = parse_address(address)
    if _is_ipv4(number) and ":" in address:
        raise ValueError(f"'{text}' is not a network: the prefix of an IPv4 address written as IPv6 is ambiguous")
    free = (_IPV4_BITS if _is_ipv4(number) else _BITS) - int(length)
    if free < 0 or int(length) < 0:
        raise ValueError(f"'{text}' is not a network: the prefix /{length} is not within the bits of the address")
    mask = (1 << free) - 1
    return number & ~mask, number | mask


def address_text(number: int) -> str:
    """The address as Elasticsearch prints it: IPv4 where it is one, else lowercase IPv6 with `::`."""
    if _is_ipv4(number):
        return str(ipaddress.IPv4Address(number & _IPV4))
    return str(ipaddress.IPv6Address(number))


def _is_ipv4(number: int) -> bool:
    return number >> _IPV4_BITS == _MAPPED >> _IPV4_BITS


def _ipv4(octets: str, text: str) -> int:
    parts = octets.split(".")
    if len(parts) != _OCTETS:
        raise _no_address(text)
    number = 0
    for place, part in enumerate(parts, 1):
        if _OCTET.fullmatch(part):
            octet = int(part)
        elif not part and place == _OCTETS:
            octet = 0
        else:
            octet = _long_octet(part, text)
        number = number << 8 | octet
    return number


def _long_octet(digits: str, text: str) -> int:
    """An octet that is no plain number up to 255.

    Elasticsearch keeps the number so far in a signed byte, so that 1280 and above may pass (2559 is 255).
    """
    octet = 0
    for place, digit in enumerate(digits):
        grown = octet * 10 + ord(digit) - ord("0")
        if not "0" <= digit <= "9" or (place and not octet) or grown > _LARGEST_OCTET:
            raise _no_address(text)
        octet = (grown + 128) % 256 - 128
    if not digits:
        raise _no_address(text)
    return octet % 256


def _ipv6(address: str, text: str) -> int:
    before, double, after = address.partition("::")
    high = before.split(":") if before else []
    low = after.split(":") if after else []
    zeros = _GROUPS - len(high) - len(low)
    if zeros < 1 if double else zeros:
        raise _no_address(text)
    number = 0
    for group in [*high, *["0"] * zeros, *low]:
        if not _HEXADECIMAL.fullmatch(group) or int(group, 16) > _LARGEST_GROUP:
            raise _no_address(text)
        number = number << _GROUP_BITS | int(group, 16)
    return number


def _no_address(text: str) -> ValueError:
    return ValueError(f"'{text}' is not an IP string literal")
