"""The span of time that hits of a clause can lie in."""

from __future__ import annotations

import math

from lolbin_rules.dsl.clause import Clause, Every, Leaf
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.predicates import Between
from lolbin_rules.store.embedded.growth import TIMESTAMP, UNITS
from lolbin_rules.store.embedded.rows import Window

__all__ = ["window_of"]

_FIRST, _LAST = -(2**63), 2**63 - 1


def window_of(clause: Clause, mapping: IndexMapping) -> Window | None:
    """Where the times of documents that match the clause lie; None where none can be told.

    Of each, the earliest time is not after the window, and the latest not before it. That is all that can be said:
    two conditions on the time may be true of two times of one document, so that the window may even end before it
    begins.
    """
    field = mapping.field(TIMESTAMP)
    if field is None or field.name != TIMESTAMP or field.type not in UNITS:
        return None
    parts = clause.clauses if isinstance(clause, Every) else (clause,)
    windows = [
        _window(part.test, UNITS[field.type])
        for part in parts
        if isinstance(part, Leaf) and part.field == TIMESTAMP and isinstance(part.test, Between)
    ]
    return Window(max(low for low, _ in windows), min(high for _, high in windows)) if windows else None


def _window(span: Between, unit: int) -> Window:
    low, high = (
        default if math.isinf(bound) else max(_FIRST, min(_LAST, math.floor(bound))) // unit
        for bound, default in ((span.low, _FIRST), (span.high, _LAST))
    )
    return Window(low, high)
