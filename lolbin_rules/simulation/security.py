"""Documents as Winlogbeat makes them of the Security log: logon (4624) and process creation (4688)."""

from __future__ import annotations

from typing import Any, Final

from lolbin_rules.simulation.envelope import Stamp, process_of, user_of, winlogbeat
from lolbin_rules.simulation.hosts import NETBIOS_DOMAIN, Account, Host
from lolbin_rules.simulation.processes import Process

__all__ = ["NETWORK_LOGON", "UNLOCK_LOGON", "WINDOWS_LOGON", "logged_on", "process_created"]

NETWORK_LOGON: Final = 3
WINDOWS_LOGON: Final = 5
UNLOCK_LOGON: Final = 7

_PROVIDER: Final = "Microsoft-Windows-Security-Auditing"
_GUID: Final = "{54849625-5478-4994-A5BA-3E3B0328C30D}"
_LOGON_NAMES: Final = {NETWORK_LOGON: "Network", WINDOWS_LOGON: "Service", UNLOCK_LOGON: "Unlock"}


def logged_on(stamp: Stamp, account: Account, logon_type: int, peer: Host | None, acting: Process) -> dict[str, Any]:
    """Security 4624: an account logs on; over the network, `acting` is not known."""
    document = _document(stamp, "4624", "logged-in", "authentication", "Logon")
    is_remote = peer is not None
    document["related"] = {"user": [account.name]}
    document["user"] = user_of(account)
    if peer is not None:
        document["source"] = {"ip": peer.ipv4, "domain": peer.name}
        document["related"]["ip"] = [peer.ipv4]
    else:
        document["process"] = {name: value for name, value in process_of(acting).items() if name != "entity_id"}
        document["related"]["user"].append(f"{stamp.host.name}$")
    document["winlog"]["event_data"] = {
        "AuthenticationPackageName": "Kerberos" if is_remote else "Negotiate",
        "LogonProcessName": "Kerberos" if is_remote else "Advapi",
        "LogonType": str(logon_type),
        "SubjectDomainName": "-" if is_remote else NETBIOS_DOMAIN,
        "SubjectUserName": "-" if is_remote else f"{stamp.host.name}$",
        "SubjectUserSid": "S-1-0-0" if is_remote else "S-1-5-18",
        "TargetDomainName": account.domain,
        "TargetLogonId": account.logon_id,
        "TargetUserName": account.name,
        "TargetUserSid": account.sid,
    }
    document["winlog"]["logon"] = {"id": account.logon_id, "type": _LOGON_NAMES[logon_type]}
    return document


def process_created(stamp: Stamp, process: Process) -> dict[str, Any]:
    """Security 4688: a program starts; its parent and command line are audited, its id by Sysmon is not known."""
    document = _document(stamp, "4688", "created-process", "process", "Process Creation")
    account, image, parent = process.account, process.image, process.parent
    arguments = [image.path, *process.arguments]
    document["process"] = {
        "args": arguments,
        "args_count": len(arguments),
        "command_line": process.command_line,
        "executable": image.path,
        "name": image.name,
        "pid": process.pid,
    }
    told = {
        "CommandLine": process.command_line,
        "NewProcessId": f"0x{process.pid:x}",
        "NewProcessName": image.path,
        "SubjectDomainName": account.domain,
        "SubjectLogonId": account.logon_id,
        "SubjectUserName": account.name,
        "SubjectUserSid": account.sid,
        "TokenElevationType": "%%1936",
    }
    if parent is not None:
        document["process"]["parent"] = {
            "executable": parent.image.path,
            "name": parent.image.name,
            "pid": parent.pid,
        }
        told["ParentProcessName"] = parent.image.path
        told["ProcessId"] = f"0x{parent.pid:x}"
    document["related"] = {"user": [account.name]}
    document["user"] = user_of(account)
    document["winlog"]["event_data"] = told
    return document


def _document(stamp: Stamp, code: str, action: str, category: str, task: str) -> dict[str, Any]:
    event = {
        "action": action,
        "category": [category],
        "code": code,
        "module": "security",
        "outcome": "success",
        "provider": _PROVIDER,
        "type": ["start"],
    }
    winlog = {
        "channel": "Security",
        "keywords": ["Audit Success"],
        "process": {"pid": 4, "thread": {"id": 8000 + 4 * (stamp.number % 9)}},
        "provider_guid": _GUID,
        "task": task,
        "version": 2,
    }
    return winlogbeat(stamp, event, winlog)
