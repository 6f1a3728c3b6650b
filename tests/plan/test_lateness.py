"""How late documents are by what was seen of them, and how many a schedule misses."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from timeline import DAY, HOUR, MINUTE, SECOND

from lolbin_rules.plan.lateness import Delay, Delays, cost, missed, wilson
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.window import MILLISECOND

FAR = 10**12

delays = st.lists(st.integers(0, 60_000), min_size=1, max_size=40)
lengths = st.integers(1, 60)


def untruncated(found: list[int]) -> Delays:
    """The law of delays all of which would have been seen."""
    return Delays(Delay(each, FAR) for each in found)


@given(delay=st.integers(0, 300), interval=lengths, more=st.integers(0, 100))
def test_the_share_of_phases_is_what_counting_them_gives(delay: int, interval: int, more: int) -> None:
    """Every phase of the schedule is tried: the first search at or after the arrival, and whether it looks back far."""
    reach = interval + more
    happened = 1000 * interval
    searchable = happened + delay
    lost = 0
    for phase in range(interval):
        search = searchable + (phase - searchable) % interval
        lost += not happened >= search - reach
    assert missed(delay, interval, reach) == lost / interval


def test_never_missed_always_missed_and_half_of_the_time() -> None:
    """The three parts of the law for 5m and now-9m."""
    minute = MINUTE // MILLISECOND
    assert missed(4 * minute, 5 * minute, 9 * minute) == 0
    assert missed(9 * minute + 1, 5 * minute, 9 * minute) == 1
    assert missed(6 * minute + minute // 2, 5 * minute, 9 * minute) == pytest.approx(0.5, abs=1e-5)


@given(delays, lengths, st.integers(0, 100))
def test_the_miss_rate_is_the_mean_over_the_documents(found: list[int], interval: int, more: int) -> None:
    """With the overlap that the planner makes of the lookback."""
    every, lookback = timedelta(seconds=interval), timedelta(seconds=interval + more)
    reach = every + tolerance(every, lookback)
    each = [missed(delay, every // MILLISECOND, reach // MILLISECOND) for delay in found]
    assert untruncated(found).miss_rate(every, lookback) == pytest.approx(sum(each) / len(each), abs=1e-9)


@given(delays, lengths, st.floats(0, 1))
def test_the_lookback_is_the_shortest_that_will_do(found: list[int], interval: int, loss: float) -> None:
    """It keeps to the loss, one second less does not, and it is never shorter than the interval."""
    law, every = untruncated(found), timedelta(seconds=interval)
    lookback = law.lookback_for(loss, every)
    assert lookback >= every
    assert law.miss_rate(every, lookback) <= loss
    assert lookback == every or law.miss_rate(every, lookback - SECOND) > loss


@given(delays, st.lists(st.integers(0, 120), min_size=2, max_size=5))
def test_a_longer_lookback_never_misses_more(found: list[int], lookbacks: list[int]) -> None:
    """However the delays are."""
    law = untruncated(found)
    rates = [law.miss_rate(MINUTE, MINUTE + each * SECOND) for each in sorted(lookbacks)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(rates))


@given(delays, st.floats(0, 1))
def test_without_truncation_a_quantile_is_one_of_the_sorted_delays(found: list[int], share: float) -> None:
    """The shortest that so many do not exceed."""
    assume(abs(share * len(found) - round(share * len(found))) > 1e-6)
    place = math.ceil(share * len(found)) - 1
    assert untruncated(found).quantile(share) == sorted(found)[max(place, 0)] * MILLISECOND


def slow_law(seen: list[tuple[int, int]], reach: int) -> dict[int, float]:
    """P(delay <= d) for each distinct d, written down as the estimator is defined."""
    within = [(delay, bound) for delay, bound in seen if delay <= reach]
    distinct = sorted({delay for delay, _ in within})
    law = {}
    for place, delay in enumerate(distinct):
        product = 1.0
        for later in distinct[place + 1 :]:
            at_risk = sum(1 for each, bound in within if each <= later <= bound)
            product *= 1 - sum(1 for each, _ in within if each == later) / at_risk
        law[delay] = product
    return law


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=60))
def test_the_estimate_is_the_product_limit_in_reversed_time(drawn: list[tuple[int, int]]) -> None:
    """Compared with its definition, ties and bounds of every kind among what was seen."""
    seen = [(delay, delay + more) for delay, more in drawn]
    law = Delays(Delay(*each) for each in seen)
    expected = slow_law(seen, law.reach)
    assert law.count + law.beyond == len(seen)
    for delay, at_most in expected.items():
        found = 1 - law._tail[law._delays.index(delay) + 1]
        assert found == pytest.approx(at_most, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=30), st.randoms())
def test_counts_are_as_good_as_single_documents(drawn: list[tuple[int, int]], chance: Random) -> None:
    """Ten of a kind are one observation that counts ten, in any order."""
    single = [Delay(delay, delay + more) for delay, more in drawn for _ in range(3)]
    chance.shuffle(single)
    counted = Delays(Delay(delay, delay + more, 3) for delay, more in drawn)
    singly = Delays(single)
    assert (singly.reach, singly.count, singly.beyond) == (counted.reach, counted.count, counted.beyond)
    assert [singly.quantile(each / 10) for each in range(11)] == [counted.quantile(each / 10) for each in range(11)]


def test_what_has_not_arrived_is_allowed_for() -> None:
    """Events all along a day, an hour late in the mean: of the last hours most are still to come.

    Of what was seen too few are late; the estimate is right to a few percent.
    """
    chance = Random(5)
    mean, day = HOUR // MILLISECOND, DAY // (4 * MILLISECOND)
    drawn = [(chance.randrange(day), int(chance.expovariate(1 / mean))) for _ in range(40_000)]
    seen = [Delay(delay, day - happened) for happened, delay in drawn if happened + delay <= day]
    law = Delays(seen)
    naive = untruncated([each.delay for each in seen])
    true = untruncated([delay for _, delay in drawn])
    lookback = 2 * HOUR
    expected = true.miss_rate(HOUR, lookback)
    assert naive.miss_rate(HOUR, lookback) < 0.8 * expected
    assert law.miss_rate(HOUR, lookback) == pytest.approx(expected, rel=0.05)
    assert law.quantile(0.5) == pytest.approx(timedelta(hours=math.log(2)), rel=0.05)


def test_a_few_documents_that_could_be_late_do_not_decide_for_all() -> None:
    """Nothing is said of delays that hardly any document could have been seen to have; how many there were is known."""
    seen = [*(Delay(each, 1000) for each in range(1000)), Delay(50_000, 60_000), Delay(70_000, 80_000)]
    law = Delays(seen)
    assert (law.reach, law.count, law.beyond) == (1000, 1000, 2)
    assert law.longest == 999 * MILLISECOND
    assert law.later_than(989 * MILLISECOND) == 10


def test_nothing_seen_is_nothing_known() -> None:
    """And no error."""
    law = Delays([])
    assert (law.count, law.reach, law.longest, law.quantile(0.5)) == (0, 0, timedelta(), timedelta())
    assert law.miss_rate(MINUTE, MINUTE) == 0
    assert law.later_than(timedelta()) == 0
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("share", "seen", "low", "high"),
    # As in R: prop.test(x, n, correct = FALSE)$conf.int
    [(0.0, 10, 0.0, 0.2775328), (0.1, 100, 0.05522914, 0.1743657), (0.5, 10, 0.2365931, 0.7634069)],
)
def test_the_interval_is_that_of_wilson(share: float, seen: int, low: float, high: float) -> None:
    """Compared with known values."""
    assert wilson(share, seen) == pytest.approx((low, high), abs=1e-6)


def test_what_a_lookback_costs() -> None:
    """Each moment is searched so many times."""
    assert cost(5 * MINUTE, 9 * MINUTE) == 1.8
