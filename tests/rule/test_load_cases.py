"""Every case of `cases/`: files, and the exact faults and warnings that a rule's author reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import pytest
import yaml

from lolbin_rules.errors import Fault
from lolbin_rules.rule.document import Source
from lolbin_rules.rule.load import read_sources
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.references import Definition
from lolbin_rules.rule.schema import exception_list_schema, list_schema, rule_schema

Case: TypeAlias = dict[str, Any]

ANY_WORDS = "<...>"
HERE = Path(__file__).parent
BASE = (HERE / "base.yml").read_text(encoding="utf-8")
MODELS: dict[str, type[Definition]] = {"lists": NamedList, "exceptions": ExceptionList}
SCHEMAS: dict[type[Definition], jsonschema.Draft202012Validator] = {
    Rule: jsonschema.Draft202012Validator(rule_schema()),
    NamedList: jsonschema.Draft202012Validator(list_schema()),
    ExceptionList: jsonschema.Draft202012Validator(exception_list_schema()),
}


class Loader(yaml.SafeLoader):
    """Another reader of YAML, to which a date is text, as it is to JSON Schema."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def cases() -> list[Any]:
    """Every case, under the names of its file and its own."""
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted((HERE / "cases").glob("*.yml"))
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def sources(case: Case) -> list[Source]:
    """The files of a case. One that only replaces something or adds to it is about the rule in `base.yml`."""
    files = {path: text.replace("BASE", BASE) for path, text in case.get("files", {}).items()}
    if "files" not in case or "append" in case:
        text = BASE
        for old, new in case.get("replace", {}).items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        files["rules.yml"] = text + case.get("append", "")
    return [Source(path, text.encode(), MODELS.get(path.partition("/")[0], Rule)) for path, text in files.items()]


@pytest.mark.parametrize("case", cases())
def test_faults_and_warnings(case: Case) -> None:
    """The loader says exactly what the case expects, about the places it expects."""
    now = datetime.fromisoformat(case["now"]).replace(tzinfo=UTC) if "now" in case else None
    ruleset = read_sources(sources(case), now=now)
    assert_said(ruleset.faults, case.get("faults", []))
    assert_said(ruleset.warnings, case.get("warnings", []))


def assert_said(faults: tuple[Fault, ...], expected: list[str]) -> None:
    """Each of them is what is expected; `<...>` stands for the words of a parser, which its own tests check."""
    said = [str(fault) for fault in faults]
    if len(said) == len(expected):
        patterns = [re.escape(each).replace(re.escape(ANY_WORDS), ".+") for each in expected]
        expected = [
            is_said if re.fullmatch(pattern, is_said) else each
            for is_said, pattern, each in zip(said, patterns, expected, strict=True)
        ]
    assert said == expected


def schema_refuses(case: Case) -> bool | None:
    """Whether the JSON Schema refuses one of the files; None if one of them is no YAML."""
    try:
        documents = [
            (source.model, document) for source in sources(case) for document in yaml.load_all(source.data, Loader)
        ]
    except yaml.YAMLError:
        return None
    return any(not SCHEMAS[model].is_valid(document) for model, document in documents)


@pytest.mark.parametrize("case", cases())
def test_schema_agrees(case: Case) -> None:
    """An editor marks what the loader refuses, except where the case says that a schema cannot express it."""
    refuses = schema_refuses(case)
    expected = bool(case.get("faults")) and case.get("schema") != "silent"
    assert refuses in {None, expected}
