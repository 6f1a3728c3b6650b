"""What `coverage` prints: which time of each rule was asked, searched and settled, where not and why; certificates."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from lolbin_rules.alert.source import write_time
from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.execution.certificate import Certificate, Certifying, certificate_document, certify, gap_object
from lolbin_rules.execution.fill import fill
from lolbin_rules.execution.pictures import Seen, look_at
from lolbin_rules.execution.record import span_object
from lolbin_rules.execution.recount import Missing
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.gaps import Gap
from lolbin_rules.plan.window import Spans, Window, floor
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.store.port import Store, Verdict

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
        """Search what of the period is not settled, whether it was asked or not, oldest first.

        Of several rules those that are disabled are left alone.
        """
        orders = Orders(
            [],
            self._ruleset.lists,
            self._now,
            prefix=self._settings.prefix,
            kind="manual",
            exceptions=self._ruleset.exceptions_by_rule,
        )
        for seen in self._look(period):
            if len(self._rules) > 1 and not seen.rule.enabled:
                continue
            gaps = Spans((seen.picture.period,)) - seen.picture.settled
            _complain(f"{seen.rule.id}: {_counted(len(gaps), 'gap')}, {gaps.duration} in all.")
            for execution in fill(seen.rule, gaps, orders, self._store):
                tally, window = execution.tally, execution.planned or ("",)
                _complain(
                    f"{seen.rule.id}: {window[0]} {execution.status.value}; {tally.hits} hits, {tally.alerts} alerts, "
                    f"{tally.duplicates} duplicates. {execution.reason}".rstrip()
                )

    def certify(self, period: Window, *, is_written: bool) -> bool:
        """Recount each rule's settled time, print a certificate, store it if asked; whether all of them are good.

        Raises:
            StoreError: the store could not be read, or the certificate not be written.
        """
        settings = self._settings
        given = Certifying(
            self._ruleset.lists,
            self._ruleset.exceptions_by_rule,
            settings.prefix,
            self._now,
            settings.sweep_interval,
            settings.sweep_reach,
        )
        is_good = True
        for seen in self._look(period):
            certificate = certify(seen, given, self._store)
            is_good &= certificate.is_good
            if is_written:
                (outcome,) = self._store.create([certificate_document(certificate, settings.prefix)])
                if outcome.verdict is not Verdict.CREATED:
                    raise StoreUnavailable(f"The certificate of {seen.rule.id} was not written: {outcome.reason}")
            if self._as_json:
                _say(orjson.dumps(certificate.to_json()).decode())
            else:
                for line in _certificate_lines(certificate):
                    _say(line)
        return is_good

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
        "period": span_object(found.period),
        "asked": [span_object(window) for window in found.asked],
        "searched": [span_object(window) for window in found.covered],
        "settled": [span_object(window) for window in found.settled],
        "gaps": [gap_object(gap) for gap in found.gaps],
        "is_whole": not found.lacks,
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


def _certificate_lines(certificate: Certificate) -> Iterator[str]:
    found, looked = certificate.recount, certificate.seen.picture
    verdict = "certified" if certificate.is_good else "NOT certified"
    yield f"{certificate.seen.rule.id}: {verdict}, {_text(looked.period)}"
    yield f"  {certificate.promise}"
    recounted = certificate.recounted
    yield f"  recounted     {recounted.duration} of {looked.period.duration}{_where(recounted)}"
    for window, logic in certificate.others:
        yield f"  other logic   {_text(window)}: searched by {logic[:12]}, not recounted with {certificate.logic[:12]}"
    duplicates = sum(attempt.duplicates for attempt in certificate.attempts)
    yield f"  executions    {len(certificate.attempts)}, {_counted(duplicates, 'duplicate')} refused"
    yield f"  hits          {found.hits}"
    yield f"  alerts        {len(found.alerts)}, {found.suppressed} hits as members of a group"
    for name, count in sorted(certificate.held_back.items()):
        yield f"  held back     {count} by {name}"
    for gap in certificate.gaps:
        yield gap_line(gap)
    for problem in certificate.problems:
        yield f"  problem       {problem}"
    yield f"  late          {found.late}, searchable only after their time was searched"
    yield from (_missing_line(each) for each in found.missed)
    yield f"  doubled       {found.doubled}"
    yield f"  unexplained   {found.unexplained}"
    yield from (_missing_line(each) for each in found.missing)


def _missing_line(each: Missing) -> str:
    return f"                {each.key.index}/{each.key.id} of {write_time(each.happened)} {each.match}".rstrip()


def _where(spans: Spans) -> str:
    if not spans:
        return ""
    more = f" and {len(spans) - 1} more" if len(spans) > 1 else ""
    return f"  {_text(spans.windows[0])}{more}"


def _text(window: Window) -> str:
    return f"{write_time(window.start)} to {write_time(window.end)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _complain(error: object) -> None:
    print(error, file=sys.stderr)  # noqa: T201 - this is what the command prints


def _say(text: str) -> None:
    print(text)  # noqa: T201 - as above
