"""Dates against what a node made of them: in documents, and as limits of ranges."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_cases import REFUSED, recorded

from lolbin_rules.dsl.date_fields import days_of, month_of
from lolbin_rules.dsl.dates import check_formats, date_math, parse_date, parse_nanos, parse_zone
from lolbin_rules.errors import StoreRejected, Unsupported

NOW = 1_772_359_872_345
"""2026-03-01T10:11:12.345Z, a Sunday."""


@pytest.mark.parametrize("group", recorded("dates"), ids=lambda group: group["format"])
def test_dates_are_those_that_a_node_stores(group: dict[str, Any]) -> None:
    """Every recorded text in every format."""
    found: dict[str, Any] = {}
    for text in group["cases"]:
        try:
            found[text] = parse_date(text, group["format"].split("||"))
        except ValueError:
            found[text] = REFUSED
    assert found == group["cases"]


@pytest.mark.parametrize("group", recorded("limits"), ids=lambda group: json.dumps([*group.values()][:-1]))
def test_limits_are_those_that_a_node_explains(group: dict[str, Any]) -> None:
    """What `gte` and `lte` mean; `lte` is rounded up."""
    zone = parse_zone(group["zone"]) if "zone" in group else None
    found: dict[str, Any] = {}
    for text in group["cases"]:
        try:
            found[text] = date_math(
                text, group["format"].split("||"), now_ms=NOW, zone=zone, round_up=group["side"] == "lte"
            )
        except ValueError:
            found[text] = REFUSED
    assert found == group["cases"]


def ms(text: str) -> int:
    """Milliseconds since 1970 of an ISO date."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "down", "up"),
    [
        ("now", "2026-03-01T10:11:12.345+00:00", "2026-03-01T10:11:12.345+00:00"),
        ("now-9m", "2026-03-01T10:02:12.345+00:00", "2026-03-01T10:02:12.345+00:00"),
        ("now/d", "2026-03-01T00:00:00+00:00", "2026-03-01T23:59:59.999+00:00"),
        ("now/w", "2026-02-23T00:00:00+00:00", "2026-03-01T23:59:59.999+00:00"),
        ("now-1M/M", "2026-02-01T00:00:00+00:00", "2026-02-28T23:59:59.999+00:00"),
        ("now+1y-1h/H", "2027-03-01T09:00:00+00:00", "2027-03-01T09:59:59.999+00:00"),
    ],
)
def test_now_is_given(text: str, down: str, up: str) -> None:
    """No clock is read."""
    assert date_math(text, now_ms=NOW) == ms(down)
    assert date_math(text, now_ms=NOW, round_up=True) == ms(up)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-1080, 1080))  # noqa: DTZ001
def test_a_printed_date_is_read_again(when: datetime, minutes: int) -> None:
    """With any offset, to the millisecond, which is cut off."""
    at = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert parse_date(at.isoformat()) == expected
    assert parse_date(when.isoformat(), zone=at.tzinfo) == expected
    assert parse_date(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").zfill(19) + "Z") == expected // 1000 * 1000


@given(st.integers(-300_000_000, 300_000_000))
def test_days_and_months_are_each_others_opposite(day: int) -> None:
    """Far before and after what Python's own dates reach."""
    year, month, of_month = month_of(day)
    assert days_of(year, month, of_month) == day
    assert (1 <= month <= 12, 1 <= of_month <= 31) == (True, True)


def test_nanoseconds() -> None:
    """From 1970 to 2262, as many as fit into 63 bits."""
    assert parse_nanos("2026-03-01T10:11:12.123456789Z") == NOW // 1000 * 10**9 + 123_456_789
    assert parse_nanos("1970") == 0
    assert parse_nanos(5) == 5_000_000
    assert parse_nanos("2026-03-01T10:11:12.1", round_up=True) % 10**9 == 100_000_000
    for text in ("1969-12-31T23:59:59.999Z", "2262-04-11T23:47:16.854775808Z", "-1"):
        with pytest.raises(ValueError, match="1970"):
            parse_nanos(text)


def test_numbers_are_read_as_json_writes_them() -> None:
    """A number in a document is a text to the formats."""
    assert parse_date(1_609_459_200_000.5) == parse_date("1609459200000.5") == 1_609_459_200_000
    assert parse_date(2026) == ms("2026-01-01T00:00:00+00:00")
    with pytest.raises(ValueError, match="failed to parse"):
        parse_date(1e20)


@pytest.mark.parametrize("text", ["Z", "UTC", "GMT", "UT", "+00:00", "-0000", "UTC+0", "GMT-00:00", "+0"])
def test_zones_without_an_offset(text: str) -> None:
    """However they are written."""
    assert parse_zone(text).utcoffset(datetime(2026, 7, 1)) == timedelta()  # noqa: DTZ001


def test_zones() -> None:
    """Offsets and regions; what Java does not know is none."""
    assert parse_zone("+05:30") == timezone(timedelta(hours=5, minutes=30))
    assert parse_zone("-3") == timezone(timedelta(hours=-3))
    assert parse_zone("UTC+0130") == timezone(timedelta(minutes=90))
    assert parse_zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    for text in ("", "europe/berlin", "Nowhere", "EST", "+19:00", "+01:60", "Factory", "../UTC", "+1:2"):
        with pytest.raises(ValueError, match=r"time zone|offset"):
            parse_zone(text)


def test_formats_are_checked_before_anything_is_written_in_them() -> None:
    """What Elasticsearch refuses, and what it takes and is not known here."""
    check_formats(["strict_date_optional_time", "epoch_millis", "yyyy-MM-dd'T'HH:mm:ss.SSSX", "dd MMM yyyy"], "x")
    for name in ("nosuch", "yyyy]", "yyyy 'open", "yyyy#"):
        with pytest.raises(StoreRejected, match="Correct") as caught:
            check_formats([name], 'the field "x"')
        assert not isinstance(caught.value, Unsupported)
        assert 'the field "x"' in str(caught.value)
    for name in ("week_date", "YYYY", "yyyy G", "zzz", "MMMMM", "qqq", "ppH"):
        with pytest.raises(Unsupported, match=name):
            check_formats([name], "x")
    with pytest.raises(Unsupported, match="language"):
        check_formats(["dd MMM yyyy"], "x", is_english=False)
    check_formats(["dd/MM/yyyy"], "x", is_english=False)


def test_a_long_text_takes_no_long_time() -> None:
    """Nothing goes back on what it has read."""
    for text in ("2" * 300_000, "2026-03-01T10:11:12" + "+" * 300_000, "now" + "+1d" * 30_000 + "x"):
        with pytest.raises(ValueError, match=r"failed|date math"):
            date_math(text, ["strict_date_optional_time", "date_optional_time", "yyyyMMdd", "MMM d"], now_ms=NOW)
