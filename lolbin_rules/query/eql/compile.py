"""EQL trees -> Query DSL for the types that the fields have, and plans of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.eql.check import NEEDED, WORDS, Checker, Unfit, preferred
from lolbin_rules.query.eql.clauses import clause_of, exists
from lolbin_rules.query.eql.columns import Columns
from lolbin_rules.query.eql.faults import fault
from lolbin_rules.query.eql.fold import fold, with_nulls
from lolbin_rules.query.eql.logic import Found, every, found_by
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import (
    And,
    Comparison,
    EventQuery,
    Field,
    Item,
    Literal,
    Node,
    SampleQuery,
    SequenceQuery,
    fields_in,
)
from lolbin_rules.query.eql.plan import Key, SequencePlan, Stage
from lolbin_rules.query.eql.predicate import Condition
from lolbin_rules.store.port import FieldTypes, Query

__all__ = ["CATEGORY", "compile_event", "compile_sequence", "whole_condition"]

CATEGORY: Final = "event.category"
_JOINED: Final = frozenset({"text", "number", "boolean", "address", "date"})


def compile_event(query: EventQuery, types: FieldTypes, *, event_category_field: str = CATEGORY) -> Compiled:
    """The query of one event.

    What Query DSL can say is said exactly, by the store's own reading of its mapping. Conditions that it cannot say
    (functions of values, arithmetic) are left open in the query, which then finds more documents; `keeps` decides on
    each of them, by those of the conditions joined by `and` that the query does not say in full.

    A field that no index has, and that is not written `?field`, makes Elasticsearch fail. Here it is told in `unknown`,
    and is taken for one that is mapped and has no value in any document: the rule goes on, and begins to find what it
    looks for as soon as an index has the field. A field that some indices have is mapped.

    Args:
        query: as `parse_eql` yields it.
        types: how the indices map `eql_fields(query)`; a field that is not in it is taken to fit.
        event_category_field: the field that has the category of events.

    Raises:
        QueryError: no index maps a field so that the condition could be asked of it, or the query has pipes, by which
            not every event that matches would be found.
    """
    if query.pipes:
        what = f"the pipe {query.pipes[0].end} would leave out events that match"
        raise fault(query.text, query.pipes[0].at, what, "Leave it out; what matches is found, whatever the number.")
    try:
        return _Event(query, Columns(types), event_category_field).compiled()
    except Misuse as error:
        raise fault(query.text, error.at, error.what, error.remedy) from None


def whole_condition(query: EventQuery, types: FieldTypes, *, event_category_field: str = CATEGORY) -> Condition:
    """All that one event must be, the category too, decided on its document without a store; see `compile_event`.

    Raises:
        QueryError: as `compile_event` does, or the condition reckons a time from now.
    """
    try:
        return _Event(query, Columns(types), event_category_field).decided()
    except Misuse as error:
        raise fault(query.text, error.at, error.what, error.remedy) from None


def compile_sequence(
    query: SequenceQuery | SampleQuery, types: FieldTypes, *, event_category_field: str = CATEGORY
) -> SequencePlan:
    """The plan of a sequence or sample: the query of each of its events, its keys, and how they belong together.

    Events without a value for a key that is not optional are not found by any query. See `compile_event`.

    Raises:
        QueryError: as `compile_event` does, or the keys in one place are of types that are never equal.
    """
    columns = Columns(types)

    def stage(item: Item) -> Stage:
        compiled = compile_event(item.event, types, event_category_field=event_category_field)
        return _Keyed(item, (*query.keys, *item.keys), columns).stage(compiled)

    try:
        items = [(item, stage(item)) for item in query.items]
        until = query.until if isinstance(query, SequenceQuery) else None
        key_types = _key_types(query, columns)
        return SequencePlan(
            stages=tuple(each for item, each in items for _ in range(item.runs)),
            until=None if until is None else stage(until),
            maxspan=query.maxspan if isinstance(query, SequenceQuery) else None,
            slices=tuple((pipe.end, pipe.count) for pipe in query.pipes) if isinstance(query, SequenceQuery) else (),
            is_sample=isinstance(query, SampleQuery),
            key_types=key_types,
        )
    except Misuse as error:
        raise fault(query.text, error.at, error.what, error.remedy) from None


@dataclass(frozen=True, slots=True)
class _Event:
    query: EventQuery
    columns: Columns
    category_field: str

    def compiled(self) -> Compiled:
        checker = Checker(self.columns.placements, is_optional_null=False)
        condition = self._folded(checker)
        conjuncts = condition.parts if isinstance(condition, And) else (condition,)
        found = [found_by(each, self._clause) for each in conjuncts]
        open_ones = [each for each, its in zip(conjuncts, found, strict=True) if not its.is_exact]
        whole = every([*self._category(), *found])
        return Compiled(
            query=whole.as_query(),
            misfits=_misfits(checker.unfit),
            unknown=_unknown(fields_in(self.query.condition), self.columns),
            keeps=Condition(_all(open_ones), self.columns) if open_ones else None,
        )

    def decided(self) -> Condition:
        checker = Checker(self.columns.placements, is_optional_null=False)
        category = self.query.category
        its: Sequence[Node] = (
            () if category is None else (Comparison("==", Field(self.category_field), Literal(category)),)
        )
        return Condition(_all([*its, self._folded(checker)]), self.columns)

    def _folded(self, checker: Checker) -> Node:
        """The condition with all worked out that is known before any document is seen."""
        condition = with_nulls(self.query.condition, self.columns.is_unmapped)
        checker.condition(condition)
        return self.columns.with_exact_names(fold(condition))

    def _clause(self, node: Node) -> Query | None:
        return clause_of(node, self.columns)

    def _category(self) -> Sequence[Found]:
        category = self.query.category
        return [Found({"term": {self.category_field: {"value": category}}})] if category is not None else []


@dataclass(frozen=True, slots=True)
class _Keyed:
    item: Item
    fields: tuple[Field, ...]
    columns: Columns

    def stage(self, event: Compiled) -> Stage:
        """The event as a stage that finds only events with the keys it must have."""
        columns = self.columns
        keys = tuple(
            Key(field.name, field.is_optional, is_mapped=not columns.is_unmapped(field.name)) for field in self.fields
        )
        unfit: set[Unfit] = set()
        for field in self.fields:
            unfit |= _key_unfit(field, columns)
        needed = [Found(exists(columns.exact(key.field))) for key in dict.fromkeys(keys) if not key.is_optional]
        return Stage(
            event=replace(
                event,
                query=every([Found(event.query), *needed]).as_query(),
                misfits=tuple(sorted({*event.misfits, *_misfits(unfit)})),
                unknown=tuple(sorted({*event.unknown, *_unknown(self.fields, columns)})),
            ),
            keys=keys,
            is_missing=self.item.is_missing,
        )


def _all(conjuncts: Sequence[Node]) -> Node:
    return conjuncts[0] if len(conjuncts) == 1 else And(tuple(conjuncts), conjuncts[0].at)


def _misfits(unfit: Iterable[Unfit]) -> tuple[Misfit, ...]:
    found = {Misfit(each.field, each.type, each.needed, tuple(sorted(each.indices))) for each in unfit if each.indices}
    return tuple(sorted(found))


def _unknown(fields: Iterable[Field], columns: Columns) -> tuple[str, ...]:
    return tuple(sorted({each.name for each in fields if not each.is_optional and columns.is_unknown(each.name)}))


def _key_unfit(field: Field, columns: Columns) -> frozenset[Unfit]:
    """The indices in which the field's values cannot be those of a key."""
    placements = columns.placements(field.name)
    kind = preferred(placements, _JOINED)
    if placements and not kind:
        what = f"the key {field.name} is of type {placements[0].type}, whose values are not compared"
        raise Misuse(field.at, what, "Use another field, or give it a keyword sub-field in the mapping.")
    others = [each for each in placements if each.kind != kind]
    return frozenset(Unfit(field.name, each.type, NEEDED[kind], each.indices) for each in others)


def _key_types(query: SequenceQuery | SampleQuery, columns: Columns) -> tuple[frozenset[str], ...]:
    until = (query.until,) if isinstance(query, SequenceQuery) and query.until else ()
    rows = [(*query.keys, *item.keys) for item in (*query.items, *until)]
    return tuple(_types_at(place, columns) for place in zip(*rows, strict=True))


def _types_at(fields: Sequence[Field], columns: Columns) -> frozenset[str]:
    """The types of what is joined in one place.

    Raises:
        Misuse: values of different kinds are never equal.
    """
    first: tuple[Field, str] | None = None
    types: set[str] = set()
    for field in fields:
        placements = columns.placements(field.name)
        kind = preferred(placements, _JOINED)
        types |= {"keyword" if each.type == "text" else each.type for each in placements if each.kind == kind}
        if kind and first is None:
            first = (field, kind)
        elif kind and first is not None and first[1] != kind:
            what = (
                f"the key {field.name} holds {WORDS[kind]}, the key {first[0].name} in the same place {WORDS[first[1]]}"
            )
            raise Misuse(field.at, what, "Join by fields of one type; values of different types are never equal.")
    return frozenset(types)
