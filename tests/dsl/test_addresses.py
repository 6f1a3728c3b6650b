"""Addresses and networks. What is taken for an address was asked of a node: see `recorded/values.json`."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.dsl.addresses import address_text, parse_address, parse_network


@given(st.ip_addresses())
def test_an_address_is_a_number_and_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """IPv4 addresses lie where IPv6 has them mapped, so that all of them are in one order."""
    number = parse_address(str(address))
    mapped = address if address.version == 6 else ipaddress.IPv6Address(f"::ffff:{address}")
    assert number == int(mapped)
    assert parse_address(address_text(number)) == number
    assert parse_address(mapped.exploded.upper()) == number


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("::ffff:10.1.1.1", "10.1.1.1"),
        ("::10.1.1.1", "::a01:101"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
        ("fe80::1%eth0", "fe80::1"),
        ("::", "::"),
        ("1.2.3.", "1.2.3.0"),
        ("2559.1.1.1", "255.1.1.1"),
    ],
)
def test_addresses_are_printed_as_by_a_node(text: str, printed: str) -> None:
    """The last two are not what one would think; they are what a node stores."""
    assert address_text(parse_address(text)) == printed


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("10.0.0.77/24", "10.0.0.0", "10.0.0.255"),
        ("1.2.3.4/32", "1.2.3.4", "1.2.3.4"),
        ("1.2.3.4/0", "0.0.0.0", "255.255.255.255"),
        ("1.2.3.4/08", "1.0.0.0", "1.255.255.255"),
        ("1.2.3.4/+8", "1.0.0.0", "1.255.255.255"),
        ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::1/128", "::1", "::1"),
        ("fe80::1%eth0/64", "fe80::", "fe80::ffff:ffff:ffff:ffff"),
        ("2001:db8::1/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_networks_reach_from_their_first_to_their_last_address(text: str, low: str, high: str) -> None:
    """As a node explains a `term` on an ip field."""
    assert parse_network(text) == (parse_address(low), parse_address(high))


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3.4",
        "1.2.3.4/",
        "1.2.3.4/33",
        "1.2.3.4/-1",
        "1.2.3.4/ 8",
        "1.2.3.4/8 ",
        "1.2.3.4/8/8",
        "/8",
        "x/8",
        "::/129",
        "::ffff:10.0.0.0/104",
        "::ffff:10.0.0.0/8",
        "::ffff:0:0/96",
        "fe80::1%a/b/64",
        "1.2.3/8",
        "1.2.3.4/x",
    ],
)
def test_what_a_node_refuses_as_a_network(text: str) -> None:
    """IPv4 addresses written as IPv6 among them: their prefix is ambiguous."""
    with pytest.raises(ValueError, match=re.escape(f"'{text.partition('/')[0]}")):
        parse_network(text)
