"""Documents for random EQL queries, and what their index maps."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from lolbin_rules.store.port import UNMAPPED, FieldTypes

__all__ = ["FIELDS", "MAPPINGS", "POOLS", "TYPES", "documents"]

_INDEX: Final = frozenset({"fuzz"})

FIELDS: Final[dict[str, str]] = {
    "event.category": "keyword",
    "process.name": "keyword",
    "process.args": "keyword",
    "path": "text",
    "pid": "long",
    "score": "double",
    "source.ip": "ip",
    "@timestamp": "date",
    "flag": "boolean",
    "gone": UNMAPPED,
    "lost": UNMAPPED,
}
"""Name -> type; `path` has a sub-field `keyword`."""
TYPES: Final = FieldTypes(
    indices={"fuzz": _INDEX},
    types={name: {kind: _INDEX} for name, kind in {**FIELDS, "path.keyword": "keyword"}.items()},
)
MAPPINGS: Final[dict[str, Any]] = {
    "dynamic": "strict",
    "properties": {
        "event": {"properties": {"category": {"type": "keyword"}}},
        "process": {"properties": {"name": {"type": "keyword"}, "args": {"type": "keyword"}}},
        "path": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
        "pid": {"type": "long"},
        "score": {"type": "double"},
        "source": {"properties": {"ip": {"type": "ip"}}},
        "@timestamp": {"type": "date"},
        "flag": {"type": "boolean"},
    },
}

_TEXTS = (
    *("cmd.exe", "CMD.EXE", "Cmd.exe", "certutil.exe", "certutil", "a", "A", "b", "ab", "aB", "abc", "", " ", "a b"),
    *("C:\\Windows\\cmd.exe", "c:\\windows\\CMD.exe", "a*b", "a?b", "*", "?", "a\\b", "\\", "a\nb", "-x", "/c", "/C"),
    *(
        "\u00fcber",
        "\u00dcber",
        "\u212a",
        "k",
        "K",
        "stra\u00dfe",
        "\u0130",
        "i",
        "\u0131",
        "\U0001f600",
        "a\U0001f600b",
    ),
    *(
        "10.0.0.1",
        "5",
        "42",
        "0x2a",
        "true",
        "now",
        "[x]",
        "a.b",
        "a+b",
        "x" * 40,
        "\uffff",
        "\U00010000",
        'a"b',
        "~",
        "@",
    ),
)
_ADDRESSES = (
    "10.0.0.1",
    "10.0.0.2",
    "10.1.2.3",
    "192.168.1.1",
    "8.8.8.8",
    "::1",
    "fe80::1",
    "2001:db8::5",
    "::ffff:10.0.0.1",
)
_DATES = (
    *("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.001Z", "2026-11-22", "2026-11-22T11:00:00+01:00", "2025-01-01"),
    *("1969-12-31T23:59:59.999Z", "2026-11", "2026-11-22T10:00Z"),
)
POOLS: Final[dict[str, tuple[Any, ...]]] = {
    "event.category": ("process", "file", "network"),
    "process.name": _TEXTS,
    "process.args": _TEXTS,
    "path": _TEXTS,
    "pid": (0, 1, -1, 4, 5, 42, 82, 83, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    "score": (0.0, 0.5, -0.5, 1.0, 1.5, 4.5, 41.0, 1e10, 1e-5),
    "source.ip": _ADDRESSES,
    "@timestamp": _DATES,
    "flag": (True, False),
}
_SHARES = {"event.category": 0.95, "process.args": 0.7, "pid": 0.7}
_SEVERAL = {"process.args": 0.6, "pid": 0.1, "source.ip": 0.2, "path": 0.15, "@timestamp": 0.1}


def documents(seed: int, number: int) -> dict[str, dict[str, Any]]:
    """So many documents, under their ids; fields have none, one or several values, in one of several spellings."""
    random = Random(f"eql documents {seed}")
    return {f"d{at}": _document(random) for at in range(number)}


def _document(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, pool in POOLS.items():
        if random.random() > _SHARES.get(name, 0.6):
            if random.random() < 0.1:
                made[name] = random.choice((None, [], [None]))
            continue
        value: Any = random.choice(pool)
        if random.random() < _SEVERAL.get(name, 0.03):
            value = [random.choice(pool) for _ in range(random.choice((1, 2, 3)))]
        outer, dot, inner = name.partition(".")
        if dot and random.random() < 0.5 and not isinstance(made.get(outer), list):
            made.setdefault(outer, {})[inner] = value
        else:
            made[name] = value
    return made
