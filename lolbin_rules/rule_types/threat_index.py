"""The indicators of a rule in their indices: which of them count, how they are mapped, and asking for some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.rule_query import Given, compile_text, fields_of_text, with_conditions
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.comparison import MOST_VALUES, Column, Comparison, type_names
from lolbin_rules.rule_types.indicators import Indicators, Item
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.store.port import Hit, Query, Scan

__all__ = ["FEW", "ThreatIndex"]

FEW: Final = 10_000
"""Indicators that are read at once, so that only events with one of their values need be read."""
MOST_REMEMBERED: Final = 200_000
"""Values and indicators that are kept from one page of events to the next."""
PAGE: Final = 1_000
LONGEST_NAMES: Final = 2_000
"""Characters of the names of indices in one request, whose address has room for some 4,000."""


@dataclass(slots=True)
class _Inquiry:
    """What was asked so far for one item: the values of one of its comparisons."""

    comparison: Comparison
    asked: set[Any] = field(default_factory=set)

    def new(self, events: Iterable[Hit]) -> list[Any]:
        """Values of the events that were not asked for yet, as they are written."""
        form, _ = self.comparison.forms
        found: dict[Any, Any] = {}
        for event in events:
            for written in self.comparison.event.held(event.source):
                value = form.read(written)
                if value is not None and value not in self.asked:
                    found[value] = written
        self.asked.update(found)
        return list(found.values())


class ThreatIndex:
    """The indicators that a rule compares events with.

    Attributes:
        items: the rule's mappings that can hold of any indicator.
        problems: why indicators may be missing, as sentences.
        warnings: what an operator should know although nothing is lost.
    """

    def __init__(self, asked: Asked) -> None:
        """Look up how the indicators are mapped.

        Raises:
            QueryError: the rule's `threat_query` cannot be asked.
            StoreError: the store did not answer.
        """
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._asked = asked
        self._index = asked.rule.threat_index
        self._compiled = self._read_types(asked.rule, asked.given)
        self._inquiries: list[_Inquiry] | None = None
        self._known = self._none_yet()

    def _read_types(self, rule: Rule, given: Given) -> Compiled:
        named = {entry.value for mapping in rule.threat_mapping for entry in mapping.entries}
        names = frozenset().union(*map(type_names, named)) | fields_of_text(rule.threat_language, rule.threat_query)
        types = self._asked.store.field_types(self._index, sorted(names))
        columns = {name: Column.of(name, types) for name in named}
        self._tell_of_indices(types.indices)
        for name in sorted(named):
            if not columns[name].parts and not columns[name].misfits and any(types.indices.values()):
                self.warnings.append(f"No indicator index has the field {name}: nothing compared with it matches.")
        self.items = tuple(item for item in _items(rule, given, columns) if all(each.indicator.parts for each in item))
        compiled = compile_text(rule.threat_language, rule.threat_query, types)
        own = rule.model_copy(update={"filters": rule.threat_filters})
        compiled = with_conditions(compiled, own, replace(given, exceptions=(), types=types))
        misfits = {*compiled.misfits, *(misfit for column in columns.values() for misfit in column.misfits)}
        self.problems += [_told(misfit) for misfit in sorted(misfits)]
        return compiled

    def _tell_of_indices(self, indices: Mapping[str, frozenset[str]]) -> None:
        empty = [expression for expression, found in indices.items() if not found]
        if len(empty) == len(indices):
            self.problems.append(
                f"No index matches {', '.join(self._index)}: there is no indicator to compare events with. Correct the "
                "rule's threat_index, or start loading indicators; the time is searched again."
            )
            return
        self.warnings += [f"No index matches {name}; the indicators of the others were compared." for name in empty]

    def _none_yet(self) -> Indicators:
        return Indicators(self.items, self._asked.rule.threat_indicator_path)

    @property
    def _query(self) -> Query:
        return self._compiled.fitted(self._compiled.query)

    def load(self) -> Iterator[Hit] | None:
        """All indicators, where they are few: then they are known from here on. None where they are not few."""
        counted = self._asked.store.count(self._index, self._query, within=self._asked.within)
        if not counted.is_whole or counted.value > FEW:
            return None
        return self._scan({"every": {"match_all": {}}}, self._index)

    def remember(self, indicator: Hit) -> None:
        """Know an indicator from here on."""
        self._known.add(indicator)

    def ask_for(self, events: Sequence[Hit]) -> None:
        """Know every indicator that any of these events could match from here on."""
        if self._inquiries is None:
            self._inquiries = [_Inquiry(self._most_telling(item)) for item in self.items]
        if len(self._known) + sum(len(each.asked) for each in self._inquiries) > MOST_REMEMBERED:
            self._known = self._none_yet()
            self._inquiries = [_Inquiry(each.comparison) for each in self._inquiries]
        questions: dict[tuple[str, ...], dict[str, Query]] = {}
        for inquiry in self._inquiries:
            wanted = iter(inquiry.new(events))
            while some := list(islice(wanted, MOST_VALUES)):
                for indices, query in inquiry.comparison.indicator.holding(some):
                    for names in _in_urls(sorted(indices)) if indices else [self._index]:
                        queries = questions.setdefault(names, {})
                        queries[str(len(queries))] = query
        for names, queries in questions.items():
            for indicator in self._scan(queries, names):
                self.remember(indicator)

    def enrichments(self, event: Hit) -> list[dict[str, Any]]:
        """See `Indicators.enrichments`."""
        return self._known.enrichments(event)

    def _most_telling(self, item: Item) -> Comparison:
        """Of several comparisons that must hold, the one whose field has the most different values."""
        positive = [each for each in item if not each.is_negated]
        if len(positive) == 1:
            return positive[0]
        counts = {
            str(at): {"cardinality": {"field": each.indicator.parts[0].asked}} for at, each in enumerate(positive)
        }
        answer = self._asked.store.aggregate(self._index, self._query, counts, within=self._asked.within)
        return max(enumerate(positive), key=lambda each: _count(answer.values, str(each[0])))[1]

    def _scan(self, queries: dict[str, Query], index: tuple[str, ...]) -> Iterator[Hit]:
        scan = Scan(index, queries, self._query, page_size=PAGE, within=self._asked.within)
        keeps = self._compiled.keeps
        for page in self._asked.store.scan(scan):
            if not page.is_whole:
                self.problems.append(
                    "Not every shard of the indicators answered, so matches may be missing; the window is read again."
                )
            yield from (hit for hit in page.hits if keeps is None or keeps(hit.source))


def _in_urls(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The names of indices in portions that an address can hold."""
    some: list[str] = []
    for name in names:
        if some and sum(map(len, some)) + len(name) > LONGEST_NAMES:
            yield tuple(some)
            some = []
        some.append(name)
    yield tuple(some)


def _count(values: Mapping[str, Any], name: str) -> int:
    return int(values.get(name, {}).get("value") or 0)


def _items(rule: Rule, given: Given, indicators: Mapping[str, Column]) -> Iterator[Item]:
    for mapping in rule.threat_mapping:
        yield tuple(
            Comparison(Column.of(entry.field, given.types), indicators[entry.value], entry.negate)
            for entry in mapping.entries
        )


def _told(misfit: Misfit) -> str:
    what = "is not mapped" if misfit.found == "unmapped" else f"is of type {misfit.found}"
    return (
        f"Field {misfit.field} of the indicators {what} in index {', '.join(misfit.indices[:3])} where the rule needs "
        f"{misfit.needed}; indicators there are not compared by it. Correct the mapping and reindex, or narrow the "
        "rule's threat_index."
    )
