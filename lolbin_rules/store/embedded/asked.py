"""What is asked of indices that are mapped alike: queries as clauses, and how to find what they match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import orjson

from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, OneOf
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.evaluate import Evaluator
from lolbin_rules.dsl.field import Typed
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.segment import Segment
from lolbin_rules.store.embedded.rows import Window
from lolbin_rules.store.embedded.views import ID
from lolbin_rules.store.embedded.window import window_of
from lolbin_rules.store.port import Query

__all__ = ["Asked", "Clauses", "Request"]

_FILTER = ""
_NOTHING: Query = {"match_none": {}}
_MOST_REMEMBERED = 4096
"""Clauses for one mapping."""


class Clauses:
    """Parses queries, and remembers what came of them: the same rules are asked again and again."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[IndexMapping, dict[bytes, Clause]] = WeakKeyDictionary()

    def parse(self, query: Query, mapping: IndexMapping, now_ms: int) -> Clause:
        """See `dsl.parse`."""
        try:
            text = orjson.dumps(query)
        except orjson.JSONEncodeError:
            return parse(query, mapping, now_ms)
        if b"now" in text:  # it may mean another time the next time
            return parse(query, mapping, now_ms)
        known = self._known.setdefault(mapping, {})
        clause = known.get(text)
        if clause is None:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            clause = known[text] = parse(query, mapping, now_ms)
        return clause


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of all indices.

    Attributes:
        queries: name -> query; documents that match one of them are hits.
        condition: a query that every hit must match as well.
        now_ms: what `now` in a date means, in epoch milliseconds.
    """

    queries: Mapping[str, Query]
    condition: Query
    now_ms: int

    def left_out(self, index: str) -> frozenset[str]:
        """The names of queries that leave an index out in so many words, whatever else they say."""
        return frozenset(name for name, query in self.queries.items() if _leaves_out(query, index))

    def without(self, names: frozenset[str]) -> Request:
        """The same with queries that match nothing in the place of some: those need not be understood then."""
        if not names:
            return self
        return replace(self, queries={**self.queries, **dict.fromkeys(names, _NOTHING)})


def _leaves_out(query: Query, index: str) -> bool:
    """Whether it is a bool query with the index in a `must_not` of its own: Elasticsearch then looks no further."""
    body = query.get("bool")
    excluded = body.get("must_not") if isinstance(body, Mapping) else None
    for clause in excluded if isinstance(excluded, list) else [excluded]:
        terms = clause.get("terms") if isinstance(clause, Mapping) else None
        names = terms.get("_index") if isinstance(terms, Mapping) else None
        if isinstance(names, list) and index in names:
            return True
    return False


class Asked:
    """Queries that documents are hits of, and a filter that all hits match.

    Args:
        request: the queries and the filter.
        mapping: of the indices.
        clauses: parses them.
        also: fields to be read besides those that the queries ask for.

    Attributes:
        mapping: of the indices.
        window: the only span of time that hits can lie in, if there is one.

    Raises:
        StoreRejected: Elasticsearch would refuse it.
        Unsupported: it cannot be answered exactly.
    """

    def __init__(self, request: Request, mapping: IndexMapping, clauses: Clauses, also: frozenset[str]) -> None:
        self.mapping = mapping
        self._also = also
        self._filter = {_FILTER: clauses.parse(request.condition, mapping, request.now_ms)}
        self._queries = {name: clauses.parse(query, mapping, request.now_ms) for name, query in request.queries.items()}
        self.window: Window | None = window_of(self._filter[_FILTER], mapping)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The fields that documents are read for."""
        return self._filter_matcher.fields | self._matcher.fields | self._also

    @cached_property
    def reader(self) -> Reader:
        """Reads them."""
        return Reader(self.mapping, self.fields)

    @cached_property
    def ids(self) -> frozenset[str] | None:
        """The only values of `_id` that are asked for; None if any may be."""
        tests = [
            leaf.test
            for clause in (*self._filter.values(), *self._queries.values())
            for leaf in _leaves(clause)
            if leaf.field == ID
        ]
        exact = [test for test in tests if isinstance(test, OneOf)]
        if len(exact) < len(tests) or ID in self._also:
            return None
        return frozenset(str(value) for test in exact for value in test.values)

    def match(self, document: Typed) -> frozenset[str]:
        """The names of the queries that a document matches, if it matches the filter."""
        if self._is_filtered and not self._filter_matcher.match(document):
            return frozenset()
        return frozenset(self._matcher.match(document))

    def evaluate(self, segment: Segment, within: Rows | None) -> Iterator[tuple[str, Rows]]:
        """The rows that match each query and the filter; `within`: of these only."""
        if self._is_filtered:
            within = self._filter_evaluator.evaluate(segment, within)[_FILTER]
            if not len(within):
                return iter(())
        return self._evaluator.each(segment, within)

    @property
    def _is_filtered(self) -> bool:
        return self._filter[_FILTER] != Every()

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self._queries)

    @cached_property
    def _filter_matcher(self) -> Matcher:
        return Matcher(self._filter)

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self._queries)

    @cached_property
    def _filter_evaluator(self) -> Evaluator:
        return Evaluator(self._filter)


def _leaves(clause: Clause) -> Iterator[Leaf]:
    match clause:
        case Leaf():
            yield clause
        case Every(clauses) | AtLeast(_, clauses):
            for inner in clauses:
                yield from _leaves(inner)
        case Not(inner):
            yield from _leaves(inner)
