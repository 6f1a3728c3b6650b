"""What an execution does with too little time: who goes first, and that nobody at fault costs the others theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from lolbin_rules.errors import StoreOverwhelmed
from lolbin_rules.execution.patience import TIME_IS_UP, Patience, by_lag, leave
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.search import Answer, Search, search
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.window import Window, position
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, Hit, Key, Page, Query, Scan

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=9), NOON)
MINUTE = timedelta(minutes=1)


@dataclass
class Stopwatch:
    """Goes on only when it is told to."""

    seconds: float = 0

    def __call__(self) -> float:
        """Seconds since it was made."""
        return self.seconds


def course(rule_id: str, searched_until: datetime | None = None) -> Course:
    """A rule whose last search reached so far."""
    rule = Rule.model_validate(
        {
            "id": rule_id,
            "name": "R",
            "description": "d",
            "author": "a",
            "license": "Apache-2.0",
            "index": "logs",
            "severity": "low",
            "risk_score": 1,
            "match": {"a": "b"},
        }
    )
    coverage = Coverage.begin(rule_id, WINDOW.start, "f")
    if searched_until:
        coverage = coverage.with_searched(Window(WINDOW.start, searched_until), NOON, "f", timedelta())
    return Course(Execution(rule, "scheduled", started_at=NOON, now=NOON), coverage=coverage)


def test_time_is_shared_between_searches() -> None:
    """Each may take its own most, or what is left of the whole."""
    watch = Stopwatch(100)
    patience = Patience(2 * MINUTE, 5 * MINUTE, watch)
    assert (patience.within, patience.is_over) == (2 * MINUTE, False)
    watch.seconds += 240
    assert (patience.within, patience.is_over) == (MINUTE, False)
    watch.seconds += 60
    assert patience.is_over
    watch.seconds += 60
    assert Patience(2 * MINUTE, None, watch).within == 2 * MINUTE


def test_the_rule_that_lags_most_goes_first() -> None:
    """One that was never searched before one that was searched long ago; those alike stay as they were."""
    new, old, late, same = (
        course("new"),
        course("old", NOON - 5 * MINUTE),
        course("late", NOON - MINUTE),
        course("same", NOON - MINUTE),
    )
    assert by_lag([late, same, old, new]) == [new, old, late, same]
    assert by_lag([same, late]) == [same, late]


def test_what_there_is_no_time_for_is_not_believed() -> None:
    """All of it, or what lies behind the place that was reached."""
    stretch = Stretch(course("a"), WINDOW)
    leave([stretch], at=position(NOON - MINUTE))
    assert stretch.believed() == (Window(WINDOW.start, NOON - MINUTE),)
    leave([stretch])
    assert stretch.believed() == ()
    assert stretch.course.tally.failures == [TIME_IS_UP] * 2
    assert stretch.course.execution.status is Status.FAILED


class SlowStore(EmbeddedStore):
    """A store in which one query takes all the time that a scan may have, whatever is asked beside it."""

    watch: Stopwatch

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`."""
        self.watch.seconds += request.within.total_seconds() if "slow" in request.queries else 0.1
        if "slow" in request.queries:
            raise StoreOverwhelmed("It took too long.")
        # Only the stopwatch tells time here: a busy machine is not to end a scan that is given little of it.
        yield from super().scan(replace(request, page_size=2, within=MINUTE))


NAMES = [f"rule {number}" for number in range(31)]


@pytest.fixture
def store() -> Iterator[SlowStore]:
    """With three documents."""
    with closing(SlowStore(None, clock=lambda: NOON)) as store:
        store.watch = Stopwatch()
        source = {"@timestamp": "2026-01-01T11:55:00Z"}
        store.create([Document(Key("logs", str(number)), source) for number in range(3)])
        yield store


def found_by(
    store: SlowStore, names: Sequence[str], within: timedelta
) -> tuple[Mapping[str, Answer], Mapping[str, set[str]]]:
    """The answers to a search of every document under each name, and the hits by name."""
    found: dict[str, set[str]] = {}

    def consume(hits: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
        for name, some in hits.items():
            found.setdefault(name, set()).update(hit.key.id for hit in some)
        return set()

    queries: dict[str, Query] = {name: {"match_all": {}} for name in names}
    patience = Patience(2 * MINUTE, within, store.watch)
    return search(Search.over(("logs",), queries, WINDOW, patience.within, patience=patience), store, consume), found


def test_a_slow_rule_is_found_by_halving(store: SlowStore) -> None:
    """With time enough it alone has no answer."""
    answers, found = found_by(store, [*NAMES, "slow"], 60 * MINUTE)
    assert [name for name, answer in answers.items() if not answer.is_whole] == ["slow"]
    assert found == {name: {"0", "1", "2"} for name in NAMES}


def test_where_time_is_short_those_not_at_fault_are_answered_first(store: SlowStore) -> None:
    """Half of the rules and then a quarter have their answers; the others are told that there was no time."""
    answers, found = found_by(store, [*NAMES, "slow"], 5 * MINUTE)
    whole = [name for name, answer in answers.items() if answer.is_whole]
    assert len(whole) == 24
    assert found == {name: {"0", "1", "2"} for name in whole}
    assert set(answers) == {*NAMES, "slow"}
    assert {answer.problems for answer in answers.values() if not answer.is_whole} == {(TIME_IS_UP,)}


def test_a_search_whose_time_is_over_is_believed_up_to_its_last_page(store: SlowStore) -> None:
    """What was read was handed on; the next execution goes on from there."""
    store.watch.seconds = 0
    answers, found = found_by(store, ["a"], timedelta(seconds=0.05))
    assert found == {"a": {"0", "1"}}
    assert answers["a"].problems == (TIME_IS_UP,)
    assert answers["a"].read_until == position(datetime(2026, 1, 1, 11, 55, tzinfo=UTC))
