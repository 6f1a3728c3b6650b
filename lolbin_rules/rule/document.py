"""One file's text -> the rules or lists in it, each with its faults."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from lolbin_rules.errors import Fault
from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.rule.model_problems import problems_of
from lolbin_rules.rule.refusal import Refusal, quoted, spoken
from lolbin_rules.rule.suspicion import suspicions
from lolbin_rules.rule.yaml_nodes import Node, Parsed, parse_yaml, plain
from lolbin_rules.rule.yaml_syntax import Place, Problem, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Document", "Source", "fault_of", "read_documents"]

Definition: TypeAlias = Rule | NamedList
NOT_RUN: Final = {Rule: "the rule is not run", NamedList: "rules that use the list are not run"}
KIND: Final = {Rule: "rule", NamedList: "list"}
WHOLE_FILE: Final = Place(0, 0)


class Source(NamedTuple):
    """A file as it was read: of rules, or of named lists."""

    path: str
    data: bytes
    model: type[Definition]


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: a rule or list if nothing is wrong with it, and what is wrong otherwise.

    Attributes:
        source: the file.
        place: where the document begins.
        id: its id and where that is written, even of a faulty document, if it can be read.
        listed: the ids of lists that its conditions name, and where.
        definition: the rule or list; None if it is faulty.
        faults: what is wrong with it by itself.
        warnings: what looks wrong.
    """

    source: Source
    place: Place
    id: tuple[str, Place] | None
    listed: tuple[tuple[str, Place], ...]
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
    return Fault(source.path, *problem.place, subject, refusal.what, consequence, refusal.remedy)


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
        nothing = Refusal("the file is empty", f"Write a {KIND[source.model]} into it, or remove it.")
        return (), (fault_of(source, Problem(WHOLE_FILE, nothing)),)
    return _documents(source, parsed)


def _documents(source: Source, parsed: Parsed) -> tuple[tuple[Document, ...], tuple[Fault, ...]]:
    """Each problem belongs to the last document that begins before it."""
    roots = [*parsed.documents, *([parsed.broken] if parsed.broken else [])]
    begins = [root.place for root in roots]
    problems: dict[int, list[Problem]] = defaultdict(list)
    for problem in parsed.problems:
        problems[bisect_right(begins, problem.place) - 1].append(problem)
    documents = (
        _document(source, root, problems[number], is_broken=root is parsed.broken) for number, root in enumerate(roots)
    )
    return tuple(documents), tuple(fault_of(source, problem) for problem in problems[-1])


def _document(source: Source, root: Node, problems: list[Problem], *, is_broken: bool) -> Document:
    definition, refused = (None, []) if is_broken else _definition(root, source.model)
    identifier = _id(root)
    subject = _subject(source, identifier)
    places = {problem.place for problem in problems}
    found = [*problems, *(problem for problem in refused if problem.place not in places)]
    warnings = suspicions(definition, root) if isinstance(definition, Rule) and not found else ()
    return Document(
        source=source,
        place=root.place,
        id=identifier,
        listed=tuple(_listed_ids(root)),
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
    entries = _entries(root)
    node = entries.get("id") or entries.get("rule_id")
    return (node.content, node.place) if node and isinstance(node.content, str) else None


def _misplaced(root: Node, model: type[Definition]) -> Refusal | None:
    """Why a document is not even the beginning of a rule or list."""
    kind, keys = KIND[model], _entries(root).keys()
    if root.content is None:
        return Refusal("the document is empty", "Remove the --- before it.")
    if not isinstance(root.content, dict):
        what = f"the document is {spoken(plain(root))}, not a mapping"
        return Refusal(what, f"Write one {kind} per document, as `key: value` lines; several are separated by ---.")
    if model is Rule and "values" in keys and "match" not in keys:
        return Refusal(
            "this is a list, but not in a folder named lists",
            "Move the file into a folder named lists.",
            consequence="no condition can name it",
        )
    if model is NamedList and "match" in keys and "values" not in keys:
        return Refusal(
            "this is a rule, but in a folder named lists",
            "Move the file out of the folder.",
            consequence="it is not run",
        )
    return None


def _entries(node: Node) -> dict[str, Node]:
    return node.content if isinstance(node.content, dict) else {}


def _listed_ids(root: Node) -> Iterator[tuple[str, Place]]:
    """The ids of lists that the conditions of a rule name, and where."""
    entries = _entries(root)
    for section in ("match", "exclude"):
        for condition in _entries(entries.get(section, root)).values() if section in entries else ():
            named = _entries(condition).get("list")
            for node in _items(named):
                if isinstance(node.content, str):
                    yield node.content, node.place


def _items(node: Node | None) -> Iterable[Node]:
    if node is None:
        return ()
    return node.content if isinstance(node.content, list) else (node,)
