"""What is said of keys that are left out; `cases/` has the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.rule.model_problems import WITHOUT, _model_within
from lolbin_rules.rule.values import Frozen


def models(model: type[Any]) -> Iterator[type[Frozen]]:
    """The model and those inside it."""
    yield model
    for field in model.model_fields.values():
        inner = _model_within(field.annotation)
        if inner:
            yield from models(inner)


def test_every_required_key_has_a_consequence() -> None:
    """Whoever leaves a key out is told what it is there for."""
    required = {
        name
        for root in (Rule, NamedList)
        for model in models(root)
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    assert WITHOUT.keys() == required
