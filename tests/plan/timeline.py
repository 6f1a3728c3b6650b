"""A small stretch of time counted in milliseconds, so that sets of moments can be written down and compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lolbin_rules.plan.window import MILLISECOND, Spans, Window

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LENGTH = 40
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(milliseconds: int) -> datetime:
    """The moment so long after noon."""
    return NOON + milliseconds * MILLISECOND


def span(start: int, end: int) -> Window:
    """The window between two such moments."""
    return Window(at(start), at(end))


def spans(*bounds: tuple[int, int]) -> Spans:
    """The windows between such moments."""
    return Spans(tuple(span(start, end) for start, end in bounds))


def moments(found: Spans) -> set[int]:
    """The milliseconds of the stretch that lie in `found`, which may reach beyond."""
    inside = [window for window in found if window.end > at(0) and window.start < at(LENGTH)]
    bounds = ((max(window.start, at(0)), min(window.end, at(LENGTH))) for window in inside)
    ranges = (range((start - NOON) // MILLISECOND, (end - NOON) // MILLISECOND) for start, end in bounds)
    return {moment for each in ranges for moment in each}


def windows() -> st.SearchStrategy[Window]:
    """Any window of the stretch."""
    starts = st.integers(0, LENGTH - 1)
    return starts.flatmap(lambda start: st.integers(start + 1, LENGTH).map(lambda end: span(start, end)))


def any_spans() -> st.SearchStrategy[Spans]:
    """Any set of windows of the stretch."""
    return st.lists(windows(), max_size=6).map(lambda found: Spans(tuple(found)))


def instants(least: int = 0, most: int = LENGTH) -> st.SearchStrategy[datetime]:
    """Any moment of the stretch."""
    return st.integers(least, most).map(at)
