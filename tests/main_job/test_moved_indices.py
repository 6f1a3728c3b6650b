"""Indices that are shrunk, restored, or copied under another name while a rule is read by sequence numbers, or by time.

Each has other shards, whose numbers say nothing of those that were read. Nothing is lost, and what has its alert under
a name that only moving the data has changed gets no second one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk, scan

from elasticsearch_node.node import ElasticsearchNode
from lolbin_rules.alert.identity import stable_index
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Status
from numbered import DAY, Numbered, assert_good, begun
from watched import Watched
from worlds import World, on_node

pytestmark = [pytest.mark.usefixtures("own_logs", "environment"), pytest.mark.elasticsearch]

PREFIX = "moved-"
FEW = 3
"""Alerts of an execution: what is read again is read in many steps, and several documents have the same number."""
OLD = [f"old {number}" for number in range(12)]
UNREAD = [f"unread {number}" for number in range(8)]
NEW = [f"new {number}" for number in range(12)]


@pytest.fixture
def own_world(private_node: ElasticsearchNode) -> Iterator[World]:
    """A node of the test's own, with the package's templates."""
    with on_node(private_node.url, PREFIX) as world:
        world.store.prepare(templates(world.written))
        yield world


@pytest.fixture
def numbered(own_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Numbered:
    """A rule that has read the old events and has not met the unread ones."""
    numbered = begun(Numbered(own_world, tmp_path / "rules", capsys))
    numbered.write(-2, *OLD)
    assert_good(numbered.tick(1))
    numbered.write(-1, *UNREAD)
    numbered.edit(max_alerts=FEW)
    return numbered


@pytest.fixture
def client(private_node: ElasticsearchNode) -> Iterator[Elasticsearch]:
    """A client of that node."""
    with Elasticsearch(private_node.url, request_timeout=60) as client:
        yield client


def alerted(numbered: Numbered) -> Counter[tuple[str, str]]:
    """How many alerts each event has, by index, as its alert knows it, and id."""
    parents = [alert["kibana.alert.ancestors"][-1] for alert in numbered.alerts()]
    return Counter((stable_index(parent["index"]), parent["id"]) for parent in parents)


def once_each(index: str, *names: str) -> Counter[tuple[str, str]]:
    """One alert for each of these events of an index."""
    return Counter((index, name) for name in names)


def drain(numbered: Numbered, first: float) -> int:
    """Execute until nothing is left; how many alerts there were that existed already."""
    duplicates = 0
    for step in range(20):
        execution = numbered.tick(first + step / 10)
        duplicates += execution.tally.duplicates
        assert execution.mode == "sequence"
        if not execution.tally.is_capped:
            break
    assert_good(execution)
    assert not numbered.state().gaps(execution.now)
    return duplicates


def histories(numbered: Numbered, name: str) -> tuple[set[str], set[str]]:
    """The index uuid and the history uuids of an index."""
    progress = numbered.world.store.shard_progress([name])
    return {each.index_uuid for each in progress}, {each.history_uuid for each in progress}


def test_a_shrunk_index(numbered: Numbered, client: Elasticsearch) -> None:
    """It goes on under an alias; the documents of three shards are in one, where several have the same number."""
    before = numbered.name_of("1")
    shrunk = shrink(client, before, numbered.name_of("all"))
    taken = [hit["sort"][0] for hit in scan_sorted(client, shrunk)]
    assert len(set(taken)) < len(taken)
    assert drain(numbered, 2) >= len(OLD) + 1
    assert alerted(numbered) == once_each(before, "first", *OLD, *UNREAD)
    numbered.write(2, *NEW, index="all")
    drain(numbered, 10)
    assert alerted(numbered) == once_each(before, "first", *OLD, *UNREAD, *NEW)


def shrink(client: Elasticsearch, index: str, alias: str) -> str:
    """Shrink an index as a lifecycle policy does, give it an alias, and delete the old one; what it is called now."""
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    shrunk = f"shrink-a1b2-{index}"
    settings = {"index.number_of_shards": 1, "index.blocks.write": None}
    client.indices.shrink(index=index, target=shrunk, settings=settings, aliases={alias: {}})
    client.cluster.health(index=shrunk, wait_for_status="yellow", wait_for_no_relocating_shards=True)
    client.indices.delete(index=index)
    return shrunk


def restore(client: Elasticsearch, index: str, *, is_deleted: bool) -> None:
    """Restore an index from the snapshot, after it was deleted or over it, closed."""
    if is_deleted:
        client.indices.delete(index=index)
    else:
        client.indices.close(index=index)
    client.snapshot.restore(
        repository="kept", snapshot="one", indices=index, include_global_state=False, wait_for_completion=True
    )


def scan_sorted(client: Elasticsearch, index: str) -> list[Any]:
    """All documents of an index in the order of their sequence numbers."""
    client.indices.refresh(index=index)
    found: list[Any] = client.search(index=index, sort=["_seq_no"], size=1000)["hits"]["hits"]
    return found


@pytest.mark.parametrize("is_deleted", [True, False], ids=["after it was deleted", "over the closed one"])
def test_a_restored_index(
    numbered: Numbered, client: Elasticsearch, private_node: ElasticsearchNode, *, is_deleted: bool
) -> None:
    """What was written after the snapshot is gone; what is written now has the numbers of that, and is alerted."""
    name = numbered.name_of("1")
    kind, settings = "fs", {"location": str(private_node.repository / f"of {is_deleted}")}
    client.snapshot.create_repository(name="kept", repository={"type": kind, "settings": settings})
    client.snapshot.create(repository="kept", snapshot="one", indices=name, wait_for_completion=True)
    lost = [f"lost {number}" for number in range(12)]
    numbered.write(0, *lost)
    drain(numbered, 2)
    read, known = numbered.read(), histories(numbered, name)
    restore(client, name, is_deleted=is_deleted)
    uuids, anew = histories(numbered, name)
    assert (uuids == known[0], anew.isdisjoint(known[1])) == (not is_deleted, True)
    numbered.write(1, *NEW)
    progress = numbered.world.store.shard_progress([name])
    assert any(read[each.shard.number] > each.global_checkpoint - 2 for each in progress)
    assert drain(numbered, 10) == len(OLD) + len(UNREAD) + 1
    assert alerted(numbered) == once_each(name, "first", *OLD, *UNREAD, *lost, *NEW)


def test_a_copy_under_another_name(numbered: Numbered, client: Elasticsearch) -> None:
    """Its documents are other documents: each has one alert, and those of the index that is gone keep theirs."""
    before, copy = numbered.name_of("1"), numbered.name_of("2")
    client.indices.refresh(index=before)
    bulk(client, ({"_index": copy, "_id": hit["_id"], **hit["_source"]} for hit in scan(client, index=before)))
    client.indices.delete(index=before)
    assert drain(numbered, 2) == 0
    there = once_each(before, "first", *OLD) + once_each(copy, "first", *OLD, *UNREAD)
    assert alerted(numbered) == there
    numbered.write(2, *NEW, index="2")
    drain(numbered, 10)
    assert alerted(numbered) == there + once_each(copy, *NEW)


@pytest.mark.parametrize("is_deleted", [True, False], ids=["after it was deleted", "over the closed one"])
def test_a_restored_index_is_new_to_a_rule_that_is_read_by_time(
    own_world: World,
    client: Elasticsearch,
    private_node: ElasticsearchNode,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    is_deleted: bool,
) -> None:
    """An event that was gone while its time was searched is alerted; what had its alert gets no second one."""
    watched = Watched(own_world, tmp_path / "rules", capsys)
    watched.happen(-3, "first")
    watched.happen(30, "gone")
    name = f"{own_world.prefix}events-1"
    settings = {"location": str(private_node.repository / f"by time {is_deleted}")}
    client.snapshot.create_repository(name="kept", repository={"type": "fs", "settings": settings})
    client.snapshot.create(repository="kept", snapshot="one", indices=name, wait_for_completion=True)
    client.delete(index=name, id="gone", refresh=True)
    watched.tick(0)
    watched.tick(DAY)
    watched.tick(DAY + 5)
    assert watched.alerted() == Counter(["first"])
    restore(client, name, is_deleted=is_deleted)
    execution = watched.tick(DAY + 10)
    assert (execution.status, execution.tally.alerts) == (Status.SUCCEEDED, 1)
    assert "Indices that are new" in execution.reason
    assert watched.alerted() == Counter(["first", "gone"])
    assert watched.tick(DAY + 15).reason == ""
    assert watched.coverage(first=-9, last=DAY)[0] == 0


def test_a_shrunk_index_is_nothing_new_to_a_rule_that_is_read_by_time(
    own_world: World, client: Elasticsearch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is searched again, and no gap is shown; under any other name it would be a copy."""
    watched = Watched(own_world, tmp_path / "rules", capsys)
    client.indices.create(index=f"{own_world.prefix}events-1", settings={"number_of_shards": 2})
    watched.happen(-3, "first")
    watched.happen(30, "second")
    for minute in (0, DAY, DAY + 5):
        watched.tick(minute)
    shrink(client, f"{own_world.prefix}events-1", f"{own_world.prefix}events-all")
    watched.happen(DAY + 6, "third", index="all")
    execution = watched.tick(DAY + 10)
    assert (execution.reason, len(execution.planned), execution.tally.alerts) == ("", 1, 1)
    assert watched.alerted() == Counter(["first", "second", "third"])
    assert watched.coverage(first=-9, last=DAY)[0] == 0
