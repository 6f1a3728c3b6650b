"""Over many seeded worlds, whatever goes wrong in them: every event that is owed an alert has one, and only one."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from simulated_executions.faults import Crash, FaultyStore
from simulated_executions.many import Figures, simulate
from simulated_executions.scenario import MINUTE, SECOND, Arrival, Edit, Faults, Grouping, Scenario, Watched, draw
from simulated_executions.world import World, run

TESTS = Path(__file__).parents[1]
SEEDS = 2000
GROUPS = 4
REPLAY = """
import re
from simulated_executions.world import World, drawn_uuids
from simulated_executions.scenario import draw
for seed in range(610_000, 610_004):
    with drawn_uuids(seed):
        world = World(draw(seed))
        world.turn()
        world.drain()
    for key, source in world.store.written("*").items():
        print(key, re.sub("_ms': [0-9]+", "", str(source)))  # how long it took is this machine's
"""
FAULTS = (
    "answer lost",
    "broken off",
    "crash",
    "disabling failed",
    "interleaved",
    "item failed",
    "outage",
    "page repeated",
    "partial",
    "refused",
    "sweep",
)


def told(figures: Figures) -> str:
    """What was broken, with the command that shows it again."""
    command = "PYTHONPATH=tests:. python -m simulated_executions --seeds 1 --seed-from"
    return "\n".join(f"{command} {seed}: {'; '.join(why)}" for seed, why in sorted(figures.broken.items()))


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_event_is_alerted_once_whatever_happens(group: int) -> None:
    """No alert is lost, none doubled, no count wrong, and no coverage says more than is true."""
    each = SEEDS // GROUPS
    figures = simulate(range(group * each, (group + 1) * each), min(2, os.cpu_count() or 1))
    assert not figures.broken, told(figures)
    assert figures.seeds == each
    # Were nothing owed, or nothing going wrong, this would say nothing.
    assert figures.owed > 3 * each
    assert not set(FAULTS) - figures.faults.keys()


@pytest.mark.parametrize("seed", [3, 17])
def test_a_seed_replays(seed: int) -> None:
    """The same seed is the same world, fault by fault, so that whatever is found can be looked at."""
    first, second = run(draw(seed)), run(draw(seed))
    assert first == second
    assert draw(seed) == draw(seed)


def test_a_seed_replays_in_another_process() -> None:
    """Down to the uuids of what is written, and whatever order the sets of that process have."""
    first, second = (python("-c", REPLAY, PYTHONHASHSEED=seed).stdout for seed in ("1", "2"))
    assert "kibana.alert.uuid" in first
    assert first == second


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that ended well."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, **environment}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def healthy(seed: int) -> Scenario:
    """A world in which nothing goes wrong by itself."""
    return replace(draw(seed), faults=Faults(), interleaved=0)


@pytest.mark.parametrize("seed", [2, 5])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_crash_at_every_call_loses_nothing(seed: int, is_after: bool) -> None:  # noqa: FBT001 - a parameter
    """The program ends before or after any one store call of its first three ticks, and is started again."""
    scenario = healthy(seed)
    crashed = 0
    for call in itertools.count(1):
        world = World(replace(scenario, ticks=scenario.ticks[-3:]))
        last = crash_once(world, call, is_after=is_after)
        world.turn()
        crashed += world.runners[0].store.counted["crash"]
        if call > last():
            break
        world.drain()
        world.oracle.judge(world.store.written("lolbin-*"))
        assert [*world.oracle.lost, *world.oracle.doubled, *world.oracle.wrong] == [], call
    assert crashed > 20


def crash_once(world: World, call: int, *, is_after: bool) -> Callable[[], int]:
    """Let the program end at a store call, counted over all ticks; how many calls there were is told afterwards."""
    so_far = 0

    def plan(store: FaultyStore) -> None:
        nonlocal so_far
        so_far += store.calls
        store.begin_tick(max(0, call - so_far), is_after=is_after)

    world.plan_crash = plan  # type: ignore[method-assign]
    return lambda: so_far + world.runners[0].store.calls


@pytest.mark.parametrize("then", ["none", "code"])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_members_keep_their_group_when_suppression_changes_after_a_crash(then: Grouping, *, is_after: bool) -> None:
    """Wherever the first tick ended, events that were made members stay it, and no event gets a second alert."""
    rule = Watched("grouped-0", "grouped", 5 * MINUTE, 9 * MINUTE, 100)
    events = tuple(
        Arrival(f"e{n}", "ev-1", (n * SECOND,), "a", str(1 + n % 2), "h0", n * SECOND, n * SECOND) for n in range(3)
    )
    edit = Edit(MINUTE + 1, rule.id, "suppression", grouping=then)
    scenario = Scenario(1, (rule,), events, (edit,), Faults(), ((MINUTE, 0),), 0, 5 * MINUTE, 2)
    crashed = 0
    for call in itertools.count(1):
        world = World(scenario)
        last = crash_once(world, call, is_after=is_after)
        world.turn()
        crashed += world.runners[0].store.counted["crash"]
        world.drain()
        owed, _ = world.oracle.judge(world.store.written("lolbin-*"))
        assert owed == len(events)
        assert [*world.oracle.lost, *world.oracle.doubled, *world.oracle.wrong] == [], call
        if call > last():
            break
    assert crashed > 10


def test_a_crash_is_nothing_that_anybody_catches() -> None:
    """What stands for the end of the program passes through every except of the package."""
    assert not issubclass(Crash, Exception)


def test_the_last_line_of_the_program_is_the_figure() -> None:
    """It exits with 0 where every promise was kept."""
    done = python("-m", "simulated_executions", "--seeds", "4", "--seed-from", "7", "--processes", "1")
    assert done.stdout.splitlines()[-1].startswith("4 seeds, ")
    assert " 0 lost, 0 doubled, 0 wrong" in done.stdout.splitlines()[-1]


def test_a_broken_promise_is_told_with_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits with 1 and says how to see it again."""
    from lolbin_rules.execution import write  # noqa: PLC0415 - the one guard that is taken away here
    from simulated_executions.many import main  # noqa: PLC0415

    monkeypatch.setattr(write, "up_to_cap", lambda items, there: list(items)[:0])
    assert main(["--seeds", "20", "--processes", "1"]) == 1
    assert "python -m simulated_executions --seeds 1 --seed-from" in capsys.readouterr().out
