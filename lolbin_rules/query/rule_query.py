"""A rule as a query: what its author wrote, in whatever language, with its filters and without its exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lolbin_rules.errors import QueryError
from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.eql.compile import compile_event
from lolbin_rules.query.eql.fields import eql_fields
from lolbin_rules.query.eql.nodes import EventQuery
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.query.exception_list import CompiledException, compile_exceptions, exception_fields
from lolbin_rules.query.kql.compile import compile_kql
from lolbin_rules.query.kql.fields import kql_fields
from lolbin_rules.query.match import compile_match, fields_of
from lolbin_rules.query.render import render
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.store.port import FieldTypes, Query

__all__ = [
    "Given",
    "category_field",
    "compile_rule",
    "compile_text",
    "fields_of_rule",
    "fields_of_text",
    "query_text",
    "with_conditions",
]

EVENT_CATEGORY = "event.category"
NO_TYPES = FieldTypes()


@dataclass(frozen=True, slots=True)
class Given:
    """What a rule's query depends on besides the rule.

    Attributes:
        lists: named lists by id; those that the rule and its exceptions name must be there (the loader checks).
        exceptions: the exception lists that apply to the rule.
        types: how the rule's indices map `fields_of_rule`.
        now: an item of an exception list that has expired by then has no effect.
    """

    lists: Mapping[str, NamedList]
    exceptions: Sequence[ExceptionList]
    types: FieldTypes
    now: datetime


def query_text(rule: Rule, lists: Mapping[str, NamedList]) -> str:
    """The rule's query with its templates filled.

    Raises:
        RenderError: a template cannot be filled.
    """
    context = {"vars": dict(rule.vars), "lists": {name: list(found.values) for name, found in lists.items()}}
    return render(rule.query or "", context)


def fields_of_rule(rule: Rule, given: Given) -> frozenset[str]:
    """The fields, and patterns of field names, whose types `compile_rule` needs; `given.types` is not looked at.

    Raises:
        RenderError: the query cannot be read.
    """
    named = fields_of(rule) | exception_fields(given.exceptions)
    if rule.language is None:
        return named
    return named | fields_of_text(rule.language, query_text(rule, given.lists), category_field(rule))


def fields_of_text(language: str, text: str, category: str = EVENT_CATEGORY) -> frozenset[str]:
    """The fields whose types a query in a language needs.

    Raises:
        QueryError: the query cannot be read.
    """
    if language == "kuery":
        return kql_fields(text)
    return eql_fields(parse_eql(text)) | {category} if language == "eql" else frozenset()


def compile_rule(rule: Rule, given: Given) -> Compiled:
    """The query of a rule whose matches are made of single documents.

    Raises:
        RenderError: a template cannot be filled, or the query cannot be asked.
    """
    if rule.language is None:
        return with_conditions(compile_match(rule, given.lists, given.types), rule, given)
    text = query_text(rule, given.lists)
    found = compile_text(
        rule.language, text, given.types, case_insensitive=rule.case_insensitive, category=category_field(rule)
    )
    return with_conditions(_beside(found, rule, given), rule, given)


def compile_text(
    language: str, text: str, types: FieldTypes, *, case_insensitive: bool = False, category: str = EVENT_CATEGORY
) -> Compiled:
    """A query in a language as Query DSL.

    Raises:
        QueryError: the query cannot be read or asked.
    """
    if language == "kuery":
        return compile_kql(text, types, case_insensitive=case_insensitive)
    if language == "lucene":
        # As Kibana asks it: https://www.elastic.co/docs on the Lucene query syntax; an empty query is no condition.
        asked = {"query": text, "analyze_wildcard": True, "time_zone": "Z"}
        return Compiled({"query_string": asked} if text.strip() else {"match_all": {}})
    query = parse_eql(text)
    if not isinstance(query, EventQuery):
        raise QueryError("this is a sequence or sample", "Ask for single events.", text, 1, 1)
    return compile_event(query, types, event_category_field=category)


def category_field(rule: Rule) -> str:
    """The field that holds the category of an event in EQL."""
    return rule.event_category_override or EVENT_CATEGORY


def _beside(found: Compiled, rule: Rule, given: Given) -> Compiled:
    """The query with the `exclude` that stands beside it."""
    if not rule.exclude:
        return found
    excluded = compile_match(rule, given.lists, given.types)
    return replace(
        found,
        query={"bool": {"filter": [found.query, excluded.query]}},
        misfits=tuple(sorted({*found.misfits, *excluded.misfits})),
        unknown=tuple(sorted({*found.unknown, *excluded.unknown})),
    )


def with_conditions(found: Compiled, rule: Rule, given: Given) -> Compiled:
    """A query with the rule's filters and without what its exceptions hold back.

    Raises:
        RenderError: an exception cannot be compiled.
    """
    exceptions = compile_exceptions(given.exceptions, given.lists, given.types, given.now)
    filters = list(_filters(rule.filters))
    required = [clause for clause, is_negated in filters if not is_negated]
    refused = [clause for clause, is_negated in filters if is_negated]
    held_back = [exception.query for exception in exceptions]
    if not required and not refused and not held_back:
        return found
    return replace(
        found,
        query=_all_of([found.query, *required], [*refused, *held_back]),
        misfits=tuple(sorted({*found.misfits, *_misfits(exceptions)})),
        exceptions=exceptions,
        without_exceptions=_all_of([found.query, *required], refused) if exceptions else None,
    )


def _all_of(required: Sequence[Query], refused: Sequence[Query]) -> Query:
    body = {"filter": list(required), "must_not": list(refused)}
    return {"bool": {occurrence: clauses for occurrence, clauses in body.items() if clauses}}


def _misfits(exceptions: Sequence[CompiledException]) -> Iterator[Misfit]:
    for exception in exceptions:
        yield from exception.misfits


def _filters(written: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Query, bool]]:
    """Kibana's filters as clauses, each with whether it is negated; what is disabled is left out."""
    for each in written:
        meta = each.get("meta") or {}
        if meta.get("disabled"):
            continue
        clause = {key: value for key, value in each.items() if key not in {"meta", "$state"}}
        inner = clause.get("query")
        yield (inner if isinstance(inner, Mapping) else clause), bool(meta.get("negate"))
