"""Whether a query in Lucene's syntax can be read at all: what is opened is closed."""

from __future__ import annotations

import re
from typing import Final

from lolbin_rules.errors import QueryError

__all__ = ["check_lucene"]

TOKEN: Final = re.compile(r'\\.|"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\])*/|(["/()])', re.DOTALL)
"""An escaped character, a phrase, an expression between slashes, or what opens or closes something."""


def check_lucene(text: str) -> None:
    """Look for quotes, slashes and parentheses without a counterpart; nothing else is checked.

    Raises:
        QueryError: one is found.
    """
    opened: list[int] = []
    for found in TOKEN.finditer(text):
        match found[1]:
            case '"' | "/":
                kind = "quotation mark" if found[1] == '"' else "slash"
                raise _error(text, found.start(), f"the {kind} is never closed", rf"Close it, or write \{found[1]}.")
            case "(":
                opened.append(found.start())
            case ")" if opened:
                opened.pop()
            case ")":
                raise _error(text, found.start(), "`)` closes nothing", r"Leave it out, or write \).")
    if opened:
        raise _error(text, opened[-1], "`(` is never closed", r"Write `)` where it should end, or write \(.")


def _error(text: str, offset: int, what: str, remedy: str) -> QueryError:
    line = text.count("\n", 0, offset) + 1
    return QueryError(what, remedy, text, line, offset - text.rfind("\n", 0, offset))
