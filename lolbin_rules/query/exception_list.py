"""Exception lists -> what no hit of a rule may match, one clause for each exception that applies, typed by index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lolbin_rules.query.compiled import Misfit
from lolbin_rules.query.match import Clause, equality_clause, misfits_of, network_clause, wildcard_clause
from lolbin_rules.rule.model import ExceptionEntry, ExceptionItem, ExceptionList, InnerEntry, NamedList
from lolbin_rules.store.port import FieldTypes, Query

__all__ = ["CompiledException", "compile_exceptions", "exception_fields"]


@dataclass(frozen=True, slots=True)
class CompiledException:
    """One exception as Query DSL.

    Attributes:
        list_id: the exception list that it is in.
        name: its own name there.
        query: one clause; a document that matches it makes no alert.
        misfits: the indices whose mapping would make the clause mean something else. It cannot be applied there, so the
            rule must not be asked of them.
    """

    list_id: str
    name: str
    query: Query
    misfits: tuple[Misfit, ...] = ()


def exception_fields(lists: Iterable[ExceptionList]) -> frozenset[str]:
    """The fields whose types `compile_exceptions` needs."""
    return frozenset(name for each in lists for item in each.items for name in _fields(item))


def _fields(item: ExceptionItem) -> Iterator[str]:
    for entry in item.entries:
        yield entry.field
        yield from (f"{entry.field}.{inner.field}" for inner in entry.entries)


def compile_exceptions(
    exceptions: Sequence[ExceptionList], lists: Mapping[str, NamedList], types: FieldTypes, now: datetime
) -> tuple[CompiledException, ...]:
    """What the hits of a rule must not match, in the order of the lists and of the exceptions in them.

    Args:
        exceptions: the exception lists that apply to the rule.
        lists: named lists by id; those that entries name must be there (the loader checks).
        types: how the rule's indices map `exception_fields(exceptions)`; a field that is not in it is taken to fit.
        now: exceptions that are over by then are left out.
    """
    return tuple(
        _compiled(each.id, item, lists, types) for each in exceptions for item in each.items if not item.is_over(now)
    )


def _compiled(
    list_id: str, item: ExceptionItem, lists: Mapping[str, NamedList], types: FieldTypes
) -> CompiledException:
    clauses = [_clause(entry, entry.field, lists, types) for entry in item.entries]
    misfits = {misfit for clause in clauses for misfit in clause.misfits}
    return CompiledException(list_id, item.name, _every(clauses), tuple(sorted(misfits)))


def _every(clauses: Sequence[Clause]) -> Query:
    holding = [clause.query for clause in clauses if not clause.is_negated]
    failing = [clause.query for clause in clauses if clause.is_negated]
    body = {"filter": holding, "must_not": failing}
    return {"bool": {occurrence: queries for occurrence, queries in body.items() if queries}}


def _clause(entry: ExceptionEntry | InnerEntry, name: str, lists: Mapping[str, NamedList], types: FieldTypes) -> Clause:
    if isinstance(entry, ExceptionEntry) and entry.type == "nested":
        return _nested(entry, lists, types)
    found = _included(entry, name, lists, types)
    return Clause(found.query, is_negated=entry.operator == "excluded", misfits=found.misfits)


def _included(
    entry: ExceptionEntry | InnerEntry, name: str, lists: Mapping[str, NamedList], types: FieldTypes
) -> Clause:
    mapped = types.types.get(name, {})
    if entry.type == "exists":
        return Clause({"exists": {"field": name}})
    if entry.type == "wildcard":
        return wildcard_clause(name, [str(value) for value in entry.value], mapped, case_insensitive=False)
    values = entry.value
    if entry.type == "list" and entry.list:
        if lists[entry.list].type == "cidr":
            return network_clause(name, lists[entry.list].values, mapped)
        values = lists[entry.list].values
    return equality_clause(name, values, mapped, case_insensitive=False)


def _nested(entry: ExceptionEntry, lists: Mapping[str, NamedList], types: FieldTypes) -> Clause:
    """One object of the field holds all inner entries; where the field is not there, no object does."""
    clauses = [_clause(inner, f"{entry.field}.{inner.field}", lists, types) for inner in entry.entries]
    misfits = misfits_of(entry.field, types.types.get(entry.field, {}), {"nested"}, "type nested")
    query = {"path": entry.field, "query": _every(clauses), "score_mode": "none", "ignore_unmapped": True}
    return Clause({"nested": query}, misfits=(*misfits, *(misfit for clause in clauses for misfit in clause.misfits)))
