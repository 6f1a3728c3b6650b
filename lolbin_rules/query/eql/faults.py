"""Places in the text of a query as lines and columns."""

from __future__ import annotations

from lolbin_rules.errors import QueryError

__all__ = ["fault"]


def fault(text: str, at: int, what: str, remedy: str) -> QueryError:
    """The error about what stands at an offset of the text."""
    line = text.count("\n", 0, at) + 1
    return QueryError(what, remedy, text, line, at - text.rfind("\n", 0, at))
