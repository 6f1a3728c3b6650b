"""Small event log files (EVTX), written by hand: no real one can be committed, and the parser has to be met for real.

The layout is the public one of the format: a file header of 4,096 bytes and chunks of 65,536; in a chunk, records of
binary XML. Every record here brings its own template and the typed values that are filled in, as Windows writes them.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

__all__ = ["HEX64", "Element", "Sid", "Typed", "event", "write_evtx"]

CHUNK = 65_536
HEADER = 512
TEXT, BYTE, WORD, DWORD, QWORD, BOOLEAN, GUID, TIME, SID, HEX32, HEX64 = (
    0x01, 0x04, 0x06, 0x08, 0x0A, 0x0D, 0x0F, 0x11, 0x13, 0x14, 0x15,
)  # fmt: skip
NUMBERS = {BYTE: "<B", WORD: "<H", DWORD: "<I", QWORD: "<Q", HEX32: "<I", HEX64: "<Q"}


@dataclass(frozen=True)
class Typed:
    """A value and the type it is written with."""

    kind: int
    value: Any

    def packed(self) -> bytes:
        """As it stands behind a template."""
        if self.kind == TEXT:
            return str(self.value).encode("utf-16-le")
        if self.kind == BOOLEAN:
            return struct.pack("<I", self.value)
        if self.kind == GUID:
            return bytes(self.value.bytes_le)
        if self.kind == TIME:
            return struct.pack("<Q", filetime(self.value))
        if self.kind == SID:
            return packed_sid(self.value)
        return struct.pack(NUMBERS[self.kind], self.value)


class Sid(str):
    """A security identifier such as S-1-5-18."""

    __slots__ = ()


def typed(value: Any) -> Typed:
    """The type that Windows would most likely have written the value with."""
    kinds = {Sid: SID, bool: BOOLEAN, int: DWORD, uuid.UUID: GUID, datetime: TIME}
    return value if isinstance(value, Typed) else Typed(kinds.get(type(value), TEXT), value)


def filetime(moment: datetime) -> int:
    """Tenths of a microsecond since 1601."""
    since = moment - datetime(1601, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10_000_000 + since.microseconds * 10


def packed_sid(text: str) -> bytes:
    """A security identifier as Windows stores it."""
    _, revision, authority, *rest = text.split("-")
    return (
        bytes([int(revision), len(rest)])
        + int(authority).to_bytes(6, "big")
        + b"".join(struct.pack("<I", int(part)) for part in rest)
    )


@dataclass
class Element:
    """One XML element; values become substitutions."""

    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    children: Sequence[Element] = ()
    value: Any = None


def event(
    *,
    channel: str,
    code: int,
    provider: str,
    data: Mapping[str, Any] | Sequence[Any] = (),
    user_data: Element | None = None,
    computer: str = "WIN10.example.com",
    time: datetime = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC),
    record_id: int = 1,
    guid: str | None = None,
    level: int = 4,
    task: int = 0,
    opcode: int = 0,
    keywords: int = 0x8000000000000000,
    user: str | None = None,
) -> Element:
    """One record as Windows writes it."""
    origin = {"Name": provider} | ({"Guid": uuid.UUID(guid)} if guid else {})
    system = Element("System", children=[
        Element("Provider", origin),
        Element("EventID", value=Typed(WORD, code)),
        Element("Version", value=Typed(BYTE, 5)),
        Element("Level", value=Typed(BYTE, level)),
        Element("Task", value=Typed(WORD, task)),
        Element("Opcode", value=Typed(BYTE, opcode)),
        Element("Keywords", value=Typed(HEX64, keywords)),
        Element("TimeCreated", {"SystemTime": time}),
        Element("EventRecordID", value=Typed(QWORD, record_id)),
        Element("Correlation"),
        Element("Execution", {"ProcessID": 3176, "ThreadID": 4020}),
        Element("Channel", value=channel),
        Element("Computer", value=computer),
        Element("Security", {"UserID": Sid(user)} if user else {}),
    ])  # fmt: skip
    if user_data:
        rest = Element("UserData", children=[user_data])
    elif isinstance(data, Mapping):
        rest = Element("EventData", children=[Element("Data", {"Name": k}, value=v) for k, v in data.items()])
    else:
        rest = Element("EventData", children=[Element("Data", value=v) for v in data])
    return Element("Event", {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}, [system, rest])


class Binary:
    """Binary XML at a place in a chunk, from whose start all places in it count; names lie where they are used."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.bytes = bytearray()
        self.values: list[Typed] = []

    @property
    def here(self) -> int:
        """The place of the next byte."""
        return self.start + len(self.bytes)

    def name(self, text: str) -> None:
        """A name, in place."""
        self.bytes += struct.pack("<I", self.here + 4)
        encoded = text.encode("utf-16-le")
        self.bytes += struct.pack("<IHH", 0, hash_of(text), len(text)) + encoded + b"\0\0"

    def substitution(self, value: Any) -> None:
        """A hole in the template, and what will fill it."""
        found = typed(value)
        self.bytes += struct.pack("<BHB", 0x0D, len(self.values), found.kind)
        self.values.append(found)

    def element(self, element: Element) -> None:
        """An element with everything in it."""
        self.bytes += struct.pack("<BH", 0x41 if element.attributes else 0x01, 0xFFFF)
        size_at = len(self.bytes)
        self.bytes += b"\0\0\0\0"
        self.name(element.name)
        if element.attributes:
            self.attributes(element.attributes)
        if element.children or element.value is not None:
            self.bytes += b"\x02"
            for child in element.children:
                self.element(child)
            if element.value is not None:
                self.substitution(element.value)
            self.bytes += b"\x04"
        else:
            self.bytes += b"\x03"
        struct.pack_into("<I", self.bytes, size_at, len(self.bytes) - size_at - 4)

    def attributes(self, attributes: Mapping[str, Any]) -> None:
        """A list of attributes."""
        size_at = len(self.bytes)
        self.bytes += b"\0\0\0\0"
        for number, (name, value) in enumerate(attributes.items(), 1):
            self.bytes += b"\x46" if number < len(attributes) else b"\x06"
            self.name(name)
            self.substitution(value)
        struct.pack_into("<I", self.bytes, size_at, len(self.bytes) - size_at - 4)


def hash_of(text: str) -> int:
    """The hash that goes with a name."""
    total = 0
    for letter in text:
        total = (total * 65_599 + ord(letter)) & 0xFFFFFFFF
    return total & 0xFFFF


def record(element: Element, number: int, start: int) -> bytes:
    """One record that begins at a place in a chunk."""
    begin = start + 24  # behind the record's header
    template_at = begin + 4 + 10
    body = Binary(template_at + 24)
    body.bytes += b"\x0f\x01\x01\x00"
    body.element(element)
    body.bytes += b"\x00"
    template = struct.pack("<I16sI", 0, uuid.uuid4().bytes_le, len(body.bytes)) + body.bytes
    packed = [value.packed() for value in body.values]
    filled = struct.pack("<I", len(packed))
    filled += b"".join(struct.pack("<HBB", len(p), v.kind, 0) for p, v in zip(packed, body.values, strict=True))
    xml = b"\x0f\x01\x01\x00" + struct.pack("<BBII", 0x0C, 1, 0, template_at) + template + filled + b"".join(packed)
    xml += b"\x00"
    size = 24 + len(xml) + 4
    size += -size % 8
    xml = xml.ljust(size - 28, b"\0")
    header = struct.pack("<4sIQQ", b"**\0\0", size, number, filetime(datetime(2026, 3, 1, tzinfo=UTC)))
    return header + xml + struct.pack("<I", size)


def chunk(elements: Sequence[Element], first: int) -> bytes:
    """One chunk of records."""
    data = bytearray()
    last_at = HEADER
    for number, element in enumerate(elements, first):
        last_at = HEADER + len(data)
        data += record(element, number, last_at)
    assert HEADER + len(data) <= CHUNK, "too many records for one chunk"
    last = first + len(elements) - 1
    head = struct.pack("<8sQQQQIIII", b"ElfChnk\0", first, last, first, last, 128, last_at, HEADER + len(data),
                       zlib.crc32(data)).ljust(120, b"\0")  # fmt: skip
    tables = bytes(384)
    checksum = zlib.crc32(tables, zlib.crc32(head))
    return (head + struct.pack("<II", 0, checksum) + tables + data).ljust(CHUNK, b"\0")


def write_evtx(chunks: Sequence[Sequence[Element]]) -> bytes:
    """A whole file."""
    body, number = b"", 1
    for elements in chunks:
        body += chunk(elements, number)
        number += len(elements)
    head = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, len(chunks) - 1, number, 128, 1, 3, 4096, len(chunks))
    head = head.ljust(120, b"\0")
    return (head + struct.pack("<II", 0, zlib.crc32(head))).ljust(4096, b"\0") + body
