"""What is promised of the events of a rule by the way it is read, in words."""

from __future__ import annotations

from datetime import timedelta

from lolbin_rules.alert.source import write_time
from lolbin_rules.execution.progress import Course
from lolbin_rules.plan.plan import tolerance
from lolbin_rules.rule.coverage_mode import CoverageMode

__all__ = ["mode_in_use", "promise"]

ONE = "has exactly one alert, or is a member of exactly one"


def mode_in_use(course: Course) -> CoverageMode:
    """How the rule was read indeed: by sequence numbers only once they were all read to their end."""
    coverage = course.coverage
    if course.mode != "sequence":
        return course.mode
    known = coverage.sequence if coverage else None
    is_read = coverage and known and known.whole_at and known.goes_on(coverage.logics.current, coverage.asked)
    return "sequence" if is_read else "event_time"


def promise(course: Course, sweep_interval: timedelta, sweep_reach: timedelta) -> str:
    """What is promised of a rule's events.

    Args:
        course: the rule, compiled, with its coverage.
        sweep_interval: between two sweeps; zero where there are none.
        sweep_reach: how far back they look.
    """
    mode = mode_in_use(course)
    known = course.coverage.sequence if course.coverage else None
    if mode == "sequence" and known and known.whole_at:
        return (
            f"Mode {mode}: of the time since {write_time(known.since)} every matching document that became searchable "
            f"before {write_time(known.whole_at)}, however late after its time, {ONE}. Earlier time was searched by "
            "event_time."
        )
    late = tolerance(course.rule.interval, course.rule.lookback)
    its_time = "its event.ingested (its @timestamp where it has none)" if mode == "ingest_time" else "its time"
    found = (
        f"Mode {mode}: in settled time every matching document that became searchable no later than {late} after "
        f"{its_time} {ONE}"
    )
    if course.mode == "sequence":
        found = f"{found}. It is to be read by sequence numbers, which were not all read to their end yet"
    if not sweep_interval:
        return f"{found}. Sweeps are switched off: later ones are not promised."
    reach = max(sweep_reach - sweep_interval, timedelta())
    return f"{found}. One that comes later, but no later than {reach} after its time, gets it from a sweep."
