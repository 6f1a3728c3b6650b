"""The queries of a rule file: read when the rule is loaded, with faults at their places in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from jinja2 import TemplateSyntaxError

from lolbin_rules.errors import QueryError
from lolbin_rules.query.render import ENVIRONMENT, is_template
from lolbin_rules.rule.lucene import check_lucene
from lolbin_rules.rule.references import entries_of
from lolbin_rules.rule.refusal import Refusal, quoted
from lolbin_rules.rule.rule_kinds import RULE_KINDS
from lolbin_rules.rule.yaml_nodes import Node
from lolbin_rules.rule.yaml_syntax import Place, Problem

__all__ = ["QueryText", "place_in", "read_queries"]

LANGUAGES: Final[Mapping[str, str]] = {"query": "language", "threat_query": "threat_language"}
"""Key of a query -> the key that says what it is written in."""
AROUND: Final = (10, 15)
"""How many characters before and after a place are shown of a query."""


@dataclass(frozen=True, slots=True)
class QueryText:
    """A query as it stands in a file.

    Attributes:
        key: `query` or `threat_query`.
        text: the query itself.
        tree: what it says, as its parser gives it; None for a template, a language without parser, and a faulty query.
        problems: what is wrong with it.
        place: offset in the text -> place in the file, as exact as the way allows in which YAML holds it.
    """

    key: str
    text: str
    tree: Any
    problems: tuple[Problem, ...]
    place: Callable[[int], Place]


def read_queries(root: Node, file: str) -> tuple[QueryText, ...]:
    """The queries of a rule, also of one with other faults. `file` is the text that `root` was read from."""
    return tuple(_queries(entries_of(root), file))


def _queries(entries: Mapping[str, Node], file: str) -> Iterator[QueryText]:
    kind = RULE_KINDS.get(str(_content(entries, "type", "query")))
    for key, language_key in LANGUAGES.items():
        node = entries.get(key)
        if kind is None or key not in kind.keys or node is None:
            continue
        if not isinstance(node.content, str) or not node.content.strip():
            continue
        default = kind.languages[0] if kind.languages and key == "query" else "kuery"
        yield _read(key, node, str(_content(entries, language_key, default)), file)


def _content(entries: Mapping[str, Node], key: str, default: str) -> object:
    return entries[key].content if key in entries else default


def _read(key: str, node: Node, language: str, file: str) -> QueryText:
    text = str(node.content)
    place = partial(place_in, node, file)
    read = partial(QueryText, key, text, place=place)
    try:
        return read(tree=_tree(language, text), problems=())
    except QueryError as error:
        offset = min(_offset(text, error.line, error.column), len(text.rstrip()))
        what = f"{key}: {_one_line(error.what)}, {_near(text, offset)}"
        refusal = Refusal(what, _one_line(error.remedy), shown=error.shown)
    return read(tree=None, problems=(Problem(place(offset), refusal),))


def _tree(language: str, text: str) -> Any:
    """What a query says, as the parser of its language gives it. A parser is loaded when the first rule needs it.

    Raises:
        QueryError: the query, or the template of one, is at fault.
    """
    if is_template(text):
        _check_template(text)
        return None
    if language == "kuery":
        from lolbin_rules.query.kql.syntax import parse_kql  # noqa: PLC0415

        return parse_kql(text)
    if language == "eql":
        from lolbin_rules.query.eql.syntax import parse_eql  # noqa: PLC0415

        return parse_eql(text)
    if language == "lucene":
        check_lucene(text)
    return None


def _check_template(text: str) -> None:
    parse: Callable[[str], object] = ENVIRONMENT.parse
    try:
        parse(text)
    except TemplateSyntaxError as error:
        remedy = "Correct it; {{ ... }} holds an expression."
        raise QueryError(f"no Jinja2 template: {error.message}", remedy, text, error.lineno, 1) from None
    except RecursionError:
        raise QueryError("a template with too many levels of nesting", "Nest less.", text, 1, 1) from None


def _offset(text: str, line: int, column: int) -> int:
    """Where a place is, counted in characters from the beginning of the text."""
    return sum(len(each) + 1 for each in text.split("\n")[: line - 1]) + column - 1


def _near(text: str, offset: int) -> str:
    if offset >= len(text.rstrip()):
        return f"at the end, behind {quoted(_one_line(text.rstrip()[-sum(AROUND) :]))}"
    before, after = AROUND
    return f"near {quoted(_one_line(text[max(0, offset - before) : offset + after]))}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def place_in(node: Node, file: str, offset: int) -> Place:
    """Where a character of a text stands in its file.

    Exact within a literal block (`|`) and on the first line of other texts up to the first escape; otherwise it is the
    place where the text begins.
    """
    value, lines = str(node.content), file.splitlines()
    if node.style == "|":
        return _in_block(node, value, lines, min(offset, len(value.rstrip())))
    begin = node.place.column - 1 + (node.style in {'"', "'"})
    upto = value[: offset + 1]
    if node.place.line <= len(lines) and node.style != ">" and lines[node.place.line - 1][begin:].startswith(upto):
        return Place(node.place.line, begin + 1 + offset)
    return node.place


def _in_block(node: Node, value: str, lines: list[str], offset: int) -> Place:
    ahead = f"{value[:offset]}.".splitlines()
    line = node.place.line + len(ahead)
    written = [*zip(lines[node.place.line :], value.splitlines(), strict=False)]
    indents = [len(of_file) - len(of_value) for of_file, of_value in written if of_value]
    return Place(line, indents[0] + len(ahead[-1])) if indents and line <= len(lines) else node.place
