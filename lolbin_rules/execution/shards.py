"""One rule's reading of the shards behind its indices by sequence numbers, in one execution."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.sequence import UNREAD, Cursor, Sequence, ShardKey
from lolbin_rules.plan.window import FOREVER, Spans, Window, before
from lolbin_rules.query.time_axis import TimeAxis
from lolbin_rules.store.port import Query, ShardProgress

__all__ = ["SEQ_NO", "Pass", "ShardStretch", "key_of"]

SEQ_NO: Final = TimeAxis("_seq_no")
"""In the place of an axis of time; positions on it are sequence numbers."""


def key_of(progress: ShardProgress) -> ShardKey:
    """What the shard is known by."""
    return ShardKey(progress.index_uuid, progress.history_uuid, progress.shard.number)


@dataclass(slots=True, kw_only=True)
class ShardStretch(Stretch):
    """One rule's reading of one shard; cuts and holes are sequence numbers.

    Attributes:
        progress: how far the shard has come: it is read up to its global checkpoint, which no fail-over takes back.
        before: how far it was read before.
        is_empty: it is known to hold nothing that is asked.
        is_stale: its index could not be refreshed; it is read, and not believed.
    """

    progress: ShardProgress
    before: Cursor
    is_empty: bool = False
    is_stale: bool = False

    @property
    def unread(self) -> int:
        """How many numbers are to be read."""
        return self.progress.global_checkpoint + 1 - self.before.next + len(self.before.left)

    @property
    def condition(self) -> Query:
        """The documents with these numbers."""
        bounds = {"gte": self.before.next, "lte": self.progress.global_checkpoint}
        new: Query = {"range": {SEQ_NO.field: bounds}}
        if not self.before.left:
            return new
        left: Query = {"terms": {SEQ_NO.field: sorted(self.before.left)}}
        return {"bool": {"should": [left, new], "minimum_should_match": 1}}

    def cut_at(self, place: int) -> None:
        """Believe nothing at or after this number."""
        self.cut = place if self.cut is None else min(self.cut, place)

    def leave_hole(self, places: AbstractSet[int] | None) -> None:
        """Do not believe these numbers."""
        self.holes += sorted(places or ())
        self.is_doubted |= not places

    def believed(self) -> tuple[Window, ...]:
        """No window of time is searched by this alone."""
        return ()

    def unwritten(self) -> tuple[Window, ...]:
        """What is unwritten is before the cursor, and needs no other note."""
        return ()

    @property
    def is_whole(self) -> bool:
        """Whether the shard was read to its end, and every alert is confirmed."""
        return not (self.is_doubted or self.is_stale) and self.cut is None and not self.holes

    def after(self, moment: datetime) -> Cursor:
        """How far it was read after this execution, which began at a moment."""
        known = self.before
        if self.is_doubted or self.is_stale:
            return known
        end = max(known.next, self.progress.global_checkpoint + 1 if self.cut is None else self.cut)
        again = {number for number in known.left if self.cut is not None and number >= self.cut}
        left = frozenset(number for number in {*again, *self.holes} if number < end)
        moved = Cursor(end, left, known.read_at)
        return known if moved == known else replace(moved, read_at=moment)


@dataclass(slots=True)
class Pass:
    """One rule's reading of all shards.

    Attributes:
        course: whose.
        begun: how far the rule had read before.
        asked: the time that was asked when it was planned.
        window: what of it this execution is about, up to the time that it was planned for.
        shards: those that have something unread.
        present: every shard that there is.
        is_doubted: something is missing that no shard of these stands for.
    """

    course: Course
    begun: Sequence
    asked: Spans
    window: Window
    shards: list[ShardStretch] = field(default_factory=list)
    present: frozenset[ShardKey] = frozenset()
    is_doubted: bool = False

    def doubt(self) -> None:
        """Believe nothing of it."""
        self.is_doubted = True
        for shard in self.shards:
            shard.is_doubted = True

    @property
    def is_whole(self) -> bool:
        """Whether everything that was searchable when the execution began was read, and every alert is confirmed."""
        return not self.is_doubted and all(shard.is_whole for shard in self.shards)

    @property
    def searched(self) -> tuple[Window, ...]:
        """The time that this execution was about and may be believed, for the record."""
        return (Spans((self.window,)) & self.asked).windows if self.is_whole else ()

    @property
    def has_moved(self) -> bool:
        """Whether any shard was read farther than before."""
        started_at = self.course.execution.started_at
        return any(shard.after(started_at) != shard.before for shard in self.shards)

    def cursor_of(self, progress: ShardProgress) -> Cursor:
        """How far a shard was read before this execution."""
        return self.begun.cursors.get(key_of(progress), UNREAD)

    def noted_in(self, coverage: Coverage, tolerance: timedelta, horizon: timedelta) -> Coverage:
        """The coverage with what was read.

        After everything was read, all time since the beginning of this logic was searched when the execution began,
        however late its documents came. Where the rule was edited meanwhile, or more of its time asked, the numbers
        were read for too little, and are read again.
        """
        logic = coverage.logics.current
        if not self.begun.goes_on(logic, coverage.asked) or coverage.asked - self.asked:
            return coverage
        started_at = self.course.execution.started_at
        cursors = {key_of(shard.progress): shard.after(started_at) for shard in self.shards}
        read = {key: cursor for key, cursor in cursors.items() if cursor != UNREAD}
        passed_over = self.begun.passed_over | (Spans.between(self.begun.since, FOREVER) - self.asked)
        moved = replace(self.begun, cursors={**self.begun.cursors, **read}, passed_over=passed_over)
        if self.is_whole:
            moved = replace(moved, whole_at=started_at)
        coverage = coverage.with_sequence(moved)
        if coverage.sequence is not None:
            kept = coverage.sequence.without(before(started_at, horizon), self.present)
            coverage = replace(coverage, sequence=kept)
        for window in (
            (Spans.between(moved.since, self.window.end) & self.asked & coverage.asked) if self.is_whole else ()
        ):
            coverage = coverage.with_searched(window, started_at, logic.fingerprint, tolerance)
        return coverage
