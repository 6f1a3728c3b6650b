"""Segments: the documents of complete chunks as columns in files.

They are made of the documents and hold nothing else, so that one that is missing or damaged is built again when it is
asked for; where its file cannot be written, it is used from memory. Nothing that was acknowledged depends on them.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.indexer import Indexer, Malformed
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.segment import FileSegment, MemorySegment, SegmentError, write_segment
from lolbin_rules.errors import StoreError
from lolbin_rules.store.embedded import errors
from lolbin_rules.store.embedded.catalog import ROW_BITS
from lolbin_rules.store.embedded.database import Database
from lolbin_rules.store.embedded.deadline import Deadline
from lolbin_rules.store.embedded.growth import Chunk, Growths, Numbering
from lolbin_rules.store.embedded.rows import Stretch, every_row
from lolbin_rules.store.embedded.views import ChunkView, Sealed

__all__ = ["Sealer"]

logger = logging.getLogger("lolbin_rules.store")

_SHORT_WAIT = timedelta(milliseconds=50)
_MAKING = timedelta(minutes=10)
"""A file that was written to since may be one that another program is just making."""
_MOST_REMEMBERED = 200_000
"""Rows of incomplete chunks whose columns are kept: some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a chunk, or of as much of it as there is.

    Attributes:
        by_name: the columns.
        size: how many rows they have.
        unread: the `seq` of documents that no columns could be made of.
    """

    by_name: Mapping[str, Column]
    size: int
    unread: tuple[int, ...] = ()

    def in_memory(self) -> Sealed:
        """As a segment that is in no file."""
        return Sealed(MemorySegment(self.by_name, self.size), self.unread)


class Sealer:
    """Makes, keeps and finds the segments of one database; any number of threads may share it.

    Args:
        database: what knows of them.
        growths: what is known of chunks under way.
        folder: where their files are, one folder for each index.
    """

    def __init__(self, database: Database, growths: Growths, folder: Path) -> None:
        self._database = database
        self._growths = growths
        self._folder = folder
        self._per_index = (1 << ROW_BITS) // database.segment_rows
        self._building = threading.Lock()
        self._remembering = threading.Lock()
        self._incomplete: dict[int, tuple[int, Sealed]] = {}
        """The columns of incomplete chunks and of which state they are, those used last at the end."""

    def seal(self, chunk: Chunk) -> None:
        """Keep the columns of a chunk that was just completed; where that fails, they are built when needed."""
        self._keep(chunk.number, chunk.index_uuid, chunk.cut(), chunk.size)

    def view(
        self, connection: sqlite3.Connection, stretch: Stretch, ids: frozenset[str] | None, deadline: Deadline
    ) -> ChunkView:
        """The columns of a chunk as it was before anything in it was changed.

        Args:
            connection: sees the documents.
            stretch: the chunk.
            ids: see `ChunkView`.
            deadline: ends the building of columns.

        Raises:
            StoreOverwhelmed, StoreUnavailable: the time is over.
        """

        def rebuild() -> Sealed:
            return self._build(connection, stretch, deadline)

        found = self._open(connection, stretch) if stretch.is_complete else self._remembered(stretch)
        return ChunkView(connection, stretch, found or rebuild(), rebuild, ids)

    def is_ready(self, connection: sqlite3.Connection, stretch: Stretch) -> bool:
        """Whether the chunk has columns that need not be built."""
        if not stretch.is_complete:
            return self._remembered(stretch) is not None
        return self._path(connection, stretch) is not None

    def sweep(self, now: datetime) -> None:
        """Remove files that nobody knows of: what a program left that was killed while it made them."""
        with self._database.reading() as connection:
            known = set(
                connection.execute("SELECT uuid, file FROM segments JOIN indices ON chunk / ? = id", (self._per_index,))
            )
        for path in self._folder.glob("*/*"):
            if (path.parent.name, path.name) not in known and _is_old(path, now):
                _remove(path)
        self._remove_folders()

    def drop(self, files: Iterable[tuple[str, str]]) -> None:
        """Remove segments that are no longer known: of each the uuid of its index, and its name."""
        for index_uuid, name in files:
            _remove(self._folder / index_uuid / name)
        self._remove_folders()

    def _remove_folders(self) -> None:
        for folder in self._folder.glob("*"):
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()

    def remove(self, index_uuid: str) -> None:
        """Remove the files of an index that is no more."""
        shutil.rmtree(self._folder / index_uuid, ignore_errors=True)

    def _path(self, connection: sqlite3.Connection, stretch: Stretch) -> Path | None:
        row = connection.execute("SELECT file FROM segments WHERE chunk = ?", (stretch.chunk,)).fetchone()
        return self._folder / stretch.index.uuid / row[0] if row else None

    def _open(self, connection: sqlite3.Connection, stretch: Stretch) -> Sealed | None:
        path = self._path(connection, stretch)
        if path is None:
            return None
        try:
            segment = FileSegment(path)
        except (SegmentError, OSError) as error:
            logger.warning("A segment of %s is built again: %s", stretch.index.name, error)
            return None
        if segment.size != stretch.size:
            segment.close()
            return None
        return Sealed(segment)

    def _remembered(self, stretch: Stretch) -> Sealed | None:
        with self._remembering:
            found = self._incomplete.pop(stretch.chunk, None)
            if found is None or found[0] != stretch.index.stamp:
                return None
            self._incomplete[stretch.chunk] = found
            return found[1]

    def _remember(self, stretch: Stretch, sealed: Sealed) -> None:
        with self._remembering:
            self._incomplete.pop(stretch.chunk, None)
            self._incomplete[stretch.chunk] = (stretch.index.stamp, sealed)
            while sum(each.segment.size for _, each in self._incomplete.values()) > _MOST_REMEMBERED:
                del self._incomplete[next(iter(self._incomplete))]

    def _build(self, connection: sqlite3.Connection, stretch: Stretch, deadline: Deadline) -> Sealed:
        """Build the columns: one chunk at a time, as it takes a whole processor and some memory."""
        while not self._building.acquire(timeout=_SHORT_WAIT.total_seconds()):
            deadline.check()
        with contextlib.ExitStack() as held:
            held.callback(self._building.release)
            columns = self._as_written(stretch) or _columns(connection, stretch, deadline)
        if stretch.is_complete:
            self._keep(stretch.chunk, stretch.index.uuid, columns.by_name.items(), columns.size, columns.unread)
        else:
            self._remember(stretch, columns.in_memory())
        return columns.in_memory()

    def _as_written(self, stretch: Stretch) -> _Columns | None:
        """The columns of a chunk under way, if this program has written it and nobody else has since."""
        found = None if stretch.is_complete else self._growths.under_way(stretch.index.id, stretch.index.stamp)
        return _Columns(*found) if found and found[1] == stretch.size else None

    def _keep(
        self,
        chunk: int,
        index_uuid: str,
        columns: Iterable[tuple[str, Column]],
        size: int,
        unread: Sequence[int] = (),
    ) -> None:
        """Write a segment's file, under a name that none ever had, and make it known."""
        folder = self._folder / index_uuid
        path = folder / f"{chunk:x}-{secrets.token_hex(4)}.segment"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_segment(path, columns, size)
            with self._database.writing() as connection:
                former = connection.execute("SELECT file FROM segments WHERE chunk = ?", (chunk,)).fetchone()
                connection.execute(
                    "INSERT OR REPLACE INTO segments SELECT ?, ? FROM indices WHERE uuid = ? AND name IS NOT NULL",
                    (chunk, path.name, index_uuid),
                )
                connection.executemany("INSERT OR IGNORE INTO changed VALUES (?)", [(seq,) for seq in unread])
        except (OSError, StoreError) as error:
            text = errors.reason(error) if isinstance(error, OSError) else error
            logger.warning("A segment could not be kept and will be built when it is needed: %s", text)
            _remove(path)
        else:
            if former:
                _remove(folder / former[0])


def _is_old(path: Path, now: datetime) -> bool:
    with contextlib.suppress(OSError):  # whoever made it has just removed it
        return abs(now - datetime.fromtimestamp(path.stat().st_mtime, UTC)) > _MAKING
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # some systems keep files that somebody reads; `sweep` comes by again
        path.unlink(missing_ok=True)


def _columns(connection: sqlite3.Connection, stretch: Stretch, deadline: Deadline) -> _Columns:
    """The columns of a chunk, from its documents."""
    mappings, settings = connection.execute(
        "SELECT mappings, settings FROM indices WHERE id = ?", (stretch.index.id,)
    ).fetchone()
    # A mapping of its own: one that others read must not be added to.
    indexer = Indexer(IndexMapping(orjson.loads(mappings), orjson.loads(settings)))
    numbering = Numbering(stretch.index.shards)
    unread = []

    def fill(rows: int) -> None:
        """Empty rows for documents that were removed."""
        while indexer.size < rows:
            indexer.add({})
            numbering.add_nothing()

    for batch in every_row(connection, stretch):
        deadline.check()
        for seq, name, seq_no, raw in batch:
            fill(seq - stretch.first)
            try:
                indexer.add(orjson.loads(raw))
            except Malformed as error:
                # It was taken once, by a version of the program that understood it otherwise.
                logger.warning("The document %s/%s is read by itself: %s", stretch.index.name, name, error)
                unread.append(seq)
                fill(seq - stretch.first + 1)
            else:
                numbering.add(name, seq_no)
    fill(stretch.size)
    return _Columns(indexer.columns() | numbering.columns(), stretch.size, tuple(unread))
