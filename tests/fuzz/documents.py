"""Random awkward documents, made from a seed, and the mapping they are made for.

Which single values a field takes is not written down here: the node is asked first (`probes`), and what it takes is
what documents are made of (`Documents`). So nearly all documents are taken, and some are refused for one bad value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from fuzz import pools

__all__ = ["MAPPINGS", "SETTINGS", "Documents", "Probe", "iso", "probes"]

Source = dict[str, Any]
Probe = tuple[str, Any]
"""A field and one raw value for it."""

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_TEXT_BESIDE = {"text": {"type": "text"}, "caseless": {"type": "keyword", "normalizer": "lowercase"}}
_MULTIPLE_FORMATS = "yyyy/MM/dd HH:mm:ss||dd.MM.yyyy||epoch_millis"

SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "number_of_replicas": 0,
    "refresh_interval": "-1",
    "index.mapping.total_fields.limit": 3000,
}

MAPPINGS: dict[str, Any] = {
    "dynamic": "true",
    "dynamic_templates": [
        {
            "addresses": {
                "match_mapping_type": "string",
                "match": "*_ip",
                "mapping": {"type": "ip", "ignore_malformed": True},
            }
        },
        {"counts": {"match_mapping_type": "long", "path_match": "open.count.*", "mapping": {"type": "integer"}}},
        {
            "years": {
                "match_pattern": "regex",
                "match": "^year[0-9]+$",
                "mapping": {"type": "keyword", "ignore_above": 4},
            }
        },
        {
            "plain": {
                "match_mapping_type": "string",
                "path_match": "open.plain.*",
                "path_unmatch": "*.rich",
                "mapping": _KEYWORD,
            }
        },
        {"named": {"match": "by_*", "mapping": {"type": "{dynamic_type}", "index": True}}},
    ],
    "properties": {
        "@timestamp": {"type": "date"},
        "event": {
            "properties": {
                "category": _KEYWORD,
                "code": _KEYWORD,
                "severity": {"type": "long"},
                "risk_score": {"type": "double"},
                "created": {"type": "date"},
                "start": {"type": "date", "format": "yyyy-MM-dd HH:mm:ss"},
                "epoch": {"type": "date", "format": "epoch_second"},
                "several": {"type": "date", "format": _MULTIPLE_FORMATS},
                "basic": {"type": "date", "format": "basic_date"},
                "optional": {"type": "date", "format": "strict_date_optional_time_nanos"},
                "lenient": {"type": "date", "ignore_malformed": True},
                "nanos": {"type": "date_nanos"},
                "null_date": {"type": "date", "null_value": "2026-03-01"},
            }
        },
        "process": {
            "properties": {
                "name": _KEYWORD | {"fields": _TEXT_BESIDE},
                "args": _KEYWORD,
                "command_line": {"type": "keyword", "ignore_above": 40, "fields": {"text": {"type": "text"}}},
                "executable": _KEYWORD | {"fields": _TEXT_BESIDE, "copy_to": "paths"},
                "pid": {"type": "long"},
                "parent": {
                    "properties": {
                        "name": _KEYWORD,
                        "pid": {"type": "long"},
                        "executable": _KEYWORD | {"copy_to": "paths"},
                    }
                },
            }
        },
        "paths": {"type": "keyword"},
        "message": {"type": "text"},
        "note": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 16}}},
        "email": {"type": "keyword", "normalizer": "lowercase", "ignore_above": 20},
        "tags": {"type": "keyword", "ignore_above": 8},
        "null_tag": {"type": "keyword", "null_value": "NULL"},
        "number": {
            "properties": {
                "long": {"type": "long"},
                "integer": {"type": "integer"},
                "short": {"type": "short"},
                "byte": {"type": "byte"},
                "strict": {"type": "integer", "coerce": False},
                "lenient": {"type": "long", "ignore_malformed": True},
                "null": {"type": "long", "null_value": 7},
                "plain": {"type": "long", "index": False},
                "double": {"type": "double"},
                "float": {"type": "float"},
                "half": {"type": "half_float"},
            }
        },
        "flag": {"type": "boolean"},
        "null_flag": {"type": "boolean", "null_value": True},
        "source": {"properties": {"ip": {"type": "ip"}, "port": {"type": "integer"}}},
        "destination": {"properties": {"ip": {"type": "ip", "ignore_malformed": True}, "port": {"type": "long"}}},
        "host": {"properties": {"ip": {"type": "ip", "null_value": "::1"}, "name": _KEYWORD}},
        "src_ip": {"type": "alias", "path": "source.ip"},
        "image": {"type": "alias", "path": "process.name"},
        "seen": {"type": "alias", "path": "event.created"},
        "unindexed": {"type": "keyword", "index": False},
        "without_values": {"type": "keyword", "doc_values": False},
        "neither": {"type": "keyword", "index": False, "doc_values": False},
        "closed": {"dynamic": "false", "properties": {"name": _KEYWORD, "inner": {"properties": {"code": _KEYWORD}}}},
        "off": {"type": "object", "enabled": False},
        "strict": {"dynamic": "strict", "properties": {"name": _KEYWORD}},
        "open": {"properties": {"known": _KEYWORD}},
    },
}

_TEXTS = (*pools.NAMES, *pools.TAGS, *pools.PATHS)
_POOLS: dict[str, Sequence[Any]] = {
    "@timestamp": pools.DATES["default"],
    "event.category": ("network", "process", "file", "Network", "session"),
    "event.code": pools.CODES,
    "event.severity": pools.NUMBERS,
    "event.risk_score": pools.FRACTIONS,
    "event.created": pools.DATES["default"],
    "event.start": pools.DATES["yyyy-MM-dd HH:mm:ss"],
    "event.epoch": pools.DATES["epoch_second"],
    "event.several": pools.DATES[_MULTIPLE_FORMATS],
    "event.basic": pools.DATES["basic_date"],
    "event.optional": pools.DATES["strict_date_optional_time_nanos"],
    "event.lenient": pools.DATES["default"],
    "event.nanos": pools.DATES["nanos"],
    "event.null_date": pools.DATES["default"],
    "process.name": pools.NAMES,
    "process.args": (*pools.NAMES, *pools.TAGS, *pools.COMMANDS, *pools.CODES),
    "process.command_line": pools.COMMANDS,
    "process.executable": pools.PATHS,
    "process.pid": pools.NUMBERS,
    "process.parent.name": pools.NAMES,
    "process.parent.pid": pools.NUMBERS,
    "process.parent.executable": pools.PATHS,
    "message": (*pools.SENTENCES, *pools.WORDS, 5, True, 1.5),
    "note": (*pools.SENTENCES, *pools.WORDS, *pools.TAGS),
    "email": pools.EMAILS,
    "tags": pools.TAGS,
    "null_tag": (*pools.TAGS, "NULL"),
    "number.long": pools.NUMBERS,
    "number.integer": pools.NUMBERS,
    "number.short": pools.NUMBERS,
    "number.byte": pools.NUMBERS,
    "number.strict": pools.NUMBERS,
    "number.lenient": pools.NUMBERS,
    "number.null": pools.NUMBERS,
    "number.plain": pools.NUMBERS,
    "number.double": pools.FRACTIONS,
    "number.float": pools.FRACTIONS,
    "number.half": pools.FRACTIONS,
    "flag": pools.BOOLEANS,
    "null_flag": pools.BOOLEANS,
    "source.ip": (*pools.ADDRESSES, *pools.BAD_ADDRESSES),
    "source.port": pools.NUMBERS,
    "destination.ip": (*pools.ADDRESSES, *pools.BAD_ADDRESSES),
    "destination.port": pools.NUMBERS,
    "host.ip": (*pools.ADDRESSES, *pools.BAD_ADDRESSES),
    "host.name": pools.NAMES,
    "unindexed": pools.TAGS,
    "without_values": pools.TAGS,
    "neither": pools.TAGS,
    "closed.name": pools.NAMES,
    "closed.inner.code": pools.CODES,
    "closed.unmapped": pools.NAMES,
    "off.anything": (*_TEXTS, {"a": [1, {"b": "x"}]}, [[]], 5),
    "strict.name": pools.NAMES,
    "open.known": pools.NAMES,
}
_DYNAMIC: dict[str, Sequence[Any]] = {
    "open.text": (*pools.NAMES, *pools.WORDS),
    "open.long": (0, 1, 2, 443, 9223372036854775807, -5, "7", 1.5),
    "open.fraction": (0.5, 1.5, 3.0, 1e10, 2),
    "open.flag": (True, False, "true"),
    "open.date": ("2026-03-01", "2026-03-01T10:00:00Z", "2026-03", 1772359200000),
    "open.slashed": ("2026/03/01", "2026/03/01 10:00:00", "2026/02/28"),
    "open.not_date": ("2026-3-1", "20260301", "1772359200000", "12:00"),
    "open.src_ip": (*pools.ADDRESSES, "abc"),
    "open.count.a": (1, 2, 3),
    "open.count.b": (1, 2.5, "3"),
    "open.plain.word": (*pools.WORDS, *pools.TAGS),
    "open.plain.rich": pools.WORDS,
    "open.plain.number": (1, 5),
    "open.year2026": (*pools.TAGS, 12345, 1234),
    "open.by_kind": (True, False),
    "open.by_long": (1, 2, 3),
    "open.deep.er.still": pools.NAMES,
    "by_root": (1.5, 2.5, 3),
    "anything": (*pools.NAMES, *pools.CODES),
    "open.mixed": ("a", "b", 5, True, 1.5),
}
_FRESH = ("@timestamp", "event.created", "event.null_date", "event.nanos", "event.optional")
"""Date fields that also have moments near the node's clock."""
_SPOILERS: tuple[Source, ...] = (
    {"process": "text"},
    {"process": {"name": {"inner": "x"}}},
    {"process.name.text": "x"},
    {"process.name.inner": "x"},
    {"strict": {"unknown": 1}},
    {"strict.unknown": None},
    {"strict.unknown": []},
    {"closed.name": {"a": 1}},
    {"closed": 5},
    {"src_ip": "10.0.0.1"},
    {"": "x"},
    {"a..b": "x"},
    {".a": "x"},
    {"a.": "x"},
    {" ": "x"},
    {"open": {"": 1}},
    {"open": {"x": {"..": 1}}},
    {"host": [{"name": "a"}, 5]},
    {"host": [[{"name": "nested list"}]]},
    {"host": [None, {"name": "beside null"}]},
    {"unindexed": "x" * 40000},
    {"without_values": "x" * 32767},
    {"without_values": "é" * 16383},
    {"note": "x" * 40000},
    {"process": {"args": {}}},
    {"process": {"args": [{}]}},
    {"number": {"long": {}}},
    {"_id": "x"},
    {"_source": {"a": 1}},
    {"_index": "x"},
    {"open": {"_id": "x"}},
    {"off": "text"},
    {"off": ["a", {"b": 1}]},
    {"paths": "own"},
    {"message": ["a", {"b": 1}]},
    {"event": {"created": [[["2026-03-01"], "2026-03-02"], None]}},
    {"open": {"list": [[1, 2], [3]]}},
    {"open": {"deep": {"er": "a scalar where an object is"}}},
    {"open": {"text": {"an": "object where a scalar is"}}},
    {"open.known.below": 1},
    {"open": [{"a": 1}, {"a": "text"}]},
    {"open": {"z": {"y": {"x": {"w": {"v": {"u": {"t": 1}}}}}}}},
    {".".join("abcdefghijklmnopqrstu"): 1},
)


def probes() -> Iterator[Probe]:
    """Every field with every value that documents might have in it."""
    for field, values in _POOLS.items():
        yield from ((field, value) for value in values)


class Documents:
    """Documents from a seed.

    Args:
        seed: the same seed makes the same documents.
        taken: field -> the values that the node takes in it.
        refused: the probes that it does not take.
        now_ms: a moment near which some of the dates are.
    """

    def __init__(self, seed: int, taken: Mapping[str, Sequence[Any]], refused: Sequence[Probe], now_ms: int) -> None:
        self._random = Random(f"documents {seed}")
        self._taken = {field: list(values) for field, values in taken.items() if values}
        self._refused = list(refused)
        self._now = now_ms

    def make(self, number: int) -> dict[str, Source]:
        """Id -> document; about one in thirty is made to be refused, or to be on the edge of it."""
        return {f"d{each}": self._document(each) for each in range(number)}

    def _document(self, each: int) -> Source:
        random = self._random
        wealth = random.choice((0.1, 0.3, 0.5, 0.8))
        fields = [field for field in self._taken if random.random() < wealth]
        flat = {field: self._value(field) for field in fields}
        for field, values in _DYNAMIC.items():
            if random.random() < wealth / 2:
                flat[field] = self._shaped(partial(random.choice, values))
        if self._refused and random.random() < 0.015:
            field, value = random.choice(self._refused)
            flat[field] = value
        source = self._nested(flat)
        if random.random() < 0.03:
            source = source | _SPOILERS[each % len(_SPOILERS)]
        return source

    def _value(self, field: str) -> Any:
        values = self._taken[field]
        if field in _FRESH and self._random.random() < 0.5:
            return self._shaped(lambda: self._moment(field))
        # Some members of a pool are everywhere, some are rare.
        few = values[:: max(1, len(values) // 7)]
        return self._shaped(lambda: self._random.choice(few if self._random.random() < 0.4 else values))

    def _shaped(self, draw: Callable[[], Any]) -> Any:
        """A value as documents have it: mostly alone, but also in lists, or not there at all."""
        random = self._random
        shape = random.random()
        if shape < 0.6:
            return draw()
        if shape < 0.65:
            return random.choice((None, [], [None], [[]], [None, None]))
        if shape < 0.7:
            return [draw()]
        if shape < 0.75:
            return [draw(), None, [draw()]]
        if shape < 0.78:
            return [value := draw(), value]
        return [draw() for _ in range(random.choice((2, 2, 3, 5)))]

    def _moment(self, field: str) -> Any:
        """A moment of the last days, or soon to come, some minutes off every round distance from now."""
        random = self._random
        minutes = random.choice(
            (-30, 3, 7, 13, 33, 95, 24 * 60 - 25, 24 * 60 + 25, 3 * 24 * 60 + 25, 40 * 24 * 60 + 25)
        )
        moment = self._now - minutes * 60_000 + random.randrange(1000)
        if random.random() < 0.2 and field != "event.optional":
            return moment
        return iso(moment) if random.random() < 0.8 else iso(moment + 7_200_000).replace("Z", "+02:00")

    def _nested(self, flat: Mapping[str, Any]) -> Source:
        """Keys of one document as nested objects, as dotted keys beside them, and as lists of objects."""
        random = self._random
        style = random.random()
        root: Source = {}
        for field, value in flat.items():
            *outer, name = field.split(".")
            at = root
            while outer:
                if style < 0.3 and random.random() < 0.3:
                    break
                at = at.setdefault(outer.pop(0), {})
            at[".".join([*outer, name])] = value
        if style > 0.8:
            for name, value in root.items():
                if isinstance(value, dict) and len(value) > 1 and name != "off" and random.random() < 0.5:
                    root[name] = self._split(value)
        return root

    def _split(self, value: Source) -> list[Source | None]:
        parts: list[Source | None] = [{}, {}]
        for key, inner in value.items():
            parts[self._random.randrange(2)][key] = inner  # type: ignore[index]
        return [*parts, None] if self._random.random() < 0.2 else parts


def iso(moment: int) -> str:
    """A moment in milliseconds since 1970 as text."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"
