"""The bounds of a delay hold for the true one, whatever executions there were and however they overlapped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline import HOUR, MINUTE, SECOND

from lolbin_rules.plan.late_bounds import Between, Bounds, Look, between
from lolbin_rules.plan.lateness import Delay, Delays, missed
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.plan.window import FOREVER, MILLISECOND, Spans, from_position

END = 120


@dataclass(frozen=True)
class Document:
    """An event of a moment, searchable later, that some logics look for."""

    happened: int
    searchable: int
    logics: frozenset[str]


@dataclass(frozen=True)
class Execution:
    """One execution: when it began, searched and ended; what it was to search; whether that is believed."""

    started: int
    searched: int
    ended: int
    logic: str
    window: tuple[int, int]
    is_numbered: bool
    is_by_hand: bool
    is_believed: bool

    @property
    def spans(self) -> Spans:
        """The window."""
        return Spans.between(*map(from_position, self.window))

    def look(self, asked: Spans) -> Look:
        """What its record says, where so much was asked when it began."""
        return Look(
            from_position(self.started),
            from_position(self.ended),
            self.logic,
            self.spans & asked if self.is_believed else Spans(),
            from_position(0) if self.is_numbered and self.is_believed else None,
            self.spans if self.is_by_hand else Spans(),
        )


@st.composite
def executions(draw: st.DrawFn) -> Execution:
    """Any: they may overlap, fail, look far back or not, be of one logic or the other."""
    started, until_search, until_end = draw(st.integers(0, END)), draw(st.integers(0, 9)), draw(st.integers(0, 9))
    start = draw(st.integers(0, started))
    kind = draw(st.sampled_from(["time", "time", "numbers", "hand"]))
    searched = started + until_search
    window = (start, max(start, started))
    chances = (draw(st.sampled_from("aab")), draw(st.integers(0, 3)) > 0)
    return Execution(
        started, searched, searched + until_end, chances[0], window, kind == "numbers", kind == "hand", chances[1]
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Any, late by anything from nothing on."""
    happened = draw(st.integers(0, END))
    logics = draw(st.sampled_from([frozenset("ab"), frozenset("a"), frozenset("b")]))
    return Document(happened, happened + draw(st.integers(0, END)), logics)


def asked(made: list[Execution], when: int, since: int) -> Spans:
    """The time that is asked at a moment: from `since` on, and what a person had asked for by then."""
    by_hand = [each.spans for each in made if each.is_by_hand and each.started <= when]
    return Spans((*Spans.between(from_position(since), FOREVER), *(window for spans in by_hand for window in spans)))


def search(document: Document, made: list[Execution], since: int) -> Execution | None:
    """Let the executions come over one document in the order of their searches; the first to meet it, if any.

    What was read by numbers is not read by them again, even where more is asked meanwhile.
    """
    moment, read_until = from_position(document.happened), {"a": -1, "b": -1}
    for each in sorted(made, key=lambda each: each.searched):
        if not each.is_believed:
            continue
        is_met = document.searchable <= each.searched and each.logic in document.logics
        is_met &= moment in asked(made, each.started, since)
        if each.is_numbered:
            is_met &= document.searchable > read_until[each.logic]
            read_until[each.logic] = each.searched
        if is_met and (each.is_numbered or moment in each.spans):
            return each
    return None


@given(st.lists(executions(), max_size=12), st.lists(documents(), max_size=12), st.integers(0, END))
def test_the_true_delay_lies_between_the_bounds(made: list[Execution], some: list[Document], since: int) -> None:
    """Of each document that was alerted."""
    looked = [(each, each.look(asked(made, each.started, since))) for each in made]
    looks = sorted((look for _, look in looked), key=lambda look: look.started_at)
    for document in some:
        found_by = search(document, made, since)
        for look in [look for each, look in looked if each is found_by]:
            known = between(from_position(document.happened), look, looks)
            assert known.least <= document.searchable - document.happened <= known.most


def at(number: int, *, took: int = 0, logic: str = "a", window: tuple[int, int] = (0, 0), **more: object) -> Look:
    """An execution at this millisecond."""
    spans = Spans.between(*map(from_position, window))
    return Look(from_position(number), from_position(number + took), logic, spans, **more)  # type: ignore[arg-type]


def test_a_sweep_tells_of_its_documents_what_the_search_before_it_did_not_find() -> None:
    """The last one counts that had searched the time, not one of other time."""
    looks = [at(50, window=(0, 50)), at(70, window=(20, 70)), at(90, window=(60, 90)), at(100, took=7, window=(0, 60))]
    assert between(from_position(30), looks[-1], looks) == Between(40, 77)
    assert between(from_position(10), looks[-1], looks) == Between(40, 97)


def test_what_was_never_searched_before_may_have_been_there_at_once() -> None:
    """As may what another logic searched, or an execution that had not ended."""
    found_by = at(100, took=7, window=(0, 60))
    others = [at(50, window=(20, 50)), at(50, logic="b", window=(0, 50)), at(95, took=6, window=(0, 50))]
    for before in ([], *([other] for other in others), [at(100, window=(0, 50))]):
        assert between(from_position(10), found_by, [*before, found_by]) == Between(0, 97)


def test_numbers_tell_of_all_time_that_was_asked() -> None:
    """Of time that somebody asked for only later they do not."""
    found_by = at(100, took=7, window=(0, 60))
    numbers = at(80, since=from_position(5))
    assert between(from_position(10), found_by, [numbers, found_by]) == Between(70, 97)
    assert between(from_position(4), found_by, [numbers, found_by]) == Between(0, 103)
    hand = at(90, by_hand=Spans.between(from_position(0), from_position(30)))
    assert between(from_position(10), found_by, [numbers, hand, found_by]) == Between(0, 97)
    assert between(from_position(40), found_by, [numbers, hand, found_by]) == Between(40, 67)


def test_two_sights_of_a_document_tell_more_than_one() -> None:
    """And where clocks make them contradict each other, the document was as late as the later one says."""
    assert Between(5, 50).and_also(Between(20, 90)) == Between(20, 50)
    assert Between(60, 70).and_also(Between(0, 50)) == Between(60, 60)


delays = st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 9_000), st.integers(0, 9_000)), min_size=1)


@given(delays, st.integers(1, 60), st.integers(0, 100), st.floats(0, 1))
def test_what_is_truly_missed_lies_between_the_bounds(
    drawn: list[tuple[int, int, int]], interval: int, more: int, loss: float
) -> None:
    """So do the late documents, and what is enough by the upper bounds is enough."""
    every, lookback = timedelta(seconds=interval), timedelta(seconds=interval + more)
    bounds = Bounds(Between(max(true - less, 0), true + most) for true, less, most in drawn)
    true = Delays(Delay(each, 10**9) for each, _, _ in drawn)
    least, most = bounds.miss_rates(every, lookback)
    rate = true.miss_rate(every, lookback)
    assert least - 1e-9 <= rate <= most + 1e-9
    low, high = bounds.sure(every, lookback)
    assert low <= least + 1e-9
    assert most <= high + 1e-9
    late = bounds.later_than(tolerance(every, lookback))
    assert late[0] <= true.later_than(tolerance(every, lookback)) <= late[1]
    assert true.miss_rate(every, bounds.lookback_for(loss, every)) <= loss + 1e-9


def test_executions_of_a_day_bound_the_miss_rate() -> None:
    """Ticks every five minutes, sweeps every hour; one in five documents late by half an hour in the mean.

    The bounds hold for the realised rate and are far from saying nothing; without a sweep before, the lower one would
    be lower still.
    """
    chance, day = Random(7), 24 * HOUR // MILLISECOND
    minute = MINUTE // MILLISECOND
    looks = [at(tick, took=300, window=(max(tick - 9 * minute, 0), tick)) for tick in range(0, 2 * day, 5 * minute)]
    looks += [at(hour, took=9_000, window=(0, hour - 9 * minute)) for hour in range(60 * minute, 2 * day, 60 * minute)]
    looks.sort(key=lambda look: look.started_at)
    true: list[int] = []
    seen: list[Between] = []
    for _ in range(2_000):
        happened = chance.randrange(day)
        delay = int(chance.expovariate(1 / (30 * minute))) if chance.random() < 0.2 else chance.randrange(5_000)
        met = [look for look in looks if from_position(happened + delay) <= look.started_at]
        found_by = next(look for look in met if from_position(happened) in look.searched)
        known = between(from_position(happened), found_by, looks)
        assert known.least <= delay <= known.most
        true.append(delay)
        seen.append(known)
    bounds = Bounds(seen)
    least, most = bounds.miss_rates(5 * MINUTE, 9 * MINUTE)
    rate = sum(missed(each, 5 * minute, 9 * minute) for each in true) / len(true)
    assert least <= rate <= most
    assert least > 0.1
    assert most < 0.25
    assert all(one[1] >= two[1] for one, two in pairwise(_rates(bounds)))
    assert bounds.lookback_for(0, 5 * MINUTE) >= 5 * MINUTE + max(true) * MILLISECOND - SECOND


def _rates(bounds: Bounds) -> list[tuple[float, float]]:
    return [bounds.miss_rates(5 * MINUTE, 5 * MINUTE + more * MINUTE) for more in range(0, 120, 10)]


def test_of_nothing_nothing_is_known() -> None:
    """No document, no figure that looks like one."""
    bounds = Bounds([])
    assert bounds.count == 0
    assert bounds.miss_rates(MINUTE, HOUR) == (0, 0)
    assert bounds.sure(MINUTE, HOUR) == pytest.approx((0, 1))
