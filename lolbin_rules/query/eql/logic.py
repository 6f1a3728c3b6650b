"""Conditions as Query DSL that finds at least every document they hold for, and where it can exactly those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lolbin_rules.query.eql.clauses import any_of, exists
from lolbin_rules.query.eql.functions import FUNCTIONS
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import (
    And,
    Call,
    Field,
    Like,
    Literal,
    Membership,
    Node,
    Not,
    NullCheck,
    Or,
    Regex,
    children,
)
from lolbin_rules.store.port import Query

__all__ = ["EVERYTHING", "NOTHING", "Found", "every", "found_by"]

EVERYTHING: Query = {"match_all": {}}
NOTHING: Query = {"match_none": {}}
DEEPEST = 20
"""Clauses within each other. Elasticsearch takes 30, and others are put around a rule's."""

ClauseOf: TypeAlias = Callable[[Node], Query | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What finds the documents of a condition.

    Attributes:
        query: a clause.
        is_negated: what the clause does not match is found.
        is_exact: nothing else is found.
    """

    query: Query
    is_negated: bool = False
    is_exact: bool = True

    def as_query(self) -> Query:
        """The same as one clause."""
        return {"bool": {"must_not": [self.query]}} if self.is_negated else self.query


def found_by(node: Node, clause_of: ClauseOf) -> Found:
    """The query of a folded condition.

    What Query DSL cannot say is left open: it narrows the search to documents that have the fields it needs, and where
    it is negated it narrows nothing.

    Args:
        node: folded.
        clause_of: the clause of a condition without `and`, `or` and `not`; None where there is none.

    Raises:
        Misuse: the query goes too deep for Elasticsearch.
    """
    if isinstance(node, Literal):
        return Found(EVERYTHING if node.value is True else NOTHING)
    found = _found(node, clause_of, is_negated=False)
    if _depth(found.as_query()) > DEEPEST:
        what = "and, or and not go too deep within each other"
        raise Misuse(node.at, what, "Write fewer within each other; `in` and lists behind `:` need no `or`.")
    return found


def every(parts: Iterable[Found]) -> Found:
    """All of the parts."""
    filters: list[Query] = []
    excluded: list[Query] = []
    is_exact = True
    for part in parts:
        is_exact = is_exact and part.is_exact
        inner = part.query.get("bool", {})
        if part.is_negated:
            excluded += _alternatives(part.query)
        elif inner.keys() and inner.keys() <= {"filter", "must_not"}:
            filters += inner.get("filter", ())
            excluded += inner.get("must_not", ())
        elif part.query != EVERYTHING:
            filters.append(part.query)
    if not excluded and len(filters) < 2:  # noqa: PLR2004 - nothing is joined
        return Found(filters[0] if filters else EVERYTHING, is_exact=is_exact)
    body = {"filter": filters, "must_not": excluded}
    return Found({"bool": {name: clauses for name, clauses in body.items() if clauses}}, is_exact=is_exact)


def _found(node: Node, clause_of: ClauseOf, *, is_negated: bool) -> Found:
    match node:
        case Not(operand):
            return _found(operand, clause_of, is_negated=not is_negated)
        case NullCheck(Field() as field, is_null=True):
            return _found(NullCheck(field, is_null=False, at=node.at), clause_of, is_negated=not is_negated)
        case And(parts) | Or(parts):
            several = [_found(part, clause_of, is_negated=is_negated) for part in parts]
            return every(several) if isinstance(node, And) is not is_negated else _some(several)
    clause = clause_of(node)
    if clause is not None:
        return Found(clause, is_negated=is_negated)
    if is_negated:
        return Found(EVERYTHING, is_exact=False)
    return Found(every(Found(exists(name)) for name in sorted(_needed(node))).query, is_exact=False)


def _some(parts: Sequence[Found]) -> Found:
    """One of the parts at least."""
    is_exact = all(part.is_exact for part in parts)
    if any(part.query == EVERYTHING and not part.is_negated for part in parts):
        return Found(EVERYTHING, is_exact=is_exact)
    if all(part.is_negated for part in parts):
        return Found(every(Found(part.query) for part in parts).query, is_negated=True, is_exact=is_exact)
    return Found(any_of([part.as_query() for part in parts]), is_exact=is_exact)


def _alternatives(query: Query) -> Sequence[Query]:
    """What must not match, so that the query does not."""
    inner = query.get("bool", {})
    should: Sequence[Query] = inner["should"] if inner.keys() == {"should", "minimum_should_match"} else [query]
    return should


def _needed(node: Node) -> frozenset[str]:
    """Fields without which the node is null, or false, in any case."""
    match node:
        case Field(name):
            return frozenset({name})
        case NullCheck(operand, is_null):
            return frozenset() if is_null else _needed(operand)
        case Call(name, arguments):
            function = FUNCTIONS[name]
            strict = [each for place, each in enumerate(arguments) if not function.parameter(place).is_nullable]
            return frozenset[str]().union(*map(_needed, strict))
        case Membership(subject) | Like(subject) | Regex(subject):
            return _needed(subject)
        case And(parts) | Or(parts):
            return frozenset.intersection(*map(_needed, parts))
        case _:
            return frozenset[str]().union(*map(_needed, children(node)))


def _depth(query: Any) -> int:
    if isinstance(query, list):
        return max(map(_depth, query), default=0)
    if isinstance(query, dict) and "bool" in query:
        return 1 + max(map(_depth, query["bool"].values()))
    return 1 if isinstance(query, dict) else 0
