"""Values that are ordered from the greatest to the least."""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering
from typing import Any

__all__ = ["Backwards"]


@total_ordering
@dataclass(frozen=True, slots=True)
class Backwards:
    """A value that is less the greater it is. Equal values are equal."""

    value: Any

    def __lt__(self, other: Backwards) -> bool:
        return bool(other.value < self.value)
