"""Rules meet the indices they name: which exist, how they map the rule's fields, where a rule cannot be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from lolbin_rules.errors import LolbinRulesError, RenderError, StoreUnavailable
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.record import Execution
from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.match import timestamp_misfits
from lolbin_rules.query.rule_query import NO_TYPES, Given, query_text
from lolbin_rules.query.time_axis import axes_of
from lolbin_rules.rule.coverage_mode import why_not
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.store.port import FieldTypes, Store

__all__ = ["Exceptions", "fit_to_indices", "fitted"]

WITHIN = timedelta(seconds=30)


Exceptions: TypeAlias = Mapping[str, Sequence[ExceptionList]]
"""The exception lists that apply to a rule, by its id; rules without any need not be there."""


def fitted(
    rules: Iterable[Rule], now: datetime, lists: Mapping[str, NamedList], exceptions: Exceptions, store: Store
) -> list[Course]:
    """The rules, compiled for their indices; what stands in the way is in their tallies."""
    courses = [Course(Execution(rule, "manual", started_at=now, now=now)) for rule in rules]
    fit_to_indices(courses, lists, exceptions, store)
    return courses


def fit_to_indices(
    courses: Sequence[Course], lists: Mapping[str, NamedList], exceptions: Exceptions, store: Store
) -> None:
    """Compile each course's rule for the indices behind it; what stands in its way is noted in the course.

    One request serves all rules that name the same indices.
    """
    for index, together in _by_index(courses).items():
        names: set[str] = set()
        ready = []
        for course in together:
            with _asked(course):
                rule = course.rule
                course.given = Given(lists, exceptions.get(rule.id, ()), NO_TYPES, course.execution.now)
                names |= RULE_TYPES[rule.type].fields(rule, course.given)
                names |= {axis.field for axis in axes_of(rule)}
                ready.append(course)
        _fit(ready, index, names, store)


@contextmanager
def _asked(course: Course) -> Iterator[None]:
    """A query that cannot be asked fails its own rule, and so does any fault of ours on the way."""
    with course.isolated("Compiling the rule"):
        try:
            yield
        except RenderError as error:
            course.give_up(
                f"The rule's query cannot be asked: {str(error).rstrip('.')}. Nothing was searched; correct the rule."
            )


def _fit(courses: Sequence[Course], index: tuple[str, ...], names: set[str], store: Store) -> None:
    try:
        # What reads no indices of its own has nothing to be fitted to.
        types = store.field_types(index, sorted(names)) if index and courses else NO_TYPES
    except LolbinRulesError as error:
        for course in courses:
            course.give_up(f"The fields of {', '.join(index)} could not be looked up: {error}")
        return
    full: dict[tuple[str, ...], frozenset[str]] = {}
    for course in courses:
        with _asked(course):
            if course.given is None:
                raise AssertionError("what a rule depends on is known before it is compiled")
            course.given = replace(course.given, types=types)
            course.compiled = _compile_for(course.rule, course.given, store, full)
            course.fingerprint = course.compiled.fingerprint(*_context(course, course.given, course.compiled))
            _note(course, types)


def _context(course: Course, given: Given, compiled: Compiled) -> list[Any]:
    """What a rule finds depends on, besides its query."""
    rule = course.rule
    context: list[Any] = [rule.type, rule.index]
    if compiled.plan is not None:
        context += [
            query_text(rule, given.lists),
            rule.timestamp_field,
            rule.tiebreaker_field,
            None if compiled.plan.maxspan else rule.lookback.total_seconds(),
        ]
    if rule.type == "esql":  # its slots are as long
        context.append(rule.interval.total_seconds())
    if rule.timestamp_override is not None:
        context += [rule.timestamp_override, rule.timestamp_override_fallback_disabled]
    elif course.mode == "ingest_time":  # what was searched by one time was not searched by the other
        context += [course.mode, rule.timestamp_override_fallback_disabled]
    return context


def _compile_for(rule: Rule, given: Given, store: Store, full: dict[tuple[str, ...], frozenset[str]]) -> Compiled:
    """The rule's query for indices of these types, with what it cannot be asked of.

    `full` remembers what was asked for other rules, which mostly have the same indices in doubt.

    Raises:
        RenderError: a template of the rule cannot be filled.
        StoreError: it could not be told whether the indices in doubt hold anything.
    """
    compiled = RULE_TYPES[rule.type].compile(rule, given)
    axes = axes_of(rule, is_single=RULE_TYPES[rule.type].evaluator(rule, compiled) is None)
    # What lacks the field of an override is looked for on the other axis.
    of_time = [each for axis in axes for each in timestamp_misfits(given.types, axis.field, may_lack=len(axes) > 1)]
    misfits = (*of_time, *compiled.misfits)
    return replace(compiled, misfits=_with_documents(misfits, store, full)) if misfits else compiled


def _by_index(courses: Sequence[Course]) -> dict[tuple[str, ...], list[Course]]:
    found: dict[tuple[str, ...], list[Course]] = {}
    for course in courses:
        found.setdefault(course.rule.index, []).append(course)
    return found


def _with_documents(
    misfits: Sequence[Misfit], store: Store, full: dict[tuple[str, ...], frozenset[str]]
) -> tuple[Misfit, ...]:
    """The misfits, less the indices that hold no document: an index that was just made has no mapping yet."""
    indices = tuple(sorted({index for misfit in misfits for index in misfit.indices}))
    if indices not in full:
        full[indices] = _full(indices, store)
    kept = [
        replace(misfit, indices=tuple(index for index in misfit.indices if index in full[indices]))
        for misfit in misfits
    ]
    return tuple(misfit for misfit in kept if misfit.indices)


def _full(indices: Sequence[str], store: Store) -> frozenset[str]:
    """Those of the indices that hold any document."""
    by_index = {"indices": {"terms": {"field": "_index", "size": len(indices)}}}
    answer = store.aggregate(indices, {"match_all": {}}, by_index, within=WITHIN)
    if not answer.is_whole:
        raise StoreUnavailable(f"not every shard of {', '.join(indices)} answered whether it holds anything")
    return frozenset(bucket["key"] for bucket in answer.values["indices"]["buckets"])


def _note(course: Course, types: FieldTypes) -> None:
    compiled, rule = course.compiled, course.rule
    if compiled is None:
        return
    if why := why_not(rule, is_single=course.evaluator is None):
        course.tally.warnings.append(
            f"coverage: {rule.coverage} is not possible for it, as {why}; it is read by event_time."
        )
    course.tally.problems += [f"{str(misfit)[0].upper()}{str(misfit)[1:]}." for misfit in compiled.misfits]
    empty = [expression for expression, indices in types.indices.items() if not indices]
    if types.indices and len(empty) == len(types.indices):
        course.is_blind = True
        course.tally.problems.append(
            f"No index matches {', '.join(rule.index)}: nothing was searched. Correct the rule's index, or start "
            "shipping events to it; the time is searched when an index appears."
        )
        return
    for expression in empty:
        course.tally.warnings.append(f"No index matches {expression}; the rule's other indices were searched.")
    for name in compiled.unknown:
        effect = "excludes" if name in rule.exclude else "matches"
        course.tally.warnings.append(f"No index has the field {name}: the rule's condition on it {effect} nothing.")
