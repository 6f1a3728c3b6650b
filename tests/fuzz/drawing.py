"""What queries are made of: the fields of the index, the values that documents have in them, and near misses."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, TypeVar

from fuzz.documents import iso
from fuzz.pools import WORDS

__all__ = ["DATES", "KEYWORDS", "NUMBERS", "Draw", "Field", "fields_of", "leaves"]

KEYWORDS = frozenset({"keyword"})
NUMBERS = frozenset({"long", "integer", "short", "byte", "double", "float", "half_float"})
DATES = frozenset({"date", "date_nanos"})
T = TypeVar("T")
ANY = KEYWORDS | NUMBERS | DATES | {"text", "ip", "boolean"}

_DAY = 86_400_000
_LONGEST = 1000
"""Characters of a value; patterns of longer ones reach limits of the node's that the engine does not need."""
_CHANCE_OF_THE_TARGET = 0.7


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be asked about.

    Attributes:
        name: as queries name it.
        type: as mapped; an alias has its target's.
        source: where its values stand in the document.
        format: of a date, or "".
        has_values: it has doc values, which the node can tell.
        is_alias: it is another name of a field.
    """

    name: str
    type: str
    source: str
    format: str = ""
    has_values: bool = True
    is_alias: bool = False


def fields_of(properties: Mapping[str, Any]) -> list[Field]:
    """The fields of a mapping as the node tells it, aliases and sub-fields included."""
    found = list(_fields(properties, ""))
    by_name = {name: mapped for name, mapped, _ in found}
    fields = []
    for name, mapped, source in found:
        target = mapped["path"] if mapped["type"] == "alias" else name
        actual = by_name[target]
        if actual["type"] in ANY:
            origin = target if target != name else source
            has_values = actual["type"] != "text" and actual.get("doc_values", True)
            made = Field(name, actual["type"], origin, actual.get("format", ""), has_values, target != name)
            fields.append(made)
    return fields


def _fields(properties: Mapping[str, Any], above: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for key, mapped in properties.items():
        name = f"{above}{key}"
        yield from _fields(mapped.get("properties", {}), f"{name}.")
        if "type" in mapped and mapped["type"] != "object":
            yield name, mapped, name
            yield from ((f"{name}.{sub}", each, name) for sub, each in mapped.get("fields", {}).items())


def leaves(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar of a document under its dotted path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{above}.{key}" if above else key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, above)
    elif value is not None:
        yield above, value


class Draw:
    """Draws fields and values; about each query's target, a document that it should find.

    Args:
        seed: the same seed draws the same.
        fields: those that queries are about.
        documents: id -> document.
        now_ms: the moment that the documents' moments are near.
    """

    def __init__(
        self, seed: int, fields: Sequence[Field], documents: Mapping[str, Mapping[str, Any]], now_ms: int
    ) -> None:
        self.random = Random(f"queries {seed}")
        self.ids = list(documents)
        self.now_ms = now_ms
        self.fields = fields
        self.objects = sorted({field.name.rpartition(".")[0] for field in self.fields if "." in field.name})
        self._values = [self._by_path(document) for document in documents.values()]
        self._everywhere: dict[str, list[Any]] = defaultdict(list)
        for values in self._values:
            for path, several in values.items():
                self._everywhere[path].extend(several)
        self.target = ""
        self._target: Mapping[str, list[Any]] = {}
        self.aim()

    @staticmethod
    def _by_path(document: Mapping[str, Any]) -> dict[str, list[Any]]:
        values: dict[str, list[Any]] = defaultdict(list)
        for path, value in leaves(document):
            if not isinstance(value, str) or len(value) <= _LONGEST:
                values[path].append(value)
        if paths := [*values.get("process.executable", ()), *values.get("process.parent.executable", ())]:
            values["paths"] += paths
        return dict(values)

    def aim(self) -> None:
        """Choose another document as target."""
        at = self.random.randrange(len(self.ids))
        self.target, self._target = self.ids[at], self._values[at]

    def chance(self, share: float) -> bool:
        """True in this share of the calls."""
        return self.random.random() < share

    def one(self, *values: T) -> T:
        """One of the arguments."""
        return self.random.choice(values)

    def some(self, make: Callable[[], Any], *numbers: int) -> list[Any]:
        """As many of what is made as one of the numbers says."""
        return [make() for _ in range(self.random.choice(numbers))]

    def field(self, types: frozenset[str] = ANY) -> Field:
        """A field of one of the types, mostly one that the target has."""
        matching = self._of_types(types)
        if self.chance(_CHANCE_OF_THE_TARGET):
            matching = [field for field in matching if field.source in self._target] or matching
        # Types are drawn before fields, or rare types would hardly be asked about.
        kind = self.random.choice(sorted({field.type for field in matching}))
        return self.random.choice([field for field in matching if field.type == kind])

    def _of_types(self, types: frozenset[str]) -> list[Field]:
        if types not in self._by_types:
            self._by_types[types] = [field for field in self.fields if field.type in types]
        return self._by_types[types]

    @cached_property
    def _by_types(self) -> dict[frozenset[str], list[Field]]:
        return {}

    def value(self, field: Field) -> Any:
        """A raw value of the field: the target's, else another document's, else one of another field."""
        if self.chance(_CHANCE_OF_THE_TARGET) and (own := self._target.get(field.source)):
            return self.random.choice(own)
        if self.chance(0.97) and (known := self._everywhere.get(field.source)):
            return self.random.choice(known)
        return self.random.choice(WORDS)

    def text(self, field: Field) -> str:
        """A value as text."""
        value = self.value(field)
        return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)

    def near(self, field: Field) -> Any:
        """A value that some document has, or one close to it."""
        value = self.value(field)
        if field.type in DATES:
            return self.date(field)
        if self.chance(0.6):
            return value
        if isinstance(value, str):
            return self.near_text(value) if field.type in {"keyword", "text"} else value
        if isinstance(value, bool):
            return self.one(not value, str(value).lower())
        step = self.one(-1, 1, 0.5, 0)
        return self.one(value + step, str(value), value * 1.0 if abs(value) < 2**53 else value)

    def near_text(self, text: str) -> str:
        """The text with something about it changed."""
        random = self.random
        cut = random.randrange(len(text) + 1)
        return str(
            self.one(
                *(
                    text.lower(),
                    text.upper(),
                    text.swapcase(),
                    text[:cut],
                    text[cut:],
                    text + self.one(" ", "x", "*", "."),
                ),
                *(text[:cut] + self.one("x", "?", "é") + text[cut:], text[::-1], f" {text}", text[:-1], text[1:]),
            )
        )

    def word(self, field: Field) -> str:
        """A part of a text: mostly one word of it."""
        words = self.text(field).split() or [""]
        word = self.random.choice(words)
        return word if self.chance(0.7) else self.near_text(word)

    def phrase(self, field: Field) -> str:
        """Some words of a text, mostly in their order."""
        words = self.text(field).split() or [""]
        start = self.random.randrange(len(words))
        part = words[start : start + self.one(1, 2, 2, 3, 5)]
        if self.chance(0.2):
            self.random.shuffle(part)
        if self.chance(0.15):
            del part[len(part) // 2]
        if self.chance(0.1):
            part = [word.upper() for word in part]
        return self.one(" ", " ", " ", ", ", "-").join(part)

    def network(self, field: Field) -> str:
        """An address, or a network around it."""
        text = self.text(field)
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return text
        if self.chance(0.4):
            return text
        if self.chance(0.2):
            return str(address + self.one(-1, 1)) if 1 < int(address) < 2**32 - 1 else str(address)
        if address.version == 4:
            return f"{text}/{self.one(0, 1, 7, 8, 12, 16, 20, 23, 24, 30, 31, 32)}"
        return f"{text}/{self.one(0, 1, 7, 10, 32, 64, 65, 96, 104, 120, 127, 128)}"

    def date(self, field: Field) -> Any:
        """A date as a query names it: as written, cut, rounded, reckoned from another or from now."""
        value = self.value(field)
        chosen = self.random.random()
        if chosen < 0.35 or isinstance(value, bool):
            return value
        if chosen < 0.55:
            return self.now()
        text = str(value)
        is_default = field.format in {"", "strict_date_optional_time_nanos"}
        if chosen < 0.7:
            return f"{text}||{self._steps()}"
        if chosen < 0.85 and is_default and text[:4].isdigit() and "-" in text:
            return text[: self.one(4, 7, 10, 13, 16, 19)]
        if chosen < 0.92 and isinstance(value, int):
            return self.one(value + 1, value - 1, value + _DAY, text, float(value))
        moment = self.now_ms - self.one(0, 1, 2, 30, 200) * _DAY
        return self.one(moment, iso(moment), iso(moment)[:10], str(moment))

    def now(self) -> str:
        """Date math from now, never within minutes of the moments in documents."""
        return f"now{self.one('', '', self._steps())}"

    def _steps(self) -> str:
        units = "yMwdhHms"
        steps = [
            f"{self.one('-', '-', '+')}{self.one('', 1, 1, 2, 3, 10)}{self.random.choice(units)}"
            for _ in range(self.one(1, 1, 2))
        ]
        rounding = f"/{self.random.choice(units)}"
        return str(self.one("".join(steps), rounding, "".join(steps) + rounding, rounding + steps[0]))

    def shuffled(self, several: Sequence[Any]) -> list[Any]:
        """The same in another order."""
        return self.random.sample(list(several), len(several))
