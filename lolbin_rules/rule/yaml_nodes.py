"""YAML text -> trees of values that remember where they stand.

The trees are built from the parser's events in one loop, so that no depth of nesting can exhaust the stack. Aliases and
tags are refused: a few lines of them can stand for billions of values, or for code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import yaml

from lolbin_rules.rule.refusal import Refusal, named, quoted
from lolbin_rules.rule.yaml_scalars import read_scalar
from lolbin_rules.rule.yaml_syntax import REST_UNREAD, Place, Problem, syntax_problem, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Node", "Parsed", "find", "parse_yaml", "plain"]

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST: Final = 50
FRAMES: Final = (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent, yaml.StreamEndEvent)
SURROGATE: Final = re.compile("[\ud800-\udfff]")
TAGS: Final = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))})
Mark: TypeAlias = Any  # of yaml.error or of yaml._yaml, which have no common base
Content: TypeAlias = "str | bool | int | float | list[Node] | dict[str, Node] | None"


class Spot(NamedTuple):
    """A mark of our own; marks count from 0."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value and where the parser met it; in a mapping also its key. `style` is | > " or ' for such texts.

    Places are worked out when they are asked for: few of them ever are.
    """

    mark: Mark
    content: Content
    key_mark: Mark | None = None
    style: str = ""

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


@dataclass(slots=True)
class Open:
    """A list or mapping whose end has not come yet; in a mapping with the key that waits for its value.

    A key without text is at fault, and its value is dropped.
    """

    node: Node
    is_mapping: bool
    key: str | None = None
    key_mark: Mark | None = None


class TooDeep(Exception):  # noqa: N818 - control flow of this module only
    """Nesting that no rule needs."""


def parse_yaml(text: str) -> Parsed:
    """Every document of a text; after a fault of syntax, those before it and what there was of the broken one."""
    growing = Growing(text)
    steps = growing.steps
    try:
        for event in _events(text):
            steps[type(event)](event)
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

    def __init__(self, text: str) -> None:
        self._text = text
        self.parsed = Parsed()
        self.steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            **dict.fromkeys(FRAMES, lambda _event: None),
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
            what = f"the tag {named(str(event.tag))} is not read"
            self._refuse(event.start_mark, what, "Remove it; quote text that is meant as text.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        content: Content = event.value
        mark = event.start_mark if content else self._inside(event.start_mark)
        if event.tag is not None:
            self._check_tag(event)
        if not event.value.isascii() and SURROGATE.search(event.value):
            self._refuse(mark, "an escape stands for half a character", "Write the character itself.")
            content = ""
        elif event.implicit[0] and not self._awaits_key():
            try:
                content = read_scalar(event.value)
            except Refusal as refusal:
                self.parsed.problems.append(Problem(Node(mark, None).place, refusal))
        self._close(Node(mark, content, style=event.style or ""))

    def _inside(self, mark: Mark) -> Mark:
        place = within(Place(mark.line + 1, mark.column + 1), self._text)
        return Spot(place.line - 1, place.column - 1)

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and self._open[-1].key_mark is None

    def _alias(self, event: yaml.AliasEvent) -> None:
        self._refuse(event.start_mark, "an alias stands for a value elsewhere in the file", "Repeat the value.")
        self._close(Node(event.start_mark, None))

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        if len(self._open) == DEEPEST:
            self._refuse(event.start_mark, f"more than {DEEPEST} levels of nesting", "Nest less.", REST_UNREAD)
            raise TooDeep
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._open.append(Open(Node(event.start_mark, {} if is_mapping else []), is_mapping))

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
        elif parent.key_mark is None:
            parent.key, parent.key_mark = self._key(parent, node), node.mark
        else:
            self._enter(parent, node)
            parent.key_mark = None

    def _key(self, parent: Open, node: Node) -> str | None:
        if node.content == "<<":
            self._refuse(node.mark, "<< would merge another mapping into this one", "Write the keys out.")
            return None
        if isinstance(node.content, str):
            return node.content
        # `name: {{ x }}` is read as a mapping whose key is a mapping: said of the whole, it is said once.
        mark = node.mark if parent.node.content else parent.node.mark
        self._refuse(mark, "a key is a list or mapping", "Write a text; quote one that contains {{ or [.")
        return None

    def _enter(self, parent: Open, node: Node) -> None:
        entries = cast("dict[str, Node]", parent.node.content)
        if parent.key is None:
            return
        if parent.key in entries:
            first = entries[parent.key].key_place
            what = f"key {quoted(parent.key)} was given before, at {first.line}:{first.column}"
            self._refuse(parent.key_mark, what, "Keep one of them.", "one of the two would be ignored")
            return
        node.key_mark = parent.key_mark
        entries[parent.key] = node
