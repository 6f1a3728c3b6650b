"""The adapter for Elasticsearch takes no more than it must from a cluster under pressure, and from its own machine."""

from __future__ import annotations

import random
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.exceptions import GeneralAvailabilityWarning

from fault_proxy import Fault, FaultProxy, Respond, Rewrite, Trickle
from lolbin_rules.errors import StoreOverwhelmed, StoreUnavailable
from lolbin_rules.store.elasticsearch import Retries, pace
from lolbin_rules.store.port import Scan
from store.bench import ALL, Bench, hits_of
from store.conftest import BRIEF, open_elasticsearch

pytestmark = pytest.mark.elasticsearch

NOON_MS = 1767268800000
SOON = timedelta(seconds=30)
BREAKER = {
    "error": {"type": "circuit_breaking_exception", "reason": "[parent] Data too large", "durability": "TRANSIENT"},
    "status": 429,
}


@pytest.fixture
def shaky(proxy: FaultProxy, index_prefix: str) -> Iterator[Bench]:
    """A bench behind the proxy."""
    opened = open_elasticsearch(proxy.url, Retries(5, BRIEF.first_wait, BRIEF.longest_wait))
    yield Bench(opened, index_prefix)
    opened.close()


def sources(count: int, padding: int = 0) -> list[dict[str, Any]]:
    """So many documents, a millisecond apart, each of about so many bytes."""
    return [{"@timestamp": NOON_MS + number, "pad": "x" * padding} for number in range(count)]


def page_sizes(proxy: FaultProxy) -> list[int]:
    """How many hits each answer has from now on."""
    sizes: list[int] = []

    def keep(answer: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(answer["hits"]["hits"]))
        return answer

    proxy.faults.append(Fault("POST /_search", Rewrite(keep)))
    return sizes


# The size of pages


def test_pages_grow_while_hits_are_small(shaky: Bench, proxy: FaultProxy) -> None:
    """The first page is a trial; then the caller's size is soon reached."""
    index = shaky.index("small")
    shaky.fill(index, *sources(1600))
    sizes = page_sizes(proxy)
    assert len(shaky.hits(index)) == 1600
    assert sizes == [100, 400, 1000, 100]


def test_pages_of_large_hits_are_small(shaky: Bench, proxy: FaultProxy) -> None:
    """Eight megabytes at once, or a single hit: 60 hits of a megabyte cannot become one answer."""
    index = shaky.index("large")
    shaky.fill(index, *sources(60, padding=1_000_000))
    sizes = page_sizes(proxy)
    assert len(shaky.hits(index)) == 60
    assert sizes[0] == 60  # more than 32 MB: broken off
    assert sizes[1] == 25
    assert set(sizes[2:-1]) == {7}


def test_one_hit_is_read_however_long_it_is(shaky: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where even one hit is longer than a page may be, there would be no end of halving."""
    index = shaky.index("huge")
    shaky.fill(index, *sources(5, padding=20_000))
    monkeypatch.setattr(pace, "MOST_BYTES", 10_000)
    assert shaky.ids(index) == ["0", "1", "2", "3", "4"]


def test_smaller_pages_are_asked_of_a_cluster_without_memory(shaky: Bench, proxy: FaultProxy) -> None:
    """A circuit breaker's error is not answered with the same request, but with a quarter of it."""
    index = shaky.index("breaker")
    shaky.fill(index, *sources(120))
    sizes = page_sizes(proxy)
    proxy.faults.insert(0, Fault("POST /_search", Respond(429, BREAKER), times=2))
    assert len(shaky.hits(index)) == 120
    assert sizes[:8] == [6] * 8  # 100, 25, 6
    assert sizes[8] == 12


def test_a_shard_without_memory_is_asked_again_for_less(shaky: Bench, proxy: FaultProxy) -> None:
    """A breaker's error on one shard of several makes no partial page as long as a smaller page can be had."""
    index = shaky.index("part")
    shaky.fill(index, *sources(30))
    asked: list[int] = []

    def break_large(answer: dict[str, Any]) -> dict[str, Any]:
        asked.append(len(answer["hits"]["hits"]))
        if asked[-1] > 6:
            reason = BREAKER["error"]
            answer["_shards"]["failures"] = [{"shard": 0, "index": index, "reason": reason}]
            del answer["hits"]["hits"][3:]
        return answer

    proxy.faults = [Fault("POST /_search", Rewrite(break_large))]
    assert len(shaky.hits(index)) == 30
    assert asked[:3] == [30, 25, 6]


def test_a_shard_that_never_has_memory_is_a_partial_answer(shaky: Bench, proxy: FaultProxy) -> None:
    """After the last attempt its lack is told, and the hits of the others are read."""
    index = shaky.index("never")
    shaky.fill(index, *sources(3))

    def break_always(answer: dict[str, Any]) -> dict[str, Any]:
        answer["_shards"]["failures"] = [{"shard": 1, "index": index, "reason": BREAKER["error"]}]
        return answer

    proxy.faults = [Fault("POST /_search", Rewrite(break_always))]
    pages = shaky.pages(index)
    assert [hit.key.id for hit in hits_of(pages)] == ["0", "1", "2"]
    assert not pages[0].is_whole


def test_a_full_queue_is_not_made_fuller(shaky: Bench, proxy: FaultProxy) -> None:
    """It is waited for; that it does not pass is no reason to send more and smaller requests."""
    busy = {"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}, "status": 429}
    proxy.faults = [Fault("_search", Respond(429, busy))]
    with pytest.raises(StoreUnavailable) as raised:
        shaky.store.count(["x"], ALL, within=SOON)
    assert not isinstance(raised.value, StoreOverwhelmed)
    assert proxy.count("_search") == 5


# Time


def test_an_answer_that_trickles_is_given_up(shaky: Bench, proxy: FaultProxy) -> None:
    """Time is kept over the whole answer, not between two pieces of it."""
    index = shaky.index("trickle")
    shaky.fill(index, *sources(3))
    proxy.faults = [Fault("_search", Trickle(0.1))]
    began = time.monotonic()
    with pytest.raises(StoreOverwhelmed, match="timed out"):
        shaky.store.count([index], ALL, within=timedelta(seconds=0.5))
    assert time.monotonic() - began < 5


def test_a_search_that_is_given_up_is_cancelled_on_the_node(
    elasticsearch_url: str, index_prefix: str, node: Elasticsearch
) -> None:
    """Its tasks are cancelled at once, and end where the node next looks; then no point in time is open."""
    bench = Bench(open_elasticsearch(elasticsearch_url), index_prefix)
    chance = random.Random(1)
    index = bench.index("slow")
    bench.fill(index, *[{"@timestamp": 1, "name": "".join(chance.choices("ab", k=300))} for _ in range(2000)])
    needles = ["*".join(["", *("".join(chance.choices("ab", k=8)) for _ in range(4)), "c"]) for _ in range(250)]
    slow = {"bool": {"should": [{"wildcard": {"name": needle}} for needle in needles]}}
    with pytest.raises(StoreOverwhelmed):
        bench.pages(index, queries={"slow": slow}, within=timedelta(seconds=0.5))
    bench.store.close()
    given_up = time.monotonic()
    are_cancelled = False
    while searches := running_searches(node, index):
        are_cancelled |= all(searches)
        assert are_cancelled or time.monotonic() - given_up < 1, "it was not cancelled"
        assert time.monotonic() - given_up < 30, "it runs on"
        time.sleep(0.02)
    assert are_cancelled, "it was over before it could be given up"
    assert node.indices.stats(index=index, metric="search")["_all"]["total"]["search"]["open_contexts"] == 0


def running_searches(node: Elasticsearch, index: str) -> list[bool]:
    """For each search of the index that runs on the node, whether it was cancelled."""
    with warnings.catch_warnings(action="ignore", category=GeneralAvailabilityWarning):
        listed = node.tasks.list(actions="*search*", detailed=True)
    tasks = [task for each in listed["nodes"].values() for task in each["tasks"].values()]
    ours = [task for task in tasks if index in task["description"]]
    return [bool(task["cancelled"]) for task in ours]


# Concurrency


def test_no_more_requests_are_in_flight_than_there_are_connections(shaky: Bench, proxy: FaultProxy) -> None:
    """Thirty threads share ten connections, and wait for each other."""
    in_flight, most = 0, 0
    lock = threading.Lock()

    def watch(answer: dict[str, Any]) -> dict[str, Any]:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        time.sleep(0.05)
        with lock:
            in_flight -= 1
        return answer

    index = shaky.index("many")
    shaky.fill(index, *sources(1))
    proxy.faults = [Fault("_search", Rewrite(watch))]
    threads = [
        threading.Thread(target=shaky.store.count, args=([index], ALL), kwargs={"within": SOON}) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert proxy.count("_search") == 30
    assert 1 < most <= 10


def test_a_scan_gives_its_connection_back(shaky: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that were broken off leave no connection taken: with ten of them, twenty scans would wait for ever."""
    index = shaky.index("back")
    shaky.fill(index, *sources(50, padding=10_000))
    monkeypatch.setattr(pace, "MOST_BYTES", 200_000)
    monkeypatch.setattr(pace, "_AIM", 100_000)
    for _ in range(20):
        assert len(hits_of(shaky.store.scan(Scan((index,), {"all": ALL}, ALL)))) == 50
