"""What a rule matches: how many documents, when they happened, and when they became searchable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from lolbin_rules.alert.source import parse_time, values
from lolbin_rules.execution.delays import searchable_at
from lolbin_rules.execution.evaluate import matches_of
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.search import Search, search
from lolbin_rules.plan.what_if import Arrival
from lolbin_rules.plan.window import Window, from_position, position
from lolbin_rules.query.time_axis import EVENT_TIME
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.store.port import Hit, Key, Store

__all__ = ["MOST_REPLAYED", "Recorded", "count_hits", "recorded_arrivals"]

WITHIN: Final = timedelta(minutes=2)
MOST_REPLAYED: Final = 100_000
"""Documents that are replayed at most."""


@dataclass(slots=True)
class Recorded:
    """The documents of a window that a rule matches, as they arrived.

    Attributes:
        arrivals: those of which it is known when they arrived, oldest first.
        undated: those without `event.ingested`.
        until: set where there were too many: the arrivals are those that happened before this.
        problems: what is missing, as sentences.
    """

    arrivals: list[Arrival] = field(default_factory=list)
    undated: int = 0
    until: datetime | None = None
    problems: list[str] = field(default_factory=list)


def count_hits(course: Course, window: Window, store: Store) -> int | None:
    """How many documents of the window the rule's query finds; None where it cannot be asked.

    Raises:
        StoreError: the store did not answer.
    """
    if course.compiled is None or course.is_blind or not course.rule.index:
        return None
    query = {"bool": {"filter": [course.query, EVENT_TIME.within(window)]}}
    counted = store.count(course.rule.index, query, within=WITHIN)
    return counted.value if counted.is_whole else None


def recorded_arrivals(course: Course, window: Window, store: Store, most: int = MOST_REPLAYED) -> Recorded:
    """When each document that the rule matches happened and arrived, of the first `most` in the window."""
    recorded = Recorded(problems=[*course.tally.failures, *course.tally.problems])
    if course.compiled is None or course.is_blind:
        return recorded
    name = course.rule.id
    taken: dict[Key, Arrival | None] = {}

    def consume(found: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
        for match in matches_of(course.compiled, found.get(name, ()), EVENT_TIME):
            if len(taken) == most:
                recorded.until = from_position(match.hit.position)
                return {name}
            taken[match.hit.key] = _arrival(match.hit)
        return set()

    asked = Search.over(course.rule.index, {name: course.query}, window, WITHIN, EVENT_TIME)
    recorded.problems += search(asked, store, consume)[name].problems
    recorded.arrivals = [arrival for arrival in taken.values() if arrival is not None]
    recorded.undated = len(taken) - len(recorded.arrivals)
    return recorded


def _arrival(hit: Hit) -> Arrival | None:
    """When the document arrived, if it says so."""
    ingested = next(filter(None, map(parse_time, values(hit.source, INGESTED))), None)
    if ingested is None:
        return None
    name = f"{hit.key.index}/{hit.key.id}"
    return Arrival(hit.position, searchable_at(position(ingested)), name)
