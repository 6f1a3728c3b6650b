"""A record of a Windows event log, read from the JSON that the `evtx` package makes of its XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lolbin_rules.alert.source import parse_time, write_time
from lolbin_rules.importers.winlogbeat.document import whole_number

__all__ = ["Record", "UnreadableRecord", "read_record"]

GUID: Final = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")
"""How the parser writes a value of Windows' type GUID; Windows itself writes it in lower case within braces."""
NAMES_OF_GUIDS: Final = ("guid", "id", "identifier")
"""What the names of such values end with: a text may look like one as well, and is left as it is."""
LEVELS: Final = {1: "critical", 2: "error", 3: "warning", 5: "verbose"}
OPCODES: Final = {
    0: "Info", 1: "Start", 2: "Stop", 3: "DCStart", 4: "DCStop", 5: "Extension", 6: "Reply", 7: "Resume", 8: "Suspend",
    9: "Send", 240: "Receive",
}  # fmt: skip
MASK: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
KEYWORDS: Final = {
    1 << 48: "Response Time", 1 << 49: "WDI Context", 1 << 50: "WDI Diag", 1 << 51: "SQM", 1 << 52: "Audit Failure",
    1 << 53: "Audit Success", 1 << 54: "Correlation Hint", 1 << 55: "Classic",
}  # fmt: skip


class UnreadableRecord(Exception):  # noqa: N818 - says what was found
    """The record lacks what every event has; the message says what."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one record says.

    Attributes:
        channel: the log that it was written to.
        code: its event id.
        created: when, as `2026-03-01T12:00:00.123Z`.
        computer: the host that wrote it.
        provider: who wrote it.
        provider_guid: in braces, lower case, or None.
        record_id: its number in the log, or None.
        level: such as `information`.
        opcode: such as `Info`, or None where only its provider knows what it is called.
        task: its task, where the record itself says what that is called.
        task_number: its task by number, or None.
        keywords: such as `Audit Success`.
        version: of its definition, or None.
        process_id: of the process that wrote it, or None.
        thread_id: of the thread, or None.
        user_id: the security identifier of the user in whose name it was written, or None.
        activity_id: in braces, or None.
        related_activity_id: in braces, or None.
        data: `EventData` as texts; parts without a name are `param1`, `param2` and so on.
        user_data: `UserData` as texts, or None.
        message: the rendered text, where the record brings it.
    """

    channel: str
    code: int
    created: str
    computer: str
    provider: str
    provider_guid: str | None
    record_id: str | None
    level: str
    opcode: str | None
    task: str | None
    task_number: int | None
    keywords: tuple[str, ...]
    version: int | None
    process_id: int | None
    thread_id: int | None
    user_id: str | None
    activity_id: str | None
    related_activity_id: str | None
    data: dict[str, Any]
    user_data: dict[str, Any] | None
    message: str | None


def read_record(parsed: Any, written: str | None = None) -> Record:
    """Read what the parser made of a record.

    Args:
        parsed: `{"Event": {"System": {...}, "EventData": {...}}}`.
        written: when the record was written to the log, for one that does not say when it was made.

    Raises:
        UnreadableRecord: it has no event id or no time.
    """
    event = parsed.get("Event") if isinstance(parsed, dict) else None
    system = event.get("System") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(system, dict):
        raise UnreadableRecord("it has no part `System`")
    code = whole_number(_text(system.get("EventID")))
    if code is None:
        raise UnreadableRecord("it has no event id")
    provider, correlation = _attributes(system, "Provider"), _attributes(system, "Correlation")
    execution, rendered = _attributes(system, "Execution"), event.get("RenderingInfo")
    rendered = rendered if isinstance(rendered, dict) else {}
    return Record(
        channel=_text(system.get("Channel")) or "",
        code=code,
        created=_time(_attributes(system, "TimeCreated").get("SystemTime"), written),
        computer=_text(system.get("Computer")) or "",
        provider=_text(provider.get("Name")) or _text(provider.get("EventSourceName")) or "",
        provider_guid=_braced(provider.get("Guid")),
        record_id=_text(system.get("EventRecordID")),
        level=(
            _text(rendered.get("Level")) or LEVELS.get(whole_number(_text(system.get("Level"))) or 0, "information")
        ).lower(),
        opcode=_text(rendered.get("Opcode")) or OPCODES.get(whole_number(_text(system.get("Opcode"))) or 0),
        task=_text(rendered.get("Task")),
        task_number=whole_number(_text(system.get("Task"))),
        keywords=tuple(_keywords(system.get("Keywords"))),
        version=whole_number(_text(system.get("Version"))),
        process_id=whole_number(_text(execution.get("ProcessID"))),
        thread_id=whole_number(_text(execution.get("ThreadID"))),
        user_id=_text(_attributes(system, "Security").get("UserID")),
        activity_id=_braced(correlation.get("ActivityID")),
        related_activity_id=_braced(correlation.get("RelatedActivityID")),
        data=dict(_event_data(event.get("EventData"))),
        user_data=_user_data(event.get("UserData")),
        message=_text(rendered.get("Message")),
    )


def _attributes(system: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = system.get(name)
    found = part.get("#attributes") if isinstance(part, dict) else None
    return found if isinstance(found, dict) else {}


def _time(created: Any, written: str | None) -> str:
    for text in (created, (written or "").removesuffix(" UTC").replace(" ", "T")):
        if isinstance(text, str) and (moment := parse_time(text)):
            return write_time(moment)
    raise UnreadableRecord("it has no time")


def _text(value: Any) -> str | None:
    """One value as Windows writes it in XML; None where there is none."""
    if isinstance(value, dict):
        value = value.get("#text")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or not value:
        return None
    return value


def _braced(value: Any) -> str | None:
    text = _text(value)
    return f"{{{text.strip('{}').lower()}}}" if text else None


def _keywords(value: Any) -> Iterator[str]:
    text = _text(value) or ""
    mask = int(text, 16) if MASK.fullmatch(text) else 0
    return (name for bit, name in KEYWORDS.items() if mask & bit)


def _event_data(part: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(part, dict):
        return
    for name, value in part.items():
        if name == "Data":
            texts = _texts(value)
            yield from ((f"param{number}", text) for number, text in enumerate(texts, 1) if text is not None)
        elif name == "Binary":
            if text := _text(value):
                yield "Binary", text
        elif not name.startswith("#"):
            found = _texts(value)
            if name.lower().endswith(NAMES_OF_GUIDS):
                found = [_braced(text) if text and GUID.fullmatch(text) else text for text in found]
            yield from [(name, found[0] if len(found) == 1 else found)] if any(found) else []


def _texts(value: Any) -> list[Any]:
    inner = value.get("#text") if isinstance(value, dict) else value
    return [_text(item) for item in inner] if isinstance(inner, list) else [_text(inner)]


def _user_data(part: Any) -> dict[str, Any] | None:
    """What is below the one element that UserData has, whose name becomes `xml_name`."""
    if not isinstance(part, dict):
        return None
    for name, value in part.items():
        if isinstance(value, dict):
            inner = {key: text for key, each in value.items() if not key.startswith("#") and (text := _plain(each))}
            return {"xml_name": name, **inner}
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and "#text" not in value:
        return {key: text for key, each in value.items() if not key.startswith("#") and (text := _plain(each))}
    if isinstance(value, list):
        return [text for each in value if (text := _plain(each))]
    return _text(value)
