"""Documents for comparisons of KQL: few fields, with values that KQL has to be careful about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

__all__ = ["ABSENT", "DATES", "FIELDS", "KEYWORDS", "MAPPINGS", "NETWORKS", "WORDS", "Document", "Documents", "values"]

Document = Mapping[str, Any]

FIELDS: Final[Mapping[str, str]] = {
    "process.name": "keyword",
    "process.args": "keyword",
    "process.pid": "long",
    "file.path": "keyword",
    "file.hash.md5": "keyword",
    "file.hash.sha1": "keyword",
    "message": "text",
    "source.ip": "ip",
    "is_signed": "boolean",
    "@timestamp": "date",
}
KEYWORDS: Final = tuple(name for name, kind in FIELDS.items() if kind == "keyword")
ABSENT: Final = ("nothing.here", "process.nothing")
"""Fields that no index has."""

NETWORKS: Final = ("10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24", "0.0.0.0/1", "fe80::/10", "2001:db8::/32", "::/0")
WORDS: Final = (
    "access",
    "denied",
    "for",
    "user",
    "admin",
    "or",
    "and",
    "not",
    "443",
    "powershell.exe",
    "Caf\u00e9",
    "true",
)
DATES: Final = (
    "2026-11-21",
    "2026-11-22",
    "2026-11-22T10",
    "2026-11-22T10:15",
    "2026-11-22T10:15:30",
    "2026-11",
    "2026",
)

_TEXTS: Final[Mapping[str, Sequence[str]]] = {
    "process.name": (
        *(
            "regsvr32.exe",
            "REGSVR32.EXE",
            "Regsvr32.exe",
            "cmd.exe",
            "cmd exe",
            "cannot open.exe",
            "a*b.exe",
            "axb.exe",
        ),
        *(
            "a?b.exe",
            "a?b.exe",
            "a?c.exe",
            "axc.exe",
            "or",
            "not",
            "true",
            "443",
            "r\u00e9g.exe",
            "R\u00c9G.exe",
            "(x86).exe",
            "x:y.exe",
            "{1}",
        ),
    ),
    "process.args": (
        *("-enc", "/c", "/s", "salt and pepper", "salt or pepper", "not now", "a\tb", 'say "hi"', "<tag>", "-", ""),
        *("http://x.example/a?b=c&d=*", "--flag=true", " padded ", "a\\*b", "\\", "\u00a0", "null"),
    ),
    "file.path": (
        *(
            "C:\\Windows\\System32\\cmd.exe",
            "C:\\Windows\\Temp\\new.exe",
            "c:\\windows\\temp\\new.exe",
            "C:\\Program Files\\a.exe",
        ),
        *("/usr/bin/id", "/tmp/a b/c", "\\\\host\\share\\x.dll", "C:\\Temp\\n", "D:\\*.*", "C:Windows"),
    ),
    "file.hash.md5": ("aa11", "bb22", "cc33", "AA11"),
    "file.hash.sha1": ("aa11", "dd44", "ee55"),
    "source.ip": ("10.0.0.1", "10.1.2.3", "192.168.0.7", "8.8.8.8", "203.0.113.9", "fe80::1", "2001:db8::5", "::1"),
}
_TIMES: Final = (
    *("2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z", "2026-11-22T10:15:30Z", "2026-11-22T10:15:31Z"),
    *("2026-11-22T10:59:59Z", "2026-11-22T11:00:00Z", "2026-12-01T00:00:00Z", "2025-12-31T23:59:59Z"),
)

MAPPINGS: Final[Mapping[str, Any]] = {
    "dynamic": False,
    "properties": {
        **{name: {"type": kind} for name, kind in FIELDS.items()},
        "dll": {"type": "nested", "properties": {"name": {"type": "keyword"}, "size": {"type": "long"}}},
    },
}


class Documents:
    """Makes documents, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def make(self, number: int) -> dict[str, Document]:
        """So many, by their ids."""
        return {f"d{at}": self._document() for at in range(number)}

    def _document(self) -> Document:
        random = self._random
        found: dict[str, Any] = {}
        for name in FIELDS:
            if random.random() < 0.2:
                continue
            several = [self._value(name) for _ in range(random.choice((1, 1, 1, 2, 3)))]
            found[name] = several[0] if len(several) == 1 else several
        if random.random() < 0.6:
            found["dll"] = [self._dll() for _ in range(random.choice((1, 2, 2)))]
        return found

    def _dll(self) -> Document:
        return {"name": self._random.choice(("a.dll", "b.dll", "c.dll")), "size": self._random.randrange(4)}

    def _value(self, name: str) -> Any:
        random = self._random
        match FIELDS[name]:
            case "long":
                return random.choice((0, 4, 443, 1024, 65536, -1, random.randrange(50)))
            case "boolean":
                return random.random() < 0.5
            case "date":
                return random.choice(_TIMES)
            case "text":
                return " ".join(random.choices(WORDS, k=random.randrange(1, 6)))
        return random.choice(_TEXTS[name])


def values(document: Document, name: str) -> list[Any]:
    """The values of a field of a document."""
    found = document.get(name, [])
    return found if isinstance(found, list) else [found]
