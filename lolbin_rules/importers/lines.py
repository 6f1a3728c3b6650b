"""The lines of a text, numbered, in batches; a line without end is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from lolbin_rules.importers.blocks import Damaged

__all__ = ["LONGEST_LINE", "Batch", "batches"]

LONGEST_LINE: Final = 100 << 20
"""Bytes: Elasticsearch refuses documents beyond that by default (`http.max_content_length`)."""

Batch: TypeAlias = tuple[int, list[bytes | None]]
"""The number of the first line (1-based) and the lines, without their ends; None for one that is too long."""


def batches(text: Iterator[bytes], longest: int = LONGEST_LINE) -> Iterator[Batch]:
    """The lines of the blocks, as many at a time as a block completes.

    Raises:
        Damaged: as `text` does, after the line that it broke off in.
    """
    number = 1
    lines: list[bytes | None]
    begun: list[bytes] = []
    length = 0
    damage: Damaged | None = None
    try:
        for block in text:
            *ended, rest = block.split(b"\n")
            if ended:
                begun.append(ended[0])
                lines = _bounded(ended, longest) if len(block) > longest else [*ended]
                lines[0] = b"".join(begun) if length + len(ended[0]) <= longest else None
                yield number, lines
                number += len(lines)
                begun.clear()
                length = 0
            length += len(rest)
            if length <= longest:
                begun.append(rest)
            else:
                begun.clear()
    except Damaged as found:
        damage = found
    if length:
        yield number, [b"".join(begun) if length <= longest else None]
    if damage:
        raise damage


def _bounded(lines: list[bytes], longest: int) -> list[bytes | None]:
    return [line if len(line) <= longest else None for line in lines]
