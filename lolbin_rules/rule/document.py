"""One file's text -> the rules, lists or exception lists in it, each with its faults."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import ValidationError

from lolbin_rules.errors import Fault
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.model_problems import problems_of
from lolbin_rules.rule.query_text import read_queries
from lolbin_rules.rule.references import Definition, Reference, entries_of, items_of, references
from lolbin_rules.rule.refusal import Refusal, quoted, spoken
from lolbin_rules.rule.suspicion import suspicions
from lolbin_rules.rule.yaml_nodes import Node, Parsed, parse_yaml, plain
from lolbin_rules.rule.yaml_syntax import Place, Problem, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOMES", "Definition", "Document", "Source", "fault_of", "read_documents"]

NOT_RUN: Final[Mapping[type[Definition], str]] = {
    Rule: "the rule is not run",
    NamedList: "rules that use the list are not run",
    ExceptionList: "none of its exceptions is applied",
}
KIND: Final[Mapping[type[Definition], str]] = {Rule: "rule", NamedList: "list", ExceptionList: "exception list"}
HOMES: Final[Mapping[type[Definition], str]] = {NamedList: "lists", ExceptionList: "exceptions"}
"""The folders that hold something else than rules."""
TELLING_KEYS: Final[Mapping[type[Definition], frozenset[str]]] = {
    Rule: frozenset({"match", "query"}),
    NamedList: frozenset({"values"}),
    ExceptionList: frozenset({"items"}),
}
"""Keys that only one kind of definition has."""
WITHOUT_EFFECT: Final[Mapping[type[Definition], str]] = {
    Rule: "it is not run",
    NamedList: "no condition can name it",
    ExceptionList: "it is not applied",
}
WHOLE_FILE: Final = Place(0, 0)


class Source(NamedTuple):
    """A file as it was read: of rules, of named lists, or of exception lists."""

    path: str
    data: bytes
    model: type[Definition]


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: what it defines if nothing is wrong with it, and what is wrong otherwise.

    Attributes:
        source: the file.
        place: where the document begins.
        id: its id and where that is written, even of a faulty document, if it can be read.
        references: the rules and lists that it names, and where.
        ends: where each item of an exception list says until when it applies; where it begins if it does not say.
        definition: the rule or list; None if it is faulty.
        faults: what is wrong with it by itself.
        warnings: what looks wrong.
    """

    source: Source
    place: Place
    id: tuple[str, Place] | None
    references: tuple[Reference, ...]
    ends: tuple[Place, ...]
    definition: Definition | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]

    @property
    def where(self) -> str:
        """`path:line` of its beginning."""
        return f"{self.source.path}:{self.place.line}"

    def fault(self, problem: Problem) -> Fault:
        """A problem of this document."""
        return fault_of(self.source, problem, _subject(self.source, self.id))


def _subject(source: Source, identifier: tuple[str, Place] | None) -> str:
    """What a fault is about: `rule "certutil-download"`."""
    return f"{KIND[source.model]} {quoted(identifier[0])}" if identifier else ""


def fault_of(source: Source, problem: Problem, subject: str = "") -> Fault:
    """A problem with the file it is in, and with what goes without saying."""
    refusal = problem.refusal
    consequence = refusal.consequence or NOT_RUN[source.model]
    return Fault(source.path, *problem.place, subject, refusal.what, consequence, refusal.remedy, refusal.shown)


@lru_cache(maxsize=8192)
def read_documents(source: Source) -> tuple[tuple[Document, ...], tuple[Fault, ...]]:
    """The documents of a file, and the faults that belong to none of them.

    Remembered, because rules are read again and again to notice changes, and nearly all files stay as they are.
    """
    text = decode(source.data)
    if isinstance(text, Problem):
        return (), (fault_of(source, text),)
    parsed = parse_yaml(text)
    if not parsed.documents and not parsed.problems:
        nothing = Refusal("the file is empty", f"Write {_a(source.model)} into it, or remove it.")
        return (), (fault_of(source, Problem(WHOLE_FILE, nothing)),)
    return _documents(source, parsed, text)


def _documents(source: Source, parsed: Parsed, text: str) -> tuple[tuple[Document, ...], tuple[Fault, ...]]:
    """Each problem belongs to the last document that begins before it."""
    roots = [*parsed.documents, *([parsed.broken] if parsed.broken else [])]
    begins = [root.place for root in roots]
    problems: dict[int, list[Problem]] = defaultdict(list)
    for problem in parsed.problems:
        problems[bisect_right(begins, problem.place) - 1].append(problem)
    documents = (
        _document(source, root, text, problems[number], is_broken=root is parsed.broken)
        for number, root in enumerate(roots)
    )
    return tuple(documents), tuple(fault_of(source, problem) for problem in problems[-1])


def _document(source: Source, root: Node, text: str, problems: list[Problem], *, is_broken: bool) -> Document:
    definition, refused = (None, []) if is_broken else _definition(root, source.model)
    identifier = _id(root)
    subject = _subject(source, identifier)
    places = {problem.place for problem in problems}
    queries = read_queries(root, text) if source.model is Rule else ()
    unread = [problem for query in queries for problem in query.problems]
    found = [*problems, *(problem for problem in (*refused, *unread) if problem.place not in places)]
    warnings = suspicions(definition, root, queries) if definition and not found else ()
    return Document(
        source=source,
        place=root.place,
        id=identifier,
        references=tuple(references(source.model, root)),
        ends=tuple(entries_of(item).get("expires", item).place for item in items_of(entries_of(root).get("items"))),
        definition=None if found else definition,
        faults=tuple(sorted({fault_of(source, problem, subject) for problem in found})),
        warnings=tuple(sorted({fault_of(source, problem, subject) for problem in warnings})),
    )


def _definition(root: Node, model: type[Definition]) -> tuple[Definition | None, list[Problem]]:
    if refusal := _misplaced(root, model):
        return None, [Problem(root.place, refusal)]
    try:
        return model.model_validate(plain(root)), []
    except ValidationError as error:
        return None, list(problems_of(error, root, model))


def _id(root: Node) -> tuple[str, Place] | None:
    entries = entries_of(root)
    node = entries.get("id") or entries.get("rule_id")
    return (node.content, node.place) if node and isinstance(node.content, str) else None


def _misplaced(root: Node, model: type[Definition]) -> Refusal | None:
    """Why a document is not even the beginning of what it should be."""
    kind, keys = KIND[model], entries_of(root).keys()
    if root.content is None:
        return Refusal("the document is empty", "Remove the --- before it.")
    if not isinstance(root.content, dict):
        what = f"the document is {spoken(plain(root))}, not a mapping"
        return Refusal(what, f"Write one {kind} per document, as `key: value` lines; several are separated by ---.")
    if keys.isdisjoint(TELLING_KEYS[model]):
        return next((_out_of_place(other, model) for other, telling in TELLING_KEYS.items() if keys & telling), None)
    return None


def _out_of_place(found: type[Definition], expected: type[Definition]) -> Refusal:
    """A rule among lists, a list among rules."""
    where, remedy = f"in a folder named {HOMES.get(expected)}", "Move the file out of the folder."
    if found in HOMES:
        where, remedy = f"not in a folder named {HOMES[found]}", f"Move the file into a folder named {HOMES[found]}."
    return Refusal(f"this is {_a(found)}, but {where}", remedy, consequence=WITHOUT_EFFECT[found])


def _a(model: type[Definition]) -> str:
    """`a rule`, `an exception list`."""
    return f"{'an' if model is ExceptionList else 'a'} {KIND[model]}"
