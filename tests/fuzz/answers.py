"""What one side answers to one query."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer", "Difference", "brief"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the two sides do not agree about; `what` says what kind of thing, `told` everything else.

    Attributes:
        what: what kind of thing.
        told: everything about it.
        sign: what those that look alike have in common, or "".
    """

    what: str
    told: str
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, or why there are none.

    Attributes:
        hits: the ids that were found, or None.
        refused: why the query will never be answered, or "".
        unsupported: why Elasticsearch would answer and this side does not, or "".
        broken: what went wrong, or "".
    """

    hits: frozenset[str] | None = None
    refused: str = ""
    unsupported: str = ""
    broken: str = ""

    def within(self, ids: frozenset[str]) -> Answer:
        """The answer about these documents alone."""
        return self if self.hits is None else Answer(hits=self.hits & ids)

    def agrees(self, other: Answer) -> bool:
        """Whether both found the same, or both refused."""
        if self.broken or other.broken:
            return False
        return self.hits == other.hits and bool(self.refused) == bool(other.refused)


def brief(answer: Answer) -> str:
    """The answer in a line."""
    if answer.hits is None:
        return (answer.broken and f"BROKEN {answer.broken}") or answer.unsupported or f"refused: {answer.refused}"[:300]
    ids = sorted(answer.hits)
    return f"{len(ids)} hits {ids[:8]}"
