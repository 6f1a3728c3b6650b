"""Segments in files: whole, durable and as they were, or refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lolbin_rules.dsl.column import Column, Numbers, Texts
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.segment import FileSegment, MemorySegment, SegmentError, write_segment

ROWS: dict[str, list[Values]] = {
    "name": [("a",), (), ("b",), ("a",)],
    "names": [("a", "b"), (), ("b",), ("", "\ud800", "😀")],
    "port": [(80,), (443,), (), (-(2**63),)],
    "ports": [(80, 443), (443,), (), (2**63 - 1, -(2**63))],
    "ip": [(0xFFFF01020304,), (), (2**128 - 1,), (1,)],
    "ips": [(0xFFFF01020304, 1), (), (2**128 - 1,), (1,)],
    "score": [(0.1,), (-1e300,), (), (5.0,)],
    "scores": [(0.1, 2.0), (-1e300,), (), (5.0,)],
    "nothing": [(), (), (), ()],
}
SIZE = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a segment of all kinds of columns."""
    file = tmp_path / "segment"
    write_segment(file, [(field, Column.of(rows)) for field, rows in ROWS.items()], SIZE, {"first": 7})
    return file


def values_of(column: Column | None) -> list[Values] | None:
    """The values row by row; None if there is no column."""
    return None if column is None else [column.values(row) for row in range(column.size)]


def read_all(path: Path) -> None:
    """Read every column."""
    with FileSegment(path) as segment:
        for field in segment.fields:
            segment.column(field)


@pytest.mark.parametrize("field", ROWS)
def test_a_column_is_read_as_it_was_written(path: Path, field: str) -> None:
    """Texts, whole numbers, fractions and numbers of 128 bits, one or several in a row."""
    with FileSegment(path) as segment:
        assert (segment.size, segment.about) == (SIZE, {"first": 7})
        column = segment.column(field)
    assert values_of(column) == (None if field == "nothing" else ROWS[field])
    if column:
        assert {type(value) for row in ROWS[field] for value in row} == {
            type(value) for row in column.dictionary for value in row
        }


def test_single_values_do_not_become_objects(path: Path) -> None:
    """What may be different in every row stays in arrays until somebody asks."""
    with FileSegment(path) as segment:
        kinds = {field: type(column.dictionary) for field in ROWS if (column := segment.column(field))}
    assert kinds["name"] is Texts
    assert kinds["port"] is kinds["score"] is Numbers


def test_a_column_is_read_once_and_only_when_asked_for(path: Path) -> None:
    """Later damage is not noticed where nothing is read."""
    with FileSegment(path) as segment:
        column = segment.column("name")
        path.write_bytes(b"x" * path.stat().st_size)
        assert segment.column("name") is column
        assert segment.column("unknown") is None
        segment.forget()
        with pytest.raises(SegmentError, match="were changed"):
            segment.column("name")


def test_a_segment_that_is_replaced_stays_readable(path: Path) -> None:
    """Who has it open reads what was there."""
    with FileSegment(path) as segment:
        write_segment(path, [("name", Column.of([("z",)]))], 1)
        assert values_of(segment.column("name")) == ROWS["name"]
    with FileSegment(path) as segment:
        assert values_of(segment.column("name")) == [("z",)]


def test_a_cut_off_segment_is_refused(path: Path) -> None:
    """At every length, and with every kind of tail."""
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SegmentError, match="has to be built again"):
            FileSegment(path)
    for tail in (b"\0", b"x" * 100, whole):
        path.write_bytes(whole + tail)
        with pytest.raises(SegmentError):
            FileSegment(path)


def test_a_changed_byte_is_noticed(path: Path) -> None:
    """Wherever it is: when the file is opened or when the column is read."""
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        path.write_bytes(changed)
        with pytest.raises(SegmentError):
            read_all(path)


@pytest.mark.parametrize("content", [b"", b"lolseg01", b"SQLite format 3\0" * 10, json.dumps({"size": 3}).encode()])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is not guessed at."""
    file = tmp_path / "foreign"
    file.write_bytes(content)
    with pytest.raises(SegmentError, match=r"foreign is no whole segment: .*built again"):
        FileSegment(file)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    """The caller knows that from damage."""
    with pytest.raises(FileNotFoundError):
        FileSegment(tmp_path / "none")


def test_a_failed_write_leaves_the_former_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is renamed that was not written to the end, and nothing is left behind."""

    def fail(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_segment(path, [("name", Column.of([("z",)]))], 1)
    assert list(path.parent.iterdir()) == [path]
    with FileSegment(path) as segment:
        assert values_of(segment.column("name")) == ROWS["name"]


def test_mixed_kinds_of_values_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """A field has one type."""
    with pytest.raises(TypeError):
        write_segment(tmp_path / "x", [("f", Column.of([(1,), ("a",)]))], 2)


@given(
    st.one_of(
        st.lists(st.lists(st.text(st.characters(), max_size=4), max_size=3).map(tuple), min_size=1, max_size=20),
        st.lists(st.lists(st.integers(0, 2**128 - 1), max_size=3).map(tuple), min_size=1, max_size=20),
        st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2).map(tuple), min_size=1, max_size=20),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_any_values_survive(tmp_path: Path, rows: list[Values]) -> None:
    """Lone surrogates, empty texts, extreme numbers."""
    write_segment(tmp_path / "any", [("f", Column.of(rows))], len(rows))
    with FileSegment(tmp_path / "any") as segment:
        assert values_of(segment.column("f")) == (rows if any(rows) else None)


def test_many_distinct_values_are_small_on_disk(tmp_path: Path) -> None:
    """Ascending timestamps take about two bytes each besides their codes."""
    times = 1_700_000_000_000 + np.arange(50_000, dtype=np.int64) * 37
    write_segment(tmp_path / "times", [("t", Column.of_numbers(times))], len(times))
    assert (tmp_path / "times").stat().st_size < 4 * len(times)
    with FileSegment(tmp_path / "times") as segment:
        column = segment.column("t")
        assert column
        assert column.values(49_999) == (1_700_000_000_000 + 49_999 * 37,)


def test_columns_at_hand_are_a_segment() -> None:
    """As long as they are in memory."""
    column = Column.of([("a",)])
    segment = MemorySegment({"f": column}, 1)
    assert segment.size == 1
    assert segment.column("f") is column
    assert segment.column("g") is None
