"""Sysmon's log as Winlogbeat's module for it maps it to ECS."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from lolbin_rules.alert.source import parse_time, write_time
from lolbin_rules.importers.winlogbeat.document import (
    add,
    community_id,
    name_of,
    put,
    put_file,
    put_user,
    read_address,
    read_mapped_address,
    split_command_line,
    whole_number,
)
from lolbin_rules.importers.winlogbeat.record import Record
from lolbin_rules.importers.winlogbeat.sysmon_tables import DNS_STATUS, DNS_TYPES, EVENTS, HIVES

__all__ = ["CHANNEL", "map_sysmon"]

CHANNEL: Final = "Microsoft-Windows-Sysmon/Operational"
NOTHING: Final = frozenset({"", "-", "{00000000-0000-0000-0000-000000000000}"})
"""What Sysmon writes where it has nothing to say."""

NETWORK, DNS, IMAGE_LOADED, TAMPERING, FAILED = 3, 22, 7, 25, 255
REGISTRY: Final = frozenset({12, 13, 14})
HASH_OWNERS: Final = dict.fromkeys((1, 23, 24, 25, 26), "process") | dict.fromkeys((6, 7, 15, 29), "file")
"""Event id -> whose the hashes are; those of other events are in `related.hash` alone."""

TAKEN: Final[tuple[tuple[str, str, Callable[[str], Any] | None], ...]] = (
    ("RuleName", "rule.name", None),
    ("ProcessGuid", "process.entity_id", None),
    ("SourceProcessGuid", "process.entity_id", None),
    ("SourceProcessGUID", "process.entity_id", None),
    ("ProcessId", "process.pid", whole_number),
    ("SourceProcessId", "process.pid", whole_number),
    ("SourceThreadId", "process.thread.id", whole_number),
    ("Image", "process.executable", None),
    ("SourceImage", "process.executable", None),
    ("Destination", "process.executable", None),
    ("CommandLine", "process.command_line", None),
    ("CurrentDirectory", "process.working_directory", None),
    ("ParentProcessGuid", "process.parent.entity_id", None),
    ("ParentProcessId", "process.parent.pid", whole_number),
    ("ParentImage", "process.parent.executable", None),
    ("ParentCommandLine", "process.parent.command_line", None),
    ("PipeName", "file.name", None),
    ("Archived", "sysmon.file.archived", lambda text: text.lower() == "true"),
    ("IsExecutable", "sysmon.file.is_executable", lambda text: text.lower() == "true"),
)
"""Parts of the event data that move to a field, in order: later ones win."""
COPIED: Final = (
    ("Company", "company"),
    ("Description", "description"),
    ("FileVersion", "file_version"),
    ("Product", "product"),
)
"""Parts that stay as well."""
DIRECTIONS: Final = {"true": "egress", "false": "ingress"}
FAMILIES: Final = {"true": "ipv6", "false": "ipv4"}
DWORD: Final = re.compile(r"DWORD \(0x([0-9a-f]{8})\)", re.IGNORECASE | re.ASCII)


def map_sysmon(document: dict[str, Any], record: Record) -> dict[str, Any]:
    """Fill the document; what is left of the event data is returned."""
    data = {name: value for name, value in record.data.items() if isinstance(value, str) and value not in NOTHING}
    lists = {name: value for name, value in record.data.items() if isinstance(value, list)}
    category, kind, task = EVENTS.get(record.code, ((), (), None))
    put(document, "event.module", "sysmon")
    put(document, "event.category", list(category))
    put(document, "event.type", list(kind))
    put(document, "event.action", record.task or task)
    put(document, "winlog.task", record.task or task)
    if moment := parse_time(str(data.pop("UtcTime", "")).replace(" ", "T")):
        document["@timestamp"] = write_time(moment)
    _hashes(document, record.code, data.pop("Hashes", None) or data.pop("Hash", None))
    for name, field, read in TAKEN:
        value = data.pop(name, None)
        put(document, field, read(value) if read and value is not None else value)
    _process(document)
    _file(document, record.code, data)
    if record.code == NETWORK:
        _network(document, data)
    elif record.code == DNS:
        _dns(document, data)
    elif record.code in REGISTRY:
        _registry(document, data.pop("TargetObject", None), data.pop("Details", None))
    elif record.code == TAMPERING:
        put(document, "message", data.pop("Type", None))
    elif record.code == FAILED:
        put(document, "error.code", data.pop("ID", None))
        put(document, "event.outcome", "failure")
    put(document, "user.id", record.user_id)
    put_user(document, "user", data.pop("User", None))
    return data | lists


def _hashes(document: dict[str, Any], code: int, text: Any) -> None:
    """`MD5=...,SHA256=...`; one of zeros only was not computed."""
    owner = HASH_OWNERS.get(code)
    for part in text.lower().split(",") if isinstance(text, str) else ():
        kind, _, value = part.partition("=")
        if not value.strip("0"):
            continue
        add(document, "related.hash", value)
        if owner:
            put(document, f"{owner}.{'pe.imphash' if kind == 'imphash' else f'hash.{kind}'}", value)


def _process(document: dict[str, Any]) -> None:
    process = document.get("process", {})
    for each in (process, process.get("parent", {})):
        put(each, "name", name_of(each.get("executable")))
        if line := each.get("command_line"):
            each["args"] = split_command_line(line)
            each["args_count"] = len(each["args"])


def _file(document: dict[str, Any], code: int, data: dict[str, Any]) -> None:
    owner = "file" if code == IMAGE_LOADED else "process"
    put(document, f"{owner}.pe.original_file_name", data.pop("OriginalFileName", None))
    for name, field in COPIED:
        put(document, f"{owner}.pe.{field}", data.get(name))
    for name in ("TargetFilename", "Device", "ImageLoaded"):
        put_file(document, data.pop(name, None))
    put(document, "file.code_signature.subject_name", data.get("Signature"))
    put(document, "file.code_signature.status", data.get("SignatureStatus"))
    if data.get("SignatureStatus") == "Valid":
        put(document, "file.code_signature.valid", value=True)


def _network(document: dict[str, Any], data: dict[str, Any]) -> None:
    put(document, "network.transport", data.pop("Protocol", None))
    names = [data.pop(name, None) for name in ("DestinationPortName", "SourcePortName")]
    put(document, "network.protocol", names[0] or names[1])
    for raw, field in (("Source", "source"), ("Destination", "destination")):
        put(document, f"{field}.ip", read_address(data.pop(f"{raw}Ip", None)))
        put(document, f"{field}.domain", data.pop(f"{raw}Hostname", None))
        put(document, f"{field}.port", whole_number(data.pop(f"{raw}Port", None)))
        add(document, "related.ip", document.get(field, {}).get("ip"))
    put(document, "network.direction", DIRECTIONS.get(str(data.pop("Initiated", None)).lower()))
    put(document, "network.type", FAMILIES.get(str(data.pop("SourceIsIpv6", None)).lower()))
    data.pop("DestinationIsIpv6", None)
    put(document, "network.community_id", community_id(document))


def _dns(document: dict[str, Any], data: dict[str, Any]) -> None:
    question, status = data.pop("QueryName", None), data.pop("QueryStatus", None)
    put(document, "network.protocol", "dns")
    put(document, "dns.question.name", question)
    put(document, "sysmon.dns.status", DNS_STATUS.get(str(status), status))
    answers: list[dict[str, str]] = []
    for item in str(data.pop("QueryResults", "")).split(";"):
        if item.startswith("type:"):
            answers.append(_answer(document, item.split()[1:]))
        elif address := read_mapped_address(item):
            answers.append({"type": "AAAA" if ":" in address else "A", "data": address})
            document.setdefault("dns", {}).setdefault("resolved_ip", []).append(address)
            add(document, "related.ip", address)
    put(document, "dns.answers", answers)
    add(document, "related.hosts", question)


def _answer(document: dict[str, Any], parts: list[str]) -> dict[str, str]:
    answer = {"type": DNS_TYPES.get(parts[0], parts[0])} if parts else {}
    match parts:
        case [_, name]:
            answer["data"] = name
            add(document, "related.hosts", name)
    return answer


def _registry(document: dict[str, Any], path: Any, details: Any) -> None:
    if not isinstance(path, str):
        return
    root, _, key = path.partition("\\")
    put(document, "registry.path", path)
    if hive := HIVES.get(root):
        put(document, "registry.hive", hive)
        put(document, "registry.key", key)
    put(document, "registry.value", path.rpartition("\\")[2])
    if isinstance(details, str):
        kind, text = _registry_value(details)
        put(document, "registry.data", {"strings": [text], "type": kind})


def _registry_value(details: str) -> tuple[str, str]:
    if number := DWORD.fullmatch(details):
        return "SZ_DWORD", str(int(number[1], 16))
    return ("REG_BINARY" if details == "Binary Data" else "REG_SZ"), details
