"""Every line of a text is an event or is named as none, whatever was done to the file."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from lolbin_rules.importers import ndjson
from lolbin_rules.importers.blocks import first_bytes
from lolbin_rules.importers.event import Broken, Event
from lolbin_rules.importers.lines import batches
from lolbin_rules.importers.ndjson import TextReader

ONE = {"@timestamp": "2026-03-01T12:00:00.000Z", "event": {"id": "one", "module": "sysmon"}}
TWO = {"@timestamp": "2026-03-01T12:00:01.000Z", "event": {"id": "two", "module": "sysmon"}}
LINES = b"".join(json.dumps(event).encode() + b"\n" for event in (ONE, TWO))


class Slow(io.BytesIO):
    """A pipe that hands over a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        """Three bytes at most."""
        return super().read1(min(size or 3, 3))


def read(data: bytes, *, index: str | None = None, identity: str = "/a", stream: type[io.BytesIO] = io.BytesIO) -> Any:
    """Everything found in a text named `f`, and how many bytes were told to have been read."""
    opened = stream(data)
    told: list[int] = []
    found = list(TextReader("f", identity, index).read(first_bytes(opened), opened, told.append))
    return found, sum(told)


def events(data: bytes, **options: Any) -> list[Event]:
    """The events found; nothing else may be."""
    found, told = read(data, **options)
    assert all(isinstance(each, Event) for each in found), found
    assert told == len(data)
    return list(found)


def ids(data: bytes) -> list[str]:
    """The ids found, `!` and the line for what is none."""
    return [each.id if isinstance(each, Event) else f"!{each.place.removeprefix('f')}" for each in read(data)[0]]


def skippable(data: bytes) -> bytes:
    """A zstd frame without content before the data, as parallel compressors write it."""
    return struct.pack("<II", 0x184D2A5E, 4) + b"none" + data


@pytest.mark.parametrize("stream", [io.BytesIO, Slow])
@pytest.mark.parametrize(
    "packed",
    [
        bytes,
        gzip.compress,
        lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]) + bytes(512),
        zstandard.compress,
        lambda data: skippable(zstandard.compress(data[:50])) + zstandard.compress(data[50:]),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: b"\xff\xfe" + data.decode().encode("utf-16-le"),
        lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
        lambda data: gzip.compress(b"\xef\xbb\xbf" + data),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\n \n" + data.replace(b"\n", b"\n\r\n\t\n"),
        lambda data: data.removesuffix(b"\n"),
    ],
)
def test_how_a_text_is_written_does_not_matter(packed: Callable[[bytes], bytes], stream: type[io.BytesIO]) -> None:
    """Compression is recognised by content, in files and in pipes; marks, line ends and blank lines are no lines."""
    found = events(packed(LINES), stream=stream)
    assert [(event.id, event.source, event.index) for event in found] == [
        ("one", ONE, "winlogbeat-files"),
        ("two", TWO, "winlogbeat-files"),
    ]
    assert [json.loads(event.raw) for event in found] == [ONE, TWO]
    assert b"".join(event.raw + b"\n" for event in found) == LINES


def test_places_count_the_lines_of_the_file() -> None:
    """Blank lines are counted, since editors count them."""
    assert [event.place for event in events(b"\n" + LINES.replace(b"\n", b"\n\n"))] == ["f:2", "f:4"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "is no JSON: unexpected end of data"),
        (b'{"a": NaN}', "is no JSON: "),
        (b'{"a": "\xff"}', "is no JSON: "),
        (b"\0" * 10, "is no JSON: "),
        (b'{"a": "x\0y"}', "is no JSON: "),
        (b"[" * 2000, "is no JSON: "),
        (b"2026-03-01 a log line", "is no JSON: "),
        (b'"text"', "is JSON, but a text and no object"),
        (b"17", "is JSON, but a number and no object"),
        (b"true", "is JSON, but true or false and no object"),
        (b"null", "is JSON, but null and no object"),
    ],
)
def test_a_broken_line_is_named_and_loses_nothing_else(line: bytes, reason: str) -> None:
    """At the beginning, in between, and at the end."""
    found, _ = read(line + b"\n" + LINES + line + b"\n" + LINES.replace(b'"one"', b'"three"') + line)
    assert [each.place for each in found if isinstance(each, Broken)] == ["f:1", "f:4", "f:7"]
    assert all(each.reason.startswith(reason) for each in found if isinstance(each, Broken))
    assert [each.id for each in found if isinstance(each, Event)] == ["one", "two", "three", "two"]


def test_a_line_without_end_is_bounded() -> None:
    """It is passed over without being kept, wherever blocks happen to end; the next line is read."""
    for size in (1, 3, 7, 64, 1000):
        text = b"ab\n" + b"x" * 50 + b"\ncd\n" + b"y" * 51 + b"\n" + b"z" * 20
        blocks = (text[at : at + size] for at in range(0, len(text), size))
        numbered = {begin + at: line for begin, lines in batches(blocks, longest=50) for at, line in enumerate(lines)}
        assert numbered == {1: b"ab", 2: b"x" * 50, 3: b"cd", 4: None, 5: b"z" * 20}


def test_a_line_that_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its number, and without losing the others."""
    monkeypatch.setattr(ndjson, "batches", lambda text: batches(text, longest=200))
    long = b'{"a": "' + b"x" * 300 + b'"}\n'
    assert ids(LINES + long + LINES) == ["one", "two", "!:3", "one", "two"]
    assert ids(b'{"index": {"_id": "a"}}\n' + long + LINES) == ["!:2", "one", "two"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_was_cut_yields_what_is_left(pack: Callable[[bytes], bytes]) -> None:
    """Every whole line before the cut is an event; the file is named as cut."""
    lines = b"".join(
        json.dumps({"event": {"id": str(n)}, "x": f"{n * 7919:x}" * 9}).encode() + b"\n" for n in range(9000)
    )
    found, _ = read(pack(lines)[:-20_000])
    *whole, cut = found
    assert isinstance(cut, Broken)
    assert cut.place == "f"
    assert "cut short" in cut.reason
    kept = [each.id for each in whole if isinstance(each, Event)]
    assert kept == [str(number) for number in range(len(kept))]
    assert 1000 < len(kept) < 9000


def test_damaged_gzip_data_are_named() -> None:
    """Bytes that were changed, and bytes that follow."""
    packed = gzip.compress(LINES)
    changed, _ = read(packed[:30] + bytes([packed[30] ^ 0xFF, packed[31] ^ 0xFF]) + packed[32:])
    assert isinstance(changed[-1], Broken)
    assert ids(packed + b"something else") == ["one", "two", "!"]


def test_half_a_character_breaks_its_own_line_only() -> None:
    """A lone surrogate in UTF-16 is no text that JSON may hold."""
    text = LINES.decode().replace("one", "\ud800").encode("utf-16-le", errors="surrogatepass")
    assert ids(b"\xff\xfe" + text) == ["!:1", "two"]


def test_ids_are_those_the_lines_bring() -> None:
    """`event.id`, spelled either way; a number is an id, an empty text, an object or nothing is none."""
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"event": {"id": "a"}, "x": 1}, "a"),
        ({"event.id": "b", "x": 1}, "b"),
        ({"event": {"id": ["c", "d"]}, "x": 1}, "c"),
        ({"event": {"id": 17}, "x": 1}, "17"),
        ({"event": {"id": "é" * 256}, "x": 1}, "é" * 256),
        ({"event": {"id": ""}, "x": 1}, None),
        ({"event": {"id": True}, "x": 1}, None),
        ({"event": {"id": {"a": 1}}, "x": 1}, None),
        ({"event": "text", "x": 1}, None),
        ({"x": 1, "y": 2}, None),
    ]
    for source, expected in cases:
        (found,) = events(json.dumps(source).encode())
        assert (found.id if len(found.id) != 32 else None) == expected


def test_an_id_that_is_too_long_is_shortened_the_same_way_each_time() -> None:
    """Elasticsearch takes 512 bytes."""
    lines = json.dumps({"event": {"id": "é" * 257}, "x": 1}).encode() + b"\n"
    first, second = events(lines + lines)
    assert first.id == second.id
    assert len(first.id) == 32


def test_lines_without_an_id_keep_theirs_and_stay_apart() -> None:
    """The same file gives the same ids; equal lines, and equal files in two places, stay different events."""
    lines = b'{"a": 1, "b": 2}\n' * 3
    found = [event.id for event in events(lines)]
    assert len(set(found)) == 3
    assert [event.id for event in events(lines)] == found
    assert not set(found) & {event.id for event in events(lines, identity="/b")}


@pytest.mark.parametrize(
    ("source", "index"),
    [
        ({"event": {"module": "sysmon"}}, "winlogbeat-files"),
        ({}, "winlogbeat-files"),
        (
            {"data_stream": {"type": "logs", "dataset": "windows.sysmon", "namespace": "prod"}},
            "logs-windows.sysmon-prod",
        ),
        ({"data_stream.type": "logs", "data_stream.dataset": "Aws.X Y"}, "logs-aws.x_y-default"),
        ({"data_stream": {"type": "logs"}}, "winlogbeat-files"),
        ({"data_stream": "text", "event": 1}, "winlogbeat-files"),
        (
            {"event": {"module": "endpoint", "dataset": "endpoint.events.network"}},
            "logs-endpoint.events.network-default",
        ),
        ({"event.dataset": "endpoint.alerts"}, "logs-endpoint.alerts-default"),
        ({"event": {"module": "endpoint", "category": ["file"]}}, "logs-endpoint.events.file-default"),
        ({"event": {"module": "endpoint"}}, "logs-endpoint.events.other-default"),
    ],
)
def test_an_event_goes_where_its_shipper_would_have_put_it(source: dict[str, Any], index: str) -> None:
    """Unless the caller says where all events go."""
    line = json.dumps({"x": 1, **source}).encode()
    assert events(line)[0].index == index
    assert events(line, index="case-42")[0].index == "case-42"


@pytest.mark.parametrize(
    ("written", "index"),
    [
        ("winlogbeat-8.6.2", "winlogbeat-8.6.2"),
        (".ds-winlogbeat-8.6.2-2026.03.01-000007", "winlogbeat-8.6.2"),
        ("partial-.ds-logs-endpoint.events.network-default-2026.03.01-000001", "logs-endpoint.events.network-default"),
        ("far:winlogbeat-7", "winlogbeat-7"),
        ("Winlogbeat 8", "winlogbeat_8"),
        ("_x", "x"),
        ("..", "winlogbeat-files"),
        ("x" * 300, "x" * 255),
        ("", "winlogbeat-files"),
        (5, "winlogbeat-files"),
    ],
)
def test_the_index_of_a_hit_is_kept_or_made_legal(written: Any, index: str) -> None:
    """An index behind a data stream has the name of the stream, which is what patterns of rules match."""
    assert events(json.dumps({"_index": written, "_id": "1", "_source": {"x": 1}}).encode())[0].index == index


def test_hits_are_unwrapped() -> None:
    """Their `_id` comes before the `event.id` inside; a hit without one has that."""
    lines = [{"_index": "a", "_id": "outer", "_score": 1, "_source": ONE}, {"_index": "a", "_source": TWO}]
    found = events(b"\n".join(json.dumps(line).encode() for line in lines))
    assert [(event.id, event.source, json.loads(event.raw)) for event in found] == [
        ("outer", ONE, ONE),
        ("two", TWO, TWO),
    ]


def test_an_event_that_looks_like_a_hit_is_an_event() -> None:
    """Only `_source` beside `_id` or `_index` is a wrapping; `hits` belongs to an answer only beside `took`."""
    for source in (
        {"_source": {"x": 1}, "a": 1},
        {"_source": "x", "_id": "y"},
        {"hits": {"hits": []}, "a": 1},
        {"a": 1},
    ):
        assert events(json.dumps(source).encode())[0].source == source


def test_a_bulk_body_is_unwrapped() -> None:
    """Actions name the document that follows; what is no document to be written is told."""
    lines: list[Any] = [
        {"index": {"_index": "w-1", "_id": "a"}}, ONE,
        {"create": {}}, TWO,
        {"delete": {"_id": "gone"}},
        {"update": {"_id": "u"}}, {"doc": {"x": 1}},
        {"index": {"_id": "k"}}, {"index": {"name": "an event"}},
        {"index": {"name": "an event", "_id": "e"}},
        {"create": {"_id": "last"}},
    ]  # fmt: skip
    found, _ = read(b"\n".join(json.dumps(line).encode() for line in lines))
    assert [(each.id, each.index) if isinstance(each, Event) else each.place for each in found] == [
        ("a", "w-1"), ("two", "winlogbeat-files"), "f:5", "f:7", ("k", "winlogbeat-files"),
        (found[5].id, "winlogbeat-files"), "f:11",
    ]  # fmt: skip
    assert "deletes" in found[2].reason
    assert "without a document" in found[6].reason


def test_an_action_before_a_broken_line_names_no_other_document() -> None:
    """The line after the broken one is an event of its own."""
    action = b'{"index": {"_id": "a"}}\n'
    assert ids(action + b"{broken\n" + LINES) == ["!:2", "one", "two"]
    assert ids(action + b"17\n" + LINES) == ["!:1", "!:2", "one", "two"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ONE, TWO]),
        json.dumps([ONE, TWO], indent=2),
        "\n\n " + json.dumps([{"_id": "one", "_source": ONE}, {"_id": "two", "_index": "a", "_source": TWO}], indent=1),
        "[" + json.dumps(ONE) + ",\n" + json.dumps(TWO) + "]",
        "[\n" + json.dumps(ONE) + ",\n" + json.dumps(TWO) + "\n]\n",
        json.dumps({"took": 3, "hits": {"hits": [{"_id": "one", "_source": ONE}, {"_id": "two", "_source": TWO}]}}),
        json.dumps(
            {"took": 3, "hits": {"hits": [{"_id": "one", "_source": ONE}, {"_id": "two", "_source": TWO}]}}, indent=1
        ),
    ],
)
def test_arrays_and_answers_hold_events(text: str) -> None:
    """On one line or over many."""
    found = events(text.encode())
    assert [(event.id, event.source) for event in found] == [("one", ONE), ("two", TWO)]
    assert all(b"\n" not in event.raw and json.loads(event.raw) == event.source for event in found)


def test_an_array_that_is_too_long_to_be_read_at_once_is_read_by_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as each line holds one element, which is how most tools write them."""
    monkeypatch.setattr(ndjson, "LONGEST_WHOLE", 10)
    lines = ",\n".join(json.dumps({"event": {"id": f"e{n}"}, "x": n}) for n in range(2_000))
    for text in (f"[\n{lines}\n]\n", f"[{lines}]"):
        assert ids(text.encode()) == [f"e{number}" for number in range(2_000)]


def test_an_array_that_was_cut_yields_its_whole_lines() -> None:
    """And names what is left of the last one."""
    text = json.dumps(ONE) + ",\n" + json.dumps(TWO) + ",\n" + '{"event": {'
    assert ids(f"[\n{text}".encode()) == ["one", "two", "!:4"]
    assert ids(gzip.compress(f"[\n{text}".encode())[:-3]) == ["one", "two", "!:4", "!"]


def test_what_is_no_event_in_an_array_is_named_by_its_position() -> None:
    """Equal elements stay two events."""
    found, _ = read(json.dumps([{"a": 1}, 5, {"a": 1}, [], {"a": 1}]).encode())
    assert [each.place for each in found] == ["f:1[1]", "f:1[2]", "f:1[3]", "f:1[4]", "f:1[5]"]
    assert len({each.id for each in found if isinstance(each, Event)}) == 3
    assert read(b"[]")[0] == []


def test_one_object_over_several_lines_is_an_event_if_it_has_a_time() -> None:
    """Other JSON files lie about in folders too."""
    assert ids(json.dumps(ONE, indent=2).encode()) == ["one"]
    assert ids(json.dumps({"name": "a project", "version": "1"}, indent=2).encode()) == ["!:1"]


def test_an_empty_text_holds_nothing() -> None:
    """Compressed or not."""
    for data in (b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b""), zstandard.compress(b"")):
        assert read(data)[0] == []
