"""What Sysmon's numbers mean: kinds of events, types and outcomes of DNS queries, hives of the registry."""

from __future__ import annotations

from typing import Final

__all__ = ["DNS_STATUS", "DNS_TYPES", "EVENTS", "HIVES"]

_REGISTRY: Final = ("configuration", "registry")

EVENTS: Final[dict[int, tuple[tuple[str, ...], tuple[str, ...], str]]] = {
    1: (("process",), ("start",), "Process Create (rule: ProcessCreate)"),
    2: (("file",), ("change",), "File creation time changed (rule: FileCreateTime)"),
    3: (("network",), ("start", "connection", "protocol"), "Network connection detected (rule: NetworkConnect)"),
    4: (("process",), ("change",), "Sysmon service state changed"),
    5: (("process",), ("end",), "Process terminated (rule: ProcessTerminate)"),
    6: (("driver",), ("start",), "Driver loaded (rule: DriverLoad)"),
    7: (("process",), ("change",), "Image loaded (rule: ImageLoad)"),
    8: (("process",), ("change",), "CreateRemoteThread detected (rule: CreateRemoteThread)"),
    9: (("process",), ("access",), "RawAccessRead detected (rule: RawAccessRead)"),
    10: (("process",), ("access",), "Process accessed (rule: ProcessAccess)"),
    11: (("file",), ("creation",), "File created (rule: FileCreate)"),
    12: (_REGISTRY, ("change",), "Registry object added or deleted (rule: RegistryEvent)"),
    13: (_REGISTRY, ("change",), "Registry value set (rule: RegistryEvent)"),
    14: (_REGISTRY, ("change",), "Registry object renamed (rule: RegistryEvent)"),
    15: (("file",), ("access",), "File stream created (rule: FileCreateStreamHash)"),
    16: (("configuration",), ("change",), "Sysmon config state changed"),
    17: (("file",), ("creation",), "Pipe Created (rule: PipeEvent)"),
    18: (("file",), ("access",), "Pipe Connected (rule: PipeEvent)"),
    19: (("process",), ("info",), "WmiEventFilter activity detected (rule: WmiEvent)"),
    20: (("process",), ("change",), "WmiEventConsumer activity detected (rule: WmiEvent)"),
    21: (("process",), ("access",), "WmiEventConsumerToFilter activity detected (rule: WmiEvent)"),
    22: (("network",), ("connection", "protocol", "info"), "Dns query (rule: DnsQuery)"),
    23: (("file",), ("deletion",), "File Delete archived (rule: FileDelete)"),
    24: ((), ("change",), "Clipboard changed (rule: ClipboardChange)"),
    25: (("process",), ("change",), "Process Tampering (rule: ProcessTampering)"),
    26: (("file",), ("deletion",), "File Delete logged (rule: FileDeleteDetected)"),
    27: (("file",), ("creation",), "File Block Executable (rule: FileBlockExecutable)"),
    28: (("file",), ("deletion",), "File Block Shredding (rule: FileBlockShredding)"),
    29: (("file",), ("creation",), "File Executable Detected (rule: FileExecutableDetected)"),
    255: (("process",), (), "Error report"),
}
"""Event id -> `event.category`, `event.type`, and the task, which is `event.action` as well."""

DNS_TYPES: Final = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "15": "MX", "16": "TXT", "28": "AAAA", "33": "SRV",
    "35": "NAPTR", "43": "DS", "46": "RRSIG", "47": "NSEC", "48": "DNSKEY", "255": "ANY", "65281": "WINS",
    "65282": "WINSR",
}  # fmt: skip

DNS_STATUS: Final = {
    "0": "SUCCESS",
    "5": "ERROR_ACCESS_DENIED",
    "8": "ERROR_NOT_ENOUGH_MEMORY",
    "13": "ERROR_INVALID_DATA",
    "14": "ERROR_OUTOFMEMORY",
    "123": "ERROR_INVALID_NAME",
    "1214": "ERROR_INVALID_NETNAME",
    "1223": "ERROR_CANCELLED",
    "1460": "ERROR_TIMEOUT",
    "4312": "ERROR_OBJECT_NOT_FOUND",
    "9001": "DNS_ERROR_RCODE_FORMAT_ERROR",
    "9002": "DNS_ERROR_RCODE_SERVER_FAILURE",
    "9003": "DNS_ERROR_RCODE_NAME_ERROR",
    "9004": "DNS_ERROR_RCODE_NOT_IMPLEMENTED",
    "9005": "DNS_ERROR_RCODE_REFUSED",
    "9501": "DNS_INFO_NO_RECORDS",
    "9502": "DNS_ERROR_BAD_PACKET",
    "9503": "DNS_ERROR_NO_PACKET",
    "9506": "DNS_REQUEST_PENDING",
    "9551": "DNS_ERROR_INVALID_TYPE",
    "9552": "DNS_ERROR_INVALID_IP_ADDRESS",
    "9556": "DNS_ERROR_NON_RFC_NAME",
    "9560": "DNS_ERROR_INVALID_NAME_CHAR",
    "9701": "DNS_ERROR_RECORD_DOES_NOT_EXIST",
    "9714": "DNS_ERROR_NAME_DOES_NOT_EXIST",
    "9852": "DNS_ERROR_NO_DNS_SERVERS",
    "10054": "WSAECONNRESET",
    "10055": "WSAENOBUFS",
    "10060": "WSAETIMEDOUT",
}
"""Windows' names of what a query came to, as far as queries come to it; other numbers stay numbers."""

HIVES: Final = {
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_DYN_DATA": "HKDD",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_PERFORMANCE_DATA": "HKPD",
    "HKEY_USERS": "HKU",
} | {short: short for short in ("HKCR", "HKCC", "HKCU", "HKDD", "HKLM", "HKPD", "HKU")}
