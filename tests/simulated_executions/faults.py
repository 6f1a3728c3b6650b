"""Everything that can go wrong between a runner and its store, drawn by the seed, call by call."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from lolbin_rules.errors import StoreForbidden, StoreOverwhelmed, StoreUnavailable
from lolbin_rules.store.port import (
    Aggregated,
    Counted,
    Document,
    FieldTypes,
    Hit,
    IndexTemplate,
    Key,
    Outcome,
    Page,
    Put,
    Query,
    Rows,
    Scan,
    ShardFailure,
    ShardProgress,
    Stored,
    Verdict,
)
from simulated_executions.memory_store import MemoryStore
from simulated_executions.scenario import SECOND, Faults

__all__ = ["Crash", "FaultyStore", "Turning"]


class Crash(BaseException):
    """The program ends here, and everything that it had in memory is lost."""


class Turning(Protocol):
    """The world that the store is in."""

    now: int

    def let_pass(self, milliseconds: int) -> None:
        """Let time pass, with all that happens in it."""
        ...

    def interleave(self, runner: int) -> None:
        """Let another runner execute now, perhaps."""
        ...

    def note_refused(self, document: Document) -> None:
        """The index refuses this document in whatever form, for a while."""
        ...


@dataclass(slots=True)
class FaultyStore:
    """A `Store` as one runner meets it.

    Attributes:
        store: the store behind it, which never fails.
        world: gives the time, and lets it pass.
        faults: what goes wrong, and how often.
        chance: decides when.
        page_size: hits in a page.
        runner: whose it is.
        crash_at: the call, counted from 1, in which the program ends; 0 for none.
        is_after: whether it ends after the call took effect, not before.
        counted: how often what went wrong.
    """

    store: MemoryStore
    world: Turning
    faults: Faults
    chance: random.Random
    page_size: int
    runner: int = 0
    crash_at: int = 0
    is_after: bool = False
    calls: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    _refused: set[Key] = field(default_factory=set)

    def begin_tick(self, crash_at: int, *, is_after: bool) -> None:
        """A new look of the runner: when the program ends in it, if it does."""
        self.calls, self.crash_at, self.is_after = 0, crash_at, is_after
        self._refused.clear()

    def _begin(self, *, is_write: bool = False) -> None:
        self.calls += 1
        is_slow = self.chance.random() < self.faults.slow
        self.world.let_pass(self.chance.randint(2, 60) * SECOND if is_slow else self.chance.randint(0, 20))
        self.world.interleave(self.runner)
        if self.calls == self.crash_at and not self.is_after:
            self._crash()
        if any(start <= self.world.now < end for start, end in self.faults.outages):
            self.counted["outage"] += 1
            raise StoreUnavailable("simulated: the store does not answer")
        if self.chance.random() < self.faults.refuses:
            self.counted["refused"] += 1
            raise StoreUnavailable("simulated: 429") if is_write else self._refusal()

    def _refusal(self) -> Exception:
        error = StoreOverwhelmed if self.chance.random() < 0.5 else StoreUnavailable
        return error("simulated: refused for want of resources")

    def _end(self) -> None:
        if self.calls == self.crash_at and self.is_after:
            self._crash()
        if self.chance.random() < self.faults.loses_answers:
            self.counted["answer lost"] += 1
            raise StoreUnavailable("simulated: the answer was lost")

    def _crash(self) -> None:
        self.counted["crash"] += 1
        raise Crash

    def _is_partial(self) -> bool:
        is_partial = self.chance.random() < self.faults.partial
        self.counted["partial"] += is_partial
        return is_partial

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`."""
        self._begin()
        hidden = self.chance.choice(("ev-1", "ev-2", 2, 3)) if self._is_partial() else None
        silent_from = self.chance.randint(0, 2) if hidden else -1
        breaks = self.chance.randint(0, 3) if self.chance.random() < self.faults.breaks else -1
        smaller = replace(request, page_size=self.page_size)
        is_told = False
        for number, whole in enumerate(self.store.scan(smaller)):
            if number == breaks:
                self.counted["broken off"] += 1
                raise self._refusal()
            page = whole
            if hidden and number >= silent_from:
                page = self._without(whole, hidden, is_told=is_told)
                is_told = True
            yield page
            if self.chance.random() < self.faults.repeats:
                self.counted["page repeated"] += 1
                yield replace(page, failures=(), timed_out=False)
            self._later()
        if hidden and not is_told:
            yield Page((), (_failure(hidden),))
        self._end()

    def _later(self) -> None:
        """Between two pages time passes as well."""
        self.world.let_pass(self.chance.randint(0, 20))

    def _without(self, page: Page, hidden: str | int, *, is_told: bool) -> Page:
        hits = tuple(hit for hit in page.hits if not _is_hidden(hit, hidden))
        if is_told:
            return replace(page, hits=hits)
        if self.chance.random() < 0.5:
            return Page(hits, timed_out=True)
        return Page(hits, (*page.failures, _failure(hidden)))

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], *, within: timedelta
    ) -> Aggregated:
        """See `Store.aggregate`."""
        self._begin()
        if self._is_partial():
            some = {"bool": {"filter": [query], "must_not": [{"terms": {"_id": [f"e{n}" for n in range(0, 99, 2)]}}]}}
            answer = self.store.aggregate(index, some, aggregations, within=within)
            self._end()
            return replace(answer, failures=(_failure(2),))
        answer = self.store.aggregate(index, query, aggregations, within=within)
        self._end()
        return answer

    def count(self, index: Sequence[str], query: Query, *, within: timedelta) -> Counted:
        """See `Store.count`."""
        self._begin()
        answer = self.store.count(index, query, within=within)
        self._end()
        return replace(answer, failures=(_failure(2),)) if self._is_partial() else answer

    def esql(self, query: str, condition: Query, *, within: timedelta) -> Rows:
        """See `Store.esql`."""
        self._begin()
        return self.store.esql(query, condition, within=within)

    def eql(self, index: Sequence[str], body: Mapping[str, Any], *, within: timedelta) -> Mapping[str, Any]:
        """See `Store.eql`."""
        self._begin()
        return self.store.eql(index, body, within=within)

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`; a crash may leave the bulk half written."""
        try:
            self._begin(is_write=True)
        except StoreUnavailable as error:
            return self._unwritten(len(documents), error)
        if self.calls == self.crash_at:
            self.store.create(documents[: self.chance.randint(0, len(documents))])
            self._crash()
        outcomes = [self._created(document) for document in documents]
        return self._written(outcomes)

    def _created(self, document: Document) -> Outcome:
        if document.key in self._refused:
            return Outcome(Verdict.REJECTED, "simulated: the index refuses it in whatever form")
        if not self.chance.random() < self.faults.items:
            return self.store.create([document])[0]
        self.counted["item failed"] += 1
        how = self.chance.randint(0, 4)
        if how == 0 and "-alerts-" in document.key.index:
            if self.chance.random() < 0.5:
                self._refused.add(document.key)
                self.world.note_refused(document)
            return Outcome(Verdict.REJECTED, "simulated: the index refuses it")
        if how in {1, 2}:
            outcome = self.store.create([document])[0]
            if how == 1 and outcome.verdict is Verdict.CREATED:
                return Outcome(Verdict.EXISTS, "simulated: a repeated request found its own write")
        return Outcome(Verdict.UNAVAILABLE, "simulated: this item failed")

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`."""
        try:
            self._begin(is_write=True)
        except StoreUnavailable as error:
            return self._unwritten(len(puts), error)
        outcomes = []
        for put in puts:
            is_failing = self.chance.random() < self.faults.items
            is_lost = is_failing and self.chance.random() < 0.5
            self.counted["item failed"] += is_failing
            done = self.store.put([put])[0] if is_lost or not is_failing else None
            is_told = done is not None and not is_failing
            outcomes.append(done if is_told and done else Outcome(Verdict.UNAVAILABLE, "simulated: this item failed"))
        return self._written(outcomes)

    def _unwritten(self, number: int, error: StoreUnavailable) -> list[Outcome]:
        if self.chance.random() < 0.5:
            raise error
        return [Outcome(Verdict.UNAVAILABLE, str(error))] * number

    def _written(self, outcomes: list[Outcome]) -> list[Outcome]:
        try:
            self._end()
        except StoreUnavailable as error:
            return self._unwritten(len(outcomes), error)
        return outcomes

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """See `Store.get`."""
        self._begin()
        found = self.store.get(keys, fields)
        self._end()
        return found

    def field_types(self, index: Sequence[str], fields: Sequence[str]) -> FieldTypes:
        """See `Store.field_types`."""
        self._begin()
        types = self.store.field_types(index, fields)
        self._end()
        return types

    def refresh(self, index: Sequence[str]) -> None:
        """See `Store.refresh`."""
        self._begin()
        self.store.refresh(index)
        self._end()

    def shard_progress(self, index: Sequence[str]) -> list[ShardProgress]:
        """See `Store.shard_progress`."""
        self._begin()
        if self.chance.random() < self.faults.partial:
            self.counted["forbidden"] += 1
            raise StoreForbidden("simulated: it may not be asked how far shards are")
        progress = self.store.shard_progress(index)
        self._end()
        return progress

    def clock(self) -> datetime:
        """See `Store.clock`."""
        self._begin()
        told = self.store.clock()
        self._end()
        return told

    def prepare(self, templates: Sequence[IndexTemplate]) -> list[str]:
        """See `Store.prepare`."""
        self._begin()
        return self.store.prepare(templates)

    def stop(self) -> None:
        """See `Store.stop`."""

    def close(self) -> None:
        """See `Store.close`."""


def _is_hidden(hit: Hit, hidden: str | int) -> bool:
    if isinstance(hidden, str):
        return hit.key.index == hidden
    return sum(hit.key.id.encode()) % hidden == 0


def _failure(hidden: str | int) -> ShardFailure:
    return ShardFailure(hidden if isinstance(hidden, str) else "", 0, "simulated: it does not answer", False)
