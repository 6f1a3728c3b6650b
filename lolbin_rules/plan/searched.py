"""What is known of the searches that a stretch of event time rests on, and which of two searches is the better one.

A document becomes searchable some time after the moment it tells of. So for every moment x the question is: when, at
the earliest, was x last searched with success? Call it g(x). One search at `s` of [a, b) gives g(x) = s. Two
neighbours that are joined to keep the stored document small must not claim more than both knew, and still
enough to call them settled, so a stretch keeps two bounds: `searched_at`, the earliest search that any part of it rests
on, and `lag`, by how much every moment in it was outlived before it was searched. Then

    g(x) = max(searched_at, x + lag)

never says too much, and everything below is arithmetic on g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lolbin_rules.plan.window import DAWN, FOREVER, MILLISECOND, Spans, Window, before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta
    from typing import TypeAlias

    Counts: TypeAlias = Callable[[str], Spans]
    """Fingerprint of a logic -> the event time over which its searches count."""

__all__ = ["Searched", "compacted", "overlaid"]


@dataclass(frozen=True, slots=True, order=True)
class Searched:
    """A stretch of event time that was searched with success by one logic.

    Attributes:
        window: the event time.
        searched_at: the earliest search that any part rests on, taken before its point in time was opened.
        lag: every moment of it was searched at least this long after itself.
        logic: the fingerprint of the logic that searched it.
    """

    window: Window
    searched_at: datetime
    lag: timedelta
    logic: str

    @classmethod
    def once(cls, window: Window, searched_at: datetime, logic: str) -> Searched:
        """What a single search at `searched_at` knows; the window must not reach beyond it."""
        return cls(window, searched_at, searched_at - window.end, logic)

    @property
    def is_of_one_search(self) -> bool:
        """Whether g(x) is `searched_at` throughout."""
        return self.lag == self.searched_at - self.window.end

    def cut(self, window: Window) -> Searched:
        """The part of it within `window`. With a later end gone the lag may be known to be longer."""
        return Searched(window, self.searched_at, max(self.lag, self.searched_at - window.end), self.logic)

    def within(self, spans: Spans) -> list[Searched]:
        """Its parts within `spans`."""
        return [self.cut(window) for window in Spans((self.window,)) & spans]

    def after(self, moment: datetime) -> Spans:
        """The part that is known to have been searched later than at `moment`: where g(x) > moment."""
        start = DAWN if self.searched_at > moment else before(moment, self.lag) + MILLISECOND
        return Spans((self.window,)) & Spans.between(start, FOREVER)

    def settled(self, tolerance: timedelta) -> Spans:
        """The part that was searched at least `tolerance` after itself: where g(x) - x >= tolerance."""
        end = FOREVER if self.lag >= tolerance else before(self.searched_at, tolerance)
        return Spans((self.window,)) & Spans.between(DAWN, end)


def overlaid(new: Searched, old: Iterable[Searched], counts: Counts) -> tuple[Searched, ...]:
    """`old` stretches, disjoint, with `new` laid over them; for every moment the better of the two is kept.

    The better one is chosen moment by moment by a total order (see `_wins`), so the outcome does not depend on the
    order in which searches are recorded: a slow runner that comes late with an early search takes nothing away.
    """
    kept: list[Searched] = []
    lost = Spans()
    for stretch in old:
        overlap = new.window.overlap(stretch.window)
        if overlap is None:
            kept.append(stretch)
            continue
        won = _wins(new, stretch, Spans((overlap,)), counts)
        kept.extend(stretch.within(Spans((stretch.window,)) - won))
        lost |= Spans((overlap,)) - won
    kept.extend(new.within(Spans((new.window,)) - lost))
    return tuple(sorted(kept))


def _wins(new: Searched, old: Searched, overlap: Spans, counts: Counts) -> Spans:
    """Where `new` is to be kept: a logic that counts there beats one that does not, then the later search wins.

    What is left equal is decided by the fingerprint, for no other reason than that it must be decided the same way
    by everyone.
    """
    new_counts = overlap & counts(new.logic)
    old_counts = overlap & counts(old.logic)
    alike = overlap - (new_counts - old_counts) - (old_counts - new_counts)
    later = _no_earlier(new, old) if new.logic >= old.logic else alike - _no_earlier(old, new)
    return (new_counts - old_counts) | (alike & later)


def _no_earlier(one: Searched, other: Searched) -> Spans:
    """Where g of `one` is at least g of `other`; both being max(constant, x + constant), it is one span."""
    start = DAWN if one.searched_at >= other.searched_at else before(other.searched_at, one.lag)
    end = FOREVER if one.lag >= other.lag else before(one.searched_at, other.lag)
    return Spans.between(start, end)


def compacted(stretches: Iterable[Searched], tolerance: timedelta | None) -> tuple[Searched, ...]:
    """Neighbours of the same logic made one where nothing that matters is forgotten.

    That is where both are parts of one search, and where both are settled: a stretch that is settled stays so. What is
    forgotten is by how much: should the tolerance grow later, the past within the planner's horizon is searched again.
    """
    joined: list[Searched] = []
    for stretch in sorted(stretches):
        if joined and _may_join(joined[-1], stretch, tolerance):
            joined[-1] = _join(joined[-1], stretch)
        else:
            joined.append(stretch)
    return tuple(joined)


def _may_join(left: Searched, right: Searched, tolerance: timedelta | None) -> bool:
    if left.window.end != right.window.start or left.logic != right.logic:
        return False
    if left.searched_at == right.searched_at and left.is_of_one_search and right.is_of_one_search:
        return True
    return tolerance is not None and min(left.lag, right.lag) >= tolerance


def _join(left: Searched, right: Searched) -> Searched:
    window = Window(left.window.start, right.window.end)
    return Searched(window, min(left.searched_at, right.searched_at), min(left.lag, right.lag), left.logic)
