"""Rules of type `threat_match`: events that have a value in common with an indicator of a threat.

Events are read oldest first, and every value of a field counts, on both sides. An event matches if one of the rule's
mappings holds, and a mapping holds if one indicator satisfies all its comparisons: a value in common, or, negated,
none although the indicator has the field. An event gets one alert, whatever number of indicators it matches. An
indicator that comes later alerts the events whose time is searched again, which is the rule's lookback.

Networks in a keyword field of an indicator are compared as text. Compared with a field of another type, an IPv6 address
or a number in such a field is found in its usual spellings only, unless the indicators are few.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lolbin_rules.plan.window import position
from lolbin_rules.query.compiled import Compiled, Keeps
from lolbin_rules.query.rule_query import Given, compile_rule, fields_of_rule
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.comparison import MOST_VALUES, Column, Comparison, type_names
from lolbin_rules.rule_types.indicators import MOST_ENRICHMENTS, Item, enrichments
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked, Evaluator
from lolbin_rules.rule_types.threat_index import ThreatIndex
from lolbin_rules.store.port import Hit, Query, Scan

__all__ = ["ThreatMatchRule"]

PAGE: Final = 1_000
"""Events that indicators are asked for at once."""


class ThreatMatchRule:
    """A rule that compares events with indicators."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of_rule(rule, given).union(*map(type_names, _compared(rule)))

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`."""
        found = compile_rule(rule, given)
        columns = [Column.of(name, given.types) for name in _compared(rule)]
        misfits = {misfit for column in columns for misfit in column.misfits}
        missing = {column.name for column in columns if not column.parts and not column.misfits}
        return replace(
            found,
            misfits=tuple(sorted({*found.misfits, *misfits})),
            unknown=tuple(sorted({*found.unknown, *(missing if given.types.types else ())})),
            keeps=_Compared(_logic(rule), found.keeps),
        )

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator:  # noqa: ARG002 - others tell rules apart
        """See `RuleType.evaluator`."""
        return _matches


@dataclass(frozen=True, slots=True)
class _Compared:
    """Decides as the rule's query does; its text names what the events that are kept are compared with."""

    text: str
    query: Keeps | None

    def __call__(self, source: Mapping[str, Any], /) -> bool:
        return self.query is None or self.query(source)


def _compared(rule: Rule) -> list[str]:
    return sorted({entry.field for mapping in rule.threat_mapping for entry in mapping.entries})


def _logic(rule: Rule) -> str:
    """Everything besides the query that decides which events match."""
    mapping = [
        [[entry.field, entry.value, entry.negate] for entry in mapping.entries] for mapping in rule.threat_mapping
    ]
    logic = [rule.threat_index, rule.threat_query, rule.threat_language, rule.threat_filters, mapping]
    return json.dumps(logic, sort_keys=True, separators=(",", ":"))


def _matches(asked: Asked) -> Iterator[MatchPage]:
    """The events of the window that match an indicator, in order of time."""
    threats = ThreatIndex(asked)
    items = [item for item in threats.items if all(each.event.parts for each in item if not each.is_negated)]
    indicators = threats.load() if items else None
    queries = {str(number): _with_values(item) for number, item in enumerate(items)}
    is_loaded = indicators is not None
    if indicators is not None:
        queries = _narrowed(items, indicators, threats)
    told = _Told(threats)
    for hits in _events(asked, queries, told) if queries else ():
        told.check_values(hits, items)
        if not is_loaded:
            threats.ask_for(hits)
        yield told.page([match for hit in hits if (match := told.match(hit)) is not None])
    yield told.page([])


class _Told:
    """What was told so far, so that nothing is told with every page."""

    def __init__(self, threats: ThreatIndex) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._threats = threats
        self._told: set[str] = set()

    def page(self, matches: Sequence[Match]) -> MatchPage:
        problems = self._new([*self._threats.problems, *self.problems])
        warnings = self._new([*self._threats.warnings, *self.warnings])
        return MatchPage(tuple(matches), problems, warnings)

    def _new(self, sentences: Sequence[str]) -> tuple[str, ...]:
        new = tuple(dict.fromkeys(sentence for sentence in sentences if sentence not in self._told))
        self._told.update(new)
        return new

    def match(self, hit: Hit) -> Match | None:
        found = self._threats.enrichments(hit)
        if not found:
            return None
        if len(found) > MOST_ENRICHMENTS:
            self.warnings.append(
                f"{hit.key.index}/{hit.key.id} matches more indicators than the {MOST_ENRICHMENTS} that its alert "
                "tells of."
            )
        return Match(hit, fields=enrichments(found))

    def check_values(self, hits: Sequence[Hit], items: Sequence[Item]) -> None:
        """A field that is found in the index but not in the document, such as an alias, cannot be compared."""
        for hit in hits:
            for name in hit.names:
                for each in items[int(name)]:
                    if not each.is_negated and not each.event.held(hit.source):
                        self.problems.append(
                            f"Field {each.event.name} has a value in index {hit.key.index} that its documents do not "
                            "hold, so it was not compared. Let the rule name the field that the value is written in."
                        )


def _with_values(item: Item) -> Query:
    """The events that have something to be compared."""
    return {"bool": {"filter": [each.event.exists() for each in item if not each.is_negated]}}


def _narrowed(items: Sequence[Item], indicators: Iterator[Hit], threats: ThreatIndex) -> dict[str, Query]:
    """The events that may match one of some indicators, by the number of the item; the indicators are remembered."""
    values: dict[Column, dict[Any, None]] = {each.indicator: {} for item in items for each in item}
    for indicator in indicators:
        threats.remember(indicator)
        for column, found in values.items():
            found.update(dict.fromkeys(value for value in column.held(indicator.source) if _is_scalar(value)))
    queries: dict[str, Query] = {}
    for number, item in enumerate(items):
        positive = [each for each in item if not each.is_negated]
        clauses = [_one_of(each, list(values[each.indicator])) for each in positive]
        if all(clause is not None for clause in clauses):
            queries[str(number)] = {"bool": {"filter": clauses}}
    return queries


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _one_of(comparison: Comparison, values: Sequence[Any]) -> Query | None:
    """The events that may have one of these values of indicators; None where there are none."""
    if not values:
        return None
    if comparison.is_exact_in_events and len(values) <= MOST_VALUES:
        return next((query for _, query in comparison.event.holding(values)), None)
    return comparison.event.exists()


def _events(asked: Asked, queries: dict[str, Query], told: _Told) -> Iterator[list[Hit]]:
    bounds = {"gte": position(asked.window.start), "lt": position(asked.window.end), "format": "epoch_millis"}
    window: Query = {"range": {asked.time_field: bounds}}
    wanted: Query = {"bool": {"filter": [asked.query, window]}}
    scan = Scan(asked.rule.index, queries, wanted, order_by=asked.time_field, page_size=PAGE, within=asked.within)
    keeps = asked.compiled.keeps
    for page in asked.store.scan(scan):
        if not page.is_whole:
            told.problems.append("Not every shard answered, so events may be missing; the window is searched again.")
        yield [hit for hit in page.hits if keeps is None or keeps(hit.source)]
