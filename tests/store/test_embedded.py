"""What is the embedded store's own: segments, retention, several stores on one folder, names and templates."""

from __future__ import annotations

import os
import random
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lolbin_rules.store.embedded import EmbeddedStore, growth, rows, scan, seal, search
from lolbin_rules.store.port import Document, IndexTemplate, Key, Put, Query, Scan, Seen
from store.bench import ALL, Bench, hits_of, verdicts
from store.conftest import SMALL, open_embedded

if TYPE_CHECKING:
    from pathlib import Path

SOON = timedelta(seconds=30)
NOON_MS = 1767268800000

QUERIES: dict[str, Any] = {
    "all": ALL,
    "one": {"term": {"name": "b"}},
    "caseless": {"term": {"name": {"value": "B", "case_insensitive": True}}},
    "several": {"terms": {"name": ["a", "c"]}},
    "large": {"range": {"size": {"gte": 50}}},
    "there": {"exists": {"field": "ip"}},
    "inside": {"term": {"ip": "10.0.0.0/9"}},
    "not": {"bool": {"must_not": [{"term": {"name": "a"}}, {"exists": {"field": "ip"}}]}},
    "early": {"range": {"@timestamp": {"lt": NOON_MS + 100_000, "format": "epoch_millis"}}},
    "by id": {"ids": {"values": ["3", "40", "41", "200"]}},
    "by index": {"term": {"_index": "t-mixed"}},
    "late write": {"range": {"_seq_no": {"gte": 60}}},
    "new": {"exists": {"field": "added"}},
}


def source(chance: random.Random) -> dict[str, Any]:
    """An event by chance, with absent fields and several values."""
    event: dict[str, Any] = {"name": chance.choice(["a", "b", "c", ["a", "c"], "B"]), "size": chance.randrange(100)}
    moments = [NOON_MS + chance.randrange(300_000) for _ in range(chance.choice([0, 1, 1, 1, 2]))]
    if moments:
        event["@timestamp"] = moments if len(moments) > 1 else moments[0]
    if chance.random() < 0.5:
        event["ip"] = chance.choice(["10.1.2.3", "10.200.1.1", ["fe80::1", "10.1.1.1"]])
    if chance.random() < 0.1:
        event["added"] = chance.random()
    return event


def mixed(bench: Bench, seed: int) -> None:
    """An index of a hundred documents, of which some were written twice and some removed."""
    chance = random.Random(seed)
    index = bench.prefix + "mixed"
    properties = {"@timestamp": {"type": "date"}, "name": {"type": "keyword"}, "ip": {"type": "ip"}}
    bench.store.prepare([IndexTemplate("t", (index,), 1, {"mappings": {"properties": properties}})])
    for start in range(0, 100, 9):
        bench.fill(index, *(source(chance) for _ in range(9)), first=start)
        for number in chance.sample(range(start + 9), 2):
            (stored,) = bench.store.get([Key(index, str(number))])
            if stored is not None:
                bench.store.put([Put(Document(stored.key, source(chance)), stored.seen)])
    retain(bench.store, index, NOON_MS + 20_000)


def retain(store: Any, index: str, before_ms: int) -> int:
    """Remove what happened before."""
    moment = datetime.fromtimestamp(before_ms / 1000, UTC)
    assert isinstance(store, EmbeddedStore)
    return store.retain([index], older_than=moment)


def all_answers(bench: Bench) -> dict[str, Any]:
    """What the store says of that index: hits in several orders, through several filters; counts; aggregations."""
    index = bench.prefix + "mixed"
    window = {"range": {"@timestamp": {"gte": NOON_MS + 50_000, "lt": NOON_MS + 90_000, "format": "epoch_millis"}}}
    # Two conditions that different times of one document may fulfil.
    apart = [
        {"range": {"@timestamp": {"gte": NOON_MS + 150_000, "format": "epoch_millis"}}},
        {"range": {"@timestamp": {"lt": NOON_MS + 120_000, "format": "epoch_millis"}}},
    ]
    aggregations = {
        "names": {"terms": {"field": "name"}, "aggs": {"sizes": {"sum": {"field": "size"}}}},
        "ids": {"cardinality": {"field": "ip"}},
    }
    return {
        "hits": bench.hits(index, queries=QUERIES, page_size=7),
        "window": bench.hits(index, queries=QUERIES, filter=window),
        "apart": bench.hits(index, queries=QUERIES, filter={"bool": {"filter": apart}}),
        "by number": bench.hits(index, queries=QUERIES, order_by="_seq_no"),
        "counts": {name: bench.store.count([index], query, within=SOON).value for name, query in QUERIES.items()},
        "aggregations": {
            name: bench.store.aggregate([index], query, aggregations, within=SOON).values
            for name, query in QUERIES.items()
        },
    }


@pytest.mark.parametrize("seed", range(3))
def test_columns_and_single_documents_have_the_same_answers(
    folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However documents were written, changed and removed, it makes no difference how they are read."""
    answers = []
    for few in (0, 10**9):
        monkeypatch.setattr(search, "_few", lambda *_, few=few, **__: few)
        store = open_embedded(folder / str(few), segment_rows=SMALL)
        mixed(Bench(store, "t-"), seed)
        answers.append(all_answers(Bench(store, "t-")))
        store.close()
    assert answers[0] == answers[1]
    assert all(answers[0].values())
    assert {name for hit in answers[0]["hits"] for name in hit.names} == QUERIES.keys()


@pytest.mark.usefixtures("columns_only")
@pytest.mark.parametrize("seed", range(2))
def test_the_writers_columns_are_those_of_its_documents(
    folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk under way is read from what its writer has; a store that wrote nothing reads it from the documents."""
    read: list[object] = []

    def every_row(*asked: Any) -> Any:
        read.append(asked)
        return rows.every_row(*asked)

    monkeypatch.setattr(seal, "every_row", every_row)
    writer = open_embedded(folder, segment_rows=1024)
    mixed(Bench(writer, "t-"), seed)
    answers = all_answers(Bench(writer, "t-"))
    assert not read
    reader = open_embedded(folder)
    assert all_answers(Bench(reader, "t-")) == answers
    assert read
    reader.close()
    writer.close()


@pytest.mark.usefixtures("columns_only")
def test_segments_that_are_gone_or_damaged_are_built_again(folder: Path, small: Bench) -> None:
    """Missing, cut off, overwritten, or replaced by the segment of another chunk: the answers stay the same."""
    mixed(small, 7)
    before = all_answers(small)
    files = sorted((folder / "segments").glob("*/*.segment"))
    assert len(files) == 6
    raw = files[2].read_bytes()
    files[0].unlink()
    files[1].write_bytes(b"")
    files[2].write_bytes(raw[: len(raw) // 2])
    files[3].write_bytes(bytes(255 - byte if place % 50 == 7 else byte for place, byte in enumerate(raw)))
    files[4].write_bytes(files[5].read_bytes()[:-40])
    assert all_answers(small) == before
    assert len(list((folder / "segments").glob("*/*.segment"))) == 6
    assert not {*files[:5]} & {*(folder / "segments").glob("*/*.segment")}


@pytest.mark.usefixtures("columns_only")
def test_pages_of_long_documents_are_short(small: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many hits were asked for; a query that is given up in between has none of the later ones."""
    monkeypatch.setattr(scan, "_PAGE_BYTES", 2_500)
    index = small.index("long")
    small.fill(index, *[{"@timestamp": number, "pad": "x" * 1_000} for number in range(7)])
    assert [len(page.hits) for page in small.pages(index)] == [3, 3, 1]
    queries: dict[str, Query] = {"all": ALL, "given up": ALL}
    names = []
    for page in small.store.scan(Scan((index,), queries, ALL)):
        names += [sorted(hit.names) for hit in page.hits]
        queries.pop("given up", None)
    assert names == [["all", "given up"]] * 3 + [["all"]] * 4


def test_long_documents_are_not_all_held_at_once(small: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of 30 MB, whose documents are looked at one by one, takes a few of them at a time."""
    monkeypatch.setattr(scan, "_PAGE_BYTES", 1_000_000)
    monkeypatch.setattr(rows, "_BATCH_BYTES", 1_000_000)
    monkeypatch.setattr(search, "_few", lambda *_, **__: 10**9)
    index = small.index("heavy")
    small.fill(index, *[{"@timestamp": number, "pad": "x" * 300_000} for number in range(100)])
    tracemalloc.start()
    try:
        assert sum(len(page.hits) for page in small.store.scan(Scan((index,), {"all": ALL}, ALL))) == 100
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_store_that_is_opened_again_is_as_it_was(folder: Path) -> None:
    """Documents, mappings, templates, sequence numbers and segments are all there after closing."""
    store = open_embedded(folder, segment_rows=SMALL)
    mixed(Bench(store, "t-"), 8)
    before, progress = all_answers(Bench(store, "t-")), store.shard_progress(["t-*"])
    store.close()
    store = open_embedded(folder)
    assert all_answers(Bench(store, "t-")) == before
    assert store.shard_progress(["t-*"]) == progress
    assert store.prepare([IndexTemplate("t", ("t-mixed",), 1, {})]) == []
    assert verdicts(store.create([Document(Key("t-mixed", "40"), {}), Document(Key("t-mixed", "new"), {})])) == [
        "exists",
        "created",
    ]
    assert store._database.segment_rows == SMALL
    store.close()


def test_what_a_killed_program_left_is_swept_up(folder: Path) -> None:
    """Old files in the folder of segments that nobody knows of are removed; one may be just being made elsewhere."""
    store = open_embedded(folder, segment_rows=SMALL)
    mixed(Bench(store, "t-"), 9)
    store.close()
    known = sorted((folder / "segments").glob("*/*"))
    left = [known[0].parent / name for name in ("0-12345678.segment", "0-12345678.segment.123.tmp")]
    for path in left:
        path.write_bytes(b"x")
    open_embedded(folder).close()
    assert sorted((folder / "segments").glob("*/*")) == sorted([*known, *left])
    for path in left:
        os.utime(path, (0, 0))
    open_embedded(folder).close()
    assert sorted((folder / "segments").glob("*/*")) == known


@pytest.mark.usefixtures("either_way")
def test_a_moment_is_read_whatever_happens_to_segments(small: Bench) -> None:
    """A scan that began before documents were changed and removed brings them as they were."""
    mixed(small, 10)
    index = small.prefix + "mixed"
    before = small.hits(index, page_size=5)
    scan = small.store.scan(Scan((index,), {"all": ALL}, ALL, page_size=5))
    first = next(scan)
    assert retain(small.store, index, NOON_MS + 200_000) > 20
    assert isinstance(small.store, EmbeddedStore)
    small.store.delete_index([index])
    assert [*first.hits, *hits_of(scan)] == before
    assert small.hits(index) == []


# Several stores on one folder


def test_what_one_store_learns_the_other_knows(folder: Path, small: Bench) -> None:
    """A field that documents brought is mapped for everybody at once, also where both bring new ones in turn."""
    other = Bench(open_embedded(folder), "t-")
    for number in range(SMALL):
        for place, bench in enumerate((small, other)):
            bench.fill("t-grown", {f"field_{number}_{place}": "x"}, first=2 * number + place)
    everything = [f"field_{number}_{place}" for number in range(SMALL) for place in (0, 1)]
    for bench in (small, other):
        types = bench.store.field_types(["t-grown"], everything).types
        assert all("unmapped" not in types[name] for name in everything)
        for number, name in enumerate(everything):
            assert bench.ids("t-grown", queries={"it": {"exists": {"field": name}}}) == [str(number)]
    other.store.close()


def test_stores_that_take_turns_number_documents_without_gaps(folder: Path, small: Bench) -> None:
    """Two stores that write to one index in turn neither skip a sequence number nor give one twice."""
    other = Bench(open_embedded(folder), "t-")
    for number in range(40):
        (small, other)[number % 3 == 0].fill("t-turns", {"@timestamp": NOON_MS - number}, first=number)
    for bench in (small, other):
        hits = bench.hits("t-turns", order_by="_seq_no")
        assert [(hit.position, hit.key.id) for hit in hits] == [(number, str(number)) for number in range(40)]
    other.store.close()


# Retention


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("signs", [8, growth._SIGNS])
def test_ids_are_known_whoever_has_written_them(folder: Path, signs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is taken once: before, by another store, by this one, or twice at once; also where all look alike."""
    monkeypatch.setattr(growth, "_SIGNS", signs)
    stores = [open_embedded(folder), open_embedded(folder)]
    documents = [Document(Key("t-ids", str(number)), {"n": number}) for number in range(100)]
    assert verdicts(stores[0].create(documents[:15])) == ["created"] * 15
    assert verdicts(stores[0].create(documents[10:20])) == ["exists"] * 5 + ["created"] * 5
    assert verdicts(stores[1].create(documents[10:40])) == ["exists"] * 10 + ["created"] * 20
    assert verdicts(stores[0].create(documents[:50])) == ["exists"] * 40 + ["created"] * 10
    assert verdicts(stores[0].create([*documents[45:60], *documents[55:70]])) == [
        *["exists"] * 5,
        *["created"] * 10,
        *["exists"] * 5,
        *["created"] * 10,
    ]
    (stored,) = stores[0].get([Key("t-ids", "99")])
    assert stored is None
    assert verdicts(stores[0].put([Put(documents[99], None)])) == ["created"]
    assert verdicts(stores[0].create(documents)) == ["exists"] * 70 + ["created"] * 29 + ["exists"]
    for store in stores:
        store.close()


def test_old_documents_are_removed(small: Bench) -> None:
    """Before the moment goes, at the moment stays; one with a later time stays, and so does one without any."""
    index = small.index("old")
    times = [NOON_MS + 1000 * number for number in range(50)]
    small.fill(index, *({"@timestamp": time} for time in times), {"@timestamp": [NOON_MS, NOON_MS + 10**9]}, {})
    assert retain(small.store, index, NOON_MS + 40_000) == 40
    assert [hit.key.id for hit in small.hits(index)] == ["50", *map(str, range(40, 50)), "51"]
    assert retain(small.store, index, NOON_MS + 40_000) == 0
    assert small.store.count([index], ALL, within=SOON).value == 12
    assert verdicts(small.store.create([Document(Key(index, "0"), {})])) == ["created"]


@pytest.mark.usefixtures("either_way")
def test_a_chunk_that_was_emptied_while_it_grew(folder: Path, small: Bench) -> None:
    """What was removed stays removed when the chunk is complete and sealed from what its writer remembers."""
    index = small.index("emptied")
    small.fill(index, *({"@timestamp": NOON_MS} for _ in range(10)))
    assert retain(small.store, index, NOON_MS + 1) == 10
    small.fill(index, *({"@timestamp": NOON_MS + 5} for _ in range(10)), first=10)
    assert len(list((folder / "segments").glob("*/*"))) == 1
    assert small.ids(index) == [str(number) for number in range(10, 20)]


def test_the_oldest_documents_make_room(folder: Path, small: Bench) -> None:
    """Of several indices together the oldest go until the rest is small enough; segments of nothing are removed."""
    for place, name in enumerate(("one", "other")):
        index = small.index(name, {"@timestamp": {"type": "date"}})
        texts = ({"@timestamp": NOON_MS + 2000 * number + 1000 * place, "x": "x" * 100} for number in range(50))
        small.fill(index, *texts)
    store = small.store
    assert isinstance(store, EmbeddedStore)
    size = len(b'{"@timestamp":1767268800000,"x":"' + b"x" * 100 + b'"}')
    assert store.retain(["t-*"], more_than_bytes=30 * size) == 70
    assert [hit.position - NOON_MS for hit in small.hits("t-*")] == [1000 * number for number in range(70, 100)]
    assert store.retain(["t-*"], more_than_bytes=30 * size) == 0
    assert len(list((folder / "segments").glob("*/*"))) == 2
    assert store.retain(["t-*"], more_than_bytes=0) == 30
    assert small.hits("t-*") == []


def test_a_deleted_index_is_gone(folder: Path, small: Bench) -> None:
    """Its documents are not found, its name is free, and a new index of that name is another index."""
    index = small.index("gone")
    small.fill(index, *({"@timestamp": NOON_MS} for _ in range(40)))
    (before,) = small.store.shard_progress([index])
    assert isinstance(small.store, EmbeddedStore)
    assert small.store.delete_index(["t-g*", "t-nothing"]) == [index]
    assert small.hits("t-*") == []
    assert small.store.get([Key(index, "1")]) == [None]
    assert list((folder / "segments").glob("*")) == []
    small.fill(index, {"@timestamp": NOON_MS})
    (after,) = small.store.shard_progress([index])
    assert (after.max_seq_no, after.index_uuid != before.index_uuid) == (0, True)


def test_room_is_given_back(folder: Path, small: Bench) -> None:
    """When most of the file is free, it becomes shorter; what is left in it is still there."""
    small.fill("t-kept", {"x": 1})
    small.fill("t-large", *({"x": "x" * 2000} for _ in range(500)))
    assert isinstance(small.store, EmbeddedStore)
    small.store.delete_index(["t-large"])
    small.store.close()
    assert (folder / "store.sqlite").stat().st_size < 300_000
    again = Bench(open_embedded(folder), "t-")
    assert [hit.key.index for hit in again.hits("*")] == ["t-kept"]
    again.store.close()


# What else


def test_temporary_stores_leave_nothing() -> None:
    """A store without a folder keeps everything for its own lifetime only."""
    store = open_embedded(None)
    place = store._database.path.parent
    Bench(store, "t-").fill("t-a", {"x": 1})
    assert place.is_dir()
    store.close()
    assert not place.exists()


@pytest.mark.usefixtures("either_way")
def test_an_index_that_refuses_a_query_fails_alone(small: Bench) -> None:
    """Where only some indices refuse what is asked, the others answer, and the refusal is told as a shard's."""
    one, other = small.index("one"), small.index("other", {"name": {"type": "ip"}})
    small.fill(one, {"name": "a"})
    small.fill(other, {"name": "10.0.0.1"})
    pages = small.pages(one, other, queries={"it": {"term": {"name": "a"}}})
    assert [hit.key.index for hit in hits_of(pages)] == [one]
    assert [(failure.index, failure.is_query_at_fault) for failure in pages[0].failures] == [(other, True)]
    counted = small.store.count([one, other], {"term": {"name": "a"}}, within=SOON)
    assert (counted.value, counted.is_whole) == (1, False)
    nothing = small.pages(one, other, queries={"it": {"term": {"name": "b"}}})
    assert [(len(page.hits), len(page.failures)) for page in nothing] == [(0, 1)]


def test_a_state_is_told_apart_by_its_number(small: Bench) -> None:
    """`Seen` must be right in both parts."""
    small.fill("t-a", {"x": 1})
    wrong = Put(Document(Key("t-a", "0"), {"x": 2}), Seen(0, 2))
    assert verdicts(small.store.put([wrong])) == ["conflict"]


def test_segments_are_made_of_what_was_written(folder: Path, small: Bench) -> None:
    """Every complete chunk has its file at once, whoever wrote its documents."""
    index = small.index("sealed")
    small.fill(index, *({"size": number} for number in range(SMALL * 3 + 1)))
    assert len(list((folder / "segments").glob("*/*.segment"))) == 3
    counts = Counter(verdicts(small.store.create([Document(Key(index, str(n)), {}) for n in range(SMALL * 4)])))
    assert counts == {"exists": SMALL * 3 + 1, "created": SMALL - 1}
    assert len(list((folder / "segments").glob("*/*.segment"))) == 4
