"""Fields are found however a document spells them, and dates are read as Elasticsearch reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert.alert_cases import deep, documents, names, quick
from lolbin_rules.alert.source import event_time, first, nested, objects, parse_time, values, write_time


@pytest.mark.parametrize(
    "source",
    [
        {"a": {"b": {"c": 1}}},
        {"a.b.c": 1},
        {"a": {"b.c": 1}},
        {"a.b": {"c": 1}},
        {"a": [{"b": {"c": [1]}}]},
        {"a": [[{"b": [{"c": 1}, {"c": None}]}], None, "text"]},
        {"a": {"b": "text"}, "a.b.c": 1},
    ],
)
def test_every_spelling_is_the_same_field(source: dict[str, Any]) -> None:
    """Nested objects, dotted keys, lists and mixtures of them name the same field."""
    assert values(source, "a.b.c") == [1]
    assert first(source, "a.b.c") == 1


def test_values_keep_their_order_and_kind() -> None:
    """Values come in the order written, from all spellings; nulls are no values, false and 0 are."""
    source = {"a": [{"b": [3, [0]]}, {"b": False}], "a.b": ["x", None]}
    assert values(source, "a.b") == [3, 0, False, "x"]
    assert values(source, "a.c") == []
    assert first(source, "a.c") is None


def test_objects_are_no_values() -> None:
    """What lies under a name is told apart: objects here, values there."""
    source = {"a": [{"b": 1}, "text"]}
    assert values(source, "a") == ["text"]
    assert objects(source, "a") == [{"b": 1}]


@given(documents, names)
@quick
def test_reading_never_raises(source: dict[str, Any], name: str) -> None:
    """Any field of any document can be asked for, and what is found holds no list and no null."""
    for value in values(source, name):
        assert not isinstance(value, list | dict)
        assert value is not None
    event_time(source, name)
    first(nested(source), name)


def test_deep_documents_are_read() -> None:
    """Depth costs no recursion."""
    assert values({"host": deep(50_000)}, "host.host") == []
    assert nested({"host": deep(50_000)})["host"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-10-01T12:30:45.123Z", "2026-10-01T12:30:45.123000+00:00"),
        ("2026-10-01T12:30:45.123456789Z", "2026-10-01T12:30:45.123456+00:00"),
        ("2026-10-01T12:30:45,1", "2026-10-01T12:30:45.100000+00:00"),
        ("2026-10-01T12:30:45", "2026-10-01T12:30:45+00:00"),
        ("2026-10-01T12:30", "2026-10-01T12:30:00+00:00"),
        ("2026-10-01T12Z", "2026-10-01T12:00:00+00:00"),
        ("2026-10-01T", "2026-10-01T00:00:00+00:00"),
        ("2026-10-01", "2026-10-01T00:00:00+00:00"),
        ("2026-10", "2026-10-01T00:00:00+00:00"),
        ("2026", "2026-01-01T00:00:00+00:00"),
        (2026, "2026-01-01T00:00:00+00:00"),
        ("2026-10-01T12:30:45+02", "2026-10-01T10:30:45+00:00"),
        ("2026-10-01T12:30:45+0200", "2026-10-01T10:30:45+00:00"),
        ("2026-10-01T12:30:45.123+02:00", "2026-10-01T10:30:45.123000+00:00"),
        ("2026-10-01T12:30:45-18:00", "2026-10-02T06:30:45+00:00"),
        ("2026-10-01T12:30:45+02:00:30", "2026-10-01T10:30:15+00:00"),
        ("2026-10-01T12:30:45.123UTC", "2026-10-01T12:30:45.123000+00:00"),
        (1700000000000, "2023-11-14T22:13:20+00:00"),
        ("1700000000000", "2023-11-14T22:13:20+00:00"),
        (1700000000000.5, "2023-11-14T22:13:20.000500+00:00"),
        ("999", "1970-01-01T00:00:00.999000+00:00"),
        (20261, "1970-01-01T00:00:20.261000+00:00"),
        ("-5.5", "1969-12-31T23:59:59.994500+00:00"),
        ("0001-01-01", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999000+00:00"),
        (datetime(2026, 10, 1, 12, 30), "2026-10-01T12:30:00+00:00"),  # noqa: DTZ001 - a date without a zone is the case
    ],
)
def test_dates_are_read_as_elasticsearch_reads_them(value: Any, expected: str) -> None:
    """Each of these was indexed into a `date` field of a real node (8.19.9 and 9.0.0), which took it for this time."""
    assert parse_time(value) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "value",
    [
        *("", " 2026-10-01", "2026-1-1", "2026-13-01", "2026-02-30", "2026-10-01 12:30:45", "2026-10-01T24:00:00"),
        *("2026-10-01T23:59:60Z", "2026-10-01T12:30:45z", "2026-10-01t12:30:45Z", "2026-10-01T12:30:45.Z", "1.7e12"),
        *("2026-10-01T12.5", "2026-10Z", "2026-10-01Z", "2026-10-01T12:30:45+19:00", "2026-10-01T12:30:45+02:60"),
        *("+12026-01-01", "12026-01-01", "\uff12\uff10\uff12\uff16", "0000-01-01", "-62135596800001", "junk", "now"),
        *("253402300800000", "9" * 40, 10**40, 1e300, float("nan"), float("inf"), True, None, b"2026", [], {}),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_what_is_no_date_is_none(value: Any) -> None:
    """Junk, and dates outside the years 1 to 9999, are no dates and no errors."""
    assert parse_time(value) is None


def test_the_earliest_of_several_times_counts() -> None:
    """Whatever their order and notation; what cannot be read is passed over."""
    source = {"@timestamp": ["2026-11-02T00:00:00Z", "junk", 1700000000000], "other": "2001"}
    assert event_time(source) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert event_time(source, "other") == datetime(2001, 1, 1, tzinfo=UTC)
    assert event_time({}) is None


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
@quick
def test_written_times_are_read_back_cut_to_milliseconds(moment: datetime) -> None:
    """Nothing finer than a millisecond is written, and nothing coarser is lost."""
    try:
        text = write_time(moment)
    except OverflowError:
        return
    read = parse_time(text)
    assert read is not None
    assert timedelta() <= moment - read < timedelta(milliseconds=1)
    assert len(text) == 24


def test_templates_see_one_spelling() -> None:
    """Dotted keys are taken apart and joined with what is nested; single elements lose their list."""
    source = {"host": {"name": ["a"]}, "host.os": {"type": "windows"}, "host.ip": ["1", "2"], "tags": [], "a.b.c": 1}
    assert nested(source) == {
        "host": {"name": "a", "os": {"type": "windows"}, "ip": ["1", "2"]},
        "tags": [],
        "a": {"b": {"c": 1}},
    }


def test_templates_see_the_object_where_spellings_contradict() -> None:
    """A value cannot hide an object, whichever comes first."""
    assert nested({"a": "text", "a.b": 1}) == {"a": {"b": 1}}
    assert nested({"a.b": 1, "a": "text"}) == {"a": {"b": 1}}
    assert nested({"a.b": {"c": 1}, "a": {"b": {"d": 2}, "e": 3}}) == {"a": {"b": {"c": 1, "d": 2}, "e": 3}}


def test_taking_apart_leaves_the_document_alone() -> None:
    """Even where names are deeper than what is taken apart."""
    path = ".".join("a" * 40)
    source: dict[str, Any] = {path: {"x": {"y": 1}}, f"{path}.x": {"z": 2}}
    nested(source)
    assert source == {path: {"x": {"y": 1}}, f"{path}.x": {"z": 2}}
