"""Counts, first and last times of suppressed groups, folded anew from their member events each time one is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from lolbin_rules.alert.suppression import Fold, fold_aggregation, read_fold, with_fold
from lolbin_rules.errors import StoreForbidden, StoreUnavailable
from lolbin_rules.store.port import Document, Key, Put, Store, Verdict

__all__ = ["fold_groups"]

CHUNK = 500
ATTEMPTS = 5
WITHIN = timedelta(minutes=1)


def fold_groups(groups: Sequence[Key], store: Store, prefix: str) -> list[str]:
    """Bring the alerts of these groups up to date with their members.

    Every run of it computes the same from the same members, so overlap, retries and a second runner change nothing.

    Returns:
        What remains uncertain, as sentences; empty where every alert is exact.

    Raises:
        StoreError: the members or the alerts could not be read.
    """
    if not groups:
        return []
    members = f"{prefix}-suppressed"
    problems = []
    try:
        store.refresh([members])
    except StoreForbidden as error:
        problems.append(f"Counts of suppressed alerts may lag one execution behind: {error}")
    for chunk in _chunks(groups):
        for _ in range(ATTEMPTS):
            chunk = _put(chunk, _read(chunk, store, members), store)  # noqa: PLW2901 - what is left of it
            if not chunk:
                break
        else:
            problems.append(f"{len(chunk)} suppressed alerts kept changing under this execution; their counts may lag.")
    return problems


def _chunks(groups: Sequence[Key]) -> Iterator[list[Key]]:
    rest = iter(groups)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _read(groups: Sequence[Key], store: Store, members: str) -> dict[str, Fold]:
    query, aggregations = fold_aggregation([key.id for key in groups])
    answer = store.aggregate([members], query, aggregations, within=WITHIN)
    if not answer.is_whole:
        raise StoreUnavailable(f"not every shard of {members} answered; the groups' counts are computed again")
    return read_fold(answer.values)


def _put(groups: Sequence[Key], folds: dict[str, Fold], store: Store) -> list[Key]:
    """Write what changes; the groups whose alert was changed by somebody else meanwhile."""
    puts = []
    for stored in store.get(groups):
        if stored is None or stored.key.id not in folds:
            continue
        source = with_fold(stored.source, folds[stored.key.id])
        if source is not stored.source:
            puts.append(Put(Document(stored.key, source), stored.seen))
    left = []
    for put, outcome in zip(puts, store.put(puts), strict=True):
        if outcome.verdict is Verdict.CONFLICT:
            left.append(put.document.key)
        elif outcome.verdict is not Verdict.UPDATED:
            raise StoreUnavailable(f"the count of alert {put.document.key.id} could not be written: {outcome.reason}")
    return left
