"""Events and indicators joined by the values that they have in common, and what an alert says of the indicators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lolbin_rules.alert.source import first, flat
from lolbin_rules.rule_types.comparison import Comparison, Form
from lolbin_rules.rule_types.sequence_candidates import KeyValue
from lolbin_rules.store.port import Hit

__all__ = ["MOST_ENRICHMENTS", "Indicator", "Indicators", "Item", "enrichments", "part_under"]

MOST_ENRICHMENTS: Final = 200
"""Indicators that an alert tells of."""
FEED_NAME: Final = "threat.feed.name"

Item: TypeAlias = tuple[Comparison, ...]
"""Comparisons that must all hold of an event and one indicator."""
Values: TypeAlias = frozenset[KeyValue]
Signature: TypeAlias = tuple[Values, ...]
"""The values of an indicator in the fields of an item: all that matters of it when it is compared."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """What is remembered of an indicator.

    Attributes:
        order: its place among the indicators: by time, then by index and id.
        part: what its document says of it.
        feed: the name of the feed that it comes from, if it says so.
    """

    order: tuple[int, str, str]
    part: Mapping[str, Any]
    feed: str | None

    @classmethod
    def of(cls, hit: Hit, path: str) -> Indicator:
        """The indicator of a document that holds it under a dotted path."""
        feed = first(hit.source, FEED_NAME)
        return cls(
            (hit.position, hit.key.index, hit.key.id),
            part_under(hit.source, path),
            None if feed is None else str(feed),
        )


class _Known:
    """The indicators of one item, by their values."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self._forms = [comparison.forms for comparison in item]
        self._positive = [at for at, comparison in enumerate(item) if not comparison.is_negated]
        self._indicators: dict[Signature, list[Indicator]] = {}
        self._with: dict[tuple[int, KeyValue], list[Signature]] = {}

    def __len__(self) -> int:
        return len(self._indicators)

    def add(self, hit: Hit, indicator: Indicator) -> None:
        signature = tuple(
            frozenset(value for written in each.indicator.held(hit.source) if (value := form.read(written)) is not None)
            for each, (_, form) in zip(self._item, self._forms, strict=True)
        )
        if not all(signature):
            return
        if signature not in self._indicators:
            self._indicators[signature] = []
            for at in self._positive:
                for value in signature[at]:
                    self._with.setdefault((at, value), []).append(signature)
        alike = self._indicators[signature]
        # One more than is told of, so that it is known that there are more.
        if len(alike) <= MOST_ENRICHMENTS and indicator not in alike:
            alike.append(indicator)

    def _matching(self, held: Sequence[Mapping[KeyValue, Any]]) -> Iterator[Signature]:
        candidates = min((self._candidates(at, held[at]) for at in self._positive), key=len)
        for signature in candidates:
            if all(
                comparison.is_negated == held[at].keys().isdisjoint(signature[at])
                for at, comparison in enumerate(self._item)
            ):
                yield signature

    def _candidates(self, at: int, held: Mapping[KeyValue, Any]) -> list[Signature]:
        found = (signature for value in held for signature in self._with.get((at, value), ()))
        return list(dict.fromkeys(found))

    def told(self, event: Hit) -> Iterator[tuple[Indicator, Comparison, Any]]:
        """Each indicator that the event matches, with each comparison and the first value that they have in common."""
        held = [_held(each, form, event) for each, (form, _) in zip(self._item, self._forms, strict=True)]
        for signature in self._matching(held):
            for at in self._positive:
                atomic = next(written for value, written in held[at].items() if value in signature[at])
                for indicator in self._indicators[signature]:
                    yield indicator, self._item[at], atomic


def _held(comparison: Comparison, form: Form, event: Hit) -> dict[KeyValue, Any]:
    """The values of the event: as they are read -> as the first of them is written."""
    held: dict[KeyValue, Any] = {}
    for written in comparison.event.held(event.source):
        if (value := form.read(written)) is not None:
            held.setdefault(value, written)
    return held


class Indicators:
    """Indicators, kept by their values; many that are alike take the room of a few."""

    def __init__(self, items: Sequence[Item], path: str) -> None:
        """No indicators yet; `path` is where their documents hold them."""
        self._path = path
        self._known = [_Known(item) for item in items]

    def __len__(self) -> int:
        return sum(len(each) for each in self._known)

    def add(self, hit: Hit) -> None:
        """Remember an indicator."""
        indicator = Indicator.of(hit, self._path)
        for known in self._known:
            known.add(hit, indicator)

    def enrichments(self, event: Hit) -> list[dict[str, Any]]:
        """What the alert of an event says of the indicators that it matches, oldest first; empty where there is none.

        One entry for each indicator and each field in which it and the event have a value in common; there may be more
        than an alert should hold.
        """
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for known in self._known:
            for indicator, comparison, atomic in known.told(event):
                field = comparison.event.name
                place = (*indicator.order, field, comparison.indicator.name)
                found.setdefault(place, _enrichment(indicator, field, atomic))
        return [found[place] for place in sorted(found)]


def enrichments(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of an alert that tell of indicators: as many as an alert holds."""
    return {"threat.enrichments": list(found[:MOST_ENRICHMENTS])}


def _enrichment(indicator: Indicator, field: str, atomic: Any) -> dict[str, Any]:
    _, index, name = indicator.order
    return {
        "indicator": dict(indicator.part),
        **({} if indicator.feed is None else {"feed": {"name": indicator.feed}}),
        "matched": {"atomic": atomic, "field": field, "id": name, "index": index, "type": "indicator_match_rule"},
    }


def part_under(source: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What a document holds under a dotted path, however it spells that; of several objects, the first with a key."""
    found: dict[str, Any] = {}
    for key, value in source.items():
        if key.startswith(f"{path}."):
            found.setdefault(key[len(path) + 1 :], value)
            continue
        rest = "" if key == path else path.removeprefix(f"{key}.")
        if rest == path:
            continue
        for inner in flat(value):
            if isinstance(inner, Mapping):
                for name, each in (part_under(inner, rest) if rest else inner).items():
                    found.setdefault(name, each)
    return found
