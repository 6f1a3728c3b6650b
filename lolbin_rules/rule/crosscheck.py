"""What only shows when all files are seen together: ids given twice, lists that are not there."""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.rule.refusal import Refusal, quoted
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.rule.yaml_syntax import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lolbin_rules.errors import Fault
    from lolbin_rules.rule.document import Document

__all__ = ["rule_set_of"]

Definition = TypeVar("Definition", Rule, NamedList)


def rule_set_of(documents: Iterable[Document], strays: Iterable[Fault], known: Mapping[str, NamedList]) -> RuleSet:
    """The rules and lists that nothing is wrong with, by themselves or together, and all faults.

    Args:
        documents: what was read.
        strays: the faults that belong to no document.
        known: lists that rules may name besides those that were read.
    """
    unique = _with_repeated_ids_refused(documents)
    named = {document.id[0]: document for document in unique if document.id and document.source.model is NamedList}
    checked = [_also_faulty(document, _unlisted(document, named, known)) for document in unique]
    sound = {document.definition.id: document for document in checked if isinstance(document.definition, Rule)}
    return RuleSet(
        rules=_definitions(Rule, checked),
        lists=MappingProxyType({**known, **_definitions(NamedList, checked)}),
        faults=tuple(sorted({*strays, *(fault for document in checked for fault in document.faults)})),
        warnings=tuple(sorted(warning for document in checked if not document.faults for warning in document.warnings)),
        origin=MappingProxyType({rule_id: sound[rule_id].where for rule_id in sorted(sound)}),
    )


def _definitions(model: type[Definition], documents: Sequence[Document]) -> Mapping[str, Definition]:
    """Rules or lists by their ids, in order."""
    found = {each.definition.id: each.definition for each in documents if isinstance(each.definition, model)}
    return MappingProxyType(dict(sorted(found.items())))


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


def _unlisted(document: Document, named: Mapping[str, Document], known: Mapping[str, NamedList]) -> Iterator[Fault]:
    """The lists that a rule names but cannot have."""
    for list_id, place in document.listed:
        if list_id in named and named[list_id].faults:
            what = f"list {quoted(list_id)} has faults of its own, see {named[list_id].where}"
            yield document.fault(Problem(place, Refusal(what, "Correct the list.")))
        elif list_id not in named and list_id not in known:
            close = difflib.get_close_matches(list_id, (*named, *known), n=1)
            remedy = f"Did you mean {close[0]}?" if close else "Load the list along with the rule, or correct the id."
            yield document.fault(Problem(place, Refusal(f"there is no list {quoted(list_id)}", remedy)))
