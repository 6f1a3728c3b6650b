"""Selecting rules, comparing loads, and what decides the hits of a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lolbin_rules.errors import SettingsError
from lolbin_rules.rule.document import Source
from lolbin_rules.rule.load import read_sources
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.ruleset import Changes, RuleSet, changed, logic, logic_text

BASE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("base.yml").read_text(encoding="utf-8"))


def ruleset(*rules: str, values: str = "[10.0.0.0/8, 127.0.0.0/8]", kind: str = "cidr") -> RuleSet:
    """Rules of `base.yml` with some keys in place of their own, and one list."""
    sources = [Source("lists/a.yml", f"{{id: private, name: P, type: {kind}, values: {values}}}".encode(), NamedList)]
    for number, lines in enumerate(rules):
        given = yaml.safe_load(lines) or {}
        kept = {key: value for key, value in BASE.items() if key != "lookback" or "from" not in given}
        sources.append(Source(f"{number}.yml", yaml.safe_dump({**kept, **given}).encode(), Rule))
    return read_sources(sources).raise_if_faulty()


def text(lines: str, **of_list: str) -> str:
    """The logic of one rule."""
    loaded = ruleset(lines, **of_list)
    return logic_text(loaded.rules["example"], loaded.lists)


TAGGED = ruleset("id: a\ntags: [x, y]", "id: b\ntags: [y]", "id: c")


@pytest.mark.parametrize(
    ("ids", "tags", "expected"),
    [
        ((), (), "abc"),
        (("a",), (), "a"),
        (("c", "a"), (), "ac"),
        ((), ("y",), "ab"),
        ((), ("x", "y"), "ab"),
        (("a", "c"), ("y",), "a"),
        (("c",), ("y",), ""),
    ],
)
def test_select(ids: tuple[str, ...], tags: tuple[str, ...], expected: str) -> None:
    """A rule must have one of the ids and one of the tags, if any are asked for."""
    assert "".join(TAGGED.select(ids, tags).rules) == expected
    assert TAGGED.select(ids, tags).lists == TAGGED.lists


@pytest.mark.parametrize(
    ("ids", "tags", "message"),
    [
        (("network",), (), "no rule has the rule id 'network'; nothing would be selected by it."),
        ((), ("z",), "no rule has the tag 'z'; nothing would be selected by it. There are 2 to choose from."),
    ],
)
def test_select_what_is_not_there(ids: tuple[str, ...], tags: tuple[str, ...], message: str) -> None:
    """A misspelt id must not select nothing in silence."""
    with pytest.raises(SettingsError, match=message):
        TAGGED.select(ids, tags)


def test_select_suggests_what_was_meant() -> None:
    """A slip of the finger is answered with the name that was meant."""
    with pytest.raises(SettingsError, match="Did you mean certutil-download\\?"):
        ruleset("id: certutil-download").select(ids=["certutil-dowload"])


def test_an_empty_set_is_not_faulty() -> None:
    """Nothing is wrong with nothing."""
    assert RuleSet().raise_if_faulty().rules == {}


def test_changes() -> None:
    """Rules are compared by value, under their ids."""
    old = ruleset("id: same", "id: edited", "id: removed")
    new = ruleset("id: same", "id: edited\nseverity: high\nrisk_score: 73", "id: added")
    assert changed(old, new) == Changes(added=("added",), changed=("edited",), removed=("removed",))
    assert changed(old, new)
    assert not changed(old, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("exclude: {a: 1}", "exclude: {a: true}"),
        ("exclude: {a: 1}", "exclude: {a: 1.0}"),
        ("exclude: {a: 1}", "exclude: {a: '1'}"),
        ("exclude: {a: 1}", "exclude: {a: {gte: 1, lte: 1}}"),
        ("exclude: {a: x}", "exclude: {a: {any_of: x, case_insensitive: true}}"),
        ("exclude: {a: {exists: true}}", "exclude: {a: {exists: false}}"),
        ("interval: 5m", "interval: 6m"),
        ("tags: [a]", "tags: [b]"),
    ],
)
def test_every_difference_counts(old: str, new: str) -> None:
    """Also between 1, true and 1.0, which Python takes to be equal."""
    assert changed(ruleset(old), ruleset(new)).changed == ("example",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("exclude: {a: x, b: y}", "exclude: {b: [y], a: {any_of: x}}"),
        ("interval: 60s", "interval: 1m"),
        ("lookback: now-9m", "from: now-540s"),
        ("author: Jane Doe", "author: [Jane Doe]"),
    ],
)
def test_the_way_of_writing_does_not_count(old: str, new: str) -> None:
    """Short forms, units, aliases and the order of keys are the author's."""
    assert not changed(ruleset(old), ruleset(new))


def test_a_list_changes_the_rules_that_use_it() -> None:
    """And no others."""
    rules = ("id: using\nexclude: {a: {list: private}}", "id: other")
    assert changed(ruleset(*rules), ruleset(*rules, values="[10.0.0.0/8]")).changed == ("using",)


@pytest.mark.parametrize(
    "lines",
    [
        "name: Another",
        "severity: high\nrisk_score: 73",
        "interval: 1m\nlookback: now-1h\nmax_alerts: 5",
        "tags: [x]\nnote: y",
        "enabled: false",
        "suppression: {group_by: [a]}",
        "version: 2",
        "index: winlogbeat-*",
        "match: {process.name: {any_of: [regsvr32.exe, regsvr32.exe]}}",
        "exclude: {}",
    ],
)
def test_what_does_not_decide_hits(lines: str) -> None:
    """A rule may be renamed or run at other times without being a new search."""
    assert text(lines) == text("")


@pytest.mark.parametrize(
    "lines",
    [
        "index: [winlogbeat-*, logs-*]",
        "match: {process.name: regsvr64.exe}",
        "match: {process.name: {any_of: regsvr32.exe, case_insensitive: true}}",
        "match: {process.name: {wildcard: regsvr32.exe}}",
        "match: {process.name: regsvr32.exe, a: {exists: true}}",
        "exclude: {a: {exists: false}}",
        "vars: {a: 1}",
        "filters: [{term: {a: b}}]",
        "timestamp_override: event.ingested",
        "{type: threshold, threshold: {value: 5}}",
    ],
)
def test_what_decides_hits(lines: str) -> None:
    """What searches for something else is another logic."""
    assert text(lines) != text("")


def test_every_key_of_a_type_decides_hits() -> None:
    """A threshold of 5 finds something else than one of 6."""
    five, six = (text(f"{{type: threshold, threshold: {{value: {value}}}}}") for value in (5, 6))
    assert five != six
    assert json.loads(five)["threshold"]["value"] == 5
    assert "threat_query" not in json.loads(five)


def exceptional(rule_lines: str, exceptions: str, values: str = "[10.0.0.0/8]") -> RuleSet:
    """One rule, one exception list, one list of addresses."""
    item = "items: [{name: A, reason: A, entries: [{field: ip, type: list, list: private}]}]"
    sources = [
        Source("a.yml", yaml.safe_dump({**BASE, **(yaml.safe_load(rule_lines) or {})}).encode(), Rule),
        Source("b.yml", f"{{id: agents, name: A, owner: A, {exceptions}{item}}}".encode(), ExceptionList),
        Source("c.yml", f"{{id: private, name: P, type: cidr, values: {values}}}".encode(), NamedList),
    ]
    return read_sources(sources).raise_if_faulty()


@pytest.mark.parametrize(
    ("rule_lines", "exceptions", "applies"),
    [
        ("", "", False),
        ("exceptions: [agents]", "", True),
        ("", "rules: [example], ", True),
        ("exceptions: [agents]", "rules: example, ", True),
        ("", "rules: '*', ", True),
    ],
)
def test_exceptions_apply_to_the_rules_that_name_them_or_that_they_name(
    rule_lines: str, exceptions: str, *, applies: bool
) -> None:
    """And to no others; a change of the exceptions, or of the lists that they name, is one of these rules."""
    loaded = exceptional(rule_lines, exceptions)
    assert [each.id for each in loaded.exceptions_of("example")] == (["agents"] if applies else [])
    assert not changed(loaded, exceptional(rule_lines, exceptions))
    assert bool(changed(loaded, exceptional(rule_lines, exceptions + "description: B, "))) is applies
    assert bool(changed(loaded, exceptional(rule_lines, exceptions, values="[10.0.0.0/9]"))) is applies


def test_a_list_that_a_template_reads_changes_the_rule() -> None:
    """Its id is found in the text."""
    lines = (
        "{type: threat_match, threat_index: a, threat_mapping: [{entries: [{field: a, value: b}]}], threat_query: %s}"
    )
    query = "'a: {{ lists.private | first }}'"
    old, new = (ruleset(lines % query, values=values) for values in ("[10.0.0.0/8]", "[10.0.0.0/9]"))
    assert changed(old, new).changed == ("example",)


def test_lists_decide_by_their_values() -> None:
    """Not by their names, the order of their values or the number of lists, but by their type."""
    lines = "exclude: {a: {list: private}}"
    assert text(lines) == text(lines, values="[127.0.0.0/8, 10.0.0.0/8, 10.0.0.0/8]")
    assert text(lines) != text(lines, values="[127.0.0.0/8]")
    assert text(lines) != text(lines, kind="keyword")


def test_logic() -> None:
    """The whole of it, as JSON."""
    lines = """\
index: [b, a]
match: {b: [2, 1, true], a: x}
exclude: {c: {list: private}, d: {cidr: 10.0.0.1}, e: {gte: 1, lt: 2}, f: {exists: false}, g: {wildcard: '*'}}
vars: {v: 1.5}"""
    loaded = ruleset(lines)
    assert logic(loaded.rules["example"], loaded.lists) == {
        "type": "query",
        "index": ["a", "b"],
        "match": {"a": {"any_of": ["x"]}, "b": {"any_of": [1, 2, True]}},
        "exclude": {
            "c": {"list of cidr": ["10.0.0.0/8", "127.0.0.0/8"]},
            "d": {"cidr": ["10.0.0.1"]},
            "e": {"gte": 1, "lt": 2},
            "f": {"exists": False},
            "g": {"wildcard": ["*"]},
        },
        "vars": {"v": 1.5},
    }
    assert json.loads(text(lines)) == logic(loaded.rules["example"], loaded.lists)
