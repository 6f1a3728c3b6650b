"""The events that a sequence or sample is made of: read in order, and what those of one match have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lolbin_rules.alert.source import first
from lolbin_rules.plan.window import Window, position
from lolbin_rules.query.eql.plan import SequencePlan, Stage
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.rule_types.sequence_candidates import Candidate, order_of
from lolbin_rules.rule_types.sequence_keys import TooManyKeys, candidate_keys
from lolbin_rules.store.port import Hit, Page, Query, Scan

__all__ = ["SequenceEvents", "common_part"]

UNTIL_NAME: Final = "until"


class SequenceEvents:
    """Reads the events of a plan.

    Attributes:
        problems: why some may be missing, as sentences.
        warnings: what was left out on purpose.
    """

    def __init__(self, asked: Asked, plan: SequencePlan) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._asked = asked
        self._plan = plan
        self._stages: dict[str, Stage] = {str(index): stage for index, stage in enumerate(plan.stages)}
        if plan.until is not None:
            self._stages[UNTIL_NAME] = plan.until

    def read(self, window: Window) -> Iterator[Candidate]:
        """The candidates in the window in order: by time, then by the rule's tiebreaker.

        Raises:
            StoreError: the store did not answer.
        """
        asked = self._asked
        queries: dict[str, Query] = {name: asked.fitted(stage.event.query) for name, stage in self._stages.items()}
        bounds = {"gte": position(window.start), "lt": position(window.end), "format": "epoch_millis"}
        scan = Scan(
            asked.rule.index,
            queries,
            {"range": {asked.time_field: bounds}},
            order_by=asked.time_field,
            within=asked.within,
        )
        yield from _in_order(self._candidates(asked.store.scan(scan)))

    def _candidates(self, pages: Iterator[Page]) -> Iterator[Candidate]:
        for page in pages:
            if not page.is_whole:
                self.problems.append("Not every shard answered, so sequences may be missing; the window is read again.")
            for hit in page.hits:
                try:
                    candidate = self._candidate(hit)
                except TooManyKeys as error:
                    self.warnings.append(f"{hit.key.index}/{hit.key.id}: {error}.")
                    continue
                if candidate.stages or candidate.is_until:
                    yield candidate

    def _candidate(self, hit: Hit) -> Candidate:
        names = {name for name in hit.names if _keeps(self._stages[name], hit.source)}
        stages = frozenset(int(name) for name in names if name != UNTIL_NAME)
        is_until = UNTIL_NAME in names
        tiebreaker = self._asked.rule.tiebreaker_field
        tie = first(hit.source, tiebreaker) if tiebreaker else None
        is_orderable = isinstance(tie, int | float | str) and not isinstance(tie, bool)
        return Candidate(
            moment=hit.position,
            order=order_of(hit.position, tie if is_orderable else None),
            stages=stages,
            is_until=is_until,
            keys=candidate_keys(self._plan, stages, hit.source, is_until=is_until),
            hit=hit,
        )


def _keeps(stage: Stage, source: Mapping[str, Any]) -> bool:
    return stage.event.keeps is None or stage.event.keeps(source)


def _in_order(candidates: Iterator[Candidate]) -> Iterator[Candidate]:
    """Each document once, and those of one moment by their order: the store breaks ties in an order of its own."""
    moment: int | None = None
    together: list[Candidate] = []

    def rest() -> list[Candidate]:
        once = {candidate.hit.key: candidate for candidate in together}
        return sorted(once.values(), key=lambda each: (each.order, each.hit.key))

    for candidate in candidates:
        if candidate.moment != moment:
            yield from rest()
            together = []
            moment = candidate.moment
        together.append(candidate)
    yield from rest()


def common_part(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several documents have in common: equal values, and of objects and arrays what they share."""
    shared: dict[str, Any] = dict(sources[0])
    for source in sources[1:]:
        shared = _shared(shared, source)
    return shared


def _shared(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in left.items():
        if key not in right:
            continue
        other = right[key]
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            if inner := _shared(value, other):
                found[key] = inner
        elif isinstance(value, list) and isinstance(other, list):
            if both := [each for each in value if each in other]:
                found[key] = both
        elif value == other and type(value) is type(other):
            found[key] = value
    return found
