"""How far a rule has read each shard by sequence numbers: the axis of coverage that no clock has a part in.

Every write to a shard takes the next sequence number, so that whatever becomes searchable later, however late by its
time, has a number that was not read yet. The state is one cursor per shard, known by index and history: where either is
new (a new backing index, a restored or shrunk one, one deleted and made again) the numbers begin anew, and so does the
reading. What is read twice costs a search; alerts have fixed ids.

There is no opening by time. A rule that is new, or whose logic was edited, has read no shard; it reads each from 0,
asking only for documents of its own time (see `Sequence.since`), which costs what a search of that time costs. To note
the cursors and then to search the time behind `now` would lose documents that are there already with a time after
`now`, and, where that search must be repeated, those that came late between the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lolbin_rules.plan.window import DAWN, Spans, before

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from lolbin_rules.plan.logic import Logic

__all__ = ["UNREAD", "Cursor", "Sequence", "ShardKey"]


@dataclass(frozen=True, slots=True, order=True)
class ShardKey:
    """One shard as long as its sequence numbers go on: what its index is called does not matter."""

    index_uuid: str
    history_uuid: str
    number: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """What of one shard was read, with every alert of it confirmed.

    Attributes:
        next: everything before this sequence number was read.
        left: but for these, whose alerts could not be written.
        read_at: a moment not after the reading that moved it last; shards are read in this order.
    """

    next: int = 0
    left: frozenset[int] = frozenset()
    read_at: datetime = DAWN

    def __post_init__(self) -> None:
        if self.next < 0 or any(not 0 <= number < self.next for number in self.left):
            raise ValueError(f"a cursor at {self.next} cannot have left {sorted(self.left)[:3]}")

    def is_read(self, number: int) -> bool:
        """Whether this number needs no reading any more."""
        return number < self.next and number not in self.left

    def merged(self, other: Cursor) -> Cursor:
        """What two readers know together: what either has read is read."""
        ahead, behind = (self, other) if self.next >= other.next else (other, self)
        left = frozenset(number for number in ahead.left if not behind.is_read(number))
        return Cursor(ahead.next, left, max(self.read_at, other.read_at))


UNREAD = Cursor()


@dataclass(frozen=True, slots=True)
class Sequence:
    """What one logic of a rule has read by sequence numbers.

    Attributes:
        logic: its fingerprint.
        since: documents whose times all lie before it were passed over.
        cursors: by shard; a shard that is not there was never read.
        whole_at: the beginning of the last execution that read every shard to its end; None while there was none.
        passed_over: time after that whose documents were passed over too, as it was not asked when they were read.
        rest: keys of the stored axis that this version does not know; written back as they were read.
    """

    logic: str
    since: datetime
    cursors: Mapping[ShardKey, Cursor] = field(default_factory=dict)
    whole_at: datetime | None = None
    passed_over: Spans = field(default_factory=Spans)
    rest: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, logic: Logic, now: datetime, reach: timedelta) -> Sequence:
        """Nothing was read yet. It is read from where the logic begins, but from no more than `reach` ago."""
        return cls(logic.fingerprint, max(logic.since, before(now, reach)))

    def goes_on(self, logic: Logic, asked: Spans) -> bool:
        """Whether a rule may go on from these cursors: by the same logic, which had not ended in between.

        What was passed over must not have been asked for since: a person may want the time when the rule was disabled.
        """
        return self.logic == logic.fingerprint and self.since >= logic.since and not asked & self.passed_over

    def is_current(self, now: datetime, patience: timedelta) -> bool:
        """Whether every shard was read to its end no longer than `patience` ago."""
        return self.whole_at is not None and self.whole_at >= before(now, patience)

    def merged(self, other: Sequence) -> Sequence:
        """What two readers of the same logic know together; neither may say more of early documents than both know."""
        cursors = dict(other.cursors)
        for key, cursor in self.cursors.items():
            cursors[key] = cursor.merged(cursors[key]) if key in cursors else cursor
        moments = [moment for moment in (self.whole_at, other.whole_at) if moment]
        whole_at = max(moments) if moments else None
        since, passed_over = max(self.since, other.since), self.passed_over | other.passed_over
        return replace(other, since=since, cursors=cursors, whole_at=whole_at, passed_over=passed_over)

    def without(self, vanished_before: datetime, present: Collection[ShardKey]) -> Sequence:
        """Without shards that are gone and were not read for long; one that comes back is read from its start."""
        kept = {
            key: cursor for key, cursor in self.cursors.items() if key in present or cursor.read_at >= vanished_before
        }
        return replace(self, cursors=kept)
