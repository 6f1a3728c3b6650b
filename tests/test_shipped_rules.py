"""What the shipped rules and the rules they are measured against say, fact by fact."""

from __future__ import annotations

import ipaddress
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from generated_events import (
    ENDPOINT,
    GROUP_BY,
    LOGIC,
    RULE_IDS,
    RULE_KEYS,
    WINLOGBEAT_8,
    Event,
    GeneratedSet,
    RuleKey,
    fold_key,
    judge,
)
from lolbin_rules.rule.load import load
from lolbin_rules.shipped import shipped_rules

if TYPE_CHECKING:
    from lolbin_rules.rule.model import Condition, Rule, RuleTest
    from lolbin_rules.rule.ruleset import RuleSet

TEST_RULES = Path(__file__).parent / "rules"
SYSMON_ACTION = "Network connection detected (rule: NetworkConnect)"
COLUMNS = (
    "as_written",
    "caseless",
    "caseless_event3_only",
    "no_cidr_caseless",
    "endpoint_as_written",
    "endpoint_type_connection_or_start_caseless",
    "endpoint_type_connection_or_start_caseless_excluded",
)
SHIPPED_IDS = tuple(RULE_IDS.values())
each_shipped = pytest.mark.parametrize("rule_id", SHIPPED_IDS)
each_key = pytest.mark.parametrize("rule_key", RULE_KEYS)


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    """The rules and lists that come with the package."""
    return load(shipped_rules())


@pytest.fixture(scope="module")
def measured() -> RuleSet:
    """The rules that are only there to be measured, with their list."""
    return load(TEST_RULES)


def networks(condition: Condition | None, rules: RuleSet) -> list[str]:
    """The networks that a condition names, itself or by its lists, in one spelling and order."""
    values = [*condition.cidr, *(v for name in condition.list for v in rules.lists[name].values)] if condition else []
    return sorted(str(ipaddress.ip_network(str(value))) for value in values)


def expected_networks(rule_id: str) -> list[str]:
    """The networks as this test's own copy has them."""
    return sorted(str(ipaddress.ip_network(network)) for network in LOGIC[rule_id].networks)


def test_exactly_the_three_seed_rules_are_shipped_without_a_fault_or_a_warning(shipped: RuleSet) -> None:
    """Nothing else is in the folder, and the loader finds nothing to complain of."""
    assert sorted(shipped.rules) == sorted(SHIPPED_IDS)
    assert shipped.faults == ()
    assert shipped.warnings == ()


@each_shipped
def test_every_rule_says_whose_it_is_and_what_it_is_for(shipped: RuleSet, rule_id: str) -> None:
    """Author, licence, tags, references, false positives, note and setup are there."""
    rule = shipped.rules[rule_id]
    assert rule.author == ("lolbin-rules authors",)
    assert rule.license == "Apache-2.0"
    assert rule.enabled
    assert {"Windows", "LOLBin", "Network", "Defense Evasion"} <= set(rule.tags)
    assert len(rule.references) >= 3
    assert all(reference.startswith("https://") for reference in rule.references)
    assert len(rule.false_positives) >= 3
    assert len(rule.note) > 400
    assert "Sysmon" in rule.setup


@each_shipped
def test_a_rule_lies_in_a_file_of_its_name_under_its_tactic(shipped: RuleSet, rule_id: str) -> None:
    """The file is found by the id of the rule."""
    path = Path(shipped.origin[rule_id].rpartition(":")[0])
    assert path.stem == rule_id
    assert path.parent.name == "defense_evasion"


@pytest.mark.parametrize(
    ("rule_id", "name", "severity", "risk_score", "index"),
    [
        (
            "network-connection-via-regsvr32",
            "Network connection by regsvr32",
            "low",
            21,
            ("winlogbeat-*", "logs-endpoint.events.*"),
        ),
        (
            "unusual-network-connection-via-rundll32",
            "Unusual network connection by rundll32",
            "low",
            21,
            ("winlogbeat-*", "logs-endpoint.events.*"),
        ),
        ("network-connection-via-regsvcs", "Network connection by regsvcs", "medium", 47, ("winlogbeat-*",)),
    ],
)
def test_schedule_and_severity(
    shipped: RuleSet, rule_id: str, name: str, severity: str, risk_score: int, index: tuple[str, ...]
) -> None:
    """Every five minutes the last nine are searched, with at most a hundred alerts."""
    rule = shipped.rules[rule_id]
    assert rule.type == "query"
    assert rule.interval == timedelta(minutes=5)
    assert rule.lookback == timedelta(minutes=9)
    assert rule.max_alerts == 100
    assert (rule.name, rule.severity, rule.risk_score, rule.index) == (name, severity, risk_score, index)


@pytest.mark.parametrize(
    ("rule_id", "subtechnique", "name"),
    [
        ("network-connection-via-regsvr32", "T1218.010", "Regsvr32"),
        ("unusual-network-connection-via-rundll32", "T1218.011", "Rundll32"),
        ("network-connection-via-regsvcs", "T1218.009", "Regsvcs/Regasm"),
    ],
)
def test_technique_of_today(shipped: RuleSet, rule_id: str, subtechnique: str, name: str) -> None:
    """One tactic, one technique and one sub-technique, by the numbers that ATT&CK has for them now."""
    (threat,) = shipped.rules[rule_id].threat
    (technique,) = threat.technique
    (found,) = technique.subtechnique
    assert (threat.tactic.id, technique.id, found.id, found.name) == ("TA0005", "T1218", subtechnique, name)
    page = found.reference
    assert page == f"https://attack.mitre.org/techniques/{subtechnique.replace('.', '/')}/"
    assert page in shipped.rules[rule_id].references


@pytest.mark.parametrize(
    ("rule_id", "names"),
    [
        ("network-connection-via-regsvr32", ("regsvr32.exe", "regsvr64.exe")),
        ("unusual-network-connection-via-rundll32", ("rundll32.exe",)),
    ],
)
def test_logic_after_elastic(shipped: RuleSet, rule_id: str, names: tuple[str, ...]) -> None:
    """A network connection, or its start, of these programs in any case, with a destination."""
    match = shipped.rules[rule_id].match
    assert set(match) == {"event.category", "event.type", "process.name", "destination.ip"}
    assert match["event.category"].any_of == ("network",)
    assert match["event.type"].any_of == ("connection", "start")
    assert match["process.name"].any_of == names
    assert match["process.name"].case_insensitive
    assert match["destination.ip"].exists is True


def test_logic_after_splunk(shipped: RuleSet) -> None:
    """Event 3 of Sysmon, by a module that every collector names, of regsvcs in any case, with a destination."""
    match = shipped.rules["network-connection-via-regsvcs"].match
    assert set(match) == {"event.code", "event.module", "process.name", "destination.ip"}
    assert match["event.code"].any_of == ("3",)
    assert match["event.module"].any_of == ("sysmon",)
    assert match["process.name"].any_of == ("regsvcs.exe",)
    assert match["process.name"].case_insensitive
    assert match["destination.ip"].exists is True


@each_shipped
def test_excluded_networks(shipped: RuleSet, rule_id: str) -> None:
    """Exactly the networks of the contract are left out, by named lists and nothing else."""
    rule = shipped.rules[rule_id]
    assert set(rule.exclude) == {"destination.ip"}
    assert rule.exclude["destination.ip"].list
    assert networks(rule.exclude["destination.ip"], shipped) == expected_networks(rule_id)


def test_numbers_of_excluded_networks(shipped: RuleSet) -> None:
    """Four, four, and the 23 of IPv4 with three of IPv6."""
    found = {key: len(networks(shipped.rules[RULE_IDS[key]].exclude["destination.ip"], shipped)) for key in RULE_KEYS}
    assert found == {"regsvr32": 4, "rundll32": 4, "regsvcs": 26}


def test_lists_hold_each_network_once(shipped: RuleSet) -> None:
    """No network is written in two lists, every list is of networks, and every list is used."""
    values = [str(value) for each in shipped.lists.values() for value in each.values]
    assert len(values) == len(set(values))
    assert {each.type for each in shipped.lists.values()} == {"cidr"}
    used = {name for rule in shipped.rules.values() for name in rule.exclude["destination.ip"].list}
    assert used == set(shipped.lists)


def test_regsvcs_is_grouped_as_its_source_groups(shipped: RuleSet) -> None:
    """Host, user, process, both ends of the connection and its kind make the group; a missing field is a value."""
    suppression = shipped.rules["network-connection-via-regsvcs"].suppression
    assert suppression is not None
    assert suppression.group_by == GROUP_BY
    assert suppression.duration == timedelta(hours=1)
    assert suppression.missing_fields == "suppress"


@pytest.mark.parametrize("rule_key", ["regsvr32", "rundll32"])
def test_rules_after_elastic_do_not_group(shipped: RuleSet, rule_key: RuleKey) -> None:
    """Each of their events gets an alert of its own."""
    assert shipped.rules[RULE_IDS[rule_key]].suppression is None


@each_shipped
def test_history_ends_with_the_present_version(shipped: RuleSet, rule_id: str) -> None:
    """Versions count up from one, each says what it changed, and each but the first what it replaced."""
    rule = shipped.rules[rule_id]
    assert [entry.version for entry in rule.history] == list(range(1, rule.version + 1))
    assert all(entry.changes for entry in rule.history)
    assert [entry.match is None for entry in rule.history] == [True] + [False] * (rule.version - 1)


@each_shipped
def test_history_ends_with_what_the_source_asks(shipped: RuleSet, measured: RuleSet, rule_id: str) -> None:
    """The logic that the present version replaced is that of the rule it is measured against."""
    source = measured.rules[f"source-{rule_id.rpartition('-')[2]}"]
    replaced = shipped.rules[rule_id].history[-1]
    assert replaced.match is not None
    assert replaced.exclude is not None
    asked = {name: condition for name, condition in source.match.items() if condition.exists is None}
    assert replaced.match == asked
    assert networks(replaced.exclude["destination.ip"], shipped) == networks(source.exclude["destination.ip"], measured)


@pytest.mark.parametrize(
    ("rule_id", "version", "excluded"),
    [
        (
            "network-connection-via-regsvr32",
            2,
            ["10.0.0.0/8", "169.254.169.254/32", "172.16.0.0/12", "192.168.0.0/16"],
        ),
        ("unusual-network-connection-via-rundll32", 2, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
        (
            "unusual-network-connection-via-rundll32",
            3,
            ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        ),
    ],
)
def test_earlier_queries_asked_for_the_text_of_sysmon(
    shipped: RuleSet, rule_id: str, version: int, excluded: list[str]
) -> None:
    """Before they asked for category and type, the rules asked for the action and for names in lower case."""
    (entry,) = [entry for entry in shipped.rules[rule_id].history if entry.version == version]
    assert entry.match is not None
    assert entry.exclude is not None
    assert set(entry.match) == {"event.action", "process.name"}
    assert entry.match["event.action"].any_of == (SYSMON_ACTION,)
    assert entry.match["process.name"].any_of == shipped.rules[rule_id].match["process.name"].any_of
    assert not entry.match["process.name"].case_insensitive
    assert networks(entry.exclude["destination.ip"], shipped) == excluded


@each_shipped
def test_tests_travel_with_the_rule(shipped: RuleSet, rule_id: str) -> None:
    """At least two true positives, two true negatives and a near miss, named so, with counts that fit."""
    tests = shipped.rules[rule_id].tests
    kinds = [test.name.partition(":")[0] for test in tests]
    assert set(kinds) == {"true positive", "true negative", "near miss"}
    assert kinds.count("true positive") >= 2
    assert kinds.count("true negative") >= 2
    assert all((test.alerts > 0) == (kind == "true positive") for test, kind in zip(tests, kinds, strict=True))


@each_key
def test_counts_of_the_tests_are_right(shipped: RuleSet, rule_key: RuleKey) -> None:
    """Plain Python, which knows nothing of the rule's own query, comes to the same number of alerts."""
    for test in shipped.rules[RULE_IDS[rule_key]].tests:
        assert due_alerts(rule_key, test) == test.alerts, test.name


def due_alerts(rule_key: RuleKey, test: RuleTest) -> int:
    """How many alerts a rule test must make, by the judgement of the generated events."""
    logic = LOGIC[RULE_IDS[rule_key]]
    events = []
    for number, source in enumerate(test.events):
        index = ENDPOINT if source["event"].get("module") == "endpoint" else WINLOGBEAT_8
        is_hit = judge(logic, index, source)
        group = fold_key(source) if is_hit and rule_key == "regsvcs" else None
        events.append(Event(index, str(number), source, is_hit, group, test.name))
    found = GeneratedSet(rule_key, tuple(events))
    return len(found.folds()) if rule_key == "regsvcs" else len(found.hits)


def test_rules_to_measure_are_complete(measured: RuleSet) -> None:
    """The three sources, and both counted programs in every column; each in a file of its name."""
    counted = [f"generic-{program}-{column}" for program in ("excel", "wmic") for column in COLUMNS]
    assert sorted(measured.rules) == sorted([*(f"source-{key}" for key in RULE_KEYS), *counted])
    assert all(Path(place.rpartition(":")[0]).stem == rule_id for rule_id, place in measured.origin.items())


def test_every_rule_is_counted_in_the_recordings(shipped: RuleSet, measured: RuleSet) -> None:
    """Each rule, shipped or measured, names the columns in which its hits were counted."""
    expected = json.loads((TEST_RULES / "expected.json").read_text(encoding="utf-8"))
    assert set(expected) == {*shipped.rules, *measured.rules}
    for rule_id, counted in expected.items():
        assert set(counted["columns"]) <= set(COLUMNS)
        if rule_id.startswith("generic-"):
            assert rule_id == f"{counted['rule']}-{counted['columns'][0]}"
        else:
            assert counted["rule"].removeprefix("seed-") in rule_id


@each_key
def test_sources_are_kept_as_they_were(measured: RuleSet, rule_key: RuleKey) -> None:
    """Names, networks, kinds and indices of the source rules are those that the generated events know."""
    rule, logic = measured.rules[f"source-{rule_key}"], LOGIC[f"source-{rule_key}"]
    assert set(rule.match["process.name"].any_of) == logic.names
    assert rule.match["process.name"].case_insensitive is logic.any_case
    assert ("destination.ip" in rule.match) is logic.needs_destination
    assert networks(rule.exclude["destination.ip"], measured) == expected_networks(rule.id)
    assert rule.index == logic.indices
    assert set(rule.match["event.type"].any_of if logic.types else ()) == logic.types


@pytest.mark.parametrize(
    ("rule_key", "techniques"),
    [
        ("regsvr32", {("TA0002", "T1117"), ("TA0005", "T1117")}),
        ("rundll32", {("TA0002", "T1085")}),
        ("regsvcs", {("TA0005", "T1218")}),
    ],
)
def test_sources_keep_their_techniques(measured: RuleSet, rule_key: RuleKey, techniques: set[tuple[str, str]]) -> None:
    """The numbers that ATT&CK had when the sources were written stay with them."""
    threats = measured.rules[f"source-{rule_key}"].threat
    assert {(threat.tactic.id, technique.id) for threat in threats for technique in threat.technique} == techniques


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("program", ["excel", "wmic"])
def test_counted_columns_differ_as_their_names_say(measured: RuleSet, program: str, column: str) -> None:
    """Index, types, case, event 3 and the side on which the 26 networks stand follow from the column."""
    rule = measured.rules[f"generic-{program}-{column}"]
    asks = condition_values(rule)
    assert rule.index == (("logs-endpoint.events.*",) if "endpoint" in column else ("winlogbeat-*",))
    assert asks["event.category"] == {"network"}
    assert asks["event.type"] == ({"connection", "start"} if "start" in column else {"connection"})
    assert asks["process.name"] == {f"{program}.exe"}
    assert rule.match["process.name"].case_insensitive is ("caseless" in column)
    assert asks.get("event.code") == ({"3"} if "event3_only" in column else None)
    excluded = networks(rule.exclude.get("destination.ip"), measured)
    asked = networks(rule.match.get("destination.ip"), measured)
    all_26 = expected_networks("network-connection-via-regsvcs")
    assert asked == (all_26 if column.endswith("excluded") else [])
    assert excluded == ([] if column.endswith("excluded") or "no_cidr" in column else all_26)


def condition_values(rule: Rule) -> dict[str, set[object]]:
    """The values that a rule asks for by field."""
    return {name: set(condition.any_of) for name, condition in rule.match.items() if condition.any_of}
