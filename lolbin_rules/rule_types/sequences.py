"""Sequences: from events in order of time to the sequences that they form, as Elastic's EQL documentation words it.

The events of each key tuple are matched for themselves, item by item; the newest unfinished sequence wins::

    A1 A2 B3            [A] [B]              -> A2 B3
    A1 B2 B4 C3         [A] [B] [C]          -> A1 B2 C3

Missing items (`![M]`) do not take part in that; they refuse sequences that have all their events. By the time ``t`` of
an event of a missing item, the sequence's first and last event ``F`` and ``L``, and ``S`` for maxspan, it is refused by

* an item between two events: an event of it strictly between their times;
* leading items: the latest before ``F``, unless ``L - t > S``;
* trailing items: the earliest after ``L``, unless ``t - F > S``; such a sequence is decided when that time is over;
* both at once: one of each, unless they are further from each other than ``S``. Where either is not there, no refusal.

Times of missing items are compared in whole milliseconds, without tiebreaker.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from lolbin_rules.query.eql.plan import SequencePlan
from lolbin_rules.rule_types.sequence_candidates import UNTIL, Candidate, Found, KeyTuple, Order, TooManyPending
from lolbin_rules.rule_types.sequence_state import KeyState, Shape, Undecided

__all__ = ["LIMIT", "SequenceMachine"]

LIMIT: Final = 100_000


class SequenceMachine:
    """Finds the sequences of a plan among candidates that come in order. Slices are the caller's, see `sliced`.

    With `maxspan`, it holds what the events within one `maxspan` need: per key and item at most two unfinished
    sequences, and the undecided ones. Without, it holds them for as long as no `until` ends them.
    """

    def __init__(self, plan: SequencePlan, *, limit: int = LIMIT) -> None:
        """The machine of a plan.

        Args:
            plan: a sequence.
            limit: the most `pending` that is allowed.

        Raises:
            ValueError: see `Shape.of`.
        """
        self._shape = Shape.of(plan)
        self._limit = limit
        # The longest untouched first; a plain dict would be slow to find it once many before it were deleted.
        self._states: OrderedDict[KeyTuple, KeyState] = OrderedDict()
        self._group: dict[KeyTuple, KeyState] = {}
        self._queue: deque[Undecided] = deque()
        self._order: Order | None = None
        self._moment: int | None = None

    @property
    def pending(self) -> int:
        """How many keys with something unfinished are remembered, and sequences that are not decided or not returned.

        Nothing else is held; each key holds a bounded number of events.
        """
        return len(self._states) + len(self._queue)

    @property
    def undecided(self) -> tuple[Found, ...]:
        """The sequences with all their events that a missing item may still refuse, by their last events."""
        return tuple(each.found for each in self._queue if not each.is_refused and each.deadline is not None)

    def feed(self, candidate: Candidate) -> list[Found]:
        """The sequences that are certain now, ordered by their last events across all calls.

        Raises:
            ValueError: the candidate comes before one that was fed, or before the time said to be complete.
            TooManyPending: more than the limit would be pending; the machine is of no use any more.
        """
        if self._order is not None and candidate.order < self._order:
            raise ValueError(f"candidates come in order: {candidate.order} was fed after {self._order}")
        if candidate.order != self._order:
            self._close_group()
        found = self.advance(candidate.moment)
        self._order = candidate.order
        for index in sorted(candidate.stages):
            for key in candidate.keys.get(index, ()):
                self._take(index, key, candidate)
        if candidate.is_until:
            for key in candidate.keys.get(UNTIL, ()):
                self._state(key, candidate.moment).end()
        if self.pending > self._limit:
            raise TooManyPending(self.pending, self._limit, candidate.moment)
        return found + self._certain(candidate.moment)

    def advance(self, complete_until: int) -> list[Found]:
        """The sequences that are certain once every event before a time (epoch milliseconds) has been fed.

        Raises:
            ValueError: the time is before one that events have come from.
        """
        if self._moment is not None and complete_until < self._moment:
            raise ValueError(f"time does not go back: {complete_until} ms came after {self._moment} ms")
        if self._moment is not None and complete_until > self._moment:
            self._close_group()
        self._moment = complete_until
        self._forget()
        return self._certain(complete_until)

    def finish(self, complete_until: int | None = None) -> list[Found]:
        """The rest of the sequences that are certain, once every event before a time has been fed.

        What stays `undecided` is for a search that knows more. Sequences that come after an undecided one in order are
        not kept waiting for it, so a search that ends here loses nothing that it could know.

        Args:
            complete_until: epoch milliseconds; None: there are no other events, and everything is decided.

        Raises:
            ValueError: see `advance`.
        """
        found = [] if complete_until is None else self.advance(complete_until)
        found += [each.found for each in self._queue if each.is_accepted(complete_until)]
        self._queue = deque(
            each for each in self._queue if not each.is_refused and not each.is_accepted(complete_until)
        )
        self._states.clear()
        self._group.clear()
        return found

    def _take(self, index: int, key: KeyTuple, candidate: Candidate) -> None:
        if index not in self._shape.positions:
            self._state(key, candidate.moment).miss(index, candidate.moment)
            return
        if self._shape.positions[index] > 0 and key not in self._states:
            return
        state = self._state(key, candidate.moment)
        partial = state.match(index, candidate)
        if partial is not None and (made := state.finished(key, partial)):
            self._queue.append(made)

    def _state(self, key: KeyTuple, moment: int) -> KeyState:
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = KeyState(self._shape)
        self._states.move_to_end(key)
        self._group[key] = state
        state.touched = moment
        return state

    def _close_group(self) -> None:
        for key, state in self._group.items():
            state.close_group()
            if state.is_empty:
                self._states.pop(key, None)
        self._group.clear()

    def _forget(self) -> None:
        """Drop the keys whose last event is further back than `maxspan`: nothing can come of them any more."""
        while self._states and self._moment is not None:
            key = next(iter(self._states))
            if not self._shape.is_over(self._states[key].touched, self._moment):
                return
            del self._states[key]

    def _certain(self, complete_until: int) -> list[Found]:
        found: list[Found] = []
        while self._queue and (self._queue[0].is_refused or self._queue[0].is_accepted(complete_until)):
            each = self._queue.popleft()
            if not each.is_refused:
                found.append(each.found)
        return found
