"""The ways to read, as rules name them."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.plan.window import FOREVER, Spans, Window, from_position
from lolbin_rules.query.time_axis import EVENT_TIME, TimeAxis, axes_of, lies_within
from lolbin_rules.rule.coverage_mode import in_mode, why_not
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet

INGESTED = "event.ingested"


def rule(**keys: Any) -> Rule:
    """A rule that says so."""
    common = {"id": "r", "name": "R", "description": "d", "author": "a", "license": "Apache-2.0", "index": "logs-*"}
    return Rule.model_validate({**common, "severity": "low", "risk_score": 1, "match": {"a": "b"}, **keys})


def test_ingest_time_beside_another_time_is_refused() -> None:
    """Two answers to one question; the same answer twice is none too many."""
    with pytest.raises(ValueError, match="two answers to one question"):
        rule(coverage="ingest_time", timestamp_override="event.created")
    assert rule(coverage="ingest_time", timestamp_override=INGESTED).coverage == "ingest_time"
    assert rule(coverage="sequence", timestamp_override="event.created").coverage == "sequence"


def test_a_default_is_for_rules_that_do_not_say() -> None:
    """The others are left as they are."""
    rules = RuleSet({"a": rule(), "b": rule(coverage="event_time")})
    changed = in_mode(rules, "sequence")
    assert [each.coverage for each in changed.rules.values()] == ["sequence", "event_time"]
    assert in_mode(rules, "event_time") is rules


@pytest.mark.parametrize(
    ("keys", "axes"),
    [
        ({}, (EVENT_TIME,)),
        ({"coverage": "sequence"}, (EVENT_TIME,)),
        ({"coverage": "ingest_time"}, (TimeAxis(INGESTED), TimeAxis(unless=INGESTED))),
        ({"coverage": "ingest_time", "timestamp_override_fallback_disabled": True}, (TimeAxis(INGESTED),)),
    ],
)
def test_a_way_to_read_has_its_axes(keys: dict[str, Any], axes: tuple[TimeAxis, ...]) -> None:
    """What is made of several events goes by their own time whatever is said."""
    assert axes_of(rule(**keys)) == axes
    assert axes_of(rule(**keys), is_single=False) == (EVENT_TIME,)
    assert bool(why_not(rule(**keys), is_single=False)) == ("coverage" in keys)


def test_a_default_gives_way_to_a_time_that_the_rule_names() -> None:
    """And says so."""
    named = in_mode(RuleSet({"r": rule(timestamp_override="event.created")}), "ingest_time").rules["r"]
    assert axes_of(named) == (TimeAxis("event.created"), TimeAxis(unless="event.created"))
    assert "event.created" in why_not(named, is_single=True)


def test_time_without_an_end_has_no_bound() -> None:
    """Some types of dates end in 2262, and refuse a bound beyond."""
    spans = Spans((Window(from_position(0), from_position(9)), Window(from_position(20), FOREVER)))
    asked = lies_within([EVENT_TIME], spans, or_is_undated=True)["bool"]["should"]
    assert asked == [
        {"range": {"@timestamp": {"gte": 0, "lt": 9, "format": "epoch_millis"}}},
        {"range": {"@timestamp": {"gte": 20, "format": "epoch_millis"}}},
        {"bool": {"must_not": [{"exists": {"field": "@timestamp"}}]}},
    ]
    assert lies_within([EVENT_TIME], Spans(), or_is_undated=False) == {"match_none": {}}
