"""What must be known of a query in ES|QL before it is asked: its commands, not what they mean.

The forms of strings, names and comments are those of Elastic's ES|QL documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lolbin_rules.errors import QueryError

__all__ = ["Esql", "read_esql"]

LONGEST: Final = 100_000
_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
    |(?P<comment>/\*)
    |(?P<text>\"{3}.*?\"{3,5}|"(?:[^"\\\n\r]|\\.)*")
    |(?P<name>`(?:[^`]|``)*`)
    |(?P<word>[\w@.*:<>~-]+)
    |(?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_EDGES: Final = re.compile(r"/\*|\*/")
_CLOSED_BY: Final = {"(": ")", "[": "]", "{": "}"}
_SOURCES: Final = frozenset({"FROM", "TS"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int
    depth: int

    @property
    def name(self) -> str:
        """What it names, without quotes."""
        if self.kind == "name":
            return self.text[1:-1].replace("``", "`")
        return self.text.strip('"') if self.kind == "text" else self.text


@dataclass(frozen=True, slots=True)
class Esql:
    """What a query consists of.

    Attributes:
        text: the query.
        indices: the index expressions that it reads.
        metadata: the metadata fields that it asks for, such as `_id`.
        groups: of the last command that aggregates: the columns that name a group; None where nothing aggregates.
        limit: the least number of rows that a LIMIT of its own leaves; None where it has none.
    """

    text: str
    indices: tuple[str, ...]
    metadata: frozenset[str]
    groups: tuple[str, ...] | None
    limit: int | None

    @property
    def is_aggregating(self) -> bool:
        """Whether its rows stand for more than one document."""
        return self.groups is not None

    @property
    def names_documents(self) -> bool:
        """Whether each row may say which document it is."""
        return not self.is_aggregating and {"_id", "_index"} <= self.metadata

    def limited(self, most: int) -> str:
        """The query, cut to a number of rows if it says nothing of it itself."""
        # On a line of its own: the query may end with a comment.
        return self.text if self.limit is not None else f"{self.text}\n| LIMIT {most}"


def read_esql(text: str) -> Esql:
    """Take a query apart.

    Raises:
        QueryError: a quote, comment or bracket is not closed, or the query does not begin with FROM.
    """
    if len(text) > LONGEST:
        raise QueryError(f"the query has {len(text)} characters", f"At most {LONGEST:,} are read.", text, 1, 1)
    commands = list(_commands(list(_tokens(text))))
    first = commands[0] if commands else []
    if not first or first[0].text.upper() not in _SOURCES:
        found = first[0].text[:20] if first else "nothing"
        at = first[0].at if first else 0
        raise _fault(f"the query begins with {found}", "Begin it with FROM and the indices to read.", text, at)
    indices, metadata = _sources(first[1:])
    return Esql(
        text=text,
        indices=indices,
        metadata=frozenset(metadata),
        groups=_groups(commands),
        limit=min(_limits(commands), default=None),
    )


def _fault(what: str, remedy: str, text: str, at: int) -> QueryError:
    return QueryError(what, remedy, text, text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens but white space and comments, each with the number of brackets around it."""
    at = 0
    opened: list[_Token] = []
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise AssertionError("any character is a sign")
        kind, token = str(found.lastgroup), found.group()
        if kind == "comment":
            at = _end_of_comment(text, at)
            continue
        if token in {'"', "`"}:
            raise _fault(f"the quote {token} is not closed", "Close it on the same line.", text, at)
        if opened and token == _CLOSED_BY[opened[-1].text]:
            opened.pop()
        elif token in _CLOSED_BY.values() and kind == "sign":
            raise _fault(f"the bracket {token} closes nothing", "Remove it, or open it before.", text, at)
        if kind != "space":
            yield _Token(kind, token, at, len(opened))
        if kind == "sign" and token in _CLOSED_BY:
            opened.append(_Token(kind, token, at, len(opened)))
        at = found.end()
    if opened:
        raise _fault(f"the bracket {opened[-1].text} is not closed", "Close it.", text, opened[-1].at)


def _end_of_comment(text: str, start: int) -> int:
    """Where a comment ends; comments may lie in each other."""
    depth = 0
    for edge in _EDGES.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise _fault("the comment /* is not closed", "Close it with */.", text, start)


def _commands(tokens: Sequence[_Token], depth: int = 0) -> Iterator[list[_Token]]:
    """The tokens of each command, which pipes part from each other."""
    command: list[_Token] = []
    for token in tokens:
        if token.text == "|" and token.depth == depth:
            yield command
            command = []
        else:
            command.append(token)
    if command:
        yield command


def _sources(tokens: Sequence[_Token]) -> tuple[tuple[str, ...], list[str]]:
    """The index expressions of FROM, and its metadata fields."""
    named: tuple[list[str], list[str]] = ([], [])
    part = 0
    for token in tokens:
        if token.text.upper() == "METADATA":
            part = 1
        elif token.kind in {"word", "text", "name"} and token.depth == 0:
            named[part].append(token.name)
    return tuple(named[0]), named[1]


def _branches(command: Sequence[_Token]) -> Iterator[list[_Token]]:
    """The commands within the branches of a FORK."""
    branch: list[_Token] = []
    for token in command[1:]:
        if token.depth > 0:
            branch.append(token)
        else:
            yield from _commands(branch, depth=1)
            branch = []


def _groups(commands: Sequence[Sequence[_Token]]) -> tuple[str, ...] | None:
    groups: tuple[str, ...] | None = None
    for command in commands:
        match command[0].text.upper() if command else "":
            case "STATS":
                groups = tuple(_group_names(command))
            case "FORK" if any(each and each[0].text.upper() == "STATS" for each in _branches(command)):
                groups = ("",)  # what names a group differs from branch to branch: no column is called so
    return groups


def _group_names(command: Sequence[_Token]) -> Iterator[str]:
    """The columns after BY: `name`, or `name = expression`; an expression without name gives a name of no column."""
    by = next((at for at, token in enumerate(command) if token.depth == 0 and token.text.upper() == "BY"), None)
    item: list[_Token] = []
    for token in [*command[by + 1 :], None] if by is not None else ():
        if token is not None and not (token.text == "," and token.depth == 0):
            item.append(token)
            continue
        is_named = len(item) == 1 or (len(item) > 1 and item[1].text == "=")
        yield item[0].name if is_named and item else ""
        item = []


def _limits(commands: Sequence[Sequence[_Token]]) -> Iterator[int]:
    for command in commands:
        if len(command) > 1 and command[0].text.upper() == "LIMIT" and command[1].text.isdigit():
            yield int(command[1].text)
