"""Rules that only Elasticsearch answers: what is known of their queries, and what is made of documented answers.

No server at hand has ES|QL or EQL search, so the answers here are written by hand in the format that Elastic's
documentation of the two gives.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.errors import QueryError
from lolbin_rules.plan.window import Window, position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.plan import Key as JoinKey
from lolbin_rules.query.eql.plan import SequencePlan, Stage
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.eql import sequence_identity
from lolbin_rules.rule_types.eql_native import events_of, sequences_of
from lolbin_rules.rule_types.esql import EsqlRule, documents_of, row_documents, slot_matches, slots_in
from lolbin_rules.rule_types.esql_text import Esql, read_esql
from lolbin_rules.store.elasticsearch.languages import rows_of
from lolbin_rules.store.port import Key, Rows

QUERIES = yaml.safe_load((Path(__file__).parent / "esql_queries.yaml").read_text(encoding="utf-8"))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_MS = 1767268800000
SLOT = Window(NOON, NOON + timedelta(minutes=5))


# What is known of a query


@pytest.mark.parametrize("case", QUERIES, ids=lambda case: case["text"])
def test_a_query_is_taken_apart(case: dict[str, Any]) -> None:
    """Strings, names and comments hold no commands; what is not closed is refused with its place."""
    if "error" in case:
        with pytest.raises(QueryError) as caught:
            read_esql(case["text"])
        assert (caught.value.what, caught.value.line, caught.value.column) == (
            case["error"],
            case["line"],
            case["column"],
        )
        return
    found = read_esql(case["text"])
    groups = tuple(case["groups"]) if "groups" in case else None
    assert (found.indices, found.groups, found.limit) == (tuple(case["indices"]), groups, case.get("limit"))
    assert found.metadata == frozenset(case.get("metadata", []))


@given(
    st.text(max_size=60) | st.text(alphabet='FROM a|STB"`()/*[]\\\n=,', max_size=60).map(lambda text: f"FROM a{text}")
)
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    """Nothing else is raised, and the place lies in the text."""
    line, column = place_of_fault(text)
    lines = text.split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1


def place_of_fault(text: str) -> tuple[int, int]:
    """Where the query is at fault; the beginning where it is not."""
    try:
        read_esql(text)
    except QueryError as error:
        return error.line, error.column
    return 1, 1


def test_a_query_without_limit_gets_one_behind_its_last_comment() -> None:
    """What follows a comment on its line would be part of it."""
    assert read_esql("FROM a // all").limited(10) == "FROM a // all\n| LIMIT 10"
    assert read_esql("FROM a | LIMIT 3").limited(10) == "FROM a | LIMIT 3"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("FROM a METADATA _id, _index", True),
        ("FROM a METADATA _id", False),
        ("FROM a", False),
        ("FROM a METADATA _id, _index | STATS COUNT(*) BY _id, _index", False),
    ],
)
def test_rows_may_name_documents(text: str, answer: bool) -> None:  # noqa: FBT001
    """Only with both metadata fields, and not where rows stand for many documents."""
    assert read_esql(text).names_documents is answer


def rule_of(query: str, **more: Any) -> Rule:
    """A rule with such a query."""
    base = {
        "id": "piped",
        "name": "Piped",
        "description": "What a query in ES|QL finds.",
        "author": "tests",
        "license": "Apache-2.0",
        "severity": "low",
        "risk_score": 21,
        "type": "esql",
        "query": query,
    }
    return Rule.model_validate({**base, **more})


def test_the_query_is_in_the_fingerprint_and_exclude_is_the_filter() -> None:
    """What is asked is the text; what documents must match before is the compiled query."""
    given = Given({}, (), NO_TYPES, NOON)
    kind = EsqlRule()
    one, other = (kind.compile(rule_of(text), given) for text in ("FROM a", "FROM b"))
    assert one.query == {"match_all": {}}
    assert one.fingerprint("esql") != other.fingerprint("esql")
    excluding = kind.compile(rule_of("FROM a", exclude={"user.name": "SYSTEM"}), given)
    assert excluding.query == {"bool": {"must_not": [{"term": {"user.name": {"value": "SYSTEM"}}}]}}
    with pytest.raises(QueryError, match="begins with ROW"):
        kind.compile(rule_of("ROW a = 1"), given)


# Answers of ES|QL

ANSWER: dict[str, Any] = {
    "took": 28,
    "is_partial": False,
    "columns": [
        {"name": "@timestamp", "type": "date"},
        {"name": "process.name", "type": "keyword"},
        {"name": "risk", "type": "integer"},
        {"name": "empty", "type": "null"},
        {"name": "_id", "type": "keyword"},
        {"name": "_index", "type": "keyword"},
        {"name": "_version", "type": "long"},
    ],
    "values": [
        ["2026-01-01T12:01:00.000Z", "b.exe", 3, None, "2", "events", 1],
        ["2026-01-01T12:00:00.000Z", ["a.exe", "c.exe"], 5, None, "1", "events", 1],
        ["2026-01-01T12:01:00.000Z", "b.exe", 4, None, "2", "events", 1],
        [None, "d.exe", None, None, "3", "events", 1],
        [None, "e.exe", None, None, None, None, None],
    ],
}


def test_an_answer_becomes_rows() -> None:
    """Columns with their types; whether anything is missing."""
    rows = rows_of(ANSWER)
    assert rows.columns[:2] == (("@timestamp", "date"), ("process.name", "keyword"))
    assert rows.rows[1][1] == ["a.exe", "c.exe"]
    assert not rows.is_partial
    assert rows_of({**ANSWER, "is_partial": True}).is_partial
    assert rows_of({**ANSWER, "_clusters": {"total": 2, "successful": 1, "skipped": 1}}).is_partial
    assert not rows_of({**ANSWER, "_clusters": {"total": 2, "successful": 2, "skipped": 0, "partial": 0}}).is_partial
    assert rows_of({"columns": [], "values": []}) == Rows((), ())


def test_rows_that_name_documents_are_these_documents() -> None:
    """Once each, in order of time, with what is stored and the columns that the documents lack."""
    found = row_documents(rows_of(ANSWER))
    assert list(found) == [Key("events", "2"), Key("events", "1"), Key("events", "3")]
    assert found[Key("events", "2")] == {
        "@timestamp": "2026-01-01T12:01:00.000Z",
        "process.name": "b.exe",
        "risk": 3,
    }
    sources: dict[Key, dict[str, Any]] = {
        Key("events", "1"): {"@timestamp": "2026-01-01T12:00:00.000Z", "process": {"name": "A.EXE"}, "user": "x"},
        Key("events", "3"): {"@timestamp": "2027-01-01"},
    }
    hits = documents_of(found, sources, "@timestamp", SLOT)
    assert [(hit.key.id, hit.position) for hit in hits] == [
        ("1", NOON_MS),
        ("2", NOON_MS + 60_000),
        ("3", NOON_MS + 299_999),
    ]
    assert hits[0].source == {
        "@timestamp": "2026-01-01T12:00:00.000Z",
        "process": {"name": "A.EXE"},
        "user": "x",
        "risk": 5,
    }
    assert hits[2].source == {"@timestamp": "2027-01-01", "process.name": "d.exe"}


def counted(*rows: list[Any]) -> Rows:
    """Rows of a count by host."""
    columns = [{"name": "c", "type": "long"}, {"name": "host", "type": "keyword"}]
    return rows_of({"columns": columns, "values": list(rows)})


BY_HOST = read_esql("FROM a | STATS c = COUNT(*) BY host")


def test_rows_of_a_slot_are_known_by_their_groups() -> None:
    """The count may have grown when the slot is asked again: it is the same alert."""
    first, other = slot_matches(counted([3, "x"], [9, "y"], [5, "x"]), BY_HOST, SLOT, ["a"])
    assert first.identity == ("esql", 300_000, NOON_MS, [["host", "x"]])
    assert first.identity != other.identity
    (grown,) = slot_matches(counted([4, "x"]), BY_HOST, SLOT, ["a"])
    assert (grown.identity, grown.hit.key) == (first.identity, first.hit.key)
    assert (first.hit.position, first.dated) == (position(SLOT.end) - 1, NOON)
    assert first.hit.source == {"c": 3, "host": "x", "@timestamp": "2026-01-01T12:00:00.000Z"}
    assert first.hit.key.index == "a"
    later = Window(SLOT.end, SLOT.end + timedelta(minutes=5))
    assert slot_matches(counted([3, "x"]), BY_HOST, later, ["a"])[0].identity != first.identity


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("FROM a | STATS c = COUNT(*) BY host", 2),
        ("FROM a | STATS c = COUNT(*) BY gone", 3),
        ("FROM a | KEEP c, host", 3),
        ("FROM a | STATS c = COUNT(*)", 1),
    ],
)
def test_rows_without_their_groups_are_known_by_all_their_values(text: str, count: int) -> None:
    """Rows that are known by the same are one match; several values have no order."""
    rows = counted([3, ["x", "y"]], [4, ["y", "x"]], [3, "z"], [3, ["y", "x"]])
    assert len(slot_matches(rows, read_esql(text), SLOT, ["a"])) == count


@given(
    st.integers(-5, 5),
    st.lists(st.integers(1, 90_000), min_size=2, max_size=8, unique=True),
    st.sampled_from([1_000, 7_000, 60_000]),
)
def test_each_slot_lies_in_one_of_adjacent_windows(offset: int, lengths: list[int], each: int) -> None:
    """However time is cut into windows, every slot that ends in it is asked once, and none that is not over."""
    edges = [NOON + timedelta(milliseconds=offset + milliseconds) for milliseconds in [0, *sorted(lengths)]]
    found: list[int] = []
    for start, end in pairwise(edges):
        first, last = slots_in(Window(start, end), timedelta(milliseconds=each))
        found += range(first, last + 1)
        assert (last + 1) * each <= position(end)
    ends = range(position(edges[0]), position(edges[-1]))
    assert found == [(moment + 1) // each - 1 for moment in ends if (moment + 1) % each == 0]


def test_a_null_names_a_group_and_is_no_field() -> None:
    """As STATS has it: documents without the field are a group."""
    (match,) = slot_matches(counted([3, None]), BY_HOST, SLOT, ["a", "b"])
    assert match.identity[3] == [["host", None]]
    assert "host" not in match.hit.source
    assert match.hit.key.index == "a,b"


# Answers of EQL search


def event(name: str, minute: int, **source: Any) -> dict[str, Any]:
    """An event of an answer."""
    return {
        "_index": f".ds-events-2026.01.01-00000{minute}",
        "_id": name,
        "_source": {"@timestamp": (NOON + timedelta(minutes=minute)).isoformat(), **source},
        "fields": {"@timestamp": [str(NOON_MS + minute * 60_000)]},
    }


def test_events_of_an_answer_are_matches() -> None:
    """Where the store tells no time, it is read in the document."""
    told = event("1", 1)
    silent = {key: value for key, value in event("2", 2).items() if key != "fields"}
    found = events_of({"hits": {"total": {"value": 2, "relation": "eq"}, "events": [told, silent]}}, "@timestamp")
    assert [(match.hit.key.id, match.hit.position - NOON_MS) for match in found] == [("1", 60_000), ("2", 120_000)]
    assert all(match.identity == () for match in found)
    assert events_of({"hits": {}}, "@timestamp") == []


def plan_of(*missing: bool, types: tuple[frozenset[str], ...]) -> SequencePlan:
    """A sequence by user and address."""
    keys = (JoinKey("user"), JoinKey("ip"))
    stages = tuple(Stage(Compiled({"match_all": {}}), keys, is_missing=is_missing) for is_missing in missing)
    return SequencePlan(stages, maxspan=timedelta(minutes=10), key_types=types)


TYPES = (frozenset({"keyword"}), frozenset({"ip"}))
SEQUENCES: dict[str, Any] = {
    "is_partial": False,
    "is_running": False,
    "took": 60,
    "timed_out": False,
    "hits": {
        "total": {"value": 1, "relation": "eq"},
        "sequences": [
            {
                "join_keys": ["bob", "2001:DB8:0::1"],
                "events": [
                    event("1", 1, host="a", user="bob"),
                    {"_index": "", "_id": "", "_source": {}, "missing": True},
                    event("2", 3, host="a", user="bob", pid=7),
                ],
            }
        ],
    },
}


def test_sequences_of_an_answer_are_matches() -> None:
    """What their events have in common, at the time of the last, with the identity of the package's own engine."""
    (match,) = sequences_of(SEQUENCES, plan_of(False, True, False, types=TYPES), "@timestamp")
    assert match.identity == sequence_identity(("bob", "2001:db8::1"), match.events[-1])
    assert match.identity[2:] == ("events", "2")
    assert [hit.key.id for hit in match.events] == ["1", "2"]
    assert match.hit.source == {"host": "a", "user": "bob", "@timestamp": "2026-01-01T12:03:00.000Z"}
    assert match.hit.position == NOON_MS + 180_000
    assert match.dated == NOON + timedelta(minutes=3)


def test_a_sequence_that_ends_with_a_missing_event_lies_where_it_is_decided() -> None:
    """One maxspan after its first event."""
    (match,) = sequences_of(SEQUENCES, plan_of(False, False, True, types=TYPES), "@timestamp")
    assert match.hit.position == NOON_MS + 11 * 60_000


def test_a_join_key_may_be_null() -> None:
    """Where the key is optional."""
    answer = {"hits": {"sequences": [{**SEQUENCES["hits"]["sequences"][0], "join_keys": [None, 5]}]}}
    (match,) = sequences_of(answer, plan_of(False, False, types=()), "@timestamp")
    assert match.identity[1] == [None, 5]


def test_what_reads_a_query_is_frozen() -> None:
    """Equal texts are read equal."""
    assert read_esql("FROM a") == Esql("FROM a", ("a",), frozenset(), None, None)
