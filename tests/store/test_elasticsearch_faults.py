"""The adapter for Elasticsearch keeps its promises while the cluster, or the way to it, does not."""

from __future__ import annotations

import logging
import threading
import time
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from fault_proxy import CutAfter, CutBefore, Delay, Fault, FaultProxy, Respond, Rewrite
from lolbin_rules.errors import StoreForbidden, StoreOverwhelmed, StoreRejected, StoreUnavailable
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries
from lolbin_rules.store.port import UNMAPPED, Document, Hit, IndexTemplate, Key, Put, Scan, Shard, ShardFailure
from store.bench import ALL, PROPERTIES, Bench, hits_of, verdicts
from store.conftest import BRIEF, open_elasticsearch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elasticsearch_node.node import ElasticsearchNode

pytestmark = pytest.mark.elasticsearch

SOON = timedelta(seconds=30)
NOON = "2026-01-01T12:00:00.000Z"
NOON_MS = 1767268800000
BUSY = {"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}, "status": 429}
LOST = {
    "error": {
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "failed_shards": [
            {"shard": 0, "index": "i", "reason": {"type": "search_context_missing_exception", "reason": "No context"}}
        ],
    },
    "status": 404,
}


@pytest.fixture
def direct(elasticsearch_url: str, index_prefix: str) -> Iterator[Bench]:
    """A bench without a proxy, to set the scene with."""
    opened = open_elasticsearch(elasticsearch_url)
    yield Bench(opened, index_prefix)
    opened.close()


@pytest.fixture
def shaky(proxy: FaultProxy, index_prefix: str) -> Iterator[Bench]:
    """A bench behind the proxy."""
    opened = open_elasticsearch(proxy.url)
    yield Bench(opened, index_prefix)
    opened.close()


def at(second: float) -> dict[str, Any]:
    """An event so many seconds after noon."""
    return {"@timestamp": NOON_MS + int(second * 1000)}


def dead_index(node: Elasticsearch, name: str, properties: dict[str, Any] | None = None) -> str:
    """An index whose only shard is assigned nowhere."""
    node.indices.create(
        index=name,
        settings={"number_of_replicas": 0, "index.routing.allocation.require.nosuch": "x"},
        mappings={"properties": properties or PROPERTIES},
        wait_for_active_shards=0,
        timeout="1s",
    )
    return name


def catch_points(proxy: FaultProxy) -> list[str]:
    """The ids of the points in time that are opened from now on, as they are opened."""
    points: list[str] = []

    def keep(answer: dict[str, Any]) -> dict[str, Any]:
        points.append(answer["id"])
        return answer

    proxy.faults.append(Fault("POST .*/_pit", Rewrite(keep)))
    return points


# Trying again


def test_a_busy_cluster_is_asked_again(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """Opening, reading and writing survive a cluster that is too busy for a moment."""
    index = direct.index("busy")
    proxy.faults = [Fault(path, Respond(429, BUSY), times=2) for path in ("/_bulk", "/_pit", "/_search")]
    shaky.fill(index, at(0), at(1))
    assert shaky.ids(index) == ["0", "1"]
    assert proxy.count("POST /_bulk") == proxy.count("POST .*/_pit") == proxy.count("POST /_search") == 3


def test_only_items_that_were_turned_away_are_sent_again(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """An item of a bulk write that was turned away is written in a second request, without its neighbours."""
    index = direct.index("items")

    def turn_second_away(answer: dict[str, Any]) -> dict[str, Any]:
        answer["items"][1]["create"] = BUSY
        return answer

    proxy.faults = [Fault("/_bulk", Rewrite(turn_second_away), times=1)]
    outcomes = shaky.store.create([Document(Key(index, name), {}) for name in "abc"])
    # It was written in truth, so that its second attempt meets it; neighbours sent again would have met themselves.
    assert verdicts(outcomes) == ["created", "exists", "created"]
    assert proxy.count("/_bulk") == 2


def test_items_that_are_always_turned_away_are_unavailable(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """After the last attempt the outcome says that the write may succeed later, and why it did not."""
    index = direct.index("always")

    def turn_away(answer: dict[str, Any]) -> dict[str, Any]:
        return {"items": [{"create": BUSY} for _ in answer["items"]]}

    proxy.faults = [Fault("/_bulk", Rewrite(turn_away))]
    outcomes = shaky.store.create([Document(Key(index, name), {}) for name in "ab"])
    assert verdicts(outcomes) == ["unavailable"] * 2
    assert "queue is full" in outcomes[0].reason
    assert proxy.count("/_bulk") == BRIEF.attempts


def test_the_cluster_says_when_to_come_back(shaky: Bench, proxy: FaultProxy) -> None:
    """`Retry-After` is waited for, though our own wait would be shorter."""
    proxy.faults = [Fault("_nodes", Respond(503, None, {"Retry-After": "1"}), times=1)]
    began = time.monotonic()
    shaky.store.clock()
    assert time.monotonic() - began >= 1


def test_nobody_waits_for_an_hour(shaky: Bench, proxy: FaultProxy) -> None:
    """Asked to come back much later, the verb fails now."""
    proxy.faults = [Fault("_nodes", Respond(503, None, {"Retry-After": "3600"}))]
    with pytest.raises(StoreUnavailable):
        shaky.store.clock()
    assert proxy.count("_nodes") == 1


def test_a_cluster_that_stays_away_is_unavailable(shaky: Bench, proxy: FaultProxy) -> None:
    """After the last attempt the error names the request, the answer and what to do."""
    proxy.faults = [Fault("", Respond(503, {"error": {"type": "master_not_discovered_exception", "reason": None}}))]
    with pytest.raises(
        StoreUnavailable, match=r"GET /_nodes/_local/stats/breaker failed \(3 attempts\).*master_not_discovered.*\.$"
    ):
        shaky.store.clock()
    assert proxy.count("") == BRIEF.attempts


def test_a_lost_request_is_sent_again(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """A connection that breaks before the request arrives costs nothing."""
    proxy.faults = [Fault("/_bulk", CutBefore(), times=1)]
    assert verdicts(shaky.store.create([Document(Key(direct.index("lost"), "1"), {})])) == ["created"]


def test_a_write_whose_answer_is_lost_meets_itself(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """The retry of a `create` that was carried out says EXISTS, and the document is there once."""
    index = direct.index("answer")
    proxy.faults = [Fault("/_bulk", CutAfter(), times=1)]
    assert verdicts(shaky.store.create([Document(Key(index, "1"), at(0))])) == ["exists"]
    shaky.store.refresh([index])
    assert shaky.store.count([index], ALL, within=SOON).value == 1


def test_a_put_whose_answer_is_lost_meets_itself(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """The retry of a `put` that was carried out is a CONFLICT: the caller reads again and finds its own document."""
    index = direct.index("put")
    direct.fill(index, {"size": 1})
    (seen,) = shaky.store.get([Key(index, "0")])
    assert seen is not None
    proxy.faults = [Fault("/_bulk", CutAfter(), times=1)]
    assert verdicts(shaky.store.put([Put(Document(seen.key, {"size": 2}), seen.seen)])) == ["conflict"]
    (now,) = shaky.store.get([seen.key])
    assert now is not None
    assert now.source == {"size": 2}


def test_nobody_there_is_unavailable(shaky: Bench) -> None:
    """A refused connection is StoreUnavailable; writes say so per document."""
    gone = open_elasticsearch("http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match="Connection refused"):
        gone.count(["x"], ALL, within=SOON)
    outcomes = gone.create([Document(Key("x", "1"), {})])
    assert verdicts(outcomes) == ["unavailable"]
    assert "Connection refused" in outcomes[0].reason


def test_batches_are_not_tried_one_by_one_when_nobody_is_there(shaky: Bench, proxy: FaultProxy) -> None:
    """Once one batch could not be delivered, the following ones are given up with it."""
    proxy.faults = [Fault("", CutBefore())]
    outcomes = shaky.store.create([Document(Key("x", str(number)), {}) for number in range(1_200)])
    assert verdicts(outcomes) == ["unavailable"] * 1_200
    assert proxy.count("/_bulk") == BRIEF.attempts


def test_stop_ends_a_wait(shaky: Bench, proxy: FaultProxy) -> None:
    """A wait of half a minute between attempts ends at once, with an error."""
    patient = open_elasticsearch(
        proxy.url, Retries(first_wait=timedelta(seconds=60), longest_wait=timedelta(minutes=1))
    )
    proxy.faults = [Fault("", Respond(503))]
    raised: list[Exception] = []

    def ask() -> None:
        try:
            patient.clock()
        except StoreUnavailable as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not proxy.count(""):
        time.sleep(0.01)
    began = time.monotonic()
    patient.stop()
    asking.join(10)
    assert time.monotonic() - began < 1
    assert len(raised) == 1
    assert proxy.count("") == 1


# Too slow, too much, too little


def test_a_search_that_takes_too_long_is_too_much(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """`within` ends a request that is under way, and the error says that less might work."""
    index = direct.index("slow")
    direct.fill(index, at(0))
    proxy.faults = [Fault("_search", Delay(20))]
    began = time.monotonic()
    with pytest.raises(StoreOverwhelmed):
        shaky.store.count([index], ALL, within=timedelta(seconds=0.3))
    with pytest.raises(StoreOverwhelmed):
        shaky.pages(index, within=timedelta(seconds=0.3))
    assert time.monotonic() - began < 10


def test_the_time_of_the_caller_does_not_count(direct: Bench) -> None:
    """What is done between pages takes nothing from `within`."""
    index = direct.index("pause")
    direct.fill(index, at(0), at(1))
    scan = direct.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=1, within=timedelta(seconds=2)))
    next(scan)
    time.sleep(2.1)
    assert len(hits_of(scan)) == 1


def test_other_requests_have_the_connection_s_limit(shaky: Bench, proxy: FaultProxy) -> None:
    """A verb without `within` gives up after `request_timeout`, as often as there are attempts."""
    hasty = ElasticsearchStore(
        Connection(proxy.url, request_timeout=timedelta(seconds=0.2)), clock=lambda: datetime.now(UTC), retries=BRIEF
    )
    proxy.faults = [Fault("_mget", Delay(20))]
    with pytest.raises(StoreOverwhelmed):
        hasty.get([Key("x", "1")])
    assert proxy.count("_mget") == BRIEF.attempts
    hasty.close()


@pytest.mark.parametrize("status", [413, 400])
def test_a_write_that_is_too_large_is_halved(shaky: Bench, direct: Bench, proxy: FaultProxy, status: int) -> None:
    """A refusal of the request as a whole may be due to its size or to one document: the halves are sent."""
    proxy.faults = [Fault("/_bulk", Respond(status), times=1)]
    index = direct.index("large")
    assert verdicts(shaky.store.create([Document(Key(index, name), {}) for name in "abc"])) == ["created"] * 3
    assert proxy.count("/_bulk") == 3


def test_a_document_that_is_too_large_is_rejected(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """What cannot be halved any more is the document's fault."""
    proxy.faults = [Fault("/_bulk", Respond(413))]
    outcomes = shaky.store.create([Document(Key(direct.index("huge"), "1"), {})])
    assert verdicts(outcomes) == ["rejected"]
    assert "413" in outcomes[0].reason


def test_an_impossible_id_harms_no_other(direct: Bench) -> None:
    """An id that Elasticsearch refuses makes it refuse the whole request; the other documents are written."""
    index = direct.index("ids")
    outcomes = direct.store.create([Document(Key(index, name), {}) for name in ("a", "b" * 513, "c", "d")])
    assert verdicts(outcomes) == ["created", "rejected", "created", "created"]


def test_large_documents_are_sent_in_several_requests(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """A request is kept to some 5 MB, long before Elasticsearch would refuse it."""
    index = direct.index("heavy")
    outcomes = shaky.store.create([Document(Key(index, str(number)), {"x": "x" * 2_000_000}) for number in range(5)])
    assert verdicts(outcomes) == ["created"] * 5
    assert proxy.count("/_bulk") == 3


def test_a_scan_holds_one_page_at_a_time(direct: Bench) -> None:
    """Memory does not grow with the number of pages."""
    index = direct.index("memory")
    direct.fill(index, *[at(number) | {"pad": "x" * 500} for number in range(10_000)])
    scan = direct.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=500))
    tracemalloc.start()
    try:
        total = sum(len(next(scan).hits) for _ in range(4))  # pages have come to their full size
        after_some = tracemalloc.get_traced_memory()[1]
        for page in scan:
            total += len(page.hits)
        assert total == 10_000
        assert tracemalloc.get_traced_memory()[1] < 2 * after_some
    finally:
        tracemalloc.stop()


# Points in time


def test_a_lost_point_in_time_loses_no_hit(shaky: Bench, direct: Bench, proxy: FaultProxy, node: Elasticsearch) -> None:
    """Whatever is at the place where it was lost, ties or documents without a date, each hit is read once, in order."""
    index = direct.index("point", shards=2)
    sources = [at(0)] * 3 + [at(1)] * 20 + [at(2)] * 3 + [{}] * 10 + [at(-(10**10))]
    direct.fill(index, *sources)
    points = catch_points(proxy)
    hits: list[Hit] = []
    for page in shaky.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=4)):
        hits += page.hits
        if len(points) < 8:  # later ones may live
            node.close_point_in_time(id=points[-1])
    assert Counter(hit.key.id for hit in hits) == Counter(str(number) for number in range(len(sources)))
    assert [hit.position for hit in hits] == sorted(hit.position for hit in hits)
    assert len(points) == 8


def test_a_lost_point_in_time_loses_no_sequence_number(
    shaky: Bench, direct: Bench, proxy: FaultProxy, node: Elasticsearch
) -> None:
    """A scan of one shard by sequence number goes on as well."""
    index = direct.index("numbers")
    direct.fill(index, *[at(0)] * 10)
    points = catch_points(proxy)
    hits: list[Hit] = []
    for page in shaky.store.scan(Scan((index,), {"all": ALL}, ALL, "_seq_no", Shard(index, 0), page_size=3)):
        hits += page.hits
        if len(points) == 1:
            node.close_point_in_time(id=points[0])
    assert [hit.position for hit in hits] == list(range(10))
    assert len(points) == 2


def test_ties_of_other_shards_are_found_in_a_new_point_in_time(
    shaky: Bench, direct: Bench, proxy: FaultProxy, node: Elasticsearch
) -> None:
    """Shards are numbered anew in each point in time; a tie is not passed over because its shard moved up."""
    first, second = direct.index("a"), direct.index("b")
    direct.fill(first, *[at(0)] * 2)
    keys = direct.fill(second, *[at(0)] * 3)
    points = catch_points(proxy)
    scan = shaky.store.scan(Scan((direct.prefix + "*",), {"all": ALL}, ALL, page_size=2))
    assert {hit.key.index for hit in next(scan).hits} == {first}
    node.close_point_in_time(id=points[0])
    node.indices.delete(index=first)
    assert sorted(hit.key for hit in hits_of(scan)) == keys


def test_a_point_in_time_lost_on_one_shard_is_opened_anew(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """A restarted node forgets its part only: the answer is not taken for a partial one, but asked for again."""
    index = direct.index("part")
    direct.fill(index, *[at(number) for number in range(5)])

    def forget(answer: dict[str, Any]) -> dict[str, Any]:
        reason = {"type": "search_context_missing_exception", "reason": "No search context found for id [1]"}
        answer["_shards"]["failures"] = [{"shard": 0, "index": index, "reason": reason}]
        return answer

    proxy.faults = [Fault("/_search", Rewrite(forget), times=1)]
    assert shaky.ids(index, page_size=2) == ["0", "1", "2", "3", "4"]


def test_points_in_time_that_do_not_last_are_an_error(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """A scan that gets nowhere ends."""
    index = direct.index("nowhere")
    direct.fill(index, at(0))
    proxy.faults = [Fault("POST /_search", Respond(404, LOST))]
    with pytest.raises(StoreUnavailable, match="point in time"):
        shaky.pages(index)
    assert proxy.count("POST .*/_pit") == proxy.count("DELETE /_pit") == 4


def test_an_abandoned_scan_leaves_nothing_open(
    shaky: Bench, direct: Bench, proxy: FaultProxy, node: Elasticsearch
) -> None:
    """A consumer that stops in the middle, and one that fails, leave no point in time behind."""
    index = direct.index("abandoned")
    direct.fill(index, *[at(number) for number in range(5)])
    points = catch_points(proxy)
    for _ in range(2):
        for _page in shaky.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=2)):
            break
    assert len(points) == 2
    for point in points:
        with pytest.raises(NotFoundError):
            node.search(pit={"id": point})


def test_closing_a_point_in_time_hides_no_error(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """A failed scan says what failed, even if the point in time cannot be closed either."""
    index = direct.index("masked")
    direct.fill(index, at(0))
    proxy.faults = [Fault("DELETE /_pit", CutBefore())]
    assert shaky.ids(index) == ["0"]
    with pytest.raises(StoreRejected, match="nonsense"):
        shaky.pages(index, queries={"bad": {"nonsense": {}}})


def test_an_old_server_is_asked_as_it_understands(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """Before 8.16 a point in time cannot be opened on some of the shards; that is found out once."""
    index = direct.index("old")
    direct.fill(index, at(0))
    reason = "request [/x/_pit] contains unrecognized parameter: [allow_partial_search_results]"
    refusal = {"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400}
    proxy.faults = [Fault(r"/_pit\?.*allow_partial", Respond(400, refusal))]
    assert shaky.ids(index) == shaky.ids(index) == ["0"]
    assert proxy.count(r"/_pit\?.*allow_partial") == 1


# Partial answers


def test_a_shard_that_is_nowhere_makes_every_page_partial(
    shaky: Bench, direct: Bench, proxy: FaultProxy, node: Elasticsearch
) -> None:
    """The hits of the others are read, and each page says which shard is missing; nothing is waited for."""
    index = direct.index("well")
    direct.fill(index, *[at(number) for number in range(3)])
    dead = dead_index(node, direct.prefix + "dead")
    pages = shaky.pages(index, dead, page_size=2)
    assert [hit.key.id for hit in hits_of(pages)] == ["0", "1", "2"]
    failure = ShardFailure(dead, 0, "no_shard_available_action_exception", is_query_at_fault=False)
    assert {page.failures for page in pages} == {(failure,)}
    counted = shaky.store.count([index, dead], ALL, within=SOON)
    assert (counted.value, counted.failures, counted.is_whole) == (3, (failure,), False)
    aggregated = shaky.store.aggregate([index, dead], ALL, {"n": {"value_count": {"field": "@timestamp"}}}, within=SOON)
    assert (aggregated.values["n"]["value"], aggregated.failures) == (3, (failure,))
    assert proxy.count("_pit") == 2  # opened and closed


def test_no_shard_at_all_is_a_partial_answer_too(direct: Bench, node: Elasticsearch) -> None:
    """Where nothing answers, there are no hits and every failure."""
    dead = dead_index(node, direct.prefix + "dead")
    (page,) = direct.pages(dead)
    assert (page.hits, [failure.index for failure in page.failures], page.is_whole) == ((), [dead], False)
    counted = direct.store.count([dead], ALL, within=SOON)
    assert (counted.value, counted.is_whole) == (0, False)
    aggregated = direct.store.aggregate([dead], ALL, {"n": {"max": {"field": "size"}}}, within=SOON)
    assert (dict(aggregated.values), aggregated.is_whole) == ({}, False)


def test_too_many_buckets_are_too_much_though_a_shard_is_missing(shaky: Bench, proxy: FaultProxy) -> None:
    """An error beside failed shards (as 8.19.9 and 9.0.0 answer) is not taken for an answer without values."""
    missing = {"shard": 0, "index": "i", "node": None, "reason": {"type": "no_shard_available_action_exception"}}
    error = {
        "root_cause": [{"type": "no_shard_available_action_exception", "reason": None}],
        "type": "search_phase_execution_exception",
        "reason": "",
        "phase": "fetch",
        "grouped": True,
        "failed_shards": [missing],
        "caused_by": {"type": "too_many_buckets_exception", "reason": "Trying to create too many buckets."},
    }
    proxy.faults = [Fault("/_search", Respond(503, {"error": error, "status": 503}))]
    with pytest.raises(StoreOverwhelmed, match="too many buckets"):
        shaky.store.aggregate(["x"], ALL, {"n": {"terms": {"field": "name"}}}, within=SOON)
    assert proxy.count("/_search") == 1


def test_a_query_that_suits_one_index_only_is_at_fault_on_the_other(direct: Bench) -> None:
    """The hits of the index that takes the query are read; the failure says that the shard is healthy."""
    good = direct.index("good", PROPERTIES | {"code": {"type": "keyword"}})
    bad = direct.index("bad", PROPERTIES | {"code": {"type": "long"}})
    direct.fill(good, at(0) | {"code": "x"})
    direct.fill(bad, at(0) | {"code": 1})
    (page,) = direct.pages(good, bad, queries={"x": {"term": {"code": "x"}}})
    assert [hit.key.index for hit in page.hits] == [good]
    assert [(failure.index, failure.is_query_at_fault) for failure in page.failures] == [(bad, True)]
    assert "number_format_exception" in page.failures[0].reason
    with pytest.raises(StoreRejected, match="number_format_exception"):
        direct.pages(bad, queries={"x": {"term": {"code": "x"}}})


@pytest.mark.parametrize("kind", ["keyword", "text", "ip"])
def test_a_date_of_another_type_is_at_fault_in_its_index_only(direct: Bench, kind: str) -> None:
    """An index that maps the date as something else is a failure; the others are read in order."""
    good = direct.index("good")
    bad = direct.index("bad", {"@timestamp": {"type": kind}})
    direct.fill(good, at(1), at(0))
    direct.fill(bad, {"@timestamp": "10.0.0.1"})
    (page,) = direct.pages(good, bad)
    assert [hit.key.id for hit in page.hits] == ["1", "0"]
    assert [(failure.index, failure.is_query_at_fault) for failure in page.failures] == [(bad, True)]


def test_an_answer_in_part_for_want_of_time_is_told(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """`timed_out` makes a page partial, and a short page is then not taken for the last."""
    index = direct.index("timed")
    direct.fill(index, *[at(number) for number in range(3)])

    def cut_short(answer: dict[str, Any]) -> dict[str, Any]:
        del answer["hits"]["hits"][1:]
        return answer | {"timed_out": True}

    proxy.faults = [Fault("/_search", Rewrite(cut_short), times=1)]
    pages = shaky.pages(index, page_size=2)
    assert [hit.key.id for hit in hits_of(pages)] == ["0", "1", "2"]
    assert [page.is_whole for page in pages] == [False, True]


def test_a_short_page_is_not_the_last_where_a_shard_failed(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """Hits that a shard found and could not bring make a page short; those of the others still come."""
    index = direct.index("short")
    direct.fill(index, *[at(number) for number in range(5)])

    def lose_some(answer: dict[str, Any]) -> dict[str, Any]:
        del answer["hits"]["hits"][0]
        reason = {"type": "fetch_phase_execution_exception", "reason": "x"}
        answer["_shards"]["failures"] = [{"shard": 1, "index": index, "reason": reason}]
        return answer

    proxy.faults = [Fault("/_search", Rewrite(lose_some), times=1)]
    pages = shaky.pages(index, page_size=2)
    assert [hit.key.id for hit in hits_of(pages)] == ["1", "2", "3", "4"]
    assert [page.is_whole for page in pages] == [False, True, True]
    assert not pages[0].failures[0].is_query_at_fault


def test_shards_that_are_missing_silently_are_noticed(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """Where the numbers do not add up, that is a failure of an unknown shard."""
    index = direct.index("silent")
    direct.fill(index, at(0))

    def lose(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"_shards": {"total": 3, "successful": 1, "skipped": 0, "failed": 0}}

    proxy.faults = [Fault("/_search", Rewrite(lose))]
    (page,) = shaky.pages(index)
    assert page.failures == (ShardFailure("", -1, "2 of 3 shards did not answer", is_query_at_fault=False),)


def test_a_hit_without_a_name_is_not_lost(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """If Elasticsearch does not say which query a hit matches, fewer must be asked for; one alone is certain."""
    index = direct.index("nameless")
    direct.fill(index, at(0))

    def forget_names(answer: dict[str, Any]) -> dict[str, Any]:
        for hit in answer["hits"]["hits"]:
            hit.pop("matched_queries")
        return answer

    proxy.faults = [Fault("/_search", Rewrite(forget_names))]
    with pytest.raises(StoreOverwhelmed, match="which of 2 queries"):
        shaky.pages(index, queries={"a": ALL, "b": ALL})
    assert [sorted(hit.names) for hit in shaky.hits(index, queries={"a": ALL})] == [["a"]]


@pytest.mark.parametrize("odd", ['"/*": /* */ 1', '"huge": 1e400', '"half": "\\ud800"'])
def test_an_odd_document_hides_no_other(direct: Bench, node: Elasticsearch, odd: str) -> None:
    """What Elasticsearch stores and passes on though it is no JSON must not make its page unreadable."""
    index = direct.index("poison")
    direct.fill(index, at(0), at(2))
    lines = f'{{"create":{{"_index":"{index}","_id":"odd"}}}}\n{{"@timestamp":{NOON_MS + 1000},{odd}}}\n'
    assert not node.bulk(operations=lines.encode(), refresh=True)["errors"]  # type: ignore[arg-type] # text is fine
    assert direct.ids(index) == ["0", "odd", "1"]


# Refusals


@pytest.mark.parametrize("status", [401, 403])
def test_what_is_forbidden_says_what_is_needed(shaky: Bench, proxy: FaultProxy, status: int) -> None:
    """Every verb raises StoreForbidden, writes included, with the store's words and a remedy."""
    reason = "action [x] is unauthorized for user [u]"
    proxy.faults = [Fault("", Respond(status, {"error": {"type": "security_exception", "reason": reason}}))]
    remedy = "Grant the index privilege `read`" if status == 403 else "Check the user name"
    with pytest.raises(StoreForbidden, match=f"is unauthorized for user.*{remedy}"):
        shaky.pages("x")
    with pytest.raises(StoreForbidden, match="_bulk"):
        shaky.store.create([Document(Key("x", "1"), {})])
    with pytest.raises(StoreForbidden, match="_mget"):
        shaky.store.get([Key("x", "1")])
    assert proxy.count("") == 3


def test_a_forbidden_item_may_be_allowed_later(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """Lacking privileges, blocks and closed indices are no fault of the document."""
    index = direct.index("items")
    refusals = [
        (403, "security_exception"),
        (400, "index_closed_exception"),
        (404, "index_not_found_exception"),
        (503, "unavailable_shards_exception"),
        (500, "null_pointer_exception"),
        (400, "illegal_argument_exception"),
    ]

    def refuse(_: object) -> dict[str, Any]:
        return {"items": [{"create": {"status": code, "error": {"type": kind}}} for code, kind in refusals]}

    proxy.faults = [Fault("/_bulk", Rewrite(refuse))]
    outcomes = shaky.store.create([Document(Key(index, str(number)), {}) for number in range(6)])
    assert verdicts(outcomes) == ["unavailable"] * 5 + ["rejected"]
    assert proxy.count("/_bulk") == 1


def test_blocked_and_closed_indices_take_writes_later(direct: Bench, node: Elasticsearch) -> None:
    """A block on writes, the one that a full disk brings, and a closed index make a write UNAVAILABLE, at once."""
    block, flood, closed = (direct.index(name) for name in ("block", "flood", "closed"))
    for index in (block, flood, closed):
        direct.fill(index, {})
    node.indices.put_settings(index=block, settings={"index.blocks.write": True})
    node.indices.put_settings(index=flood, settings={"index.blocks.read_only_allow_delete": True})
    node.indices.close(index=closed)
    outcomes = direct.store.create([Document(Key(index, "new"), {}) for index in (block, flood, closed)])
    assert verdicts(outcomes) == ["unavailable"] * 3
    with pytest.raises(StoreUnavailable, match="index_closed_exception"):
        direct.store.get([Key(closed, "0")])


def test_a_document_on_a_dead_shard_is_not_missing(direct: Bench, node: Elasticsearch) -> None:
    """`get` says None only of what is known not to exist."""
    dead = dead_index(node, direct.prefix + "dead")
    with pytest.raises(StoreUnavailable, match="could not say whether"):
        direct.store.get([Key(dead, "1")])


def test_something_else_than_elasticsearch_is_refused(shaky: Bench, proxy: FaultProxy) -> None:
    """Another product's answers are not taken for Elasticsearch's, and a web page is no answer at all."""
    proxy.faults = [Fault("", Respond(200, [{"epoch": "1"}], {"X-Elastic-Product": "other"}))]
    with pytest.raises(StoreRejected, match="Check the URL"):
        shaky.store.clock()
    proxy.faults = [Fault("", Respond(200, b"<html>", {"Content-Type": "text/html", "X-Elastic-Product": ""}))]
    with pytest.raises(StoreRejected, match="Check the URL"):
        shaky.store.clock()
    proxy.faults = [Fault("", Respond(200, b"{", {}))]
    with pytest.raises(StoreUnavailable, match="1 bytes are no JSON"):
        shaky.store.clock()
    proxy.faults = [Fault("", Respond(200, {}))]
    with pytest.raises(StoreUnavailable, match="did not say what time it is"):
        shaky.store.clock()


def test_remarks_of_the_server_are_neither_errors_nor_noise(
    shaky: Bench, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """A deprecation note comes to the debug log, once per answer, and is no Python warning (which fails tests here)."""
    caplog.set_level(logging.DEBUG, "lolbin_rules.store")
    note = '299 Elasticsearch-8.19.9 "[x] is deprecated"'
    proxy.faults = [Fault("", Respond(200, {"nodes": {"n": {"timestamp": 1767268800000}}}, {"Warning": note}))]
    assert shaky.store.clock() == datetime(2026, 1, 1, 12, tzinfo=UTC)
    remarks = [record for record in caplog.records if "is deprecated" in record.getMessage()]
    assert [record.levelname for record in remarks if record.name == "lolbin_rules.store"] == ["DEBUG"]


def test_a_cluster_clock_that_may_not_be_read_is_replaced(proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    """Without the privilege, the clock that was given counts; that is said once, and asked for once."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    store = ElasticsearchStore(Connection(proxy.url), clock=lambda: noon, retries=BRIEF)
    proxy.faults = [Fault("", Respond(403, {"error": {"type": "security_exception", "reason": "no"}}))]
    assert (store.clock(), store.clock()) == (noon, noon)
    warnings = [record.getMessage() for record in caplog.records if record.name == "lolbin_rules.store"]
    assert len(warnings) == proxy.count("") == 1
    assert "the cluster privilege `monitor`" in warnings[0]
    store.close()


def test_no_secret_is_told(proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    """Neither errors nor logs, the client's debug log included, hold a secret, even if an answer repeats it."""
    caplog.set_level(logging.DEBUG)
    url = proxy.url.replace("://", "://elastic:s3cret%2Fw0rd@")
    store = ElasticsearchStore(Connection(url), clock=lambda: datetime.now(UTC), retries=BRIEF)
    echo = "you sent Basic ZWxhc3RpYzpzM2NyZXQvdzByZA== for elastic:s3cret/w0rd"
    proxy.faults = [
        Fault("_mget", Respond(400, {"error": {"type": "x", "reason": echo}})),
        Fault("", Respond(503, {"error": {"type": "x", "reason": echo}})),
    ]
    told = []
    for verb in (store.clock, lambda: store.get([Key("x", "1")])):
        with pytest.raises((StoreUnavailable, StoreRejected), match=r"you sent Basic \*\*\*") as raised:
            verb()
        told.append(str(raised.value) + repr(raised.value))
    told += [outcome.reason for outcome in store.create([Document(Key("x", "1"), {})])]
    told += [record.getMessage() for record in caplog.records if record.name == "lolbin_rules.store"]
    # What the answer itself repeats stands in the client's log of that answer; what was sent must not.
    sent = [line for record in caplog.records for line in record.getMessage().splitlines() if not line.startswith("<")]
    told += [line for line in sent if echo not in line]
    assert len(told) > 10
    assert not [text for text in told if "s3cret" in text or "ZWxhc3RpYzpzM2NyZXQvdzByZA" in text]
    store.close()


# Field types


def test_a_dead_index_has_its_types_from_its_mapping(direct: Bench, node: Elasticsearch) -> None:
    """No shard need answer to know how an index maps a field."""
    lower = {"type": "keyword", "normalizer": "lowercase"}
    properties = {"name": {"type": "keyword", "fields": {"lower": lower}}, "o": {"properties": {"p": {"type": "ip"}}}}
    dead = dead_index(node, direct.prefix + "dead", properties)
    fields = ["name", "name.lower", "o", "o.p", "nowhere"]
    alone = direct.store.field_types([dead], fields)
    here = frozenset({dead})
    assert alone.indices == {dead: here}
    assert alone.lowercase == {"name.lower"}
    assert alone.types == {
        "name": {"keyword": here},
        "name.lower": {"keyword": here},
        "o": {"object": here},
        "o.p": {"ip": here},
        "nowhere": {UNMAPPED: here},
    }
    well = direct.index("well", properties | {"o": {"type": "keyword"}})
    direct.fill(well, {})
    both = direct.store.field_types([direct.prefix + "*"], fields)
    assert both.indices == {direct.prefix + "*": here | {well}}
    assert both.types["o"] == {"object": here, "keyword": frozenset({well})}
    assert both.lowercase == {"name.lower"}


def test_aliases_stand_for_their_open_indices(direct: Bench, node: Elasticsearch) -> None:
    """A closed index is no part of what an alias or a pattern stands for, just as searches pass it over."""
    open_, closed = direct.index("open"), direct.index("closed")
    for index in (open_, closed):
        direct.fill(index, at(0))
        node.indices.put_alias(index=index, name=direct.prefix + "alias")
    node.indices.close(index=closed)
    found = direct.store.field_types(
        [direct.prefix + "alias", direct.prefix + "clos*", closed], ["@timestamp", "_index"]
    )
    assert found.indices == {
        direct.prefix + "alias": frozenset({open_}),
        direct.prefix + "clos*": frozenset(),
        closed: frozenset(),
    }
    assert found.types == {"@timestamp": {"date": frozenset({open_})}, "_index": {"_index": frozenset({open_})}}
    assert [hit.key.index for hit in direct.hits(direct.prefix + "alias", closed)] == [open_]


def test_a_normalizer_or_a_limit_of_the_index_s_own_counts(direct: Bench) -> None:
    """`lowercase` means the built-in normalizer, and values as long as the index allows by default."""
    field = {"type": "keyword", "normalizer": "lowercase"}
    settings = {
        "own": {"analysis": {"normalizer": {"lowercase": {"type": "custom", "filter": []}}}},
        "short": {"mapping.ignore_above": 100},
        "plain": {"mapping.ignore_above": 1000},
    }
    found = {}
    for name, index_settings in settings.items():
        index = direct.prefix + name
        body = {"settings": {"index": index_settings}, "mappings": {"properties": {"f": field}}}
        direct.store.prepare([IndexTemplate(index, (index,), 1, body)])
        direct.fill(index, {})
        found[name] = direct.store.field_types([index], ["f"]).lowercase
    assert found == {"own": frozenset(), "short": frozenset(), "plain": {"f"}}


def test_hundreds_of_fields_fit_into_requests(direct: Bench) -> None:
    """More names than one URL can hold are asked for in parts."""
    names = [f"a_rather_long_name_of_a_field_{number}" for number in range(400)]
    index = direct.index("wide", {name: {"type": "keyword", "normalizer": "lowercase"} for name in names})
    direct.fill(index, {})
    assert direct.store.field_types([index], names).lowercase == set(names)


# A node of one's own


def test_a_restart_in_the_middle_of_a_scan_loses_no_hit(private_node: ElasticsearchNode) -> None:
    """A node that is killed and comes back has forgotten the point in time; each hit is read once all the same."""
    opened = open_elasticsearch(private_node.url)
    bench = Bench(opened, "restart-")
    index = bench.index("events", shards=2)
    bench.fill(index, *[at(number // 10) for number in range(200)])
    hits: list[Hit] = []
    for number, page in enumerate(opened.scan(Scan((index,), {"all": ALL}, ALL, page_size=33))):
        assert page.is_whole
        hits += page.hits
        if number == 1:
            private_node.kill()
            private_node.start()
    assert Counter(hit.key.id for hit in hits) == Counter(str(number) for number in range(200))
    opened.close()


def test_remote_clusters_that_are_away_make_answers_partial(private_node: ElasticsearchNode) -> None:
    """Elasticsearch passes over remote clusters that it cannot reach, and a point in time does not even say so."""
    opened = open_elasticsearch(private_node.url)
    bench = Bench(opened, "remote-")
    near, far = bench.index("near"), bench.index("far")
    bench.fill(near, at(0))
    bench.fill(far, at(1), at(2))

    def connect(client: Elasticsearch, **seeds: str | None) -> None:
        remotes = {name: seed and {"seeds": [seed], "skip_unavailable": True} for name, seed in seeds.items()}
        client.cluster.put_settings(persistent={"cluster": {"remote": remotes}})
        for name, seed in seeds.items():
            while client.cluster.remote_info().get(name, {}).get("connected") is not (seed != "127.0.0.1:1"):
                time.sleep(0.05)

    with Elasticsearch(private_node.url) as client:
        (node,) = client.nodes.info(node_id="_local", metric="transport")["nodes"].values()
        here = node["transport"]["publish_address"]
        connect(client, me=here)
        assert [hit.key for hit in bench.hits(near, f"me:{far}", page_size=2)] == [
            Key(near, "0"),
            Key(f"me:{far}", "0"),
            Key(f"me:{far}", "1"),
        ]
        scan = opened.scan(Scan((near, f"me:{far}"), {"all": ALL}, ALL, page_size=1))
        assert next(scan).is_whole
        connect(client, me="127.0.0.1:1")
        rest = list(scan)
        assert hits_of(rest) == []
        assert ["remote cluster me" in failure.reason for page in rest for failure in page.failures] == [True]
        (page,) = bench.pages(near, f"me:{far}")
        assert ([hit.key for hit in page.hits], page.is_whole) == ([Key(near, "0")], False)
        assert "remote cluster me: connect_transport_exception" in page.failures[0].reason
        (alone,) = bench.pages(f"me:{far}")
        assert (alone.hits, alone.is_whole) == ((), False)
        assert not opened.count([f"me:{far}"], ALL, within=SOON).is_whole
        client.cluster.put_settings(persistent={"cluster": {"remote.*": None}})
    opened.close()


def test_a_remote_cluster_that_came_late_is_missing(shaky: Bench, direct: Bench, proxy: FaultProxy) -> None:
    """A cluster that answers plainly but is not in the point in time was away when that was opened."""
    index = direct.index("late")
    direct.fill(index, at(0))
    details = {
        "(local)": {"status": "successful", "_shards": {"total": 1}},
        "near": {"status": "successful", "_shards": {"total": 1}},
        "late": {"status": "successful", "_shards": {"total": 2}},
        "empty": {"status": "successful", "_shards": {"total": 0}},
    }

    def add(*names: str) -> Rewrite:
        clusters = {"details": {name: details[name] for name in names}}
        return Rewrite(lambda answer: answer | {"_clusters": clusters})

    proxy.faults = [Fault(f"{index}.*/_search", add(*details)), Fault("/_search", add("near"))]
    (page,) = shaky.pages(index, "*:nothing")
    reason = "remote cluster late was not there when the point in time was opened"
    assert page.failures == (ShardFailure("", -1, reason, is_query_at_fault=False),)
    assert [hit.key.id for hit in page.hits] == ["0"]
