"""The embedded store when programs are killed, disks are full, files are odd, and others use it at the same time."""

from __future__ import annotations

import ast
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pytest

from lolbin_rules.errors import LolbinRulesError, SettingsError, StoreUnavailable
from lolbin_rules.store.embedded import errors
from lolbin_rules.store.port import Document, Key, Scan
from store.bench import ALL, hits_of, verdicts
from store.conftest import open_embedded
from store.embedded_child import SMALL, event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lolbin_rules.store.embedded import EmbeddedStore

CHILD = Path(__file__).with_name("embedded_child.py")
KILLS = 20
SOON = timedelta(seconds=30)


@pytest.fixture
def opened(folder: Path) -> Iterator[EmbeddedStore]:
    """A store in that folder."""
    store = open_embedded(folder, segment_rows=SMALL)
    yield store
    store.close()


def start(job: str, folder: Path, *names: str) -> subprocess.Popen[str]:
    """Another program on the same folder."""
    return subprocess.Popen(
        [sys.executable, str(CHILD), job, str(folder), *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ids(store: EmbeddedStore, index: str = "events") -> Counter[str]:
    """How often a scan finds each id."""
    return Counter(hit.key.id for hit in hits_of(store.scan(Scan((index,), {"all": ALL}, ALL))))


def is_sound(folder: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    connection = sqlite3.connect(folder / "store.sqlite")
    (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return bool(answer == "ok")


def test_what_was_acknowledged_survives_kills(folder: Path) -> None:
    """After 20 kills in the middle of writing, every acknowledged document is there, once, and the file is sound."""
    chance = random.Random(20)
    acknowledged: list[str] = []
    with start("killed", folder) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for number in range(KILLS):
            program.stdin.write(f"{number}\n")
            program.stdin.flush()
            process = int(program.stdout.readline())
            lines = iter(program.stdout.readline, "end\n")
            acknowledged += islice(lines, chance.randrange(1, 150))
            os.kill(process, signal.SIGKILL)
            acknowledged += lines
        _, complaints = program.communicate()
    assert complaints == ""
    store = open_embedded(folder)
    found = ids(store)
    assert len(acknowledged) > KILLS * 40
    assert {line.strip() for line in acknowledged} <= found.keys()
    assert set(found.values()) == {1}
    assert store.count(["events"], ALL, within=SOON).value == len(found)
    store.close()
    assert is_sound(folder)


def test_programs_that_share_a_folder_do_not_notice_each_other(folder: Path) -> None:
    """Three programs that write and scan at once see no lock and lose nothing."""
    programs = [start("share", folder, name) for name in "abc"]
    ends = [program.communicate(timeout=60) for program in programs]
    assert [(program.returncode, complaints) for program, (_, complaints) in zip(programs, ends, strict=True)] == [
        (0, "")
    ] * 3
    store = open_embedded(folder)
    assert Counter(name[0] for name in ids(store).elements()) == {"a": 250, "b": 250, "c": 250}
    store.close()
    assert is_sound(folder)


def test_threads_that_share_a_store_see_whole_transactions(opened: EmbeddedStore) -> None:
    """While one thread writes ten documents at a time, four others scan: what they see is always whole tens."""
    opened.create([Document(Key("events", str(number)), event(number)) for number in range(10)])
    seen: list[int] = []
    faults: list[Exception] = []
    is_done = threading.Event()

    def read() -> None:
        try:
            while not is_done.is_set():
                seen.append(sum(ids(opened).values()))
        except LolbinRulesError as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for start in range(10, 400, 10):
        opened.create([Document(Key("events", str(number)), event(number)) for number in range(start, start + 10)])
    is_done.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert len(seen) >= 4
    assert {number % 10 for number in seen} == {0}


def test_a_full_disk_loses_nothing_that_was_acknowledged(folder: Path) -> None:
    """When files may not grow, documents are UNAVAILABLE with a reason; with room again, exactly those are created."""
    program = start("fill", folder, "f")
    told, complaints = program.communicate(timeout=60)
    assert (program.returncode, complaints) == (0, "")
    first, again, reason = told.splitlines()
    (created, written), *others = ast.literal_eval(first)
    assert created == "created"
    assert {verdict for verdict, _ in others} >= {"unavailable"}
    assert "Make room" in reason or "disk" in reason
    exist = Counter[str]()
    for verdict, length in ast.literal_eval(again):
        exist[verdict] += length
    taken = written + sum(length for verdict, length in others if verdict == "created")
    assert exist == {"exists": taken, "created": 3000 - taken}
    store = open_embedded(folder)
    assert sum(ids(store).values()) == 3000
    store.close()
    assert is_sound(folder)


def test_a_database_that_may_not_grow_tells_of_it(opened: EmbeddedStore) -> None:
    """SQLite's own word for a full disk: nothing half written, nothing lost, and it works again afterwards."""
    documents = [Document(Key("events", str(number)), event(number)) for number in range(2000)]
    limit(opened, 60)
    outcomes = opened.create(documents)
    assert set(verdicts(outcomes)) == {"unavailable"}
    assert "database or disk is full" in outcomes[0].reason
    assert ids(opened) == {}
    limit(opened, 1 << 30)
    assert set(verdicts(opened.create(documents))) == {"created"}
    assert sum(ids(opened).values()) == 2000


def limit(store: EmbeddedStore, pages: int) -> None:
    """Let the store's file have so many pages."""
    store._database._writer.execute(f"PRAGMA max_page_count = {pages:d}")


def test_segments_that_cannot_be_written_are_done_without(folder: Path, opened: EmbeddedStore) -> None:
    """Where the files of segments cannot be, documents are written and found all the same."""
    (folder / "segments").write_text("in the way")
    documents = [Document(Key("events", str(number)), event(number)) for number in range(SMALL * 3)]
    assert set(verdicts(opened.create(documents))) == {"created"}
    assert sum(ids(opened).values()) == SMALL * 3


# Who else is there


def test_a_lock_that_is_held_is_waited_for_until_the_store_is_stopped(folder: Path, opened: EmbeddedStore) -> None:
    """While another program writes, ours waits; told to stop, it says so at once and has written nothing."""
    outcomes: list[Any] = []
    document = Document(Key("events", "1"), {})
    with filelock.FileLock(folder / "store.lock"):
        writer = threading.Thread(target=lambda: outcomes.extend(opened.create([document])))
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        opened.stop()
        writer.join(5)
    assert verdicts(outcomes) == ["unavailable"]


def test_a_lock_that_is_given_back_is_taken(folder: Path, opened: EmbeddedStore) -> None:
    """Waiting ends well when the other program is done."""
    outcomes: list[Any] = []
    with filelock.FileLock(folder / "store.lock"):
        writer = threading.Thread(target=lambda: outcomes.extend(opened.create([Document(Key("events", "1"), {})])))
        writer.start()
        writer.join(0.1)
    writer.join(5)
    assert verdicts(outcomes) == ["created"]


def test_a_stranger_that_locks_the_file_is_waited_for(folder: Path, opened: EmbeddedStore) -> None:
    """Somebody looks into the file with SQLite's own shell, in a transaction: no error, just a wait."""
    stranger = sqlite3.connect(folder / "store.sqlite", isolation_level=None, check_same_thread=False)
    stranger.execute("BEGIN IMMEDIATE")
    end = threading.Timer(0.5, stranger.execute, ["ROLLBACK"])
    end.start()
    assert verdicts(opened.create([Document(Key("events", "1"), {})])) == ["created"]
    end.join()
    stranger.close()


# What is found where the store should be


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """A folder under a file, which no user may write to."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot be used.*Name a folder"):
        open_embedded(tmp_path / "file" / "store")


def test_a_file_that_is_no_database_is_left_alone(folder: Path) -> None:
    """Whatever is there under that name is not ours to change."""
    folder.mkdir()
    (folder / "store.sqlite").write_bytes(b"something else " * 1000)
    with pytest.raises(SettingsError, match="no database of this program"):
        open_embedded(folder)
    assert (folder / "store.sqlite").read_bytes() == b"something else " * 1000


def test_the_database_of_another_program_is_left_alone(folder: Path) -> None:
    """It is a database, and not ours."""
    folder.mkdir()
    other = sqlite3.connect(folder / "store.sqlite")
    other.execute("CREATE TABLE bookmarks(url)")
    other.close()
    before = (folder / "store.sqlite").read_bytes()
    with pytest.raises(SettingsError, match="no database of this program"):
        open_embedded(folder)
    assert (folder / "store.sqlite").read_bytes() == before


def test_a_newer_layout_is_refused(folder: Path) -> None:
    """A program of tomorrow wrote it: today's says so and keeps off."""
    open_embedded(folder).close()
    connection = sqlite3.connect(folder / "store.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SettingsError, match=r"newer version of this program.*layout 99"):
        open_embedded(folder)


def test_a_damaged_file_is_told_of(folder: Path) -> None:
    """Pages of nonsense in the middle of the file are an error of ours, with a remedy, and never wrong hits."""
    store = open_embedded(folder, segment_rows=SMALL)
    store.create([Document(Key("events", str(number)), event(number)) for number in range(500)])
    store.close()
    file = folder / "store.sqlite"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 3 :] = b"\x5a" * (len(raw) - len(raw) // 3)
    file.write_bytes(raw)

    def read() -> None:
        store = open_embedded(folder)
        try:
            ids(store)
        finally:
            store.close()

    with pytest.raises(LolbinRulesError, match="damaged"):
        read()


def test_a_closed_store_is_stopped(folder: Path) -> None:
    """Every verb after `close` is unavailable."""
    store = open_embedded(folder)
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable):
        store.get([Key("events", "1")])


# What the errors mean


def test_every_code_of_sqlite_has_a_meaning() -> None:
    """The table has all primary result codes that SQLite documents as errors: 1 to 28."""
    assert set(errors.CODES) == set(range(1, 29))


def test_what_may_pass_is_tried_again() -> None:
    """Locks are waited for; nothing else is."""
    retried = {code for code, meant in errors.CODES.items() if meant.is_retried}
    assert retried == {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA}
