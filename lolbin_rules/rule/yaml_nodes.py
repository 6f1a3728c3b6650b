"""YAML text -> trees of values that remember where they stand.

The trees are built from the parser's events in one loop, so that no depth of nesting can exhaust the stack. Aliases and
tags are refused: a few lines of them can stand for billions of values, or for code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import yaml

from lolbin_rules.rule.refusal import Refusal
from lolbin_rules.rule.yaml_scalars import read_scalar
from lolbin_rules.rule.yaml_syntax import REST_UNREAD, Place, Problem, syntax_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Node", "Parsed", "find", "parse_yaml", "plain"]

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST: Final = 50
SURROGATE: Final = re.compile("[\ud800-\udfff]")
TAGS: Final = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))})
Mark: TypeAlias = Any  # of yaml.error or of yaml._yaml, which have no common base
Content: TypeAlias = "str | bool | int | float | list[Node] | dict[str, Node] | None"


@dataclass(slots=True)
class Node:
    """A value and where the parser met it; in a mapping also its key.

    Places are worked out when they are asked for: few of them ever are.
    """

    mark: Mark
    content: Content
    key_mark: Mark | None = None

    @property
    def place(self) -> Place:
        """Where the value begins."""
        return Place(self.mark.line + 1, self.mark.column + 1)

    @property
    def key_place(self) -> Place:
        """Where its key begins; where it begins itself if it has none."""
        return Place(self.key_mark.line + 1, self.key_mark.column + 1) if self.key_mark else self.place


@dataclass(slots=True)
class Parsed:
    """What a text holds: its documents, and what is wrong with them; `broken` is one that has no end."""

    documents: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: Node | None = None


class Key(NamedTuple):
    """A key that waits for its value; one without text is at fault, and its value is dropped."""

    text: str | None
    mark: Mark


@dataclass(slots=True)
class Open:
    """A list or mapping whose end has not come yet."""

    node: Node
    key: Key | None = None

    @property
    def awaits_key(self) -> bool:
        """Whether the next value is a key."""
        return self.key is None and isinstance(self.node.content, dict)


class TooDeep(Exception):  # noqa: N818 - control flow of this module only
    """Nesting that no rule needs."""


def parse_yaml(text: str) -> Parsed:
    """Every document of a text; after a fault of syntax, those before it and what there was of the broken one."""
    growing = Growing()
    steps = growing.steps
    try:
        for event in _events(text):
            if step := steps.get(type(event)):
                step(event)
    except yaml.YAMLError as error:
        growing.parsed.problems.append(syntax_problem(error, text))
        growing.break_off()
    except TooDeep:
        growing.break_off()
    return growing.parsed


def _events(text: str) -> Iterator[yaml.Event]:
    loader = LOADER(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def plain(node: Node) -> Any:
    """The values alone."""
    content = node.content
    if isinstance(content, dict):
        return {key: plain(entry) for key, entry in content.items()}
    if isinstance(content, list):
        return [plain(item) for item in content]
    return content


def find(node: Node, path: Iterable[str | int]) -> Node:
    """The node at a path of keys and positions; where the path leads on, the last node on the way."""
    for part in path:
        match node.content:
            case dict(entries) if isinstance(part, str) and part in entries:
                node = entries[part]
            case list(items) if isinstance(part, int) and part < len(items):
                node = items[part]
    return node


class Growing:
    """The documents so far, and the lists and mappings that are still open."""

    def __init__(self) -> None:
        self.parsed = Parsed()
        self.steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
        }
        self._open: list[Open] = []

    def break_off(self) -> None:
        """Keep the broken document apart, for its id."""
        if self._open:
            self.parsed.broken = self._open[0].node

    def _refuse(self, mark: Mark, what: str, remedy: str, consequence: str = "") -> None:
        refusal = Refusal(what, remedy, consequence=consequence)
        self.parsed.problems.append(Problem(Node(mark, None).place, refusal))

    def _check_tag(self, event: yaml.CollectionStartEvent | yaml.ScalarEvent) -> None:
        if event.tag not in TAGS:
            what = f"the tag {event.tag} is not read"
            self._refuse(event.start_mark, what, "Remove it; quote text that is meant as text.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        content: Content = event.value
        if not event.value.isascii() and SURROGATE.search(event.value):
            self._refuse(event.start_mark, "an escape stands for half a character", "Write the character itself.")
            content = ""
        elif event.implicit[0] and not (self._open and self._open[-1].awaits_key):
            try:
                content = read_scalar(event.value)
            except Refusal as refusal:
                self.parsed.problems.append(Problem(Node(event.start_mark, None).place, refusal))
        self._close(Node(event.start_mark, content))

    def _alias(self, event: yaml.AliasEvent) -> None:
        self._refuse(event.start_mark, "an alias stands for a value elsewhere in the file", "Repeat the value.")
        self._close(Node(event.start_mark, None))

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        if len(self._open) == DEEPEST:
            self._refuse(event.start_mark, f"more than {DEEPEST} levels of nesting", "Nest less.", REST_UNREAD)
            raise TooDeep
        content: Content = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(Open(Node(event.start_mark, content)))

    def _end(self, _event: yaml.CollectionEndEvent) -> None:
        self._close(self._open.pop().node)

    def _close(self, node: Node) -> None:
        """A value is complete: it becomes a document, an entry of a list, a key or the value of one."""
        if not self._open:
            self.parsed.documents.append(node)
            return
        parent = self._open[-1]
        content = parent.node.content
        if isinstance(content, list):
            content.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
        elif isinstance(content, dict):
            self._enter(content, parent.key, node)
            parent.key = None

    def _key(self, node: Node) -> Key:
        if node.content == "<<":
            self._refuse(node.mark, "<< would merge another mapping into this one", "Write the keys out.")
            return Key(None, node.mark)
        if isinstance(node.content, str):
            return Key(node.content, node.mark)
        self._refuse(node.mark, "a key is a list or mapping", "Write a text; quote one that contains {{ or [.")
        return Key(None, node.mark)

    def _enter(self, entries: dict[str, Node], key: Key, node: Node) -> None:
        if key.text is None:
            return
        if key.text in entries:
            first = entries[key.text].key_place
            what = f'key "{key.text}" was given before, at {first.line}:{first.column}'
            self._refuse(key.mark, what, "Keep one of them.", "one of the two would be ignored")
            return
        node.key_mark = key.mark
        entries[key.text] = node
