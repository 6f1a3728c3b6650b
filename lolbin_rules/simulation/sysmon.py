"""Documents as Winlogbeat makes them of Sysmon's events: process start (1) and end (5), connection, file, DNS query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lolbin_rules.simulation.envelope import Stamp, process_of, user_of, winlogbeat
from lolbin_rules.simulation.images import Hashes, Image, hashes_of
from lolbin_rules.simulation.moments import utc_time
from lolbin_rules.simulation.processes import Process
from lolbin_rules.simulation.wire import Connection, Endpoint

__all__ = ["connected", "file_created", "name_resolved", "process_ended", "process_started"]

_PROVIDER: Final = "Microsoft-Windows-Sysmon"
_GUID: Final = "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}"


@dataclass(frozen=True, slots=True)
class _Kind:
    code: str
    title: str
    rule: str
    category: str
    types: tuple[str, ...]
    version: int


_PROCESS_START: Final = _Kind("1", "Process Create", "ProcessCreate", "process", ("start",), 5)
_PROCESS_END: Final = _Kind("5", "Process terminated", "ProcessTerminate", "process", ("end",), 3)
_FILE: Final = _Kind("11", "File created", "FileCreate", "file", ("creation",), 2)
_CONNECTION: Final = _Kind(
    "3", "Network connection detected", "NetworkConnect", "network", ("start", "connection", "protocol"), 5
)
_QUERY: Final = _Kind("22", "Dns query", "DnsQuery", "network", ("connection", "protocol", "info"), 5)


def process_started(stamp: Stamp, process: Process) -> dict[str, Any]:
    """Sysmon 1: a program starts."""
    image, account = process.image, process.account
    version = image.file_version or stamp.host.os.file_version
    hashes = hashes_of(image, version)
    told = {
        "FileVersion": version,
        "Description": image.description,
        "Product": image.product,
        "Company": image.company,
        "IntegrityLevel": account.integrity,
        "LogonGuid": f"{{{stamp.host.id[:8]}-0000-0000-0000-{int(account.logon_id, 16):012x}}}",
        "LogonId": account.logon_id,
        "TerminalSessionId": str(account.terminal_session),
    }
    command, directory = _command_of(process), process.working_directory
    rest = "".join([f"\n{name}: {value}" for name, value in told.items()])
    rest += (
        f"\nOriginalFileName: {image.original_name}\nCommandLine: {command['command_line']}"
        f"\nCurrentDirectory: {directory}\nHashes: {hashes.as_sysmon_tells}"
    )
    parent = process.parent
    above = None if parent is None else process_of(parent) | _command_of(parent)
    document = _document(stamp, _PROCESS_START, process, rest + _parent_told(above))
    document["process"] |= {
        **command,
        "hash": {"md5": hashes.md5, "sha1": hashes.sha1, "sha256": hashes.sha256},
        "pe": _header_of(image, hashes, version),
        "working_directory": directory,
    }
    if above is not None:
        document["process"]["parent"] = above
    document["related"]["hash"] = [hashes.sha1, hashes.md5, hashes.sha256, hashes.imphash]
    document["winlog"]["event_data"] = told
    return document


def process_ended(stamp: Stamp, process: Process) -> dict[str, Any]:
    """Sysmon 5: a program ends."""
    return _document(stamp, _PROCESS_END, process)


def file_created(stamp: Stamp, process: Process, path: str) -> dict[str, Any]:
    """Sysmon 11: a program creates a file."""
    created = utc_time(stamp.at)
    document = _document(stamp, _FILE, process, f"\nTargetFilename: {path}\nCreationUtcTime: {created}")
    directory, _, name = path.rpartition("\\")
    document["file"] = {"directory": directory, "name": name, "path": path}
    stem, _, extension = name.rpartition(".")
    if stem:
        document["file"]["extension"] = extension
    document["winlog"]["event_data"] = {"CreationUtcTime": created}
    return document


def connected(stamp: Stamp, process: Process, connection: Connection) -> dict[str, Any]:
    """Sysmon 3: a program connects or is connected to."""
    source, destination = connection.source, connection.destination
    document = _document(stamp, _CONNECTION, process, _connection_told(connection))
    document["source"] = {"ip": source.address, "port": source.port}
    document["destination"] = {"ip": destination.address, "port": destination.port}
    if destination.name:
        document["destination"]["domain"] = destination.name
        document["related"]["hosts"] = [destination.name]
    document["network"] = {
        "community_id": connection.community_id,
        "direction": connection.direction,
        "transport": connection.transport,
        "type": connection.network_type,
    }
    if connection.protocol:
        document["network"]["protocol"] = connection.protocol
    document["related"]["ip"] = [source.address, destination.address]
    return document


def name_resolved(stamp: Stamp, process: Process, endpoint: Endpoint) -> dict[str, Any]:
    """Sysmon 22: a program asks for the addresses of a name."""
    name, address = endpoint.name, endpoint.address
    answer = address if endpoint.is_ipv6 else f"::ffff:{address}"
    told = f"\nQueryName: {name}\nQueryStatus: 0\nQueryResults: {answer};"
    document = _document(stamp, _QUERY, process, told)
    document["dns"] = {
        "answers": [{"data": address, "type": "AAAA" if endpoint.is_ipv6 else "A"}],
        "question": _question(name),
        "resolved_ip": [address],
    }
    document["network"] = {"protocol": "dns"}
    document["related"]["hosts"] = [name]
    document["related"]["ip"] = [address]
    document["sysmon"] = {"dns": {"status": "SUCCESS"}}
    return document


def _document(stamp: Stamp, kind: _Kind, process: Process, told: str = "") -> dict[str, Any]:
    task = f"{kind.title} (rule: {kind.rule})"
    event = {
        "action": task,
        "category": [kind.category],
        "code": kind.code,
        "module": "sysmon",
        "provider": _PROVIDER,
        "type": [*kind.types],
    }
    winlog = {
        "channel": "Microsoft-Windows-Sysmon/Operational",
        "process": {"pid": 3120 + 4 * (stamp.host.number % 64), "thread": {"id": 4200 + 4 * (stamp.number % 6)}},
        "provider_guid": _GUID,
        "task": task,
        "user": {"domain": "NT AUTHORITY", "identifier": "S-1-5-18", "name": "SYSTEM", "type": "User"},
        "version": kind.version,
    }
    document = winlogbeat(stamp, event, winlog)
    account = process.account
    document["message"] = (
        f"{kind.title}:\nRuleName: -\nUtcTime: {utc_time(stamp.at)}\nProcessGuid: {process.entity_id}"
        f"\nProcessId: {process.pid}\nImage: {process.image.path}\nUser: {account.domain}\\{account.name}"
        f"{told}"
    )
    document["process"] = process_of(process)
    document["related"] = {"user": [account.name]}
    document["user"] = user_of(account)
    document["user"]["id"] = "S-1-5-18"  # Winlogbeat's module takes the account that wrote the record
    return document


def _command_of(process: Process) -> dict[str, Any]:
    arguments = [process.image.path, *process.arguments]
    return {"args": arguments, "args_count": len(arguments), "command_line": process.command_line}


def _header_of(image: Image, hashes: Hashes, version: str) -> dict[str, str]:
    return {
        "company": image.company,
        "description": image.description,
        "file_version": version,
        "imphash": hashes.imphash,
        "original_file_name": image.original_name,
        "product": image.product,
    }


def _parent_told(parent: dict[str, Any] | None) -> str:
    if parent is None:
        return ""
    return (
        f"\nParentProcessGuid: {parent['entity_id']}\nParentProcessId: {parent['pid']}"
        f"\nParentImage: {parent['executable']}\nParentCommandLine: {parent['command_line']}"
    )


def _connection_told(connection: Connection) -> str:
    source, destination = connection.source, connection.destination
    is_ipv6 = "true" if destination.is_ipv6 else "false"
    return (
        f"\nProtocol: {connection.transport}\nInitiated: {'true' if connection.is_outbound else 'false'}"
        f"\nSourceIsIpv6: {is_ipv6}\nSourceIp: {source.address}\nSourceHostname: -\nSourcePort: {source.port}"
        f"\nSourcePortName: -\nDestinationIsIpv6: {is_ipv6}\nDestinationIp: {destination.address}"
        f"\nDestinationHostname: {destination.name or '-'}\nDestinationPort: {destination.port}"
        f"\nDestinationPortName: {connection.protocol or '-'}"
    )


def _question(name: str) -> dict[str, str]:
    before, _, top = name.rpartition(".")
    subdomain, _, last = before.rpartition(".")
    question = {"name": name, "registered_domain": f"{last}.{top}", "top_level_domain": top}
    if subdomain:
        question["subdomain"] = subdomain
    return question
