"""The store port: what the rest of the package may ask of Elasticsearch, or of anything that stands in for it.

Every verb is about documents and knows nothing of rules. Two adapters implement it; one conformance suite
(`tests/store/`) says what "implement" means. All times are aware UTC, all durations are `timedelta`.

Words: an *index expression* is a concrete index, an alias, a data stream or a pattern with `*`. A *query* is one
clause of Elasticsearch's Query DSL as a plain dict.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

__all__ = [
    "Aggregated",
    "Counted",
    "Document",
    "FieldTypes",
    "Hit",
    "IndexTemplate",
    "Key",
    "Outcome",
    "Page",
    "Put",
    "Query",
    "Rows",
    "Scan",
    "Seen",
    "Shard",
    "ShardFailure",
    "ShardProgress",
    "Store",
    "Stored",
    "Verdict",
]

Query: TypeAlias = Mapping[str, Any]
Source: TypeAlias = Mapping[str, Any]

UNMAPPED = "unmapped"
"""The type that `FieldTypes` gives a field in the indices that do not have it."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Where one document lives."""

    index: str
    id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of a document when it was read; `Store.put` replaces the document only if it is still in it."""

    seq_no: int
    primary_term: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as `Store.get` found it."""

    key: Key
    source: Source
    seen: Seen


@dataclass(frozen=True, slots=True)
class Document:
    """A document to be written under an id that the caller chose."""

    key: Key
    source: Source


@dataclass(frozen=True, slots=True)
class Put:
    """A document to be written over the state the caller saw; `seen=None` means that it must not exist yet."""

    document: Document
    seen: Seen | None


class Verdict(enum.Enum):
    """What became of one document of a bulk write."""

    CREATED = "created"
    EXISTS = "exists"
    """`create`: the id is taken; nothing was changed."""
    UPDATED = "updated"
    CONFLICT = "conflict"
    """`put`: the document is not in the state that the caller saw; nothing was changed."""
    REJECTED = "rejected"
    """The index will never take this document as it is (a mapping conflict, for instance)."""
    UNAVAILABLE = "unavailable"
    """Not written, as far as is known, after every retry; the same write may succeed later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document of a bulk write, and in the store's words why."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of one concrete index."""

    index: str
    number: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What to read, in which order.

    Attributes:
        index: index expressions; one that matches nothing is no error.
        queries: name -> query. A document is a hit if any of them matches; `Hit.names` says which. The caller may
            delete names while it iterates: later pages are asked for without them, and the scan ends when none is left.
        filter: a query that every hit must match as well (the time range).
        order_by: the date field, or `_seq_no`, that hits are ordered by, ascending; ties are broken by the store so
            that no hit is read twice or skipped.
        shard: only this shard (for `_seq_no`), else all.
        page_size: the most hits of one page; where they are large, or the store is under pressure, pages are smaller.
        within: how long the whole scan may take before it is given up (StoreOverwhelmed).
    """

    index: tuple[str, ...]
    queries: MutableMapping[str, Query]
    filter: Query
    order_by: str = "@timestamp"
    shard: Shard | None = None
    page_size: int = 1000
    within: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Hit:
    """One document that a scan found.

    Attributes:
        key: the concrete index and the document's id.
        source: the document.
        position: the value of `Scan.order_by` it was ordered by: epoch milliseconds of a date (its earliest value where
            it has several), or the sequence number.
        names: the names of the queries it matches.
    """

    key: Key
    source: Source
    position: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class ShardFailure:
    """A shard that did not answer.

    Attributes:
        index: the concrete index, or "" where the store does not say.
        shard: its number, or -1.
        reason: the store's words.
        is_query_at_fault: the shard is healthy and refused what it was asked; another query could succeed on it.
    """

    index: str
    shard: int
    reason: str
    is_query_at_fault: bool


class _Answer:
    """What some shards may be missing from."""

    __slots__ = ()

    failures: tuple[ShardFailure, ...]
    timed_out: bool

    @property
    def is_whole(self) -> bool:
        """True where every shard answered in time: only then may anyone believe that there are no other hits."""
        return not self.failures and not self.timed_out


@dataclass(frozen=True, slots=True)
class Page(_Answer):
    """Some hits, in order, and what the answer lacks. An empty last page may carry failures."""

    hits: tuple[Hit, ...]
    failures: tuple[ShardFailure, ...] = ()
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Counted(_Answer):
    """How many documents match, exactly, on the shards that answered."""

    value: int
    failures: tuple[ShardFailure, ...] = ()
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Aggregated(_Answer):
    """The `aggregations` object of the answer, and what the answer lacks."""

    values: Mapping[str, Any]
    failures: tuple[ShardFailure, ...] = ()
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query in ES|QL.

    Attributes:
        columns: the name and the type of each column, such as `("@timestamp", "date")`.
        rows: each with one value per column: None, a scalar, or a list of scalars.
        is_partial: some of what the query reads did not answer.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class FieldTypes:
    """What the indices behind some index expressions are and how they map some fields.

    Attributes:
        indices: index expression -> the concrete indices it stands for today; empty where it matches nothing.
        types: field -> type -> the concrete indices that map the field so. Indices without it are under `UNMAPPED`;
            a field that no index has is there with `UNMAPPED` alone (or with nothing, where there is no index).
        lowercase: those of the fields that are of type keyword with the built-in `lowercase` normalizer in every index
            that an expression stands for (none lacks them) and keep values of at least 256 characters.
        identities: concrete index -> what no other index has, nor this one once it was restored or made again; an index
            that the store cannot tell it of is missing.
    """

    indices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    lowercase: frozenset[str] = frozenset()
    identities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard has come; `history_uuid` changes when its sequence numbers start over."""

    shard: Shard
    index_uuid: str
    history_uuid: str
    global_checkpoint: int
    max_seq_no: int


@dataclass(frozen=True, slots=True)
class IndexTemplate:
    """A composable index template. `version` only grows; what is in place in this or a later version is left alone."""

    name: str
    patterns: tuple[str, ...]
    version: int
    body: Mapping[str, Any]
    """The `template` part: settings, mappings, aliases."""


class Store(Protocol):
    """The port.

    Every verb may raise `StoreUnavailable`, `StoreRejected` or a subclass; bulk writes report per document. Retries
    (with back-off, a bound, and respect for what the store asks) happen inside; what is raised is final for this call.
    Waiting ends early when the store is told to stop.
    """

    def scan(self, request: Scan) -> Iterator[Page]:
        """All hits in order, page by page, from one point in time.

        A page that is not whole is yielded, not raised; the scan goes on with the shards that answer. Where the point
        in time is lost, the scan goes on in a new one; hits may then repeat, none is left out.
        """
        ...

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], *, within: timedelta
    ) -> Aggregated:
        """The answer to one request of aggregations over the documents that match `query`."""
        ...

    def count(self, index: Sequence[str], query: Query, *, within: timedelta) -> Counted:
        """How many documents match `query`; an expression that matches no index counts nothing."""
        ...

    def esql(self, query: str, condition: Query, *, within: timedelta) -> Rows:
        """The answer to a query in ES|QL over the documents that match a condition.

        StoreRejected where the store has no ES|QL, or the query is at fault.
        """
        ...

    def eql(self, index: Sequence[str], body: Mapping[str, Any], *, within: timedelta) -> Mapping[str, Any]:
        """The answer to Elasticsearch's own EQL search, as its documentation has it; indices may be missing.

        StoreRejected where the store has no EQL search, or the query is at fault.
        """
        ...

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """Write each document unless its id is taken: CREATED, EXISTS, REJECTED or UNAVAILABLE, in the order given.

        CREATED means durable. A retry after a lost answer may find its own write: it is then EXISTS.
        """
        ...

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """The documents under these keys as they are now (not as of the last refresh), in the order given.

        None where there is no such document or index. `fields`: only these top-level parts of the source.
        """
        ...

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """Write each over the state it was seen in: CREATED, UPDATED, CONFLICT, REJECTED or UNAVAILABLE, in order."""
        ...

    def field_types(self, index: Sequence[str], fields: Sequence[str]) -> FieldTypes:
        """Which indices there are behind the expressions and how they map the fields.

        A name with `*` stands for every field that it fits, objects and metadata fields not among them: those are in
        the answer besides, and the name itself is `UNMAPPED` everywhere.
        """
        ...

    def refresh(self, index: Sequence[str]) -> None:
        """Make everything written so far searchable; indices that do not exist are passed over."""
        ...

    def shard_progress(self, index: Sequence[str]) -> list[ShardProgress]:
        """How far each shard (its primary) has come."""
        ...

    def clock(self) -> datetime:
        """The store's own time, never ahead of it."""
        ...

    def prepare(self, templates: Sequence[IndexTemplate]) -> list[str]:
        """Put the templates in place where they are missing or older; the names of those that were written."""
        ...

    def stop(self) -> None:
        """End every wait between retries now; what is under way fails with StoreUnavailable. Any thread may call it."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
