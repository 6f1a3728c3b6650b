"""Rules meet the indices they name: which exist, how they map the rule's fields, where a rule cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from lolbin_rules.errors import LolbinRulesError, StoreUnavailable
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.search import TIMESTAMP
from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.match import timestamp_misfits
from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.store.port import FieldTypes, Store

__all__ = ["fit_to_indices"]

WITHIN = timedelta(seconds=30)


def fit_to_indices(courses: Sequence[Course], lists: Mapping[str, NamedList], store: Store) -> None:
    """Compile each course's rule for the indices behind it; what stands in its way is noted in the course.

    One request serves all rules that name the same indices.
    """
    for index, together in _by_index(courses).items():
        names = {name for course in together for name in RULE_TYPES[course.rule.type].fields(course.rule)}
        try:
            types = store.field_types(index, sorted({TIMESTAMP, *names}))
        except LolbinRulesError as error:
            for course in together:
                course.give_up(f"The fields of {', '.join(index)} could not be looked up: {error}")
            continue
        full: dict[tuple[str, ...], frozenset[str]] = {}
        for course in together:
            with course.isolated("Compiling the rule"):
                course.compiled = _compile_for(course.rule, lists, types, store, full)
                course.fingerprint = course.compiled.fingerprint(course.rule.type, course.rule.index)
                _note(course, types)


def _compile_for(
    rule: Rule,
    lists: Mapping[str, NamedList],
    types: FieldTypes,
    store: Store,
    full: dict[tuple[str, ...], frozenset[str]],
) -> Compiled:
    """The rule's query for indices of these types, with what it cannot be asked of.

    `full` remembers what was asked for other rules, which mostly have the same indices in doubt.

    Raises:
        RenderError: a template of the rule cannot be filled.
        StoreError: it could not be told whether the indices in doubt hold anything.
    """
    compiled = RULE_TYPES[rule.type].compile(rule, lists, types)
    misfits = (*timestamp_misfits(types, TIMESTAMP), *compiled.misfits)
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
    course.tally.problems += [f"{str(misfit)[0].upper()}{str(misfit)[1:]}." for misfit in compiled.misfits]
    empty = [expression for expression, indices in types.indices.items() if not indices]
    if len(empty) == len(types.indices):
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
