"""Clauses made of clauses: bool, constant_score, dis_max, boosting; and those that match all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.combine import ALL, NONE, all_of, any_of, at_least, none_of
from lolbin_rules.dsl.parse.arguments import boolean, check_names
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.faults import rejected
from lolbin_rules.dsl.parse.minimum import minimum

__all__ = ["read_all", "read_bool", "read_boosting", "read_constant_score", "read_dis_max", "read_none"]


def read_bool(body: Mapping[str, Any], context: Context) -> Clause:
    """`bool`.

    Optional clauses are needed where nothing else is required, whatever `minimum_should_match` says; it counts against
    the optional clauses even where there are none, but is not looked at where all clauses are excluded ones.
    """
    check_names("bool", body, {*_OCCURRENCES, "minimum_should_match", "adjust_pure_negative"})
    parts: dict[str, list[Clause]] = {"must": [], "should": [], "must_not": []}
    for name, occurrence in _OCCURRENCES.items():
        parts[occurrence] += _listed(name, body.get(name), context)
    required, optional, excluded = parts.values()
    is_adjusted = boolean("bool", "adjust_pure_negative", body.get("adjust_pure_negative", True))
    if not required and not optional:
        if excluded and not is_adjusted:
            return NONE
        _check_minimum(body, is_empty=not excluded)
        return none_of(excluded)
    wanted = body.get("minimum_should_match")
    number = 0 if wanted is None else minimum("bool", wanted, len(optional))
    if not required:
        number = max(number, 1)
    return all_of([*required, at_least(number, optional), none_of(excluded)])


_OCCURRENCES = {"must": "must", "filter": "must", "should": "should", "must_not": "must_not", "mustNot": "must_not"}


def _check_minimum(body: Mapping[str, Any], *, is_empty: bool) -> None:
    if not is_empty and body.get("minimum_should_match") is not None:
        minimum("bool", body["minimum_should_match"], 0)


def _listed(name: str, given: Any, context: Context) -> list[Clause]:
    """One clause or a list of them."""
    if given is None:
        return []
    if isinstance(given, list):
        return [context.clause(each) for each in given]
    if isinstance(given, Mapping):
        return [context.clause(given)]
    raise rejected("bool", f"[{name}] is {given!r}, where clauses are expected")


def read_constant_score(body: Mapping[str, Any], context: Context) -> Clause:
    """`constant_score`: just its filter."""
    check_names("constant_score", body, {"filter"})
    if "filter" not in body:
        raise rejected("constant_score", "it has no [filter]")
    return context.clause(body["filter"])


def read_dis_max(body: Mapping[str, Any], context: Context) -> Clause:
    """`dis_max`: any of its queries."""
    check_names("dis_max", body, {"queries", "tie_breaker"})
    queries = body.get("queries")
    queries = [queries] if isinstance(queries, Mapping) else queries
    if not isinstance(queries, list) or not queries:
        raise rejected("dis_max", "[queries] has no clause")
    return any_of([context.clause(query) for query in queries])


def read_boosting(body: Mapping[str, Any], context: Context) -> Clause:
    """`boosting`: what its positive query matches; the negative one only has to be right."""
    check_names("boosting", body, {"positive", "negative", "negative_boost"})
    for name in ("positive", "negative", "negative_boost"):
        if name not in body:
            raise rejected("boosting", f"it has no [{name}]")
    context.clause(body["negative"])
    return context.clause(body["positive"])


def read_all(body: Mapping[str, Any], context: Context) -> Clause:
    """`match_all`."""
    del context
    check_names("match_all", body, ())
    return ALL


def read_none(body: Mapping[str, Any], context: Context) -> Clause:
    """`match_none`."""
    del context
    check_names("match_none", body, ())
    return NONE
