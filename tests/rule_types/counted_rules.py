"""Rules that count, evaluated over events of a test in a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Any

from event_indices import index_events, iso, map_indices
from lolbin_rules.plan.window import Window
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.rule_types.match import Match
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.store.port import FieldTypes, Store

__all__ = ["BASE", "Found", "Scene", "combinations", "compiled", "given", "make_rule", "minute", "ms_of", "window"]

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
"""Minute 0 of every test; a multiple of an hour since 1970."""
NUMBERS = count()

USUAL: Mapping[str, Any] = {
    "id": "counting",
    "name": "Counting",
    "description": "Counts.",
    "author": ["tests"],
    "license": "Apache-2.0",
    "index": ["counted-*"],
    "severity": "low",
    "risk_score": 21,
    "match": {"event.category": "process"},
}


def make_rule(**changes: Any) -> Rule:
    """A rule for events of category process; None leaves a key out."""
    return Rule.model_validate({name: value for name, value in {**USUAL, **changes}.items() if value is not None})


def minute(number: float) -> datetime:
    """So many minutes after the base."""
    return BASE + timedelta(minutes=number)


def window(start: float, end: float) -> Window:
    """Between two minutes."""
    return Window(minute(start), minute(end))


def ms_of(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def given(types: FieldTypes = NO_TYPES) -> Given:
    """What a rule's query depends on, without lists and exceptions."""
    return Given({}, (), types, BASE)


def compiled(rule: Rule, types: FieldTypes = NO_TYPES) -> Any:
    """The rule's compiled query."""
    return RULE_TYPES[rule.type].compile(rule, given(types))


def combinations(source: Mapping[str, Any], fields: Sequence[str]) -> set[tuple[Any, ...]]:
    """Every combination of values that a document with flat keys has for some fields."""
    listed = [source.get(name, []) for name in fields]
    return set(product(*(each if isinstance(each, list) else [each] for each in listed)))


@dataclass(slots=True)
class Found:
    """What evaluations found.

    Attributes:
        matches: of one evaluation in the order in which they were found.
        problems: what may be missing.
    """

    matches: list[Match] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Scene:
    """Events in indices of their own, in any store."""

    def __init__(self, store: Store, prefix: str = "") -> None:
        self.store = store
        self.index = f"{prefix}counted-{next(NUMBERS)}"
        map_indices(store, self.index)

    def add(self, sources: Iterable[tuple[float, Mapping[str, Any]]]) -> None:
        """Write events: the minute of each, and its fields."""
        number = f"{next(NUMBERS)}"
        index_events(
            self.store,
            [
                (self.index, f"{number}-{place}", {"event.category": "process", "@timestamp": iso(minute(at)), **event})
                for place, (at, event) in enumerate(sources)
            ],
        )

    def evaluate(self, rule: Rule, over: Window) -> Found:
        """Evaluate the rule, reading this scene's index."""
        rule = rule.model_copy(update={"index": (self.index,)})
        kind = RULE_TYPES[rule.type]
        types = self.store.field_types(rule.index, sorted({"@timestamp", *kind.fields(rule, given())}))
        query = kind.compile(rule, given(types))
        evaluator = kind.evaluator(rule, query)
        assert evaluator is not None
        asked = Asked(
            rule=rule,
            given=given(types),
            query=query.fitted(query.query),
            compiled=query,
            window=over,
            store=self.store,
            within=timedelta(seconds=30),
        )
        found = Found()
        for page in evaluator(asked):
            found.matches += page.matches
            found.problems += page.problems
        return found
