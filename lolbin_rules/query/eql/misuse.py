"""What the readers of a query raise before the text of the query is at hand."""

from __future__ import annotations

__all__ = ["Misuse"]


class Misuse(Exception):  # noqa: N818 - it says what the query does
    """Something that the grammar allows and EQL does not; see `QueryError`."""

    def __init__(self, at: int, what: str, remedy: str) -> None:
        super().__init__(what)
        self.at = at
        self.what = what
        self.remedy = remedy
