"""Every case of `cases/`: what a text says, what it becomes under given types, what is said of a faulty one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lolbin_rules.errors import QueryError
from lolbin_rules.query.kql.compile import compile_kql
from lolbin_rules.query.kql.nodes import And, Everything, Is, Name, Nested, Node, Not, Or, Range, Value, Wild
from lolbin_rules.query.kql.syntax import parse_kql
from lolbin_rules.store.port import FieldTypes

HERE = Path(__file__).parent / "cases"
TYPES = {
    "k": ["keyword"],
    "t": ["text"],
    "n": ["long"],
    "b": ["boolean"],
    "i": ["ip"],
    "d": ["date"],
    "u": ["unmapped"],
    "file.hash.md5": ["keyword"],
    "file.hash.text": ["text"],
    "file.hash": ["object"],
}


def cases(name: str) -> list[Any]:
    """The cases of a file, each under its text."""
    listed = yaml.safe_load((HERE / f"{name}.yml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=f"{at}: {case['text']!r}") for at, case in enumerate(listed)]


def plain(node: Node) -> Any:
    """A tree as the cases write it."""
    match node:
        case Everything():
            return "everything"
        case And(parts) | Or(parts):
            return {type(node).__name__.lower(): [plain(part) for part in parts]}
        case Not(part):
            return {"not": plain(part)}
        case Is(name, value):
            return {"is": [name and named(name), plain_value(value)]}
        case Range(name, comparison, limit):
            return {"range": [named(name), comparison, plain_value(limit)]}
        case Nested(path, part):
            return {"nested": [path, plain(part)]}


def plain_value(value: Value) -> Any:
    """A value as the cases write it."""
    if isinstance(value, Wild):
        return {"wild": [*value.parts]}
    return {"phrase": value.text} if value.is_quoted else value.text


def named(name: Name) -> Any:
    """A field name as the cases write it."""
    return {"wild": [*name.parts]} if isinstance(name, Wild) else name


def field_types(types: dict[str, list[str]]) -> FieldTypes:
    """As a store tells them, with an index for each type of a field."""
    return FieldTypes(
        types={name: {kind: frozenset({f"i{at}"}) for at, kind in enumerate(kinds)} for name, kinds in types.items()}
    )


@pytest.mark.parametrize("case", cases("meaning"))
def test_a_text_says_what_its_author_meant(case: dict[str, Any]) -> None:
    """Precedence, lists, literals, escapes, wildcards: the tree is the one that Kibana reads."""
    assert plain(parse_kql(case["text"])) == case["tree"]


@pytest.mark.parametrize("case", cases("clauses"))
def test_a_comparison_becomes_the_clause_of_its_fields_type(case: dict[str, Any]) -> None:
    """The query, the unknown fields, and nothing else."""
    types = field_types(TYPES | case.get("types", {}))
    compiled = compile_kql(case["text"], types, case_insensitive=case.get("case_insensitive", False))
    assert compiled.query == case["query"]
    assert compiled.unknown == tuple(case.get("unknown", ()))
    assert not compiled.misfits
    assert compiled.keeps is None


@pytest.mark.parametrize("case", cases("faults"))
def test_a_faulty_text_is_refused_with_its_place(case: dict[str, Any]) -> None:
    """What was found, where, and what to do."""
    with pytest.raises(QueryError) as caught:
        parse_kql(case["text"])
    error = caught.value
    assert (error.what, error.remedy, [error.line, error.column]) == (
        case["what"],
        case.get("remedy", error.remedy),
        case["at"],
    )
    assert error.remedy.endswith(".")
