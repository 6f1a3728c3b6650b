"""What the text of a query may say but probably does not mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lolbin_rules.query.eql import nodes as eql
from lolbin_rules.query.kql import nodes as kql
from lolbin_rules.rule.refusal import Refusal, quoted
from lolbin_rules.rule.yaml_syntax import Problem

if TYPE_CHECKING:
    from lolbin_rules.rule.model import Rule
    from lolbin_rules.rule.query_text import QueryText

__all__ = ["query_suspicions"]

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
ESCAPE = re.compile(r'\\([trn"\\])')
BLANKS = {"t": "\t", "r": "\r", "n": "\n"}
LITERALLY = "it fits no other value"


def query_suspicions(rule: Rule, query: QueryText) -> Iterator[Problem]:
    """One warning for each thing that looks wrong in a query that could be read."""
    match query.tree:
        case eql.EventQuery() | eql.SequenceQuery() | eql.SampleQuery() as tree:
            found = [*_of_eql(tree), *_without_end(rule, tree)]
        case tree:
            found = [*_of_kql(tree, query.text)]
    for offset, refusal in found:
        yield Problem(query.place(offset), refusal)


def _of_kql(tree: kql.Node | None, text: str) -> Iterator[tuple[int, Refusal]]:
    begins = {_unescaped(found[0][1:-1]): found.start() for found in QUOTED.finditer(text)}
    for word in _quoted_words(tree):
        offset = begins.get(word, 0)
        if "*" in word:
            remedy = f"Write it without quotes if * stands for any text: {_unquoted(word)}"
            yield (
                offset,
                Refusal(f"{quoted(word)} in quotes is taken literally, with its *", remedy, consequence=LITERALLY),
            )
        if not word.isprintable() and "\\" in text:
            yield (
                offset,
                Refusal(
                    f"{quoted(word)} holds a tab or a line break: in quotes \\t, \\n and \\r stand for these",
                    "Double the backslashes of a path.",
                    consequence="a path with backslashes would not be found",
                ),
            )


def _quoted_words(tree: kql.Node | None) -> Iterator[str]:
    """The texts of a query that stand in quotes."""
    stack = [tree]
    while stack:
        match stack.pop():
            case kql.And(parts) | kql.Or(parts):
                stack.extend(reversed(parts))
            case kql.Not(part) | kql.Nested(_, part):
                stack.append(part)
            case kql.Is(_, kql.Word(str(text), is_quoted=True)):
                yield text


def _unescaped(written: str) -> str:
    return ESCAPE.sub(lambda found: BLANKS.get(found[1], found[1]), written)


def _unquoted(word: str) -> str:
    """A phrase as an unquoted value, its special characters escaped."""
    return "".join(f"\\{letter}" if letter in '\\():<>"{}' else letter for letter in word)


def _of_eql(tree: eql.EventQuery | eql.SequenceQuery | eql.SampleQuery) -> Iterator[tuple[int, Refusal]]:
    stack = [event.condition for event in _events(tree)]
    while stack:
        node = stack.pop()
        stack.extend(eql.children(node))
        match node:
            case eql.Comparison("==" | "!=" as operator, left, right):
                yield from _literal_patterns((left, right), operator, ":" if operator == "==" else "not ... like~")
            case eql.Membership(_, items, is_caseless):
                written, other = ("in~", "like~") if is_caseless else ("in", "like")
                yield from _literal_patterns(items, written, other)


def _literal_patterns(nodes: tuple[eql.Node, ...], operator: str, other: str) -> Iterator[tuple[int, Refusal]]:
    for node in nodes:
        if isinstance(node, eql.Literal) and isinstance(node.value, str) and "*" in node.value:
            what = f"{operator} takes {quoted(node.value)} literally, with its *"
            yield node.at, Refusal(what, f"Use {other} if * stands for any text.", consequence=LITERALLY)


def _events(tree: eql.EventQuery | eql.SequenceQuery | eql.SampleQuery) -> Iterator[eql.EventQuery]:
    if isinstance(tree, eql.EventQuery):
        yield tree
        return
    until = [tree.until] if isinstance(tree, eql.SequenceQuery) and tree.until else []
    yield from (item.event for item in (*tree.items, *until))


def _without_end(
    rule: Rule, tree: eql.EventQuery | eql.SequenceQuery | eql.SampleQuery
) -> Iterator[tuple[int, Refusal]]:
    if isinstance(tree, eql.SequenceQuery) and tree.maxspan is None and any(name.endswith("*") for name in rule.index):
        yield (
            tree.at,
            Refusal(
                "the sequence has no maxspan",
                "Say how far its first and last event may lie apart: `sequence with maxspan=5m`.",
                consequence="its events are looked for within one lookback only",
            ),
        )
