"""Kinds of values as aggregations tell them apart, and how each is shown."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any

from lolbin_rules.dsl.addresses import address_text
from lolbin_rules.dsl.date_printing import date_printer
from lolbin_rules.dsl.field import Value

__all__ = ["KIND_OF_TYPE", "Kind", "shown_key", "text_of_number"]


class Kind(enum.Enum):
    """What values are, whatever the width of their type."""

    TEXT = "text"
    ADDRESS = "address"
    WHOLE = "whole number"
    FRACTION = "number"
    BOOLEAN = "boolean"
    DATE = "date"

    @property
    def is_number(self) -> bool:
        """Whether it can be added up."""
        return self not in (Kind.TEXT, Kind.ADDRESS)


KIND_OF_TYPE = {
    **dict.fromkeys(("keyword", "wildcard", "constant_keyword", "_index"), Kind.TEXT),
    "ip": Kind.ADDRESS,
    **dict.fromkeys(("long", "integer", "short", "byte", "_seq_no"), Kind.WHOLE),
    **dict.fromkeys(("double", "float", "half_float"), Kind.FRACTION),
    "boolean": Kind.BOOLEAN,
    **dict.fromkeys(("date", "date_nanos"), Kind.DATE),
}
"""The kinds of the types that are aggregated here."""


def text_of_number(kind: Kind, formats: str, zone: tzinfo = UTC) -> Callable[[float], Any] | None:
    """What shows a number of this kind beside its value (`..._as_string`); None for plain numbers."""
    if kind is Kind.DATE:
        printer = date_printer(formats, zone)
        return lambda number: printer(int(number))
    if kind is Kind.BOOLEAN:
        return lambda number: "true" if number else "false"
    return None


def shown_key(kind: Kind, formats: str) -> Callable[[Value], dict[str, Any]]:
    """What shows the key of a bucket: `key`, and `key_as_string` where there is one."""
    if kind is Kind.ADDRESS:
        return lambda value: {"key": address_text(int(value))}
    if kind is Kind.FRACTION:
        return lambda value: {"key": float(value)}
    as_text = text_of_number(kind, formats)
    if as_text is None:
        return lambda value: {"key": value}
    return lambda value: {"key": value, "key_as_string": as_text(float(value) if kind is Kind.BOOLEAN else int(value))}
