"""What is remembered of one key while a sequence is matched: the unfinished, the undecided, and missing items seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from lolbin_rules.query.eql.plan import SequencePlan
from lolbin_rules.rule_types.sequence_candidates import Candidate, Found, KeyTuple, milliseconds

__all__ = ["KeyState", "Partial", "Shape", "Undecided"]


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the missing items of a plan lie among the positive ones, which alone are matched one after the other.

    Attributes:
        positions: index of an item -> its position among the positive ones; missing items are not in it.
        gaps: per position, the missing items directly before it.
        trailing: the missing items after the last positive one.
        maxspan: milliseconds, or None.
    """

    positions: dict[int, int]
    gaps: tuple[tuple[int, ...], ...]
    trailing: tuple[int, ...]
    maxspan: int | None

    @classmethod
    def of(cls, plan: SequencePlan) -> Shape:
        """The shape of a plan.

        Raises:
            ValueError: it is none of a sequence: a sample, nothing positive, or something missing without `maxspan`.
        """
        positive = [index for index, stage in enumerate(plan.stages) if not stage.is_missing]
        if plan.is_sample or not positive:
            raise ValueError("a sequence has at least one item that is not missing, and a sample is no sequence")
        if plan.maxspan is None and len(positive) < len(plan.stages):
            raise ValueError("missing items need a maxspan: without one they could never be decided")
        starts = [-1, *positive, len(plan.stages)]
        between = [tuple(range(before + 1, after)) for before, after in pairwise(starts)]
        return cls(
            positions={index: position for position, index in enumerate(positive)},
            gaps=tuple(between[:-1]),
            trailing=between[-1],
            maxspan=None if plan.maxspan is None else milliseconds(plan.maxspan),
        )

    def is_over(self, start: int, moment: int) -> bool:
        """Whether a moment is further from a start than `maxspan` allows; exactly `maxspan` is allowed."""
        return self.maxspan is not None and moment - start > self.maxspan

    def laid_out(self, events: tuple[Candidate, ...]) -> tuple[Candidate | None, ...]:
        """The events of all positive items with None in the places of the missing ones."""
        placed: list[Candidate | None] = [None] * (sum(map(len, self.gaps)) + len(self.trailing) + len(self.gaps))
        for index, position in self.positions.items():
            placed[index] = events[position]
        return tuple(placed)


@dataclass(frozen=True, slots=True)
class Partial:
    """An unfinished sequence.

    Attributes:
        events: what matched its positive items so far, at least one.
        lead: when an item that must be missing before the first event was last seen, epoch milliseconds.
        is_broken: an item that must be missing came between two of its events. It stays in its place nevertheless:
            the next event takes it and not an older one.
    """

    events: tuple[Candidate, ...]
    lead: int | None = None
    is_broken: bool = False


@dataclass(slots=True)
class Undecided:
    """A sequence with all its events, which a missing item at its end may still refuse.

    Attributes:
        found: the sequence.
        after: the time of its last event; the missing item counts only after it.
        deadline: the last millisecond at which the missing item would refuse it; None where it is accepted already.
        is_refused: the missing item was there.
    """

    found: Found
    after: int
    deadline: int | None
    is_refused: bool = False

    def is_accepted(self, complete_until: int | None) -> bool:
        """Whether nothing can refuse it any more, where all events before this time are known (None: all events)."""
        if self.is_refused:
            return False
        return self.deadline is None or complete_until is None or self.deadline < complete_until

    def meet(self, moment: int) -> None:
        """A missing item of its end is there at this time."""
        if self.deadline is not None and self.after < moment <= self.deadline:
            self.is_refused = True


class KeyState:
    """The matching of the events of one key.

    Events come in order, in groups of simultaneous ones. At each position there is at most one unfinished sequence that
    the present group may continue (`ready`), and one that it has made itself (`fresh`), since the newest wins and an
    event only follows what is strictly before it.
    """

    __slots__ = ("_fresh", "_is_ended", "_ready", "_seen", "_shape", "_undecided", "touched")

    def __init__(self, shape: Shape) -> None:
        self.touched = 0
        self._shape = shape
        self._ready: list[Partial | None] = [None] * len(shape.gaps)
        self._fresh: list[Partial | None] = [None] * len(shape.gaps)
        self._seen: dict[int, tuple[int, int | None]] = {}
        self._undecided: deque[Undecided] = deque()
        self._is_ended = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that could matter to a later event."""
        return not (self._seen or self._undecided or any(self._ready) or any(self._fresh))

    def match(self, index: int, candidate: Candidate) -> Partial | None:
        """Let an event match a positive item; the partial, if it is finished by it."""
        position = self._shape.positions[index]
        grown = self._begun(candidate) if position == 0 else self._continued(position, candidate)
        if position == len(self._ready) - 1:
            return grown
        if grown is not None:
            self._fresh[position] = grown
        return None

    def _begun(self, candidate: Candidate) -> Partial:
        return Partial((candidate,), lead=self._latest(self._shape.gaps[0], candidate.moment))

    def _continued(self, position: int, candidate: Candidate) -> Partial | None:
        partial, self._ready[position - 1] = self._ready[position - 1], None
        if partial is None or self._shape.is_over(partial.events[0].moment, candidate.moment):
            return None
        met = self._latest(self._shape.gaps[position], candidate.moment)
        is_met = met is not None and met > partial.events[-1].moment
        return Partial((*partial.events, candidate), partial.lead, partial.is_broken or is_met)

    def miss(self, index: int, moment: int) -> None:
        """Let an event match a missing item."""
        latest, before = self._seen.get(index, (moment, None))
        self._seen[index] = (moment, before if latest == moment else latest)
        if index in self._shape.trailing:
            for each in self._undecided:
                each.meet(moment)
            self._undecided = deque(each for each in self._undecided if not each.is_refused)

    def _latest(self, missing: Iterable[int], moment: int) -> int | None:
        """When one of these missing items was last seen strictly before a moment, which is not before any event."""
        seen = (time for index in missing for time in self._seen.get(index, ()))
        return max((time for time in seen if time is not None and time < moment), default=None)

    def finished(self, key: KeyTuple, partial: Partial) -> Undecided | None:
        """The sequence of a partial with all its events, unless a missing item refuses it already."""
        end, occupied = partial.events[-1].moment, self._occupied_until(partial)
        is_refused = not self._shape.trailing and occupied is not None and end <= occupied
        if partial.is_broken or is_refused:
            return None
        deadline = occupied if self._shape.trailing and occupied is not None and end < occupied else None
        made = Undecided(Found(key, self._shape.laid_out(partial.events)), end, deadline)
        if deadline is not None:
            self._await(made)
        return made

    def _occupied_until(self, partial: Partial) -> int | None:
        """The last millisecond of the span that starts with the lead, or else the first event.

        None: neither a missing item before the first event nor one after the last can refuse the sequence.
        """
        shape, is_led = self._shape, bool(self._shape.gaps[0])
        if shape.maxspan is None or not (is_led or shape.trailing) or (is_led and partial.lead is None):
            return None
        return (partial.events[0].moment if partial.lead is None else partial.lead) + shape.maxspan

    def _await(self, made: Undecided) -> None:
        # Deadlines never fall: a later sequence of a key begins no earlier.
        while self._undecided and self._undecided[0].is_accepted(made.after):
            self._undecided.popleft()
        self._undecided.append(made)

    def end(self) -> None:
        """An `until` event of this key is in the present group."""
        self._is_ended = True

    def close_group(self) -> None:
        """What comes next is strictly later.

        An `until` ends every sequence that has not been finished, those that began in its own group included; but it
        is not before the events of its own group, so those were still matched.
        """
        for position, fresh in enumerate(self._fresh):
            if self._is_ended:
                self._ready[position] = None
            elif fresh is not None:
                self._ready[position] = fresh
            self._fresh[position] = None
        self._is_ended = False
