"""Every error that this package raises on purpose.

::

    LolbinRulesError
    ├── RuleSetError         rule or list files are faulty; carries every fault of every file
    ├── RenderError          a rule could not be made into a query
    │   └── QueryError           the text of its query is at fault; carries the place in that text
    ├── SettingsError        the environment or the command line asks for something impossible
    └── StoreError           the store did not do what was asked
        ├── StoreUnavailable     it may do so later: try again
        │   └── StoreOverwhelmed     asked for less it might do so now: a timeout, a circuit breaker
        └── StoreRejected        it will never do this request: do not try again
            ├── StoreForbidden       the credentials do not allow it
            └── Unsupported          Elasticsearch would do it; the embedded store cannot do the same

A class exists only where a caller catches it apart from its siblings. Messages say what was found, what follows from
it and what to do; the attributes say the same for programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Fault",
    "LolbinRulesError",
    "QueryError",
    "RenderError",
    "RuleSetError",
    "SettingsError",
    "StoreError",
    "StoreForbidden",
    "StoreOverwhelmed",
    "StoreRejected",
    "StoreUnavailable",
    "Unsupported",
]


class LolbinRulesError(Exception):
    """What a caller of this package can expect to be raised."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault of one rule or list file, with its place.

    Attributes:
        path: the file, as it was named by the caller.
        line: 1-based; 0 where the file as a whole is at fault.
        column: 1-based; 0 where the line as a whole is at fault.
        subject: what the fault is about, such as `rule "network-connection-via-regsvr32"` or `list "x"`; may be empty.
        what: what was found.
        consequence: what would follow from it.
        remedy: what to do.
        shown: for a fault within the text of a query, the line of it with a caret below the place; else empty.
    """

    path: str
    line: int
    column: int
    subject: str
    what: str
    consequence: str
    remedy: str
    shown: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        subject = f"{self.subject}: " if self.subject else ""
        sentences = "; ".join(part for part in (self.what, self.consequence) if part)
        return f"{place}: {subject}{sentences}. {self.remedy}".rstrip()

    @property
    def in_full(self) -> str:
        """The fault on one line, and what is shown of the text at fault below it."""
        return f"{self}\n{self.shown}" if self.shown else str(self)


class RuleSetError(LolbinRulesError):
    """Rule or list files are faulty; `faults` holds every fault of every file, ordered by place."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(fault.in_full for fault in self.faults))


class RenderError(LolbinRulesError):
    """A rule could not be made into a query: a Jinja2 template of it could not be filled, or its query is at fault."""


class QueryError(RenderError):
    """The text of a query (KQL, EQL ...) cannot be read, or cannot be asked.

    Attributes:
        what: what was found, without its place.
        remedy: what to do.
        line: 1-based, in the text of the query.
        column: 1-based, in characters; one behind the last character where the text ends too early.
        shown: the line itself with a caret below the place, on two lines.
    """

    def __init__(self, what: str, remedy: str, text: str, line: int, column: int) -> None:
        self.what = what
        self.remedy = remedy
        self.line = line
        self.column = column
        self.shown = _shown(text, line, column)
        super().__init__(f"line {line}, column {column}: {what}. {remedy}")


_WIDEST = 100
"""Characters of a line that are shown around a place in it."""


def _shown(text: str, line: int, column: int) -> str:
    whole = (text.split("\n")[line - 1 : line] or [""])[0]
    start = max(0, column - 1 - _WIDEST // 2)
    part = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in whole[start : start + _WIDEST]
    )
    return f"  {part}\n  {' ' * (column - 1 - start)}^"


class SettingsError(LolbinRulesError):
    """The environment or the command line asks for something that cannot be had."""


class StoreError(LolbinRulesError):
    """The store did not do what was asked; the message names the request, the answer and a remedy."""


class StoreUnavailable(StoreError):  # noqa: N818 - says when to catch it: what failed may succeed later
    """The store could not be reached or was too busy, after every retry that was allowed."""


class StoreOverwhelmed(StoreUnavailable):
    """The request took too long or too much memory; a smaller one might succeed at once."""


class StoreRejected(StoreError):  # noqa: N818 - as above
    """The store understood the request and refuses it; repeating it is useless."""


class StoreForbidden(StoreRejected):
    """The credentials do not allow the request."""


class Unsupported(StoreRejected):
    """The embedded store cannot answer this exactly as Elasticsearch does, so it does not answer."""
