"""Random KQL queries about the documents of `kql_documents`, as trees: what they are printed as is what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal

from fuzz.kql_documents import ABSENT, DATES, FIELDS, KEYWORDS, NETWORKS, WORDS, Document, values
from fuzz.kql_printed import printed
from lolbin_rules.query.kql.nodes import And, Is, Name, Nested, Node, Not, Or, Range, Value, Wild, Word

__all__ = ["WEIGHTS", "Asked", "Queries"]

WEIGHTS: Final[Mapping[str, int]] = {
    "value": 3, "quoted": 3, "caseless": 3, "list": 4, "list_with_not": 3, "wildcard": 4, "exists": 2, "absent": 2,
    "number": 2, "number_range": 3, "text_range": 1, "address_range": 1, "date": 2, "date_range": 2, "network": 3,
    "boolean": 1, "words": 2, "phrase": 2, "text_wildcard": 2, "anywhere": 2, "anywhere_phrase": 1,
    "anywhere_wildcard": 1, "name_pattern": 3, "unknown": 2, "tree": 5, "nested": 2,
}  # fmt: skip
"""Kind of query -> its share."""

_PATTERNS: Final = (
    ("file.hash.", ""),
    ("", "hash", ""),
    ("process.n", "e"),
    ("process.a", ""),
    ("file.", "5"),
    ("no.", ""),
)
_ANY: Final = Wild(("", ""))
_COMPARISONS: Final[tuple[Literal["gt", "gte", "lt", "lte"], ...]] = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Asked:
    """One query.

    Attributes:
        kind: what it is about, of `WEIGHTS`.
        text: as it is written.
        node: as it was meant.
        is_caseless: asked with `case_insensitive`.
    """

    kind: str
    text: str
    node: Node
    is_caseless: bool


class Queries:
    """Makes queries about some documents, the same for the same seed."""

    def __init__(self, seed: int, documents: Mapping[str, Document]) -> None:
        self._random = Random(seed)
        self._documents = list(documents.values())
        self._leaves: Mapping[str, Callable[[], Node]] = {
            "value": lambda: Is(*self._keyword()),
            "quoted": lambda: Is(*self._keyword(is_quoted=True)),
            "caseless": self._caseless,
            "list": lambda: self._list(Or),
            "list_with_not": self._list_with_not,
            "wildcard": self._wildcard,
            "exists": lambda: Is(self._random.choice(list(FIELDS)), _ANY),
            "absent": lambda: Not(Is(self._random.choice(list(FIELDS)), _ANY)),
            "number": lambda: Is("process.pid", Word(self._value("process.pid"))),
            "number_range": lambda: self._range("process.pid", self._value("process.pid")),
            "text_range": lambda: self._range(*self._text_limit()),
            "address_range": lambda: self._range("source.ip", self._value("source.ip")),
            "date": lambda: Is("@timestamp", self._word(self._random.choice(DATES))),
            "date_range": lambda: self._range("@timestamp", self._random.choice(DATES)),
            "network": self._network,
            "boolean": lambda: Is("is_signed", Word(self._random.random() < 0.5)),
            "words": lambda: Is("message", self._word(self._words(), is_quoted=False)),
            "phrase": lambda: Is("message", self._word(self._words(), is_quoted=True)),
            "text_wildcard": lambda: Is("message", self._cut(self._words())),
            "anywhere": lambda: Is(None, self._word(self._anything(), is_quoted=False)),
            "anywhere_phrase": lambda: Is(None, self._word(self._anything(), is_quoted=True)),
            "anywhere_wildcard": lambda: Is(None, self._cut(self._random.choice(WORDS))),
            "name_pattern": self._name_pattern,
            "unknown": self._unknown,
            "tree": lambda: self._tree(3),
            "nested": self._nested,
        }

    def make(self, kind: str) -> Asked:
        """A query of the kind; half of them with something else beside it."""
        random = self._random
        node = self._leaves[kind]()
        is_caseless = kind == "caseless" or (kind != "nested" and random.random() < 0.1)
        if random.random() < 0.5:
            parts = [node, self._tree(1)]
            random.shuffle(parts)
            node = random.choice((And, Or))(tuple(parts))
        if random.random() < 0.1:
            node = Not(node)
        return Asked(kind, printed(node, lists=random.random() < 0.7), node, is_caseless)

    def _tree(self, depth: int) -> Node:
        random = self._random
        chance = random.random()
        if depth == 0 or chance < 0.2:
            return self._leaves[random.choice(_SIMPLE)]()
        if chance < 0.35:
            return Not(self._tree(depth - 1))
        parts = tuple(self._tree(depth - 1) for _ in range(random.choice((2, 2, 3))))
        return random.choice((And, Or))(parts)

    def _value(self, name: str) -> str:
        """A value that a document has."""
        for document in self._random.choices(self._documents, k=20):
            found = values(document, name)
            if found:
                return str(self._random.choice(found))
        raise ValueError(f"hardly any document has {name}")

    def _word(self, text: str, *, is_quoted: bool | None = None) -> Word:
        is_quoted = self._random.random() < 0.5 if is_quoted is None else is_quoted
        return Word(text, is_quoted=is_quoted or not text.strip() or text in {"null", "true", "false"})

    def _keyword(self, *, is_quoted: bool | None = None) -> tuple[Name, Value]:
        name = self._random.choice(KEYWORDS)
        return name, self._word(self._value(name), is_quoted=is_quoted)

    def _range(self, name: str, limit: str) -> Node:
        return Range(name, self._random.choice(_COMPARISONS), self._word(limit))

    def _text_limit(self) -> tuple[str, str]:
        name = self._random.choice(KEYWORDS)
        return name, self._value(name)

    def _caseless(self) -> Node:
        name = self._random.choice(KEYWORDS)
        found = self._value(name)
        changed = self._random.choice((found.upper, found.swapcase, found.lower))()
        return Is(name, self._word(changed) if self._random.random() < 0.6 else self._cut(changed))

    def _list(self, kind: type[And | Or]) -> Node:
        name = self._random.choice(KEYWORDS)
        parts = [Is(name, self._one_of(name)) for _ in range(self._random.randrange(2, 6))]
        return kind(tuple(parts))

    def _one_of(self, name: str) -> Value:
        return self._cut(self._value(name)) if self._random.random() < 0.3 else self._word(self._value(name))

    def _list_with_not(self) -> Node:
        random = self._random
        name = random.choice(KEYWORDS)
        one, two, three = (Is(name, self._one_of(name)) for _ in range(3))
        return random.choice(
            (And((one, Not(two))), Or((Not(one), two)), And((Or((one, two)), Not(three))), Not(Or((one, two))))
        )

    def _wildcard(self) -> Node:
        name = self._random.choice(KEYWORDS)
        return Is(name, self._cut(self._value(name)))

    def _cut(self, text: str) -> Wild:
        """The text with stars in the place of one or two parts of it."""
        random = self._random
        first, second = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
        shapes = ((text[:first], ""), ("", text[first:]), ("", text[first:second], ""), (text[:first], text[second:]))
        return Wild(random.choice(shapes))

    def _network(self) -> Node:
        found = [self._word(self._random.choice(NETWORKS)) for _ in range(self._random.choice((1, 1, 2, 3)))]
        parts = tuple(Is("source.ip", network) for network in found)
        return Or(parts) if len(parts) > 1 else parts[0]

    def _words(self) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.choice((1, 2, 2, 3))))

    def _anything(self) -> str:
        return self._random.choice((self._words, lambda: self._value(self._random.choice(list(FIELDS)))))()

    def _name_pattern(self) -> Node:
        name = Wild(self._random.choice(_PATTERNS))
        like = self._random.choice(KEYWORDS)
        return Is(name, self._random.choice((_ANY, self._word(self._value(like)), self._cut(self._value(like)))))

    def _unknown(self) -> Node:
        name = self._random.choice(ABSENT)
        unknown = self._random.choice((Is(name, self._one_of("process.name")), Is(name, _ANY), self._range(name, "5")))
        return self._random.choice((Or, And))((self._random.choice((unknown, Not(unknown))), self._tree(1)))

    def _nested(self) -> Node:
        named: Node = Is("name", self._word(self._random.choice(("a.dll", "b.dll", "c.dll"))))
        sized: Node = Range("size", self._random.choice(_COMPARISONS), self._word(str(self._random.randrange(4))))
        parts: Any = [named, self._random.choice((sized, Not(sized)))]
        return Nested("dll", self._random.choice((named, sized, And(tuple(parts)), Or(tuple(parts)))))


_SIMPLE: Final = (
    "value",
    "quoted",
    "list",
    "wildcard",
    "exists",
    "number",
    "number_range",
    "date",
    "network",
    "boolean",
)
