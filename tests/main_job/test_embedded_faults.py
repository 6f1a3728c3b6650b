"""Faults of the embedded store's folder, and sudden death: nothing is lost and nothing is alerted twice."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

import generated_events as events
from event_indices import index_events, iso, stored, under
from generated_outcomes import load
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Status
from lolbin_rules.importers.event_templates import event_templates
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.load import read
from lolbin_rules.rule.ruleset import RuleSet
from other_process import Elsewhere, Ended, die_at_write, drop_privileges, end_of_room, run_program
from rule_files import write_rules
from ticks import AFTERWARDS, BASE, RULES, Made, Runner, assert_complete
from worlds import in_folder

SPAN = Window(BASE - timedelta(minutes=10), BASE + timedelta(minutes=10))
PREFIX = "t-"
WRITTEN = f"{PREFIX}lolbin"


@dataclass(frozen=True)
class Case:
    """A store with events, rules for them, and processes that search them.

    Attributes:
        folder: of the store.
        rules: the folder of the rules.
        made: the events.
    """

    folder: Path
    rules: Path
    made: Made

    def begin(self) -> None:
        """Make the folder as if nothing had been run."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.folder.with_name("pristine"), self.folder)

    def once(self, spoil: Callable[[], None] | None = None) -> Ended:
        """The program, over the events' time."""
        span = ["--from", iso(SPAN.start), "--to", iso(SPAN.end)]
        arguments = ["once", "--rules", str(self.rules), "--store", "embedded", *span]
        variables = {"LOLBIN_DATA_DIR": str(self.folder), "LOLBIN_PREFIX": WRITTEN}
        return self._run(partial(run_program, arguments, variables), spoil)

    def tick(self, at: datetime, spoil: Callable[[], None] | None = None) -> Ended:
        """A scheduled execution of the rules; its exit code is how many of them did not succeed."""
        return self._run(partial(tick, self.folder, self.rules, at), spoil)

    def _run(self, work: Callable[[], int], spoil: Callable[[], None] | None) -> Ended:
        return Elsewhere(work, self.folder.with_name("log"), spoil).ended()

    def assert_complete(self) -> None:
        """Every hit is alerted once, and every group counted exactly."""
        with in_folder(self.folder, PREFIX) as world:
            assert_complete(world, self.made)

    @property
    def alerts(self) -> int:
        """How many alerts there are."""
        with in_folder(self.folder, PREFIX) as world:
            return len(stored(world.store, f"{WRITTEN}-alerts"))


def tick(folder: Path, rules: Path, at: datetime) -> int:
    """Execute the rules of a folder once; how many did not succeed."""
    ruleset = read((rules,)).raise_if_faulty()
    with in_folder(folder, PREFIX) as world:
        executions = Runner(ruleset, list(ruleset.rules.values()), WRITTEN).tick(world.store, at)
    failed = [execution for execution in executions.values() if execution.status is not Status.SUCCEEDED]
    for execution in failed:
        print(execution.rule.id, execution.status, execution.reason)  # noqa: T201 - goes to the log of the process
    return len(failed)


def make_case(folder: Path, ruleset: RuleSet, noise: int = 0) -> Case:
    """Few events for two rules, one of which groups, and so many in one index that are of no interest."""
    with in_folder(folder / "pristine", PREFIX, segment_rows=1024) as world:
        made = (
            events.generate("regsvr32", seed=21, base_time=BASE - timedelta(minutes=4), hits=10, near_misses=1),
            events.regsvcs_groups(seed=21, base_time=BASE, sizes=range(1, 6), spread=timedelta(minutes=2)),
        )
        load(world.store, PREFIX, made)
        spoiled = next(event for event in made[0].events if event.kind == "other program")
        copies = [(PREFIX + events.WINLOGBEAT_8, f"noise-{number}", spoiled.source) for number in range(noise)]
        index_events(world.store, copies)
        world.store.prepare([*event_templates(), *templates(WRITTEN)])
    rules = [under(PREFIX, ruleset.rules[name]) for name in RULES]
    case = Case(folder / "store", write_rules(folder / "rules", rules, ruleset), made)
    case.begin()
    return case


@pytest.fixture
def case(all_rules: RuleSet, tmp_path: Path) -> Case:
    """A store to do the worst to."""
    return make_case(tmp_path, all_rules)


def test_a_run_killed_at_any_write_is_made_good_by_the_next(case: Case) -> None:
    """SIGKILL at the beginning and at the end of every transaction; the run after each leaves every alert once."""
    for kills in count():
        case.begin()
        ended = case.once(die_at_write(kills))
        if ended.code == 0:
            break
        assert ended.code == -signal.SIGKILL, ended
        again = case.once()
        assert again.code == 0, again
        case.assert_complete()
    assert kills >= 20


def test_a_scheduled_execution_killed_at_any_write_is_made_good_by_a_later_one(case: Case) -> None:
    """The later one's own window is past the events: what it finds is what coverage does not claim to be done."""
    case.tick(BASE - timedelta(minutes=30))
    shutil.copytree(case.folder, case.folder.with_name("pristine"), dirs_exist_ok=True)
    for commits in count():  # every other write is a commit; a kill before the beginning leaves no other state
        case.begin()
        ended = case.tick(BASE + timedelta(minutes=2), die_at_write(2 * commits + 1))
        if ended.code != -signal.SIGKILL:
            break
        finish(case)
    assert commits >= 5


def finish(case: Case) -> None:
    """Execute the rules when the events are past; then all must be there."""
    assert tick(case.folder, case.rules, AFTERWARDS) == 0
    case.assert_complete()


def test_a_full_disk_fails_an_execution_and_costs_nothing(case: Case) -> None:
    """Wherever the room ends, the reason says so; what was not written is found when there is room again."""
    case.tick(BASE - timedelta(minutes=30))
    shutil.copytree(case.folder, case.folder.with_name("pristine"), dirs_exist_ok=True)
    written = []
    for size in range(20_000, 2_000_000, 80_000):
        case.begin()
        ended = case.tick(BASE + timedelta(minutes=2), end_of_room(size))
        if ended.code == 0:
            break
        assert "disk" in ended.said
        written.append(case.alerts)
        finish(case)
    assert len(written) >= 5
    assert written[0] == 0 < written[-1]


def test_a_folder_that_may_not_be_written_to_is_named(case: Case) -> None:
    """The run fails with one sentence; the next one, which may, completes."""
    paths = [case.folder, *case.folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    refused = case.once(drop_privileges)
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)
    assert refused.code in {1, 2}, refused
    assert str(case.folder) in refused.said
    assert "Traceback" not in refused.said
    assert case.once().code == 0
    case.assert_complete()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "a bit at the beginning": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "a bit at the end": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "every hundredth byte": lambda content: b"".join(
        bytes([content[at] ^ 0xFF]) + content[at + 1 : at + 100] for at in range(0, len(content), 100)
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_is_built_again(all_rules: RuleSet, tmp_path: Path, damage: str) -> None:
    """Segments hold nothing of their own: with all of them damaged a run finds the same."""
    case = make_case(tmp_path, all_rules, noise=1200)
    files = list(case.folder.rglob("*.segment"))
    assert files
    for file in files:
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
    ended = case.once()
    assert ended.code == 0, ended
    assert "is built again" in ended.said
    case.assert_complete()
