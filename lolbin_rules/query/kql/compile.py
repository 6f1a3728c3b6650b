"""KQL -> Query DSL, as Kibana's rules of the detection engine do it with the types of the fields at hand.

What a comparison becomes depends on the field's type over all indices that have the field:

================== ======================= ============================= =======================
type               value                   value with wildcards          `*` alone
================== ======================= ============================= =======================
keyword            term                    wildcard                      exists
date               range                   query_string on the field     exists
other, several     match; match_phrase     query_string on the field     exists
  or unknown       if quoted
no field           multi_match over all    query_string over all         query_string over all
================== ======================= ============================= =======================

A pattern of field names stands for every field that matches it; where none does, it is a name like any other. A field
that no index has finds nothing and is no error. Addresses and networks are compared by `match`, which takes both on
fields of type ip.

Hits are those of Kibana's queries; the queries are smaller. Clauses around a single clause are left out, `not` joins
the `bool` that it stands in, and alternatives on one keyword field are one `terms`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lolbin_rules.errors import QueryError
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.kql.fields import fields_in
from lolbin_rules.query.kql.nodes import And, Everything, Is, Name, Nested, Node, Not, Or, Range, Value, Wild
from lolbin_rules.query.kql.syntax import parse_kql
from lolbin_rules.store.port import UNMAPPED, FieldTypes, Query

__all__ = ["compile_kql"]

_DATES: Final = frozenset({"date", "date_nanos"})
_NO_FIELDS: Final = frozenset({UNMAPPED, "object", "nested"})
"""What `FieldTypes` tells of names that hold no values."""
_DEEPEST: Final = 20
"""Clauses within each other. Elasticsearch takes 30, and a search puts clauses of its own around these."""
_IN_WILDCARD: Final = re.compile(r"[\\*?]")
_IN_QUERY_STRING: Final = re.compile(r'[+\-=&|><!(){}\[\]^"~*?:\\/]')


def compile_kql(text: str, types: FieldTypes, *, case_insensitive: bool = False) -> Compiled:
    """The query of a KQL text.

    Args:
        text: the query; an empty one asks for all documents.
        types: how the indices map `kql_fields(text)`, and the fields that match the patterns among these.
        case_insensitive: texts are compared with keyword fields whatever the case of their letters A to Z.

    Raises:
        QueryError: as `parse_kql`; or the query is nested deeper than Elasticsearch takes.
    """
    node = parse_kql(text)
    asking = _Asking(types, case_insensitive)
    query = asking.query(node, "")
    if _depth(query) > _DEEPEST:
        what = f"the query has more than {_DEEPEST} clauses within each other"
        raise QueryError(what, "Take it apart: Elasticsearch refuses what is nested so deep.", text, 1, 1)
    unknown = {name for name in fields_in(node) if set(types.types.get(name, ())) == {UNMAPPED}}
    return Compiled(query, unknown=tuple(sorted(name for name in unknown if not asking.matching(name))))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Makes clauses for some indices.

    Attributes:
        types: how these map fields.
        is_caseless: as `case_insensitive` of `compile_kql`.
    """

    types: FieldTypes
    is_caseless: bool

    def query(self, node: Node, path: str) -> Query:
        """The clause for a node that stands in the nested object `path`, which ends with a dot or is empty."""
        match node:
            case Everything():
                return {"match_all": {}}
            case And() | Not():
                return self._all(node.parts if isinstance(node, And) else (node,), path)
            case Or(parts):
                return _any([self.query(part, path) for part in parts])
            case Is(name, value):
                return self._is(name, value, path)
            case Range(name, comparison, limit):
                return self._in_fields(name, path, lambda each: {"range": {each: {comparison: limit.text}}})
            case Nested(name, part):
                inner = self.query(part, f"{path}{name}.")
                return {"nested": {"path": f"{path}{name}", "query": inner, "score_mode": "none"}}

    def matching(self, pattern: str) -> list[str]:
        """The known fields whose names match a pattern, sorted."""
        kinds = self.types.types
        return sorted(name for name in kinds if not kinds[name].keys() <= _NO_FIELDS and _is_like(name, pattern))

    def _all(self, parts: Sequence[Node], path: str) -> Query:
        required: list[Query] = []
        excluded: list[Query] = []
        for part in parts:
            if isinstance(part, Not):
                excluded.append(self.query(part.part, path))
            else:
                required.append(self.query(part, path))
        given = {"filter": required, "must_not": excluded}
        return {"bool": {occurrence: clauses for occurrence, clauses in given.items() if clauses}}

    def _in_fields(self, name: Name, path: str, make: Callable[[str], Query]) -> Query:
        whole = f"{path}{name}"
        names = self.matching(whole) if isinstance(name, Wild) else []
        return _any([make(each) for each in names or [whole]])

    def _is(self, name: Name | None, value: Value, path: str) -> Query:
        if name is None:
            return _anywhere(value)
        if not (isinstance(value, Wild) and value.is_any):
            return self._in_fields(name, path, lambda each: self._compared(each, value))
        if isinstance(name, Wild) and name.is_any:
            return {"match_all": {}}
        return self._in_fields(name, path, lambda each: {"exists": {"field": each}})

    def _compared(self, name: str, value: Value) -> Query:
        kinds = self.types.types.get(name, {}).keys() - {UNMAPPED}
        if kinds == {"keyword"}:
            return self._exact(name, value)
        if isinstance(value, Wild):
            return {"query_string": {"fields": [name], "query": _for_query_string(value)}}
        if kinds and kinds <= _DATES:
            return {"range": {name: {"gte": value.text, "lte": value.text}}}
        return {"match_phrase" if value.is_quoted else "match": {name: value.text}}

    def _exact(self, name: str, value: Value) -> Query:
        is_text = isinstance(value, Wild) or isinstance(value.text, str)
        case = {"case_insensitive": True} if self.is_caseless and is_text else {}
        if isinstance(value, Wild):
            pattern = "*".join(_IN_WILDCARD.sub(r"\\\g<0>", part) for part in value.parts)
            return {"wildcard": {name: {"value": pattern, **case}}}
        return {"term": {name: {"value": value.text, **case}}}


def _is_like(name: str, pattern: str) -> bool:
    first, *others = pattern.split("*")
    if not name.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) == at if not others else len(name) - len(others[-1]) >= at and name.endswith(others[-1])


def _anywhere(value: Value) -> Query:
    """Any of the fields that an index searches where none is named."""
    if isinstance(value, Wild):
        return {"query_string": {"query": _for_query_string(value)}}
    kind = "phrase" if value.is_quoted else "best_fields"
    return {"multi_match": {"query": value.text, "type": kind, "lenient": True}}


def _for_query_string(value: Wild) -> str:
    return "*".join(_IN_QUERY_STRING.sub(r"\\\g<0>", part) for part in value.parts)


def _any(clauses: Sequence[Query]) -> Query:
    together = _together(clauses)
    return together[0] if len(together) == 1 else {"bool": {"should": together, "minimum_should_match": 1}}


def _together(clauses: Sequence[Query]) -> list[Query]:
    """The same alternatives, where terms of one field are one clause, in the place of the first of them."""
    terms: dict[str, list[str]] = {}
    places: list[str | Query] = []
    for clause in clauses:
        name, value = _plain_term(clause)
        if value is None:
            places.append(clause)
            continue
        if name not in terms:
            terms[name] = []
            places.append(name)
        terms[name].append(value)
    return [_terms(place, terms[place]) if isinstance(place, str) else place for place in places]


def _plain_term(clause: Query) -> tuple[str, str | None]:
    for name, options in clause.get("term", {}).items():
        if options.keys() == {"value"} and isinstance(options["value"], str):
            return name, options["value"]
    return "", None


def _terms(name: str, values: Sequence[str]) -> Query:
    distinct = list(dict.fromkeys(values))
    return {"terms": {name: distinct}} if len(distinct) > 1 else {"term": {name: {"value": distinct[0]}}}


def _depth(query: Query) -> int:
    return 1 + max((_depth(each) for each in _within(query)), default=0)


def _within(query: Query) -> Iterator[Query]:
    if "nested" in query:
        yield query["nested"]["query"]
    for found in query.get("bool", {}).values():
        if isinstance(found, list):
            yield from found
