"""Random queries from a seed, each kind of clause with its share."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from fuzz.drawing import Draw
from fuzz.leaves import LEAVES, Query
from fuzz.texts import minimum_should_match

__all__ = ["WEIGHTS", "Queries"]

_COMPOSITES = {"bool": 14.0, "bool, minimum_should_match": 5.0, "constant_score": 0.7, "dis_max": 0.7, "boosting": 0.6}
WEIGHTS: dict[str, float] = {kind: weight for kind, (weight, _) in LEAVES.items()} | _COMPOSITES
"""Kind of query, named after its outermost clause -> its weight."""

_MOST_LEARNED = 600
_SHARE_OF_LEARNED = 0.85
_LEAF_KINDS = list(LEAVES)
_LEAF_WEIGHTS = [weight for weight, _ in LEAVES.values()]


class Queries:
    """Makes queries so that the shares of those that count come out as weighted.

    What is nested in others is mostly what was answered before (`learn`), or most of them would be refused for one
    faulty clause among many.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._answered: deque[tuple[Query, frozenset[str]]] = deque(maxlen=_MOST_LEARNED)

    def learn(self, kind: str, query: Query, hits: frozenset[str]) -> None:
        """This query was answered so."""
        if kind in LEAVES and hits:
            self._answered.append((query, hits))

    def wanted(self, counted: Counter[str], number: int) -> list[str]:
        """The kinds that the next queries should have, given what has counted so far."""
        if not self._answered:
            return self._draw.random.choices(_LEAF_KINDS, _LEAF_WEIGHTS, k=number)
        whole, weights = sum(counted.values()) + number, sum(WEIGHTS.values())
        lacks = {kind: max(0.0, whole * weight / weights - counted[kind]) for kind, weight in WEIGHTS.items()}
        kinds = list(lacks)
        return self._draw.random.choices(kinds, [lacks[kind] + 0.02 for kind in kinds], k=number)

    def make(self, kind: str) -> Query:
        """A query of this kind."""
        self._draw.aim()
        if kind in LEAVES:
            return LEAVES[kind][1](self._draw)
        if kind == "bool, minimum_should_match":
            return self._counted_bool(depth=0)
        return self._composite(kind, depth=0)

    def _leaf(self) -> Query:
        if self._answered and self._draw.chance(_SHARE_OF_LEARNED):
            finding = (
                [query for query, hits in self._answered if self._draw.target in hits] if self._draw.chance(0.7) else []
            )
            return self._draw.one(*finding) if finding else self._draw.one(*self._answered)[0]
        kind = self._draw.random.choices(_LEAF_KINDS, _LEAF_WEIGHTS)[0]
        return LEAVES[kind][1](self._draw)

    def _any(self, depth: int) -> Query:
        draw = self._draw
        if depth > 3 or draw.chance(0.75):
            if draw.chance(0.03):
                return {draw.one("match_all", "match_none", "match_all"): {}}
            return self._leaf()
        return self._composite(draw.one("bool", "bool", "bool", "msm", "constant_score", "dis_max"), depth)

    def _composite(self, kind: str, depth: int) -> Query:
        draw = self._draw
        if kind == "bool":
            return self._bool(depth)
        if kind == "constant_score":
            return {"constant_score": {"filter": self._any(depth + 1)}}
        if kind == "dis_max":
            return {"dis_max": {"queries": draw.some(lambda: self._any(depth + 1), 1, 2, 3)}}
        if kind == "boosting":
            return {
                "boosting": {"positive": self._any(depth + 1), "negative": self._any(depth + 1), "negative_boost": 0.5}
            }
        return self._counted_bool(depth)

    def _bool(self, depth: int) -> Query:
        draw = self._draw
        body: dict[str, Any] = {}
        for occurrence, share in (("must", 0.3), ("filter", 0.5), ("should", 0.4), ("must_not", 0.4)):
            if draw.chance(share):
                clauses = draw.some(lambda: self._any(depth + 1), 1, 1, 2, 2, 3)
                body[occurrence] = clauses[0] if len(clauses) == 1 and draw.chance(0.5) else clauses
        if "should" in body and draw.chance(0.3):
            body["minimum_should_match"] = minimum_should_match(draw, 2)
        if draw.chance(0.03):
            body[draw.one("must", "filter", "should", "must_not")] = []
        return {"bool": body}

    def _counted_bool(self, depth: int) -> Query:
        draw = self._draw
        clauses = draw.some(lambda: self._any(depth + 2), 2, 3, 3, 4, 5, 7)
        body: dict[str, Any] = {"should": clauses, "minimum_should_match": minimum_should_match(draw, len(clauses))}
        if draw.chance(0.2):
            body[draw.one("must", "filter", "must_not")] = [self._any(depth + 1)]
        return {"bool": body}
