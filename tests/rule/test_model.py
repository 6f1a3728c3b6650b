"""Rules as objects: frozen, complete, and the same after being written."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from lolbin_rules.rule import model as models
from lolbin_rules.rule.condition import Condition
from lolbin_rules.rule.model import ExceptionItem, ExceptionList, NamedList, Rule, RuleTypeName, Tactic
from lolbin_rules.rule.rule_kinds import RULE_KINDS, TYPED_KEYS
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
    "exceptions_list": ["a", {"id": "x", "list_id": "b", "type": "detection", "namespace_type": "single"}],
    "severity_mapping": [{"field": "a", "operator": "equals", "value": "b", "severity": "high"}],
    "risk_score_mapping": [{"field": "a"}],
    "investigation_fields": {"field_names": ["a"]},
    "related_integrations": [{"package": "a", "version": "1"}],
    "required_fields": [{"name": "a", "type": "keyword", "ecs": False}],
}
ASKED: dict[str, Any] = {key: value for key, value in BASE.items() if key not in {"match", "index"}}
OF_TYPES: dict[str, dict[str, Any]] = {
    "query": {"query": "a: b", "case_insensitive": True, "filters": [{"term": {"a": "b"}}], "index": "a"},
    "saved_query": {"query": "a: b", "saved_id": "s", "language": "lucene", "index": ["a"]},
    "eql": {"query": "any where true", "eql_engine": "native", "tiebreaker_field": "n", "index": "a"},
    "threshold": {
        "match": {"a": "b"},
        "threshold": {"field": "a", "value": 5, "cardinality": [{"field": "b", "value": 2}]},
        "suppression": {"duration": "1h"},
        "index": "a",
    },
    "new_terms": {"query": "*", "new_terms.fields": ["a"], "history_window_start": "now-14d", "index": "a"},
    "threat_match": {
        "query": "*",
        "threat_index": "ti",
        "threat_mapping": [{"entries": [{"field": "a", "value": "b"}]}],
        "items_per_search": 5,
        "index": "a",
    },
    "esql": {"query": "FROM a"},
    "machine_learning": {"anomaly_threshold": 0, "machine_learning_job_id": "j", "suppression": {"group_by": ["a"]}},
}
EXCEPTIONS: dict[str, Any] = {
    "id": "agents",
    "name": "Agents",
    "owner": "Jane Doe",
    "rules": "*",
    "items": [
        {
            "name": "A",
            "reason": "B",
            "expires": "2026-12-31T18:00+02:00",
            "entries": [
                {"field": "a", "type": "match", "value": 1},
                {"field": "a", "type": "exists", "operator": "excluded"},
                {"field": "a", "type": "nested", "entries": [{"field": "b", "type": "list", "list": "l"}]},
            ],
        }
    ],
}


def test_a_rule_survives_being_written() -> None:
    """What a rule says of itself makes the same rule again, as Python values and as JSON."""
    rule = Rule.model_validate(EVERYTHING)
    assert Rule.model_validate(rule.model_dump()) == rule
    assert Rule.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize("name", get_args(RuleTypeName))
def test_a_rule_of_any_type_survives_being_written(name: str) -> None:
    """The keys of other types, which it could not be given, are not written."""
    rule = Rule.model_validate({**ASKED, "type": name, **OF_TYPES[name]})
    assert rule.type == name
    assert Rule.model_validate(rule.model_dump()) == rule
    assert Rule.model_validate_json(rule.model_dump_json()) == rule
    assert Rule.model_validate(rule) is rule
    assert TYPED_KEYS & rule.model_dump().keys() <= RULE_KINDS[name].keys


def test_what_goes_without_saying_in_a_type() -> None:
    """The language of a query, and where anomalies are."""
    rules = {name: Rule.model_validate({**ASKED, "type": name, **keys}) for name, keys in OF_TYPES.items()}
    assert {name: rule.language for name, rule in rules.items()} == {
        "query": "kuery",
        "saved_query": "lucene",
        "eql": "eql",
        "threshold": None,
        "new_terms": "kuery",
        "threat_match": "kuery",
        "esql": "esql",
        "machine_learning": None,
    }
    assert rules["machine_learning"].index == (".ml-anomalies-*",)
    assert rules["esql"].index == ()
    assert (rules["threat_match"].threat_query, rules["threat_match"].threat_language) == ("*:*", "kuery")
    assert Rule.model_validate(EVERYTHING).exceptions == ("a", "b")


def test_an_exception_list_survives_being_written() -> None:
    """Its moments in UTC, its entries without the parts of other types."""
    exceptions = ExceptionList.model_validate(EXCEPTIONS)
    assert ExceptionList.model_validate(exceptions.model_dump()) == exceptions
    assert ExceptionList.model_validate_json(exceptions.model_dump_json()) == exceptions
    (item,) = exceptions.model_dump(mode="json")["items"]
    assert item["expires"] == "2026-12-31T16:00:00Z"
    assert [sorted(entry) for entry in item["entries"]] == [
        ["field", "operator", "type", "value"],
        ["field", "operator", "type"],
        ["entries", "field", "operator", "type"],
    ]


@pytest.mark.parametrize(("expires", "is_over"), [("2026-11-22", True), ("2026-11-23", False), (None, False)])
def test_an_exception_is_over_from_the_moment_on_that_it_names(expires: str | None, *, is_over: bool) -> None:
    """A date is its first moment, in UTC."""
    item = ExceptionItem.model_validate({**EXCEPTIONS["items"][0], "expires": expires})
    assert item.is_over(datetime(2026, 11, 22, tzinfo=UTC)) is is_over
    assert not item.is_over(datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC))


def test_a_moment_without_offset_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the time of the machine."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        item = ExceptionItem.model_validate({**EXCEPTIONS["items"][0], "expires": "2026-11-22T18:00"})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert item.expires == datetime(2026, 11, 22, 18, tzinfo=UTC)


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
