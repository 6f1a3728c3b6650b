"""Events from files into a store: what was taken, what was not, and why."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeAlias, runtime_checkable

import orjson

from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.importers.event import Broken, Event
from lolbin_rules.store.port import Document, Key, Outcome, Store, Verdict

__all__ = ["EventStore", "Intake", "take_in"]

AT_ONCE = 2000
MOST_NAMED = 100
"""Faults that are kept with their place; all are counted."""


@runtime_checkable
class EventStore(Store, Protocol):
    """A store that takes events as the JSON texts that they are."""

    def ingest(self, events: Iterable[tuple[str, str, bytes, Mapping[str, Any]]]) -> list[Outcome]:
        """As `create`, for events given as index, id, JSON text, and what it says."""
        ...


@dataclass(slots=True)
class Intake:
    """What became of some events.

    Attributes:
        taken: events that are in the store now and were not before.
        known: events that were there already.
        namesakes: of those taken, events that bear the id of another one; they are kept under ids of their own.
        broken: lines and records that are no events, or that the store refuses.
        named: the first of those, each with its place and the reason.
        indices: the indices that the events are in.
    """

    taken: int = 0
    known: int = 0
    namesakes: int = 0
    broken: int = 0
    named: list[Broken] = field(default_factory=list)
    indices: set[str] = field(default_factory=set)

    def refuse(self, fault: Broken) -> None:
        """Count a line or record that was not taken, and name it."""
        self.broken += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(fault)


def take_in(found: Iterable[Event | Broken], store: EventStore) -> Intake:
    """Write every event that is not there yet, and make them searchable.

    Raises:
        StoreUnavailable: the store takes no more, for want of space perhaps. What was written before is there.
    """
    intake = Intake()
    rest = iter(found)
    with _uncollected():
        while _write(rest, store, intake):
            pass
    store.refresh(sorted(intake.indices))
    return intake


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for garbage that refers to itself: events never do, and it takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_Kept: TypeAlias = tuple[str, str, bytes, str]
"""What is kept of an event until it is written: its index, id, text and place. What the text says is let go as soon as
it is read. A plain tuple, as there are many."""


def _write(rest: Iterator[Event | Broken], store: EventStore, intake: Intake) -> bool:
    """Write the events next in turn; whether there were any, or faults."""
    kept: list[_Kept] = []
    faults = 0

    def events() -> Iterator[tuple[str, str, bytes, Mapping[str, Any]]]:
        nonlocal faults
        for each in islice(rest, AT_ONCE):
            if isinstance(each, Broken):
                intake.refuse(each)
                faults += 1
            else:
                index, name, raw = each.index, each.id, each.raw
                kept.append((index, name, raw, each.place))
                yield index, name, raw, each.source

    taken: list[_Kept] = []
    for event, outcome in zip(kept, store.ingest(events()), strict=True):
        index, _, _, place = event
        match outcome.verdict:
            case Verdict.CREATED:
                intake.taken += 1
                intake.indices.add(index)
            case Verdict.REJECTED:
                intake.refuse(Broken(place, outcome.reason))
            case Verdict.EXISTS:
                taken.append(event)
            case _:
                raise StoreUnavailable(f"{place} could not be stored: {outcome.reason}")
    if taken:
        _tell_apart(taken, store, intake)
    return bool(kept or faults)


def _tell_apart(events: Sequence[_Kept], store: EventStore, intake: Intake) -> None:
    """Events whose id is taken: by themselves, or by others of the same name, beside which they are kept."""
    namesakes: list[tuple[Document, str]] = []
    found = store.get([Key(index, name) for index, name, _, _ in events])
    for (index, name, raw, place), stored in zip(events, found, strict=True):
        intake.indices.add(index)
        source = orjson.loads(raw)
        if stored is None or stored.source == source:
            intake.known += 1
        else:
            namesakes.append((Document(Key(index, _own_id(name, raw)), source), place))
    outcomes = store.create([document for document, _ in namesakes])
    for (_, place), outcome in zip(namesakes, outcomes, strict=True):
        if outcome.verdict is Verdict.CREATED:
            intake.taken += 1
            intake.namesakes += 1
        elif outcome.verdict is Verdict.EXISTS:
            intake.known += 1
        else:
            intake.refuse(Broken(place, outcome.reason))


def _own_id(name: str, raw: bytes) -> str:
    """An id for an event whose own is another one's: made of its text, so that it is the same whenever it is read."""
    return f"{name}~{hashlib.sha256(raw).hexdigest()[:16]}"
