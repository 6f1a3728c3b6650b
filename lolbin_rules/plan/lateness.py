"""How late documents become searchable, how much of them a schedule misses, and which lookback would do.

The delay of a document is the time from when its event happened until a search can meet it. Two things stand between
what was seen and the law behind it:

- What has not arrived cannot be measured. An event of five minutes ago can only be among those seen if it was less than
  five minutes late, so the newest events make delays look shorter than they are. Each delay therefore comes with the
  longest one that would have been seen (right truncation), and the estimate is the product limit in reversed time
  (Woodroofe 1985; Lagakos, Barraj and De Gruttola 1988). It knows nothing of delays beyond its reach.
- Whether a late document is missed depends on when the next search comes. With a search every I that looks back L, a
  document with delay d waits u for the next one, any u from 0 to I alike, and is missed if d + u > L: never
  up to L - I, always beyond L, and with a chance that grows evenly in between.

All moments and delays are whole milliseconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.window import MILLISECOND

__all__ = ["Delay", "Delays", "cost", "missed", "wilson"]

SHARE_AT_REACH = 1 / 20
"""The estimate reaches as far as this share of the documents could have been seen to be late ..."""

LEAST_AT_REACH = 10
"""... and so many of them, or all."""

CONFIDENT = 1.959964
"""The quantile of the normal law for an interval that holds the truth 95 times in 100."""

SECOND = 1000


@dataclass(frozen=True, slots=True, order=True)
class Delay:
    """What was seen of some documents.

    Attributes:
        delay: how late they were, in milliseconds.
        bound: the longest delay with which they would have been seen; never less than `delay`.
        count: how many they are.
    """

    delay: int
    bound: int
    count: int = 1


def missed(delay: int, interval: int, reach: int) -> float:
    """The share of phases of the schedule at which a document of this delay is missed.

    Args:
        delay: of the document, in milliseconds.
        interval: time between two searches, in milliseconds.
        reach: how far back each search looks, in milliseconds; at least the interval.

    Of the `interval` moments at which the next search may come, which are whole milliseconds, those more than
    `reach - delay` after the arrival are too late.
    """
    return min(max(delay - (reach - interval) - 1, 0), interval) / interval


def cost(interval: timedelta, lookback: timedelta) -> float:
    """How many times each moment is searched in all."""
    return lookback / interval


def wilson(share: float, seen: int) -> tuple[float, float]:
    """Between which shares the true one lies, 95 times in 100, where `share` of `seen` documents that are independent.

    Wilson's score interval. Late documents come in bursts, so the truth may well lie outside more often.
    """
    if not seen:
        return 0.0, 1.0
    square = CONFIDENT**2 / seen
    middle = (share + square / 2) / (1 + square)
    half = CONFIDENT / (1 + square) * math.sqrt(share * (1 - share) / seen + square / 4 / seen)
    return max(0.0, middle - half) if share else 0.0, min(1.0, middle + half)


class Delays:
    """The estimated law of some delays, given that they are no longer than `reach`.

    Args:
        seen: what was seen, in any order.

    Attributes:
        reach: in milliseconds; of longer delays nothing is known. 0 if nothing was seen.
        count: documents that the estimate is made of.
        beyond: documents that were seen to be later than `reach`; they are not in the estimate.
    """

    def __init__(self, seen: Iterable[Delay]) -> None:
        given = sorted(seen)
        self.reach = _reach(given)
        within = [each for each in given if each.delay <= self.reach]
        self.count = sum(each.count for each in within)
        self.beyond = sum(each.count for each in given) - self.count
        counts = _counts(within)
        self._delays = list(counts)
        chances = _product_limit(counts, within)
        self._seen = _from_the_end(counts.values())
        self._tail = _from_the_end(chances)
        self._tail_mean = _from_the_end(chance * each for chance, each in zip(chances, counts, strict=True))

    @property
    def longest(self) -> timedelta:
        """The longest delay that was seen within reach."""
        return (self._delays[-1] if self._delays else 0) * MILLISECOND

    def quantile(self, share: float) -> timedelta:
        """The shortest delay that at least this share of the documents does not exceed."""
        if not self._delays:
            return timedelta()
        rest = 1 - share
        # `_tail[i + 1]` is the chance of more than the i-th delay; a rounding error of sums is no document.
        place = bisect_left(range(len(self._delays)), True, key=lambda i: self._tail[i + 1] <= rest + 1e-12)
        return self._delays[min(place, len(self._delays) - 1)] * MILLISECOND

    def later_than(self, delay: timedelta) -> int:
        """How many of the documents in the estimate were seen to be later."""
        return int(self._seen[bisect_right(self._delays, delay // MILLISECOND)])

    def miss_rate(self, interval: timedelta, lookback: timedelta) -> float:
        """The share of documents that searches every `interval` miss, at whatever moment of it they come.

        What they overlap by is what the planner makes of it (`tolerance`), which is a little more than nothing even
        where `lookback` is `interval`.
        """
        return self._missed(interval // MILLISECOND, tolerance(interval, lookback) // MILLISECOND)

    def lookback_for(self, loss: float, interval: timedelta) -> timedelta:
        """The shortest lookback, in whole seconds, with which no more than this share is missed."""
        length = interval // MILLISECOND
        least = -(-length // SECOND)
        most = least + (self._delays[-1] if self._delays else 0) // SECOND + 1

        def is_enough(seconds: int) -> bool:
            return self.miss_rate(interval, timedelta(seconds=seconds)) <= loss

        place = _first(is_enough, least, most)
        return timedelta(seconds=place)

    def _missed(self, interval: int, free: int) -> float:
        """The mean of `missed` where documents up to `free` late are never missed."""
        never = bisect_right(self._delays, free)
        always = bisect_right(self._delays, free + interval)
        chance = self._tail[never] - self._tail[always]
        between = self._tail_mean[never] - self._tail_mean[always] - chance * (free + 1)
        return min(1.0, max(0.0, between / interval + self._tail[always]))


def _reach(given: list[Delay]) -> int:
    """The longest delay with which enough of the documents would have been seen.

    Where only a few documents could have been that late, one of them would decide on the law of all.
    """
    total = sum(each.count for each in given)
    needed = max(total * SHARE_AT_REACH, min(total, LEAST_AT_REACH))
    for each in sorted(given, key=lambda each: -each.bound):
        needed -= each.count
        if needed <= 0:
            return each.bound
    return 0


def _counts(within: list[Delay]) -> dict[int, int]:
    """How many documents had each delay; ascending."""
    counts = dict.fromkeys((each.delay for each in within), 0)  # they come in order
    for each in within:
        counts[each.delay] += each.count
    return counts


def _product_limit(counts: dict[int, int], within: list[Delay]) -> list[float]:
    """The chance of each delay.

    In reversed time: of the documents that were at most d late and could have been seen d late, the share that was
    exactly d late is the chance of d given "at most d". A document that was at most its own bound late is at risk at d
    unless its bound is less.
    """
    by_bound = sorted(within, key=lambda each: each.bound)
    bounds = [each.bound for each in by_bound]
    out_of_sight = [0, *accumulate(each.count for each in by_bound)]
    chances: list[float] = []
    below, at_most = 1.0, sum(counts.values())
    for delay, exact in reversed(counts.items()):
        at_risk = at_most - out_of_sight[bisect_left(bounds, delay)]
        chances.append(below * exact / at_risk)
        below *= 1 - exact / at_risk
        at_most -= exact
    return chances[::-1]


def _from_the_end(values: Iterable[float]) -> list[float]:
    """For each place the sum from there to the end, and 0 behind the last; the smallest of a tail come first."""
    sums = list(accumulate(reversed(list(values)), initial=0.0))
    return sums[::-1]


def _first(holds: Callable[[int], bool], least: int, most: int) -> int:
    """The first number from `least` on for which it holds, if it goes on holding; `most` at the latest."""
    while least < most:
        middle = (least + most) // 2
        if holds(middle):
            most = middle
        else:
            least = middle + 1
    return least
