"""Which files are read, in which order, by which reader."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from importers.evtx_writer import event, write_evtx
from lolbin_rules.errors import SettingsError
from lolbin_rules.importers import Broken, Event, event_files, read_events, total_bytes


def line(name: str) -> bytes:
    """An event with this id."""
    return json.dumps({"event": {"id": name}, "host": {"name": "a"}}).encode() + b"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Events in every form, and what is none."""
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    files = {
        "b/2.ndjson": line("2"),
        "b/10.json.gz": gzip.compress(line("10")),
        "a.JSONL.zst": zstandard.compress(line("a")),
        "c.evtx": write_evtx([[event(channel="System", code=1, provider="P")]]),
        "notes.txt": b"notes",
        "app.log": b"a log",
        ".hidden/x.ndjson": line("x"),
        "._c.ndjson": b"\0\5\x16\7",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_folder_is_searched_by_name(folder: Path) -> None:
    """In order, whatever order the file system has; hidden files and others are passed over."""
    assert [file.relative_to(folder).as_posix() for file in event_files([folder])] == [
        "a.JSONL.zst",
        "b/10.json.gz",
        "b/2.ndjson",
        "c.evtx",
    ]


def test_each_file_is_read_by_its_content_and_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named twice, in two ways; with a suffix that says nothing or the wrong thing."""
    (folder / "notes.txt").write_bytes(gzip.compress(line("n")))
    monkeypatch.chdir(folder)
    paths = [Path("notes.txt"), folder, Path("b/2.ndjson"), folder / "b" / ".." / "notes.txt"]
    found = list(read_events(paths))
    assert all(isinstance(each, Event) for each in found)
    assert [each.id for each in found if isinstance(each, Event)][:4] == ["n", "a", "10", "2"]
    assert [each.place for each in found][-1] == f"{folder}/c.evtx:1"


def test_progress_adds_up_to_the_bytes_on_the_disk(folder: Path) -> None:
    """Compressed files by their compressed size, event logs too."""
    told: list[int] = []
    assert len(list(read_events([folder], read=told.append))) == 4
    files = event_files([folder])
    assert sum(told) == total_bytes(files) == sum(file.stat().st_size for file in files)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "missing cannot be read"), ("empty", "holds no file of events"), ("a\0b", "cannot be read")],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(tmp_path: Path, name: str, message: str) -> None:
    """Even where it comes last."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.ndjson").write_bytes(line("1"))
    for ask in (event_files, read_events):
        with pytest.raises(SettingsError, match=message):
            ask([tmp_path / "a.ndjson", tmp_path / name])


@pytest.mark.parametrize("index", ["Upper", "a b", "_a", "-a", "", "a,b", "a*", "..", "x" * 256])
def test_an_index_that_cannot_be_is_refused(index: str) -> None:
    """The caller's own word is not bent."""
    with pytest.raises(SettingsError, match="no name for an index"):
        read_events([Path(__file__)], index=index)


def test_the_index_that_was_asked_for_holds_all(folder: Path) -> None:
    """Event logs and texts."""
    assert {each.index for each in read_events([folder], index="case.42") if isinstance(each, Event)} == {"case.42"}


def test_stdin_is_read_as_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed or not; how much there will be is not known."""
    for data in (line("1"), gzip.compress(line("1")), zstandard.compress(line("1"))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        (found,) = read_events([Path("-")])
        assert isinstance(found, Event)
        assert (found.id, found.place) == ("1", "stdin:1")
    assert total_bytes([Path("-")]) is None


def test_an_event_log_in_a_pipe_is_named(tmp_path: Path) -> None:
    """It has to be read back and forth."""
    reading, writing = os.pipe()
    os.write(writing, b"ElfFile\0" + bytes(100))
    os.close(writing)
    found = list(read_events([Path(f"/dev/fd/{reading}")]))
    os.close(reading)
    assert [each.reason.partition(",")[0] for each in found if isinstance(each, Broken)] == [
        "is an event log (EVTX) in a pipe"
    ]


def test_a_file_that_cannot_be_opened_loses_no_other(tmp_path: Path) -> None:
    """It is named, with what the system says."""
    first, second = tmp_path / "1.ndjson", tmp_path / "2.ndjson"
    for file in (first, second):
        file.write_bytes(line(file.name))
    found = read_events([tmp_path])
    first.unlink()
    gone, kept = found
    assert isinstance(gone, Broken)
    assert gone.place == str(first)
    assert "No such file" in gone.reason
    assert isinstance(kept, Event)


def test_a_folder_that_cannot_be_searched_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in it would be missing without a word. Refused by hand here, since root may read every folder."""
    (tmp_path / "a.ndjson").write_bytes(line("1"))
    (tmp_path / "closed").mkdir()
    search = os.scandir

    def refuse(folder: str) -> Any:
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return search(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SettingsError, match="closed cannot be read: Permission denied"):
        event_files([tmp_path])


def test_the_same_file_gives_the_same_ids_wherever_it_is_named_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal lines of two files stay two events."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.ndjson").write_bytes(b'{"a": 1, "b": 2}\n')
    named = [each.id for each in read_events([tmp_path]) if isinstance(each, Event)]
    monkeypatch.chdir(tmp_path / "a")
    again = [each.id for each in read_events([Path("x.ndjson"), Path("../b")]) if isinstance(each, Event)]
    assert named == again
    assert len(set(named)) == 2


@pytest.mark.recordings
def test_recorded_events_are_read_as_they_are(recordings: Path) -> None:
    """A sample of the recordings: every line an event, byte for byte, under its own id."""
    file = recordings / "winlogbeat-otrf-psh_cmstp_execution_bypassuac.ndjson.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines()
    found = [each for each in read_events([file]) if isinstance(each, Event)]
    assert [each.raw for each in found] == lines
    assert [each.id for each in found] == [json.loads(line)["event"]["id"] for line in lines]
    endpoint = recordings / "logs-endpoint.events.network-public.ndjson.gz"
    indices = {each.index for each in read_events([endpoint]) if isinstance(each, Event)}
    assert indices == {"logs-endpoint.events.network-default"}
