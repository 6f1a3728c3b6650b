"""Measures the embedded engine beside an Elasticsearch node: the same events, the same rules, the same hits.

`python benchmarks/embedded_against_node.py --events 1000000` fills a node (its own, unless `--url` names one) and
segments, asks both which events match each of 500 rules, compares the counts, and prints times and memory. The node is
asked in two ways, warm but without remembered answers: with one `filters` aggregation, and with one count per rule in
an `_msearch`. The segments are read from disk by a process of its own, whose peak of memory is told.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from elasticsearch import Elasticsearch
from generated import MAPPING, NODE_MAPPING, events, rules

from elasticsearch_node.node import ElasticsearchNode
from lolbin_rules.dsl.aggregations import Part, aggregate
from lolbin_rules.dsl.evaluate import Evaluator
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.segment import FileSegment, write_segment

INDEX = "benchmark-events"
REPEATS = 3
BULK = 5000
ROWS = 65_535
"""The most rows whose codes fit 16 bits, however different their values are."""
MOST_RATIO, MOST_MEGABYTES = 1.5, 200.0
NOW_MS = 0


def main() -> None:
    """Measure, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="how many events (200000)")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of a segment ({ROWS})")
    parser.add_argument("--url", help="a node to fill; without it one is started")
    parser.add_argument("--folder", type=Path, help="where segments are kept and found again")
    parser.add_argument("--query", choices=["evaluate", "aggregate"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.query:
        print(json.dumps(query_segments(asked.folder, asked.query)))
        return
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        build(folder, asked.events, asked.rows)
        found = {how: measured(folder, how) for how in ("evaluate", "aggregate")}
        url = asked.url or stack.enter_context(ElasticsearchNode()).url
        client = stack.enter_context(Elasticsearch(url, request_timeout=600))
        report(found, measured_node(client, asked.events))


def build(folder: Path, number: int, rows: int) -> None:
    """Write the segments, unless they are there."""
    done = folder / f"{number}-{rows}"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    mapping, made = IndexMapping(MAPPING), events(number)
    spent = {"build": 0.0, "write": 0.0}
    for at in range(0, number, rows):
        sources = list(islice(made, rows))
        indexer, start = Indexer(mapping), time.perf_counter()
        for source in sources:
            indexer.add(source)
        columns = indexer.columns()
        spent["build"] += time.perf_counter() - start
        start = time.perf_counter()
        write_segment(folder / f"{at:09d}.segment", columns.items(), indexer.size)
        spent["write"] += time.perf_counter() - start
        show_progress("segments", at + len(sources), number)
    (folder / "mapping.json").write_bytes(orjson.dumps(mapping.to_json()))
    size = sum(file.stat().st_size for file in folder.glob("*.segment"))
    print(f"segments: {number / spent['build']:,.0f} events/s built, {number / spent['write']:,.0f} written, ", end="")
    print(f"{size / number:.0f} bytes per event")
    done.touch()


def measured(folder: Path, how: str) -> dict[str, Any]:
    """What a process of its own reports."""
    command = [sys.executable, __file__, "--query", how, "--folder", str(folder)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return dict(report)


def query_segments(folder: Path, how: str) -> dict[str, Any]:
    """Ask all rules of all segments, read from disk; the best time of several, and the peak of memory."""
    mapping = IndexMapping(json.loads((folder / "mapping.json").read_text()))
    paths, asked = sorted(folder.glob("*.segment")), rules()
    work: Callable[[], dict[str, int]] = {
        "evaluate": lambda: evaluated(paths, mapping, asked),
        "aggregate": lambda: aggregated(paths, mapping, asked),
    }[how]
    times, cpu, counts = [], [], {}
    for _ in range(REPEATS):
        start, began = time.perf_counter(), time.process_time()
        counts = work()
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - began)
    return {"seconds": min(times), "cpu": min(cpu), "megabytes": peak_megabytes(), "counts": counts}


def evaluated(paths: list[Path], mapping: IndexMapping, asked: dict[str, Any]) -> dict[str, int]:
    """How many rows match each rule, by evaluating clauses."""
    evaluator = Evaluator({name: parse(query, mapping, NOW_MS) for name, query in asked.items()})
    counts: Counter[str] = Counter()
    for path in paths:
        with FileSegment(path) as segment:
            for name, rows in evaluator.each(segment):
                counts[name] += len(rows)
    return {name: counts[name] for name in asked}


def aggregated(paths: list[Path], mapping: IndexMapping, asked: dict[str, Any]) -> dict[str, int]:
    """The same, by one `filters` aggregation."""
    answer = aggregate({"rules": {"filters": {"filters": asked}}}, parts(paths, mapping), NOW_MS)
    return {name: bucket["doc_count"] for name, bucket in answer["rules"]["buckets"].items()}


def parts(paths: list[Path], mapping: IndexMapping) -> Iterator[Part]:
    """All rows of all segments, one segment open at a time."""
    for path in paths:
        with FileSegment(path) as segment:
            yield Part(mapping, segment, np.arange(segment.size, dtype=np.uint32), lambda _: {})


def measured_node(client: Elasticsearch, number: int) -> dict[str, dict[str, Any]]:
    """Fill the node and ask it, warm."""
    fill(client, number)
    asked = rules()
    filters = {"rules": {"filters": {"filters": asked}}}
    searches = list(
        chain.from_iterable(({}, {"size": 0, "track_total_hits": True, "query": q}) for q in asked.values())
    )
    found = {}
    for way in ("filters", "msearch"):
        times, counts = [], {}
        for _ in range(REPEATS + 1):  # the first one warms up
            client.indices.clear_cache(index=INDEX)  # of whole answers, or nothing would be measured
            start = time.perf_counter()
            if way == "filters":
                answer = client.search(index=INDEX, size=0, aggs=filters, request_cache=False)
                buckets = answer["aggregations"]["rules"]["buckets"]
                counts = {name: bucket["doc_count"] for name, bucket in buckets.items()}
            else:
                answers = client.msearch(index=INDEX, searches=searches, max_concurrent_searches=1)["responses"]
                counts = dict(zip(asked, (each["hits"]["total"]["value"] for each in answers), strict=True))
            times.append(time.perf_counter() - start)
        found[way] = {"seconds": min(times[1:]), "counts": counts}
    return found


def fill(client: Elasticsearch, number: int) -> None:
    """Write the events, unless they are there."""
    if client.indices.exists(index=INDEX) and client.count(index=INDEX)["count"] == number:
        return
    client.options(ignore_status=404).indices.delete(index=INDEX)
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    client.indices.create(index=INDEX, mappings=NODE_MAPPING, settings=settings)
    made, done, start = events(number), 0, time.perf_counter()
    while chunk := list(islice(made, BULK)):
        lines = list(chain.from_iterable(({"create": {}}, source) for source in chunk))
        answer = client.bulk(index=INDEX, operations=lines)
        if answer["errors"]:
            raise SystemExit(f"The node refused events: {answer['items'][0]}")
        done += len(chunk)
        show_progress("node", done, number)
    client.indices.refresh(index=INDEX)
    client.indices.forcemerge(index=INDEX, max_num_segments=1, wait_for_completion=True)
    print(f"node: {number / (time.perf_counter() - start):,.0f} events/s")


def report(own: dict[str, dict[str, Any]], node: dict[str, dict[str, Any]]) -> None:
    """Print what was found; fail where hits differ."""
    expected = node["filters"]["counts"]
    for name, found in (own | node).items():
        wrong = {
            rule: (found["counts"][rule], count) for rule, count in expected.items() if found["counts"][rule] != count
        }
        if wrong:
            raise SystemExit(
                f"{name} counts {len(wrong)} rules otherwise than the node: {dict(islice(wrong.items(), 5))}"
            )
    best = min(found["seconds"] for found in node.values())
    print(f"{len(expected)} rules, {sum(expected.values()):,} hits, the same everywhere")
    for way, found in node.items():
        print(f"node, {way}: {found['seconds']:.2f} s warm")
    for how, found in own.items():
        print(
            f"segments, {how}: {found['seconds']:.2f} s from disk ({found['cpu']:.2f} s of CPU), "
            f"{found['seconds'] / best:.2f} x the node (goal {MOST_RATIO}), "
            f"{found['megabytes']:.0f} MB at most (goal {MOST_MEGABYTES:.0f})"
        )


def peak_megabytes() -> float:
    """The most memory that this process has had at a time."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def show_progress(what: str, done: int, number: int) -> None:
    """One line that is written over."""
    end = "\n" if done >= number else ""
    print(f"\r{what}: {done:,} of {number:,}", end=end, flush=True, file=sys.stderr)


if __name__ == "__main__":
    main()
