"""What only shows when all files are seen together: ids given twice, lists and rules that are not there."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lolbin_rules.rule.document import KIND
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.refusal import Refusal, quoted
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.rule.yaml_syntax import Place, Problem

if TYPE_CHECKING:
    from datetime import datetime

    from lolbin_rules.errors import Fault
    from lolbin_rules.rule.document import Document

__all__ = ["Known", "rule_set_of"]

AnyDefinition = TypeVar("AnyDefinition", Rule, NamedList, ExceptionList)


class Known(NamedTuple):
    """What may be named besides what was read."""

    lists: Mapping[str, NamedList]
    exceptions: Mapping[str, ExceptionList]


def rule_set_of(
    documents: Iterable[Document], strays: Iterable[Fault], known: Known, now: datetime | None = None
) -> RuleSet:
    """The rules and lists that nothing is wrong with, by themselves or together, and all faults.

    Args:
        documents: what was read.
        strays: the faults that belong to no document.
        known: what may be named besides.
        now: the present time; without it nothing is said of exceptions that are over.
    """
    unique = _with_repeated_ids_refused(documents)
    # Exception lists name lists, and rules name both: what is found of the one counts for the other.
    for model in (ExceptionList, Rule):
        there = _by_id(unique)
        unique = [
            _also_faulty(document, _not_there(document, there, known)) if document.source.model is model else document
            for document in unique
        ]
    sound = {document.definition.id: document for document in unique if isinstance(document.definition, Rule)}
    warnings = [warning for document in unique if not document.faults for warning in document.warnings]
    return RuleSet(
        rules=_definitions(Rule, unique),
        lists=MappingProxyType({**known.lists, **_definitions(NamedList, unique)}),
        exceptions=MappingProxyType({**known.exceptions, **_definitions(ExceptionList, unique)}),
        faults=tuple(sorted({*strays, *(fault for document in unique for fault in document.faults)})),
        warnings=tuple(sorted([*warnings, *_of_no_rule(unique), *_over(unique, now)])),
        origin=MappingProxyType({rule_id: sound[rule_id].where for rule_id in sorted(sound)}),
    )


def _definitions(model: type[AnyDefinition], documents: Sequence[Document]) -> Mapping[str, AnyDefinition]:
    """Rules or lists by their ids, in order."""
    found = {each.definition.id: each.definition for each in documents if isinstance(each.definition, model)}
    return MappingProxyType(dict(sorted(found.items())))


def _by_id(documents: Sequence[Document]) -> Mapping[tuple[type, str], Document]:
    return {(document.source.model, document.id[0]): document for document in documents if document.id}


def _also_faulty(document: Document, faults: Iterable[Fault]) -> Document:
    added = tuple(faults)
    return replace(document, definition=None, faults=(*document.faults, *added)) if added else document


def _with_repeated_ids_refused(documents: Iterable[Document]) -> list[Document]:
    same_id: dict[object, list[Document]] = defaultdict(list)
    for document in documents:
        same_id[(document.source.model, document.id[0]) if document.id else id(document)].append(document)
    return [_also_faulty(document, _repeated(document, group)) for group in same_id.values() for document in group]


def _repeated(document: Document, same_id: Sequence[Document]) -> Iterator[Fault]:
    others = [f"{other.source.path}:{other.id[1].line}" for other in same_id if other is not document and other.id]
    if others and document.id:
        refusal = Refusal(
            f"the id is also given at {' and '.join(others)}",
            "Give each an id of its own.",
            consequence="none of them is used, for nobody could tell which was meant",
        )
        yield document.fault(Problem(document.id[1], refusal))


def _not_there(document: Document, there: Mapping[tuple[type, str], Document], known: Known) -> Iterator[Fault]:
    """What a document names but cannot have. Rules with faults are there: their exceptions are right all the same."""
    besides: Mapping[type, Iterable[str]] = {NamedList: known.lists, ExceptionList: known.exceptions}
    faulty = {Place(fault.line, fault.column) for fault in document.faults}
    for model, named_id, place in document.references:
        if place in faulty:
            continue
        kind, found = KIND[model], there.get((model, named_id))
        if found and found.faults and model is not Rule:
            what = f"{kind} {quoted(named_id)} has faults of its own, see {found.where}"
            yield document.fault(Problem(place, Refusal(what, f"Correct the {kind}.")))
        elif not found and named_id not in besides.get(model, ()):
            ids = [*(each for its, each in there if its is model), *besides.get(model, ())]
            close = difflib.get_close_matches(named_id, ids, n=1)
            along = f"Load the {kind} along with the {KIND[document.source.model]}, or correct the id."
            remedy = f"Did you mean {close[0]}?" if close else along
            yield document.fault(Problem(place, Refusal(f"there is no {kind} {quoted(named_id)}", remedy)))


def _of_no_rule(documents: Sequence[Document]) -> Iterator[Fault]:
    """The exception lists that apply to nothing."""
    named = {reference.id for each in documents for reference in each.references if reference.model is ExceptionList}
    for document in documents:
        definition = document.definition
        if isinstance(definition, ExceptionList) and not definition.rules and definition.id not in named:
            refusal = Refusal(
                "the list applies to no rule",
                f"Name rules in it, or name it in a rule: exceptions: [{definition.id}].",
                consequence="its exceptions have no effect",
            )
            yield document.fault(Problem(document.place, refusal))


def _over(documents: Sequence[Document], now: datetime | None) -> Iterator[Fault]:
    """The exceptions that no longer apply."""
    for document in documents:
        if now is None or not isinstance(document.definition, ExceptionList):
            continue
        for position, item in enumerate(document.definition.items):
            if item.is_over(now):
                refusal = Refusal(
                    f"the exception {quoted(item.name)} is over since {item.expires:%Y-%m-%d %H:%M} UTC",
                    "Remove it, or set a later date.",
                    consequence="it no longer applies",
                )
                yield document.fault(Problem(document.ends[position], refusal))
