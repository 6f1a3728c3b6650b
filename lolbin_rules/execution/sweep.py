"""The sweep: time that was searched already, searched again for what became searchable only afterwards.

An ordinary execution finds what is late by `lookback - interval` at most. A sweep looks back much farther and much less
often. It is an ordinary execution over other windows: what has an alert keeps it, what has none gets one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import EPOCH, FOREVER, Spans, Window, before
from lolbin_rules.rule.model import Rule

__all__ = ["Sweeps", "sweeping", "swept_windows"]

HOUR = timedelta(hours=1)
RETRY = timedelta(minutes=5)
"""After a failed execution a sweep rests so long."""


def swept_windows(rule: Rule, now: datetime, reach: timedelta) -> tuple[Window, ...]:
    """What a sweep of the rule at `now` searches: from `reach` ago to where its own window begins, newest first.

    Cut at whole hours, so that rules of any lookback search the same windows and share their requests.
    """
    return _by_hours(Spans.between(before(now, reach), before(now, rule.lookback)))


def _by_hours(spans: Spans) -> tuple[Window, ...]:
    windows = []
    for span in reversed(spans.windows):
        end = span.end
        while end > span.start:
            piece = max(span.start, EPOCH + (end - timedelta(milliseconds=1) - EPOCH) // HOUR * HOUR)
            windows.append(Window(piece, end))
            end = piece
    return tuple(windows)


def sweeping(orders: Orders, reach: timedelta) -> Orders:
    """The same orders, to sweep instead of to search what is due."""
    windows = {rule.id: swept_windows(rule, orders.now, reach) for rule in orders.rules}
    return replace(orders, is_sweep=True, spans=windows)


@dataclass(slots=True)
class Sweeps:
    """Which rules are to be swept when, and what is left of sweeps that were broken off. Kept in memory only.

    `now` is the store's time throughout: a machine whose clock is ahead would leave out what lies at the far end.

    Attributes:
        interval: between two sweeps of a rule.
        reach: how far back a sweep looks.
    """

    interval: timedelta
    reach: timedelta
    _left: dict[str, tuple[Window, ...]] = field(default_factory=dict)
    _doubted: dict[str, Spans] = field(default_factory=dict)
    _begun: dict[str, datetime] = field(default_factory=dict)
    _due: dict[str, datetime] = field(default_factory=dict)

    def owed(self, rules: Iterable[Rule], now: datetime) -> dict[str, tuple[Window, ...]]:
        """What is to be swept now, by rule: the rest of a sweep that was broken off, or all of a new one."""
        owed = {}
        for rule in rules:
            if not rule.enabled or now < self._due.get(rule.id, now):
                continue
            if not self._left.get(rule.id):
                self._left[rule.id] = self._windows(rule, now)
                self._begun[rule.id] = now
            if self._left[rule.id]:  # a lookback as long as the reach leaves nothing to sweep
                owed[rule.id] = self._left[rule.id]
        return owed

    def _windows(self, rule: Rule, now: datetime) -> tuple[Window, ...]:
        """What a new sweep searches: its own windows, and what the one before did not get a whole answer for."""
        windows = swept_windows(rule, now, self.reach)
        doubted = self._doubted.pop(rule.id, Spans()) & Spans.between(before(now, 2 * self.reach), FOREVER)
        return (*windows, *_by_hours(doubted - Spans.between(before(now, self.reach), FOREVER)))

    def took(self, executions: Sequence[Execution], now: datetime) -> None:
        """Note what these executions have done of what was owed."""
        for execution in executions:
            name = execution.rule.id
            if execution.status is Status.FAILED:
                self._due[name] = now + min(RETRY, self.interval)
                continue
            self._left[name] = tuple(execution.tally.given_up)
            doubted = Spans(execution.planned) - Spans((*execution.tally.searched, *execution.tally.given_up))
            self._doubted[name] = self._doubted.get(name, Spans()) | doubted
            self._due[name] = now if self._left[name] else self._begun[name] + self.interval
