"""The store on this machine: documents in SQLite, columns for reading many of them at once.

What it answers is what Elasticsearch 8.19 would answer; what it cannot answer exactly, it refuses by name
(`Unsupported`). Everything written is searchable at once. The data folder must be on a local disk; any number of
programs on the machine may use it at the same time.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lolbin_rules.errors import Unsupported
from lolbin_rules.store.embedded import documents
from lolbin_rules.store.embedded.answers import Answers
from lolbin_rules.store.embedded.asked import Clauses
from lolbin_rules.store.embedded.catalog import Catalogs
from lolbin_rules.store.embedded.database import SEGMENT_ROWS, Database
from lolbin_rules.store.embedded.deadline import Stop
from lolbin_rules.store.embedded.documents import Event, Writer
from lolbin_rules.store.embedded.growth import Growths
from lolbin_rules.store.embedded.holdings import Holdings
from lolbin_rules.store.embedded.retention import Retention
from lolbin_rules.store.embedded.scan import Scanner
from lolbin_rules.store.embedded.seal import Sealer
from lolbin_rules.store.embedded.templates import outdated, put_template
from lolbin_rules.store.port import (
    Aggregated,
    Counted,
    Document,
    FieldTypes,
    IndexTemplate,
    Key,
    Outcome,
    Page,
    Put,
    Query,
    Rows,
    Scan,
    Shard,
    ShardProgress,
    Stored,
)

__all__ = ["EmbeddedStore", "Event"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class EmbeddedStore:
    """A `Store` in a folder of this machine; any number of threads may share it.

    Args:
        folder: where everything is kept; made if it is missing. None for a store that is gone when it is closed: it is
            in a temporary folder, as SQLite lets nobody read a moment of a database in memory while others write.
        clock: the time, aware; also what `now` in a query means.
        is_durable: what was acknowledged survives a power failure. False for a store that can be filled anew; a crash
            or kill of the program alone loses nothing either way.
        segment_rows: for a new folder, how many documents are made into one segment; a power of two.

    Raises:
        SettingsError: the folder or what is in it cannot be used.
        StoreUnavailable: others keep it locked.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        clock: Callable[[], datetime],
        is_durable: bool = True,
        segment_rows: int = SEGMENT_ROWS,
    ) -> None:
        self._stop = Stop()
        self._clock = clock
        with contextlib.ExitStack() as stack:
            if folder is None:
                temporary = tempfile.TemporaryDirectory(prefix="lolbin-rules-", ignore_cleanup_errors=True)
                folder, is_durable = Path(stack.enter_context(temporary)), False
            self._database = Database(folder, self._stop, is_durable=is_durable, segment_rows=segment_rows)
            stack.callback(self._database.close)
            self._catalogs = Catalogs()
            growths = Growths()
            self._sealer = Sealer(self._database, growths, folder / "segments")
            self._writer = Writer(self._database, growths, self._sealer.seal)
            holdings = Holdings(
                self._database, self._sealer, self._stop, self._now_ms, catalogs=self._catalogs, clauses=Clauses()
            )
            self._scanner, self._answers = Scanner(holdings), Answers(holdings)
            self._retention = Retention(self._database, self._catalogs, self._sealer)
            self._retention.finish()
            self._sealer.sweep(clock())
            self._resources = stack.pop_all()

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`."""
        return self._scanner.pages(request)

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], *, within: timedelta
    ) -> Aggregated:
        """See `Store.aggregate`; the values are empty where no index matches."""
        return self._answers.aggregate(index, query, aggregations, within)

    def count(self, index: Sequence[str], query: Query, *, within: timedelta) -> Counted:
        """See `Store.count`."""
        return self._answers.count(index, query, within)

    def esql(self, query: str, condition: Query, *, within: timedelta) -> Rows:  # noqa: ARG002 - as the port has it
        """See `Store.esql`: refused."""
        raise Unsupported(
            "ES|QL is not supported by the embedded store. Run the rule on Elasticsearch (set ELASTICSEARCH_URL), or "
            "write it in KQL or EQL."
        )

    def eql(self, index: Sequence[str], body: Mapping[str, Any], *, within: timedelta) -> Mapping[str, Any]:  # noqa: ARG002 - as above
        """See `Store.eql`: refused."""
        raise Unsupported(
            "Elasticsearch's EQL search is not supported by the embedded store. Set eql_engine: own, which answers EQL "
            "on any store."
        )

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`."""
        return self._writer.create(documents)

    def ingest(self, events: Iterable[Event]) -> list[Outcome]:
        """Create documents whose JSON is at hand, each taken from `events` just when it is written.

        Others cannot write meanwhile, so do not wait for anything slower than a file in there: hand over lists of what
        has come instead. Each event is its index, its id, a UTF-8 JSON text that `orjson` reads, and what it reads.

        Returns:
            The outcomes in order, as of `create`. Where the last are UNAVAILABLE, further events were not taken.
        """
        return self._writer.ingest(events)

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`."""
        return self._writer.put(puts)

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """See `Store.get`."""
        with self._database.reading() as connection:
            return documents.get(connection, self._catalogs.read(connection), keys, fields)

    def field_types(self, index: Sequence[str], fields: Sequence[str]) -> FieldTypes:
        """See `Store.field_types`."""
        with self._database.reading() as connection:
            return self._catalogs.read(connection).field_types(index, fields)

    def refresh(self, index: Sequence[str]) -> None:
        """See `Store.refresh`: there is nothing to do."""
        del index
        self._stop.check()

    def shard_progress(self, index: Sequence[str]) -> list[ShardProgress]:
        """See `Store.shard_progress`."""
        with self._database.reading() as connection:
            return [
                ShardProgress(Shard(each.name, number), each.uuid, history_uuid, next_seq_no - 1, next_seq_no - 1)
                for each in self._catalogs.read(connection).resolve(index)
                for number, history_uuid, next_seq_no in connection.execute(
                    "SELECT number, history_uuid, next_seq_no FROM shards WHERE index_id = ? ORDER BY number",
                    (each.id,),
                )
            ]

    def clock(self) -> datetime:
        """See `Store.clock`."""
        self._stop.check()
        return self._clock()

    def prepare(self, templates: Sequence[IndexTemplate]) -> list[str]:
        """See `Store.prepare`."""
        with self._database.reading() as connection:
            if not outdated(connection, templates):
                return []
        with self._database.writing() as connection:
            wanted = outdated(connection, templates)
            for template in wanted:
                put_template(connection, template)
        return [template.name for template in wanted]

    def delete_index(self, index: Sequence[str]) -> list[str]:
        """Delete indices with all their documents; the names of those that there were."""
        return self._retention.delete(index)

    def retain(
        self, index: Sequence[str], *, older_than: datetime | None = None, more_than_bytes: int | None = None
    ) -> int:
        """Remove old documents, by their `@timestamp`; how many.

        Args:
            index: index expressions.
            older_than: what happened before is removed. Documents without a time stay.
            more_than_bytes: of what is left of all these indices, the oldest is removed until the sources take no more;
                documents without a time go last.
        """
        return self._retention.retain(index, older_than=older_than, more_than_bytes=more_than_bytes)

    def stop(self) -> None:
        """See `Store.stop`."""
        self._stop.set()

    def close(self) -> None:
        """See `Store.close`; every verb fails after it."""
        self._stop.set()
        self._resources.close()

    def _now_ms(self) -> int:
        return (self._clock() - _EPOCH) // _MILLISECOND
