"""Rules as objects: frozen, complete, and the same after being written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from lolbin_rules.rule import model as models
from lolbin_rules.rule.condition import Condition
from lolbin_rules.rule.model import NamedList, Rule, Tactic
from lolbin_rules.rule.values import Frozen

BASE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("base.yml").read_text(encoding="utf-8"))
EVERYTHING: dict[str, Any] = {
    **BASE,
    "version": 2,
    "history": [
        {"version": 1, "changes": "First.", "query": "a: b"},
        {"version": 2, "changes": "Second.", "match": {"a": "b"}, "exclude": {}},
    ],
    "match": {"a": [1, "1", True, 1.5], "b": {"any_of": "x", "case_insensitive": True}, "c": {"list": "l"}},
    "exclude": {"d": {"cidr": "10.0.0.0/8"}, "e": {"gt": 0, "lte": 5}, "f": {"exists": False}, "g": {"wildcard": "*"}},
    "vars": {"v": False},
    "suppression": {"group_by": ["host.id"], "duration": "1h", "missing_fields": "doNotSuppress"},
    "tests": [{"name": "A", "events": [{"a": {"b": None}}], "alerts": 0}],
}


def test_a_rule_survives_being_written() -> None:
    """What a rule says of itself makes the same rule again, as Python values and as JSON."""
    rule = Rule.model_validate(EVERYTHING)
    assert Rule.model_validate(rule.model_dump()) == rule
    assert Rule.model_validate_json(rule.model_dump_json()) == rule


def test_a_condition_is_written_without_what_goes_without_saying() -> None:
    """Only what was asked for appears."""
    written = Rule.model_validate(EVERYTHING).model_dump(mode="json")
    assert written["match"] == {
        "a": {"any_of": [1, "1", True, 1.5]},
        "b": {"any_of": ["x"], "case_insensitive": True},
        "c": {"list": ["l"]},
    }
    assert written["exclude"]["e"] == {"gt": 0, "lte": 5}
    assert written["exclude"]["f"] == {"exists": False}


def test_a_condition_can_be_made_in_code() -> None:
    """By its names, and it is checked as one from a file is."""
    assert Condition(any_of=("a",), case_insensitive=True).any_of == ("a",)
    assert Condition(gte=1, lt=2).range == {"gte": 1, "lt": 2}
    with pytest.raises(ValidationError, match="exactly one kind, found any_of and exists"):
        Condition(any_of=("a",), exists=True)


def test_rules_are_frozen() -> None:
    """A rule that is running cannot become another one."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Rule.model_validate(BASE), "severity", "high")  # noqa: B010 - as a caller without mypy might


def test_rule_and_list_know_their_defaults() -> None:
    """What a short rule leaves out."""
    rule = Rule.model_validate({key: value for key, value in BASE.items() if key not in {"interval", "lookback"}})
    assert (str(rule.interval), str(rule.lookback)) == ("0:05:00", "0:09:00")
    assert (rule.enabled, rule.version, rule.max_alerts, rule.exclude, rule.tests) == (True, 1, 100, {}, ())
    assert NamedList(id="a", name="A", type="keyword", values=("x", 5)).description == ""


def test_every_key_is_described() -> None:
    """Editors show a sentence for each key, and an example for each that is required."""
    definitions = [getattr(models, name) for name in models.__all__]
    for definition in definitions:
        if not (isinstance(definition, type) and issubclass(definition, Frozen)):
            assert get_args(definition)
            continue
        for name, field in definition.model_fields.items():
            assert (field.description or "").endswith("."), f"{definition.__name__}.{name}"
            assert not field.is_required() or field.examples or field.annotation in {Tactic, str}
