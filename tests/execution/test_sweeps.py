"""Which windows a sweep searches, and which rules are due for one; no store is asked here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.sweep import HOUR, RETRY, Sweeps, swept_windows
from lolbin_rules.plan.window import Spans, Window, floor
from lolbin_rules.rule.load import read
from lolbin_rules.rule.model import Rule
from written_rules import write_rule

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)

durations = st.integers(1, 3 * 86_400_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rule]:
    """Two rules, and one that is disabled."""
    folder: Path = tmp_path_factory.mktemp("rules")
    write_rule(folder, "one")
    write_rule(folder, "two", lookback="now-1h")
    write_rule(folder, "resting", enabled=False)
    return dict(read(folder).raise_if_faulty().rules)


@given(now=moments, reach=durations)
def test_the_windows_are_what_lies_between_the_reach_and_the_lookback(
    rules: dict[str, Rule], now: datetime, reach: timedelta
) -> None:
    """All of it, newest first, none longer than an hour, cut at whole hours only."""
    rule = rules["one"]
    windows = swept_windows(rule, now, reach)
    assert Spans(windows) == Spans.between(floor(now - reach), floor(now - rule.lookback))
    assert all(window.duration <= HOUR for window in windows)
    assert all(newer.start == older.end for newer, older in pairwise(windows))
    assert all((newer.start.minute, newer.start.second, newer.start.microsecond) == (0, 0, 0) for newer in windows[:-1])


def test_rules_with_other_lookbacks_share_whole_hours(rules: dict[str, Rule]) -> None:
    """So that one request serves them."""
    one, two = (set(swept_windows(rules[name], NOON + timedelta(minutes=30), DAY)) for name in ("one", "two"))
    assert len(one & two) == len(two) - 1


def done(rule: Rule, *given_up: Window, failure: str = "") -> Execution:
    """An execution that left something, or failed."""
    execution = Execution(rule, "scheduled", started_at=NOON, now=NOON, is_sweep=True)
    execution.tally.given_up = list(given_up)
    execution.tally.failures = [failure] if failure else []
    return execution


def test_a_rule_is_swept_at_once_and_then_by_the_interval(rules: dict[str, Rule]) -> None:
    """Counted from its beginning; a disabled rule never."""
    sweeps = Sweeps(HOUR, DAY)
    owed = sweeps.owed(rules.values(), NOON)
    assert owed == {name: swept_windows(rules[name], NOON, DAY) for name in ("one", "two")}
    sweeps.took([done(rules["one"]), done(rules["two"])], NOON + timedelta(minutes=10))
    assert sweeps.owed(rules.values(), NOON + timedelta(minutes=59)) == {}
    assert sweeps.owed(rules.values(), NOON + HOUR).keys() == {"one", "two"}


def test_a_lookback_as_long_as_the_reach_leaves_nothing_to_sweep(rules: dict[str, Rule]) -> None:
    """Of the rule that looks back for an hour; the other one is swept."""
    assert Sweeps(HOUR, HOUR).owed(rules.values(), NOON).keys() == {"one"}


def test_what_was_given_up_is_taken_up_again(rules: dict[str, Rule]) -> None:
    """At the next look, and nothing but it; then the next sweep is due an interval after the first began."""
    sweeps, rule = Sweeps(HOUR, DAY), rules["one"]
    *_, last = sweeps.owed([rule], NOON)["one"]
    later = NOON + timedelta(minutes=10)
    sweeps.took([done(rule, last)], later)
    assert sweeps.owed([rule], later) == {"one": (last,)}
    sweeps.took([done(rule)], later)
    assert sweeps.owed([rule], NOON + timedelta(minutes=59)) == {}
    assert sweeps.owed([rule], NOON + HOUR) == {"one": swept_windows(rule, NOON + HOUR, DAY)}


def test_a_failed_sweep_is_tried_again_after_a_while(rules: dict[str, Rule]) -> None:
    """As a whole: what it was to search is still owed."""
    sweeps, rule = Sweeps(HOUR, DAY), rules["one"]
    owed = sweeps.owed([rule], NOON)
    sweeps.took([done(rule, failure="The store is away.")], NOON)
    assert sweeps.owed([rule], NOON + RETRY - timedelta(seconds=1)) == {}
    assert sweeps.owed([rule], NOON + RETRY) == owed


def test_what_had_no_whole_answer_is_swept_again_beside_the_next_sweep(rules: dict[str, Rule]) -> None:
    """However far back it lies by then, within twice the reach; what the next sweep covers anyway is in it once."""
    sweeps, rule = Sweeps(HOUR, DAY), rules["one"]
    windows = sweeps.owed([rule], NOON)["one"]
    *believed, oldest = windows
    swept = replace(done(rule), planned=windows)
    swept.tally.searched = believed
    sweeps.took([swept], NOON)
    later = NOON + 2 * HOUR
    owed = sweeps.owed([rule], later)["one"]
    assert Spans(owed) == Spans((*swept_windows(rule, later, DAY), oldest))
    assert sum((window.duration for window in owed), timedelta()) == Spans(owed).duration
    sweeps.took([replace(done(rule), planned=owed)], later)
    much_later = NOON + 3 * DAY
    assert sweeps.owed([rule], much_later)["one"] == swept_windows(rule, much_later, DAY)
