"""What the modules have in common: putting values into a document, and the shapes that ECS wants them in."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

__all__ = [
    "add",
    "community_id",
    "name_of",
    "put",
    "put_file",
    "put_user",
    "read_address",
    "read_mapped_address",
    "split_command_line",
    "whole_number",
]

NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|-?[0-9]{1,20}", re.ASCII)
MAPPED: Final = re.compile(r"\[?::ffff:(\d{1,3}(?:\.\d{1,3}){3})(?:\](?::\d+)?)?", re.ASCII)
"""An IPv4 address as Windows writes it where IPv6 is spoken."""
PROTOCOLS: Final = {"tcp": 6, "udp": 17}
BLANKS: Final = " \t"


def put(document: dict[str, Any], field: str, value: Any) -> None:
    """Set a field by its dotted name; nothing where there is no value or an empty one."""
    if value is None or (not value and not isinstance(value, int)):
        return
    path, last = _split(field)
    for part in path:
        document = document.setdefault(part, {})
    document[last] = value


def add(document: dict[str, Any], field: str, value: Any) -> None:
    """Append to the list in a field, once."""
    if value is None or value == "":
        return
    path, last = _split(field)
    for part in path:
        document = document.setdefault(part, {})
    found = document.setdefault(last, [])
    if value not in found:
        found.append(value)


@cache
def _split(field: str) -> tuple[list[str], str]:
    *path, last = field.split(".")
    return path, last


def whole_number(text: Any) -> int | None:
    """Decimal, or hexadecimal behind `0x`; None for anything else and for what no field of type long can hold."""
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        return None
    number = int(text, 16 if text[:2] in {"0x", "0X"} else 10)
    return number if -(1 << 63) <= number < 1 << 63 else None


def read_address(text: Any) -> str | None:
    """An IP address as written; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else text


def read_mapped_address(text: Any) -> str | None:
    """An IP address, IPv4 in its own spelling (`::ffff:10.0.0.1` is 10.0.0.1); None for anything else."""
    mapped = MAPPED.fullmatch(text) if isinstance(text, str) else None
    return read_address(mapped[1] if mapped else text)


def name_of(path: str | None) -> str | None:
    """What follows the last backslash; None where there is none."""
    return path.rpartition("\\")[2] if path and "\\" in path else None


def put_file(document: dict[str, Any], path: str | None) -> None:
    """`file.*` of a path."""
    put(document, "file.path", path)
    if not path or "\\" not in path:
        return
    directory, _, name = path.rpartition("\\")
    put(document, "file.name", name)
    put(document, "file.directory", directory)
    if "." in path:
        put(document, "file.extension", path.rpartition(".")[2])


def put_user(document: dict[str, Any], field: str, account: Any) -> None:
    r"""`<field>.name` and `<field>.domain` of `DOMAIN\name`; nothing for any other text."""
    if isinstance(account, str) and account.count("\\") == 1:
        domain, _, name = account.partition("\\")
        put(document, f"{field}.domain", domain)
        put(document, f"{field}.name", name)
        add(document, "related.user", name)


def split_command_line(text: str) -> list[str]:
    """The arguments that a Windows program would be given: quotes group, backslashes escape quotes.

    The rules are those of the C runtime before 2008, as Winlogbeat has them: two quotes within quotes are one that is
    meant, and end the group.
    """
    if '"' not in text:
        return [argument for argument in text.replace("\t", " ").split(" ") if argument]
    arguments: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in BLANKS:
            at += 1
            continue
        argument, at = _argument(text, at)
        arguments.append(argument)
    return arguments


def _argument(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    is_quoted, slashes, end = False, 0, len(text)
    while at < end:
        letter = text[at]
        at += 1
        if letter == "\\":
            slashes += 1
            continue
        if letter == '"':
            parts.append("\\" * (slashes // 2))
            if slashes % 2:
                parts.append('"')
            else:
                if is_quoted and text[at : at + 1] == '"':
                    parts.append('"')
                    at += 1
                is_quoted = not is_quoted
            slashes = 0
            continue
        parts.append("\\" * slashes)
        slashes = 0
        if letter in BLANKS and not is_quoted:
            break
        parts.append(letter)
    parts.append("\\" * slashes)
    return "".join(parts), at


def community_id(document: Mapping[str, Any]) -> str | None:
    """The Community ID (version 1, seed 0) of what `source`, `destination` and `network.transport` say, or None."""
    protocol = PROTOCOLS.get(str(document.get("network", {}).get("transport", "")).lower())
    ends = [
        (side.get("ip"), side.get("port")) for side in (document.get("source", {}), document.get("destination", {}))
    ]
    if protocol is None or any(ip is None or port is None or not 0 <= port < 1 << 16 for ip, port in ends):
        return None
    packed = sorted((ipaddress.ip_address(ip).packed, port) for ip, port in ends)
    (one, one_port), (other, other_port) = packed
    if len(one) != len(other):
        return None
    data = struct.pack("!H", 0) + one + other + struct.pack("!BBHH", protocol, 0, one_port, other_port)
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
