"""Alerts of thresholds grow: events that came late make them stand for more than when they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from lolbin_rules.alert import fields
from lolbin_rules.alert.source import first
from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Document, Key, Put, Store, Verdict

__all__ = ["grow_alerts"]

CHUNK = 500
ATTEMPTS = 5


def grow_alerts(grown: Mapping[Key, Match], store: Store) -> list[str]:
    """Bring alerts up to date that stand for fewer events than their match has now; none ever shrinks.

    Returns:
        What remains uncertain, as sentences.

    Raises:
        StoreError: the alerts could not be read or written.
    """
    problems = []
    for chunk in _chunks(list(grown)):
        left = chunk
        for _ in range(ATTEMPTS):
            left = _put(left, grown, store)
            if not left:
                break
        else:
            problems.append(f"{len(left)} alerts kept changing under this execution; their counts may lag.")
    return problems


def _chunks(keys: Sequence[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _put(keys: Sequence[Key], grown: Mapping[Key, Match], store: Store) -> list[Key]:
    """Write what changes; the alerts that were changed by somebody else meanwhile."""
    puts = [
        Put(Document(stored.key, {**stored.source, **grown[stored.key].fields}), stored.seen)
        for stored in store.get(keys)
        if stored is not None and _counted(stored.source) < (grown[stored.key].total or 0)
    ]
    left = []
    for put, outcome in zip(puts, store.put(puts), strict=True):
        if outcome.verdict is Verdict.CONFLICT:
            left.append(put.document.key)
        elif outcome.verdict is not Verdict.UPDATED:
            raise StoreUnavailable(f"the count of alert {put.document.key.id} could not be written: {outcome.reason}")
    return left


def _counted(alert: Mapping[str, Any]) -> int:
    count = first(alert, fields.THRESHOLD_COUNT)
    return count if isinstance(count, int) else 0
