"""Which documents a condition holds for: as decided on the document, and as the query and what it leaves open do."""

from __future__ import annotations

from typing import Any

import pytest

from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.eql.compile import compile_event, whole_condition
from query.eql.test_eql_cases import TYPES, cases, event, field_types

DECISIONS = TYPES | {"event.category": ["keyword"], "a.b.c": ["keyword"]}
MAPPING = IndexMapping(
    {
        "dynamic": "false",
        "properties": {
            **{
                name: {"type": kind, "ignore_malformed": True} if kind not in {"keyword", "boolean"} else {"type": kind}
                for name, (kind,) in DECISIONS.items()
                if kind not in {"text", "unmapped", "nested", "object", "version"} and name != "t.keyword"
            },
            "t": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
        },
    }
)


def found(compiled: Compiled, document: dict[str, Any]) -> bool:
    """Whether the query alone finds the document."""
    matcher = Matcher({"it": parse(compiled.query, MAPPING, 0)})
    return "it" in matcher.match(Reader(MAPPING, matcher.fields).read(document))


@pytest.mark.parametrize("case", cases("decisions"))
def test_a_condition_holds_for_the_documents_that_it_describes(case: dict[str, Any]) -> None:
    """The whole condition decides so, and so does what the query leaves open of what the query finds."""
    query = event(case.get("query", f"any where {case.get('when')}"))
    types = field_types(DECISIONS)
    whole, compiled = whole_condition(query, types), compile_event(query, types)
    for expected in (True, False):
        for document in case["holds" if expected else "fails"]:
            assert whole(document) is expected, document
            is_found = found(compiled, document)
            assert is_found or not expected, document
            is_kept = compiled.keeps is None or compiled.keeps(document)
            assert (is_found and is_kept) is expected, document


def test_there_are_cases_of_every_function() -> None:
    """No function is left untried, nor any caseless form."""
    texts = " ".join(str(case.values[0]) for case in cases("decisions"))
    from lolbin_rules.query.eql.functions import FUNCTIONS  # noqa: PLC0415 - only this test asks

    for function in FUNCTIONS.values():
        assert f"{function.name}(" in texts
        assert not function.has_caseless or f"{function.name}~(" in texts
