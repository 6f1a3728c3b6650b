"""Rules read by sequence numbers: whatever becomes searchable is alerted once, however late, whatever its index."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from event_indices import stored
from interrupted import Interrupted
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.run import execute
from lolbin_rules.plan.window import DAWN, Spans, Window
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, Key, Put, Query, Scan, Shard, Verdict
from numbered import DAY, Numbered, assert_good, begun
from watched import at
from worlds import ON_A_NODE, World
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs", "environment")

NAMES = [f"e{number}" for number in range(20)]


@pytest.fixture
def numbered(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Numbered:
    """A rule that ran once over nothing but an old event."""
    return begun(Numbered(world, tmp_path / "rules", capsys))


def test_documents_come_days_late_and_in_the_future_and_without_a_time(numbered: Numbered) -> None:
    """Their time does not matter, as long as it was asked; nobody refreshed the index but the execution."""
    numbered.write(-1, "in time")
    numbered.write(-8, "late")
    numbered.write(90 * DAY, "ahead of its time")
    numbered.write(None, "timeless")
    numbered.write(-60, "never asked")
    assert_good(numbered.tick(5))
    found = Counter(["first", "in time", "late", "ahead of its time", "timeless"])
    assert numbered.alerted() == found
    numbered.write(1, "days late")
    assert_good(numbered.tick(9 * DAY))
    assert numbered.alerted() == found + Counter(["days late"])
    nothing = numbered.tick(9 * DAY + 5)
    assert (nothing.tally.hits, nothing.tally.duplicates) == (0, 0)
    assert_good(nothing)


def test_several_shards_are_read_each_to_its_end(numbered: Numbered) -> None:
    """Every document once; what was read is not read again, and coverage holds all time up to the execution."""
    numbered.write(-2, *NAMES)
    execution = numbered.tick(1)
    assert_good(execution)
    assert numbered.alerted() == Counter(["first", *NAMES])
    assert sum(numbered.read().values()) == len(NAMES) + 2
    assert execution.tally.searched == [execution.planned[0]]
    assert not numbered.state().gaps(execution.now)
    assert numbered.tick(2).tally.hits == 0


def test_an_update_makes_no_second_alert(numbered: Numbered) -> None:
    """The document has a new number, and its alert is there; one that is deleted leaves a number that nobody has."""
    key = Key(numbered.name_of("1"), "first")
    (found,) = numbered.world.store.get([key])
    assert found is not None
    source = {**found.source, "message": "enriched"}
    assert numbered.world.store.put([Put(Document(key, source), found.seen)])[0].verdict is Verdict.UPDATED
    execution = numbered.tick(5)
    assert_good(execution)
    assert (execution.tally.hits, execution.tally.duplicates, execution.tally.alerts) == (1, 1, 0)


def test_new_and_replaced_indices_are_read_from_their_start(numbered: Numbered) -> None:
    """After a roll-over; where one is made again under the same name, whose numbers begin anew; a copy is another."""
    numbered.write(-2, "rolled over", index="2")
    assert_good(numbered.tick(1))
    numbered.world.store.refresh([numbered.name_of("1")])
    remove_index(numbered, "1")
    numbered.write(-4, "made anew")
    numbered.write(-3, "first")
    assert_good(numbered.tick(2))
    assert numbered.alerted() == Counter(["first", "rolled over", "made anew"])
    numbered.write(-3, "first", index="copy")
    assert_good(numbered.tick(3))
    assert numbered.alerted() == Counter({"first": 2, "rolled over": 1, "made anew": 1})


def remove_index(numbered: Numbered, index: str) -> None:
    """Delete an index, and nothing else."""
    store = numbered.world.store
    if isinstance(store, EmbeddedStore):
        store.delete_index([numbered.name_of(index)])
        return
    with Elasticsearch(numbered.world.name) as client:
        client.indices.delete(index=numbered.name_of(index))


def test_a_cap_defers(numbered: Numbered) -> None:
    """Three alerts a time: what is left is told, and every document is alerted in the end."""
    numbered.edit(max_alerts=3)
    numbered.write(-2, *NAMES)
    first = numbered.tick(1)
    assert (first.status, first.tally.alerts, first.tally.is_capped) == (Status.PARTIAL_FAILURE, 3, True)
    assert "The cap of 3 alerts was reached" in first.reason
    assert numbered.state().gaps(first.now)
    for minute in range(2, 8):
        numbered.tick(minute)
    assert numbered.alerted() == Counter(["first", *NAMES])
    last = numbered.tick(9)
    assert_good(last)
    assert not numbered.state().gaps(last.now)


def test_a_storm_in_one_shard_starves_no_other(numbered: Numbered) -> None:
    """Though it is never read to its end, and always has the most: every shard gets its turn."""
    names = [f"n{number}" for number in range(150)]
    numbered.write(-2, *names, index="map", process={"name": "other.exe"})
    numbered.world.store.refresh([numbered.name_of("map")])
    by_shard: list[list[str]] = [[], [], []]
    for number, found in enumerate(by_shard):
        shard = Shard(numbered.name_of("map"), number)
        every: dict[str, Query] = {"all": {"match_all": {}}}
        for page in numbered.world.store.scan(Scan((shard.index,), every, every["all"], "_seq_no", shard)):
            found += [hit.key.id for hit in page.hits]
    stormy, *others = by_shard
    numbered.edit(max_alerts=3)
    numbered.write(-2, *(some[0] for some in others))
    for minute in range(1, 5):
        numbered.write(-2, *stormy[10 * minute - 10 : 10 * minute])
        assert numbered.tick(minute).tally.alerts == 3
    assert {some[0] for some in others} <= numbered.alerted().keys()


def test_edited_logic_reads_its_own_time_again(numbered: Numbered) -> None:
    """From the edit minus lookback on, late documents of that time too; a switch of the mode itself loses nothing."""
    numbered.write(-8, "other", process={"name": "rundll32.exe"})
    numbered.write(1, "other too", process={"name": "rundll32.exe"})
    assert_good(numbered.tick(5))
    numbered.edit(match={"event.category": "network"})
    assert_good(numbered.tick(6))
    assert numbered.alerted() == Counter(["first", "other too"])
    numbered.edit(coverage="event_time")
    assert numbered.tick(10).mode == "event_time"
    numbered.write(2, "between")
    numbered.edit(coverage="sequence")
    assert_good(numbered.tick(9 * DAY))
    assert numbered.alerted() == Counter(["first", "other too", "between"])


def test_a_new_index_is_searched_for_the_time_of_an_earlier_logic(numbered: Numbered) -> None:
    """Numbers are read for the time of the present logic only; what was asked before that is searched by time."""
    assert_good(numbered.tick(DAY))
    numbered.edit(match={"event.category": "network"})
    assert_good(numbered.tick(DAY + 5))
    numbered.write(60, "restored", index="2")
    numbered.write(-2 * DAY, "not asked", index="2")
    numbered.write(DAY + 6, "now", index="2")
    numbered.world.store.refresh([numbered.name_of("2")])
    execution = numbered.tick(DAY + 10)
    assert (execution.status, execution.mode) == (Status.SUCCEEDED, "sequence")
    assert "hold events of time that was searched before" in execution.reason
    assert numbered.alerted() == Counter(["first", "restored", "now"])
    assert_good(numbered.tick(DAY + 15))
    assert not numbered.state().unmet & Spans.between(DAWN, at(DAY))


def test_a_rule_switched_to_numbers_finds_what_it_had_missed(numbered: Numbered) -> None:
    """Of the time that was asked and lies within the gap horizon."""
    numbered.edit(coverage="event_time", risk_score=22, match={"event.category": "network"})
    for minute in (0, 5, 10):
        numbered.tick(minute)
    numbered.write(1, "missed")
    numbered.world.store.refresh([numbered.name_of("1")])
    numbered.tick(30)
    assert numbered.alerted() == Counter(["first"])
    numbered.edit(coverage="sequence")
    assert_good(numbered.tick(35))
    assert numbered.alerted() == Counter(["first", "missed"])


def test_time_without_the_rule_is_not_asked(numbered: Numbered) -> None:
    """While it is disabled; what comes late of the time before is found when it is enabled again."""
    numbered.rest(5)
    numbered.write(60, "while it was disabled")
    numbered.write(3, "late")
    numbered.write(115, "after")
    assert_good(numbered.tick(120))
    assert numbered.alerted() == Counter(["first", "late", "after"])


def test_time_asked_for_by_hand_is_not_taken_for_read(numbered: Numbered) -> None:
    """Its documents were passed over, as their time was not asked: what a cap left of it is searched all the same.

    And what comes late of the time before is still found, however long ago that was.
    """
    numbered.rest(5)
    names = ["one", "two", "three"]
    numbered.write(60, *names)
    assert_good(numbered.tick(10 * DAY))
    assert numbered.alerted() == Counter(["first"])
    numbered.edit(max_alerts=1)
    by_hand = numbered.orders(10 * DAY + 1, kind="manual", spans={"live": (Window(at(50), at(70)),)})
    (execution,) = execute(by_hand, numbered.world.store)
    assert (execution.tally.alerts, execution.tally.is_capped) == (1, True)
    for minute in range(2, 6):
        execution = numbered.tick(10 * DAY + minute)
    assert_good(execution)
    assert numbered.alerted() == Counter(["first", *names])
    assert not numbered.state().gaps(execution.now)
    numbered.write(3, "late")
    assert_good(numbered.tick(10 * DAY + 6))
    assert numbered.alerted() == Counter(["first", *names, "late"])


def test_two_runners_share_what_they_know(numbered: Numbered) -> None:
    """One reads while the other does: nothing is alerted twice, and no cursor goes back."""
    numbered.write(-2, *NAMES)
    other = Interrupted(numbered.world.store)

    def meanwhile() -> None:
        numbered.write(-1, "meanwhile")
        assert_good(numbered.tick(1))

    other.before_put = meanwhile
    (execution,) = execute(numbered.orders(1), other)
    assert execution.status is Status.SUCCEEDED
    assert numbered.alerted() == Counter(["first", "meanwhile", *NAMES])
    assert sum(numbered.read().values()) == len(NAMES) + 3
    assert numbered.tick(2).tally.hits == 0


def test_where_numbers_cannot_be_had_time_is_searched(numbered: Numbered) -> None:
    """With a warning; a sweep then has a use, and the cursors go on where they stood."""
    forbidden = Interrupted(numbered.world.store)
    forbidden.is_forbidden = True
    numbered.write(4, "in time")
    numbered.write(-2, "late")
    numbered.world.store.refresh([numbered.name_of("1")])
    (execution,) = execute(numbered.orders(6), forbidden)
    assert (execution.status, execution.mode) == (Status.SUCCEEDED, "event_time")
    assert "searched by event_time instead" in execution.reason
    numbered.write(-8, "very late")
    assert_good(numbered.tick(60))
    assert numbered.alerted() == Counter(["first", "in time", "late", "very late"])


def test_a_sweep_has_no_use(numbered: Numbered) -> None:
    """It says so to whoever asked for it, searches nothing, and leaves no record."""
    numbered.write(-8, "late")
    execution = numbered.sweep(1)
    assert (execution.status, execution.planned, execution.tally.hits) == (Status.SUCCEEDED, (), 0)
    assert "a sweep has no use" in execution.reason
    assert execution.is_idle
    records = stored(numbered.world.store, f"{numbered.world.written}-executions-*")
    assert [record["execution"]["sweep"] for record in records] == [False]


@pytest.mark.parametrize("broken", ["scan", "create", "put"])
def test_what_fails_is_read_again(numbered: Numbered, broken: str) -> None:
    """A page without its shard, an alert that is not written, a state that is not written: no cursor has moved."""
    numbered.write(-2, *NAMES)
    before = numbered.state()
    shaky = Interrupted(numbered.world.store)
    shaky.broken = broken
    (execution,) = execute(numbered.orders(1), shaky)
    assert execution.status is not Status.SUCCEEDED
    assert numbered.state().covered == before.covered
    assert_good(numbered.tick(2))
    assert numbered.alerted() == Counter(["first", *NAMES])


def test_rules_share_requests_and_have_their_own_time(numbered: Numbered) -> None:
    """Two rules at the same cursors are read by one scan a shard; a later rule asks for its own time alone."""
    write_rule(numbered.folder, "second", **numbered.keys)
    rules = numbered.ruleset.rules
    numbered.write(-2, *NAMES)
    counting = Interrupted(numbered.world.store)
    found = execute(replace(numbered.orders(20), rules=[rules["live"], rules["second"]]), counting)
    assert [each.tally.alerts for each in found] == [len(NAMES), 0]
    numbered.write(15, *(f"new {name}" for name in NAMES))
    counting.scans = 0
    found = execute(replace(numbered.orders(21), rules=[rules["live"], rules["second"]]), counting)
    assert [each.tally.alerts for each in found] == [len(NAMES), len(NAMES)]
    assert counting.scans == 3


def test_many_indices_without_anything_asked_cost_no_scan(numbered: Numbered) -> None:
    """Old indices are passed over by one request, and a late document in one of them is found."""
    for number in range(12):
        numbered.write(-DAY, "old", index=f"old-{number}")
    counting = Interrupted(numbered.world.store)
    (execution,) = execute(numbered.orders(1), counting)
    assert_good(execution)
    assert counting.scans == 0
    numbered.write(-1, "late", index="old-7")
    assert_good(numbered.tick(2))
    assert numbered.alerted() == Counter(["first", "late"])


def test_an_alert_that_is_refused_is_tried_again_alone(numbered: Numbered) -> None:
    """What lies around it is not read again, and the time is not called searched before it is written."""
    numbered.write(-2, *NAMES)
    shaky = Interrupted(numbered.world.store)
    shaky.refused = "e7"
    (execution,) = execute(numbered.orders(1), shaky)
    assert (execution.status, execution.tally.alerts) == (Status.PARTIAL_FAILURE, len(NAMES) - 1)
    again = numbered.tick(2)
    assert_good(again)
    assert (again.tally.hits, again.tally.alerts) == (1, 1)
    assert numbered.alerted() == Counter(["first", *NAMES])
    assert not numbered.state().gaps(again.now)


@ON_A_NODE
def test_a_shard_that_is_nowhere_is_read_when_it_is_back(numbered: Numbered) -> None:
    """The others are read and alerted at once; the execution says what is missing, and does not wait for it."""
    nowhere = {"index.routing.allocation.require.nosuch": "node"}
    with Elasticsearch(numbered.world.name) as client:
        client.indices.create(index=numbered.name_of("2"), settings=nowhere, wait_for_active_shards=0)
        numbered.write(-2, "elsewhere")
        began = time.monotonic()
        execution = numbered.tick(1)
        assert time.monotonic() - began < 20
        assert execution.status is Status.PARTIAL_FAILURE
        assert "did not answer" in execution.reason
        assert numbered.alerted() == Counter(["first", "elsewhere"])
        assert numbered.state().gaps(execution.now)
        client.indices.put_settings(index=numbered.name_of("2"), settings=dict.fromkeys(nowhere))
        client.cluster.health(index=numbered.name_of("2"), wait_for_status="green")
    numbered.write(-2, *NAMES, index="2")
    last = numbered.tick(2)
    assert_good(last)
    assert numbered.alerted() == Counter(["first", "elsewhere", *NAMES])
    assert not numbered.state().gaps(last.now)


def test_the_certificate_states_the_promise_of_numbers(numbered: Numbered) -> None:
    """It is good with a document that was days late, and says no where the alert of one is missing."""
    for minute in range(5, 35, 5):
        numbered.tick(minute)
    numbered.write(2, "late")
    numbered.tick(40)
    code, (certificate,) = numbered.coverage("--certify", first=-9, last=20)
    assert (code, certificate["mode"], certificate["hits"], certificate["alerts"]) == (0, "sequence", 2, 2)
    assert "however late after its time" in certificate["promise"]
    numbered.write(3, "not read yet")
    numbered.world.store.refresh([numbered.name_of("1")])
    code, (certificate,) = numbered.coverage("--certify", first=-9, last=20)
    assert (code, certificate["unexplained"]) == (1, 1)
