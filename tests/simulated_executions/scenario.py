"""What happens in one simulated world, drawn from its seed: rules, events and when they come, edits, and what fails.

All times are whole milliseconds since `BASE`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from lolbin_rules.alert.source import write_time
from lolbin_rules.rule.coverage_mode import CoverageMode
from lolbin_rules.rule.model import Rule

__all__ = [
    "BASE",
    "EVERY_CODE",
    "LOGICS",
    "MINUTE",
    "SECOND",
    "Arrival",
    "ByHand",
    "Codes",
    "Edit",
    "Faults",
    "Grouping",
    "Scenario",
    "Watched",
    "draw",
    "moment",
    "rule_of",
]

BASE: Final = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)
"""Not far from the end of a month: alerts of one world lie in two indices."""
SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
HOSTS: Final = ("h0", "h1", "h2")

Codes: TypeAlias = frozenset[str]
"""The logic of a rule: which values of `event.code` it wants."""
EVERY_CODE: Final[Codes] = frozenset("123")
LOGICS: Final = (EVERY_CODE, frozenset("12"), frozenset("23"))

Kind: TypeAlias = Literal["query", "grouped", "threshold", "sequence"]
Grouping: TypeAlias = Literal["none", "host", "code"]
"""What a rule's suppression makes groups of, if it has any."""


def moment(at: int) -> datetime:
    """The moment so many milliseconds after the base."""
    return BASE + timedelta(milliseconds=at)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One document.

    Attributes:
        id: its id.
        index: its index.
        times: its times; mostly one.
        category: `a` for rules about single events and counts, `b` and `c` for sequences.
        code: what edits of rules are about.
        host: what it is grouped by; None where it lacks that.
        written: when it is written.
        refreshed: when its index is refreshed at the latest.
        ingested: what it says of when it came in; None where it says nothing.
    """

    id: str
    index: str
    times: tuple[int, ...]
    category: str
    code: str
    host: str | None
    written: int
    refreshed: int
    ingested: int | None = None

    @property
    def source(self) -> dict[str, Any]:
        """The document."""
        texts = [write_time(moment(time)) for time in self.times]
        source: dict[str, Any] = {
            "@timestamp": texts[0] if len(texts) == 1 else texts,
            "event": {"category": self.category, "code": self.code},
        }
        if self.ingested is not None:
            source["event"]["ingested"] = write_time(moment(self.ingested))
        return source if self.host is None else {**source, "host": {"name": self.host}}


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a rule's file."""

    at: int
    rule: str
    what: Literal["disable", "enable", "suppression", "logic"]
    codes: Codes = EVERY_CODE
    grouping: Grouping = "none"


@dataclass(frozen=True, slots=True)
class ByHand:
    """A person asks for the time from `start` to `end`."""

    at: int
    rule: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A rule as it is at the start, and what the oracle has to know of it.

    Attributes:
        flips: when its file begins to say `sequence` instead of its mode, when that ends, and so on. What is promised
            of its mode is promised throughout.
    """

    id: str
    kind: Kind
    interval: int
    lookback: int
    max_alerts: int
    codes: Codes = EVERY_CODE
    mode: CoverageMode = "event_time"
    flips: tuple[int, ...] = ()

    def mode_at(self, now: int) -> CoverageMode:
        """How its file says at a moment that it is read."""
        return "sequence" if sum(at <= now for at in self.flips) % 2 else self.mode

    def times_of(self, arrival: Arrival) -> tuple[int, ...]:
        """The times that a document has for this rule."""
        is_dated = self.mode == "ingest_time" and arrival.ingested is not None
        return (arrival.ingested,) if is_dated and arrival.ingested is not None else arrival.times

    @property
    def tolerance(self) -> int:
        """How late a document may become searchable and is promised an alert; as the documentation says."""
        return max(self.lookback - self.interval, 10 * SECOND)


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong, each by itself; rates are per call, per tick, or per item of a bulk.

    Attributes:
        outages: spans in which the store does not answer.
        refuses: calls that are refused for want of resources.
        loses_answers: calls whose effect takes place and whose answer is lost.
        items: items of bulks that fail one by one.
        partial: searches in which some of the documents do not answer.
        breaks: scans that break off after whole pages.
        repeats: scans that lose their point in time and repeat a page.
        crashes: ticks in which the program ends.
        slow: calls that take many seconds.
        skews: by how much the runner's clock is wrong, and from when on.
    """

    outages: tuple[tuple[int, int], ...] = ()
    refuses: float = 0
    loses_answers: float = 0
    items: float = 0
    partial: float = 0
    breaks: float = 0
    repeats: float = 0
    crashes: float = 0
    slow: float = 0
    skews: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is decided before the world begins to turn.

    Attributes:
        ticks: when the first runner, and when the second, looks at its rules.
        interleaved: how probable it is that the other runner executes while a call of this one is under way.
        end: nothing goes wrong from here on.
        page_size: documents in a page of a scan.
        sweeps: how long after one sweep the next one follows, and how far they reach; None: there are none.
        gives_way: how probable it is that a sweep is broken off after one of its windows.
        brought: indices that appear late with early documents, all of which are there within an hour.
        by_hand: what persons ask for.
    """

    seed: int
    rules: tuple[Watched, ...]
    arrivals: tuple[Arrival, ...]
    edits: tuple[Edit, ...]
    faults: Faults
    ticks: tuple[tuple[int, int], ...]
    interleaved: float
    end: int
    page_size: int
    sweeps: tuple[int, int] | None = None
    gives_way: float = 0
    brought: frozenset[str] = frozenset()
    by_hand: tuple[ByHand, ...] = ()


@lru_cache(maxsize=4096)
def rule_of(watched: Watched, codes: Codes, grouping: Grouping) -> Rule:
    """The rule as its file says it at some time."""
    keys: dict[str, Any] = {
        "id": watched.id,
        "name": watched.id,
        "description": "Simulated.",
        "author": "tests",
        "license": "Apache-2.0",
        "index": ["ev-*"],
        "interval": f"{watched.interval // SECOND}s",
        "lookback": f"now-{watched.lookback // SECOND}s",
        "severity": "low",
        "risk_score": 1,
        "max_alerts": watched.max_alerts,
        "coverage": watched.mode,
    }
    wanted = sorted(codes)
    if watched.kind == "sequence":
        of_code = "event.code in (" + ", ".join(f'"{code}"' for code in wanted) + ")"
        query = f"sequence by host.name with maxspan={MAXSPAN // SECOND}s [b where {of_code}] [c where {of_code}]"
        return Rule.model_validate({**keys, "type": "eql", "language": "eql", "query": query})
    keys["match"] = {"event.category": "a", "event.code": wanted}
    if watched.kind == "threshold":
        keys |= {"type": "threshold", "threshold": {"field": ["host.name"], "value": LEAST}}
    if grouping != "none":
        field_name, duration = SUPPRESSIONS[grouping]
        keys["suppression"] = {"group_by": [field_name], "duration": f"{duration // SECOND}s"}
    return Rule.model_validate(keys)


MAXSPAN: Final = 2 * MINUTE
LEAST: Final = 2
"""Events of a host in a slot that a threshold asks for."""
SUPPRESSIONS: Final = {"host": ("host.name", 10 * MINUTE), "code": ("event.code", 20 * MINUTE)}
"""By which field, and how long a slot is."""
__all__ += ["LEAST", "MAXSPAN"]


def draw(seed: int) -> Scenario:
    """The scenario of a seed; the same for the same seed, on every machine."""
    chance = random.Random(f"executions {seed}")
    interval = chance.choice((1, 5, 5)) * MINUTE
    rules = _rules(chance, interval)
    length = chance.randint(4, 8) * interval
    arrivals = _arrivals(chance, rules[0], length)
    sweeps, gives_way = _sweeps(random.Random(f"sweeps {seed}"))
    if sweeps is not None:
        arrivals += _late(random.Random(f"late {seed}"), rules[0], arrivals, sweeps)
    end = length + chance.randint(0, 2) * interval
    edits = _edits(chance, rules, length) if chance.random() < 0.4 else []
    edits += _suppression_edits(random.Random(f"suppression {seed}"), rules, length)
    faults = _faults(chance, length)
    ticks = _ticks(chance, interval, length)
    is_pair = chance.random() < 0.35
    if is_pair:
        ticks = sorted([*ticks, *((at + chance.randint(0, interval), 1) for at, _ in ticks if chance.random() < 0.5)])
    rules, arrivals = _with_modes(random.Random(f"modes {seed}"), rules, arrivals)
    rules = tuple(_with_flips(random.Random(f"flips {seed}"), rules, length))
    brought = list(_brought(random.Random(f"new index {seed}"), rules[0], len(arrivals), length))
    arrivals += brought
    return Scenario(
        seed,
        rules,
        tuple(arrivals),
        tuple(sorted(edits, key=lambda edit: edit.at)),
        faults,
        tuple(ticks),
        chance.choice((0.02, 0.05, 0.1)) if is_pair else 0,
        end,
        chance.choice((1, 2, 3, 7, 1000)),
        sweeps,
        gives_way,
        frozenset(arrival.index for arrival in brought),
        tuple(_by_hand(random.Random(f"by hand {seed}"), rules, edits, length)),
    )


def _by_hand(chance: random.Random, rules: tuple[Watched, ...], edits: Sequence[Edit], length: int) -> Iterator[ByHand]:
    """Above all what happened while a rule was disabled, else any past."""
    if chance.random() < 0.75:
        return
    for rule in rules:
        switched = [edit.at for edit in edits if edit.rule == rule.id and edit.what in {"disable", "enable"}]
        if switched:
            start, end = switched
        else:
            end = chance.randint(-rule.lookback, length)
            start = end - chance.randint(SECOND, 3 * rule.lookback)
        yield ByHand(max(end, 1) + chance.randint(0, length), rule.id, start, end)


def _brought(chance: random.Random, rule: Watched, first: int, length: int) -> Iterator[Arrival]:
    """Restored, reindexed, or brought under the pattern: an index that is new, and documents that are not."""
    if chance.random() < 0.5:
        return
    made, slow = chance.randint(1, length + rule.interval), chance.choice((0, 0, 5, 30)) * MINUTE
    earliest, near = -rule.lookback, chance.randint(-rule.lookback, made)
    for place in range(chance.randint(2, 8)):
        time = chance.choice((chance.randint(earliest, made), near + chance.randint(-MAXSPAN, 0)))
        written = made + (chance.randint(0, slow) if place else 0)
        refreshed = written + chance.choice((0, 0, SECOND, 10 * MINUTE))
        host, category, code = chance.choice(HOSTS), chance.choice("aabc"), chance.choice("123")
        ingested = time + chance.choice((0, 5, 700)) if chance.random() < 0.7 else None
        name = f"e{first + place}"
        yield Arrival(name, "ev-3", (time,), category, code, host, written, refreshed, ingested)


def _with_modes(
    chance: random.Random, rules: tuple[Watched, ...], arrivals: list[Arrival]
) -> tuple[tuple[Watched, ...], list[Arrival]]:
    """The same rules, each read in one of the ways that there are; some of the documents say when they came."""
    singles = {"query", "grouped"}
    modes: list[CoverageMode] = ["event_time", "event_time", "ingest_time", "sequence", "sequence"]
    chosen = tuple(replace(rule, mode=chance.choice(modes)) if rule.kind in singles else rule for rule in rules)
    dated = [
        replace(arrival, ingested=arrival.written - chance.choice((0, 0, 5, 700))) if chance.random() < 0.7 else arrival
        for arrival in arrivals
    ]
    return chosen, dated


def _with_flips(chance: random.Random, rules: tuple[Watched, ...], length: int) -> Iterator[Watched]:
    """The same rules, some of which are read by time and, for a while, by numbers."""
    for rule in rules:
        is_flipped = rule.kind in {"query", "grouped"} and rule.mode == "event_time" and chance.random() < 0.3
        flips = sorted(chance.randint(0, length) for _ in range(chance.randint(1, 4))) if is_flipped else ()
        yield replace(rule, flips=tuple(flips))


def _sweeps(chance: random.Random) -> tuple[tuple[int, int] | None, float]:
    if chance.random() < 0.4:
        return None, 0
    every = chance.choice((5, 10, 20)) * MINUTE
    return (every, every + chance.randint(10, 120) * MINUTE), chance.choice((0, 0, 0.3))


def _rules(chance: random.Random, interval: int) -> tuple[Watched, ...]:
    overlap = chance.choice((0, 1, 4, 4, 10)) * interval // 5
    kinds: list[Kind] = ["query", "grouped", "threshold", "sequence"]
    chosen = chance.sample(kinds, chance.choice((1, 2, 2)))
    return tuple(
        Watched(f"{kind}-{number}", kind, interval, interval + overlap, chance.choice((1, 2, 3, 5, 100, 100)))
        for number, kind in enumerate(chosen)
    )


def _ticks(chance: random.Random, interval: int, length: int) -> list[tuple[int, int]]:
    missed, jitter = chance.choice((0, 0, 0.3)), chance.choice((0, 50, 2 * SECOND, 20 * SECOND))
    at = interval // 2
    ticks = []
    while at <= length:
        if chance.random() >= missed:
            ticks.append((at + chance.randint(0, jitter), 0))
        at += interval
    return ticks or [(at, 0)]


def _arrivals(chance: random.Random, rule: Watched, length: int) -> list[Arrival]:
    law, late = chance.choice(("prompt", "exponential", "log-normal", "tailed", "edge")), rule.tolerance
    rolled = chance.randint(0, length) if chance.random() < 0.4 else None
    grain = chance.choice((1, 1, 30 * SECOND, 2 * MINUTE))
    arrivals = []
    number = chance.randint(6, 24)
    burst = chance.randint(0, length) if chance.random() < 0.4 else None
    for place in range(number):
        time = chance.randint(-rule.lookback, length) // grain * grain
        if burst is not None and place % 2:
            time = burst + chance.choice((0, 0, 1, 2, 700))
        delay = _delay(chance, law, late)
        written = max(0, time + delay - chance.choice((0, 1, 300, SECOND)))
        refreshed = max(written, time + delay)
        category = chance.choice("aabc")
        times: tuple[int, ...] = (time,)
        if category == "a" and chance.random() < 0.06:
            times = (time, time + chance.choice((-1, 1)) * chance.randint(1, 2 * rule.interval))
        index = "ev-1" if rolled is None or written < rolled else "ev-2"
        host = None if chance.random() < 0.04 else chance.choice(HOSTS)
        arrivals.append(Arrival(f"e{place}", index, times, category, chance.choice("123"), host, written, refreshed))
    return arrivals


def _late(
    chance: random.Random, rule: Watched, arrivals: Sequence[Arrival], sweeps: tuple[int, int]
) -> Iterator[Arrival]:
    """Documents that only sweeps can find, near to others in time."""
    every, reach = sweeps
    for place in range(chance.randint(2, 6)):
        near = chance.choice(arrivals)
        time = near.times[0] + chance.choice((0, 1, -SECOND, chance.randint(-MAXSPAN, MAXSPAN)))
        seen = max(time + chance.randint(rule.tolerance, max(reach - every, rule.tolerance)), near.written)
        host, category = chance.choice((near.host, chance.choice(HOSTS))), chance.choice("aabc")
        code = chance.choice((near.code, *"123"))
        name = f"e{len(arrivals) + place}"
        yield Arrival(
            name, near.index, (time,), category, code, host, max(0, seen - chance.randint(0, SECOND)), max(0, seen)
        )


def _delay(chance: random.Random, law: str, late: int) -> int:
    """How long after its time a document becomes searchable; some laws go far beyond what is promised."""
    if law == "prompt":
        return round(chance.expovariate(1 / (2 * SECOND)))
    if law == "exponential":
        return round(chance.expovariate(3 / late))
    if law == "log-normal":
        return min(round(chance.lognormvariate(math.log(5 * SECOND), 1.8)), 4 * HOUR)
    if law == "edge":
        return chance.choice((late, late, late - 1, late + 1, chance.randint(0, late)))
    return chance.randint(1, 5 * HOUR) if chance.random() < 0.15 else chance.randint(0, min(late, 30 * SECOND))


def _edits(chance: random.Random, rules: tuple[Watched, ...], length: int) -> list[Edit]:
    edits = []
    for rule in rules:
        what = chance.choice(("disable", "suppress", "logic", "logic", "none"))
        at = chance.randint(1, length)
        if what == "disable":
            edits += [Edit(at, rule.id, "disable"), Edit(at + chance.randint(1, length), rule.id, "enable")]
        elif what == "suppress" and rule.kind == "query":
            edits.append(Edit(at, rule.id, "suppression", grouping="host"))
        elif what == "logic":
            edits.append(Edit(at, rule.id, "logic", chance.choice(LOGICS[1:])))
            if chance.random() < 0.4:
                edits.append(Edit(at + chance.randint(1, length // 2), rule.id, "logic", EVERY_CODE))
    return edits


def _suppression_edits(chance: random.Random, rules: tuple[Watched, ...], length: int) -> list[Edit]:
    """Suppression is removed, changed, and brought back."""
    changed: tuple[Grouping, ...] = ("none", "none", "code")
    again: tuple[Grouping, ...] = ("none", "host", "code")
    edits = []
    for rule in rules:
        if rule.kind in {"query", "grouped"} and chance.random() < 0.4:
            at = chance.randint(1, length)
            edits.append(Edit(at, rule.id, "suppression", grouping=chance.choice(changed)))
            if chance.random() < 0.4:
                later = at + chance.randint(1, length // 2)
                edits.append(Edit(later, rule.id, "suppression", grouping=chance.choice(again)))
    return edits


def _faults(chance: random.Random, length: int) -> Faults:
    def rate(most: float) -> float:
        return chance.choice((0, 0, most / 4, most))

    outages, skews = [], []
    if chance.random() < 0.35:
        start = chance.randint(0, length)
        outages.append((start, start + chance.randint(1, length)))
    if chance.random() < 0.25:
        start = chance.randint(0, length)
        skews.append((start, chance.choice((-1, 1)) * chance.randint(1, 30 * MINUTE)))
        skews.append((start + chance.randint(1, length), chance.choice((0, -2 * SECOND))))
    return Faults(
        tuple(outages),
        refuses=rate(0.03),
        loses_answers=rate(0.03),
        items=rate(0.1),
        partial=rate(0.3),
        breaks=rate(0.3),
        repeats=rate(0.3),
        crashes=rate(0.5),
        slow=rate(0.03),
        skews=tuple(skews),
    )
