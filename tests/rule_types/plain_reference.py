"""Sequences found the plain way: lists, loops over everything, no bound on memory and no cleverness.

Every key tuple is gone through for itself, event by event. What an item, `until` or missing item means is written here
as it is in the documentation, independently of the machine that the package uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lolbin_rules.query.eql.plan import SequencePlan
from lolbin_rules.rule_types.sequence_candidates import UNTIL, Candidate, Found, KeyTuple

__all__ = ["all_sequences"]


@dataclass
class Events:
    """The events of one key, by what they match, each list in order."""

    all: list[Candidate]
    untils: list[Candidate]
    at: list[list[Candidate]]


def all_sequences(plan: SequencePlan, candidates: Sequence[Candidate]) -> list[Found]:
    """Every sequence among all the candidates, given in order, by the last event."""
    keys: dict[KeyTuple, None] = {}
    for candidate in candidates:
        for known in candidate.keys.values():
            keys.update(dict.fromkeys(known))
    found = [each for key in keys for each in of_key(plan, key, candidates)]
    places = {id(candidate): place for place, candidate in enumerate(candidates)}
    names = list(keys)
    return sorted(found, key=lambda each: (places[id(each.events[-1])], names.index(each.join_key)))


def of_key(plan: SequencePlan, key: KeyTuple, candidates: Sequence[Candidate]) -> list[Found]:
    """The sequences of one key."""
    events = Events(
        all=[each for each in candidates if any(key in known for known in each.keys.values())],
        untils=[each for each in candidates if each.is_until and key in each.keys[UNTIL]],
        at=[
            [each for each in candidates if index in each.stages and key in each.keys[index]]
            for index in range(len(plan.stages))
        ],
    )
    positive = [index for index, stage in enumerate(plan.stages) if not stage.is_missing]
    complete = completed(plan, positive, events)
    return [
        Found(key, placed(plan, positive, sequence))
        for sequence in complete
        if is_free(plan, positive, events, sequence)
    ]


def completed(plan: SequencePlan, positive: Sequence[int], events: Events) -> list[list[Candidate]]:
    """The sequences of the positive items."""
    lists: list[list[list[Candidate]]] = [[] for _ in positive]
    for event in events.all:
        for stage in reversed(range(len(positive))):
            if not any(each is event for each in events.at[positive[stage]]):
                continue
            if stage == 0:
                lists[0].append([event])
                continue
            before = [at for at, partial in enumerate(lists[stage - 1]) if partial[-1].order < event.order]
            if not before:
                continue
            partial = lists[stage - 1][before[-1]]
            del lists[stage - 1][: before[-1] + 1]
            if not is_too_long(plan, partial[0].moment, event.moment) and not is_ended(events, partial[-1], event):
                lists[stage].append([*partial, event])
    return lists[-1]


def is_too_long(plan: SequencePlan, first: int, last: int) -> bool:
    """Whether it takes longer than maxspan."""
    return plan.maxspan is not None and timedelta(milliseconds=last - first) > plan.maxspan


def is_ended(events: Events, last: Candidate, event: Candidate) -> bool:
    """Whether the latest until before an event is at or after the event that it would follow."""
    before = [until for until in events.untils if until.order < event.order]
    return bool(before) and last.order <= before[-1].order


def is_free(plan: SequencePlan, positive: Sequence[int], events: Events, sequence: Sequence[Candidate]) -> bool:
    """Whether the missing items are missing."""
    first, last = sequence[0].moment, sequence[-1].moment
    leads, trails = [], []
    for index, stage in enumerate(plan.stages):
        if not stage.is_missing:
            continue
        times = [each.moment for each in events.at[index]]
        if index < positive[0]:
            leads += [time for time in times if time < first]
        elif index > positive[-1]:
            trails += [time for time in times if time > last]
        else:
            follower = next(at for at, other in enumerate(positive) if other > index)
            if any(sequence[follower - 1].moment < time < sequence[follower].moment for time in times):
                return False
    lead, trail = max(leads, default=None), min(trails, default=None)
    if lead is None and trail is None:
        return True
    starts, ends = plan.stages[0].is_missing, plan.stages[-1].is_missing
    if (starts and lead is None) or (ends and trail is None):
        return True
    return is_too_long(plan, first if lead is None else lead, last if trail is None else trail)


def placed(plan: SequencePlan, positive: Sequence[int], sequence: Sequence[Candidate]) -> tuple[Candidate | None, ...]:
    """One place per item."""
    return tuple(sequence[positive.index(at)] if at in positive else None for at in range(len(plan.stages)))
