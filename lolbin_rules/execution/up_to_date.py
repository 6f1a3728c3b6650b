"""Alerts that change after they were written: counts of groups and of thresholds, by compare and set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.store.port import Document, Key, Put, Source, Store, Stored, Verdict

__all__ = ["Change", "bring_up_to_date"]

CHUNK: Final = 500
ATTEMPTS: Final = 5

Change: TypeAlias = Callable[[Stored], Source]
"""What an alert is to say; the very source that it has where it says so already."""


def bring_up_to_date(keys: Sequence[Key], change_of: Callable[[Sequence[Key]], Change], store: Store) -> list[str]:
    """Write what alerts are to say, again and again where somebody else changes them meanwhile.

    Args:
        keys: the alerts; those that are not there are passed over.
        change_of: asked before every attempt what is to become of some alerts.
        store: where they are.

    Returns:
        What remains uncertain, as sentences; empty where every alert says what it is to say.

    Raises:
        StoreError: the alerts could not be read or written.
    """
    problems = []
    for chunk in _chunks(keys):
        left = chunk
        for _ in range(ATTEMPTS):
            left = _put(left, change_of(left), store)
            if not left:
                break
        else:
            problems.append(f"{len(left)} alerts kept changing under this execution; their counts may lag.")
    return problems


def _chunks(keys: Sequence[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _put(keys: Sequence[Key], change: Change, store: Store) -> list[Key]:
    """Write what changes; the alerts that were changed by somebody else meanwhile."""
    puts = []
    for stored in filter(None, store.get(keys)):
        source = change(stored)
        if source is not stored.source:
            puts.append(Put(Document(stored.key, source), stored.seen))
    left = []
    for put, outcome in zip(puts, store.put(puts), strict=True):
        if outcome.verdict is Verdict.CONFLICT:
            left.append(put.document.key)
        elif outcome.verdict is not Verdict.UPDATED:
            raise StoreUnavailable(f"the count of alert {put.document.key.id} could not be written: {outcome.reason}")
    return left
