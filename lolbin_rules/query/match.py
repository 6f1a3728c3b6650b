"""`match` and `exclude` -> a bool query of term, terms, wildcard, range, exists and CIDR clauses, typed by index."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lolbin_rules.errors import RenderError
from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.render import render
from lolbin_rules.rule.model import Condition, NamedList, Rule, Scalar
from lolbin_rules.rule.named_list import address_range
from lolbin_rules.rule.refusal import Refusal
from lolbin_rules.store.port import UNMAPPED, FieldTypes, Query

__all__ = [
    "Clause",
    "compile_match",
    "equality_clause",
    "fields_of",
    "misfits_of",
    "network_clause",
    "timestamp_misfits",
    "wildcard_clause",
]

# Elasticsearch's field capabilities name the family of a type: `constant_keyword` and `wildcard` fields are `keyword`
# there, `match_only_text` is `text`.
STRINGS: Final = frozenset({"keyword", "flattened", "version"})
TEXTS: Final = frozenset({"text"})
NUMBERS: Final = frozenset(
    {"long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float", "unsigned_long"}
)
DATES: Final = frozenset({"date", "date_nanos"})
CASELESS: Final = ".caseless"
"""The sub-field in which Elastic's own mappings keep a value in lower case."""

Mapped = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition as Query DSL, and the indices it cannot be asked of."""

    query: Query
    is_negated: bool = False
    misfits: tuple[Misfit, ...] = ()


def fields_of(rule: Rule) -> frozenset[str]:
    """The fields whose types `compile_match` needs, with the sub-fields it would use if they were there."""
    conditions = [*rule.match.items(), *rule.exclude.items()]
    caseless = {name + CASELESS for name, condition in conditions if condition.case_insensitive}
    return frozenset(name for name, _ in conditions) | caseless


def compile_match(rule: Rule, lists: Mapping[str, NamedList], types: FieldTypes) -> Compiled:
    """The query of a rule of type `query`: every entry of `match` must hold, none of `exclude` may.

    Args:
        rule: the rule.
        lists: named lists by id; those that the rule names must be there (the loader checks).
        types: how the rule's indices map `fields_of(rule)`; a field that is not in it is taken to fit, as ECS has it.

    Raises:
        RenderError: a value is a template that cannot be filled.
    """
    context = {"vars": dict(rule.vars), "lists": {name: list(found.values) for name, found in lists.items()}}
    matching = [_clause(name, condition, lists, types, context) for name, condition in rule.match.items()]
    excluding = [_clause(name, condition, lists, types, context) for name, condition in rule.exclude.items()]
    body: dict[str, Any] = {
        "filter": [clause.query for clause in matching if not clause.is_negated]
        + [clause.query for clause in excluding if clause.is_negated],
        "must_not": [clause.query for clause in excluding if not clause.is_negated]
        + [clause.query for clause in matching if clause.is_negated],
    }
    return Compiled(
        query={"bool": {occurrence: clauses for occurrence, clauses in body.items() if clauses}},
        misfits=tuple(sorted({misfit for clause in matching + excluding for misfit in clause.misfits})),
        unknown=tuple(name for name in sorted({*rule.match, *rule.exclude}) if _is_unknown(types, name)),
    )


def timestamp_misfits(types: FieldTypes, field: str, *, may_lack: bool = False) -> tuple[Misfit, ...]:
    """The indices whose documents no window of time can find: the field is no date, or is not there at all."""
    return misfits_of(field, types.types.get(field, {}), DATES, "a date", may_lack=may_lack)


def _is_unknown(types: FieldTypes, name: str) -> bool:
    return set(types.types.get(name, ())) == {UNMAPPED}


def misfits_of(
    name: str, mapped: Mapped, fitting: Iterable[str], needed: str, *, may_lack: bool = True
) -> tuple[Misfit, ...]:
    """The indices that map a field to another type than those that fit."""
    fit = {*fitting, UNMAPPED} if may_lack else {*fitting}
    return tuple(
        Misfit(name, found, needed, tuple(sorted(indices)))
        for found, indices in sorted(mapped.items())
        if found not in fit and indices
    )


def _clause(
    name: str, condition: Condition, lists: Mapping[str, NamedList], types: FieldTypes, context: Mapping[str, Any]
) -> Clause:
    mapped = types.types.get(name, {})
    if condition.exists is not None:
        return Clause({"exists": {"field": name}}, is_negated=not condition.exists)
    if condition.range:
        bounds = {bound: _filled(value, context) for bound, value in condition.range.items()}
        return _range(name, bounds, mapped)
    if condition.wildcard:
        patterns = [str(_filled(value, context)) for value in condition.wildcard]
        return wildcard_clause(name, patterns, mapped, case_insensitive=condition.case_insensitive)
    if condition.cidr:
        return network_clause(name, [_filled(value, context) for value in condition.cidr], mapped)
    return _listed(name, condition, lists, types, context)


def _listed(
    name: str, condition: Condition, lists: Mapping[str, NamedList], types: FieldTypes, context: Mapping[str, Any]
) -> Clause:
    """One of several values, written out or in named lists."""
    mapped = types.types.get(name, {})
    named = [lists[list_id] for list_id in condition.list]
    values = [_filled(value, context) for value in condition.any_of] + [value for one in named for value in one.values]
    if any(one.type == "cidr" for one in named):
        return network_clause(name, values, mapped)
    if condition.case_insensitive and name + CASELESS in types.lowercase and all(map(_is_plain_text, values)):
        # The field's own type is still what decides whether a text can be asked of it.
        lowered = [str(value).lower() for value in values]
        return Clause(_terms(name + CASELESS, lowered), misfits=misfits_of(name, mapped, STRINGS | TEXTS, "keyword"))
    return equality_clause(name, values, mapped, case_insensitive=condition.case_insensitive)


def _filled(value: Scalar, context: Mapping[str, Any]) -> Scalar:
    return render(value, context) if isinstance(value, str) else value


def _is_plain_text(value: Scalar) -> bool:
    # Beyond ASCII the sub-field's lower case is Unicode's, that of `case_insensitive` is not.
    return isinstance(value, str) and value.isascii()


def _range(name: str, bounds: Mapping[str, Any], mapped: Mapped) -> Clause:
    is_text = any(isinstance(bound, str) for bound in bounds.values())
    fitting = (
        DATES | {"ip"} | (NUMBERS if all(map(_is_number, bounds.values())) else frozenset()) if is_text else NUMBERS
    )
    return Clause(
        {"range": {name: dict(bounds)}}, misfits=misfits_of(name, mapped, fitting, "a number, date or address")
    )


def wildcard_clause(name: str, patterns: Sequence[str], mapped: Mapped, *, case_insensitive: bool) -> Clause:
    """The whole value of the field fits one of these patterns."""
    clauses = [{"wildcard": {name: _with_case({"value": pattern}, case_insensitive)}} for pattern in patterns]
    return Clause(_any(clauses), misfits=misfits_of(name, mapped, STRINGS, "keyword"))


def network_clause(name: str, values: Sequence[Scalar], mapped: Mapped) -> Clause:
    """The field lies in one of these networks or ranges of addresses (`10.0.0.1-10.0.0.9`).

    Raises:
        RenderError: a value is neither.
    """
    # On a keyword field a network is a text that no value equals: an exclusion would silently exclude nothing.
    ranges = {value: _ends(value) for value in values}
    networks = [value for value in values if not ranges[value]]
    for value in networks:
        if not _is_address(value):
            raise RenderError(f"{value!r} of field {name} is no address or network")
    clauses = [_terms(name, networks)] if networks else []
    clauses += [{"range": {name: {"gte": ends[0], "lte": ends[1]}}} for ends in ranges.values() if ends]
    return Clause(_any(clauses), misfits=misfits_of(name, mapped, {"ip"}, "type ip, to compare with networks"))


def _ends(value: Scalar) -> tuple[str, str] | None:
    try:
        return address_range(value) if isinstance(value, str) else None
    except Refusal:
        return None


def equality_clause(name: str, values: Sequence[Scalar], mapped: Mapped, *, case_insensitive: bool) -> Clause:
    """The field has one of these values; on a text field, it holds one of them as a phrase."""
    has_text = bool(TEXTS & mapped.keys())
    has_others = bool(mapped.keys() - TEXTS - {UNMAPPED}) or not has_text
    fits: dict[str, Callable[[Scalar], bool]] = {
        **dict.fromkeys(STRINGS | TEXTS | DATES, lambda _: True),
        **dict.fromkeys(NUMBERS, _is_number),
        "ip": _is_address,
        "boolean": _is_boolean,
    }
    if case_insensitive and any(isinstance(value, str) for value in values):
        fits = dict.fromkeys(STRINGS | TEXTS, lambda _: True)
    fitting = [found for found, takes in fits.items() if all(map(takes, values))]
    needed = "keyword" if case_insensitive else f"a type that can hold {', '.join(map(repr, values[:3]))}"
    clauses: list[Query] = []
    if has_others:
        clauses += _exact(name, values, case_insensitive=case_insensitive)
    if has_text:
        # On analysed text a value is a phrase; on a keyword field of another index the same clause is exact.
        clauses += [{"match_phrase": {name: value}} for value in values]
    return Clause(_any(clauses), misfits=misfits_of(name, mapped, fitting, needed))


def _exact(name: str, values: Sequence[Scalar], *, case_insensitive: bool) -> Iterator[Query]:
    if not case_insensitive:
        yield _terms(name, values)
        return
    for value in values:  # `terms` knows no `case_insensitive`
        yield {"term": {name: _with_case({"value": value}, isinstance(value, str))}}


def _with_case(body: dict[str, Any], case_insensitive: bool) -> dict[str, Any]:  # noqa: FBT001
    return {**body, "case_insensitive": True} if case_insensitive else body


def _terms(name: str, values: Sequence[Scalar]) -> Query:
    return {"term": {name: {"value": values[0]}}} if len(values) == 1 else {"terms": {name: list(values)}}


def _any(clauses: Sequence[Query]) -> Query:
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def _is_number(value: Scalar) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return not isinstance(value, bool)


def _is_boolean(value: Scalar) -> bool:
    return isinstance(value, bool) or value in {"true", "false"}


def _is_address(value: Scalar) -> bool:
    try:
        ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return False
    return isinstance(value, str)
