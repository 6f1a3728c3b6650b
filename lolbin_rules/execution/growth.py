"""Alerts of thresholds grow: events that came late make them stand for more than when they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lolbin_rules.alert import fields
from lolbin_rules.alert.source import first
from lolbin_rules.execution.up_to_date import Change, bring_up_to_date
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Key, Source, Store, Stored

__all__ = ["grow_alerts"]


def grow_alerts(grown: Mapping[Key, Match], store: Store) -> list[str]:
    """Bring alerts up to date that stand for fewer events than their match has now; none ever shrinks.

    Returns:
        What remains uncertain, as sentences.

    Raises:
        StoreError: the alerts could not be read or written.
    """

    def change(stored: Stored) -> Source:
        match = grown[stored.key]
        if _counted(stored.source) >= (match.total or 0):
            return stored.source
        return {**stored.source, **match.fields}

    def change_of(_: Sequence[Key]) -> Change:
        return change

    return bring_up_to_date(list(grown), change_of, store)


def _counted(alert: Mapping[str, Any]) -> int:
    count = first(alert, fields.THRESHOLD_COUNT)
    return count if isinstance(count, int) else 0
