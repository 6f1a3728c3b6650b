"""Dates are printed as an 8.19.9 node printed them."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from lolbin_rules.dsl.date_printing import date_printer, zone_offset
from lolbin_rules.errors import Unsupported

MARCH = 1_772_359_200_123
"""2026-03-01T10:00:00.123Z, a Sunday."""
EARLY = -315_619_199_999
"""1960-01-01T00:00:00.001Z."""


@pytest.mark.parametrize(
    ("formats", "march", "early"),
    [
        ("strict_date_optional_time||epoch_millis", "2026-03-01T10:00:00.123Z", "1960-01-01T00:00:00.001Z"),
        ("date_time", "2026-03-01T10:00:00.123Z", "1960-01-01T00:00:00.001Z"),
        ("epoch_millis", "1772359200123", "-315619199999"),
        ("epoch_second", "1772359200.123", "-315619199.999"),
        ("strict_date", "2026-03-01", "1960-01-01"),
        ("basic_date", "20260301", "19600101"),
        ("basic_date_time", "20260301T100000.123Z", "19600101T000000.001Z"),
        ("date_hour_minute_second", "2026-03-01T10:00:00", "1960-01-01T00:00:00"),
        ("ordinal_date", "2026-060", "1960-001"),
        ("yyyy-MM-dd HH:mm:ss", "2026-03-01 10:00:00", "1960-01-01 00:00:00"),
        ("8yyyy", "2026", "1960"),
        ("dd/MMM/yyyy:HH:mm:ss Z", "01/Mar/2026:10:00:00 +0000", "01/Jan/1960:00:00:00 +0000"),
        ("E, dd MMMM yy", "Sun, 01 March 26", "Fri, 01 January 60"),
        ("d/M/yyyy h:mm a", "1/3/2026 10:00 AM", "1/1/1960 12:00 AM"),
        ("HH 'o''clock'", "10 o'clock", "00 o'clock"),
        ("SSSSSS S", "123000 1", "001000 0"),
        ("X xxx XX", "Z +00:00 Z", "Z +00:00 Z"),
    ],
)
def test_a_date_is_printed_in_the_first_format(formats: str, march: str, early: str) -> None:
    """Named formats and Java patterns, before and after 1970."""
    assert [date_printer(formats)(ms) for ms in (MARCH, EARLY)] == [march, early]


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ("strict_date_optional_time", "2026-03-01T15:30:00.123+05:30"),
        ("X x XX XXX Z", "+0530 +0530 +0530 +05:30 +0530"),
        ("epoch_second", "1772359200.123"),
    ],
)
def test_a_date_is_printed_in_a_time_zone(formats: str, expected: str) -> None:
    """Seconds since 1970 know no zone."""
    assert date_printer(formats, timezone(timedelta(hours=5, minutes=30)))(MARCH) == expected


def test_zones_have_summer_time() -> None:
    """The offset is that of the moment."""
    printed = date_printer("strict_date_optional_time", ZoneInfo("Europe/Berlin"))
    assert printed(1_774_742_400_000) == "2026-03-29T01:00:00.000+01:00"
    assert printed(1_774_746_000_000) == "2026-03-29T03:00:00.000+02:00"
    assert zone_offset(1_774_746_000_000, ZoneInfo("Europe/Berlin")) == 7_200_000


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (253_402_300_800_000, "+10000-01-01T00:00:00.000Z"),
        (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
        (2**63 - 1, "+292278994-08-17T07:12:55.807Z"),
    ],
)
def test_far_years_are_printed_in_full_formats(ms: int, expected: str) -> None:
    """Documents may hold any year."""
    assert date_printer("strict_date_optional_time", UTC)(ms) == expected
    with pytest.raises(Unsupported, match="cannot print the year"):
        date_printer("yyyy-MM-dd", UTC)(ms)


@pytest.mark.parametrize("formats", ["week_date", "yyyy-'W'ww", "yyyy-MM-dd VV", "HH 'o", "QQQ"])
def test_unknown_formats_are_refused(formats: str) -> None:
    """They are named."""
    with pytest.raises(Unsupported, match=formats):
        date_printer(formats)
