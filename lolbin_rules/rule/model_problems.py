"""What pydantic refuses -> problems with their places, in the words of a rule's author."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

from pydantic import AliasChoices, BaseModel

from lolbin_rules.rule.condition import Condition
from lolbin_rules.rule.refusal import KEY, NO_VALUE, Refusal, named, quoted, spoken
from lolbin_rules.rule.yaml_nodes import find
from lolbin_rules.rule.yaml_syntax import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from lolbin_rules.rule.yaml_nodes import Node
    from lolbin_rules.rule.yaml_syntax import Place

__all__ = ["WITHOUT", "problems_of", "spellings_of"]

Loc: TypeAlias = tuple[str | int, ...]
FEW: Final = 12
WITHOUT: Final = {
    "id": "its alerts could not be told from those of other rules",
    "name": "nobody could tell what it is for",
    "description": "nobody could tell what it finds",
    "author": "nobody could be asked about it",
    "license": "nobody could tell whether it may be shared",
    "Cardinality.field": "nobody could tell what is counted",
    "Cardinality.value": "any number of values would do",
    "ExceptionEntry.type": "nobody could tell how the field is compared",
    "ExceptionItem.entries": "every event would be left out",
    "InnerEntry.type": "nobody could tell how the field is compared",
    "RequiredField.type": "the field could not be checked",
    "SeverityMapping.value": "the severity would fit every event",
    "ThreatEntry.value": "the field would be compared with nothing",
    "Threshold.value": "nobody could tell how many events make an alert",
    "anomaly_threshold": "every anomaly would become an alert",
    "entries": "nothing would be compared",
    "field": "nothing would be compared",
    "field_names": "an analyst would be shown nothing",
    "history_window_start": "nobody could tell how long a value must not have been seen",
    "items": "nothing would be left out",
    "list": "the field would be compared with nothing",
    "machine_learning_job_id": "there would be no anomalies to look at",
    "new_terms_fields": "nobody could tell which values must be new",
    "owner": "nobody could be asked whether it is still right",
    "package": "nobody could tell which integration it is",
    "reason": "nobody could tell whether it is still right",
    "saved_id": "nobody could tell which query it was",
    "threat_index": "there would be no indicators",
    "threat_mapping": "every event would be compared with nothing",
    "threshold": "every event would become an alert",
    "value": "the field would be compared with nothing",
    "index": "there would be nothing to search",
    "severity": "its alerts could not be ranked",
    "risk_score": "its alerts could not be ranked",
    "match": "every event would become an alert",
    "group_by": "all events would be one group",
    "version": "nobody could tell which version it is",
    "changes": "nobody could tell what was changed",
    "events": "the test would show nothing",
    "alerts": "the test could not fail",
    "tactic": "the alerts could not be placed in ATT&CK",
    "reference": "an analyst could not look it up",
    "type": "its values could not be checked",
    "values": "conditions that use it could never hold",
}
"""What would follow if a required key, of any model or of the one that is named, were missing or empty."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of pydantic.

    Attributes:
        kind: pydantic's word for it.
        key: the key at fault, or whose value is; as it is written.
        model: what holds the key.
        value: what was found.
        expected: the choices there are, in pydantic's words, or how many entries there may be.
    """

    kind: str
    key: str
    model: type[BaseModel]
    value: Any
    expected: str


def problems_of(error: ValidationError, root: Node, model: type[BaseModel]) -> Iterator[Problem]:
    """One problem for each thing that is wrong, at the key or value that is at fault."""
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and details["input"]:
            continue  # its entries were given, and each of them is refused by itself
        refusal = _refusal(details, root, model)
        yield Problem(_place(root, details, refusal), refusal)


def _refusal(details: ErrorDetails, root: Node, model: type[BaseModel]) -> Refusal:
    loc = details["loc"]
    context = details.get("ctx", {})
    written = (*_written(root, loc[:-1]), loc[-1]) if details["type"] == "missing" else tuple(_written(root, loc))
    keys = [part for part in written if isinstance(part, str)]
    holder = _model_at(loc, model)
    own = context.get("error")
    if isinstance(own, Refusal):
        return own if loc[-1:] == (KEY,) or not keys else _with_key(own, keys[-1], holder)
    key = keys[-1] if keys else ""
    expected = str(context.get("expected", context.get("max_length", "")))
    return SENTENCES[details["type"]](Finding(details["type"], key, holder, details["input"], expected))


def _with_key(refusal: Refusal, key: str, model: type[BaseModel]) -> Refusal:
    """Which key holds the value, unless the sentence begins with it: `risk_score: the text "21" is ...`."""
    names = next((names for names in spellings_of(model) if key in names), (key,))
    if refusal.what.partition(" ")[0] in names:
        return refusal
    what = f"{named(key)} {NO_VALUE}" if refusal.what == NO_VALUE else f"{named(key)}: {refusal.what}"
    return Refusal(what, refusal.remedy, consequence=refusal.consequence, beside=refusal.beside)


def _written(root: Node, loc: Loc) -> Iterator[str | int]:
    """The parts of a location that are in the file; a short form leaves out some that the model has."""
    node = root
    for part in loc:
        inner = find(node, (part,))
        if inner is not node:
            yield part
        node = inner


def _place(root: Node, details: ErrorDetails, refusal: Refusal) -> Place:
    """The key's place for a key at fault, the value's for a value, the mapping's for what is missing in it."""
    *path, last = details["loc"] or ("",)
    parent = find(root, path)
    node = find(parent, (last,))
    if node is parent and refusal.beside:
        node = find(parent, (refusal.beside,))
    return node.key_place if last == KEY or details["type"] == "extra_forbidden" else node.place


def _model_at(loc: Loc, model: type[BaseModel]) -> type[BaseModel]:
    """The model that holds the last key of a location."""
    for part in loc[:-1]:
        found = next((field for name, field in model.model_fields.items() if part in _spellings(name, field)), None)
        model = (found and _model_within(found.annotation)) or model
    return model


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_within, get_args(annotation))), None)


def spellings_of(model: type[BaseModel]) -> list[tuple[str, ...]]:
    """The names of each key of a model: its own and its aliases."""
    return [_spellings(name, field) for name, field in model.model_fields.items()]


def _spellings(name: str, field: FieldInfo) -> tuple[str, ...]:
    alias = field.validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (name,)


def _missing(finding: Finding) -> Refusal:
    examples = finding.model.model_fields[finding.key].examples
    example = f", such as {finding.key}: {json.dumps(examples[0], ensure_ascii=False)}" if examples else ""
    return Refusal(f"key {finding.key} is missing", f"Add it{example}.", consequence=_without(finding))


def _without(finding: Finding) -> str:
    key = next((names[0] for names in spellings_of(finding.model) if finding.key in names), finding.key)
    return WITHOUT.get(f"{finding.model.__name__}.{key}") or WITHOUT.get(key, "")


def _unknown(finding: Finding) -> Refusal:
    spellings = spellings_of(finding.model)
    for names in spellings:
        if finding.key in names:
            what = f"{finding.key} and {names[0]} are both given, two names of one thing"
            return Refusal(what, f"Keep {names[0]}.", consequence="one of the two would be ignored")
    known = [name for names in spellings for name in names]
    close = difflib.get_close_matches(finding.key.lower().replace("-", "_"), known, n=1)
    remedy = "Remove it; the keys that there are stand in rule.schema.json."
    if close or len(known) <= FEW:
        remedy = f"Did you mean {close[0]}?" if close else f"The keys here are {', '.join(known)}."
    return Refusal(f"unknown key {quoted(finding.key)}", remedy, consequence="it would be ignored")


def _choice(finding: Finding) -> Refusal:
    choices = [choice.strip("'") for choice in finding.expected.replace(" or ", ", ").split(", ")]
    close = difflib.get_close_matches(finding.value.lower(), choices, n=1) if isinstance(finding.value, str) else []
    remedy = f"Did you mean {close[0]}?" if close else f"Use {' or '.join(choices)}."
    none_of = f"none of {', '.join(choices)}" if choices[1:] else f"not {choices[0]}"
    return _of_value(finding, f"is {none_of}", remedy)


def _empty(finding: Finding) -> Refusal:
    consequence = "the condition could never hold" if finding.model is Condition else _without(finding)
    return Refusal(f"{named(finding.key)} is empty", "Give at least one entry.", consequence=consequence)


def _too_many(finding: Finding) -> Refusal:
    return Refusal(f"{named(finding.key)} has more than {finding.expected} entries", "Remove the others.")


def _expected(words: str, form: str) -> Callable[[Finding], Refusal]:
    return lambda finding: _of_value(finding, f"is not {words}", f"Write {named(finding.key)}: and {form}.")


def _of_value(finding: Finding, what: str, remedy: str) -> Refusal:
    if finding.value is None:
        return Refusal(f"{named(finding.key)} {NO_VALUE}", remedy)
    return Refusal(f"{named(finding.key)}: {spoken(finding.value)} {what}", remedy)


A_LIST: Final = _expected("a list", "below it one line beginning with a dash for each entry")
A_MAPPING: Final = _expected("a mapping", "below it, indented, one line `key: value` for each entry")
A_CONDITION: Final = _expected(
    "a condition", "behind it a value, a list of values, or a condition such as {exists: true}"
)
SENTENCES: Final[dict[str, Callable[[Finding], Refusal]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _choice,
    "too_short": _empty,
    "too_long": _too_many,
    "tuple_type": A_LIST,
    "dict_type": A_MAPPING,
    "model_type": lambda finding: (A_CONDITION if finding.model is Condition else A_MAPPING)(finding),
}
