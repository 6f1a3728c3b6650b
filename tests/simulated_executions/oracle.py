"""What must be there in the end, worked out from what happened in the world and from nothing that the package says.

The promise: a document that matches and becomes searchable no later than the rule's tolerance after its time is
alerted, where its time was asked: from one lookback before the first execution on, while the rule is enabled, and
whatever a person asks for by hand. Where there are sweeps, so is one that became searchable before a sweep that reached
its time; and as these follow each other while the program runs, every one that is later than its time by no more than
the reach less the interval of sweeps.
What an index holds that came after the rule had seen which there are is owed an alert however late it is.
Where a rule's logic was edited, a document is owed an alert if the logic in force at its time and all later ones want
it; sweeps do not reach before the beginning of the logic in force.
Wherever a bound is not known to the millisecond, the one is taken that asks less; whatever is not owed may be alerted
or not, but never twice, and never for nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from lolbin_rules.alert import fields
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.window import Spans, Window
from lolbin_rules.store.port import Key
from simulated_executions.scenario import BASE, LEAST, MAXSPAN, SECOND, Arrival, Codes, Scenario, Watched, moment

__all__ = ["Oracle"]

Meets: TypeAlias = Callable[[int, int], bool]
"""Whether a look at the store finds a document: when that became searchable, and its time."""
Written: TypeAlias = Mapping[Key, Mapping[str, Any]]
Identity: TypeAlias = tuple[Any, ...]
FOREVER = 2**60
EVERYTHING = [(-FOREVER, FOREVER)]
SLACK = 10 * SECOND
"""Sweeps take time; the next one begins a little later than is due."""


@dataclass(slots=True)
class History:
    """What is known of one rule.

    Attributes:
        asked: spans of time that were surely asked.
        logics: the logics in force, each with a moment at or after which it surely was; oldest first.
        ever: every logic that a file had.
        known_as: what each logic is, by the fingerprint that it is stored with.
        stored: the coverage when it was looked at last.
        seen: how many documents were searchable then.
        by_hand: spans that a person may have asked for; how much of them was taken up is not known yet.
        is_closed: it was never executed, or was disabled since.
        closing: by runner, when it was about to note last that the rule is disabled, unless it executed it since.
        swept: what sweeps must have found.
        sweeping: by runner, what sweeps began that must be made up for by later ones, unless the runner ends: when, and
            from which time on.
        half_done: the runners whose last sweep may have left something.
        listed_at: when it surely had searched something, and so known which indices there are.
    """

    asked: list[tuple[int, int]] = field(default_factory=list)
    logics: list[tuple[Codes, int]] = field(default_factory=list)
    ever: list[Codes] = field(default_factory=list)
    known_as: dict[str, Codes] = field(default_factory=dict)
    stored: Coverage | None = None
    seen: int = 0
    by_hand: list[tuple[int, int]] = field(default_factory=list)
    is_closed: bool = True
    closing: dict[int, int] = field(default_factory=dict)
    swept: list[Meets] = field(default_factory=list)
    sweeping: dict[int, list[int]] = field(default_factory=dict)
    half_done: set[int] = field(default_factory=set)
    listed_at: int = FOREVER

    def close(self, now: int) -> None:
        """From now on nothing is asked, until it is seen to be again."""
        self.asked = [(start, min(end, now)) for start, end in self.asked if start < now]
        self.is_closed = True

    @property
    def since(self) -> int:
        """A moment at or after the beginning of the logic in force."""
        return self.logics[-1][1] if self.logics else FOREVER


class Oracle:
    """Looks on, and judges.

    Args:
        scenario: what happens.

    Attributes:
        lost: what was owed an alert and has none, as sentences.
        doubled: what has more than one.
        wrong: whatever else is not as it must be.
        refused: by sequence, how often the index refused an event of it in whatever form: its alert may lack that one.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.wrong: list[str] = []
        self.refused: Counter[str] = Counter()
        self._scenario = scenario
        self._searchable: dict[int, int] = {}
        self._rules = {rule.id: rule for rule in scenario.rules}
        self._known = {rule.id: History(ever=[rule.codes]) for rule in scenario.rules}
        self._told: dict[str, dict[int, tuple[Codes, int]]] = {}

    # What the world tells

    def note_searchable(self, number: int, now: int) -> None:
        """A document is found from now on."""
        self._searchable.setdefault(number, now)

    def note_file(self, rule: str, codes: Codes) -> None:
        """A file says so now."""
        self._known[rule].ever.append(codes)

    def note_closed(self, rule: str, now: int, runner: int) -> None:
        """A runner is about to note that the rule is disabled."""
        self._known[rule].closing[runner] = now
        self._known[rule].close(now)

    def note_begun(self, rule: str, codes: Codes, told: int, runner: int) -> None:
        """A runner is about to execute the rule; it was planned for no later than `told`.

        Another runner may be in the middle of that, with another clock: nobody knows which of the two comes first.
        """
        self._told.setdefault(rule, {})[runner] = codes, told
        self._known[rule].closing.pop(runner, None)

    def note_by_hand(self, rule: str, codes: Codes, span: tuple[int, int], runner: int) -> None:
        """A person is about to search a span of time, in the place of a runner that is idle."""
        self.note_begun(rule, codes, FOREVER, runner)
        self._known[rule].by_hand.append(span)

    def note_done(self, rule: str, runner: int) -> None:
        """That is over, and what came of it was looked at."""
        self._told[rule].pop(runner)

    def note_crash(self, runner: int) -> None:
        """A program ended, and forgets which sweeps were not done."""
        for history in self._known.values():
            history.sweeping.pop(runner, None)
            history.half_done.discard(runner)

    def note_sweep(self, rules: Iterable[str], runner: int, now: int) -> None:
        """A runner is about to sweep these rules, or to go on with it."""
        for rule in rules:
            if runner not in self._known[rule].half_done:
                self._known[rule].sweeping.setdefault(runner, []).append(now)

    def note_swept(self, rules: Iterable[str], runner: int, *, is_clean: bool) -> None:
        """It has done so; clean, if nothing went wrong in it and nothing is left of it."""
        for rule in rules:
            history = self._known[rule]
            if self._rules[rule].mode == "sequence":
                continue  # what is promised of it needs no sweeps, and it has none
            if not is_clean:
                history.half_done.add(runner)
            elif runner in history.half_done:
                history.half_done.remove(runner)
            else:
                history.swept.append(self._meets(rule, history.sweeping[runner][-1], -FOREVER))

    def note_swept_from(self, now: int) -> None:
        """The first runner goes on sweeping for good, nothing fails any more, and one sweep is done."""
        if self._scenario.sweeps is None:
            return
        every, reach = self._scenario.sweeps
        for rule, history in self._known.items():
            if self._rules[rule].mode == "sequence":
                continue
            history.swept += [self._meets(rule, began, now - 2 * reach) for began in history.sweeping.get(0, ())]
            history.swept.append(_meets_from(now, reach - every - SLACK, history))

    def _meets(self, rule: str, began: int, oldest: int) -> Meets:
        _, reach = self._scenario.sweeps or (0, 0)
        start, end = max(began - reach, oldest, self._known[rule].since), began - self._rules[rule].lookback
        return lambda seen, time: seen <= began and start <= time < end

    def look(self, coverages: Mapping[str, Coverage], written: Written, now: int) -> None:
        """After every tick, crashed or not: what became of the stored state, and does it say too much?"""
        for rule_id, coverage in coverages.items():
            history, told = self._known[rule_id], self._told.get(rule_id)
            if not told:
                continue
            since = min(max(at for _, at in told.values()), now) - self._rules[rule_id].lookback
            before, logic = history.stored, coverage.logics.current
            if before is None or logic != before.logics.current:
                earlier, known = coverage.logics.earlier, before.logics.all if before else ()
                if [each.fingerprint for each in earlier] != [each.fingerprint for each in known]:
                    # Others were in force in between, and nobody saw which.
                    history.logics.append((frozenset[str].intersection(*history.ever), since))
                candidates = [codes for codes, _ in told.values()]
                history.logics.append((_codes(history, logic.fingerprint, candidates), since))
            elif before is not coverage and before.logics == coverage.logics:
                self._check_memory(rule_id, before, coverage)
            _note_asked(history, coverage, since)
            if history.stored is not coverage or history.seen != len(self._searchable):
                self._check_belief(rule_id, coverage, written)
            history.stored, history.seen = coverage, len(self._searchable)
            if coverage.searched:
                history.listed_at = min(history.listed_at, now)

    def _check_memory(self, rule_id: str, before: Coverage, coverage: Coverage) -> None:
        """Of two runners neither takes away what the other has found out."""
        late = timedelta(milliseconds=self._rules[rule_id].tolerance)
        if forgotten := before.settled(late) - coverage.settled(late) - coverage.left_over - coverage.unmet:
            self.wrong.append(f"{rule_id}: {forgotten.windows[0]} was searched, and that is forgotten")

    def _check_belief(self, rule_id: str, coverage: Coverage, written: Written) -> None:
        rule = self._rules[rule_id]
        settled = _numbers(coverage.settled(timedelta(milliseconds=rule.tolerance)))
        there = _identities(rule_id, written)
        for identity in self._owed(rule, settled, self._ordinary(rule)):
            if identity not in there and rule.kind != "threshold":
                self.wrong.append(f"{rule_id}: coverage says that the time of {identity} is done, and it has no alert")
        self._check_numbers(rule, coverage, there)

    def _check_numbers(self, rule: Watched, coverage: Coverage, there: Counter[Identity]) -> None:
        """What was searchable when every shard was read to its end has its alert, however late it came."""
        known = coverage.sequence
        if known is None or known.whole_at is None or not known.goes_on(coverage.logics.current, coverage.asked):
            return
        since, whole_at = _number(known.since), _number(known.whole_at)
        asked = self._known[rule.id].asked
        for identity in self._owed(rule, asked, lambda seen, time: seen <= whole_at and time >= since):
            if identity not in there:
                self.wrong.append(f"{rule.id}: every shard was read to its end, and {identity} has no alert")

    def is_drained(self, coverages: Mapping[str, Coverage], now: int) -> bool:
        """Whether every rule's coverage says that nothing is left; what it says is checked otherwise."""
        for rule in self._scenario.rules:
            if rule.id not in coverages:
                return not self._known[rule.id].asked
            coverage = coverages[rule.id]
            past = Spans.between(moment(-(2**40)), moment(now - rule.lookback - rule.interval))
            if (coverage.asked & past) - coverage.settled(timedelta(milliseconds=rule.tolerance)):
                return False
            if coverage.left_over:
                return False
        return True

    # What is owed

    def _wanted(self, rule: Watched, arrival: Arrival, time: int) -> bool:
        """Whether every logic wants it that may have been in force at a time, or was so later."""
        logics = self._known[rule.id].logics
        first = max((place for place, (_, since) in enumerate(logics) if place == 0 or time >= since), default=0)
        return bool(logics) and all(arrival.code in codes for codes, _ in logics[first:])

    def _promised(
        self, rule: Watched, spans: Iterable[tuple[int, int]], meets: Meets, new: frozenset[str] = frozenset()
    ) -> Iterator[tuple[Arrival, list[int]]]:
        """The documents that a look must have met, and all of new indices, with their times for which that is so."""
        spans = list(spans)
        for number, arrival in enumerate(self._scenario.arrivals):
            seen = self._searchable.get(number, FOREVER)
            is_brought = arrival.index in new and seen < FOREVER
            times = [
                time
                for time in rule.times_of(arrival)
                if (is_brought or meets(seen, time))
                and any(start <= time < end for start, end in spans)
                and self._wanted(rule, arrival, time)
            ]
            if times:
                yield arrival, times

    def _ordinary(self, rule: Watched) -> Meets:
        return lambda seen, time: seen - time <= rule.tolerance

    def _every(self, rule: Watched) -> list[Meets]:
        """What ordinary executions must have met, and what each of the sweeps; by numbers, whatever came at all."""
        since = self._known[rule.id].since
        numbers: list[Meets] = [lambda seen, time: seen < FOREVER and time >= since] if rule.mode == "sequence" else []
        return [self._ordinary(rule), *self._known[rule.id].swept, *numbers]

    def _brought(self, rule: Watched) -> Iterator[Identity]:
        """What is owed an alert by ordinary executions, and because its index is new, or that of a part of it."""
        history, first = self._known[rule.id], dict[str, int]()
        for arrival in self._scenario.arrivals:
            first[arrival.index] = min(first.get(arrival.index, FOREVER), arrival.written)
        new = frozenset(index for index in self._scenario.brought if first[index] > history.listed_at)
        return self._owed(rule, history.asked, self._ordinary(rule), new)

    def _owed(
        self, rule: Watched, spans: Iterable[tuple[int, int]], meets: Meets, new: frozenset[str] = frozenset()
    ) -> Iterator[Identity]:
        """What is owed an alert, by what an alert is known by."""
        if rule.kind in {"query", "grouped"}:
            for arrival, _times in self._promised(rule, spans, meets, new):
                if arrival.category == "a":
                    yield ("event", arrival.index, arrival.id)
        elif rule.kind == "threshold":
            for (host, slot), count in self._slots(rule, spans, meets, new).items():
                if count >= LEAST:
                    yield ("slot", host, slot)
        else:
            yield from self._sequences(rule, list(spans), meets, new)

    def _slots(
        self, rule: Watched, spans: Iterable[tuple[int, int]], meets: Meets, new: frozenset[str] = frozenset()
    ) -> Counter[tuple[str, int]]:
        counted: Counter[tuple[str, int]] = Counter()
        for arrival, times in self._promised(rule, spans, meets, new):
            if arrival.category == "a" and arrival.host:
                counted.update({(arrival.host, _slot(rule, time)) for time in times})
        return counted

    def _sequences(
        self, rule: Watched, spans: list[tuple[int, int]], meets: Meets, new: frozenset[str]
    ) -> Iterator[Identity]:
        """Endings that are found whatever else was searchable when it was looked."""
        begins = [arrival for arrival, _ in self._promised(rule, EVERYTHING, meets, new) if arrival.category == "b"]
        rivals = [arrival for arrival in self._scenario.arrivals if arrival.category == "c"]
        for arrival, (time, *_) in self._promised(rule, spans, meets, new):
            if arrival.category != "c" or arrival.host is None:
                continue
            before = [
                begin.times[0]
                for begin in begins
                if begin.host == arrival.host and time - MAXSPAN < begin.times[0] < time
            ]
            if before and not any(
                rival is not arrival and rival.host == arrival.host and max(before) <= rival.times[0] <= time
                for rival in rivals
            ):
                yield ("sequence", arrival.index, arrival.id)

    # The judgement

    def judge(self, written: Written) -> tuple[int, int]:
        """At the end: how many things were owed, and how many alerts there are."""
        owed = 0
        for rule in self._scenario.rules:
            there = _identities(rule.id, written)
            asked = self._known[rule.id].asked
            wanted = {identity for meets in self._every(rule) for identity in self._owed(rule, asked, meets)}
            wanted |= set(self._brought(rule))
            owed += len(wanted)
            self.lost += [f"{rule.id}: {identity}" for identity in sorted(wanted - there.keys())]
            self.doubled += [f"{rule.id}: {each} has {count} alerts" for each, count in there.items() if count > 1]
            self._refuse_inventions(rule, there)
            self._check_counts(rule, written)
        return owed, sum(1 for key in written if "-alerts-" in key.index)

    def _refuse_inventions(self, rule: Watched, there: Counter[Identity]) -> None:
        by_id = {(arrival.index, arrival.id): arrival for arrival in self._scenario.arrivals}
        ever = frozenset[str]().union(*self._known[rule.id].ever)
        for identity in there:
            if identity[0] == "slot":
                continue
            arrival = by_id[identity[1], identity[2]]
            if arrival.code not in ever or arrival.category != ("c" if rule.kind == "sequence" else "a"):
                self.wrong.append(f"{rule.id}: {identity} has an alert and no logic wants it")
            elif rule.kind == "sequence" and not any(
                begin.category == "b"
                and begin.host == arrival.host
                and 0 < arrival.times[0] - begin.times[0] <= MAXSPAN
                for begin in self._scenario.arrivals
            ):
                self.wrong.append(f"{rule.id}: {identity} ends no sequence")

    def _check_counts(self, rule: Watched, written: Written) -> None:
        alerts = {key.id: source for key, source in written.items() if _is_alert_of(rule.id, key, source)}
        members = Counter(
            source[fields.UUID]
            for key, source in written.items()
            if "-suppressed-" in key.index and source[fields.RULE_ID] == rule.id
        )
        for name, alert in alerts.items():
            if fields.SLOT_START in alert and alert[fields.SUPPRESSION_COUNT] != members[name]:
                self.wrong.append(f"{rule.id}: {name} counts {alert[fields.SUPPRESSION_COUNT]} of {members[name]}")
        if rule.kind == "threshold":
            self._check_thresholds(rule, alerts.values())
        if rule.kind == "sequence":
            blocks = Counter(alert[fields.GROUP_ID] for alert in alerts.values() if fields.GROUP_INDEX in alert)
            shells = [name for name, alert in alerts.items() if fields.GROUP_INDEX not in alert]
            few = [name for name in shells if not 2 - self.refused[name] <= blocks[name] <= 2]
            self.wrong += [f"{rule.id}: {name} has {blocks[name]} events" for name in few]

    def _check_thresholds(self, rule: Watched, alerts: Iterable[Mapping[str, Any]]) -> None:
        least: Counter[tuple[str, int]] = Counter()
        for meets in self._every(rule):
            least |= self._slots(rule, self._known[rule.id].asked, meets)
        most: Counter[tuple[str, int]] = Counter()
        for arrival in self._scenario.arrivals:
            if arrival.category == "a" and arrival.host:
                most.update({(arrival.host, _slot(rule, time)) for time in arrival.times})
        for alert in alerts:
            _, host, slot = _threshold_identity(alert)
            count = alert[fields.THRESHOLD_COUNT]
            if not max(least[host, slot], LEAST) <= count <= most[host, slot]:
                self.wrong.append(
                    f"{rule.id}: {host} in {slot} counts {count}, not {least[host, slot]} to {most[host, slot]}"
                )


def _meets_from(now: int, late: int, history: History) -> Meets:
    # An edit may still be taken up, and sweeps do not reach before it then.
    return lambda seen, time: now < seen <= time + late and time >= history.since


def _codes(history: History, fingerprint: str, candidates: list[Codes]) -> Codes:
    """The logic that is stored under a fingerprint; where it may be that of either runner, what both want."""
    if fingerprint not in history.known_as:
        strange = set(candidates) - set(history.known_as.values())
        if len(strange) != 1:
            return frozenset[str].intersection(*candidates)
        (history.known_as[fingerprint],) = strange
    return history.known_as[fingerprint]


def _is_alert_of(rule: str, key: Key, source: Mapping[str, Any]) -> bool:
    return "-alerts-" in key.index and source[fields.RULE_ID] == rule


def _identities(rule: str, written: Written) -> Counter[Identity]:
    """What has an alert, and how many.

    A member of a group is known by its membership, if the group's alert is there; what opened a group, and is no member
    of it, by the group's alert; all else by the alert itself.
    """
    alerts = {key.id: source for key, source in written.items() if _is_alert_of(rule, key, source)}
    members = {
        (source[fields.UUID], _event(source))
        for key, source in written.items()
        if "-suppressed-" in key.index and source[fields.RULE_ID] == rule
    }
    found = Counter(event for group, event in members if group in alerts)
    for name, source in alerts.items():
        if fields.SLOT_START in source:
            found[_event(source)] += (name, _event(source)) not in members
        elif fields.GROUP_INDEX not in source:
            found[_known_by(source)] += 1
    return found


def _known_by(alert: Mapping[str, Any]) -> Identity:
    match = json.loads(alert[fields.MATCH]) if fields.MATCH in alert else ["event"]
    if match[0] == "threshold":
        return _threshold_identity(alert)
    return ("sequence", *match[2:]) if match[0] == "sequence" else _event(alert)


def _event(source: Mapping[str, Any]) -> Identity:
    parent = source[fields.ANCESTORS][-1]
    return ("event", parent["index"], parent["id"])


def _threshold_identity(alert: Mapping[str, Any]) -> Identity:
    _, _, slot, terms = json.loads(alert[fields.MATCH])
    return ("slot", terms[0][1], slot)


def _slot(rule: Watched, time: int) -> int:
    start = (BASE - datetime.fromtimestamp(0, BASE.tzinfo)) // timedelta(milliseconds=1)
    return (start + time) // rule.interval * rule.interval


def _note_asked(history: History, coverage: Coverage, since: int) -> None:
    """Which time is asked, by what is stored of whether more goes on to be."""
    if coverage.is_open and history.is_closed:
        history.asked.append((since, FOREVER))
        history.is_closed = False
    elif history.closing and not coverage.is_open and not history.is_closed:
        # Another runner had come in between, and failed to note what this one then did.
        history.close(min(history.closing.values()))
    if history.by_hand:
        spans = Spans(tuple(Window(moment(start), moment(end)) for start, end in history.by_hand))
        history.asked += [each for each in _numbers(coverage.asked & spans) if each not in history.asked]


def _numbers(spans: Iterable[Window]) -> list[tuple[int, int]]:
    return [(_number(window.start), _number(window.end)) for window in spans]


def _number(moment: datetime) -> int:
    return (moment - BASE) // timedelta(milliseconds=1)
