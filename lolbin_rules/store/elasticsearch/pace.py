"""How many hits to ask for at once: a page that is too much for the store or for us stops a scan for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MOST_BYTES", "Pace"]

MOST_BYTES: Final = 32_000_000
"""A page may not be longer, unless it is one hit: parsed, and made into alerts, it takes several times as much."""

_AIM: Final = MOST_BYTES // 4
_FIRST: Final = 100
_GROWTH: Final = 4
_CAREFUL_GROWTH: Final = 2
_CAREFUL_PAGES: Final = 8


@dataclass(slots=True)
class Pace:
    """The size of the pages of one scan.

    It begins small, as nothing is known of the hits; grows as long as pages are short enough; falls to a quarter when
    one was too much, down to one hit; and then grows slowly, because a store under pressure is not to be tried again
    with every page.

    Attributes:
        most: hits that the caller wants in one page.
        size: hits to ask for next.
    """

    most: int
    size: int = 0
    _calm: int = 0
    _was_too_much: bool = False

    def __post_init__(self) -> None:
        self.size = min(self.most, _FIRST)

    @property
    def most_bytes(self) -> int | None:
        """How long the next page may be; a single hit has to be read however long it is."""
        return MOST_BYTES if self.size > 1 else None

    def note(self, hits: int, length: int) -> None:
        """A page came with so many hits in so many bytes."""
        if not hits:
            return
        self._calm += 1
        factor = _GROWTH
        if self._was_too_much:
            factor = 1 if self._calm % _CAREFUL_PAGES else _CAREFUL_GROWTH
        by_length = _AIM * hits // max(length, 1)
        self.size = max(1, min(self.most, self.size * factor, by_length))

    def shrink(self) -> bool:
        """The page was too much: ask for a quarter of it. False if it cannot be smaller."""
        if self.size == 1:
            return False
        self.size = max(1, self.size // _GROWTH)
        self._was_too_much, self._calm = True, 0
        return True
