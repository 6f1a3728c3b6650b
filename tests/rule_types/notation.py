"""Events, sequences and results in few characters.

An event is ``key:LETTERS time ~tiebreaker /implicit`` without blanks, such as ``A1``, ``AB12`` or ``r:AU3~1/2``:

* each letter is an item that it matches (``M`` and ``N`` are by custom the missing ones, ``U`` the until);
* a key is one value per position with ``+`` between them; ``a,b`` are several values, ``null`` is none;
  without a key, an event takes no part in a case where any event has one.

A query is ``A !M B, maxspan 10, until U, head 3, tail 2`` or ``sample A B``. A result is ``A1 - B2``, or ``r= A1 - B2``
with keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import product
from operator import attrgetter
from typing import NamedTuple

from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.plan import Key, SequencePlan, Slice, Stage
from lolbin_rules.rule_types.sequence_candidates import UNTIL, Candidate, Found, KeyTuple, order_of

__all__ = ["Asked", "asked", "candidates", "plan_of", "shown"]

EVENT = re.compile(
    r"(?:(?P<key>[^:]*):)?(?P<letters>[A-Z]+)(?P<time>\d+)(?:~(?P<tiebreaker>\d+))?(?:/(?P<implicit>\d+))?"
)
ANYTHING = Compiled({"match_all": {}})


class Asked(NamedTuple):
    """A plan, and the letters that stand for its items."""

    plan: SequencePlan
    letters: tuple[str, ...]
    until: str | None


def asked(query: str) -> Asked:
    """The query as a plan."""
    items, *options = (part.strip() for part in query.split(","))
    is_sample = items.startswith("sample ")
    maxspan: int | None = None
    until: str | None = None
    slices: list[Slice] = []
    for option in options:
        name, value = option.split()
        if name == "maxspan":
            maxspan = int(value)
        elif name == "until":
            until = value
        elif name in {"head", "tail"}:
            slices.append(("head" if name == "head" else "tail", int(value)))
        else:
            raise ValueError(option)
    return plan_of(items.removeprefix("sample ").split(), maxspan, until, slices, is_sample=is_sample)


def plan_of(
    items: Sequence[str],
    maxspan: int | None = None,
    until: str | None = None,
    slices: Iterable[Slice] = (),
    *,
    is_sample: bool = False,
) -> Asked:
    """The plan of items such as `A` and `!M`."""
    keys = (Key("k"),)
    plan = SequencePlan(
        stages=tuple(Stage(ANYTHING, keys, is_missing=item.startswith("!")) for item in items),
        until=Stage(ANYTHING, keys) if until else None,
        maxspan=None if maxspan is None else timedelta(milliseconds=maxspan),
        slices=tuple(slices),
        is_sample=is_sample,
    )
    return Asked(plan, tuple(item.removeprefix("!") for item in items), until)


def candidates(events: str, query: Asked) -> list[Candidate]:
    """The events that match anything in the query, in order."""
    found = [EVENT.fullmatch(event) for event in events.split()]
    assert all(found), f"not in the notation: {events}"
    has_keys = ":" in events
    made = (_candidate(event, query, has_keys=has_keys) for event in found if event)
    return sorted((each for each in made if each.stages or each.is_until), key=attrgetter("order"))


def _candidate(event: re.Match[str], query: Asked, *, has_keys: bool) -> Candidate:
    letters, time = event["letters"], int(event["time"])
    stages = frozenset(index for index, letter in enumerate(query.letters) if letter in letters)
    is_until = query.until is not None and query.until in letters
    keys = _keys(event["key"]) if has_keys else ((),)
    tiebreaker = None if event["tiebreaker"] is None else int(event["tiebreaker"])
    return Candidate(
        moment=time,
        order=order_of(time, tiebreaker, int(event["implicit"] or 0)),
        stages=stages,
        is_until=is_until,
        keys=dict.fromkeys({*stages, *([UNTIL] if is_until else [])}, keys),
        hit=event[0].rpartition(":")[2],
    )


def _keys(written: str | None) -> tuple[KeyTuple, ...]:
    if written is None:
        return ()
    positions = [[None if value == "null" else value for value in each.split(",")] for each in written.split("+")]
    return tuple(product(*positions))


def shown(found: Iterable[Found]) -> list[str]:
    """Results in the notation."""
    return [_shown(each) for each in found]


def _shown(found: Found) -> str:
    events = " ".join("-" if each is None else each.hit for each in found.candidates)
    key = "+".join("null" if value is None else str(value) for value in found.join_key)
    return f"{key}= {events}" if key else events
