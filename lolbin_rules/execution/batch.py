"""Batches: rules that are executed together, and when."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lolbin_rules.plan.window import EPOCH
from lolbin_rules.rule.model import Rule

__all__ = ["Batch", "batches", "next_slot"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rules that are searched in the same requests because they share indices, interval and lookback."""

    index: tuple[str, ...]
    interval: timedelta
    lookback: timedelta

    @property
    def name(self) -> str:
        """Names the batch stably: the same for the same indices and times, on every machine."""
        text = f"{','.join(self.index)} {self.interval.total_seconds()} {self.lookback.total_seconds()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def phase(self) -> timedelta:
        """How far into its interval the batch ticks, so that batches do not all come at once."""
        return timedelta(seconds=int(self.name, 16) % int(self.interval.total_seconds()))


def batches(rules: Mapping[str, Rule]) -> dict[Batch, list[Rule]]:
    """The enabled rules by batch."""
    found: dict[Batch, list[Rule]] = {}
    for rule in rules.values():
        if rule.enabled:
            found.setdefault(Batch(rule.index, rule.interval, rule.lookback), []).append(rule)
    return found


def next_slot(batch: Batch, now: datetime) -> datetime:
    """The first moment after `now` that is a whole number of intervals and the batch's phase after 1970."""
    slots = (now - EPOCH - batch.phase) // batch.interval
    return EPOCH + batch.phase + (slots + 1) * batch.interval
