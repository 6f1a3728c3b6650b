"""Which module a record belongs to, and what is the same in all of them."""

from __future__ import annotations

from typing import Any, Final

from lolbin_rules.importers.winlogbeat import powershell, security, sysmon
from lolbin_rules.importers.winlogbeat.document import put
from lolbin_rules.importers.winlogbeat.record import Record, read_record
from lolbin_rules.importers.winlogbeat.security_tables import TASKS

__all__ = ["to_ecs"]

ECS_VERSION: Final = "1.12.0"
"""The version that Winlogbeat 8.6's modules name."""
WELL_KNOWN: Final = {
    "S-1-5-18": ("SYSTEM", "User"),
    "S-1-5-19": ("LOCAL SERVICE", "Well Known Group"),
    "S-1-5-20": ("NETWORK SERVICE", "Well Known Group"),
}
"""Accounts that have the same identifier on every Windows host; others only their own host could name."""


def to_ecs(parsed: Any, *, written: str | None = None, path: str | None = None) -> dict[str, Any]:
    """The document of one record.

    Args:
        parsed: what the `evtx` package makes of the record: `{"Event": {"System": ..., "EventData": ...}}`.
        written: when the record was written to the log, for one that does not say when it was made.
        path: of the file it lies in.

    Raises:
        UnreadableRecord: it has no event id or no time.
    """
    record = read_record(parsed, written)
    document = _common(record)
    put(document, "log.file.path", path)
    if record.channel == sysmon.CHANNEL:
        rest = sysmon.map_sysmon(document, record)
    elif record.channel == security.CHANNEL:
        put(document, "winlog.task", record.task or TASKS.get(record.task_number or 0))
        rest = security.map_security(document, record)
    elif record.channel in powershell.CHANNELS:
        rest = powershell.map_powershell(document, record)
    else:
        put(document, "event.action", record.task)
        put(document, "winlog.task", record.task)
        rest = {name: value for name, value in record.data.items() if value != "-"}
    put(document, "winlog.event_data", rest)
    put(document, "winlog.user_data", record.user_data)
    return document


def _common(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = {
        "@timestamp": record.created,
        "ecs": {"version": ECS_VERSION},
        "event": {"kind": "event", "code": str(record.code), "created": record.created},
        "log": {"level": record.level},
        "winlog": {"api": "wineventlog", "event_id": str(record.code)},
    }
    put(document, "event.provider", record.provider)
    put(document, "message", record.message)
    if record.computer:
        document["host"] = {
            "name": record.computer,
            "hostname": record.computer.partition(".")[0],
            "os": {"family": "windows", "platform": "windows", "type": "windows"},
        }
    for field, value in (
        ("activity_id", record.activity_id),
        ("channel", record.channel),
        ("computer_name", record.computer),
        ("keywords", list(record.keywords)),
        ("opcode", record.opcode),
        ("process.pid", record.process_id),
        ("process.thread.id", record.thread_id),
        ("provider_guid", record.provider_guid),
        ("provider_name", record.provider),
        ("record_id", record.record_id),
        ("related_activity_id", record.related_activity_id),
        ("user.identifier", record.user_id),
        ("version", record.version),
    ):
        put(document["winlog"], field, value)
    if known := WELL_KNOWN.get(record.user_id or ""):
        document["winlog"]["user"] |= {"name": known[0], "domain": "NT AUTHORITY", "type": known[1]}
    return document
