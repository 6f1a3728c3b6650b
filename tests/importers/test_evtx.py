"""Event logs, written by hand and read by the real parser."""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from importers.evtx_writer import HEX64, Element, Sid, Typed, event, write_evtx
from lolbin_rules.errors import SettingsError
from lolbin_rules.importers import Broken, Event, read_events

SYSMON = "Microsoft-Windows-Sysmon/Operational"
HEADER, CHUNK = 4096, 65_536


def logged(number: int, **changes: Any) -> Element:
    """A record of the Security log with this number."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=number)
    return event(channel="Security", code=4688, provider="P", record_id=number, time=at, **changes)


def read(tmp_path: Path, data: bytes) -> list[Event | Broken]:
    """What is found in a log."""
    file = tmp_path / "log.evtx"
    file.write_bytes(data)
    return list(read_events([file]))


def kept(found: list[Event | Broken]) -> list[str]:
    """The numbers of the records that were read."""
    return [each.source["winlog"]["record_id"] for each in found if isinstance(each, Event)]


@pytest.fixture
def log() -> bytes:
    """Eight records in three parts: 1 to 4, 5 to 7, 8."""
    return write_evtx([[logged(n) for n in range(1, 5)], [logged(n) for n in range(5, 8)], [logged(8)]])


def second_record(log: bytes) -> int:
    """Where it lies."""
    return log.find(b"**\0\0", HEADER + 512 + 24)


def changed(log: bytes, at: int, data: bytes) -> bytes:
    """The log with other bytes in one place."""
    return log[:at] + data + log[at + len(data) :]


def test_a_record_becomes_the_document_that_winlogbeat_makes(tmp_path: Path) -> None:
    """From the bytes of the log to ECS: typed values are written as Windows writes them."""
    record = event(
        channel=SYSMON,
        code=1,
        provider="Microsoft-Windows-Sysmon",
        guid="5770385f-c22a-43e0-bf4c-06f5698ffbd9",
        user="S-1-5-18",
        record_id=77,
        task=1,
        data={
            "RuleName": "-",
            "UtcTime": "2026-03-01 11:59:59.001",
            "ProcessGuid": uuid.UUID("9c977984-cd81-5c05-0000-0010a5c17301"),
            "ProcessId": 2312,
            "Image": r"C:\Windows\System32\regsvr32.exe",
            "LogonId": Typed(HEX64, 0x16B0C),
            "TerminalSessionId": 1,
            "User": r"EXAMPLE\alice",
        },
    )
    (found,) = read(tmp_path, write_evtx([[record]]))
    assert isinstance(found, Event)
    assert found.index == "winlogbeat-files"
    assert found.place == f"{tmp_path}/log.evtx:1"
    assert orjson.loads(found.raw) == found.source
    assert found.source == {
        "@timestamp": "2026-03-01T11:59:59.001Z",
        "ecs": {"version": "1.12.0"},
        "event": {
            "action": "Process Create (rule: ProcessCreate)",
            "category": ["process"],
            "code": "1",
            "created": "2026-03-01T12:00:00.123Z",
            "kind": "event",
            "module": "sysmon",
            "provider": "Microsoft-Windows-Sysmon",
            "type": ["start"],
        },
        "host": {
            "hostname": "WIN10",
            "name": "WIN10.example.com",
            "os": {"family": "windows", "platform": "windows", "type": "windows"},
        },
        "log": {"file": {"path": f"{tmp_path}/log.evtx"}, "level": "information"},
        "process": {
            "entity_id": "{9c977984-cd81-5c05-0000-0010a5c17301}",
            "executable": r"C:\Windows\System32\regsvr32.exe",
            "name": "regsvr32.exe",
            "pid": 2312,
        },
        "related": {"user": ["alice"]},
        "user": {"domain": "EXAMPLE", "id": "S-1-5-18", "name": "alice"},
        "winlog": {
            "api": "wineventlog",
            "channel": SYSMON,
            "computer_name": "WIN10.example.com",
            "event_data": {"LogonId": "0x16b0c", "TerminalSessionId": "1"},
            "event_id": "1",
            "opcode": "Info",
            "process": {"pid": 3176, "thread": {"id": 4020}},
            "provider_guid": "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
            "provider_name": "Microsoft-Windows-Sysmon",
            "record_id": "77",
            "task": "Process Create (rule: ProcessCreate)",
            "user": {"domain": "NT AUTHORITY", "identifier": "S-1-5-18", "name": "SYSTEM", "type": "User"},
            "version": 5,
        },
    }


def test_values_are_written_as_windows_writes_them(tmp_path: Path) -> None:
    """Unnamed ones are numbered; what is below UserData keeps its shape."""
    records = [
        event(channel="Application", code=1000, provider="Application Error", level=2, record_id=1,
              data=["first", "", "third"]),
        event(channel="Application", code=1, provider="P", record_id=2, data=["only"]),
        event(channel="Application", code=1, provider="P", record_id=3),
        event(channel="X", code=9, provider="P", record_id=4, data={
            "On": True, "Sid": Sid("S-1-5-21-1-2-3-1001"), "At": datetime(2026, 1, 2, tzinfo=UTC), "None": "-"}),
        event(channel="System", code=104, provider="Microsoft-Windows-Eventlog", record_id=5, user_data=Element(
            "LogFileCleared", {"xmlns": "x"}, [Element("Channel", value="System"), Element("Empty", value="")])),
    ]  # fmt: skip
    found = [each.source for each in read(tmp_path, write_evtx([records])) if isinstance(each, Event)]
    assert [source["winlog"].get("event_data") for source in found] == [
        {"param1": "first", "param3": "third"},
        {"param1": "only"},
        None,
        {"On": "true", "Sid": "S-1-5-21-1-2-3-1001", "At": "2026-01-02T00:00:00.000000Z"},
        None,
    ]
    assert found[0]["log"]["level"] == "error"
    assert found[4]["winlog"]["user_data"] == {"xml_name": "LogFileCleared", "Channel": "System"}


def test_ids_are_of_the_record_not_of_the_file(tmp_path: Path, log: bytes) -> None:
    """A log that was exported twice holds the same events; no two records share an id."""
    first = [each.id for each in read(tmp_path, log) if isinstance(each, Event)]
    (tmp_path / "other").mkdir()
    assert [each.id for each in read(tmp_path / "other", log) if isinstance(each, Event)] == first
    assert len(set(first)) == 8


@pytest.mark.parametrize(
    ("offset", "data", "lost", "place"),
    [
        (40, b"\xff" * 40, {"2"}, ":2"),
        (0, b"XXXX", {"2", "3", "4"}, ""),
        (4, b"\xff\xff\xff\x7f", {"2", "3", "4"}, ":2"),
        (4, bytes(4), {"2", "3", "4"}, ""),
    ],
)
def test_a_damaged_record_loses_its_part_at_most(
    tmp_path: Path, log: bytes, offset: int, data: bytes, lost: set[str], place: str
) -> None:
    """Where its length is lost, so is the way to the next record of the same 64 KB; the other parts are read."""
    found = read(tmp_path, changed(log, second_record(log) + offset, data))
    assert kept(found) == [number for number in "12345678" if number not in lost]
    (broken,) = [each for each in found if isinstance(each, Broken)]
    assert broken.place == f"{tmp_path}/log.evtx{place}"
    assert "damaged" in broken.reason


def test_a_damaged_part_is_named(tmp_path: Path, log: bytes) -> None:
    """The others are read."""
    found = read(tmp_path, changed(log, HEADER + CHUNK, b"garbage!"))
    assert kept(found) == list("12348")
    assert [each.place for each in found if isinstance(each, Broken)] == [f"{tmp_path}/log.evtx:chunk 1"]


def test_a_log_that_was_cut_yields_what_is_left_of_its_last_part(tmp_path: Path, log: bytes) -> None:
    """The parser alone would pass over that part without a word."""
    end = log.find(b"**\0\0", HEADER + CHUNK + 512 + 24) + 40
    found = read(tmp_path, log[:end])
    assert kept(found) == list("12345")
    assert "cut short" in next(each.reason for each in found if isinstance(each, Broken))


@pytest.mark.parametrize("length", [8, 100, 4000])
def test_a_log_without_a_whole_header_is_named(tmp_path: Path, log: bytes, length: int) -> None:
    """Nothing of it can be read."""
    (broken,) = read(tmp_path, log[:length])
    assert isinstance(broken, Broken)
    assert "nothing of it is read" in broken.reason


def test_an_empty_log_holds_nothing(tmp_path: Path, log: bytes) -> None:
    """As Windows leaves it after it was cleared."""
    assert read(tmp_path, log[:HEADER]) == []


def test_a_record_without_a_time_has_that_of_its_writing(tmp_path: Path) -> None:
    """Every record has one of those."""
    record = logged(1)
    record.children[0].children = [part for part in record.children[0].children if part.name != "TimeCreated"]
    (found,) = read(tmp_path, write_evtx([[record]]))
    assert isinstance(found, Event)
    assert found.source["@timestamp"] == "2026-03-01T00:00:00.000Z"


def test_a_record_without_an_event_id_is_named(tmp_path: Path) -> None:
    """It is no event; the next one is."""
    record = logged(1)
    record.children[0].children = [part for part in record.children[0].children if part.name != "EventID"]
    broken, found = read(tmp_path, write_evtx([[record, logged(2)]]))
    assert broken == Broken(f"{tmp_path}/log.evtx:1", "is no record that can be read: it has no event id")
    assert isinstance(found, Event)


def test_without_the_package_the_message_says_how_to_get_it(
    tmp_path: Path, log: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read, if the name of the file tells; other files do not need it."""
    monkeypatch.setitem(sys.modules, "evtx", None)
    (tmp_path / "log.evtx").write_bytes(log)
    (tmp_path / "log.ndjson").write_bytes(b"{}\n")
    with pytest.raises(SettingsError, match=r"pip install 'lolbin-rules\[evtx\]'"):
        read_events([tmp_path])
    assert len(list(read_events([tmp_path / "log.ndjson"]))) == 1
