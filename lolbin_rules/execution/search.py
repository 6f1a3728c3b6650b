"""Many rules searched in one request, and who is to blame when that fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import timedelta

from lolbin_rules.errors import StoreError, StoreForbidden, StoreOverwhelmed, StoreRejected
from lolbin_rules.execution.patience import TIME_IS_UP, Patience
from lolbin_rules.execution.progress import isolated
from lolbin_rules.plan.window import Window
from lolbin_rules.query.time_axis import EVENT_TIME, TimeAxis
from lolbin_rules.store.port import Hit, Page, Query, Scan, Shard, ShardFailure, Store

__all__ = ["Answer", "Consumer", "Search", "search"]

Consumer = Callable[[Mapping[str, Sequence[Hit]]], AbstractSet[str]]
"""Takes the hits of one page by name, in order; answers which names want no more."""

Restart = Callable[[Iterable[str]], None]
"""Told which names are read again from the start: what was concluded from their pages so far is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Search:
    """Several named queries over the same indices, in one order.

    Attributes:
        index: index expressions.
        queries: name -> query.
        condition: what every hit must match as well.
        order_by: see `Scan.order_by`.
        within: how long one request for it may take, the first one included.
        patience: how long all of them may take, where the queries have to be told apart.
        shard: see `Scan.shard`.
    """

    index: tuple[str, ...]
    queries: Mapping[str, Query]
    condition: Query
    order_by: str
    within: timedelta
    patience: Patience | None = None
    shard: Shard | None = None

    @classmethod
    def over(
        cls,
        index: tuple[str, ...],
        queries: Mapping[str, Query],
        window: Window,
        within: timedelta,
        axis: TimeAxis = EVENT_TIME,
        patience: Patience | None = None,
    ) -> Search:
        """A search of one window on one axis of time."""
        return cls(index, queries, axis.within(window), axis.field, within, patience)

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.patience is not None and self.patience.is_over


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one name after a search.

    Attributes:
        problems: what is missing, as sentences; empty where every shard answered for all of the window that was wanted.
        is_failed: there was no answer at all, or it broke off.
        read_until: where it broke off after whole pages: the position up to which, exclusive, every hit was handed on.
    """

    problems: tuple[str, ...] = ()
    is_failed: bool = False
    read_until: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it may be believed that there are no other hits."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Doubts:
    problems: tuple[str, ...]
    may_be_one_query: bool
    is_failed: bool = False
    read_until: int | None = None


@dataclass(slots=True)
class _Reading:
    """How far a search has come: one that breaks off need not begin again, as its window may be too much for once."""

    until: int | None = None
    is_whole: bool = True

    def note(self, page: Page) -> None:
        """Every hit of the page was handed on; there may be others at the position of its last."""
        self.is_whole &= page.is_whole
        if page.hits:
            self.until = page.hits[-1].position
        if not self.is_whole:
            self.until = None


def search(asked: Search, store: Store, consume: Consumer, restart: Restart | None = None) -> dict[str, Answer]:
    """Read every hit of every name in order of time and hand it on; say for each name whether it may be believed.

    A request that is refused, is too heavy, or that some shard refuses is cut in halves until the query at fault stands
    alone: the others are answered. Hits may then be handed on twice, after `restart` was told. All halves come before
    the quarters of any, so that where time is short, those who are not at fault have been answered.
    """
    answers: dict[str, Answer] = {}
    waiting = deque([asked])
    while waiting:
        part = waiting.popleft()
        if part is not asked and part.is_over:
            answers |= dict.fromkeys(part.queries, Answer((TIME_IS_UP,), is_failed=True))
            continue
        doubts = _attempt(part, store, consume)
        if doubts.may_be_one_query and len(part.queries) > 1:
            waiting += _halves(part)
            if restart:
                restart(part.queries)
        else:
            answers |= {name: Answer(doubts.problems, doubts.is_failed, doubts.read_until) for name in part.queries}
    return answers


def _attempt(asked: Search, store: Store, consume: Consumer) -> _Doubts:
    """Search once. A fault of our own, such as a document that nobody thought of, may be one query's as well."""
    faults: list[str] = []
    reading = _Reading()
    with isolated("The search", faults.append):
        try:
            return _read(asked, store, consume, reading)
        except StoreError as error:
            may_be_one_query = isinstance(error, StoreRejected | StoreOverwhelmed) and not isinstance(
                error, StoreForbidden
            )
            return _Doubts((str(error),), may_be_one_query, is_failed=True, read_until=reading.until)
    return _Doubts(tuple(faults), may_be_one_query=True, is_failed=True)


def _halves(asked: Search) -> list[Search]:
    names = sorted(asked.queries)
    middle = len(names) // 2
    within = asked.patience.within if asked.patience else asked.within
    return [
        replace(asked, queries={name: asked.queries[name] for name in half}, within=within)
        for half in (names[:middle], names[middle:])
    ]


def _read(asked: Search, store: Store, consume: Consumer, reading: _Reading) -> _Doubts:
    queries = dict(asked.queries)
    request = Scan(asked.index, queries, asked.condition, asked.order_by, asked.shard, within=asked.within)
    problems: list[str] = []
    is_query_at_fault = False
    for page in store.scan(request):
        problems += _problems(page)
        is_query_at_fault |= any(failure.is_query_at_fault for failure in page.failures)
        for name in consume(_by_name(page.hits)):
            queries.pop(name, None)
        reading.note(page)
        if queries and asked.is_over:
            return _Doubts((*problems, TIME_IS_UP), is_query_at_fault, is_failed=True, read_until=reading.until)
    return _Doubts(tuple(dict.fromkeys(problems)), is_query_at_fault)


def _by_name(hits: Iterable[Hit]) -> dict[str, list[Hit]]:
    found: dict[str, list[Hit]] = {}
    for hit in hits:
        for name in sorted(hit.names):
            found.setdefault(name, []).append(hit)
    return found


def _problems(page: Page) -> list[str]:
    problems = [_sentence(failure) for failure in page.failures]
    if page.timed_out:
        problems.append("The search ran out of time on some shards; the window is searched again.")
    return problems


def _sentence(failure: ShardFailure) -> str:
    place = f"Shard {failure.shard} of {failure.index}" if failure.index else "A shard"
    return f"{place} did not answer: {failure.reason}; the window is searched again."
