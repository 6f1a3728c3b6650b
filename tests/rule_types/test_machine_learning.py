"""A rule over anomalies as a query: what is asked, and where it cannot be."""

from __future__ import annotations

from typing import Any

from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.store.port import UNMAPPED, FieldTypes
from rule_types.counted_rules import compiled, given, make_rule


def rule_for(**changes: Any) -> Any:
    """A rule over the anomalies of two jobs."""
    written = {"anomaly_threshold": 75, "machine_learning_job_id": ["a", "b"], "match": None, "index": None}
    return make_rule(type="machine_learning", **{**written, **changes})


def test_final_records_of_the_jobs_with_a_high_enough_score_are_asked_for() -> None:
    """And nothing else of the indices in which machine learning keeps its results."""
    rule = rule_for()
    assert rule.index == (".ml-anomalies-*",)
    found = compiled(rule)
    assert found.query == {
        "bool": {
            "filter": [
                {"terms": {"job_id": ["a", "b"]}},
                {"term": {"result_type": {"value": "record"}}},
                {"term": {"is_interim": {"value": False}}},
                {"range": {"record_score": {"gte": 75}}},
            ]
        }
    }
    assert (found.misfits, found.unknown) == ((), ())
    assert RULE_TYPES["machine_learning"].evaluator(rule, found) is None
    assert RULE_TYPES["machine_learning"].fields(rule, given()) >= {
        "job_id",
        "result_type",
        "is_interim",
        "record_score",
    }


def test_another_threshold_or_job_is_another_logic() -> None:
    """Both are in the query."""
    rules = [rule_for(), rule_for(anomaly_threshold=76), rule_for(machine_learning_job_id="a")]
    assert len({compiled(rule).fingerprint() for rule in rules}) == len(rules)


def test_indices_that_hold_no_anomalies_are_left_out_or_named() -> None:
    """A job's name in a text field would match parts of names."""
    types = {
        "job_id": {"keyword": frozenset({"a"}), "text": frozenset({"b"}), UNMAPPED: frozenset({"c"})},
        "result_type": {"keyword": frozenset({"a", "b"})},
        "record_score": {"double": frozenset({"a"}), "keyword": frozenset({"d"})},
        "is_interim": {UNMAPPED: frozenset({"a"})},
    }
    found = compiled(rule_for(), FieldTypes(types=types))
    assert (found.left_out, found.unknown) == (("b", "d"), ("is_interim",))
