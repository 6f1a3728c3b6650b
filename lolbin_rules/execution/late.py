"""Events that an ordinary execution could not meet, and by how much they came too late for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from lolbin_rules.alert.source import event_time
from lolbin_rules.rule.coverage_mode import INGESTED

__all__ = ["Late"]

MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class Late:
    """What a sweep found in time that had been searched before.

    Attributes:
        found_after: from each event to the sweep that found it: the most that it can have been late.
        ingested_after: from each event to its `event.ingested`, where it has one.
    """

    found_after: list[timedelta] = field(default_factory=list)
    ingested_after: list[timedelta] = field(default_factory=list)

    def note(self, source: Mapping[str, Any], happened: datetime, found_at: datetime) -> None:
        """One event more."""
        self.found_after.append(found_at - happened)
        ingested = event_time(source, INGESTED)
        if ingested is not None:
            self.ingested_after.append(ingested - happened)

    def to_json(self) -> dict[str, Any]:
        """How many, and the least, the median and the longest delay in milliseconds; null where there is none."""
        return {
            "events": len(self.found_after),
            "found_after_ms": _spread(self.found_after),
            "ingested_after_ms": _spread(self.ingested_after),
        }


def _spread(delays: Sequence[timedelta]) -> dict[str, int] | None:
    if not delays:
        return None
    found = sorted(round(delay / MILLISECOND) for delay in delays)
    return {"min": found[0], "median": round(median(found)), "max": found[-1]}
