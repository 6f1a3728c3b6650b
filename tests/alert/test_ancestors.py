"""An alert names what it was made of, and no rule alerts its own alerts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from alert.alert_cases import CONTEXT, KEY, REACHED_OUT, documents, hit, make_rule, quick
from lolbin_rules.alert.ancestors import ancestors, depth, is_alert, is_own_alert
from lolbin_rules.alert.build import build_alert
from lolbin_rules.alert.identity import rule_uuid
from lolbin_rules.store.port import Key

PARENT = Key("lolbin-alerts-2026.11", "a1")
LEGACY: dict[str, Any] = {
    "event": {"kind": "signal"},
    "signal": {
        "ancestors": [{"id": "e", "type": "event", "index": "i", "depth": 0}],
        "depth": 1,
        "rule": {"id": "some-uuid", "rule_id": "some-rule"},
    },
}


def _alert(rule_id: str, source: Any, key: Key = KEY) -> dict[str, Any]:
    return build_alert(make_rule(id=rule_id), hit(source, key), alert_id="a", context=CONTEXT).source


def test_an_event_is_the_only_ancestor() -> None:
    """Where it was found, at depth 0; its alert is at depth 1."""
    found = ancestors(REACHED_OUT, KEY)
    assert found == [{"id": KEY.id, "type": "event", "index": KEY.index, "depth": 0}]
    assert depth(found) == 1


def test_an_alert_brings_its_ancestors_along() -> None:
    """Oldest first, and the alert itself last, with the rule that made it."""
    found = ancestors(_alert("first", REACHED_OUT), PARENT)
    assert found == [
        {"id": KEY.id, "type": "event", "index": KEY.index, "depth": 0},
        {"id": "a1", "type": "signal", "index": PARENT.index, "depth": 1, "rule": rule_uuid("first")},
    ]
    assert depth(found) == 2


def test_legacy_alerts_are_alerts() -> None:
    """What older versions of Elastic's engine wrote under `signal`."""
    assert [ancestor["id"] for ancestor in ancestors(LEGACY, PARENT)] == ["e", "a1"]
    assert ancestors(LEGACY, PARENT)[-1]["rule"] == "some-uuid"
    assert depth(ancestors(LEGACY, PARENT)) == 2
    without_depth = {"event.kind": "signal", "signal.ancestors": [{"id": "x"}, {"id": "y"}]}
    assert [ancestor.get("depth") for ancestor in ancestors(without_depth, PARENT)] == [None, None, 2]


@pytest.mark.parametrize(
    "source",
    [
        {"event.kind": "signal"},
        {"event.kind": "alert", "kibana.alert.ancestors": [{"id": "x"}]},
        {"kibana.alert.ancestors": [{"id": "x"}]},
        {"event": {"kind": "signal"}, "kibana.alert.ancestors": ["text"]},
    ],
)
def test_what_only_looks_like_an_alert_is_an_event(source: dict[str, Any]) -> None:
    """Both the kind and the ancestors make an alert."""
    assert not is_alert(source)
    assert ancestors(source, KEY)[-1]["type"] == "event"


@pytest.mark.parametrize("forged", [-1, 10**30, 1.5, "7", True, None, {"a": 1}])
def test_a_forged_depth_is_not_believed(forged: Any) -> None:
    """A depth that none can have is replaced by the number of ancestors."""
    source = {
        "event.kind": "signal",
        "kibana.alert.ancestors": [{"id": "x", "depth": forged}],
        "kibana.alert.depth": forged,
    }
    assert ancestors(source, KEY)[-1]["depth"] == 1
    assert depth(ancestors(source, KEY)) == 2


def test_no_rule_alerts_its_own_alerts() -> None:
    """Neither directly nor by way of another rule's alert; another rule may."""
    first = _alert("first", REACHED_OUT)
    second = _alert("second", first, PARENT)
    assert is_own_alert("first", first)
    assert is_own_alert("first", second)
    assert is_own_alert("second", second)
    assert not is_own_alert("second", first)
    assert not is_own_alert("third", second)
    assert not is_own_alert("first", REACHED_OUT)
    assert is_own_alert("some-rule", LEGACY)
    assert not is_own_alert("other", LEGACY)
    assert is_own_alert("first", {"kibana": {"alert": {"rule": {"uuid": rule_uuid("first")}}}})


@given(documents)
@quick
def test_any_document_has_ancestors(source: dict[str, Any]) -> None:
    """The last is the document itself; the depth is that of an alert."""
    found = ancestors(source, KEY)
    assert (found[-1]["id"], found[-1]["index"]) == (KEY.id, KEY.index)
    assert depth(found) >= 1
    is_own_alert("r", source)
