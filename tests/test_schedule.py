"""When which rules are executed, and how a runner takes up changed rule files; no cluster is asked here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.batch import Batch, batches, next_slot
from lolbin_rules.execution.lease import Leases
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.roster import LONGEST_LIFE
from lolbin_rules.execution.run import execute
from lolbin_rules.execution.store_clock import StoreClock
from lolbin_rules.plan.window import EPOCH
from lolbin_rules.rule.load import read
from lolbin_rules.rule.model import Rule
from lolbin_rules.schedule import Runner, Slots
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, Key, Query
from written_rules import rule_text, write_list, write_rule

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

intervals = st.integers(1, 31 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
batch_of_anything = st.builds(
    Batch, index=st.lists(st.text("abc-*", min_size=1), min_size=1).map(tuple), interval=intervals, lookback=intervals
)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def rules_of(folder: Path) -> dict[str, Rule]:
    """The rules in a folder."""
    return dict(read(folder).raise_if_faulty().rules)


def test_rules_with_the_same_indices_and_times_are_one_batch(tmp_path: Path) -> None:
    """Anything else about them may differ; disabled ones are in none."""
    write_rule(tmp_path, "a", max_alerts=1)
    write_rule(tmp_path, "b", match={"process.name": "rundll32.exe"})
    write_rule(tmp_path, "resting", enabled=False)
    write_rule(tmp_path, "elsewhere", index=["other-*"])
    write_rule(tmp_path, "faster", interval="1m")
    write_rule(tmp_path, "farther", lookback="now-10m")
    found = {tuple(rule.id for rule in rules) for rules in batches(rules_of(tmp_path)).values()}
    assert found == {("a", "b"), ("elsewhere",), ("faster",), ("farther",)}


def test_the_phase_of_a_batch_is_the_same_on_every_machine() -> None:
    """It depends on the batch alone, so that a restart does not shift it; this value was written down once."""
    batch = Batch(("winlogbeat-*", "logs-endpoint.events.*"), timedelta(minutes=5), timedelta(minutes=9))
    assert (batch.name, batch.phase) == ("b8c5f0750f73d40a", timedelta(seconds=190))


def test_phases_are_spread_over_the_interval() -> None:
    """Of many batches, no minute of the hour is without some."""
    hour = timedelta(hours=1)
    phases = [Batch((f"index-{number}",), hour, hour).phase for number in range(2000)]
    assert {phase // timedelta(minutes=1) for phase in phases} == set(range(60))


@given(batch_of_anything)
def test_a_phase_lies_within_the_interval(batch: Batch) -> None:
    """In whole seconds, from zero on."""
    assert timedelta() <= batch.phase < batch.interval
    assert batch.phase.microseconds == 0


@given(batch_of_anything, moments)
def test_the_next_slot_is_the_first_one_after_now(batch: Batch, now: datetime) -> None:
    """It lies on the batch's grid, ahead of now, and no slot lies between."""
    slot = next_slot(batch, now)
    assert now < slot <= now + batch.interval
    assert (slot - EPOCH - batch.phase) % batch.interval == timedelta()


@given(batch_of_anything, moments)
def test_slots_follow_each_other_at_the_interval(batch: Batch, now: datetime) -> None:
    """A slot is not its own successor, and up to just before it, it is the next."""
    slot = next_slot(batch, now)
    assert next_slot(batch, slot) == slot + batch.interval
    assert next_slot(batch, slot - MICROSECOND) == slot


Begin = Callable[..., Runner]


@pytest.fixture
def begin() -> Begin:
    """A runner over the rules of a folder, as it is once it has looked at them; its store is nowhere."""

    def make(*folders: Path) -> Runner:
        nowhere = ElasticsearchStore(Connection("http://127.0.0.1:1"), clock=lambda: NOW)
        seen: list[Execution] = []
        runner = Runner(nowhere, RunnerSettings(), folders, lambda: NOW, seen.append)
        runner.reload()
        return runner

    return make


def rule_ids(runner: Runner) -> list[str]:
    """The rules that the runner goes by."""
    return sorted(runner._ruleset.rules)


def ticking(runner: Runner) -> set[str]:
    """The names of the batches that have ticks to come, but for the first, immediate ones."""
    return {job.id for job in runner._scheduler.get_jobs() if not job.id.endswith("-first")}


def test_a_sweep_gives_way_to_ticks_and_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another batch is under way only the newest hour is swept; then the rest, and then nothing for an hour."""
    monkeypatch.setattr("lolbin_rules.schedule.LONGEST_WAIT", timedelta())
    write_rule(tmp_path / "rules", "a")
    moment = NOW - timedelta(hours=5)
    seen: list[Execution] = []
    with closing(EmbeddedStore(tmp_path / "store", clock=lambda: moment)) as store:
        store.create([Document(Key("nothing-1", "x"), {"@timestamp": 0, "event.category": "x", "process.name": "x"})])
        runner = Runner(store, RunnerSettings(), (tmp_path / "rules",), lambda: moment, seen.append)
        runner.reload()
        (batch,) = batches(runner._ruleset.rules)
        runner.tick(batch)
        moment = NOW
        runner.tick(batch)
        runner._under_way.add("another")
        runner.sweep()
        runner._under_way.clear()
        runner.sweep()
        runner.sweep()
    assert [execution.is_sweep for execution in seen] == [False, False, True, True]
    *_, first, second = seen
    hours = [NOW - timedelta(hours=number) for number in range(6)]
    assert [window.start for window in first.planned] == [hours[1]]
    assert [window.start for window in second.planned] == [*hours[2:], hours[5] - timedelta(minutes=9)]
    assert second.tally.given_up == []


@pytest.fixture
def looking_on(tmp_path: Path) -> Iterator[tuple[Runner, list[Execution]]]:
    """A runner of one rule on a store with one index, and what it reports."""
    write_rule(tmp_path / "rules", "a")
    seen: list[Execution] = []
    with closing(EmbeddedStore(tmp_path / "store", clock=lambda: NOW)) as store:
        store.prepare(templates("lolbin"))
        store.create([Document(Key("nothing-1", "x"), {"@timestamp": 0, "event.category": "x", "process.name": "x"})])
        runner = Runner(store, RunnerSettings(), (tmp_path / "rules",), lambda: NOW, seen.append)
        runner.reload()
        yield runner, seen


def test_what_another_runner_holds_is_neither_executed_nor_swept(
    looking_on: tuple[Runner, list[Execution]], caplog: pytest.LogCaptureFixture
) -> None:
    """In silence, but counted; when the other is gone, it is."""
    runner, seen = looking_on
    (batch,) = batches(runner._ruleset.rules)
    execute(replace(runner._orders([*runner._ruleset.rules.values()]), now=NOW - timedelta(hours=5)), runner.store)
    leases = [
        Leases(runner.store, "lolbin", name, StoreClock(runner.store, lambda: NOW), frozenset)
        for name in ("us", "others")
    ]
    runner._leases, others = leases
    for each in (others, runner._leases):
        each.want([batch.name], LONGEST_LIFE)
        each.attend()
    runner.tick(batch)
    runner.tick(batch)
    runner.sweep()
    assert (seen, runner.skipped, caplog.text) == ([], 2, "")
    others.end()
    others.keep(lambda: None)
    runner._leases.attend()
    runner.tick(batch)
    runner.sweep()
    assert [execution.is_sweep for execution in seen] == [False, True]
    assert runner.skipped == 2


def test_a_sweep_that_has_nothing_to_search_is_not_told_of(looking_on: tuple[Runner, list[Execution]]) -> None:
    """A rule that has just begun, or is read by sequence numbers; there is no record either, and no second look."""
    runner, seen = looking_on
    (batch,) = batches(runner._ruleset.rules)
    runner.tick(batch)
    runner.sweep()
    assert [execution.is_sweep for execution in seen] == [False]
    everything: Query = {"match_all": {}}
    assert runner.store.count([f"lolbin-executions-{NOW:%Y.%m}"], everything, within=timedelta(seconds=9)).value == 1
    assert runner._sweeps.owed(runner._ruleset.rules.values(), NOW + timedelta(minutes=59)) == {}


def test_nothing_is_searched_while_the_stores_clock_leaps(looking_on: tuple[Runner, list[Execution]]) -> None:
    """The executions fail with that reason and are recorded; coverage is left as it is."""
    runner, seen = looking_on
    (batch,) = batches(runner._ruleset.rules)
    runner._present.refusal = "The clock leaps."
    runner.tick(batch)
    runner.sweep()
    (execution,) = seen
    assert (execution.status, execution.reason, execution.planned) == (Status.FAILED, "The clock leaps.", ())
    recorded = runner.store.get([Key(f"lolbin-executions-{NOW:%Y.%m}", execution.uuid), Key("lolbin-coverage", "a")])
    assert [stored is not None for stored in recorded] == [True, False]


def test_ticks_wait_for_what_is_left_whatever_the_machines_clock_shows() -> None:
    """Its hour may be any; a slot that is just ahead counts as ticked, as clocks are not read that closely."""
    left = timedelta(minutes=3)
    for hours in (-5, 0, 5):
        moment = NOW + timedelta(hours=hours)
        assert Slots(lambda: left).get_next_fire_time(moment + left, moment) == moment + left


def test_a_new_rule_ticks_and_a_removed_one_no_longer_does(begin: Begin, tmp_path: Path) -> None:
    """A batch has one job, however many rules are in it, and none when the last is gone."""
    write_rule(tmp_path, "a")
    runner = begin(tmp_path)
    (first,) = ticking(runner)
    write_rule(tmp_path, "same-batch")
    other = write_rule(tmp_path, "b", interval="1m")
    runner.reload()
    assert rule_ids(runner) == ["a", "b", "same-batch"]
    assert len(ticking(runner)) == 2
    other.unlink()
    runner.reload()
    assert ticking(runner) == {first}


def test_files_are_read_again_only_if_something_changed(begin: Begin, tmp_path: Path) -> None:
    """A look at unchanged files costs no reading; what is no rule file does not count."""
    write_rule(tmp_path, "a")
    runner = begin(tmp_path)
    before = runner._ruleset
    (tmp_path / "notes.txt").write_text("x")
    runner.reload()
    assert runner._ruleset is before
    write_rule(tmp_path, "a", max_alerts=7)
    runner.reload()
    assert runner._ruleset.rules["a"].max_alerts == 7


def test_a_changed_list_is_taken_up(begin: Begin, tmp_path: Path) -> None:
    """The rules that name it are said to have changed, for what they find has."""
    write_list(tmp_path, "programs", "regsvr32.exe")
    write_rule(tmp_path, "a", match={"process.name": {"list": "programs"}})
    write_rule(tmp_path, "b")
    runner = begin(tmp_path)
    write_list(tmp_path, "programs", "regsvr32.exe", "rundll32.exe")
    runner.reload()
    assert runner._ruleset.lists["programs"].values == ("regsvr32.exe", "rundll32.exe")


def test_a_file_in_a_linked_folder_is_watched_too(begin: Begin, tmp_path: Path) -> None:
    """What the loader reads is what is looked at for changes."""
    write_rule(tmp_path / "elsewhere", "a")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "linked").symlink_to(tmp_path / "elsewhere")
    runner = begin(tmp_path / "rules")
    write_rule(tmp_path / "elsewhere", "a", max_alerts=7)
    runner.reload()
    assert runner._ruleset.rules["a"].max_alerts == 7


def test_rules_of_a_file_that_became_faulty_go_on_as_they_were(
    begin: Begin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The fault is logged with its place; the other files' changes are taken up; corrected, the file counts again."""
    file = write_rule(tmp_path, "a", max_alerts=7)
    write_rule(tmp_path, "b")
    runner = begin(tmp_path)
    before = ticking(runner)
    file.write_text(rule_text("a", max_alerts=8, risk_score=101))
    write_rule(tmp_path, "b", max_alerts=9)
    with caplog.at_level(logging.WARNING, "lolbin_rules"):
        runner.reload()
    assert f'{file}:11:13: rule "a": ' in caplog.text
    assert "these rules go on as they were: a." in caplog.text
    assert {rule.id: rule.max_alerts for rule in runner._ruleset.rules.values()} == {"a": 7, "b": 9}
    assert ticking(runner) == before
    write_rule(tmp_path, "a", max_alerts=8)
    runner.reload()
    assert runner._ruleset.rules["a"].max_alerts == 8


def test_rules_of_a_file_that_can_no_longer_be_parsed_go_on(begin: Begin, tmp_path: Path) -> None:
    """All of the rules in it, for none can be found there any more."""
    file = tmp_path / "many.yml"
    file.write_text(rule_text("a") + "---\n" + rule_text("b"))
    runner = begin(tmp_path)
    file.write_text("id: [unclosed\n")
    runner.reload()
    assert rule_ids(runner) == ["a", "b"]


def test_rules_of_a_list_that_became_faulty_go_on_with_the_list_as_it_was(begin: Begin, tmp_path: Path) -> None:
    """Or that is gone: without it nobody could tell what the rule should find."""
    file = write_list(tmp_path, "programs", "regsvr32.exe")
    write_rule(tmp_path, "a", match={"process.name": {"list": "programs"}})
    runner = begin(tmp_path)
    file.write_text("id: programs\n")
    runner.reload()
    assert (rule_ids(runner), runner._ruleset.lists["programs"].values) == (["a"], ("regsvr32.exe",))
    file.unlink()
    runner.reload()
    assert (rule_ids(runner), runner._ruleset.lists["programs"].values) == (["a"], ("regsvr32.exe",))


def test_rules_of_a_folder_that_vanished_go_on(begin: Begin, tmp_path: Path) -> None:
    """A share that is away or a deployment half done removes no rule; a file that is deleted does."""
    write_rule(tmp_path / "rules", "a")
    write_rule(tmp_path / "others", "b")
    runner = begin(tmp_path / "rules", tmp_path / "others")
    (tmp_path / "rules").rename(tmp_path / "away")
    runner.reload()
    assert rule_ids(runner) == ["a", "b"]
    (tmp_path / "away").rename(tmp_path / "rules")
    write_rule(tmp_path / "rules", "c")
    (tmp_path / "rules" / "a.yml").unlink()
    runner.reload()
    assert rule_ids(runner) == ["b", "c"]


def test_stopping_before_the_store_was_ever_there_takes_no_time(begin: Begin, tmp_path: Path) -> None:
    """Whatever it is waiting for."""
    write_rule(tmp_path, "a")
    runner = begin(tmp_path)
    working = threading.Thread(target=runner.run)
    working.start()
    time.sleep(0.2)
    runner.stop()
    working.join(timeout=3)
    assert not working.is_alive()
