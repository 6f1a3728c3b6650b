"""Counts, first and last times of suppressed groups, folded anew from their member events each time one is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lolbin_rules.alert.suppression import (
    Fold,
    fold_aggregation,
    groups_aggregation,
    read_fold,
    read_groups,
    with_fold,
)
from lolbin_rules.errors import StoreForbidden, StoreUnavailable
from lolbin_rules.execution.up_to_date import Change, bring_up_to_date
from lolbin_rules.store.port import Key, Query, Source, Store, Stored

__all__ = ["fold_groups", "fold_of_rules"]

WITHIN = timedelta(minutes=1)


def fold_groups(groups: Sequence[Key], store: Store, prefix: str) -> list[str]:
    """Bring the alerts of these groups up to date with their members.

    Every run of it computes the same from the same members, so overlap, retries and a second runner change nothing.

    Returns:
        What remains uncertain, as sentences; empty where every alert is exact.

    Raises:
        StoreError: the members or the alerts could not be read.
    """
    members = f"{prefix}-suppressed"
    return _refresh(members, store) + _folded(groups, store, members) if groups else []


def _refresh(members: str, store: Store) -> list[str]:
    try:
        store.refresh([members])
    except StoreForbidden as error:
        return [f"Counts of suppressed alerts may lag one execution behind: {error}"]
    return []


def _folded(groups: Sequence[Key], store: Store, members: str) -> list[str]:
    def change_of(some: Sequence[Key]) -> Change:
        folds = _read(some, store, members)

        def change(stored: Stored) -> Source:
            members_of = folds.get(stored.key.id)
            return stored.source if members_of is None else with_fold(stored.source, members_of)

        return change

    return bring_up_to_date(groups, change_of, store)


def fold_of_rules(rule_ids: Sequence[str], since: datetime, store: Store, prefix: str) -> list[str]:
    """Bring the alerts of all groups up to date that got members of these rules since a moment.

    For rules whose logic changes: members that the old one left uncounted when an execution broke off are met by no
    hit of the new one.

    Returns:
        What remains uncertain, as in `fold_groups`.

    Raises:
        StoreError: as in `fold_groups`.
    """
    members = f"{prefix}-suppressed"
    problems, after = _refresh(members, store), None
    while True:
        groups, after = read_groups(_aggregated(groups_aggregation(rule_ids, since, after), store, members), prefix)
        problems += _folded(groups, store, members)
        if after is None:
            return problems


def _read(groups: Sequence[Key], store: Store, members: str) -> dict[str, Fold]:
    return read_fold(_aggregated(fold_aggregation([key.id for key in groups]), store, members))


def _aggregated(asked: tuple[Query, Mapping[str, Any]], store: Store, members: str) -> Mapping[str, Any]:
    query, aggregations = asked
    answer = store.aggregate([members], query, aggregations, within=WITHIN)
    if not answer.is_whole:
        raise StoreUnavailable(f"not every shard of {members} answered; the groups' counts are computed again")
    return answer.values
