"""Rules that only Elasticsearch answers: where a store does not, it says so in words, and nothing is believed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from lolbin_rules.errors import StoreRejected
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.plan.window import Window
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.eql import EqlRule
from lolbin_rules.rule_types.eql_native import native_matches
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.store.port import Store
from worlds import World

BASE = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
COMMON: dict[str, Any] = {
    "name": "Rule",
    "description": "Finds a process.",
    "author": "tests",
    "license": "Apache-2.0",
    "severity": "low",
    "risk_score": 21,
}


@pytest.mark.parametrize(
    "query",
    [
        'FROM {index} METADATA _id, _index | WHERE process.name == "a.exe"',
        "FROM {index} | STATS c = COUNT(*) BY process.name | WHERE c > 0",
    ],
    ids=["documents", "slots"],
)
def test_a_rule_in_esql_alerts_or_says_what_is_missing(query: str, store: Store, world: World) -> None:
    """Where it fails, the sentence names the language and what to do; the rule beside it is executed."""
    index = f"{world.prefix}events"
    map_indices(store, index)
    moment = iso(BASE + timedelta(minutes=1))
    index_events(store, [(index, "1", {"@timestamp": moment, "process": {"name": "a.exe"}})])
    piped = Rule.model_validate({**COMMON, "id": "piped", "type": "esql", "query": query.format(index=index)})
    plain = Rule.model_validate({**COMMON, "id": "plain", "index": [index], "query": "process.name: a.exe"})
    at = BASE + timedelta(minutes=5)
    first, second = execute(Orders([piped, plain], {}, at, prefix=world.written), store)
    assert (second.status, second.tally.alerts) == (Status.SUCCEEDED, 1)
    alerts = {alert["kibana.alert.rule.rule_id"] for alert in stored(store, f"{world.written}-alerts-*")}
    if has_esql(store, index):
        assert (first.status, first.tally.alerts) == (Status.SUCCEEDED, 1)
        assert alerts == {"piped", "plain"}
        return
    assert first.status is Status.FAILED
    (failure,) = first.tally.failures
    assert re.search(r"ES\|QL.*in KQL or EQL", failure)
    assert first.tally.searched == []
    assert alerts == {"plain"}


def has_esql(store: Store, index: str) -> bool:
    """Whether the store answers a query in the language."""
    try:
        store.esql(f"FROM {index}", {"match_all": {}}, within=timedelta(seconds=10))
    except StoreRejected:
        return False
    return True


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('any where process.name == "a.exe"', ["1", "3"]),
        (
            'sequence with maxspan=5m [any where process.name == "a.exe"] [any where process.name == "b.exe"]',
            ["2"],
        ),
    ],
    ids=["events", "sequence"],
)
def test_eql_is_answered_by_elasticsearch_or_refused(query: str, found: list[str], store: Store, world: World) -> None:
    """Asked of Elasticsearch's own EQL search; a store without it names the setting that does without."""
    index = f"{world.prefix}events"
    map_indices(store, index)
    events = [("1", 1, "a.exe"), ("2", 2, "b.exe"), ("3", 3, "a.exe"), ("4", 30, "b.exe")]
    index_events(
        store,
        [
            (
                index,
                name,
                {"@timestamp": iso(BASE + timedelta(minutes=minute)), "process.name": image, "user.name": "x"},
            )
            for name, minute, image in events
        ],
    )
    rule = Rule.model_validate(
        {**COMMON, "id": "native", "type": "eql", "eql_engine": "native", "index": [index], "query": query}
    )
    asked = asked_of(rule, store, Window(BASE, BASE + timedelta(minutes=20)))
    try:
        pages = list(native_matches(asked))
    except StoreRejected as error:
        refusal = str(error)
    else:
        refusal = ""
        matches = [match for page in pages for match in page.matches]
        assert [match.hit.key.id for match in matches] == found
        assert not any(page.problems for page in pages)
    assert not refusal or re.search(r"EQL search.*eql_engine: own", refusal)


def asked_of(rule: Rule, store: Store, window: Window) -> Asked:
    """The rule, compiled for its indices, over a window."""
    kind = EqlRule()
    given = Given({}, (), NO_TYPES, window.end)
    given = replace(given, types=store.field_types(rule.index, sorted(kind.fields(rule, given))))
    compiled = kind.compile(rule, given)
    within = timedelta(seconds=20)
    return Asked(rule, given, compiled.fitted(compiled.query), compiled, window, store, within)
