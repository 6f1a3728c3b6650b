"""The JSON Schemas that editors use: committed, valid, and true of the shipped files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lolbin_rules.rule.schema import exception_list_schema, list_schema, rule_schema, schema_texts, write_schemas

RULE_DEFS = Path(__file__).parents[2] / "rule_defs"
FILES = [*RULE_DEFS.rglob("*.yml"), *RULE_DEFS.rglob("*.yaml")]


def errors(path: Path) -> list[str]:
    """What an editor would mark in a file."""
    schemas = {"lists": list_schema, "exceptions": exception_list_schema}
    schema = schemas.get(path.parent.name, rule_schema)()
    validator = jsonschema.Draft202012Validator(schema)
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [error.message for document in documents for error in validator.iter_errors(document)]


@pytest.mark.parametrize("name", schema_texts())
def test_committed_schemas_are_those_of_the_model(name: str) -> None:
    """`python -m lolbin_rules.rule.schema rule_defs` makes them again."""
    assert (RULE_DEFS / name).read_text(encoding="utf-8") == schema_texts()[name]


def test_schemas_are_written(tmp_path: Path) -> None:
    """All of them, into the folder that is named."""
    command = [sys.executable, "-m", "lolbin_rules.rule.schema", str(tmp_path)]
    subprocess.run(command, check=True, cwd=RULE_DEFS.parent)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == schema_texts()
    write_schemas(tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == schema_texts()


@pytest.mark.parametrize(
    "schema", [rule_schema(), list_schema(), exception_list_schema()], ids=["rule", "list", "exceptions"]
)
def test_schemas_are_schemas(schema: dict[str, Any]) -> None:
    """They are what draft 2020-12 says they should be."""
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(RULE_DEFS).as_posix())
def test_shipped_files(path: Path) -> None:
    """An editor marks nothing in the rules and lists that are shipped."""
    assert errors(path) == []
