"""Places in the texts of queries, as places in the files that hold them; `cases/queries.yml` has the rest."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.rule.query_text import place_in, read_queries
from lolbin_rules.rule.references import entries_of
from lolbin_rules.rule.yaml_nodes import Node, parse_yaml

letters = st.sampled_from("ab:\"'(\\ é#")
lines = st.lists(st.text(letters, max_size=6), min_size=1, max_size=5).map("\n".join)


def query_of(file: str) -> Node:
    """The node of the query."""
    parsed = parse_yaml(file)
    assert not parsed.problems
    return entries_of(parsed.documents[0])["query"]


@given(
    text=lines.filter(str.strip), indent=st.integers(1, 4), header=st.sampled_from(["", "-", "+"]), crlf=st.booleans()
)
def test_every_character_of_a_literal_block_has_its_place(*, text: str, indent: int, header: str, crlf: bool) -> None:
    """Whatever its indentation, its ends of lines, and the blank lines in it."""
    block = "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in text.split("\n"))
    file = f"a: b\nquery: |{indent}{header}  # a comment\n{block}c: d\n".replace("\n", "\r\n" if crlf else "\n")
    node = query_of(file)
    value = str(node.content)
    for offset, letter in enumerate(value.rstrip()):
        place = place_in(node, file, offset)
        if letter != "\n":
            assert file.splitlines()[place.line - 1][place.column - 1] == letter
    end = place_in(node, file, len(value))
    assert file.splitlines()[end.line - 1][end.column - 2] == value.rstrip()[-1:]


@given(text=lines, style=st.sampled_from(["'", '"', ">", None]), width=st.integers(5, 80))
def test_a_place_is_exact_or_where_the_text_begins(text: str, style: str | None, width: int) -> None:
    """In quotes, folded and without either: never somewhere else within the text."""
    file = yaml.dump({"query": text}, default_style=style, width=width, allow_unicode=True)
    parsed = parse_yaml(file)
    node = entries_of(parsed.documents[0]).get("query")
    if node is None or node.content != text:
        return
    for offset, letter in enumerate(text):
        place = place_in(node, file, offset)
        line = f"{file.splitlines()[place.line - 1]} "
        assert place == node.place or line[place.column - 1] == letter


@pytest.mark.parametrize(("file", "column"), [("query: a b", 9), ("query: 'a b'", 10), ('query: "a b"', 10)])
def test_a_place_on_one_line_is_exact(file: str, column: int) -> None:
    """With the quotation mark before it counted."""
    assert place_in(query_of(file), file, 1) == (1, column)


def test_a_query_keeps_what_its_parser_made_of_it() -> None:
    """It is read once, for faults and for warnings; what has no parser has no tree."""
    file = "type: threat_match\nquery: 'a: b'\nthreat_query: 'a: b'\nthreat_language: lucene\n"
    query, threat = read_queries(parse_yaml(file).documents[0], file)
    assert (query.key, threat.key) == ("query", "threat_query")
    assert query.tree is not None
    assert threat.tree is None
    assert not query.problems + threat.problems


@pytest.mark.parametrize(
    "file",
    ["type: correlation\nquery: (", "query: ' '", "query: [a]", "[a]", "type: machine_learning\nquery: (", "query:"],
)
def test_what_is_no_query_is_not_read_as_one(file: str) -> None:
    """The model says what is wrong with it."""
    assert read_queries(parse_yaml(file).documents[0], file) == ()


@pytest.mark.parametrize("text", ["{{ " + "(" * 5000, "{{ " + "[" * 5000, "{% if a %}" * 5000])
def test_no_depth_of_a_template_exhausts_the_stack(text: str) -> None:
    """Nor is it an error of another kind than a fault."""
    file = yaml.safe_dump({"type": "esql", "query": text})
    ((problem,),) = (query.problems for query in read_queries(parse_yaml(file).documents[0], file))
    assert problem.refusal.what.startswith(("query: no Jinja2 template", "query: a template with too many levels"))
