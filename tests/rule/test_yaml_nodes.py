"""Trees of values with their places, whatever bytes a file holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.rule import yaml_nodes
from lolbin_rules.rule.document import Source
from lolbin_rules.rule.load import read_sources
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.references import Definition
from lolbin_rules.rule.rule_kinds import RULE_KINDS
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.rule.yaml_nodes import Node, find, parse_yaml, plain

BASE = Path(__file__).with_name("base.yml").read_text(encoding="utf-8")
FULL = (
    BASE
    + """\
exclude:
  destination.ip: {cidr: [10.0.0.0/8, "fe80::/10"]}
  user.name: {exists: true}
suppression: {group_by: [host.id], duration: 1h}
threat:
- tactic: {id: TA0005, name: Defense Evasion, reference: "https://attack.mitre.org/tactics/TA0005/"}
  technique:
  - {id: T1218, name: System Binary Proxy Execution, reference: "https://attack.mitre.org/techniques/T1218/"}
tests:
- {name: A, alerts: 1, events: [{process: {name: regsvr32.exe, args: [a, null]}}]}
"""
)
LIST = "id: private\nname: Private\ntype: cidr\nvalues: [10.0.0.0/8, 172.16.0.0/12]\n"
WITH_QUERIES = (
    BASE.partition("match:")[0]
    + """\
type: threat_match
query: |
  process.name: (a or "b c") and
    not n: { c: d* }
threat_index: ti-*
threat_mapping: [{entries: [{field: a, value: b}, {field: c, value: d, negate: true}]}]
threat_query: "a: \\"b\\" and c: {{ vars.x }}"
vars: {x: 1}
exceptions: [{list_id: agents}]
"""
)
EXCEPTIONS = """\
id: agents
name: Agents
owner: Jane Doe
items:
- name: Agent
  reason: Harmless.
  expires: 2026-12-31
  entries:
  - {field: process.name, type: match_any, value: [a, b], operator: excluded}
  - {field: dll, type: nested, entries: [{field: name, type: list, list: private}]}
"""
PIECES = [
    *(
        "[",
        "]",
        "{",
        "}",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "'",
        '"',
        "#",
        "&a ",
        "*a",
        "!t ",
        "!!str ",
        "---\n",
        "...\n",
    ),
    *(
        "|\n",
        ">\n",
        "? ",
        "<<: ",
        "%YAML 1.1\n",
        "\\",
        "\x00",
        "\ufeff",
        "\u2028",
        "\x85",
        "\r",
        "é",
        "😀",
        "~",
        "null",
    ),
    *("no", "010", "1:30", "9" * 30, "id: x\n", "match:", "list: [x]", "  ", "any_of: ", "{}", "[]", "0", "-1", "x"),
]


def read(data: bytes, model: type[Definition] = Rule) -> RuleSet:
    """What the loader makes of one file."""
    return read_sources([Source("file.yml", data, model)])


def assert_faults_lie_inside(data: bytes, ruleset: RuleSet) -> None:
    """Every fault has a place that an editor can go to."""
    lines = f"{data.decode('utf-8-sig', 'replace')}\n".splitlines()
    for fault in (*ruleset.faults, *ruleset.warnings):
        assert fault.path == "file.yml"
        assert fault.what
        assert fault.remedy
        assert fault.line <= len(lines)
        assert not fault.line or 1 <= fault.column <= len(lines[fault.line - 1]) + 1


@given(data=st.binary(max_size=200), model=st.sampled_from([Rule, NamedList, ExceptionList]))
def test_any_bytes(data: bytes, model: type[Definition]) -> None:
    """No bytes make the loader fail otherwise than with faults that lie inside the file."""
    ruleset = read(data, model)
    assert ruleset.faults
    assert_faults_lie_inside(data, ruleset)


@given(
    text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    model=st.sampled_from([Rule, NamedList, ExceptionList]),
)
def test_any_pieces_of_yaml(text: str, model: type[Definition]) -> None:
    """Nor do the pieces of YAML in any order."""
    ruleset = read(text.encode(), model)
    assert_faults_lie_inside(text.encode(), ruleset)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A text with a few spans of it replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.text(max_size=3)) + text[end:]
    return text


@given(st.sampled_from([FULL, WITH_QUERIES]).flatmap(damaged))
def test_any_damage_to_a_rule(text: str) -> None:
    """A rule is read whole or not at all, and what is wrong with it lies inside the file."""
    data = text.encode(errors="replace")
    ruleset = read(data)
    assert ruleset.rules or ruleset.faults
    assert_faults_lie_inside(data, ruleset)


@given(damaged(LIST))
def test_any_damage_to_a_list(text: str) -> None:
    """The same of a list."""
    data = text.encode(errors="replace")
    ruleset = read(data, NamedList)
    assert ruleset.lists or ruleset.faults
    assert_faults_lie_inside(data, ruleset)


@given(damaged(EXCEPTIONS))
def test_any_damage_to_an_exception_list(text: str) -> None:
    """The same of an exception list."""
    data = text.encode(errors="replace")
    ruleset = read(data, ExceptionList)
    assert ruleset.exceptions or ruleset.faults
    assert_faults_lie_inside(data, ruleset)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_values_survive(value: object) -> None:
    """What another library writes as YAML is read back, unless it is refused."""
    parsed = parse_yaml(yaml.safe_dump(value, allow_unicode=False, default_flow_style=None))
    assert parsed.problems or [plain(document) for document in parsed.documents] == [value]


@given(st.dictionaries(st.sampled_from([*Rule.model_fields, "from", "other"]), json_values))
def test_any_values_under_known_keys(value: dict[str, object]) -> None:
    """Whatever a key of a rule is given, the loader has a sentence for it."""
    data = yaml.safe_dump(value, allow_unicode=True).encode()
    ruleset = read(data)
    assert ruleset.faults
    assert_faults_lie_inside(data, ruleset)


@given(
    query=st.text() | st.text("ab:(){}\"'*\\\n \t\u2028=<>[]/andornt"),
    kind=st.sampled_from(sorted(RULE_KINDS)),
    language=st.sampled_from(["kuery", "lucene", "eql", "esql", None]),
    style=st.sampled_from(["|", ">", "'", '"', ""]),
)
def test_any_text_as_a_query(query: str, kind: str, language: str | None, style: str) -> None:
    """The same of the text of a query, whatever its language and however YAML holds it."""
    keys = {"type": kind, "query": query, **({"language": language} if language else {})}
    written = yaml.dump(keys, default_style=style or None, allow_unicode=True)
    data = (BASE.partition("match:")[0] + written).encode()
    ruleset = read(data)
    assert ruleset.rules or ruleset.faults
    assert_faults_lie_inside(data, ruleset)


@given(
    st.recursive(
        json_values,
        lambda inner: st.dictionaries(
            st.sampled_from(["any_of", "list", "cidr", "gt", "gte", "lt", "exists", "case_insensitive"]),
            inner,
            max_size=3,
        ),
    )
)
def test_any_values_as_a_condition(value: object) -> None:
    """The same of a condition."""
    data = (BASE + yaml.safe_dump({"exclude": {"a.ip": value}}, allow_unicode=True)).encode()
    ruleset = read(data)
    assert ruleset.rules or ruleset.faults
    assert_faults_lie_inside(data, ruleset)


def inner(value: object) -> Iterator[tuple[object, ...]]:
    """The way to everything inside a value."""
    yield ()
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield from ((part, *way) for part, below in parts for way in inner(below))


def with_at(value: Any, way: tuple[Any, ...], new: object) -> object:
    """The value with another one inside."""
    if not way:
        return new
    copy = value.copy()
    copy[way[0]] = with_at(value[way[0]], way[1:], new)
    return copy


@pytest.mark.parametrize(("text", "model"), [(FULL, Rule), (WITH_QUERIES, Rule), (EXCEPTIONS, ExceptionList)])
@given(data=st.data())
def test_any_value_anywhere(text: str, model: type[Definition], data: st.DataObject) -> None:
    """The same of everything inside a rule or an exception list."""
    whole = yaml.safe_load(text)
    way = data.draw(st.sampled_from(sorted(inner(whole), key=repr)))
    written = yaml.safe_dump(with_at(whole, way, data.draw(json_values)), allow_unicode=True).encode()
    ruleset = read(written, model)
    assert ruleset.rules or ruleset.exceptions or ruleset.faults
    assert_faults_lie_inside(written, ruleset)


def places(node: Node, text: str) -> Iterator[tuple[object, str]]:
    """Every unquoted scalar of a tree, and what stands at its place."""
    match node.content:
        case dict(entries):
            for entry in entries.values():
                yield from places(entry, text)
        case list(items):
            for item in items:
                yield from places(item, text)
        case scalar:
            line = text.splitlines()[node.place.line - 1]
            yield scalar, line[node.place.column - 1 :]


def test_places() -> None:
    """A place is where the value stands, counted in characters."""
    text = "a: {é: [1, ü], '😀😀': x}\nb:\n- true\n- c: d # e\n"
    (document,) = parse_yaml(text).documents
    assert all(rest.startswith(str(value).lower()) for value, rest in places(document, text))
    assert find(document, ("b", 1, "c")).key_place == (4, 3)
    assert find(document, ("b", 1, "c", 0, "x")) is find(document, ("b", 1, "c"))


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "? " * 100_000])
def test_no_depth_exhausts_the_stack(text: str) -> None:
    """Nesting is refused long before it could."""
    (problem,) = parse_yaml(text).problems
    assert "50 levels" in problem.refusal.what


def test_aliases_do_not_multiply() -> None:
    """Nine lines that would stand for a billion values stand for nine faults."""
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    assert len(parse_yaml(text).problems) == 81


@pytest.mark.parametrize("text", [FULL, LIST, "a: no\nb: [", "\ta: 1\n", "a: 1\na: 2\n", "a: *b"])
def test_without_libyaml(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own parser stands in where libyaml was not built, and finds the same at the same lines."""
    with_libyaml = parse_yaml(text)
    monkeypatch.setattr(yaml_nodes, "LOADER", yaml.SafeLoader)
    without = parse_yaml(text)
    assert [plain(node) for node in without.documents] == [plain(node) for node in with_libyaml.documents]
    assert {problem.place.line for problem in without.problems} == {
        problem.place.line for problem in with_libyaml.problems
    }


def test_half_characters_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own parser reads half of a pair of UTF-16; such a text could be stored nowhere."""
    monkeypatch.setattr(yaml_nodes, "LOADER", yaml.SafeLoader)
    problems = parse_yaml('"\\ud800": "\\ud800"').problems
    assert [problem.refusal.what for problem in problems] == ["an escape stands for half a character"] * 2
