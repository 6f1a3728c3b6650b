"""What pydantic refuses -> problems with their places, in the words of a rule's author."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import AliasChoices, BaseModel

from lolbin_rules.rule.refusal import Refusal, quoted, spoken
from lolbin_rules.rule.yaml_nodes import find
from lolbin_rules.rule.yaml_syntax import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from lolbin_rules.rule.yaml_nodes import Node
    from lolbin_rules.rule.yaml_syntax import Place

__all__ = ["explain", "problems_of", "spellings_of"]

WITHOUT: Final = {
    "id": "its alerts could not be told from those of other rules",
    "name": "nobody could tell what it is for",
    "description": "nobody could tell what it finds",
    "author": "nobody could be asked about it",
    "license": "nobody could tell whether it may be shared",
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
    "any_of": "the condition could never hold",
    "list": "the condition could never hold",
    "cidr": "the condition could never hold",
    "wildcard": "the condition could never hold",
}


def problems_of(error: ValidationError, root: Node, model: type[BaseModel]) -> Iterator[Problem]:
    """One problem for each thing that is wrong, at the key or value that is at fault."""
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and details["input"]:
            continue  # its entries were given, and each of them is refused by itself
        refusal = explain(details, model)
        yield Problem(_place(root, details, refusal), refusal)


def explain(details: ErrorDetails, model: type[BaseModel]) -> Refusal:
    """One finding of pydantic, in a sentence."""
    own = details.get("ctx", {}).get("error")
    holder = _model_at(details["loc"], model)
    if isinstance(own, Refusal):
        return _with_key(own, _key(details["loc"]), holder)
    return SENTENCES[details["type"]](details, holder)


def _with_key(refusal: Refusal, key: str, model: type[BaseModel]) -> Refusal:
    """Which key holds the value, unless the sentence begins with it: `risk_score: the text "21" is ...`."""
    names = next((names for names in spellings_of(model) if key in names), (key,))
    if not key or refusal.what.partition(" ")[0] in names:
        return refusal
    return Refusal(f"{key}: {refusal.what}", refusal.remedy, consequence=refusal.consequence, beside=refusal.beside)


def _place(root: Node, details: ErrorDetails, refusal: Refusal) -> Place:
    """The key's place for a key at fault, the value's for a value, the mapping's for what is missing in it."""
    *path, last = details["loc"] or ("",)
    is_key = last == "[key]" or details["type"] == "extra_forbidden"
    parent = find(root, path)
    node = find(parent, (last,))
    if node is parent and refusal.beside:
        node = find(parent, (refusal.beside,))
    return node.key_place if is_key else node.place


def _key(loc: Sequence[str | int]) -> str:
    """The last key of a location; a field's name where it is the key."""
    return next((part for part in reversed(loc) if isinstance(part, str) and part != "[key]"), "")


def _model_at(loc: Sequence[str | int], model: type[BaseModel]) -> type[BaseModel]:
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
    """A field's name and its aliases."""
    alias = field.validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (name,)


def _missing(details: ErrorDetails, model: type[BaseModel]) -> Refusal:
    key = _key(details["loc"])
    examples = model.model_fields[key].examples
    example = f", such as {key}: {json.dumps(examples[0], ensure_ascii=False)}" if examples else ""
    return Refusal(f"key {key} is missing", f"Add it{example}.", consequence=WITHOUT.get(key, ""))


def _unknown(details: ErrorDetails, model: type[BaseModel]) -> Refusal:
    key = _key(details["loc"])
    spellings = spellings_of(model)
    for names in spellings:
        if key in names:
            what = f"{key} and {names[0]} are both given, two names of one thing"
            return Refusal(what, f"Keep {names[0]}.", consequence="one of the two would be ignored")
    known = [name for names in spellings for name in names]
    close = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1)
    remedy = f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(names[0] for names in spellings)}."
    return Refusal(f"unknown key {quoted(key)}", remedy, consequence="it would be ignored")


def _choice(details: ErrorDetails, _model: type[BaseModel]) -> Refusal:
    key, value = _key(details["loc"]), details["input"]
    choices = [choice.strip("'") for choice in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
    close = difflib.get_close_matches(value.lower(), choices, n=1) if isinstance(value, str) else []
    remedy = f"Did you mean {close[0]}?" if close else f"Use {' or '.join(choices)}."
    return Refusal(f"{key}: {spoken(value)} is none of {', '.join(choices)}", remedy)


def _empty(details: ErrorDetails, _model: type[BaseModel]) -> Refusal:
    key = _key(details["loc"])
    return Refusal(f"{key} is empty", "Give at least one entry.", consequence=WITHOUT.get(key, ""))


def _expected(words: str, example: str) -> Callable[[ErrorDetails, type[BaseModel]], Refusal]:
    def sentence(details: ErrorDetails, _model: type[BaseModel]) -> Refusal:
        key = _key(details["loc"])
        return Refusal(f"{key}: {spoken(details['input'])} is not {words}", f"Write {example.format(key=key)}.")

    return sentence


A_LIST = _expected("a list", "{key}: and below it one line beginning with a dash for each entry")
A_MAPPING = _expected("a mapping", "{key}: and below it, indented, one line `key: value` for each entry")
SENTENCES: Final[dict[str, Callable[[ErrorDetails, type[BaseModel]], Refusal]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _choice,
    "too_short": _empty,
    "tuple_type": A_LIST,
    "dict_type": A_MAPPING,
    "model_type": A_MAPPING,
}
