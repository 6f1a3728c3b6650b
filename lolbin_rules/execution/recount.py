"""The source read again: which hits there are, and which of them the alerts stand for.

It shares with the executions how a rule is compiled and searched and how an alert is known, and nothing of what they
concluded: every hit is looked for in the alerts, and what was read is compared with what the store counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import is_own_alert
from lolbin_rules.alert.identity import (
    Identity,
    alert_key,
    membership_key,
    monthly_index,
    same_event,
    same_match,
    stable_index,
)
from lolbin_rules.alert.source import event_time, first, objects
from lolbin_rules.errors import StoreForbidden
from lolbin_rules.execution.evaluate import evaluate, matches_of
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.search import Search, search
from lolbin_rules.plan.gaps import known_search
from lolbin_rules.plan.window import Spans, Window, from_position, position
from lolbin_rules.query.time_axis import TimeAxis
from lolbin_rules.rule.coverage_mode import INGESTED
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Hit, Key, Query, Scan, Store, Stored

__all__ = ["Missing", "Recount"]

WITHIN = timedelta(minutes=10)
LONGEST = timedelta(days=1)
MOST_NAMED = 20
TOLD = (fields.RULE_ID, fields.ANCESTORS, fields.MATCH, fields.UUID, fields.SLOT_START)


@dataclass(frozen=True, slots=True)
class Missing:
    """A hit without an alert.

    Attributes:
        key: of the event; of what stands for several, the event that it was made of.
        happened: where in time it lies.
        match: what it is known by where it is more than one event; else empty.
    """

    key: Key
    happened: datetime
    match: str = ""


@dataclass(slots=True)
class Recount:
    """What a rule finds in some time now, and what its alerts say of it.

    Attributes:
        course: the rule, compiled, with its coverage.
        store: where.
        prefix: what the names of the alerts' indices begin with.
        hits: matches that were found.
        alerts: the alerts that stand for them.
        suppressed: matches that are members of a group's alert.
        doubled: matches that have more than one alert.
        late: hits without an alert that became searchable, by their `event.ingested` or that of an event of the
            sequence, after their time was searched.
        unexplained: hits without an alert that should have one.
        missing: the first of the unexplained.
        missed: the first of the late.
        problems: why the recount itself cannot be relied on.
    """

    course: Course
    store: Store
    prefix: str
    hits: int = 0
    alerts: set[Key] = field(default_factory=set)
    suppressed: int = 0
    doubled: int = 0
    late: int = 0
    unexplained: int = 0
    missing: list[Missing] = field(default_factory=list)
    missed: list[Missing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def read(self, spans: Spans) -> None:
        """Find every hit in these spans and look for its alert.

        Raises:
            StoreError: the store could not be read.
        """
        for window in _pieces(spans):
            if self.course.evaluator is not None:
                done = evaluate(self.course, window, self.store, WITHIN, self._take)
                self.problems += done.problems
            else:
                for axis in self.course.axes:
                    self._search(window, axis)
        for window in spans:
            self._count_doubles(window)

    def _search(self, window: Window, axis: TimeAxis) -> None:
        rule, found = self.course.rule, set[Key]()

        def consume(pages: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
            for hits in pages.values():
                found.update(hit.key for hit in hits)
                self._take(matches_of(self.course.compiled, hits, axis))
            return set()

        asked = Search.over(rule.index, {rule.id: self.course.query}, window, WITHIN, axis)
        for answer in search(asked, self.store, consume).values():
            self.problems += answer.problems
        query: Query = {"bool": {"filter": [self.course.query, axis.within(window)]}}
        counted = self.store.count(rule.index, query, within=WITHIN)
        if not counted.is_whole:
            self.problems.append(f"Not every shard counted its hits in {window}.")
        elif counted.value != len(found):
            self.problems.append(
                f"The store counts {counted.value} hits in {window}, and {len(found)} were read; either events came or "
                "went meanwhile, or reading is at fault. Certify again."
            )

    def _take(self, matches: Sequence[Match]) -> bool:
        """Look for the alerts of one page."""
        rule = self.course.rule
        fresh = []
        for match in matches:
            known = Identity(match.identity, match.dated)
            own = alert_key(self.prefix, rule.id, match.hit, known)
            if own.id in self._seen or any(is_own_alert(rule.id, hit.source) for hit in match.events or (match.hit,)):
                continue
            self._seen.add(own.id)
            fresh.append((match, own, membership_key(self.prefix, rule.id, match.hit, known)))
        self.hits += len(fresh)
        stored = self._get([key for _, *keys in fresh for key in keys])
        members = {key: found for _, _, key in fresh if (found := stored.get(key))}
        groups = self._get([self._group_of(member) for member in members.values()])
        for match, own, membership in fresh:
            told = [own] if self._is_of(match, stored.get(own)) else []
            member = members.get(membership)
            if member and self._is_of(match, member):
                group = self._group_of(member)
                is_told = group in groups and first(groups[group].source, fields.RULE_ID) == rule.id
                told += [group] if is_told else []
                self.suppressed += is_told
            self.alerts.update(told)
            self.doubled += len(told) > 1
            if not told:
                self._miss(match)
        return True

    def _get(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        asked = list(dict.fromkeys(keys))
        return {each.key: each for each in self.store.get(asked, TOLD) if each} if asked else {}

    def _is_of(self, match: Match, stored: Stored | None) -> bool:
        if stored is None:
            return False
        if match.identity:
            return same_match(stored.source, self.course.rule, Identity(match.identity))
        return same_event(stored.source, self.course.rule, match.hit.key)

    def _group_of(self, member: Stored) -> Key:
        slot_start = event_time(member.source, fields.SLOT_START)
        return Key(monthly_index(f"{self.prefix}-alerts", slot_start), str(first(member.source, fields.UUID)))

    def _miss(self, match: Match) -> None:
        coverage, happened = self.course.coverage, from_position(match.hit.position)
        found = Missing(match.hit.key, happened, Identity(match.identity).text if match.identity else "")
        searched = known_search(coverage, happened) if coverage else None
        # One event of a sequence that came late is enough for it to have been none when its time was searched.
        ingested = [event_time(hit.source, INGESTED) for hit in match.events or (match.hit,)]
        is_late = searched is not None and any(moment > searched for moment in ingested if moment is not None)
        self.late += is_late
        self.unexplained += not is_late
        named = self.missed if is_late else self.missing
        if len(named) < MOST_NAMED:
            named.append(found)

    def _count_doubles(self, window: Window) -> None:
        """Read the alerts themselves: no event of the window may have two, whatever ids they have."""
        bounds = {"gte": position(window.start), "lt": position(window.end), "format": "epoch_millis"}
        query: Query = {"term": {fields.RULE_ID: self.course.rule.id}}
        index = f"{self.prefix}-alerts"
        with suppress(StoreForbidden):  # what was written last may then be missing, and no double is seen in it
            self.store.refresh([index])
        told: Counter[Any] = Counter()
        request = Scan((index,), {"alerts": query}, {"range": {fields.ORIGINAL_TIME: bounds}}, within=WITHIN)
        for page in self.store.scan(request):
            if not page.is_whole:
                self.problems.append(f"Not every shard of {index} answered; whether events have two alerts is unknown.")
            told.update(what for hit in page.hits if (what := _told_of(hit.source)) is not None)
        self.doubled += sum(count - 1 for count in told.values())


def _told_of(alert: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What an alert stands for; None for those of groups and for building blocks, which are known by their alerts."""
    if first(alert, fields.SLOT_START) is not None or first(alert, fields.GROUP_INDEX) is not None:
        return None
    match = first(alert, fields.MATCH)
    if match is not None:
        return (str(match),)
    parent = (objects(alert, fields.ANCESTORS) or [{}])[-1]
    return (stable_index(str(parent.get("index"))), str(parent.get("id")))


def _pieces(spans: Spans) -> list[Window]:
    """The spans, oldest first, in windows of at most a day."""
    pieces = []
    for window in spans:
        start = window.start
        while start < window.end:
            end = min(start + LONGEST, window.end)
            pieces.append(Window(start, end))
            start = end
    return pieces
