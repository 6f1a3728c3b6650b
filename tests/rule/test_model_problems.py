"""What is said of keys that are left out; `cases/` has the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lolbin_rules.rule.exception_list import NEEDS
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.model_problems import WITHOUT, _model_within
from lolbin_rules.rule.rule_kinds import RULE_KINDS
from lolbin_rules.rule.values import Frozen


def models(model: type[Any]) -> Iterator[type[Frozen]]:
    """The model and those inside it."""
    yield model
    for field in model.model_fields.values():
        inner = _model_within(field.annotation)
        if inner:
            yield from models(inner)


def test_every_required_key_has_a_consequence() -> None:
    """Whoever leaves a key out, or leaves it empty, is told what it is there for; and nothing is told in vain."""
    always = {
        (model.__name__, name)
        for root in (Rule, NamedList, ExceptionList)
        for model in models(root)
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    by_type = {("Rule", key) for kind in RULE_KINDS.values() for key in kind.needs if key != "query"}
    by_type |= {("ExceptionEntry", part) for part in NEEDS.values() if part} | {("Suppression", "group_by")}
    told = {next((key for key in (f"{model}.{name}", name) if key in WITHOUT), "") for model, name in always | by_type}
    assert told == WITHOUT.keys()
