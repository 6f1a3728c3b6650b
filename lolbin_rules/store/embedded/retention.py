"""Removing documents: whole indices, and old events by age and size."""

from __future__ import annotations

import heapq
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from lolbin_rules.errors import StoreError
from lolbin_rules.store.embedded.catalog import ROW_BITS, Catalogs, Index
from lolbin_rules.store.embedded.database import Database
from lolbin_rules.store.embedded.rows import Stretch, stretches
from lolbin_rules.store.embedded.seal import Sealer

__all__ = ["Retention"]

logger = logging.getLogger("lolbin_rules.store")

_AT_ONCE = 8192
"""Documents removed in one transaction: others want to write as well."""
_PAGES_AT_ONCE = 4096
_MOST_FREE = 4
"""The file is made shorter where more than one page in so many is free; else what is free is written to again."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Victim(NamedTuple):
    """A document to be removed, unless it is changed before."""

    seq: int
    seq_no: int
    size: int


class Retention:
    """Removes from one database; any number of threads may share it.

    Args:
        database: holds the documents.
        catalogs: knows the indices.
        sealer: has the segments.
    """

    def __init__(self, database: Database, catalogs: Catalogs, sealer: Sealer) -> None:
        self._database = database
        self._catalogs = catalogs
        self._sealer = sealer

    def delete(self, expressions: Sequence[str]) -> list[str]:
        """Delete indices; their names."""
        with self._database.writing() as connection:
            doomed = self._catalogs.read(connection).resolve(expressions)
            connection.executemany("UPDATE indices SET name = NULL WHERE id = ?", [(index.id,) for index in doomed])
        if doomed:
            self._remove_doomed()
        return [index.name for index in doomed]

    def finish(self) -> None:
        """Go on with what a program left that was ended while it deleted indices."""
        try:
            self._remove_doomed()
        except StoreError as error:
            logger.warning("Documents of deleted indices are still there: %s", error)

    def retain(self, expressions: Sequence[str], *, older_than: datetime | None, more_than_bytes: int | None) -> int:
        """See `EmbeddedStore.retain`."""
        removed = 0
        while True:
            with self._database.reading() as connection:
                indices = self._catalogs.read(connection).resolve(expressions)
                victims = list(islice(self._victims(connection, indices, older_than, more_than_bytes), _AT_ONCE))
            if not victims:
                break
            removed += self._remove(victims)
        if removed:
            self._drop_empty()
            self._shrink()
        return removed

    def _victims(
        self,
        connection: sqlite3.Connection,
        indices: Sequence[Index],
        older_than: datetime | None,
        more_than_bytes: int | None,
    ) -> Iterator[_Victim]:
        """What is to be removed, oldest first."""
        before = None if older_than is None else -((_EPOCH - older_than) // timedelta(milliseconds=1))
        excess = 0
        if more_than_bytes is not None:
            sizes = connection.execute("SELECT id, bytes FROM indices").fetchall()
            excess = sum(size for number, size in sizes if number in {index.id for index in indices}) - more_than_bytes
        rows = self._database.segment_rows
        every = [stretch for index in indices for stretch in stretches(connection, index, rows)]
        for time, latest, *rest in heapq.merge(*(_by_time(connection, stretch) for stretch in every)):
            victim = _Victim(*rest)
            is_old = before is not None and max(time, latest) < before
            if not is_old and excess <= 0 and (before is None or time >= before):
                return
            if is_old or excess > 0:
                excess -= victim.size
                yield victim
        for stretch in every:
            for row in _without_time(connection, stretch):
                if excess <= 0:
                    return
                victim = _Victim(*row)
                excess -= victim.size
                yield victim

    def _remove(self, victims: Sequence[_Victim]) -> int:
        removed = 0
        sizes: dict[int, int] = {}
        with self._database.writing() as connection:
            for victim in victims:
                deleted = connection.execute(
                    "DELETE FROM documents WHERE seq = ? AND seq_no = ?", (victim.seq, victim.seq_no)
                ).rowcount
                if deleted:
                    removed += 1
                    index_id = victim.seq >> ROW_BITS
                    sizes[index_id] = sizes.get(index_id, 0) + victim.size
                    connection.execute("INSERT OR IGNORE INTO changed VALUES (?)", (victim.seq,))
            connection.executemany(
                "UPDATE indices SET bytes = bytes - ? WHERE id = ?", [(size, number) for number, size in sizes.items()]
            )
        return removed

    def _drop_empty(self) -> None:
        """Forget the segments, and the marks, of complete chunks that have no document left."""
        rows = self._database.segment_rows
        with self._database.writing() as connection:
            empty = "FROM segments WHERE NOT EXISTS (SELECT 1 FROM documents WHERE chunk = segments.chunk)"
            dropped = connection.execute(
                f"SELECT uuid, file FROM (SELECT chunk, file {empty}) JOIN indices ON chunk / ? = id",  # noqa: S608 - ours
                ((1 << ROW_BITS) // rows,),
            ).fetchall()
            connection.execute(f"DELETE {empty}")
            # Of a chunk under way somebody may have the columns, which only the marks set right.
            connection.execute(
                "DELETE FROM changed WHERE NOT EXISTS (SELECT 1 FROM documents WHERE chunk = changed.seq / ?)"
                " AND EXISTS (SELECT 1 FROM indices"
                " WHERE id = changed.seq >> ? AND changed.seq / ? < ((id << ?) + next_row) / ?)",
                (rows, ROW_BITS, rows, ROW_BITS, rows),
            )
        self._sealer.drop(dropped)

    def _remove_doomed(self) -> None:
        with self._database.reading() as connection:
            doomed = connection.execute("SELECT id, uuid, next_row FROM indices WHERE name IS NULL").fetchall()
        for number, uuid, next_row in doomed:
            first, end = number << ROW_BITS, (number << ROW_BITS) + next_row
            for start in range(first, end, _AT_ONCE):
                with self._database.writing() as connection:
                    connection.execute(
                        "DELETE FROM documents WHERE seq >= ? AND seq < ?", (start, min(start + _AT_ONCE, end))
                    )
            with self._database.writing() as connection:
                rows = self._database.segment_rows
                connection.execute("DELETE FROM changed WHERE seq >= ? AND seq < ?", (first, end))
                connection.execute(
                    "DELETE FROM segments WHERE chunk >= ? AND chunk < ?", (first // rows, -(-end // rows))
                )
                connection.execute("DELETE FROM shards WHERE index_id = ?", (number,))
                connection.execute("DELETE FROM indices WHERE id = ?", (number,))
            self._sealer.remove(uuid)
        if doomed:
            self._shrink()

    def _shrink(self) -> None:
        """Give room back to the disk, where there is much of it."""
        while True:
            with self._database.writing() as connection:
                (free,) = connection.execute("PRAGMA freelist_count").fetchone()
                (pages,) = connection.execute("PRAGMA page_count").fetchone()
                if free * _MOST_FREE <= pages or not free:
                    return
                # Every step of the statement frees one page.
                connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE:d})").fetchall()


def _by_time(connection: sqlite3.Connection, stretch: Stretch) -> Iterator[tuple[int, int, int, int, int]]:
    """Of each document of a chunk its time, latest time, seq, seq_no and size; by time."""
    return connection.execute(
        "SELECT time, coalesce(latest, time), seq, seq_no, length(source) FROM documents"
        " WHERE chunk = ? AND time IS NOT NULL ORDER BY time, latest, seq",
        (stretch.chunk,),
    )


def _without_time(connection: sqlite3.Connection, stretch: Stretch) -> Iterator[tuple[int, int, int]]:
    return connection.execute(
        "SELECT seq, seq_no, length(source) FROM documents WHERE chunk = ? AND time IS NULL ORDER BY seq",
        (stretch.chunk,),
    )
