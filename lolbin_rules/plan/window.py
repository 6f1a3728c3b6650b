"""Spans of time: one half-open window, and sets of them with the arithmetic of sets.

Every moment is an aware UTC `datetime` on a whole millisecond, because that is what Elasticsearch's `date` can tell
apart: a bound between two milliseconds would be rounded by the node, and the arithmetic here would no longer be about
what was searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "DAWN",
    "EPOCH",
    "FOREVER",
    "MILLISECOND",
    "Spans",
    "Window",
    "before",
    "floor",
    "from_position",
    "position",
]

MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DAWN = datetime.min.replace(tzinfo=UTC)
"""Earlier than everything: the start of time that has no start."""

FOREVER = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
"""Later than everything: the end of a window that is still open. Stored as null, never as a date."""


def floor(moment: datetime) -> datetime:
    """The whole millisecond that `moment` lies in, in UTC.

    Down, never up or to the nearest: a search made at a floored moment is said to be a little older than it is, which
    can only make this tool search once more. `ValueError` for a naive datetime: nobody knows which moment it means.
    """
    utc = _in_utc(moment)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000) if utc.microsecond % 1000 else utc


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(
            f"{moment!r} has no time zone; which moment it means is unknown. Use datetime.now(UTC) or tzinfo=UTC"
        )
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def before(moment: datetime, duration: timedelta) -> datetime:
    """The moment `duration` before, floored; `DAWN` where the calendar ends (a rule may look back `999999999d`)."""
    try:
        return floor(moment - duration)
    except OverflowError:
        return DAWN


def position(moment: datetime) -> int:
    """Milliseconds since 1970: what a hit sorted by a date field has as its sort value."""
    return (floor(moment) - EPOCH) // MILLISECOND


def from_position(milliseconds: int) -> datetime:
    """The moment that a sort value means."""
    return EPOCH + milliseconds * MILLISECOND


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One span of time, half-open: `start` belongs to it, `end` does not; never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            object.__setattr__(self, "start", _in_utc(self.start))
            object.__setattr__(self, "end", _in_utc(self.end))
        if self.start.microsecond % 1000 or self.end.microsecond % 1000:
            raise ValueError(f"{self} is not on whole milliseconds; Elasticsearch would round it. Use floor()")
        if self.start >= self.end:
            raise ValueError(f"the window from {self.start} to {self.end} is empty. Leave it out")

    def __str__(self) -> str:
        return f"[{self.start.isoformat()}, {self.end.isoformat()})"

    @property
    def duration(self) -> timedelta:
        """How much time it spans."""
        return self.end - self.start

    @property
    def is_open(self) -> bool:
        """Whether it has no end yet."""
        return self.end == FOREVER

    def overlap(self, other: Window) -> Window | None:
        """What both have in common."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of moments, kept as windows that are sorted, disjoint and not even adjacent; may be empty.

    `|`, `&` and `-` are those of sets. Made from any windows, in any order; equal sets compare equal.
    """

    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if len(self.windows) > 1:
            object.__setattr__(self, "windows", tuple(_joined(sorted(self.windows))))

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Spans:
        """The moments from `start` until `end`; none where `end` is not later."""
        return cls((Window(start, end),)) if start < end else cls()

    def __iter__(self) -> Iterator[Window]:
        return iter(self.windows)

    def __len__(self) -> int:
        return len(self.windows)

    def __contains__(self, moment: datetime) -> bool:
        return any(window.start <= moment < window.end for window in self.windows)

    def __or__(self, other: Spans) -> Spans:
        return Spans(self.windows + other.windows)

    def __and__(self, other: Spans) -> Spans:
        return _sorted(_common(self.windows, other.windows))

    def __sub__(self, other: Spans) -> Spans:
        if not self.windows or not other.windows:
            return self
        return self & _sorted(_between(other.windows))

    @property
    def duration(self) -> timedelta:
        """How much time they span together."""
        return sum((window.duration for window in self.windows), timedelta())


def _sorted(windows: Iterable[Window]) -> Spans:
    """Windows that are known to be sorted, disjoint and not adjacent, as a set."""
    spans = Spans()
    object.__setattr__(spans, "windows", tuple(windows))
    return spans


def _joined(windows: list[Window]) -> Iterator[Window]:
    """Sorted windows with those that overlap or touch made one."""
    last = windows[0]
    for window in windows[1:]:
        if window.start > last.end:
            yield last
            last = window
        elif window.end > last.end:
            last = Window(last.start, window.end)
    yield last


def _common(ours: tuple[Window, ...], theirs: tuple[Window, ...]) -> Iterator[Window]:
    """What two sorted, disjoint rows of windows share; both are walked once."""
    i = j = 0
    while i < len(ours) and j < len(theirs):
        overlap = ours[i].overlap(theirs[j])
        if overlap:
            yield overlap
        if ours[i].end < theirs[j].end:
            i += 1
        else:
            j += 1


def _between(windows: tuple[Window, ...]) -> Iterator[Window]:
    """All of time that sorted, disjoint windows leave out."""
    start = DAWN
    for window in windows:
        if start < window.start:
            yield Window(start, window.start)
        start = window.end
    if start < FOREVER:
        yield Window(start, FOREVER)
