"""Clauses side by side in the two languages for people: each with what is wanted of it."""

from __future__ import annotations

from dataclasses import dataclass

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.combine import all_of, at_least, none_of

__all__ = ["Marked"]


@dataclass(slots=True)
class Marked:
    """Clauses with marks: must, should or must_not."""

    parts: list[tuple[str, Clause]]

    @property
    def optional(self) -> int:
        """How many are marked should."""
        return sum(mark == "should" for mark, _ in self.parts)

    def clause(self, wanted: int = 0) -> Clause:
        """As one clause, of which at least `wanted` optional parts have to match."""
        required = [clause for mark, clause in self.parts if mark == "must"]
        optional = [clause for mark, clause in self.parts if mark == "should"]
        excluded = [clause for mark, clause in self.parts if mark == "must_not"]
        needed = wanted if required or not optional else max(wanted, 1)
        return all_of([*required, at_least(needed, optional), none_of(excluded)])
