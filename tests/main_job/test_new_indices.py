"""An index that comes after time was searched which it holds documents of, for a rule that is read by time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from event_indices import index_events, iso
from interrupted import Interrupted
from lolbin_rules.execution import new_indices
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.run import execute
from lolbin_rules.plan.document import from_document
from lolbin_rules.plan.indices import Indices
from lolbin_rules.plan.window import Window
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Aggregated, Key, Query, ShardFailure
from watched import Watched, at
from worlds import ON_A_NODE, World
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs", "environment")

HOUR = 60
DAY = 24 * HOUR


BY_EITHER_TIME = pytest.mark.parametrize("watched", ["event_time", "ingest_time"], indirect=True)


@pytest.fixture
def watched(
    request: pytest.FixtureRequest, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Watched:
    """A rule that ran for a day over one index."""
    watched = Watched(world, tmp_path / "rules", capsys, {"coverage": getattr(request, "param", "event_time")})
    watched.happen(-3, "first")
    watched.tick(0)
    watched.tick(DAY)
    watched.tick(DAY + 5)
    assert watched.alerted() == Counter(["first"])
    return watched


def bring(watched: Watched, index: str, **events: float) -> None:
    """An index with events of these minutes."""
    sources = [(name_of(watched, index), name, event(minutes)) for name, minutes in events.items()]
    index_events(watched.world.store, sources)


def event(minutes: float) -> dict[str, Any]:
    """An event that the rule matches."""
    about = {"event": {"category": "network"}, "process": {"name": "regsvr32.exe"}}
    return {"@timestamp": iso(at(minutes)), **about}


def name_of(watched: Watched, index: str) -> str:
    """The whole name of an index."""
    return f"{watched.world.prefix}events-{index}"


def indices_of(watched: Watched) -> Indices:
    """What is stored of the rule's indices."""
    (found,) = watched.world.store.get([Key(f"{watched.world.written}-coverage", "live")])
    assert found is not None
    indices = from_document(found.source).indices
    assert indices is not None
    return indices


def spans(execution: Execution) -> list[tuple[str, str]]:
    """What an execution was to search."""
    return [(iso(window.start), iso(window.end)) for window in execution.planned]


@dataclass
class Looking(Interrupted):
    """A store that counts looks at indices, and answers them in part."""

    looks: int = 0
    is_partial: bool = False
    names: list[str] = field(default_factory=list)

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], *, within: timedelta
    ) -> Aggregated:
        """See `Store.aggregate`."""
        answer = self.behind.aggregate(index, query, aggregations, within=within)
        if "indices" in aggregations:
            self.looks += 1
            self.names += index
            if self.is_partial:
                return replace(answer, failures=(ShardFailure("", -1, "made to fail", is_query_at_fault=False),))
        return answer


@BY_EITHER_TIME
def test_what_a_new_index_brings_is_alerted_once(watched: Watched) -> None:
    """The hours that it has something in are searched again, and no others; the execution says so."""
    bring(watched, "2", one=30, other=70, third=20 * HOUR + 10, recent=DAY + 3)
    execution = watched.tick(DAY + 10)
    assert execution.status is Status.SUCCEEDED
    assert f"Indices that are new ({name_of(watched, '2')}) hold events of time that was searched" in execution.reason
    assert spans(execution) == [
        (iso(at(DAY + 1)), iso(at(DAY + 10))),
        (iso(at(0)), iso(at(2 * HOUR))),
        (iso(at(20 * HOUR)), iso(at(21 * HOUR))),
    ]
    found = Counter(["first", "one", "other", "third", "recent"])
    assert watched.alerted() == found
    again = watched.tick(DAY + 15)
    assert (again.status, again.reason, len(again.planned)) == (Status.SUCCEEDED, "", 1)
    assert watched.alerted() == found
    assert watched.coverage(first=-9, last=DAY)[0] == 0


@BY_EITHER_TIME
def test_what_comes_into_it_later_is_found_as_well(watched: Watched) -> None:
    """It may be made long before it is filled: each time the hour in which there is more is searched again."""
    watched.world.store.refresh([name_of(watched, "1")])
    bring(watched, "2", future=2 * DAY)
    assert len(watched.tick(DAY + 10).planned) == 1
    bring(watched, "2", one=30)
    assert spans(watched.tick(DAY + 15))[1:] == [(iso(at(0)), iso(at(HOUR)))]
    bring(watched, "2", two=40, three=5 * HOUR)
    assert len(watched.tick(DAY + 20).planned) == 3
    assert watched.alerted() == Counter(["first", "one", "two", "three"])
    assert len(watched.tick(DAY + 25).planned) == 1


def test_an_index_of_today_costs_nothing(watched: Watched) -> None:
    """After a roll-over nothing is searched but the current window, nothing is told, and there is no gap."""
    bring(watched, "2", now=DAY + 8, later=DAY + 9)
    execution = watched.tick(DAY + 10)
    assert (execution.status, execution.reason, len(execution.planned)) == (Status.SUCCEEDED, "", 1)
    assert watched.coverage(first=-9, last=DAY)[0] == 0
    code, (certificate,) = watched.coverage("--certify", first=0, last=DAY)
    assert (code, certificate["gaps"]) == (0, [])


def test_indices_that_are_known_cost_no_request(watched: Watched) -> None:
    """Nor does a rule that runs for the first time; rules that run together look together."""
    looking = Looking(watched.world.store)
    assert execute(watched.orders(DAY + 10), looking)[0].status is Status.SUCCEEDED
    assert looking.looks == 0
    write_rule(watched.folder, "second", **{**watched.keys, "index": [f"{watched.world.prefix}events-*"]})
    rules = [watched.ruleset.rules[name] for name in ("live", "second")]
    orders = replace(watched.orders(DAY + 15), rules=rules)
    execute(orders, looking)
    assert looking.looks == 0
    bring(watched, "2", one=30)
    found = execute(replace(orders, now=at(DAY + 20)), looking)
    assert [execution.tally.alerts for execution in found] == [1, 0]
    assert looking.looks == 3 * (2 if watched.keys["coverage"] == "ingest_time" else 1)
    assert set(looking.names) == {name_of(watched, "2")}


@BY_EITHER_TIME
def test_a_gap_beyond_the_horizon_is_shown_and_filled_by_hand(watched: Watched) -> None:
    """Executions leave it alone and do not go on about it."""
    bring(watched, "2", old=30, young=20 * HOUR)
    horizon = timedelta(hours=12)
    execution = watched.tick(DAY + 10, gap_horizon=horizon)
    assert "coverage --fill" in execution.reason
    assert watched.alerted() == Counter(["first", "young"])
    assert watched.tick(DAY + 15, gap_horizon=horizon).reason == ""
    code, (found,) = watched.coverage(first=-9, last=DAY)
    assert code == 1
    assert [(gap["start"], gap["end"], gap["reason"]) for gap in found["gaps"]] == [
        (iso(at(0)), iso(at(HOUR)), "new index")
    ]
    assert "an index that holds documents of it came" in found["gaps"][0]["detail"]
    assert watched.coverage("--fill", first=-9, last=DAY)[0] == 0
    assert watched.alerted() == Counter(["first", "young", "old"])
    assert watched.coverage(first=-9, last=DAY)[0] == 0


def test_an_index_that_was_made_again_is_new(watched: Watched) -> None:
    """Under the same name."""
    store = watched.world.store
    if isinstance(store, EmbeddedStore):
        store.delete_index([name_of(watched, "1")])
    else:
        with Elasticsearch(watched.world.name) as client:
            client.indices.delete(index=name_of(watched, "1"))
    bring(watched, "1", first=-3, one=30)
    watched.tick(DAY + 10)
    assert watched.alerted() == Counter(["first", "one"])


def test_what_a_person_searched_before_the_first_execution_counts(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Indices that came after it are new to the rule, though it was never executed by its schedule."""
    watched = Watched(world, tmp_path / "rules", capsys)
    watched.happen(-3, "first")
    by_hand = watched.orders(0, kind="manual", spans={"live": (Window(at(-10 * HOUR), at(-5 * HOUR)),)})
    (execution,) = execute(by_hand, world.store)
    assert execution.status is Status.SUCCEEDED
    bring(watched, "2", asked=-6 * HOUR, unasked=-3 * HOUR)
    assert watched.tick(1).status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["first", "asked"])


def test_another_pattern_begins_anew(watched: Watched) -> None:
    """What an edit of the rule's indices brings in is not searched for earlier time; what comes later is new to it."""
    other = f"{watched.world.prefix}others-1"
    index_events(watched.world.store, [(other, "early", event(30))])
    watched.edit(index=[f"{watched.world.prefix}*s-*"])
    execution = watched.tick(DAY + 10)
    assert execution.status is Status.SUCCEEDED
    assert watched.alerted() == Counter(["first"])
    bring(watched, "2", one=30)
    watched.tick(DAY + 15)
    assert watched.alerted()["one"] == 1


def test_a_coverage_of_an_older_version_takes_what_there_is_as_known(watched: Watched) -> None:
    """There is no telling what its searches have met; from then on it is known."""
    key = Key(f"{watched.world.written}-coverage", "live")
    (stored,) = watched.world.store.get([key])
    assert stored is not None
    document = dict(stored.source)
    del document["axes"]["event_time"]["indices"]
    watched.world.remove(key.index)
    index_events(watched.world.store, [(key.index, key.id, document)])
    bring(watched, "2", one=30)
    assert len(watched.tick(DAY + 10).planned) == 1
    assert len(indices_of(watched).known) == 2
    bring(watched, "3", other=90)
    watched.tick(DAY + 15)
    assert watched.alerted() == Counter(["first", "other"])


@pytest.mark.parametrize("broken", ["look", "put", "scan"])
def test_what_fails_is_noticed_again(watched: Watched, broken: str) -> None:
    """An answer in part says nothing, what is not written was not noticed, and a search that failed is made again."""
    bring(watched, "2", one=30, other=40)
    shaky = Looking(watched.world.store, is_partial=broken == "look", broken=broken)
    (execution,) = execute(watched.orders(DAY + 10), shaky)
    if broken == "look":
        assert "could not be told" in execution.reason
    else:
        assert execution.status is not Status.SUCCEEDED
    assert len(indices_of(watched).known) == 1
    watched.tick(DAY + 15)
    assert watched.alerted() == Counter(["first", "one", "other"])


def test_several_are_looked_at_one_after_the_other(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many in an execution, new ones before young ones; none is forgotten."""
    monkeypatch.setattr(new_indices, "MOST_LOOKS", 2)
    monkeypatch.setattr(new_indices, "MOST_NAMES", 1)
    names = [f"e{number}" for number in range(5)]
    for number, name in enumerate(names, 2):
        bring(watched, str(number), **{name: number * HOUR})
    for minute in (10, 15, 20):
        watched.tick(DAY + minute)
    assert watched.alerted() == Counter(["first", *names])


def test_too_many_to_be_remembered_are_said_to_be(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule is searched as ever."""
    monkeypatch.setattr(new_indices, "MOST_KNOWN", 1)
    bring(watched, "2", one=30, now=DAY + 8)
    execution = watched.tick(DAY + 10)
    assert "stands for more than 1 indices" in execution.reason
    assert watched.alerted() == Counter(["first", "now"])


@ON_A_NODE
def test_an_index_that_is_opened_or_brought_under_an_alias_is_new(watched: Watched) -> None:
    """What was written to it before it was closed, too; an index under another name comes by its alias."""
    bring(watched, "2", closed=30)
    other = f"{watched.world.prefix}archive"
    with Elasticsearch(watched.world.name) as client:
        client.indices.close(index=name_of(watched, "2"))
        watched.tick(DAY + 10)
        assert watched.alerted() == Counter(["first"])
        client.indices.open(index=name_of(watched, "2"), wait_for_active_shards="1")
        watched.tick(DAY + 15)
        assert watched.alerted() == Counter(["first", "closed"])
        client.indices.create(index=other, mappings=client.indices.get_mapping()[name_of(watched, "1")]["mappings"])
        client.index(index=other, id="aliased", document=event(90), refresh=True)
        watched.tick(DAY + 20)
        assert watched.alerted() == Counter(["first", "closed"])
        client.indices.put_alias(index=other, name=name_of(watched, "alias"))
        watched.tick(DAY + 25)
    assert watched.alerted() == Counter(["first", "closed", "aliased"])
