"""What one execution of one rule did, how it is told apart from a failed one, and how it is stored."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from lolbin_rules.alert.source import write_time
from lolbin_rules.execution.late import Late
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.coverage_mode import CoverageMode
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Document, Key

__all__ = ["Execution", "Kind", "Status", "Tally", "record_document", "span_object"]

Kind: TypeAlias = Literal["scheduled", "manual"]


class Status(enum.StrEnum):
    """How an execution ended, in Kibana's words."""

    SUCCEEDED = "succeeded"
    PARTIAL_FAILURE = "partial failure"
    """Alerts were written, but something is left: a shard, an index, hits over the cap, a document."""
    FAILED = "failed"
    """Nothing of what was planned may be believed; all of it is searched again."""


@dataclass(slots=True)
class Tally:
    """What an execution has done so far; the one thing in an execution that changes.

    Attributes:
        hits: documents that matched, each time they were read.
        alerts: alerts that were created.
        duplicates: hits, or groups of hits, whose alert was there already.
        suppressed: member events that were created in the groups of a rule with suppression.
        dead_letters: alerts that the index refused and that were written without the copied source.
        is_capped: `max_alerts` was reached before everything was written.
        deferred: hits that it left to later executions, as far as they could be counted.
        held_back: how many events each item of the rule's exception lists held back, by list and item.
        raised: what each created alert says, for those who watch; at most `max_alerts` sentences.
        searched: the windows that were searched and may be believed.
        given_up: the windows that a sweep left to a later one, as other work was waiting.
        late: what a sweep found that came too late for ordinary executions.
        has_moved: some shard was read farther by sequence numbers, with its alerts confirmed.
        search_time: time spent reading, of the batch that the rule was in.
        write_time: time spent writing alerts, of the batch that the rule was in.
        total_time: from before `started_at` was read until everything but the record was written, of all rules.
        failures: why what was planned was not done; any makes the execution failed unless something was.
        problems: what is left undone or uncertain although the execution went on.
        warnings: what an operator should know although nothing is lost.
    """

    hits: int = 0
    alerts: int = 0
    duplicates: int = 0
    suppressed: int = 0
    dead_letters: int = 0
    is_capped: bool = False
    deferred: int = 0
    held_back: dict[str, int] = field(default_factory=dict)
    raised: list[str] = field(default_factory=list)
    searched: list[Window] = field(default_factory=list)
    given_up: list[Window] = field(default_factory=list)
    late: Late = field(default_factory=Late)
    has_moved: bool = False
    search_time: timedelta = timedelta()
    write_time: timedelta = timedelta()
    total_time: timedelta = timedelta()
    failures: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """Failed if nothing can be believed for a failure, partial failure if something is left, else succeeded."""
        if self.failures and not (self.searched or self.has_moved):
            return Status.FAILED
        return Status.PARTIAL_FAILURE if self.failures or self.problems else Status.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of one rule.

    Attributes:
        rule: the rule as it was executed.
        kind: `scheduled` by its interval, or `manual`, asked for by a person.
        started_at: when it began, by the store's clock.
        now: the time it was planned for.
        planned: the windows it was to search: the current one first, then the backlog.
        tally: what it did.
        uuid: names the execution in its record and in every alert it made.
        is_sweep: it searched again what was searched before, for what has come since.
        mode: how events were read.
        logic: the fingerprint of what the rule looked for; empty where that is not known.
    """

    rule: Rule
    kind: Kind
    started_at: datetime
    now: datetime
    planned: tuple[Window, ...] = ()
    tally: Tally = field(default_factory=Tally)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    is_sweep: bool = False
    mode: CoverageMode = "event_time"
    logic: str = ""

    @property
    def status(self) -> Status:
        """See `Tally.status`."""
        return self.tally.status

    @property
    def is_idle(self) -> bool:
        """Whether it is a sweep that had nothing to search; there is nothing to tell of it, and no record is kept."""
        return self.is_sweep and not self.planned and self.status is not Status.FAILED

    @property
    def reason(self) -> str:
        """Everything that failed, is left or should be known, as sentences; empty where all is well."""
        return " ".join(_once(self.tally.failures + self.tally.problems + self.tally.warnings))

    def to_json(self) -> dict[str, Any]:
        """The record as it is stored and printed; times are ISO 8601 in UTC, durations milliseconds."""
        tally = self.tally
        return {
            "@timestamp": write_time(self.started_at),
            "rule": {"id": self.rule.id, "name": self.rule.name, "version": self.rule.version},
            "execution": {
                "uuid": self.uuid,
                "kind": self.kind,
                "sweep": self.is_sweep,
                "mode": self.mode,
                "logic": self.logic,
                "status": self.status.value,
                "reason": self.reason,
                "intended": write_time(self.now),
            },
            "planned": [span_object(window) for window in self.planned],
            "searched": [span_object(window) for window in tally.searched],
            "given_up": [span_object(window) for window in tally.given_up],
            "window": _hull(self.planned),
            "hits": tally.hits,
            "alerts": tally.alerts,
            "duplicates": tally.duplicates,
            "suppressed": tally.suppressed,
            "late": tally.late.to_json(),
            "dead_letters": tally.dead_letters,
            "capped": tally.is_capped,
            "deferred": tally.deferred,
            "held_back": [{"exception": name, "events": count} for name, count in sorted(tally.held_back.items())],
            "search_ms": _milliseconds(tally.search_time),
            "write_ms": _milliseconds(tally.write_time),
            "total_ms": _milliseconds(tally.total_time),
            "failures": _once(tally.failures),
            "problems": _once(tally.problems),
            "warnings": _once(tally.warnings),
        }


def record_document(execution: Execution, prefix: str) -> Document:
    """The execution's record in the month's index of executions."""
    index = f"{prefix}-executions-{execution.started_at:%Y.%m}"
    return Document(Key(index, execution.uuid), execution.to_json())


def _once(sentences: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


def span_object(window: Window) -> dict[str, str]:
    """A span of time as it is printed and stored; ISO 8601 in UTC."""
    return {"start": write_time(window.start), "end": write_time(window.end)}


def _hull(windows: tuple[Window, ...]) -> dict[str, str] | None:
    if not windows:
        return None
    return span_object(Window(min(window.start for window in windows), max(window.end for window in windows)))


def _milliseconds(duration: timedelta) -> int:
    return round(duration / timedelta(milliseconds=1))
