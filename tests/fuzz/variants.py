"""Random small mappings, with documents that stretch them: what dynamic mapping makes of them, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from fuzz.documents import Source

__all__ = ["Variant", "variant"]

_NAMES = ("a", "b", "c", "a_ip", "b_at", "year1", "deep", "x y", "ü", "A")
_TEXTS = (
    *(
        "word",
        "Word",
        "",
        " ",
        "5",
        "-1",
        "1.5",
        "1e3",
        "true",
        "10.0.0.1",
        "2026-03-01",
        "2026-03-01T10:00:00Z",
        "NaN",
    ),
    *(
        "2026/03/01",
        "2026/03/01 10:00:00",
        "01.03.2026",
        "2026",
        "2026-03",
        "12:00",
        "x" * 12,
        "x" * 300,
        "1772359200000",
    ),
    *("2026-3-1", "9223372036854775808", "0x1", "1_000", " 5", "+5", "10:00:00Z", "é" * 5),
)
_OTHERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    5,
    1.0,
    1.5,
    300,
    40000,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -0.5,
    True,
    False,
    None,
    [],
    {},
    [None],
    [{}],
)
_VALUES: dict[str, tuple[Any, ...]] = {
    "text": _TEXTS,
    "number": (0, 1, -1, 5, 300, 40000, 2**31, 2**53 + 1, "7", None),
    "fraction": (1.0, 1.5, -0.5, 3, "2.5", None),
    "flag": (True, False, "true", None),
    "date": ("2026-03-01", "2026-03-01T10:00:00Z", "2026-03", 0, None),
    "address": ("10.0.0.1", "::1", "10.0.0.1", None),
    "any": (*_TEXTS, *_OTHERS),
}
_HABITS = ("object", "object", "text", *_VALUES)
_TYPES = ("keyword", "text", "long", "integer", "short", "double", "float", "boolean", "date", "ip", "date_nanos")
_COPIED = frozenset({"keyword", "text", "boolean", "date", "ip"})
"""Not from numbers: the node copies what its JSON parser last made of them."""
_MATCHED_TYPES = ("string", "long", "double", "boolean", "date", "object", "*")

_Options: TypeAlias = tuple[tuple[float, str, tuple[Any, ...]], ...]
"""How often, which, and its values."""

_OPTIONS_OF_A_MAPPING: _Options = (
    (0.4, "dynamic", ("true", "false", "strict", True)),
    (0.2, "date_detection", (False, True)),
    (0.25, "numeric_detection", (True,)),
    (
        0.2,
        "dynamic_date_formats",
        (["yyyy"], ["dd.MM.yyyy", "yyyy-MM-dd"], ["strict_date_optional_time", "yyyy/MM/dd"]),
    ),
    (0.1, "subobjects", (False,)),
)
_OPTIONS_OF_AN_INDEX: _Options = (
    (0.2, "index.mapping.ignore_malformed", (True, False)),
    (0.15, "index.mapping.coerce", (False,)),
    (0.1, "index.mapping.ignore_above", (10,)),
    (0.1, "index.mapping.total_fields.limit", (8, 12)),
)
_OPTIONS_OF_A_TEMPLATE: _Options = (
    (0.5, "match_mapping_type", (*_MATCHED_TYPES, ["string", "long"])),
    (0.4, "match", ("*_ip", "a*", "*", "b_at", ["a", "b*"], "^year\\d$")),
    (0.2, "unmatch", ("*_ip", "a", ["b", "c"])),
    (0.2, "path_match", ("deep.*", "a.*", "*.b", ["a.*", "b.*"])),
    (0.2, "path_unmatch", ("*.a", "deep.a.*")),
    (0.1, "unmatch_mapping_type", ("string", "object")),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One index: how it is made, and its documents in order."""

    mappings: dict[str, Any]
    settings: dict[str, Any]
    documents: dict[str, Source]


def variant(seed: int) -> Variant:
    """The variant of this seed."""
    return _Maker(Random(f"variant {seed}")).make()


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random
        # Without habits, nearly every document would contradict the ones before it.
        self._habits = {name: random.choice(_HABITS) for name in _NAMES}

    def make(self) -> Variant:
        mappings: dict[str, Any] = {"properties": {name: self._field() for name in self._some(_NAMES, 3)}}
        templates = [{f"t{at}": self._template()} for at in range(self._random.randint(1, 3))]
        self._add(mappings, (*_OPTIONS_OF_A_MAPPING, (0.6, "dynamic_templates", (templates,))))
        settings: dict[str, Any] = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
        self._add(settings, _OPTIONS_OF_AN_INDEX)
        return Variant(mappings, settings, {f"d{at}": self._document(0) for at in range(30)})

    def _add(self, made: dict[str, Any], options: _Options) -> None:
        made.update({key: self._random.choice(values) for share, key, values in options if self._chance(share)})

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _some(self, values: tuple[str, ...], most: int) -> list[str]:
        return self._random.sample(values, self._random.randint(0, most))

    def _field(self, depth: int = 0) -> dict[str, Any]:
        if depth < 2 and self._chance(0.25):
            made: dict[str, Any] = {"properties": {name: self._field(depth + 1) for name in self._some(_NAMES, 2)}}
            if self._chance(0.4):
                made["dynamic"] = self._random.choice(("true", "false", "strict"))
            if self._chance(0.1):
                made["enabled"] = False
            return made
        made = self._leaf(self._random.choice(_TYPES))
        if made["type"] in {"keyword", "text"} and self._chance(0.3):
            made["fields"] = {"sub": self._leaf(self._random.choice(("keyword", "text")))}
        if made["type"] in _COPIED and self._chance(0.25):
            made["copy_to"] = self._random.choice(("a", "copied", "deep.copied"))
        return made

    def _leaf(self, kind: str) -> dict[str, Any]:
        made: dict[str, Any] = {"type": kind}
        if kind == "keyword" and self._chance(0.3):
            made["ignore_above"] = self._random.choice((4, 10))
        if kind == "keyword" and self._chance(0.2):
            made["normalizer"] = "lowercase"
        if kind not in {"keyword", "text", "boolean"} and self._chance(0.25):
            made["ignore_malformed"] = True
        if kind in {"long", "integer", "short"} and self._chance(0.2):
            made["coerce"] = False
        nulls = {
            "keyword": "NULL",
            "long": 7,
            "integer": 7,
            "double": 0.5,
            "boolean": False,
            "date": "2026-03-01",
            "ip": "::1",
        }
        if kind in nulls and self._chance(0.25):
            made["null_value"] = nulls[kind]
        if kind == "date" and self._chance(0.4):
            made["format"] = self._random.choice(
                ("yyyy-MM-dd", "dd.MM.yyyy||epoch_second", "yyyy||strict_date_time", "epoch_millis")
            )
        return made

    def _template(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self._add(made, _OPTIONS_OF_A_TEMPLATE)
        if made.get("match") == "^year\\d$":
            made["match_pattern"] = "regex"
        if not made.keys() & {"match", "path_match", "match_mapping_type", "unmatch_mapping_type"} and self._chance(
            0.9
        ):
            made["match"] = "*"
        kind = self._random.choice(("{dynamic_type}", *_TYPES, "", ""))
        mapping: dict[str, Any] = self._leaf(kind) if kind else {}
        mapping.pop("null_value", None)  # nulls that were there before the field was mapped stay without a value
        if "object" in str(made.get("match_mapping_type")):
            mapping = self._random.choice(
                ({"type": "object"}, {"dynamic": "false"}, {"enabled": False, "type": "object"})
            )
        elif kind == "keyword" and self._chance(0.2):
            mapping["fields"] = {"{name}": {"type": "text"}}
        return made | {"mapping": mapping}

    def _document(self, depth: int) -> Source:
        made: Source = {}
        for _ in range(self._random.randint(1, 3 if depth else 4)):
            name = ".".join(self._random.choice(_NAMES) for _ in range(self._random.choice((1, 1, 1, 1, 2, 3))))
            made[name] = self._value(name.rpartition(".")[2], depth)
        return made

    def _value(self, name: str, depth: int) -> Any:
        if depth < 3 and self._chance(0.15):
            return [self._value(name, depth + 1) for _ in range(self._random.choice((0, 1, 2, 3)))]
        habit = self._habits[name] if self._chance(0.95) else self._random.choice(_HABITS)
        if habit == "object":
            return self._document(depth + 1) if depth < 3 else {}
        return self._random.choice(_VALUES[habit])
