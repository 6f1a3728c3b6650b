"""What of a rule's time has been searched: the state of one rule, and the only one it has.

Not "the last run" but the set of what was searched with success, because a last run cannot say what lies before it:
a failed search, a broken shard, a full cap. Whatever was asked and is not covered is a gap, wherever it lies.
Nothing here ever says more than is known; where two bounds are at hand the weaker one is kept, and the price is to
search once more, which is harmless because alerts have fixed ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lolbin_rules.plan.logic import Logic, Logics
from lolbin_rules.plan.searched import Searched, compacted, overlaid
from lolbin_rules.plan.window import DAWN, FOREVER, Spans, Window, before, floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from lolbin_rules.plan.indices import Indices, Look, Named
    from lolbin_rules.plan.sequence import Sequence

__all__ = ["Coverage", "Deferred", "closed", "merged", "opened"]


@dataclass(frozen=True, slots=True, order=True)
class Deferred:
    """A stretch that only a later search than at a moment has searched, whatever is known of earlier ones.

    A cap left alerts of it unwritten, or there is an index that earlier searches did not meet.
    """

    window: Window
    deferred_at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was asked of one rule and what was searched, over event time. Every change makes a new one.

    Attributes:
        rule_id: the rule.
        logics: the logic in force and its predecessors.
        asked: the event time that the tool promised to search; open at the end while the rule is enabled.
        searched: disjoint stretches, sorted.
        deferred: disjoint stretches, sorted; they are not covered, whatever `searched` says.
        rest: keys and axes of the stored document that this version does not know; written back as they were read.
        sequence: how far it was read by sequence numbers; None where it never was.
        indices: which indices its searches have met; None where that is not known.
        reopened: disjoint stretches, sorted, in which an index holds documents that came with it after they were
            searched; they are not covered, and searched again like any other gap.
    """

    rule_id: str
    logics: Logics
    asked: Spans
    searched: tuple[Searched, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)
    sequence: Sequence | None = None
    indices: Indices | None = None
    reopened: tuple[Deferred, ...] = ()

    @classmethod
    def begin(cls, rule_id: str, window_start: datetime, fingerprint: str) -> Coverage:
        """The coverage of a rule that was never run: everything from `window_start` on is asked."""
        start = floor(window_start)
        return cls(rule_id, Logics(Logic(fingerprint, start)), Spans.between(start, FOREVER))

    @property
    def is_open(self) -> bool:
        """Whether time goes on being asked: the rule was enabled when it was last looked at."""
        return any(window.is_open for window in self.asked)

    @property
    def left_over(self) -> Spans:
        """The event time from which a cap left something unwritten."""
        return Spans(tuple(stretch.window for stretch in self.deferred))

    @property
    def unmet(self) -> Spans:
        """The event time that was searched before an index came that holds documents of it."""
        return Spans(tuple(stretch.window for stretch in self.reopened))

    @property
    def covered(self) -> Spans:
        """The event time that was searched by a logic that counts there, with nothing left over and no index missed."""
        parts = (Spans((stretch.window,)) & self.logics.counts(stretch.logic) for stretch in self.searched)
        return _union(parts) - self.left_over - self.unmet

    def settled(self, tolerance: timedelta) -> Spans:
        """The covered time that was searched late enough to have met documents up to `tolerance` late.

        Only this may be certified.
        """
        return _union(stretch.settled(tolerance) for stretch in self.searched) & self.covered

    def is_settled(self, window: Window, tolerance: timedelta) -> bool:
        """Whether the whole window may be certified."""
        return not Spans((window,)) - self.settled(tolerance)

    def gaps(self, now: datetime) -> Spans:
        """The event time before `now` that was asked and is not covered."""
        return (self.asked & Spans.between(DAWN, floor(now))) - self.covered

    def with_searched(self, window: Window, searched_at: datetime, fingerprint: str, tolerance: timedelta) -> Coverage:
        """The coverage after the logic `fingerprint` searched `window` and every alert of it was confirmed.

        `searched_at` is the moment before the point in time was opened. Time after it is not believed to be searched:
        a runner whose clock is ahead would otherwise claim a future that is still to be written. Neighbours that are
        settled for `tolerance` are joined.
        """
        moment = floor(searched_at)
        past = window.overlap(Window(DAWN, moment))
        if past is None:
            return self
        laid = self.with_stretch(Searched.once(past, moment, fingerprint))
        return replace(laid, searched=compacted(laid.searched, tolerance))

    def with_stretch(self, stretch: Searched) -> Coverage:
        """The coverage with `stretch` known as well; what a search this late has settled is no longer left over."""
        counts = self.logics.counts(stretch.logic)
        deferred, reopened = (
            tuple(
                Deferred(part, old.deferred_at)
                for old in some
                for part in Spans((old.window,)) - (stretch.after(old.deferred_at) & counts)
            )
            for some in (self.deferred, self.reopened)
        )
        searched = overlaid(stretch, self.searched, self.logics.counts)
        return replace(self, searched=searched, deferred=deferred, reopened=reopened)

    def with_deferred(self, window: Window, deferred_at: datetime) -> Coverage:
        """The coverage after a search found more in `window` than the cap let it write.

        Only a later search settles that: an earlier one may not have met what was left over, and one of the same
        moment may be this very search, recorded by its whole window. So `deferred_at` must not be *before* the search,
        as `searched_at` must not be after it; where clocks differ, the later one is the safe one here.
        """
        moment = floor(deferred_at)
        return replace(self, deferred=_joined([*self.deferred, *self._not_after(Spans((window,)), moment)]))

    def _not_after(self, spans: Spans, moment: datetime) -> Iterator[Deferred]:
        later = _union(stretch.after(moment) & self.logics.counts(stretch.logic) for stretch in self.searched)
        return (Deferred(part, moment) for part in spans - later)

    def with_looks(
        self, present: Mapping[str, Named], looks: Mapping[str, Look], looked_at: datetime, reach: timedelta
    ) -> Coverage:
        """The coverage after new indices were looked at; see `Indices.after`. Time that is not asked stays unasked.

        `looked_at` must not be before the looks: a search that began before may have lacked what they found. `reach` is
        how far behind an event a match may lie that it is a part of: so much more than the events' own time is searched
        again.
        """
        if self.indices is None:
            return self
        moment = floor(looked_at)
        indices, found = self.indices.after(present, looks, moment)
        again = Spans(tuple(Window(window.start, max(window.end, min(moment, window.end + reach))) for window in found))
        reopened = _joined([*self.reopened, *self._not_after(again & self.asked, moment)])
        return replace(self, indices=indices, reopened=reopened)

    def with_sequence(self, sequence: Sequence) -> Coverage:
        """The coverage after the present logic has read so far by sequence numbers; no cursor ever goes back."""
        known = self.sequence
        if known is not None and known.goes_on(self.logics.current, self.asked):
            sequence = sequence.merged(known)
        return replace(self, sequence=sequence)

    def with_asked(self, window: Window) -> Coverage:
        """The coverage after a person asked for `window` as well."""
        return replace(self, asked=self.asked | Spans((window,)))


def opened(coverage: Coverage | None, rule_id: str, now: datetime, lookback: timedelta, fingerprint: str) -> Coverage:
    """The coverage of an enabled rule as it must be before an execution at `now`; the same object if nothing changed.

    The first enabling, an enabling after the rule was disabled, and a change of its logic each begin `lookback` ago.
    What an execution searches is asked in any case, also where the clock was set back or the lookback is longer now:
    what it leaves undone is a gap.
    """
    start = before(now, lookback)
    if coverage is None:
        return Coverage.begin(rule_id, start, fingerprint)
    if not coverage.is_open:
        coverage = coverage.with_asked(Window(start, FOREVER))
    elif current := Spans.between(start, floor(now)) - coverage.asked:
        coverage = replace(coverage, asked=coverage.asked | current)
    if coverage.logics.current.fingerprint != fingerprint:
        coverage = replace(coverage, logics=coverage.logics.edited(Logic(fingerprint, start)))
    return coverage


def closed(coverage: Coverage, now: datetime) -> Coverage:
    """The coverage of a disabled rule: from `now` on nothing is asked; the same object if nothing changed.

    Time that is searched already stays asked even if the clock says it is still to come: clocks are set back.
    """
    if not coverage.is_open:
        return coverage
    end = max([floor(now), *(stretch.window.end for stretch in coverage.searched)])
    return replace(coverage, asked=coverage.asked & Spans.between(DAWN, end))


def merged(ours: Coverage, theirs: Coverage) -> Coverage:
    """What two runners know together, after a compare-and-set found that `theirs` was stored meanwhile.

    Everything either was asked for or searched, the later of two logics, and the unknown parts of `theirs`, which we
    never change. A rule that only one of them closed is open again; whoever closed it does so at its next look.
    """
    known = replace(theirs, asked=ours.asked | theirs.asked, logics=_later(ours.logics, theirs.logics))
    for stretch in ours.searched:
        known = known.with_stretch(stretch)
    for left in ours.deferred:
        known = known.with_deferred(left.window, left.deferred_at)
    for again in ours.reopened:
        added = known._not_after(Spans((again.window,)), again.deferred_at)  # noqa: SLF001 - of the same kind
        known = replace(known, reopened=_joined([*known.reopened, *added]))
    if ours.sequence is not None and ours.sequence.goes_on(known.logics.current, known.asked):
        known = known.with_sequence(ours.sequence)
    return replace(known, searched=compacted(known.searched, None))


def _later(ours: Logics, theirs: Logics) -> Logics:
    """The one that the other became; else the later edit, by event time; of two sights of one edit the earlier."""
    if ours.follows(theirs):
        return ours
    if theirs.follows(ours):
        return theirs
    if ours.current.fingerprint == theirs.current.fingerprint:
        return min(ours, theirs, key=lambda logics: logics.current.since)
    return max(ours, theirs, key=lambda logics: (logics.current.since, logics.current.fingerprint))


def _union(parts: Iterable[Spans]) -> Spans:
    return Spans(tuple(window for spans in parts for window in spans))


def _joined(stretches: Iterable[Deferred]) -> tuple[Deferred, ...]:
    """Disjoint stretches; those that overlap or touch are one, cleared only by what clears the latest of them.

    Keeping them apart would cost one stretch per execution for as long as a storm of alerts lasts.
    """
    joined: list[Deferred] = []
    for stretch in sorted(stretches):
        last = joined[-1] if joined else None
        if last and stretch.window.start <= last.window.end:
            window = Window(last.window.start, max(last.window.end, stretch.window.end))
            joined[-1] = Deferred(window, max(last.deferred_at, stretch.deferred_at))
        else:
            joined.append(stretch)
    return tuple(joined)
