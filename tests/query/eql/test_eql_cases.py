"""Every case of `cases/`: what a text says, what it becomes under given types, what is said of a faulty one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lolbin_rules.errors import QueryError
from lolbin_rules.query.eql.compile import compile_event
from lolbin_rules.query.eql.nodes import EventQuery
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.query.eql.writing import write
from lolbin_rules.store.port import FieldTypes

HERE = Path(__file__).parent / "cases"
TYPES = {
    "k": ["keyword"],
    "t": ["text"],
    "t.keyword": ["keyword"],
    "bare": ["text"],
    "bare.keyword": ["unmapped"],
    "n": ["long"],
    "n32": ["integer"],
    "f": ["double"],
    "b": ["boolean"],
    "i": ["ip"],
    "d": ["date"],
    "dn": ["date_nanos"],
    "u": ["unmapped"],
    "v": ["unmapped"],
    "ver": ["version"],
    "nested": ["nested"],
    "object": ["object"],
}


def cases(name: str) -> list[Any]:
    """The cases of a file, each under its text."""
    listed = yaml.safe_load((HERE / f"{name}.yml").read_text(encoding="utf-8"))
    return [
        pytest.param(case, id=f"{at}: {case.get('text', case.get('when', case.get('query')))!r}")
        for at, case in enumerate(listed)
    ]


def field_types(types: dict[str, list[str]]) -> FieldTypes:
    """As a store tells them, with an index for each type of a field."""
    return FieldTypes(
        types={name: {kind: frozenset({f"i{at}"}) for at, kind in enumerate(kinds)} for name, kinds in types.items()}
    )


def event(text: str) -> EventQuery:
    """A text that is a query for single events."""
    query = parse_eql(text)
    assert isinstance(query, EventQuery)
    return query


def assert_told(caught: pytest.ExceptionInfo[QueryError], case: dict[str, Any]) -> None:
    """The error says what the case says, and what to do."""
    error = caught.value
    assert (error.what, [error.line, error.column]) == (case["what"], case["at"])
    assert case.get("remedy", "") in error.remedy
    assert error.remedy.endswith((".", "?"))
    assert not error.what.endswith(".")


@pytest.mark.parametrize("case", cases("meaning"))
def test_a_text_says_what_its_author_meant(case: dict[str, Any]) -> None:
    """Precedence, names, constants, comments: the tree is the one that Elasticsearch reads."""
    assert write(event(f"any where {case['text']}").condition) == case["tree"]


@pytest.mark.parametrize("case", cases("faults"))
def test_a_faulty_text_is_refused_with_its_place(case: dict[str, Any]) -> None:
    """What was found, where, and what to do."""
    with pytest.raises(QueryError) as caught:
        parse_eql(case["text"])
    assert_told(caught, case)


@pytest.mark.parametrize("case", cases("clauses"))
def test_a_condition_becomes_the_clause_of_its_fields_type(case: dict[str, Any]) -> None:
    """The query, the unknown fields, what is left to decide, and nothing else."""
    text = case.get("query", f"any where {case.get('text')}")
    compiled = compile_event(event(text), field_types(TYPES))
    assert json.dumps(compiled.query, sort_keys=True) == json.dumps(case["clause"], sort_keys=True)  # 5 is not 5.0
    assert compiled.unknown == tuple(case.get("unknown", ()))
    assert (compiled.keeps.text if compiled.keeps else None) == case.get("keeps")
    assert not compiled.misfits


@pytest.mark.parametrize("case", cases("misfits"))
def test_a_condition_that_no_index_can_answer_is_refused(case: dict[str, Any]) -> None:
    """Only the types of fields tell that it is wrong."""
    query = event(f"any where {case['text']}")
    with pytest.raises(QueryError) as caught:
        compile_event(query, field_types(TYPES))
    assert_told(caught, case)
