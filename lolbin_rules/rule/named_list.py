"""Values that several rules share, under one name."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from lolbin_rules.rule.refusal import Refusal, spoken
from lolbin_rules.rule.values import TEXT, Frozen, Identifier, Scalar, Text, check_network

__all__ = ["NamedList", "address_range"]

RANGE = re.compile(r"\s*([0-9A-Fa-f:.]+)\s*-\s*([0-9A-Fa-f:.]+)\s*")


def address_range(value: str) -> tuple[str, str] | None:
    """`10.0.0.1-10.0.0.9` -> its first and its last address; None for a text of any other shape.

    Raises:
        Refusal: the ends are no addresses, are of two families, or lie the wrong way round.
    """
    ends = RANGE.fullmatch(value)
    if ends is None:
        return None
    try:
        first, last = (ipaddress.ip_address(end) for end in ends.groups())
    except ValueError:
        raise Refusal(
            f"{spoken(value)} is no range of addresses", "Write its first and last address, such as 10.0.0.1-10.0.0.9."
        ) from None
    if first.version != last.version:
        raise Refusal(f"{spoken(value)} begins in one family of addresses and ends in the other", "Write two ranges.")
    if int(first) > int(last):
        raise Refusal(f"{spoken(value)} ends before it begins", f"Write {last}-{first}.")
    return ends[1], ends[2]


def _fits_type(value: Any, info: ValidationInfo) -> Any:
    if info.data.get("type") != "cidr":
        return value
    if not isinstance(value, str):
        raise Refusal(f"{spoken(value)} is no address or network", "Quote it, or set type: keyword.")
    return value if address_range(value) else check_network(value)


class NamedList(Frozen):
    """Values that several rules share: networks, program names."""

    id: Identifier = Field(
        description="The id by which conditions name the list: {list: <id>}.", examples=["private_networks"]
    )
    name: Text = Field(description="What the list is called.", examples=["Private networks"])
    description: Annotated[str, TEXT] = Field(default="", description="What is in the list, and what is not.")
    type: Literal["cidr", "keyword"] = Field(
        description="cidr: addresses, networks and ranges of addresses; keyword: any values.", examples=["cidr"]
    )
    values: tuple[Annotated[Scalar, AfterValidator(_fits_type)], ...] = Field(
        min_length=1, description="The values.", examples=[["10.0.0.0/8"]]
    )
