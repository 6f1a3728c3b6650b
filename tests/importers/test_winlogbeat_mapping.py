"""Raw records and the documents that Winlogbeat 8 makes of them, case by case.

The cases for Sysmon agree with the shape of the recorded events; all values here are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lolbin_rules.importers.winlogbeat import UnreadableRecord, to_ecs
from lolbin_rules.importers.winlogbeat.document import community_id, split_command_line, whole_number

SYSMON = "Microsoft-Windows-Sysmon/Operational"
POWERSHELL = "Microsoft-Windows-PowerShell/Operational"
CLASSIC = "Windows PowerShell"
COMMON = {
    "@timestamp", "ecs.version", "event.code", "event.created", "event.kind", "event.module", "event.provider",
    "host.hostname", "host.name", "host.os.family", "host.os.platform", "host.os.type", "log.level", "winlog.api",
    "winlog.channel", "winlog.computer_name", "winlog.event_id", "winlog.opcode", "winlog.provider_name",
    "winlog.record_id", "winlog.task",
}  # fmt: skip
"""Fields of every document, asked for once."""


def raw(channel: str, code: int, data: Any = None, **system: Any) -> dict[str, Any]:
    """A record as the parser hands it over."""
    return {
        "Event": {
            "System": {
                "Provider": {"#attributes": {"Name": "P"}},
                "EventID": code,
                "Level": 4,
                "Opcode": 0,
                "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T12:00:00.123456Z"}},
                "EventRecordID": 5,
                "Channel": channel,
                "Computer": "WIN10.example.com",
                **system,
            },
            "EventData": data,
        }
    }


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The fields of a document by their dotted names."""
    fields: dict[str, Any] = {}
    for name, value in document.items():
        fields |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return fields


def mapped(channel: str, code: int, data: Any = None, **system: Any) -> dict[str, Any]:
    """What the record's document has beyond what all have."""
    fields = flat(to_ecs(raw(channel, code, data, **system)))
    return {name: value for name, value in fields.items() if name not in COMMON}


def test_what_all_documents_have() -> None:
    """By the record alone: no clock, no host."""
    fields = flat(to_ecs(raw(SYSMON, 4, Level=2, Version=3, Keywords="0x8080000000000000", Task=4)))
    assert fields == {
        "@timestamp": "2026-03-01T12:00:00.123Z",
        "ecs.version": "1.12.0",
        "event.action": "Sysmon service state changed",
        "event.category": ["process"],
        "event.code": "4",
        "event.created": "2026-03-01T12:00:00.123Z",
        "event.kind": "event",
        "event.module": "sysmon",
        "event.provider": "P",
        "event.type": ["change"],
        "host.hostname": "WIN10",
        "host.name": "WIN10.example.com",
        "host.os.family": "windows",
        "host.os.platform": "windows",
        "host.os.type": "windows",
        "log.level": "error",
        "winlog.api": "wineventlog",
        "winlog.channel": SYSMON,
        "winlog.computer_name": "WIN10.example.com",
        "winlog.event_id": "4",
        "winlog.keywords": ["Classic"],
        "winlog.opcode": "Info",
        "winlog.provider_name": "P",
        "winlog.record_id": "5",
        "winlog.task": "Sysmon service state changed",
        "winlog.version": 3,
    }


SYSMON_CASES: list[tuple[int, dict[str, str], dict[str, Any]]] = [
    (
        1,
        {
            "UtcTime": "2026-03-01 11:59:58.000", "RuleName": "technique_id=T1218", "ProcessGuid": "{a}",
            "ProcessId": "2312", "Image": r"C:\Windows\System32\rundll32.exe", "FileVersion": "10.0", "Product": "W",
            "Description": "Windows host process", "Company": "Microsoft Corporation", "OriginalFileName": "RUNDLL.EXE",
            "CommandLine": r'rundll32.exe "C:\a b.dll",Run 1', "CurrentDirectory": "C:\\", "User": r"EXAMPLE\alice",
            "LogonId": "0x16b0c", "IntegrityLevel": "High", "ParentUser": "-",
            "Hashes": "MD5=AA11,SHA256=BB22,IMPHASH=00000000000000000000000000000000",
            "ParentProcessGuid": "{b}", "ParentProcessId": "900", "ParentImage": r"C:\Windows\explorer.exe",
            "ParentCommandLine": "explorer",
        },
        {
            "event.action": "Process Create (rule: ProcessCreate)", "event.category": ["process"],
            "event.type": ["start"], "rule.name": "technique_id=T1218",
            "process.entity_id": "{a}", "process.pid": 2312, "process.executable": r"C:\Windows\System32\rundll32.exe",
            "process.name": "rundll32.exe", "process.command_line": r'rundll32.exe "C:\a b.dll",Run 1',
            "process.args": ["rundll32.exe", r"C:\a b.dll,Run", "1"], "process.args_count": 3,
            "process.working_directory": "C:\\", "process.hash.md5": "aa11", "process.hash.sha256": "bb22",
            "process.pe.company": "Microsoft Corporation", "process.pe.description": "Windows host process",
            "process.pe.file_version": "10.0", "process.pe.original_file_name": "RUNDLL.EXE", "process.pe.product": "W",
            "process.parent.entity_id": "{b}", "process.parent.pid": 900, "process.parent.name": "explorer.exe",
            "process.parent.executable": r"C:\Windows\explorer.exe", "process.parent.command_line": "explorer",
            "process.parent.args": ["explorer"], "process.parent.args_count": 1,
            "related.hash": ["aa11", "bb22"], "related.user": ["alice"], "user.domain": "EXAMPLE", "user.name": "alice",
            "winlog.event_data.Company": "Microsoft Corporation", "winlog.event_data.FileVersion": "10.0",
            "winlog.event_data.Description": "Windows host process", "winlog.event_data.IntegrityLevel": "High",
            "winlog.event_data.LogonId": "0x16b0c", "winlog.event_data.Product": "W",
        },
    ),
    (
        3,
        {
            "ProcessId": "8116", "Image": "<unknown process>", "Protocol": "tcp", "Initiated": "true",
            "SourceIsIpv6": "false", "SourceIp": "192.168.1.5", "SourceHostname": "WIN10", "SourcePort": "50493",
            "SourcePortName": "source", "DestinationIsIpv6": "false", "DestinationIp": "192.0.2.7",
            "DestinationHostname": "-", "DestinationPort": "443", "DestinationPortName": "https",
        },
        {
            "event.action": "Network connection detected (rule: NetworkConnect)", "event.category": ["network"],
            "event.type": ["start", "connection", "protocol"], "process.pid": 8116,
            "process.executable": "<unknown process>", "network.transport": "tcp", "network.protocol": "https",
            "network.direction": "egress", "network.type": "ipv4", "source.ip": "192.168.1.5", "source.port": 50493,
            "network.community_id": "1:FtvNZw8iOI7ImeTsdBu7CUSHOGM=", "source.domain": "WIN10",
            "destination.ip": "192.0.2.7", "destination.port": 443, "related.ip": ["192.168.1.5", "192.0.2.7"],
        },
    ),
    (
        7,
        {
            "ImageLoaded": r"C:\Windows\System32\scrobj.dll", "Image": r"C:\x\regsvr32.exe", "Signed": "true",
            "Hashes": "SHA1=AB", "Signature": "Microsoft Windows", "SignatureStatus": "Valid",
            "OriginalFileName": "scrobj", "Company": "M",
        },
        {
            "event.action": "Image loaded (rule: ImageLoad)", "event.category": ["process"], "event.type": ["change"],
            "process.executable": r"C:\x\regsvr32.exe", "process.name": "regsvr32.exe", "file.hash.sha1": "ab",
            "file.path": r"C:\Windows\System32\scrobj.dll", "file.name": "scrobj.dll", "file.extension": "dll",
            "file.directory": r"C:\Windows\System32", "file.pe.original_file_name": "scrobj", "file.pe.company": "M",
            "file.code_signature.subject_name": "Microsoft Windows", "file.code_signature.status": "Valid",
            "file.code_signature.valid": True, "related.hash": ["ab"], "winlog.event_data.Company": "M",
            "winlog.event_data.Signature": "Microsoft Windows", "winlog.event_data.SignatureStatus": "Valid",
            "winlog.event_data.Signed": "true",
        },
    ),
    (
        10,
        {
            "SourceProcessGUID": "{s}", "SourceProcessId": "4", "SourceThreadId": "77", "SourceImage": r"C:\a.exe",
            "TargetProcessGUID": "{t}", "TargetImage": r"C:\Windows\System32\lsass.exe", "GrantedAccess": "0x1010",
        },
        {
            "event.action": "Process accessed (rule: ProcessAccess)", "event.category": ["process"],
            "event.type": ["access"], "process.entity_id": "{s}", "process.pid": 4, "process.thread.id": 77,
            "process.executable": r"C:\a.exe", "process.name": "a.exe", "winlog.event_data.GrantedAccess": "0x1010",
            "winlog.event_data.TargetImage": r"C:\Windows\System32\lsass.exe",
            "winlog.event_data.TargetProcessGUID": "{t}",
        },
    ),
    (
        13,
        {"EventType": "SetValue", "TargetObject": r"HKLM\SOFTWARE\Run\x", "Details": "DWORD (0x0000000a)"},
        {
            "event.action": "Registry value set (rule: RegistryEvent)", "event.category": ["configuration", "registry"],
            "event.type": ["change"], "registry.path": r"HKLM\SOFTWARE\Run\x", "registry.hive": "HKLM",
            "registry.key": r"SOFTWARE\Run\x", "registry.value": "x", "registry.data.type": "SZ_DWORD",
            "registry.data.strings": ["10"], "winlog.event_data.EventType": "SetValue",
        },
    ),
    (
        18,
        {"PipeName": r"\lsass", "Image": "System"},
        {
            "event.action": "Pipe Connected (rule: PipeEvent)", "event.category": ["file"], "event.type": ["access"],
            "file.name": r"\lsass", "process.executable": "System",
        },
    ),
    (
        22,
        {
            "QueryName": "www.example.com", "QueryStatus": "0",
            "QueryResults": "type:  5 cdn.example.net;::ffff:192.0.2.7;2001:db8::7;192.0.2.7;type:  99 x;",
        },
        {
            "event.action": "Dns query (rule: DnsQuery)", "event.category": ["network"],
            "event.type": ["connection", "protocol", "info"], "network.protocol": "dns",
            "dns.question.name": "www.example.com", "sysmon.dns.status": "SUCCESS",
            "dns.resolved_ip": ["192.0.2.7", "2001:db8::7", "192.0.2.7"],
            "dns.answers": [
                {"type": "CNAME", "data": "cdn.example.net"}, {"type": "A", "data": "192.0.2.7"},
                {"type": "AAAA", "data": "2001:db8::7"}, {"type": "A", "data": "192.0.2.7"},
                {"type": "99", "data": "x"},
            ],
            "related.hosts": ["cdn.example.net", "x", "www.example.com"], "related.ip": ["192.0.2.7", "2001:db8::7"],
        },
    ),
    (
        23,
        {"TargetFilename": r"C:\t\a.b.tmp", "IsExecutable": "false", "Archived": "true", "Hashes": "SHA1=AA"},
        {
            "event.action": "File Delete archived (rule: FileDelete)", "event.category": ["file"],
            "event.type": ["deletion"], "file.path": r"C:\t\a.b.tmp", "file.name": "a.b.tmp", "file.directory": r"C:\t",
            "file.extension": "tmp", "process.hash.sha1": "aa", "related.hash": ["aa"], "sysmon.file.archived": True,
            "sysmon.file.is_executable": False,
        },
    ),
    (
        255,
        {"ID": "QUEUE", "Description": "Events dropped"},
        {
            "event.action": "Error report", "event.category": ["process"], "event.outcome": "failure",
            "error.code": "QUEUE", "process.pe.description": "Events dropped",
            "winlog.event_data.Description": "Events dropped",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "data", "expected"), SYSMON_CASES)
def test_sysmon(code: int, data: dict[str, str], expected: dict[str, Any]) -> None:
    """Field by field: what moves is gone from the event data, what is copied stays."""
    assert mapped(SYSMON, code, data) == expected


def test_sysmon_time_is_when_it_happened_not_when_it_was_logged() -> None:
    """`event.created` is when it was logged; a time that cannot be read changes nothing."""
    source = to_ecs(raw(SYSMON, 5, {"UtcTime": "2026-02-28 10:00:00.999"}))
    assert (source["@timestamp"], source["event"]["created"]) == (
        "2026-02-28T10:00:00.999Z",
        "2026-03-01T12:00:00.123Z",
    )
    assert to_ecs(raw(SYSMON, 5, {"UtcTime": "soon"}))["@timestamp"] == "2026-03-01T12:00:00.123Z"


@pytest.mark.parametrize("value", ["", "-", "{00000000-0000-0000-0000-000000000000}"])
def test_sysmon_says_nothing_in_three_ways(value: str) -> None:
    """None of them is a value of a field."""
    names = ("ProcessGuid", "Image", "User", "ProcessId", "Hashes", "DestinationIp", "QueryResults", "Other")
    assert mapped(SYSMON, 5, dict.fromkeys(names, value)) == mapped(SYSMON, 5)


def test_a_kind_of_sysmon_event_that_is_not_known_yet_is_kept() -> None:
    """With what can be told without knowing it."""
    fields = mapped(SYSMON, 99, {"Image": r"C:\a.exe", "New": "x"})
    assert fields == {"process.executable": r"C:\a.exe", "process.name": "a.exe", "winlog.event_data.New": "x"}


SECURITY_CASES: list[tuple[int, dict[str, str], dict[str, Any]]] = [
    (
        4624,
        {
            "SubjectUserSid": "S-1-5-18", "SubjectUserName": "WIN10$", "SubjectLogonId": "0x3e7",
            "TargetUserSid": "S-1-5-21-1", "TargetUserName": "alice@EXAMPLE.COM", "TargetDomainName": "EXAMPLE",
            "TargetLogonId": "0x9", "LogonType": "3", "WorkstationName": "WIN7", "ProcessId": "0x2e0",
            "ProcessName": r"C:\Windows\System32\services.exe", "IpAddress": "::ffff:192.0.2.9", "IpPort": "50000",
        },
        {
            "event.action": "logged-in", "event.category": ["authentication"], "event.type": ["start"],
            "event.outcome": "success", "user.id": "S-1-5-21-1", "user.name": "alice", "user.domain": "EXAMPLE",
            "related.user": ["alice", "WIN10$"], "related.ip": ["192.0.2.9"], "source.ip": "192.0.2.9",
            "source.port": 50000, "source.domain": "WIN7", "process.pid": 736, "process.name": "services.exe",
            "process.executable": r"C:\Windows\System32\services.exe", "winlog.logon.type": "Network",
            "winlog.logon.id": "0x3e7",
        },
    ),
    (4625, {"TargetUserName": "bob", "IpAddress": "-"}, {
        "event.action": "logon-failed", "event.category": ["authentication"], "event.type": ["start"],
        "event.outcome": "failure", "user.name": "bob", "related.user": ["bob"],
    }),
    (4648, {"SubjectUserName": "alice", "TargetUserName": "admin", "TargetDomainName": "D"}, {
        "event.action": "logged-in-explicit", "event.category": ["authentication"], "event.type": ["start"],
        "event.outcome": "success", "user.name": "alice", "user.effective.name": "admin", "user.effective.domain": "D",
        "related.user": ["alice", "admin"],
    }),
    (
        4688,
        {
            "SubjectUserSid": "S-1-5-18", "SubjectUserName": "WIN10$", "SubjectDomainName": "WG",
            "NewProcessId": "0xac8", "NewProcessName": r"C:\Windows\System32\mshta.exe", "ProcessId": "0x380",
            "TargetUserName": "-",
            "CommandLine": r'"C:\Windows\System32\mshta.exe" http://192.0.2.7/a', "TokenElevationType": "%%1936",
            "ParentProcessName": r"C:\Windows\explorer.exe",
        },
        {
            "event.action": "created-process", "event.category": ["process"], "event.type": ["start"],
            "event.outcome": "success", "user.id": "S-1-5-18", "user.name": "WIN10$", "user.domain": "WG",
            "related.user": ["WIN10$"], "process.pid": 2760, "process.name": "mshta.exe",
            "process.executable": r"C:\Windows\System32\mshta.exe", "process.args_count": 2,
            "process.args": [r'"C:\Windows\System32\mshta.exe"', "http://192.0.2.7/a"],
            "process.command_line": r'"C:\Windows\System32\mshta.exe" http://192.0.2.7/a', "process.parent.pid": 896,
            "process.parent.executable": r"C:\Windows\explorer.exe", "process.parent.name": "explorer.exe",
        },
    ),
    (4689, {"ProcessId": "0x10", "ProcessName": r"C:\a.exe", "SubjectUserName": "alice"}, {
        "event.action": "exited-process", "event.category": ["process"], "event.type": ["end"],
        "event.outcome": "success", "process.pid": 16, "process.executable": r"C:\a.exe", "process.name": "a.exe",
        "user.name": "alice", "related.user": ["alice"],
    }),
    (4697, {"ServiceName": "evil", "ServiceType": "0x10", "ServiceFileName": r"C:\e.exe"}, {
        "event.action": "service-installed", "event.category": ["iam", "configuration"],
        "event.type": ["admin", "change"], "event.outcome": "success", "service.name": "evil",
        "service.type": "Win32 Own Process",
    }),
    (4720, {"SubjectUserName": "alice", "TargetUserName": "new", "TargetSid": "S-1-5-21-9"}, {
        "event.action": "added-user-account", "event.category": ["iam"], "event.type": ["user", "creation"],
        "event.outcome": "success", "user.name": "alice", "user.target.name": "new", "user.target.id": "S-1-5-21-9",
        "related.user": ["alice", "new"],
    }),
    (
        4732,
        {
            "MemberName": "CN=Eve,OU=Staff,DC=example,DC=com", "TargetUserName": "Administrators",
            "TargetDomainName": "Builtin", "TargetSid": "S-1-5-32-544", "SubjectUserName": "alice",
        },
        {
            "event.action": "added-member-to-group", "event.category": ["iam"], "event.type": ["group", "change"],
            "event.outcome": "success", "group.id": "S-1-5-32-544", "group.name": "Administrators",
            "group.domain": "Builtin", "user.name": "alice", "user.target.name": "Eve", "user.target.domain": "example",
            "user.target.group.id": "S-1-5-32-544", "user.target.group.name": "Administrators",
            "user.target.group.domain": "Builtin", "related.user": ["alice", "Eve"],
        },
    ),
    (4769, {"TargetUserName": "alice@EXAMPLE.COM", "ServiceName": "WIN10$", "IpAddress": "::1", "IpPort": "0"}, {
        "event.action": "kerberos-service-ticket-requested", "event.category": ["authentication"],
        "event.type": ["start"], "event.outcome": "success", "user.name": "alice", "related.user": ["alice"],
        "service.name": "WIN10$", "source.ip": "::1", "source.port": 0, "related.ip": ["::1"],
    }),
    (5145, {"ShareName": r"\\*\C$", "ShareLocalPath": r"\??\C:\t", "RelativeTargetName": r"a\b.exe"}, {
        "event.action": "network-share-object-access-checked", "event.category": ["network", "file"],
        "event.type": ["info", "access"], "event.outcome": "success", "file.name": r"a\b.exe",
        "file.directory": r"\??\C:\t", "file.path": r"\??\C:\t\a\b.exe", "file.target_path": r"\\*\C$\a\b.exe",
        "file.extension": "exe",
    }),
    (
        5156,
        {
            "ProcessID": "3488", "Application": r"\device\harddiskvolume2\windows\system32\mshta.exe",
            "Direction": "%%14593", "SourceAddress": "192.168.2.5", "SourcePort": "61143", "DestAddress": "192.0.2.16",
            "DestPort": "80", "Protocol": "6",
        },
        {
            "event.outcome": "success", "process.pid": 3488, "process.name": "mshta.exe",
            "process.executable": r"\device\harddiskvolume2\windows\system32\mshta.exe", "network.transport": "tcp",
            "network.direction": "egress", "source.ip": "192.168.2.5", "source.port": 61143,
            "destination.ip": "192.0.2.16", "destination.port": 80, "related.ip": ["192.168.2.5", "192.0.2.16"],
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "data", "expected"), SECURITY_CASES)
def test_security(code: int, data: dict[str, str], expected: dict[str, Any]) -> None:
    """Who, what and from where; the event data that is left is compared by the next test."""
    fields = mapped("Security", code, data)
    assert {name: value for name, value in fields.items() if not name.startswith("winlog.event_data")} == expected


def test_security_keeps_the_event_data_that_has_no_field_of_its_own() -> None:
    """What moved is gone, as Winlogbeat does it; `-` is nothing."""
    data = {
        "SubjectUserName": "a",
        "ProcessId": "0x1",
        "IpAddress": "192.0.2.1",
        "LogonType": "3",
        "FailureReason": "-",
    }
    assert to_ecs(raw("Security", 4624, data))["winlog"]["event_data"] == {"SubjectUserName": "a", "LogonType": "3"}


def test_an_audit_failure_is_a_failure_whatever_the_event() -> None:
    """The keyword says so."""
    assert mapped("Security", 4656, {}, Keywords="0x8010000000000000")["event.outcome"] == "failure"
    assert mapped("Security", 4656, {}, Keywords="0x8020000000000000")["event.outcome"] == "success"


def test_a_cleared_security_log_names_who_did_it() -> None:
    """It is the one event whose account is in UserData."""
    record = raw("Security", 1102)
    record["Event"]["UserData"] = {"LogFileCleared": {"SubjectUserName": "eve", "SubjectLogonId": "0x9"}}
    fields = flat(to_ecs(record))
    assert (fields["event.action"], fields["user.name"], fields["winlog.logon.id"]) == (
        "audit-log-cleared",
        "eve",
        "0x9",
    )
    assert fields["winlog.user_data.xml_name"] == "LogFileCleared"


def test_the_task_of_a_security_event_is_its_audit_category() -> None:
    """It is the action of events that have none of their own."""
    fields = flat(to_ecs(raw("Security", 4658, {}, Task=12801)))
    assert (fields["winlog.task"], fields["event.action"]) == ("Registry", "Registry")


CONTEXT = (
    "        Severity = Informational\r\n        Host Name = ConsoleHost\r\n        Host ID = h-1\r\n"
    '        Host Application = powershell.exe -c "iex x"\r\n        Engine Version = 5.1\r\n'
    "        Runspace ID = r-1\r\n        Pipeline ID = 7\r\n        Command Name = Add-Type\r\n"
    "        Command Type = Cmdlet\r\n        Script Name = C:\\t\\x.ps1\r\n        Command Path = \r\n"
    "        Sequence Number = 15\r\n        User = EXAMPLE\\alice\r\n        Connected User = \r\n"
    "        Shell ID = Microsoft.PowerShell\r\n"
)
PAYLOAD = (
    'CommandInvocation(Add-Type): "Add-Type"\r\n'
    'ParameterBinding(Add-Type): name="AssemblyName"; value="System.Web; x=1"\r\n'
    "something else\r\n"
)
COMMAND = {
    "event.category": ["process"],
    "event.sequence": 15,
    "event.type": ["info"],
    "file.directory": r"C:\t",
    "file.extension": "ps1",
    "file.name": "x.ps1",
    "file.path": r"C:\t\x.ps1",
    "powershell.command.invocation_details": [
        {"type": "CommandInvocation", "related_command": "Add-Type", "value": '"Add-Type"'},
        {
            "type": "ParameterBinding",
            "related_command": "Add-Type",
            "name": '"AssemblyName"',
            "value": '"System.Web; x=1"',
        },
        {"value": "something else"},
    ],
    "powershell.engine.version": "5.1",
    "powershell.pipeline_id": "7",
    "powershell.runspace_id": "r-1",
    "process.args": ["powershell.exe", "-c", "iex x"],
    "process.args_count": 3,
    "process.command_line": 'powershell.exe -c "iex x"',
    "process.entity_id": "h-1",
    "process.title": "ConsoleHost",
    "related.user": ["alice"],
    "user.domain": "EXAMPLE",
    "user.name": "alice",
}


def test_powershell_module_logging() -> None:
    """4103: the context and the details of the command."""
    assert mapped(POWERSHELL, 4103, {"ContextInfo": CONTEXT, "Payload": PAYLOAD}) == {
        **COMMAND,
        "event.action": "Executing Pipeline",
        "powershell.command.name": "Add-Type",
        "powershell.command.type": "Cmdlet",
        "powershell.id": "Microsoft.PowerShell",
    }


def test_powershell_from_afar() -> None:
    """Who connected is the user; who he is on this host is the destination's."""
    fields = mapped(
        POWERSHELL, 4103, {"ContextInfo": CONTEXT.replace("Connected User = ", r"Connected User = FAR\eve")}
    )
    assert (fields["user.name"], fields["source.user.name"], fields["destination.user.name"]) == ("eve", "eve", "alice")
    assert fields["related.user"] == ["alice", "eve"]


def test_powershell_script_blocks() -> None:
    """4104: the text, its identifier, and which part of it this is."""
    data = {"MessageNumber": "1", "MessageTotal": "2", "ScriptBlockText": "iex 'x'", "ScriptBlockId": "b-1", "Path": ""}
    assert mapped(POWERSHELL, 4104, data) == {
        "event.action": "Execute a Remote Command",
        "event.category": ["process"],
        "event.type": ["info"],
        "powershell.file.script_block_id": "b-1",
        "powershell.file.script_block_text": "iex 'x'",
        "powershell.sequence": 1,
        "powershell.total": 2,
    }


def test_classic_powershell_pipelines() -> None:
    """800: the same in other words, and unnamed."""
    context = (
        CONTEXT.replace("Host ID", "HostId")
        .replace("User =", "UserId =")
        .replace("Command ", "X")
        .replace("Shell", "X")
    )
    texts = ["", context.replace("Runspace ID", "RunspaceId").replace("Pipeline ID", "PipelineId"), PAYLOAD]
    fields = mapped(CLASSIC, 800, {"Data": {"#text": texts}}, EventID={"#attributes": {"Qualifiers": 0}, "#text": 800})
    assert fields.pop("event.action") == "Pipeline Execution Details"
    assert {name: value for name, value in fields.items() if not name.startswith("winlog.event_data")} == COMMAND


@pytest.mark.parametrize(
    ("code", "kind", "action"),
    [(400, "start", "Engine Lifecycle"), (403, "end", "Engine Lifecycle"), (600, "info", "Provider Lifecycle")],
)
def test_classic_powershell_engine(code: int, kind: str, action: str) -> None:
    """The third text holds the lines."""
    lines = "\tNewEngineState=Available\r\n\tPreviousEngineState=None\n\n\tHostVersion=5.1\r\n\tProviderName=Registry\n"
    assert mapped(CLASSIC, code, {"Data": {"#text": ["Available", "None", lines]}}) == {
        "event.action": action,
        "event.category": ["process"],
        "event.type": [kind],
        "powershell.engine.new_state": "Available",
        "powershell.engine.previous_state": "None",
        "powershell.process.executable_version": "5.1",
        "powershell.provider.name": "Registry",
    }


def test_other_channels_are_kept_as_they_are() -> None:
    """No module, no category; what the record itself says in words is used."""
    record = raw("System", 7045, {"ServiceName": "evil", "StartType": "-"}, Opcode=77)
    record["Event"]["RenderingInfo"] = {"Message": "A service was installed.", "Task": "T", "Level": "Warning"}
    fields = flat(to_ecs(record))
    assert {name: value for name, value in fields.items() if name not in COMMON - {"log.level"}} == {
        "event.action": "T",
        "log.level": "warning",
        "message": "A service was installed.",
        "winlog.event_data.ServiceName": "evil",
    } | {name: fields[name] for name in ("event.module",) if name in fields}
    assert "event.module" not in fields
    assert "winlog.opcode" not in fields


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"Event": None},
        {"Event": {"System": "x"}},
        {"Event": {"System": {}}},
        {"Event": {"System": {"EventID": "x", "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T12:00:00Z"}}}}},
        {"Event": {"System": {"EventID": 1}}},
        {"Event": {"System": {"EventID": 1, "TimeCreated": {"#attributes": {"SystemTime": "soon"}}}}},
    ],
)
def test_what_is_no_record_is_refused(record: Any) -> None:
    """An event needs an id of its kind and a time."""
    with pytest.raises(UnreadableRecord):
        to_ecs(record)


def test_odd_parts_of_a_record_are_taken_as_they_come() -> None:
    """Nothing that a log may hold breaks the reading of it."""
    odd: dict[str, Any] = {
        "Image": ["a", "b"], "Hashes": {"#text": 5}, "User": True, "Data": [1, {"#text": "x"}, None], "Binary": "00",
        "#attributes": {"Name": "x"}, "Deep": {"er": {"x": 1}}, "ProcessId": {"#text": None},
    }  # fmt: skip
    for channel in (SYSMON, "Security", POWERSHELL, CLASSIC, "Other"):
        for code in (1, 3, 13, 22, 400, 800, 4103, 4104, 4624, 4688, 4732, 5145, 5156):
            record = raw(channel, code, odd, Provider="x", Execution=None, Security="x", Computer=None, Level="x")
            record["Event"]["UserData"] = ["x"]
            assert to_ecs(record)["winlog"]["event_id"] == str(code)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("", []),
        ("  a \t b ", ["a", "b"]),
        ('a "b c"d e', ["a", "b cd", "e"]),
        (r'"C:\Program Files\x.exe" /c', [r"C:\Program Files\x.exe", "/c"]),
        (r"a \"b\" c", ["a", '"b"', "c"]),
        (r'a\\\\"b c" d', [r"a\\b c", "d"]),
        ('"" "a""b c', ["", 'a"b', "c"]),
        ('"not closed', ["not closed"]),
        ("trailing\\", ["trailing\\"]),
    ],
)
def test_a_command_line_is_split_as_windows_splits_it(line: str, arguments: list[str]) -> None:
    """The rules of the C runtime before 2008, which Winlogbeat keeps to: two quotes within quotes end those."""
    assert split_command_line(line) == arguments


def test_a_long_command_line_is_split_in_no_time() -> None:
    """Quotes and backslashes without end: the time grows with the length only."""
    assert split_command_line('\\"' * 200_000)[0] == '"' * 200_000


@pytest.mark.parametrize(
    ("one", "other", "transport", "expected"),
    [
        (("128.232.110.120", 34855), ("66.35.250.204", 80), "tcp", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("66.35.250.204", 80), ("128.232.110.120", 34855), "TCP", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("192.168.1.52", 54585), ("8.8.8.8", 53), "udp", "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (("192.168.1.52", 54585), ("8.8.8.8", 53), "icmp", None),
        (("192.168.1.52", None), ("8.8.8.8", 53), "udp", None),
        (("::1", 1), ("8.8.8.8", 53), "udp", None),
        (("192.168.1.52", 70000), ("8.8.8.8", 53), "udp", None),
    ],
)
def test_community_ids_are_those_of_the_specification(
    one: tuple[str, int | None], other: tuple[str, int | None], transport: str, expected: str | None
) -> None:
    """The first three are the public examples of Community ID version 1."""
    sides = {name: {"ip": ip, "port": port} for name, (ip, port) in (("source", one), ("destination", other))}
    assert community_id({**sides, "network": {"transport": transport}}) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("0xff", 255), ("-5", -5), ("007", 7), ("", None), ("-", None), ("1.5", None), ("1_0", None),
     ("٣", None), (str(1 << 63), None), ("0xffffffffffffffff", None), (5, None), (None, None)],
)  # fmt: skip
def test_whole_numbers(text: Any, number: int | None) -> None:
    """What a field of type long can hold, or nothing."""
    assert whole_number(text) == number
