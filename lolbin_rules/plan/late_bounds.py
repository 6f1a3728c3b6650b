"""Between which bounds the delay of a document lies of which it is only known when it was found.

A document that an execution alerted was searchable before that execution ended. An earlier one of the same logic that
had searched the document's time, or had read all numbers there were, and that had ended before this one began, would
have alerted it, had it been searchable when that one began. So the delay is censored to an interval: from the last such
execution's beginning to the end of the one that found it, each less the document's time. Where its time was never
searched before, nothing is known but the latter.

To miss a document is the likelier the later it is (`lateness.missed` never falls), so the bounds of all delays are
bounds of the miss rate, whatever the lookback.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lolbin_rules.plan.lateness import Delay, Delays, wilson
from lolbin_rules.plan.window import MILLISECOND, Spans

__all__ = ["Between", "Bounds", "Look", "between"]


@dataclass(frozen=True, slots=True)
class Look:
    """One execution of a rule, as far as it may be believed.

    Attributes:
        started_at: a moment not after its first search.
        ended_at: a moment not before its last one.
        logic: the fingerprint of what it searched with.
        searched: the time that it searched, with all alerts confirmed.
        since: it has besides read by sequence numbers whatever there was of this time and later; None where not.
        by_hand: the time that a person asked it to search; before, nobody may have been asked to.
    """

    started_at: datetime
    ended_at: datetime
    logic: str
    searched: Spans
    since: datetime | None = None
    by_hand: Spans = field(default_factory=Spans)


@dataclass(frozen=True, slots=True)
class Between:
    """The delay of one document, in milliseconds, is no less than `least` and no more than `most`."""

    least: int
    most: int

    def and_also(self, other: Between) -> Between:
        """What two sights of the same document tell together; where clocks make them contradict, the later one."""
        least = max(self.least, other.least)
        return Between(least, max(least, min(self.most, other.most)))


def between(happened: datetime, found_by: Look, looks: Sequence[Look]) -> Between:
    """What is known of the delay of a document that one of these executions alerted, and none before it.

    Args:
        happened: the document's time.
        found_by: the execution that alerted it.
        looks: all executions of the rule, by `started_at`.
    """
    least = max((_not_before(happened, found_by, looks) - happened) // MILLISECOND, 0)
    return Between(least, max(-((happened - found_by.ended_at) // MILLISECOND), least))


def _not_before(happened: datetime, found_by: Look, looks: Sequence[Look]) -> datetime:
    """When the document was not searchable yet; `happened` where that is not known of any later moment."""
    is_asked_anew = happened in found_by.by_hand
    place = bisect_right(looks, found_by.ended_at, key=lambda look: look.started_at)
    for look in reversed(looks[:place]):
        if look.started_at <= happened:
            break
        if look.logic == found_by.logic and look.ended_at < found_by.started_at:
            is_read = look.since is not None and look.since <= happened and not is_asked_anew
            if is_read or happened in look.searched:
                return look.started_at
        is_asked_anew |= happened in look.by_hand
    return happened


class Bounds:
    """Bounds of the law of some delays.

    Args:
        seen: what is known of each document.

    Attributes:
        count: the documents.
        least: the law if each were as little late as it can have been.
        most: the law if each were as late as it can have been.
    """

    def __init__(self, seen: Iterable[Between]) -> None:
        given = list(seen)
        far = max((each.most for each in given), default=0)
        self.count = len(given)
        self.least = Delays(Delay(each.least, far) for each in given)
        self.most = Delays(Delay(each.most, far) for each in given)

    def miss_rates(self, interval: timedelta, lookback: timedelta) -> tuple[float, float]:
        """The least and the greatest share of these documents that such searches miss."""
        return self.least.miss_rate(interval, lookback), self.most.miss_rate(interval, lookback)

    def sure(self, interval: timedelta, lookback: timedelta) -> tuple[float, float]:
        """As `miss_rates`, for the law that these documents are a sample of, 95 times in 100; see `wilson`."""
        least, most = self.miss_rates(interval, lookback)
        return wilson(least, self.count)[0], wilson(most, self.count)[1]

    def later_than(self, delay: timedelta) -> tuple[int, int]:
        """How many of the documents were later, at the least and at the most."""
        return self.least.later_than(delay), self.most.later_than(delay)

    def lookback_for(self, loss: float, interval: timedelta) -> timedelta:
        """A lookback with which no more than this share is missed, in whole seconds; a shorter one may do."""
        return self.most.lookback_for(loss, interval)
