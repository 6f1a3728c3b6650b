"""What every adapter of the store port does, whatever it stands on."""

from __future__ import annotations

import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lolbin_rules.errors import StoreOverwhelmed, StoreRejected, StoreUnavailable
from lolbin_rules.store.port import UNMAPPED, Document, IndexTemplate, Key, Put, Scan, Seen, Shard
from store.bench import ALL, PROPERTIES, Bench, hits_of, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from lolbin_rules.store.port import Store

SOON = timedelta(seconds=30)
NOON = "2026-01-01T12:00:00.000Z"
NOON_MS = 1767268800000

KINDS: list[dict[str, Any]] = [
    {"term": {"name": "Alpha"}},
    {"term": {"name": {"value": "aLPHA", "case_insensitive": True}}},
    {"terms": {"name": ["Alpha", "Beta"]}},
    {"wildcard": {"name": {"value": "al*a", "case_insensitive": True}}},
    {"prefix": {"name": {"value": "Al"}}},
    {"regexp": {"name": {"value": "Al[a-z]+"}}},
    {"exists": {"field": "size"}},
    {"range": {"size": {"gte": 7}}},
    {"term": {"ip": "10.0.0.0/8"}},
    {"terms": {"ip": ["10.0.0.0/8", "fe80::/10"]}},
    {"bool": {"must_not": [{"term": {"name": "Gamma"}}]}},
    {"bool": {"should": [{"term": {"name": "Alpha"}}, {"term": {"size": 0}}], "minimum_should_match": 1}},
    {"bool": {"filter": [{"exists": {"field": "ip"}}], "must_not": [{"exists": {"field": "nowhere"}}]}},
    {"match_all": {}},
]
"""Queries that all find an event named Alpha of size 7 from 10.1.2.3."""


def at(second: float, **more: Any) -> dict[str, Any]:
    """An event so many seconds after noon."""
    moment = datetime.fromtimestamp(NOON_MS / 1000 + second, UTC)
    return {"@timestamp": moment.isoformat(timespec="milliseconds"), **more}


# How scans are ordered


def test_hits_of_several_indices_come_in_one_order_by_date(bench: Bench) -> None:
    """Hits ascend by date across indices and pages, whatever order they were written in."""
    one, other = bench.index("one"), bench.index("other")
    bench.fill(one, at(5), at(1), at(3))
    bench.fill(other, at(4), at(0), at(2))
    hits = bench.hits(bench.prefix + "*", page_size=2)
    assert [hit.position - NOON_MS for hit in hits] == [0, 1000, 2000, 3000, 4000, 5000]
    assert [hit.key for hit in hits][:2] == [Key(other, "1"), Key(one, "1")]


def test_each_of_many_hits_in_one_millisecond_is_read_once(bench: Bench) -> None:
    """No tie is skipped or read twice at the edge of a page."""
    index = bench.index("ties", shards=2)
    bench.fill(index, *[at(0)] * 250)
    pages = bench.pages(index, page_size=7)
    assert Counter(hit.key.id for hit in hits_of(pages)) == Counter(str(number) for number in range(250))
    assert max(len(page.hits) for page in pages) == 7


def test_a_date_of_several_values_counts_as_its_earliest(bench: Bench) -> None:
    """The position of a hit is its earliest date, though another value brought it into the range."""
    index = bench.index("several")
    bench.fill(index, at(1), {"@timestamp": [at(9)["@timestamp"], at(0)["@timestamp"]]}, at(2))
    hits = bench.hits(index)
    assert [hit.key.id for hit in hits] == ["1", "0", "2"]
    assert hits[0].position == NOON_MS


def test_dates_of_both_resolutions_are_put_in_one_order(bench: Bench) -> None:
    """`date` and `date_nanos` under one pattern are compared as dates, in milliseconds."""
    millis = bench.index("millis")
    nanos = bench.index("nanos", PROPERTIES | {"@timestamp": {"type": "date_nanos"}})
    bench.fill(millis, at(1), at(3))
    bench.fill(
        nanos, {"@timestamp": "2026-01-01T12:00:00.000000001Z"}, {"@timestamp": "2026-01-01T12:00:02.000999999Z"}
    )
    hits = bench.hits(millis, nanos, page_size=1)
    assert [hit.position - NOON_MS for hit in hits] == [0, 1000, 2000, 3000]
    assert [hit.key.index for hit in hits] == [nanos, millis, nanos, millis]


def test_dates_far_away_are_read_in_order(bench: Bench) -> None:
    """Dates before 1970 and in the year 9999 neither break a scan nor the order."""
    index = bench.index("far")
    bench.fill(index, {"@timestamp": "9999-12-31T23:59:59.999Z"}, at(0), {"@timestamp": "1960-01-01T00:00:00.000Z"})
    assert [hit.position for hit in bench.hits(index, page_size=1)] == [-315619200000, NOON_MS, 253402300799999]


def test_a_document_without_the_date_comes_last(bench: Bench) -> None:
    """What lacks the date is read all the same, after all others, be the date mapped in its index or not."""
    dated = bench.index("dated")
    undated = bench.index("undated", {"name": {"type": "keyword"}})
    bench.fill(dated, {"name": "none"}, at(0))
    bench.fill(undated, {"name": "unmapped"}, first=2)
    ids = bench.ids(dated, undated, page_size=1)
    assert (ids[0], sorted(ids[1:])) == ("1", ["0", "2"])


def test_a_scan_may_be_ordered_by_another_date(bench: Bench) -> None:
    """`order_by` names the field that hits are ordered by."""
    index = bench.index("ingested", PROPERTIES | {"event": {"properties": {"ingested": {"type": "date"}}}})
    bench.fill(index, at(0, event={"ingested": at(2)["@timestamp"]}), at(1, event={"ingested": at(1)["@timestamp"]}))
    hits = bench.hits(index, order_by="event.ingested")
    assert [(hit.key.id, hit.position - NOON_MS) for hit in hits] == [("1", 1000), ("0", 2000)]


def test_a_shard_is_read_by_sequence_number(bench: Bench) -> None:
    """`_seq_no` and `shard` read one shard in the order of writing; the shards together are the index."""
    index = bench.index("shards", shards=2)
    bench.fill(index, *[at(-number) for number in range(20)])
    of_shards = [bench.hits(index, order_by="_seq_no", shard=Shard(index, number), page_size=3) for number in (0, 1)]
    for hits in of_shards:
        assert [hit.position for hit in hits] == list(range(len(hits)))
        assert [int(hit.key.id) for hit in hits] == sorted(int(hit.key.id) for hit in hits)
    assert sorted(int(hit.key.id) for hits in of_shards for hit in hits) == list(range(20))


def test_a_shard_is_read_from_a_sequence_number_on(bench: Bench) -> None:
    """A range over `_seq_no` is a filter like any other."""
    index = bench.index("sequence")
    bench.fill(index, *[at(0)] * 6)
    part = {"range": {"_seq_no": {"gte": 2, "lt": 5}}}
    assert bench.ids(index, order_by="_seq_no", shard=Shard(index, 0), filter=part) == ["2", "3", "4"]


def test_an_update_has_a_new_sequence_number(bench: Bench) -> None:
    """The document is read under it, and no more under the old one; the shard has come as far."""
    index = bench.index("updated")
    first, _ = bench.fill(index, at(0), at(1))
    (found,) = bench.store.get([first])
    assert found is not None
    assert verdicts(bench.store.put([Put(Document(first, at(2)), found.seen)])) == ["updated"]
    bench.store.refresh([index])
    hits = bench.hits(index, order_by="_seq_no", shard=Shard(index, 0))
    assert [(hit.key.id, hit.position) for hit in hits] == [("1", 1), ("0", 2)]
    some = {"bool": {"should": [{"terms": {"_seq_no": [0, 2]}}, {"range": {"_seq_no": {"gte": 9}}}]}}
    assert bench.ids(index, order_by="_seq_no", shard=Shard(index, 0), filter=some) == ["0"]
    (progress,) = bench.store.shard_progress([index])
    assert progress.global_checkpoint == progress.max_seq_no == 2


def test_a_scan_sees_one_point_in_time(bench: Bench) -> None:
    """What becomes searchable while a scan is under way is not in it."""
    index = bench.index("moment")
    bench.fill(index, at(0), at(2))
    scan = bench.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=1))
    first = next(scan)
    bench.fill(index, at(1), at(3), first=2)
    assert [hit.key.id for hit in [*first.hits, *hits_of(scan)]] == ["0", "1"]


# What scans find


def test_a_hit_says_which_queries_it_matches(bench: Bench) -> None:
    """A document is a hit if any query matches, once, with the names of all that do."""
    index = bench.index("names")
    bench.fill(
        index, at(0, name="a", size=1), at(1, name="b", size=1), at(2, name="b", size=2), at(3, name="c", size=3)
    )
    queries = {
        "is a": {"term": {"name": "a"}},
        "is b": {"term": {"name": "b"}},
        "small": {"range": {"size": {"lt": 2}}},
    }
    hits = bench.hits(index, queries=queries)
    assert [(hit.key.id, sorted(hit.names)) for hit in hits] == [
        ("0", ["is a", "small"]),
        ("1", ["is b", "small"]),
        ("2", ["is b"]),
    ]


def test_the_only_query_is_named_as_well(bench: Bench) -> None:
    """One query is no special case."""
    index = bench.index("single")
    bench.fill(index, at(0, name="a"), at(1, name="b"))
    hits = bench.hits(index, queries={"only": {"term": {"name": "b"}}})
    assert [(hit.key.id, hit.names) for hit in hits] == [("1", frozenset({"only"}))]


def test_names_are_right_for_every_kind_of_query(bench: Bench) -> None:
    """Each query is named on exactly the documents that it finds alone, though another finds all of them."""
    index = bench.index("kinds")
    bench.fill(
        index, at(0, name="Alpha", size=7, ip="10.1.2.3"), at(1, name="Gamma"), at(2, name="Gamma", ip="192.168.0.1")
    )
    for query in KINDS:
        alone = set(bench.ids(index, queries={"it": query}))
        hits = bench.hits(index, queries={"it": query, "all": ALL})
        assert "0" in alone, query
        assert {hit.key.id for hit in hits if "it" in hit.names} == alone, query
        assert all("all" in hit.names for hit in hits), query


def test_a_name_within_a_query_is_not_taken_for_the_name_of_a_query(bench: Bench) -> None:
    """Whatever `_name` somebody put into a query, `Hit.names` holds keys of `Scan.queries` that match."""
    index = bench.index("inner")
    bench.fill(index, at(0, name="a"), at(1, name="b"))
    queries = {"b": {"term": {"name": "b"}}, "a": {"term": {"name": {"value": "a", "_name": "b"}}}}
    assert [sorted(hit.names) for hit in bench.hits(index, queries=queries)] == [["a"], ["b"]]


def test_the_filter_holds_for_every_query(bench: Bench) -> None:
    """A hit matches the filter as well; the range has a start that is in and an end that is not."""
    index = bench.index("filtered")
    bench.fill(index, *[at(second, name="a") for second in range(5)])
    span = {"range": {"@timestamp": {"gte": at(1)["@timestamp"], "lt": at(3)["@timestamp"]}}}
    assert bench.ids(index, queries={"a": {"term": {"name": "a"}}, "all": ALL}, filter=span) == ["1", "2"]


def test_a_query_dropped_between_pages_finds_nothing_more(bench: Bench) -> None:
    """Deleting a name from the queries keeps it off the later pages, where the others go on."""
    index = bench.index("dropped")
    bench.fill(index, *[at(second, name="ab"[second % 2]) for second in range(8)])
    queries: dict[str, Any] = {"a": {"term": {"name": "a"}}, "b": {"term": {"name": "b"}}}
    scan = bench.store.scan(Scan((index,), queries, ALL, page_size=3))
    first = next(scan)
    del queries["a"]
    assert [hit.key.id for hit in first.hits] == ["0", "1", "2"]
    assert [hit.key.id for hit in hits_of(scan)] == ["3", "5", "7"]


def test_a_scan_ends_when_no_query_is_left(bench: Bench) -> None:
    """After the last name is deleted there are no more pages."""
    index = bench.index("ended")
    bench.fill(index, *[at(0)] * 5)
    queries: dict[str, Any] = {"all": ALL}
    scan = bench.store.scan(Scan((index,), queries, ALL, page_size=2))
    assert len(next(scan).hits) == 2
    queries.clear()
    assert list(scan) == []


def test_hits_carry_the_document_as_written(bench: Bench) -> None:
    """The source is the document, down to empty lists, nulls and fields that are not mapped."""
    index = bench.index("source")
    source = at(0, name=[], deep={"a.b": [{"c": None}], "d": 1.5, "e": "\u00e9\u4e16\U0001f600"}, size=2**53 + 1)
    bench.fill(index, source)
    assert bench.hits(index)[0].source == source


def test_expressions_that_match_nothing_find_nothing(bench: Bench) -> None:
    """A missing index or pattern is no error, alone or beside one that exists."""
    index = bench.index("here")
    bench.fill(index, at(0))
    nowhere = [bench.prefix + "nowhere", bench.prefix + "no*"]
    assert bench.hits(*nowhere) == bench.hits() == []
    assert bench.hits(nowhere[0], index, nowhere[1])[0].key == Key(index, "0")


def test_a_query_that_makes_no_sense_is_rejected(bench: Bench) -> None:
    """A query that every shard refuses is an error, and the words of the refusal are in it."""
    index = bench.index("refused")
    bench.fill(index, at(0))
    with pytest.raises(StoreRejected, match="nonsense"):
        bench.pages(index, queries={"bad": {"nonsense": {}}})


def test_a_scan_is_given_up_when_its_time_is_over(bench: Bench) -> None:
    """`within` is a limit: the store says that it was asked for too much."""
    index = bench.index("late")
    bench.fill(index, at(0))
    with pytest.raises(StoreOverwhelmed):
        bench.pages(index, within=timedelta(microseconds=1))


# Counting and aggregating


def test_a_count_is_exact(bench: Bench) -> None:
    """A count knows no 10,000 beyond which it guesses, and no index counts nothing."""
    index = bench.index("counted", shards=2)
    bench.fill(index, *[at(0, size=number % 2) for number in range(10_050)])
    assert bench.store.count([index], ALL, within=SOON).value == 10_050
    assert bench.store.count([index, bench.prefix + "no*"], {"term": {"size": 1}}, within=SOON).value == 5_025
    nothing = bench.store.count([bench.prefix + "nowhere"], ALL, within=SOON)
    assert (nothing.value, nothing.is_whole) == (0, True)


def test_aggregations_are_over_what_the_query_matches(bench: Bench) -> None:
    """The values are the answer's `aggregations` object."""
    index = bench.index("aggregated")
    bench.fill(index, at(0, name="a", size=1), at(1, name="a", size=2), at(2, name="b", size=4))
    by_name = {"names": {"terms": {"field": "name"}, "aggs": {"most": {"max": {"field": "size"}}}}}
    answer = bench.store.aggregate([index], {"range": {"size": {"gte": 2}}}, by_name, within=SOON)
    buckets = answer.values["names"]["buckets"]
    found = {bucket["key"]: (bucket["doc_count"], bucket["most"]["value"]) for bucket in buckets}
    assert (found, answer.is_whole) == ({"a": (1, 2.0), "b": (1, 4.0)}, True)


def test_aggregations_over_no_index_have_no_values(bench: Bench) -> None:
    """Where no index matches there is nothing, and that is whole."""
    answer = bench.store.aggregate([bench.prefix + "no*"], ALL, {"n": {"terms": {"field": "name"}}}, within=SOON)
    assert (dict(answer.values), answer.is_whole) == ({}, True)


# Writing and reading


def test_an_id_that_is_taken_is_left_alone(bench: Bench) -> None:
    """`create` says EXISTS and changes nothing, within one call as well."""
    index = bench.index("taken")
    key, other = Key(index, "1"), Key(index, "2")
    first = bench.store.create([Document(key, {"size": 1})])
    again = bench.store.create([Document(key, {"size": 2}), Document(other, {"size": 3}), Document(other, {"size": 4})])
    assert (verdicts(first), verdicts(again)) == (["created"], ["exists", "created", "exists"])
    assert [found and found.source["size"] for found in bench.store.get([key, other])] == [1, 3]


def test_every_outcome_stands_where_its_document_stood(bench: Bench) -> None:
    """Outcomes are in the order of the documents, over as many requests as it takes."""
    index = bench.index("many")
    bench.fill(index, *[at(0)] * 3)
    documents = [
        Document(Key(index, str(number)), {"size": number if number % 5 else "odd"}) for number in range(1_203)
    ]
    expected = ["exists" if n < 3 else "created" if n % 5 else "rejected" for n in range(1_203)]
    expected[0] = verdicts(bench.store.create(documents[:1]))[0]  # which comes first, its id or its mapping, is open
    assert verdicts(bench.store.create(documents)) == expected


def test_a_document_that_does_not_fit_is_rejected_alone(bench: Bench) -> None:
    """REJECTED says why in the store's words; the neighbours are written."""
    index = bench.index("misfit")
    documents = [Document(Key(index, name), {"size": size}) for name, size in (("a", 1), ("b", "wide"), ("c", 3))]
    outcomes = bench.store.create(documents)
    assert verdicts(outcomes) == ["created", "rejected", "created"]
    assert "size" in outcomes[1].reason


def test_a_document_that_is_no_json_is_rejected_alone(bench: Bench) -> None:
    """A value that JSON lacks is the document's fault, not the caller's program's end."""
    index = bench.index("object")
    documents = [Document(Key(index, "a"), {"x": object()}), Document(Key(index, "b"), {"x": 1})]
    assert verdicts(bench.store.create(documents)) == ["rejected", "created"]


def test_odd_text_and_numbers_are_written(bench: Bench) -> None:
    """Half a surrogate pair, NaN or a huge integer keeps no document out, nor a page from being read."""
    index = bench.index("odd")
    bench.fill(index, at(0, x="\ud800"), at(1, x=float("nan")), at(2, x=1 << 70), at(3, x="\ud800", y=float("inf")))
    sources = [hit.source for hit in bench.hits(index)]
    assert [source["x"] for source in sources][:2] == ["\ufffd", None]
    assert sources[3]["y"] is None


def test_nothing_to_write_or_read_is_fine(store: Store) -> None:
    """Empty requests have empty answers."""
    assert (store.create([]), store.put([]), store.get([])) == ([], [], [])


def test_a_written_document_is_read_at_once(bench: Bench) -> None:
    """`get` does not wait for a refresh; what is not there is None, in the order asked for."""
    index = bench.index("fresh")
    bench.store.create([Document(Key(index, "1"), {"size": 1})])
    found = bench.store.get([Key(bench.prefix + "nowhere", "1"), Key(index, "1"), Key(index, "2")])
    assert [each and (each.key, each.source) for each in found] == [None, (Key(index, "1"), {"size": 1}), None]


def test_many_documents_are_read_in_order(bench: Bench) -> None:
    """The order of the answers is the order of the keys, over as many requests as it takes."""
    index = bench.index("read")
    keys = bench.fill(index, *[at(0, size=number) for number in range(1_100)])
    found = bench.store.get(keys[::-1])
    assert [each and each.source["size"] for each in found] == list(range(1_099, -1, -1))


def test_parts_of_a_document_are_read_by_their_names(bench: Bench) -> None:
    """`fields` are top-level parts, names with dots in them included; nothing else is brought."""
    index = bench.index("parts")
    bench.fill(
        index, {"kibana.alert.ancestors": [{"id": "1", "depth": 0}], "kibana.alert.depth": 1, "process": {"a": 2}}
    )
    (found,) = bench.store.get([Key(index, "0")], ["kibana.alert.ancestors", "process"])
    assert found is not None
    assert found.source == {"kibana.alert.ancestors": [{"id": "1", "depth": 0}], "process": {"a": 2}}
    (nothing,) = bench.store.get([Key(index, "0")], [])
    assert nothing is not None
    assert nothing.source == {}


def test_put_replaces_what_was_seen(bench: Bench) -> None:
    """A document in the state that the caller saw is UPDATED; one that must not exist is CREATED."""
    index = bench.index("put")
    document = Document(Key(index, "1"), {"size": 1})
    assert verdicts(bench.store.put([Put(document, None)])) == ["created"]
    (found,) = bench.store.get([document.key])
    assert found is not None
    assert verdicts(bench.store.put([Put(Document(document.key, {"size": 2}), found.seen)])) == ["updated"]
    (now,) = bench.store.get([document.key])
    assert now is not None
    assert (now.source, now.seen != found.seen) == ({"size": 2}, True)


def test_put_leaves_alone_what_has_changed(bench: Bench) -> None:
    """CONFLICT: the document is in another state, exists though it must not, or is gone."""
    index = bench.index("conflict")
    bench.fill(index, {"size": 1})
    (seen,) = bench.store.get([Key(index, "0")])
    assert seen is not None
    bench.store.put([Put(Document(seen.key, {"size": 2}), seen.seen)])
    document = Document(seen.key, {"size": 3})
    missing = Document(Key(index, "gone"), {"size": 3})
    outcomes = bench.store.put([Put(document, seen.seen), Put(document, None), Put(missing, Seen(7, 1))])
    assert verdicts(outcomes) == ["conflict"] * 3
    assert [each and each.source["size"] for each in bench.store.get([seen.key, missing.key])] == [2, None]


def test_put_rejects_what_does_not_fit(bench: Bench) -> None:
    """A mapping conflict is no optimistic conflict."""
    index = bench.index("fit")
    assert verdicts(bench.store.put([Put(Document(Key(index, "1"), {"size": "wide"}), None)])) == ["rejected"]


def test_one_of_many_racers_wins(bench: Bench) -> None:
    """Of many that saw the same state, exactly one replaces it."""
    index = bench.index("race")
    bench.fill(index, {"size": 0})
    (seen,) = bench.store.get([Key(index, "0")])
    assert seen is not None
    results: list[str] = []
    gate = threading.Barrier(8)

    def race(number: int) -> None:
        gate.wait()
        results.extend(verdicts(bench.store.put([Put(Document(seen.key, {"size": number}), seen.seen)])))

    racers = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert Counter(results) == {"updated": 1, "conflict": 7}


# What there is


def test_an_index_that_a_query_leaves_out_need_not_understand_it(bench: Bench) -> None:
    """A value that one index could not compare is not even looked at there; the other query is asked of both."""
    one = bench.index("one", {"a": {"type": "keyword"}})
    other = bench.index("other", {"a": {"type": "ip"}})
    bench.fill(one, {"a": "evil"}, {"a": "good"})
    bench.fill(other, {"a": "::1"})
    guarded = {"bool": {"filter": [{"terms": {"a": ["evil"]}}], "must_not": [{"terms": {"_index": [other]}}]}}
    queries = {"guarded": guarded, "all": ALL}
    found = {(hit.key.index, hit.key.id): hit.names for hit in bench.hits(one, other, queries=queries)}
    assert found == {(one, "0"): {"guarded", "all"}, (one, "1"): {"all"}, (other, "0"): {"all"}}
    counted = bench.store.count([one, other], guarded, within=SOON)
    assert (counted.value, counted.is_whole) == (1, True)
    answer = bench.store.aggregate([one, other], guarded, {"n": {"terms": {"field": "_index"}}}, within=SOON)
    assert answer.is_whole
    assert [bucket["key"] for bucket in answer.values["n"]["buckets"]] == [one]


def test_a_pattern_stands_for_the_fields_that_it_fits(bench: Bench) -> None:
    """Sub-fields and aliases are fields; objects and metadata are none, and what fits nothing is unmapped."""
    one = bench.index(
        "one",
        {
            "hash": {"properties": {"md5": {"type": "keyword"}, "size": {"type": "long"}, "more": {"properties": {}}}},
            "hashed": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "also": {"type": "alias", "path": "hash.md5"},
        },
    )
    other = bench.index("other", {"hash": {"properties": {"md5": {"type": "ip"}}}})
    bench.fill(one, {"hash": {"md5": "a", "size": 1}})
    bench.fill(other, {"hash": {"md5": "::1"}})
    md5 = {"keyword": frozenset({one}), "ip": frozenset({other})}
    size = {"long": frozenset({one}), "unmapped": frozenset({other})}
    unmapped = {"unmapped": frozenset({one, other})}
    assert bench.store.field_types([one, other], ["hash.*"]).types == {
        "hash.*": unmapped,
        "hash.md5": md5,
        "hash.size": size,
    }
    found = bench.store.field_types([one, other], ["*a*h*", "also", "_i*", "no*"]).types
    assert found.keys() == {"*a*h*", "hash.md5", "hash.size", "hashed", "hashed.raw", "also", "_i*", "no*"}
    assert found["also"] == {"keyword": frozenset({one}), "unmapped": frozenset({other})}
    assert found["no*"] == unmapped
    assert "ha*d" in bench.store.field_types([one], ["ha*d"]).types
    assert bench.store.field_types([one], ["al*"]).types.keys() == {"al*", "also"}


def test_field_types_are_told_by_index(bench: Bench) -> None:
    """Each type of a field names the indices that map it so; an index without the field is under `unmapped`."""
    one = bench.index(
        "one", {"a": {"type": "keyword"}, "b": {"type": "long"}, "o": {"properties": {"p": {"type": "ip"}}}}
    )
    other = bench.index("other", {"a": {"type": "keyword"}, "b": {"type": "text"}})
    bench.fill(one, {})
    bench.fill(other, {})
    types = bench.store.field_types([bench.prefix + "*"], ["a", "b", "o", "o.p", "nowhere"]).types
    assert bench.store.field_types([one, other], ["o"]).types["o"] == types["o"]
    both = frozenset({one, other})
    assert types["a"] == {"keyword": both}
    assert types["b"] == {"long": frozenset({one}), "text": frozenset({other})}
    assert types["o"] == {"object": frozenset({one}), UNMAPPED: frozenset({other})}
    assert types["o.p"] == {"ip": frozenset({one}), UNMAPPED: frozenset({other})}
    assert types["nowhere"] == {UNMAPPED: both}


def test_every_expression_has_its_indices(bench: Bench) -> None:
    """An expression stands for concrete indices; one that matches nothing for none, and then no field has a type."""
    one, other = bench.index("one"), bench.index("other")
    bench.fill(one, {})
    bench.fill(other, {})
    everything, nothing = bench.prefix + "*", bench.prefix + "no*"
    found = bench.store.field_types([one, everything, nothing], [])
    assert found.indices == {one: frozenset({one}), everything: frozenset({one, other}), nothing: frozenset()}
    nowhere = bench.store.field_types([nothing, bench.prefix + "nowhere"], ["name"])
    assert (nowhere.types, nowhere.lowercase) == ({"name": {}}, frozenset())


def test_every_index_has_an_identity_of_its_own(bench: Bench) -> None:
    """It stays with the index, whatever is written to it and whatever was asked."""
    one, other = bench.index("one"), bench.index("other")
    bench.fill(one, {})
    bench.fill(other, {})
    everything = bench.prefix + "*"
    found = bench.store.field_types([everything, one], []).identities
    assert found.keys() == {one, other}
    assert found[one] != found[other]
    bench.fill(one, {"name": "later"}, first=1)
    assert bench.store.field_types([one, other], ["name"]).identities == found
    assert bench.store.field_types([bench.prefix + "no*"], ["name"]).identities == {}


def test_lowercase_fields_are_so_everywhere(bench: Bench) -> None:
    """`lowercase` holds fields that every index has, with the normalizer, for long values too."""

    def normalized(**more: Any) -> dict[str, Any]:
        return {"type": "keyword", "normalizer": "lowercase", **more}

    sub_fields = {"lower": normalized(), "short": normalized(ignore_above=255), "long": normalized(ignore_above=256)}
    one = bench.index("one", {"name": {"type": "keyword", "fields": sub_fields | {"rare": normalized()}}})
    other = bench.index("other", {"name": {"type": "keyword", "fields": sub_fields}})
    bench.fill(one, {})
    bench.fill(other, {})
    names = ["name", "name.lower", "name.short", "name.long", "name.rare"]
    assert bench.store.field_types([one, other], names).lowercase == {"name.lower", "name.long"}
    assert bench.store.field_types([one], names).lowercase == {"name.lower", "name.long", "name.rare"}


def test_a_refresh_makes_writes_searchable(bench: Bench) -> None:
    """What was written is found after `refresh`; indices that do not exist are passed over."""
    index = bench.index("refreshed")
    bench.fill(index, at(0))
    bench.store.create([Document(Key(index, "1"), at(1))])
    bench.store.refresh([bench.prefix + "nowhere", index, bench.prefix + "no*"])
    assert bench.ids(index) == ["0", "1"]


def test_shards_tell_how_far_they_are(bench: Bench) -> None:
    """After N writes the shards stand at N in all, with identities that stay; a missing index has no shards."""
    index = bench.index("progress", shards=2)
    bench.fill(index, *[at(0)] * 9)
    before = bench.store.shard_progress([index, bench.prefix + "nowhere"])
    bench.fill(index, at(0), first=9)
    after = bench.store.shard_progress([index])
    assert [progress.shard for progress in before] == [Shard(index, 0), Shard(index, 1)]
    assert sum(progress.max_seq_no + 1 for progress in before) == 9
    assert sum(progress.global_checkpoint + 1 for progress in after) == 10
    assert [(each.index_uuid, each.history_uuid) for each in before] == [
        (each.index_uuid, each.history_uuid) for each in after
    ]
    assert all(each.index_uuid and each.history_uuid for each in after)


def test_two_indices_are_told_apart(bench: Bench) -> None:
    """Two indices differ in `index_uuid`, and their shards in `history_uuid`."""
    one, other = bench.index("one"), bench.index("other")
    bench.fill(one, at(0))
    bench.fill(other, at(0))
    progress = bench.store.shard_progress([one, other])
    assert len({each.index_uuid for each in progress}) == len({each.history_uuid for each in progress}) == 2


def test_the_clock_is_right_and_never_ahead(store: Store) -> None:
    """The store's time is in UTC and within two seconds of ours, which it never passes."""
    before = datetime.now(UTC)
    told = store.clock()
    assert told.tzinfo is UTC
    assert before - timedelta(seconds=2) <= told <= datetime.now(UTC)


def test_templates_are_written_when_they_are_missing_or_older(bench: Bench) -> None:
    """`prepare` tells what it wrote, does nothing twice, upgrades, and never downgrades."""

    def template(version: int, kind: str) -> IndexTemplate:
        name = bench.prefix + "template"
        return IndexTemplate(name, (f"{name}-*",), version, {"mappings": {"properties": {"x": {"type": kind}}}})

    name = bench.prefix + "template"
    assert bench.store.prepare([template(2, "long")]) == [name]
    assert bench.store.prepare([template(2, "ip")]) == []
    assert bench.store.prepare([template(3, "keyword")]) == [name]
    assert bench.store.prepare([template(2, "long")]) == []
    bench.fill(f"{name}-1", {"x": "1"})
    assert bench.store.field_types([f"{name}-1"], ["x"]).types["x"] == {"keyword": frozenset({f"{name}-1"})}


# The end


def test_a_stopped_store_does_nothing_more(bench: Bench) -> None:
    """After `stop` every verb fails with StoreUnavailable."""
    index = bench.index("stopped")
    bench.fill(index, at(0))
    store = bench.store
    verbs: dict[str, Callable[[], object]] = {
        "scan": lambda: bench.pages(index),
        "count": lambda: store.count([index], ALL, within=SOON),
        "aggregate": lambda: store.aggregate([index], ALL, {"n": {"max": {"field": "size"}}}, within=SOON),
        "get": lambda: store.get([Key(index, "0")]),
        "field_types": lambda: store.field_types([index], ["name"]),
        "refresh": lambda: store.refresh([index]),
        "shard_progress": lambda: store.shard_progress([index]),
        "clock": store.clock,
        "prepare": lambda: store.prepare([IndexTemplate(bench.prefix + "t", (bench.prefix + "t",), 1, {})]),
    }
    for verb in verbs.values():
        verb()
    store.stop()
    for verb in verbs.values():
        with pytest.raises(StoreUnavailable):
            verb()


def test_a_scan_under_way_fails_when_the_store_is_stopped(bench: Bench) -> None:
    """`stop` ends a scan between pages with an error, so that nobody takes what was read for everything."""
    index = bench.index("cut")
    bench.fill(index, *[at(0)] * 4)
    scan = bench.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=2))
    next(scan)
    bench.store.stop()
    with pytest.raises(StoreUnavailable):
        list(scan)


def test_a_stopped_store_writes_nothing(bench: Bench) -> None:
    """After `stop`, writes are reported per document as UNAVAILABLE."""
    index = bench.index("unwritten")
    document = Document(Key(index, "1"), {})
    bench.store.stop()
    assert verdicts(bench.store.create([document, document])) == ["unavailable"] * 2
    assert verdicts(bench.store.put([Put(document, None)])) == ["unavailable"]


# Languages that not every store has


def answer_or_refusal(call: Callable[[], Any]) -> Any:
    """What the store answers, or the text of its refusal."""
    try:
        return call()
    except StoreRejected as error:
        return str(error)


def test_esql_is_answered_or_refused_by_name(bench: Bench) -> None:
    """A server with the language gives rows of the documents that match the condition; other stores name a way out."""
    index = bench.index("piped")
    bench.fill(index, at(0, name="a", size=1), at(1, name="b", size=2), at(2, name="c", size=3))
    query = f"FROM {index} METADATA _id, _index | SORT size DESC | KEEP _index, _id, name, size"
    rows = answer_or_refusal(lambda: bench.store.esql(query, {"range": {"size": {"lte": 2}}}, within=SOON))
    if isinstance(rows, str):
        assert re.search(r"ES\|QL.*KQL or EQL", rows)
        return
    assert rows.columns == (("_index", "keyword"), ("_id", "keyword"), ("name", "keyword"), ("size", "long"))
    assert rows.rows == ((index, "1", "b", 2), (index, "0", "a", 1))
    assert not rows.is_partial
    with pytest.raises(StoreRejected):
        bench.store.esql(f"FROM {index} | NONSENSE", ALL, within=SOON)


def test_eql_search_is_answered_or_refused_by_name(bench: Bench) -> None:
    """A server with the search gives its answer as it is; other stores name the setting that does without it."""
    index = bench.index("events")
    bench.fill(index, at(0, name="a", size=1), at(1, name="b", size=2), at(2, name="c", size=3))
    body = {"query": "sequence [any where size == 1] [any where size == 3]"}
    answer = answer_or_refusal(lambda: bench.store.eql([index, bench.prefix + "nothing"], body, within=SOON))
    if isinstance(answer, str):
        assert re.search(r"EQL search.*eql_engine: own", answer)
        return
    (sequence,) = answer["hits"]["sequences"]
    assert [event["_id"] for event in sequence["events"]] == ["0", "2"]
