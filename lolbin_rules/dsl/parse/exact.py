"""`term`, `terms` and `ids`: one exact value, and what each type of field takes for the same value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lolbin_rules.dsl.addresses import parse_address, parse_network
from lolbin_rules.dsl.caseless import fold, fold_any_letter
from lolbin_rules.dsl.clause import Clause, Leaf, OneOf, Test
from lolbin_rules.dsl.combine import ALL, NONE, any_of
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import ANYWHERE, boolean, check_names, check_weight, one_field, query_text, scalar
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.dates import day_or_moment
from lolbin_rules.dsl.parse.families import (
    CONSTANTS,
    DATES,
    KEYWORDS,
    NUMBERS,
    TEXTS,
    check_known,
    check_searchable,
    normalized,
)
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.parse.numbers import equal_number
from lolbin_rules.dsl.predicates import Between, Caseless, CaselessAnyLetter, Wildcard
from lolbin_rules.dsl.wildcard import simple_pattern
from lolbin_rules.dsl.word_tests import AnyWord

__all__ = ["Term", "constant", "exact", "read_ids", "read_term", "read_terms"]

_MOST_TERMS = 65_536
"""`index.max_terms_count` as Elasticsearch ships it."""


@dataclass(frozen=True, slots=True)
class Term:
    """One exact value as it was asked for.

    Attributes:
        clause: the clause and its field, for messages.
        value: a text, number or boolean.
        is_caseless: whatever the case of A to Z.
        is_listed: it is one of several.
    """

    clause: str
    value: Any
    is_caseless: bool = False
    is_listed: bool = False


def read_term(body: Mapping[str, Any], context: Context) -> Clause:
    """`term`."""
    name, options = one_field("term", body, "value")
    clause = f"term [{name}]"
    check_names(clause, options, {"value", "term", "case_insensitive"})
    value = scalar(clause, "value", options.get("term", options.get("value")))
    is_caseless = boolean(clause, "case_insensitive", options.get("case_insensitive", False))
    return exact(Term(clause, value, is_caseless=is_caseless), context.field(name), context)


def read_terms(body: Mapping[str, Any], context: Context) -> Clause:
    """`terms`."""
    check_weight("terms", body.get("boost"))
    names = [name for name in body if name not in ANYWHERE]
    if len(names) != 1:
        raise rejected("terms", f"one field is expected, {names or 'none'} found")
    name, values = names[0], body[names[0]]
    clause = f"terms [{name}]"
    if isinstance(values, Mapping):
        raise unsupported(clause, "it takes its terms from another document", "List the terms.")
    if not isinstance(values, list):
        raise rejected(clause, f"a list of terms is expected, {values!r} was found")
    if len(values) > _MOST_TERMS:
        raise rejected(clause, f"it has {len(values)} terms and may have {_MOST_TERMS}", "Split it up.")
    if any(isinstance(value, Mapping) for value in values):
        raise unsupported(clause, "a term is an object", "List texts, numbers or booleans.")
    terms = [scalar(clause, "term", value) for value in values]
    field = context.field(name)
    distinct = {_identity(value): value for value in terms}.values()
    return any_of(exact(Term(clause, value, is_listed=True), field, context) for value in distinct)


def read_ids(body: Mapping[str, Any], context: Context) -> Clause:
    """`ids`."""
    check_names("ids", body, {"values"})
    values = body.get("values", [])
    values = values if isinstance(values, list) else [values]
    found = frozenset(query_text(scalar("ids", "values", value)) for value in values)
    del context
    if "" in found:
        raise rejected("ids", "an id cannot be empty")
    return Leaf("_id", OneOf(found)) if found else NONE


def exact(term: Term, field: Field | None, context: Context) -> Clause:
    """The field has the value.

    Raises:
        StoreRejected: the value is none that the field's type could have, or its type knows no case.
    """
    if not check_known(term.clause, field) or field is None:
        return NONE
    if term.is_caseless:
        _check_case(term, field)
    check_searchable(term.clause, field)
    if field.type in CONSTANTS:
        return constant(field, query_text(term.value), is_caseless=term.is_caseless)
    if field.type == "wildcard" and term.value == "":
        return NONE  # such a field takes a term for a pattern, and the empty pattern matches nothing
    test = _caseless(term, field) if term.is_caseless and field.type != "boolean" else _test(term, field, context)
    return NONE if test is None else Leaf(field.name, test)


def _check_case(term: Term, field: Field) -> None:
    if field.type == "_id":
        raise unsupported(term.clause, "ids are kept in a form that has no case", "Leave out [case_insensitive].")
    if field.type not in KEYWORDS | CONSTANTS | TEXTS | {"boolean"}:
        raise rejected(term.clause, f"[{field.name}] is of type [{field.type}], which has no case")


def constant(field: Field, pattern: str, *, is_caseless: bool) -> Clause:
    """A field that is the same in all documents: its value matches the pattern, in which only `*` is special."""
    if not is_caseless and "*" not in pattern:
        test: Test = OneOf(frozenset({pattern}))
    else:
        test = Wildcard(simple_pattern(pattern), is_caseless)
    if field.type == "_index":
        return Leaf(field.name, test)
    return ALL if field.constant is not None and test.holds((field.constant,)) else NONE


def _identity(value: Any) -> tuple[type, Any]:
    """Values are the same only if their types are: 1, 1.0 and true are written differently, and so are 0.0 and -0.0."""
    return type(value), (value or repr(value))


def _caseless(term: Term, field: Field) -> Test:
    if not field.is_indexed:
        return CaselessAnyLetter(frozenset({fold_any_letter(normalized(field, query_text(term.value)))}))
    test = Caseless(frozenset({fold(normalized(field, query_text(term.value)))}))
    return AnyWord(test) if field.type in TEXTS else test


def _test(term: Term, field: Field, context: Context) -> Test | None:
    if field.type in DATES:
        return day_or_moment(term.clause, field, term.value, context.now_ms)
    if field.type in NUMBERS:
        return equal_number(term.clause, field, term.value, is_listed=term.is_listed)
    return _TESTS[field.type](term.clause, field, term.value)


def _of_id(clause: str, _: Field, value: Any) -> Test:
    if value == "":
        raise rejected(clause, "an id cannot be empty")
    return OneOf(frozenset({query_text(value)}))


def _of_keyword(_: str, field: Field, value: Any) -> Test:
    return OneOf(frozenset({normalized(field, query_text(value))}))


def _of_text(_: str, __: Field, value: Any) -> Test:
    return AnyWord(OneOf(frozenset({query_text(value)})))


def _of_boolean(clause: str, field: Field, value: Any) -> Test:
    return OneOf(frozenset({int(boolean(clause, field.name, value))}))


def _of_address(clause: str, field: Field, value: Any) -> Test:
    text = query_text(value)
    try:
        return Between(*parse_network(text)) if "/" in text else OneOf(frozenset({parse_address(text)}))
    except ValueError as error:
        raise rejected(clause, f"[{field.name}]: {error}") from None


_TESTS: Mapping[str, Callable[[str, Field, Any], Test]] = {
    "_id": _of_id,
    **dict.fromkeys(KEYWORDS, _of_keyword),
    **dict.fromkeys(TEXTS, _of_text),
    "boolean": _of_boolean,
    "ip": _of_address,
}
