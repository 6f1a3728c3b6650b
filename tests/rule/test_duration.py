"""Durations and lookbacks: what is read is written again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.rule.duration import format_duration, format_lookback, parse_duration, parse_lookback

spans = st.integers(1, 366 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(spans)
def test_every_span_survives_being_written(span: timedelta) -> None:
    """What `format_` writes, `parse_` reads back."""
    assert parse_duration(format_duration(span)) == span
    assert parse_lookback(format_lookback(span)) == span


@pytest.mark.parametrize(
    ("text", "shortest"),
    [("90s", "90s"), ("60s", "1m"), ("5m", "5m"), ("120m", "2h"), ("24h", "1d"), ("366d", "366d")],
)
def test_the_shortest_text_is_written(text: str, shortest: str) -> None:
    """A span is written in the greatest unit that it is a whole number of."""
    assert format_duration(parse_duration(text)) == shortest
    assert format_lookback(parse_lookback(f"now-{text}")) == f"now-{shortest}"


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    """A text is a span of at least a second and at most 366 days, or a ValueError."""
    try:
        span = parse_duration(text)
    except ValueError:
        return
    assert timedelta(seconds=1) <= span <= timedelta(days=366)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "0m",
        "05m",
        "-5m",
        "5 m",
        "5m ",
        "5m\n",
        "5M",
        "1w",
        "1h30m",
        "\N{ARABIC-INDIC DIGIT FIVE}m",
        "367d",
        "9999999999s",
    ],
)
def test_no_durations(text: str) -> None:
    """Only digits from 1 up and one unit make a duration; none is guessed."""
    with pytest.raises(ValueError, match=r"duration|366d"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "5m", "now", "now-", "now-0m", "now-5", "now+5m", "now-5m/m", "NOW-5m", "now-now-5m"]
)
def test_no_lookbacks(text: str) -> None:
    """A lookback is `now-` and a duration."""
    with pytest.raises(ValueError, match="lookback"):
        parse_lookback(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("5 minutes", "5m"), ("10 Seconds", "10s"), ("1hour", "1h"), ("now-2d", "2d"), ("05m", "5m"), ("soon", "5m")],
)
def test_what_was_meant_is_suggested(text: str, meant: str) -> None:
    """The remedy is what the author probably meant."""
    with pytest.raises(ValueError, match=f"such as {meant}\\.$"):
        parse_duration(text)
