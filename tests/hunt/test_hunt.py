"""`lolbin-rules hunt`: rules over files, as somebody at a desk with an export would use it."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import zstandard

import generated_events as events
from generated_outcomes import expected_folds, folds
from lolbin_rules.cli import main
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs")

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)


class Ended(NamedTuple):
    """How a hunt ended."""

    code: int
    out: str
    err: str

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Standard output as JSON, an alert to a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def found(self) -> dict[str, Counter[str]]:
        """Rule -> the ids of the events that it alerted on."""
        found: dict[str, Counter[str]] = {}
        for alert in self.alerts:
            rule_id = alert["kibana.alert.rule.rule_id"]
            found.setdefault(rule_id, Counter())[alert["kibana.alert.ancestors"][0]["id"]] += 1
        return found


Hunt = Callable[..., Ended]


@pytest.fixture
def hunt(environment: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Hunt:
    """Runs a hunt in this process, without any of our variables."""

    def run(*arguments: object) -> Ended:
        code = main(["hunt", *map(str, arguments)])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ended(code, out.decode(), " ".join(err.decode().split("\n")))

    return run


def line(event: events.Event) -> bytes:
    """The event as a line of a file, its id in `event.id`."""
    source = {**event.source, "event": {**event.source.get("event", {}), "id": event.id}}
    return json.dumps(source).encode()


def lines(made: Iterable[events.Event]) -> bytes:
    """The events as a file."""
    return b"".join(line(event) + b"\n" for event in made)


@pytest.fixture
def burst() -> events.GeneratedSet:
    """A few connections of regsvr32 to the internet."""
    return events.burst("regsvr32", seed=1, at=BASE, size=5)


def test_every_hit_of_generated_events_is_told_and_nothing_else(hunt: Hunt, tmp_path: Path) -> None:
    """All hits of all shipped rules at every edge, from one file for each index; groups with their exact count."""
    per_event = events.generate("regsvr32", seed=7, base_time=BASE, hits=40, near_misses=20)
    grouped = events.regsvcs_groups(seed=7, base_time=BASE)
    for made in (per_event, grouped):
        for index in {event.index for event in made.events}:
            (tmp_path / f"{made.rule_id}-{index}.ndjson").write_bytes(
                b"".join(
                    json.dumps({"_index": index, "_id": event.id, "_source": event.source}).encode() + b"\n"
                    for event in made.events
                    if event.index == index
                )
            )
    ended = hunt(tmp_path, "--json")
    assert ended.code == 0, ended.err
    assert ended.found[per_event.rule_id] == Counter(event.id for event in per_event.hits)
    of_groups = [alert for alert in ended.alerts if alert["kibana.alert.rule.rule_id"] == grouped.rule_id]
    assert folds(of_groups) == expected_folds(grouped)


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd", "folder"])
def test_events_are_read_from_every_kind_of_file(
    hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet, kind: str
) -> None:
    """The ids of alerts' ancestors are those of the lines' `event.id`."""
    text = lines(burst.events)
    packed = {"plain": text, "folder": text, "gzip": gzip.compress(text), "zstd": zstandard.compress(text)}[kind]
    ending = {"gzip": ".gz", "zstd": ".zst"}.get(kind, "")
    file = tmp_path / "deep" / f"events.ndjson{ending}"
    file.parent.mkdir()
    file.write_bytes(packed)
    ended = hunt(tmp_path if kind == "folder" else file, "--json")
    assert ended.code == 0, ended.err
    assert ended.found == {burst.rule_id: Counter(event.id for event in burst.hits)}


def test_events_are_read_from_standard_input(
    hunt: Hunt, burst: events.GeneratedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` stands for it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(burst.events))))
    assert hunt("-", "--json").found == {burst.rule_id: Counter(event.id for event in burst.hits)}


def test_what_is_no_event_is_named_and_costs_nothing_else(
    hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet
) -> None:
    """File, line and reason of each; the others are alerted; the exit code says that something is missing."""
    first, *others = (line(event) for event in burst.events)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join([first, b'{"broken', b'"text"', b"", *others, b"\xff\xfe{"]))
    ended = hunt(file, "--json")
    assert ended.code == 1
    assert ended.found == {burst.rule_id: Counter(event.id for event in burst.hits)}
    for number in (2, 3, 9):
        assert f"events.ndjson:{number}: " in ended.err
    assert "3 could not be read" in ended.err


def test_the_same_event_twice_is_one_event(hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet) -> None:
    """Two exports that overlap alert once."""
    for name in ("monday", "tuesday"):
        (tmp_path / f"{name}.ndjson").write_bytes(lines(burst.events))
    ended = hunt(tmp_path, "--json")
    assert ended.code == 0
    assert ended.found == {burst.rule_id: Counter(event.id for event in burst.hits)}
    assert f"{len(burst.events)} were there twice" in ended.err


def test_two_events_of_one_id_are_both_kept(hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet) -> None:
    """An `event.id` that somebody gave twice hides no event."""
    one, other = burst.events[:2]
    source = {**other.source, "event": {**other.source["event"], "id": one.id}}
    (tmp_path / "events.ndjson").write_bytes(line(one) + b"\n" + json.dumps(source).encode() + b"\n")
    ended = hunt(tmp_path, "--json")
    assert len(ended.alerts) == 2
    assert "1 bear the id of another one" in ended.err


def test_an_event_without_a_time_is_counted(hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet) -> None:
    """Rules search by time; who hunts is told what they cannot see."""
    source = {key: value for key, value in burst.events[0].source.items() if key != "@timestamp"}
    (tmp_path / "events.ndjson").write_text(json.dumps(source))
    ended = hunt(tmp_path, "--json")
    assert (ended.code, ended.out) == (0, "")
    assert "1 have no @timestamp" in ended.err


def test_people_are_told_in_sentences(hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet) -> None:
    """A line for each alert on standard output, figures on standard error."""
    (tmp_path / "events.ndjson").write_bytes(lines(burst.events))
    ended = hunt(tmp_path)
    assert ended.code == 0
    told = ended.out.splitlines()
    assert len(told) == len(burst.hits)
    assert all(each.startswith("2024-03-05T") and burst.rule_id in each for each in told)
    assert f"{burst.rule_id}: 5 hits, 5 alerts." in ended.err
    assert "nothing was written" in ended.err


def test_an_index_may_be_named(hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet) -> None:
    """Rules see what their index patterns name; a rule that reads other indices is told to be blind."""
    (tmp_path / "events.ndjson").write_bytes(lines(burst.events))
    ended = hunt(tmp_path, "--json", "--index", "winlogbeat-case-17")
    assert {alert["kibana.alert.ancestors"][0]["index"] for alert in ended.alerts} == {"winlogbeat-case-17"}
    ended = hunt(tmp_path, "--json", "--index", "elsewhere")
    assert (ended.code, ended.out) == (0, "")
    assert "where there are no events" in ended.err


def test_a_rule_that_cannot_be_asked_does_not_stop_the_others(
    hunt: Hunt, tmp_path: Path, burst: events.GeneratedSet
) -> None:
    """It is named with its reason, and the exit code says that something is missing."""
    (tmp_path / "events.ndjson").write_bytes(lines(burst.events))
    rules = tmp_path / "rules"
    write_rule(rules, "good", index=["winlogbeat-*"])
    write_rule(rules, "odd", index=["winlogbeat-*"], match={"destination.ip": {"wildcard": "10.*"}})
    ended = hunt(tmp_path / "events.ndjson", "--json", "--rules", rules)
    assert ended.code == 1
    assert "odd: " in ended.err
    assert {alert["kibana.alert.rule.rule_id"] for alert in ended.alerts} <= {"good"}


@pytest.mark.parametrize("arguments", [("nowhere.ndjson",), ("empty",), (".", "--index", "Upper Case")])
def test_what_cannot_be_meant_is_refused_at_once(
    hunt: Hunt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Exit code 2 and one sentence: a path that is not there, a folder without events, an index of no such name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "here.ndjson").write_text("{}")
    ended = hunt(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.strip()


def test_every_type_of_rule_hunts(hunt: Hunt, tmp_path: Path) -> None:
    """Over all time: sequences, thresholds, new values and KQL; building blocks are told to programs only."""
    rows = [
        {
            "@timestamp": f"2024-03-05T12:00:{second:02}Z",
            "event.category": "process" if second % 2 else "network",
            "process.name": f"p{second // 8}.exe",
            "process.entity_id": str(second // 2),
        }
        for second in range(1, 20)
    ]
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    pair = "sequence by process.entity_id with maxspan=1m [network where true] [process where true]"
    folder = tmp_path / "rules"
    of_files = {"index": ["winlogbeat-*"], "match": None}
    write_rule(folder, "kql", query="process.name: p0.exe and event.category: process", **of_files)
    write_rule(folder, "pairs", type="eql", query=pair, **of_files)
    write_rule(
        folder, "many", type="threshold", query="*:*", threshold={"field": "process.name", "value": 8}, **of_files
    )
    history = {"new_terms_fields": ["process.name"], "history_window_start": "now-7d"}
    write_rule(folder, "new", type="new_terms", query="*:*", **history, **of_files)
    ended = hunt(tmp_path / "events.ndjson", "--rules", folder, "--json")
    assert ended.code == 0, ended.err
    alerts = [orjson.loads(line) for line in ended.out.splitlines()]
    found = Counter(
        f"{alert['kibana.alert.rule.rule_id']}{' block' * ('kibana.alert.group.index' in alert)}" for alert in alerts
    )
    assert found == {"kql": 4, "pairs": 9, "pairs block": 18, "many": 1, "new": 3}
    spoken = hunt(tmp_path / "events.ndjson", "--rules", folder)
    assert len(spoken.out.splitlines()) == 4 + 9 + 1 + 3
