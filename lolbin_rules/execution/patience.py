"""How long an execution may take, and who goes first where that is too short for everybody."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.plan.searched import Searched
from lolbin_rules.plan.window import DAWN

__all__ = ["TIME_IS_UP", "Patience", "by_lag", "leave"]

TIME_IS_UP = (
    "The time that an execution may take was over; the rest is left to the next one, where the rules that lag most go "
    "first. Make rules cheaper, or raise LOLBIN_EXECUTION_TIMEOUT, if this goes on."
)


class Patience:
    """Time that is left to an execution.

    Args:
        search_within: the most that one search may take.
        within: the most that everything may take from now on; None for as long as it takes.
        stopwatch: seconds that never go back.
    """

    def __init__(
        self,
        search_within: timedelta,
        within: timedelta | None = None,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search_within = search_within
        self._stopwatch = stopwatch
        self._ends_at = None if within is None else stopwatch() + within.total_seconds()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._left <= timedelta()

    @property
    def within(self) -> timedelta:
        """How long the next search may take."""
        return min(self._search_within, self._left)

    @property
    def _left(self) -> timedelta:
        if self._ends_at is None:
            return timedelta.max
        return timedelta(seconds=self._ends_at - self._stopwatch())


def by_lag(courses: Sequence[Course]) -> list[Course]:
    """The rules whose last successful search reached least far first; in the order given where they are alike.

    A rule for which there was no time is thus the first of the next execution, and none is left out for ever.
    """
    return sorted(courses, key=lambda course: max((one.window.end for one in _searched(course)), default=DAWN))


def leave(stretches: Sequence[Stretch], at: int | None = None) -> None:
    """Leave these to the next execution: all of each, or what lies at or after a position up to which it was read."""
    for stretch in stretches:
        if at is None:
            stretch.is_doubted = True
        else:
            stretch.cut_at(at)
        stretch.course.fail(TIME_IS_UP)


def _searched(course: Course) -> Sequence[Searched]:
    return course.coverage.searched if course.coverage else ()
