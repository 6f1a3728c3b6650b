"""Who may take and who must give what, as a function of the roster, the runner and the time; no store is asked."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.execution.roster import LONGEST_LIFE, Attending, Presence, Roster, attend, leave

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIFE = timedelta(seconds=12)
STEP = LIFE / 3
TWENTY = frozenset(f"batch-{number:02}" for number in range(20))


def come(roster: Roster, name: str, wanted: frozenset[str] = TWENTY, *, busy: object = (), at: int = 0) -> Roster:
    """The roster after a runner has come, so many steps after noon."""
    assert isinstance(busy, tuple | frozenset)
    return attending(roster, Attending(name, wanted, frozenset(busy), LIFE), NOON + at * STEP)


def attending(roster: Roster, me: Attending, now: datetime) -> Roster:
    """The roster after a runner has come that knows exactly what time it is."""
    return attend(roster, me, now, now)


def shares(roster: Roster) -> list[int]:
    """How many batches each runner that is there holds, fewest first."""
    counts = Counter(roster.leases.values())
    return sorted(counts[name] for name in roster.runners)


def test_a_runner_alone_takes_everything_at_once() -> None:
    """Nobody is waited for."""
    assert come(Roster(), "a").held_by("a") == TWENTY


@given(st.integers(1, 6), st.integers(0, 23), st.integers(0, 12))
def test_runners_share_evenly_once_each_has_come_twice(runners: int, batches: int, more: int) -> None:
    """Whatever came first and however many; and everything is held. From then on nothing changes hands."""
    wanted = frozenset(f"b{number}" for number in range(batches))
    roster = come(Roster({}, {}), "first", wanted)
    names = ["first", *(f"r{number}" for number in range(runners - 1))]
    for turn in range(2 * len(names)):
        roster = come(roster, names[turn % len(names)], wanted)
    assert roster.leases.keys() == wanted
    assert shares(roster)[-1] - shares(roster)[0] <= 1
    for turn in range(more):
        again = come(roster, names[turn % len(names)], wanted)
        assert again.leases == roster.leases


def test_what_is_given_is_left_to_those_who_lack_it() -> None:
    """The giver does not take it again before the other has come."""
    roster = come(come(come(Roster(), "a"), "b"), "a")
    assert (len(roster.held_by("a")), len(roster.held_by("b"))) == (10, 0)
    assert len(come(roster, "a", at=1).held_by("a")) == 10
    assert shares(come(roster, "b", at=1)) == [10, 10]


def test_what_is_being_executed_is_not_given_away() -> None:
    """It is given when it is done."""
    roster = come(come(Roster(), "a"), "b")
    busy = frozenset(sorted(TWENTY)[:15])
    assert come(roster, "a", busy=busy).held_by("a") >= busy
    assert len(come(roster, "a", busy=busy).held_by("a")) == 15
    assert busy <= come(roster, "a", frozenset(), busy=busy).held_by("a")
    assert come(roster, "a", frozenset()).held_by("a") == frozenset()


def test_who_is_silent_for_too_long_is_struck_off_with_all_it_holds() -> None:
    """Until then it is left in peace; and who comes late, but was not struck off, has what it had."""
    roster = come(come(come(come(Roster(), "a"), "b"), "a"), "b")
    held = roster.held_by("a")
    assert come(roster, "b", at=3).held_by("a") == held
    assert come(roster, "b", at=4).held_by("b") == TWENTY
    assert "a" not in come(roster, "b", at=4).runners
    assert come(roster, "a", at=4).held_by("a") == TWENTY


def test_a_time_that_nobody_can_have_written_by_this_clock_counts_as_over() -> None:
    """The clock was put back; else a dead runner would keep its leases for as long as it was."""
    ahead = Roster({"a": Presence(NOON + timedelta(hours=1), "x")}, dict.fromkeys(TWENTY, "a"))
    assert come(ahead, "b").held_by("b") == TWENTY
    slow = Attending("b", TWENTY, frozenset(), LIFE)  # the store took so long to tell the time
    assert attend(ahead, slow, NOON, NOON + timedelta(hours=1)).held_by("a") == TWENTY
    longest = Roster({"a": Presence(NOON + LONGEST_LIFE, "x")}, dict.fromkeys(TWENTY, "a"))
    assert come(longest, "b").held_by("a") == TWENTY


def test_a_runner_is_never_taken_for_dead_sooner_than_it_announced() -> None:
    """Even if it comes again with a shorter life: it may not know yet that this was written."""
    roster = come(Roster(), "a")
    shorter = attending(roster, Attending("a", TWENTY, frozenset(), LIFE / 2), NOON + STEP)
    assert shorter.runners["a"].until == NOON + LIFE
    later = attending(shorter, Attending("a", TWENTY, frozenset(), LIFE / 2), NOON + 2 * STEP)
    assert later.runners["a"].until == NOON + 2 * STEP + LIFE / 2
    put_back = attending(roster, Attending("a", TWENTY, frozenset(), LIFE), NOON - timedelta(hours=1))
    assert put_back.runners["a"].until == NOON - timedelta(hours=1) + LIFE


def test_rules_that_only_one_runner_has_are_its_own() -> None:
    """Runners with other rules are not waited for; of what both have, who came first keeps what it has."""
    roster = come(come(Roster(), "a"), "b", TWENTY | {"new"})
    assert roster.held_by("b") == {"new"}
    assert come(roster, "a").held_by("a") == TWENTY
    both = come(come(roster, "a", TWENTY | {"new"}), "b", TWENTY | {"new"})
    assert shares(both) == [10, 11]


def test_who_leaves_gives_everything_back() -> None:
    """For the others to take when they come next."""
    roster = leave(come(come(come(come(Roster(), "a"), "b"), "a"), "b"), "a")
    assert "a" not in roster.runners
    assert roster.held_by("a") == frozenset()
    assert come(roster, "b").held_by("b") == TWENTY


def test_a_roster_is_stored_as_it_is() -> None:
    """Times to the millisecond."""
    roster = come(come(Roster(), "a"), "b")
    assert Roster.from_source(json.loads(json.dumps(roster.to_source()))) == roster


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"runners": [], "leases": {}},
        {"runners": {}, "leases": None},
        {"runners": {"a": {}}, "leases": {}},
        {"runners": {"a": "x"}, "leases": {}},
        {"runners": {"a": {"until": "soon", "knows": "x"}}, "leases": {}},
    ],
)
def test_what_is_no_roster_is_refused(source: dict[str, object]) -> None:
    """It is not taken for an empty one: somebody else may understand it."""
    with pytest.raises(ValueError, match=r"it (is no roster|holds no time)"):
        Roster.from_source(source)
