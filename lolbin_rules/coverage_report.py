"""What `coverage` prints: which time of each rule was asked, searched and settled, and where it was not, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from lolbin_rules.alert.source import write_time
from lolbin_rules.execution.fill import fill
from lolbin_rules.execution.pictures import Seen, look_at
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.gaps import Gap
from lolbin_rules.plan.window import Spans, Window, floor
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.store.port import Store

__all__ = ["DEFAULT_PERIOD", "CoverageReport"]

DEFAULT_PERIOD = timedelta(days=1)
LONGEST_DETAIL = 300


class CoverageReport:
    """Looks at the rules of a set and a period, and prints what it sees."""

    def __init__(self, ruleset: RuleSet, settings: RunnerSettings, store: Store, *, as_json: bool) -> None:
        self._ruleset = ruleset
        self._settings = settings
        self._store = store
        self._as_json = as_json
        self._now = floor(store.clock())
        self._rules = [rule for _, rule in sorted(ruleset.rules.items())]

    def show(self, period: Window) -> bool:
        """Print what is known of each rule; whether nothing is lacking.

        A disabled rule that never ran lacks nothing: it promised nothing.
        """
        is_whole = True
        for seen in self._look(period):
            self._print(seen)
            is_whole &= not seen.picture.lacks or (seen.coverage is None and not seen.rule.enabled)
        return is_whole

    def fill(self, period: Window) -> None:
        """Search what of the period is not settled, whether it was asked or not, oldest first."""
        orders = Orders(
            [],
            self._ruleset.lists,
            self._now,
            prefix=self._settings.prefix,
            kind="manual",
            exceptions=self._ruleset.exceptions_by_rule,
        )
        for seen in self._look(period):
            gaps = Spans((seen.picture.period,)) - seen.picture.settled
            _complain(f"{seen.rule.id}: {_counted(len(gaps), 'gap')}, {gaps.duration} in all.")
            for execution in fill(seen.rule, gaps, orders, self._store):
                tally, window = execution.tally, execution.planned or ("",)
                _complain(
                    f"{seen.rule.id}: {window[0]} {execution.status.value}; {tally.hits} hits, {tally.alerts} alerts, "
                    f"{tally.duplicates} duplicates. {execution.reason}".rstrip()
                )

    def _look(self, period: Window) -> list[Seen]:
        past = period.overlap(Window(period.start, max(self._now, period.start + timedelta(milliseconds=1))))
        return look_at(self._rules, past or period, self._now, self._store, self._settings.prefix)

    def _print(self, seen: Seen) -> None:
        if self._as_json:
            _say(orjson.dumps(_as_object(seen)).decode())
        else:
            for line in _lines(seen, self._now, self._settings.gap_horizon):
                _say(line)


def _as_object(seen: Seen) -> dict[str, Any]:
    found = seen.picture
    return {
        "rule": {"id": seen.rule.id, "name": seen.rule.name, "enabled": seen.rule.enabled},
        "period": _span(found.period),
        "asked": [_span(window) for window in found.asked],
        "searched": [_span(window) for window in found.covered],
        "settled": [_span(window) for window in found.settled],
        "gaps": [gap_object(gap) for gap in found.gaps],
        "is_whole": not found.lacks,
    }


def gap_object(gap: Gap) -> dict[str, Any]:
    """A gap as it is printed for programs."""
    return {
        **_span(gap.window),
        "reason": gap.reason.value,
        "detail": gap.detail,
        "execution": gap.execution or None,
        "is_due": gap.is_due,
        "is_asked": gap.is_asked,
    }


def _lines(seen: Seen, now: datetime, horizon: timedelta) -> Iterator[str]:
    found = seen.picture
    lacking = sum((gap.window.duration for gap in found.lacks), timedelta())
    state = f"{lacking} is lacking" if found.lacks else "nothing is lacking"
    yield f"{seen.rule.id}{'' if seen.rule.enabled else ' (disabled)'}: {state}"
    for name, spans in (("asked", found.asked), ("searched", found.covered), ("settled", found.settled)):
        yield f"  {name:<8}  {spans.duration} of {found.period.duration}{_where(spans)}"
    for gap in found.gaps:
        yield gap_line(gap)
        if gap.is_asked and gap.window.end < now - horizon:
            yield "            older than LOLBIN_GAP_HORIZON: it is searched only by coverage --fill"


def gap_line(gap: Gap) -> str:
    """A gap as it is printed for people."""
    detail = gap.detail if len(gap.detail) <= LONGEST_DETAIL else f"{gap.detail[:LONGEST_DETAIL]} ..."
    name = "gap" if gap.is_due and gap.is_asked else "not yet" if gap.is_asked else "not asked"
    return f"  {name:<9} {_text(gap.window)} ({gap.window.duration})  {gap.reason.value}: {detail}"


def _where(spans: Spans) -> str:
    if not spans:
        return ""
    more = f" and {len(spans) - 1} more" if len(spans) > 1 else ""
    return f"  {_text(spans.windows[0])}{more}"


def _text(window: Window) -> str:
    return f"{write_time(window.start)} to {write_time(window.end)}"


def _span(window: Window) -> dict[str, str]:
    return {"start": write_time(window.start), "end": write_time(window.end)}


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _complain(error: object) -> None:
    print(error, file=sys.stderr)  # noqa: T201 - this is what the command prints


def _say(text: str) -> None:
    print(text)  # noqa: T201 - as above
