"""The Security log as Winlogbeat's module for it maps it to ECS."""

from __future__ import annotations

from typing import Any, Final

from lolbin_rules.importers.winlogbeat.document import add, put, read_address, read_mapped_address, whole_number
from lolbin_rules.importers.winlogbeat.record import Record
from lolbin_rules.importers.winlogbeat.security_tables import EVENTS, LOGON_TYPES, SERVICE_TYPES

__all__ = ["CHANNEL", "map_security"]

CHANNEL: Final = "Security"
FAILURES: Final = frozenset({4625, 4771})
PROCESS_CREATED: Final = 4688
LOG_CLEARED: Final = 1102
SESSIONS: Final = frozenset({4778, 4779})
SHARES: Final = frozenset({5140, 5145})
FILTERED: Final = frozenset({5031, 5152, 5154, 5155, 5156, 5157, 5158, 5159})
COMPUTERS: Final = frozenset({4741, 4742, 4743})
GROUPS: Final = frozenset({*range(4727, 4736), 4737, *range(4744, 4765), 4799})
LOGONS: Final = frozenset({4624, 4625, 4634, 4647, 4768, 4769, 4770, 4771, 4776, 4964})
"""Events about the account in `Target...`; all others are about the one in `Subject...`."""
TARGETS: Final = frozenset({4670, 4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4767, 4797, 4798, 4817, 4907})
"""Events in which one account does something to another."""
EFFECTIVE: Final = frozenset({4648, PROCESS_CREATED})
"""Events in which one account acts as another."""
TARGET_LOGON: Final = frozenset({4634, 4647, 4964})
PROTOCOLS: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp"}
DIRECTIONS: Final = {"%%14592": "ingress", "%%14593": "egress"}


def map_security(document: dict[str, Any], record: Record) -> dict[str, Any]:
    """Fill the document; what is left of the event data is returned."""
    data = {name: value for name, value in record.data.items() if value != "-"}
    category, kind, action = EVENTS.get(record.code, ((), (), document["winlog"].get("task")))
    put(document, "event.module", "security")
    put(document, "event.category", list(category))
    put(document, "event.type", list(kind))
    put(document, "event.action", action)
    put(document, "event.outcome", _outcome(record))
    put(document, "winlog.logon.type", LOGON_TYPES.get(data.get("LogonType", "")))
    logon = data.get("TargetLogonId" if record.code in TARGET_LOGON else "SubjectLogonId")
    put(document, "winlog.logon.id", logon)
    put(document, "service.name", data.get("ServiceName"))
    put(document, "service.type", SERVICE_TYPES.get(data.get("ServiceType", "")))
    _accounts(document, record, data)
    if record.code in FILTERED:
        _connection(document, data)
    elif record.code == PROCESS_CREATED:
        _created_process(document, data)
    else:
        put(document, "process.pid", whole_number(data.pop("ProcessId", None)))
        put(document, "process.executable", data.pop("ProcessName", None))
    process = document.get("process", {})
    for each in (process, process.get("parent", {})):
        put(each, "name", (each.get("executable") or "").rpartition("\\")[2])
    _source(document, record.code, data)
    if record.code in SHARES:
        _share(document, data)
    return data


def _outcome(record: Record) -> str:
    if "Audit Failure" in record.keywords or record.code in FAILURES:
        return "failure"
    return "success"


def _accounts(document: dict[str, Any], record: Record, data: dict[str, Any]) -> None:
    code = record.code
    if code == LOG_CLEARED:
        cleared = record.user_data or {}
        _account(document, "user", cleared.get("SubjectUserSid"), _pair(cleared, "Subject"))
        put(document, "winlog.logon.id", cleared.get("SubjectLogonId"))
    elif code in SESSIONS:
        _account(document, "user", None, (data.get("AccountName"), data.get("AccountDomain")))
    elif code in LOGONS:
        _account(document, "user", data.get("TargetUserSid"), _pair(data, "Target"))
        add(document, "related.user", data.get("SubjectUserName"))
    else:
        _account(document, "user", data.get("SubjectUserSid"), _pair(data, "Subject"))
    if code in TARGETS:
        _account(document, "user.target", data.get("TargetSid"), _pair(data, "Target"))
    elif code in EFFECTIVE:
        _account(document, "user.effective", data.get("TargetUserSid"), _pair(data, "Target"))
    elif code in GROUPS:
        _group(document, data)
    elif code in COMPUTERS:
        put(document, "winlog.computerObject.id", data.get("TargetSid"))
        put(document, "winlog.computerObject.name", data.get("TargetUserName"))
        put(document, "winlog.computerObject.domain", data.get("TargetDomainName"))


def _pair(data: dict[str, Any], who: str) -> tuple[Any, Any]:
    return data.get(f"{who}UserName"), data.get(f"{who}DomainName")


def _account(document: dict[str, Any], field: str, sid: Any, named: tuple[Any, Any]) -> None:
    name, domain = named
    if isinstance(name, str):
        name = name.partition("@")[0] or name
    put(document, f"{field}.id", sid)
    put(document, f"{field}.name", name)
    put(document, f"{field}.domain", domain)
    add(document, "related.user", name)


def _group(document: dict[str, Any], data: dict[str, Any]) -> None:
    group: dict[str, Any] = {}
    put(group, "id", data.get("TargetSid") or data.get("TargetUserSid"))
    put(group, "name", data.get("TargetUserName"))
    put(group, "domain", data.get("TargetDomainName"))
    put(document, "group", group)
    member = data.get("MemberName")
    if not isinstance(member, str):
        return
    parts = [part.partition("=") for part in member.split(",")]
    name = parts[0][2] or member
    put(document, "user.target.name", name)
    add(document, "related.user", name)
    put(document, "user.target.domain", next((value for kind, _, value in parts if kind.strip().upper() == "DC"), None))
    put(document, "user.target.group", dict(group))


def _created_process(document: dict[str, Any], data: dict[str, Any]) -> None:
    put(document, "process.pid", whole_number(data.pop("NewProcessId", None)))
    put(document, "process.executable", data.pop("NewProcessName", None))
    put(document, "process.parent.pid", whole_number(data.pop("ProcessId", None)))
    put(document, "process.parent.executable", data.pop("ParentProcessName", None))
    line = data.get("CommandLine")
    if isinstance(line, str):
        arguments = _split_as_written(line)
        put(document, "process.command_line", line)
        put(document, "process.args", arguments)
        put(document, "process.args_count", len(arguments))


def _split_as_written(line: str) -> list[str]:
    """Split at blanks outside of quotes; the quotes stay. This module's own way, which is not Sysmon's."""
    arguments, begin, is_quoted = [], 0, False
    for at, letter in enumerate(line):
        if letter == '"':
            is_quoted = not is_quoted
        elif letter.isspace() and not is_quoted:
            arguments.append(line[begin:at])
            begin = at + 1
    return [*arguments, line[begin:]]


def _source(document: dict[str, Any], code: int, data: dict[str, Any]) -> None:
    address, domain = ("ClientAddress", "ClientName") if code in SESSIONS else ("IpAddress", "WorkstationName")
    if found := read_mapped_address(data.get(address)):
        del data[address]
        put(document, "source.ip", found)
        add(document, "related.ip", found)
    if "IpPort" in data:
        put(document, "source.port", whole_number(data.pop("IpPort")))
    put(document, "source.domain", data.pop(domain, None))


def _share(document: dict[str, Any], data: dict[str, Any]) -> None:
    name, folder, share = data.get("RelativeTargetName"), data.get("ShareLocalPath"), data.get("ShareName")
    put(document, "file.name", name)
    put(document, "file.directory", folder)
    if not isinstance(name, str):
        return
    put(document, "file.path", f"{folder}\\{name}" if folder else None)
    put(document, "file.target_path", f"{share}\\{name}" if share else None)
    put(document, "file.extension", name.rpartition(".")[2] if "." in name else None)


def _connection(document: dict[str, Any], data: dict[str, Any]) -> None:
    """The Windows Filtering Platform: Winlogbeat leaves these in the event data, where they stay as well."""
    put(document, "process.executable", data.get("Application"))
    put(document, "process.pid", whole_number(data.get("ProcessId") or data.get("ProcessID")))
    put(document, "network.transport", PROTOCOLS.get(data.get("Protocol", "")))
    put(document, "network.direction", DIRECTIONS.get(data.get("Direction", "")))
    for raw, field in (("Source", "source"), ("Dest", "destination")):
        put(document, f"{field}.ip", read_address(data.get(f"{raw}Address")))
        put(document, f"{field}.port", whole_number(data.get(f"{raw}Port")))
        add(document, "related.ip", document.get(field, {}).get("ip"))
