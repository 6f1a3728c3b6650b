"""What reading a file yields: events, and what is none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

__all__ = ["Broken", "Event", "Found", "Read", "document_id", "one_line", "stable_id"]

LONGEST_ID: Final = 512
"""Elasticsearch takes an `_id` of so many bytes."""
LONGEST_REASON: Final = 300

Read: TypeAlias = Callable[[int], None]
"""Told of every further byte of a file (as it lies on the disk) that was read."""


@dataclass(slots=True)  # not frozen: there are many, and that makes each of them several times slower
class Event:
    """One event as it will be stored.

    Attributes:
        index: the index it goes to.
        id: its `_id` there; the same whenever the same file is read.
        raw: the JSON text to be stored, in UTF-8.
        source: the same, parsed.
        place: where it was found: `file:line`, or `file:record` for an event log.
    """

    index: str
    id: str
    raw: bytes
    source: dict[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A line or record that is no event.

    Attributes:
        place: `file:line`, `file:record`, or the file alone where the rest of it is lost.
        reason: what was found, and what follows from it.
    """

    place: str
    reason: str


Found: TypeAlias = Iterator[Event | Broken]


def stable_id(*parts: str | bytes) -> str:
    """An `_id` for what has none: the same for the same parts."""
    data: list[bytes] = []
    for part in parts:
        raw = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        data += len(raw).to_bytes(8, "big"), raw
    return hashlib.blake2b(b"".join(data), digest_size=16).hexdigest()


def document_id(value: Any) -> str | None:
    """A value as an `_id`: a text that is not empty or a number, else None; what is too long for an id is hashed."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    return value if len(value.encode()) <= LONGEST_ID else stable_id(value)


def one_line(error: BaseException) -> str:
    """The words of somebody else's error, for a reason."""
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."
