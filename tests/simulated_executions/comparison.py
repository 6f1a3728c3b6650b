"""The same arrivals and the same trouble for three algorithms, as a table: `python -m simulated_executions.comparison`.

Ours is the real code on the store in memory, with the sweeps that users have; the others are `reference`.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from lolbin_rules.alert import fields
from lolbin_rules.errors import StoreUnavailable
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.execution.sweep import Sweeps
from lolbin_rules.store.port import Document, Key, Outcome, Page, Scan, ShardFailure
from simulated_executions.faults import Crash, FaultyStore
from simulated_executions.many import quiet
from simulated_executions.memory_store import MemoryStore
from simulated_executions.reference import Came, Course, Tick, elastalert, kibana
from simulated_executions.scenario import MINUTE, SECOND, Faults, Watched, moment, rule_of
from simulated_executions.world import EVENTS, PREFIX, fixed_templates

__all__ = ["KINDS", "Row", "compare", "main", "table"]

INTERVAL, LOOKBACK = 5 * MINUTE, 9 * MINUTE
TOLERANCE = LOOKBACK - INTERVAL
LENGTH = 120 * MINUTE
LATEST = 90 * MINUTE
SWEEP_INTERVAL = 60 * MINUTE
SWEEPS = timedelta(milliseconds=SWEEP_INTERVAL), timedelta(hours=24)
"""As they are without settings."""
EVENTS_OF_A_COURSE = 60
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"


@dataclass(slots=True)
class Row:
    """Sums over several courses of one kind.

    Attributes:
        events: matching events.
        missed: algorithm -> events without an alert.
        doubled: algorithm -> alerts beyond the first of an event.
    """

    events: int
    missed: Counter[str]
    doubled: Counter[str]


Make = Callable[[random.Random], Course]


def _course(chance: random.Random, delay: Callable[[], float], ticks: Sequence[Tick] = (), cap: int = 100) -> Course:
    """Events all along two hours, ticks every interval until long after the last of them came."""
    phase = chance.randint(0, INTERVAL - 1)
    came = []
    for number in range(EVENTS_OF_A_COURSE):
        time = chance.randint(phase, LENGTH)
        came.append(Came(number, time, time + round(delay())))
    every = tuple(ticks) or _ticks(phase)
    return Course(INTERVAL, LOOKBACK, cap, tuple(came), every)


def _ticks(phase: int, after: int = 10 * INTERVAL) -> tuple[Tick, ...]:
    return tuple(Tick(at) for at in range(phase, LENGTH + after, INTERVAL))


def _with(ticks: Sequence[Tick], **changes: object) -> Callable[[Callable[[Tick], bool]], tuple[Tick, ...]]:
    return lambda which: tuple(replace(tick, **changes) if which(tick) else tick for tick in ticks)  # type: ignore[arg-type]


def _prompt(chance: random.Random) -> Callable[[], float]:
    return lambda: min(chance.expovariate(1 / (3 * SECOND)), TOLERANCE)


def _log_normal(chance: random.Random) -> Callable[[], float]:
    return lambda: min(chance.lognormvariate(math.log(20 * SECOND), 1.2), TOLERANCE)


def _tailed(chance: random.Random) -> Callable[[], float]:
    return lambda: chance.randint(30 * MINUTE, LATEST) if chance.random() < 0.05 else chance.randint(0, SECOND)


def _healthy(chance: random.Random) -> Course:
    return _course(chance, _log_normal(chance))


def _hours_late(chance: random.Random) -> Course:
    # Until a sweep has come after the last of them.
    course = _course(chance, _tailed(chance))
    return replace(course, ticks=_ticks(course.ticks[0].at, LATEST + SWEEP_INTERVAL + 2 * INTERVAL))


def _changed(chance: random.Random, start: int, end: int, **changes: object) -> Course:
    """The executions due in a span end in some way."""
    course = _course(chance, _log_normal(chance))
    return replace(course, ticks=_with(course.ticks, **changes)(lambda tick: start <= tick.at < end))


def _one_failure(chance: random.Random) -> Course:
    return _changed(chance, 60 * MINUTE, 65 * MINUTE, outcome="fails")


def _outage(chance: random.Random) -> Course:
    return _changed(chance, 60 * MINUTE, 90 * MINUTE, outcome="fails")


def _partial(chance: random.Random) -> Course:
    return _changed(chance, 60 * MINUTE, 75 * MINUTE, outcome="partial")


def _killed(chance: random.Random) -> Course:
    course = _changed(chance, 60 * MINUTE, 65 * MINUTE, outcome="killed")
    return _restarted(course, 65 * MINUTE)


def _restarted(course: Course, at: int) -> Course:
    fresh = min(tick.at for tick in course.ticks if tick.at >= at)
    return replace(course, ticks=_with(course.ticks, is_fresh=True)(lambda tick: tick.at == fresh))


def _restart(chance: random.Random) -> Course:
    return _restarted(_healthy(chance), 60 * MINUTE)


def _stopped(chance: random.Random) -> Course:
    course = _healthy(chance)
    left = tuple(tick for tick in course.ticks if not 40 * MINUTE <= tick.at < 90 * MINUTE)
    return _restarted(replace(course, ticks=left), 90 * MINUTE)


def _burst(chance: random.Random) -> Course:
    course = _course(chance, _prompt(chance), cap=10)
    at = 50 * MINUTE + chance.randint(0, INTERVAL)
    burst = tuple(
        replace(each, time=at + each.number, searchable=at + each.number + SECOND) for each in course.came[:40]
    )
    return replace(course, came=burst + course.came[40:])


def _two(chance: random.Random) -> Course:
    course = _healthy(chance)
    second = tuple(replace(tick, at=tick.at + chance.randint(1, MINUTE), runner=1) for tick in course.ticks)
    return replace(course, ticks=tuple(sorted((*course.ticks, *second), key=lambda tick: tick.at)))


KINDS: Mapping[str, Make] = {
    "delays within the overlap, nothing fails": _healthy,
    "one execution fails": _one_failure,
    "the store is out for 30 minutes": _outage,
    "some shards do not answer for 15 minutes": _partial,
    "the runner is restarted": _restart,
    "the runner is off for 50 minutes": _stopped,
    "the runner is killed in the middle of its writes": _killed,
    "a burst of four times the cap": _burst,
    "two instances run": _two,
    "one event in twenty comes 30 to 90 minutes late": _hours_late,
}


def ours(course: Course) -> Counter[int]:
    """How many alerts the real code makes of each event."""
    world = _World(course)
    for tick in course.ticks:
        world.tick(tick)
    alerts = world.store.written(f"{PREFIX}-alerts").values()
    return Counter(int(alert[fields.ANCESTORS][-1]["id"]) for alert in alerts)


class _World:
    """A store to which the events of a course come, and runners."""

    def __init__(self, course: Course) -> None:
        self.now = 0
        self.store = MemoryStore(clock=lambda: moment(self.now))
        self.store.prepare([*fixed_templates(), EVENTS])
        watched = Watched("compared", "query", course.interval, course.lookback, course.max_alerts)
        self._rule = rule_of(watched, watched.codes, "none")
        self._sweeps: dict[int, Sweeps] = {}
        self._left = sorted(course.came, key=lambda each: each.searchable, reverse=True)

    def let_pass(self, milliseconds: int) -> None:
        """See `Turning`."""
        self.now += milliseconds
        documents = []
        while self._left and self._left[-1].searchable <= self.now:
            each = self._left.pop()
            time = moment(each.time).isoformat(timespec="milliseconds")
            source = {"@timestamp": time, "event": {"category": "a", "code": "1"}}
            documents.append(Document(Key(f"ev-{each.number % 2}", str(each.number)), source))
        if documents:
            self.store.create(documents)
            self.store.refresh(["ev-*"])

    def interleave(self, runner: int) -> None:
        """See `Turning`: nobody does."""

    def note_refused(self, document: Document) -> None:
        """See `Turning`: nothing is."""

    def tick(self, tick: Tick) -> None:
        """One execution, and a sweep where one is due."""
        self.let_pass(tick.at - self.now if tick.at > self.now else 0)
        store = _Troubled(self.store, self, Faults(), random.Random(tick.at), 1000)
        store.outcome = tick.outcome
        known = self._sweeps.pop(tick.runner, None)
        sweeps = Sweeps(*SWEEPS) if known is None or tick.is_fresh else known
        with suppress(Crash):
            execute(self._orders(), store)
            self._sweep(sweeps, store)
            self._sweeps[tick.runner] = sweeps

    def _orders(self) -> Orders:
        return Orders([self._rule], {}, moment(self.now), prefix=PREFIX)

    def _sweep(self, sweeps: Sweeps, store: FaultyStore) -> None:
        with suppress(StoreUnavailable):
            told = store.clock()
            if owed := sweeps.owed([self._rule], told):
                sweeps.took(execute(replace(self._orders(), is_sweep=True, spans=owed), store), told)


@dataclass(slots=True)
class _Troubled(FaultyStore):
    """A store as an execution with this outcome meets it."""

    outcome: str = "ok"

    def _begin(self, *, is_write: bool = False) -> None:
        FaultyStore._begin(self, is_write=is_write)
        if self.outcome == "fails":
            raise StoreUnavailable("simulated: the store does not answer")

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`."""
        self._begin()
        for page in self.store.scan(request):
            if self.outcome == "partial":
                hits = tuple(hit for hit in page.hits if hit.key.index != "ev-0")
                yield Page(hits, (ShardFailure("ev-0", 0, "simulated: it does not answer", is_query_at_fault=False),))
            else:
                yield page

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`."""
        if self.outcome == "killed" and any("-alerts-" in each.key.index for each in documents):
            self.store.create(documents[: len(documents) // 2])
            raise Crash
        return FaultyStore.create(self, documents)


ALGORITHMS: Mapping[str, Callable[[Course], Counter[int]]] = {
    "lolbin-rules": ours,
    "Kibana": kibana,
    "ElastAlert 2": elastalert,
}


def compare(make: Make, courses: int) -> Row:
    """What becomes of so many courses of a kind."""
    row = Row(0, Counter(), Counter())
    for number in range(courses):
        course = make(random.Random(f"{make.__name__} {number}"))
        row.events += len(course.came)
        for name, algorithm in ALGORITHMS.items():
            alerts = algorithm(course)
            row.missed[name] += len({each.number for each in course.came} - alerts.keys())
            row.doubled[name] += sum(count - 1 for count in alerts.values())
    return row


def table(courses: int) -> str:
    """The table in Markdown."""
    columns = ["what happens", "events", *(f"{name}: missed / doubled" for name in ALGORITHMS)]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for name, make in KINDS.items():
        row = compare(make, courses)
        cells = [f"{row.missed[each]} / {row.doubled[each]}" for each in ALGORITHMS]
        lines.append("| " + " | ".join([name, str(row.events), *cells]) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m simulated_executions.comparison", description=__doc__)
    parser.add_argument("--courses", type=int, default=50)
    parser.add_argument("--write", type=Path, help="the document in which the table is to be replaced")
    asked = parser.parse_args(arguments)
    with quiet():
        made = table(asked.courses)
    print(made)  # noqa: T201 - this is what it is for
    if asked.write:
        before, _, rest = asked.write.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        asked.write.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
