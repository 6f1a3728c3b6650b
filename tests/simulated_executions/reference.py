"""How other products look for new events, as plain functions: what their documentation and sources say, nothing more.

Kibana's detection engine: a window from the start of the execution back; after a gap at most four more windows of the
same length, shifted by the interval; an execution that returns moves the state, whether its searches succeeded or not;
what is over the cap is dropped; ids of alerts are fixed.

ElastAlert 2 (defaults but for `realert: 0` and a `buffer_time` as long as the lookback): a living process searches from
the end of its last successful run, and at least `buffer_time` back; ids that it has seen live in memory; a status
document, written at the end of a run, is where a new process begins, and never looks behind; failed shards pass for
answers; there is no cap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Came", "Course", "Tick", "elastalert", "kibana"]

Outcome: TypeAlias = Literal["ok", "fails", "partial", "killed"]
MOST_CATCH_UPS = 4


@dataclass(frozen=True, slots=True)
class Came:
    """One matching event: its number, its time and when it became searchable, in milliseconds."""

    number: int
    time: int
    searchable: int


@dataclass(frozen=True, slots=True)
class Tick:
    """One execution that was due.

    Attributes:
        at: when.
        outcome: `fails`: the store does not answer. `partial`: events of even numbers are on shards that do not
            answer. `killed`: the program ends after half of the new alerts were written.
        runner: which of two instances.
        is_fresh: the program was started since its last execution.
    """

    at: int
    outcome: Outcome = "ok"
    runner: int = 0
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """What happens to a rule: its timing, its events and its executions."""

    interval: int
    lookback: int
    max_alerts: int
    came: tuple[Came, ...]
    ticks: tuple[Tick, ...]


def kibana(course: Course) -> Counter[int]:
    """How many alerts Kibana's algorithm makes of each event."""
    alerts: Counter[int] = Counter()
    previous: int | None = None
    for tick in course.ticks:
        if tick.outcome == "killed":
            # State is saved by an execution that returns; ids are fixed, so what it wrote is not doubled.
            hits = _new(_found(course, tick, _kibana_windows(course, tick.at, previous)), alerts)
            alerts.update({each.number: 1 for each in hits[: len(hits) // 2][: course.max_alerts]})
            continue
        if tick.outcome != "fails":
            for window in _kibana_windows(course, tick.at, previous):
                hits = _new(_found(course, tick, [window]), alerts)
                alerts.update({each.number: 1 for each in hits[: course.max_alerts]})
        previous = tick.at
    return alerts


def _kibana_windows(course: Course, now: int, previous: int | None) -> list[tuple[int, int]]:
    """Both bounds belong to a window; the oldest comes first."""
    gap = 0 if previous is None else now - previous - course.lookback
    catch_ups = 0 if gap <= 0 else min(MOST_CATCH_UPS, -(-gap // course.interval))
    return [
        (now - course.lookback - back * course.interval, now - back * course.interval)
        for back in range(catch_ups, -1, -1)
    ]


def _new(hits: Iterable[Came], alerts: Mapping[int, int]) -> list[Came]:
    return [each for each in hits if each.number not in alerts]


def _found(course: Course, tick: Tick, windows: Sequence[tuple[int, int]]) -> list[Came]:
    """The events in windows that are searchable, oldest first, each once."""
    return sorted(
        (
            each
            for each in course.came
            if each.searchable <= tick.at
            and any(start <= each.time <= end for start, end in windows)
            and not (tick.outcome == "partial" and each.number % 2 == 0)
        ),
        key=lambda each: each.time,
    )


@dataclass(slots=True)
class Process:
    """What one process of ElastAlert 2 has in memory."""

    seen: dict[int, int] = field(default_factory=dict)
    previous_end: int | None = None
    earliest: int | None = None


def elastalert(course: Course) -> Counter[int]:
    """How many alerts ElastAlert 2's algorithm makes of each event."""
    alerts: Counter[int] = Counter()
    processes: dict[int, Process] = {}
    status: int | None = None
    for tick in course.ticks:
        process = processes.get(tick.runner)
        if process is None or tick.is_fresh:
            process = processes[tick.runner] = Process(earliest=status)
            process.previous_end = status
        if tick.outcome == "fails":
            continue
        start = _elastalert_start(course, tick.at, process)
        hits = [each for each in _found(course, tick, [(start + 1, tick.at)]) if each.number not in process.seen]
        if tick.outcome == "killed":
            alerts.update(each.number for each in hits[: len(hits) // 2])
            del processes[tick.runner]
            continue
        alerts.update(each.number for each in hits)
        process.seen |= {each.number: each.time for each in hits}
        process.seen = {n: time for n, time in process.seen.items() if time >= tick.at - course.lookback}
        process.previous_end = status = tick.at
    return alerts


def _elastalert_start(course: Course, now: int, process: Process) -> int:
    start = now - course.lookback
    if process.previous_end is not None:
        start = min(start, process.previous_end)
    return start if process.earliest is None else max(start, process.earliest)
