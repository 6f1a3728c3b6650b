"""Take away any one guard of the executions, and the simulation finds what it was for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulated_executions.guards import GUARDS
from simulated_executions.scenario import Scenario, draw
from simulated_executions.world import Ended, run

MOST_SEEDS = 400


def sharpened(guard: str, seed: int) -> Scenario:
    """The world of a seed; for what is rarely decisive, one in which the occasion comes often."""
    scenario = draw(seed)
    if guard == "a cut leaves out its whole millisecond":
        return replace(scenario, faults=replace(scenario.faults, breaks=0.7), page_size=1)
    return scenario


def is_broken(ended: Ended) -> bool:
    """Something is lost, doubled or wrong; that there is still work to do does not count."""
    return bool(ended.lost or ended.doubled or [each for each in ended.wrong if "did not drain" not in each])


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_a_promise_is_broken(guard: str) -> None:
    """Within a bounded number of seeds; where the first is known, the search begins a little before it."""
    remove, first = GUARDS[guard]
    with remove():
        assert any(is_broken(run(sharpened(guard, seed))) for seed in range(first, first + MOST_SEEDS))


@pytest.mark.parametrize("guard", GUARDS)
def test_with_all_guards_the_same_worlds_are_good(guard: str) -> None:
    """It is the guard that makes the difference."""
    first = GUARDS[guard][1]
    assert all(run(sharpened(guard, seed)).is_good for seed in range(first, first + 3))
