"""Names of indices, and expressions that stand for several of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["check_index_name", "is_match", "is_overlap", "is_text", "split"]

_LONGEST_NAME = 255
"""Bytes."""
_FORBIDDEN = frozenset('\\/*?"<>|:,# ')


def check_index_name(name: str) -> None:
    """Take the names that Elasticsearch takes.

    Raises:
        StoreRejected: it does not (invalid_index_name_exception).
    """
    problem = (
        "it is empty" * (not name)
        or "it has half a surrogate pair" * (not is_text(name))
        or "it has upper-case letters" * (name != name.lower())
        or "it begins with _, - or +" * name.startswith(("_", "-", "+"))
        or "it is a folder" * (name in (".", ".."))
        or f"it has one of {''.join(sorted(_FORBIDDEN))}" * bool(_FORBIDDEN & set(name))
        or f"it is longer than {_LONGEST_NAME} bytes" * (len(name.encode()) > _LONGEST_NAME)
    )
    if problem:
        raise StoreRejected(f'"{name}" cannot be the name of an index: {problem}. Choose another name.')


def is_text(name: str) -> bool:
    """Whether it can be written down: half a surrogate pair, which JSON can say, cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def split(expressions: Iterable[str]) -> Iterator[str]:
    """The single parts of index expressions, which may have commas.

    Raises:
        Unsupported: one has date math or names a remote cluster.
    """
    for expression in expressions:
        for part in expression.split(","):
            if part.startswith("<") or ":" in part:
                raise Unsupported(
                    f'The index expression "{part}" has date math or a remote cluster in it, which the embedded store '
                    "has not. Write a name or a pattern with *."
                )
            if part:
                yield part


def is_match(name: str, pattern: str) -> bool:
    """Whether a name is what a pattern with `*` says."""
    first, *middle = pattern.split("*")
    if not middle:
        return name == pattern
    last = middle.pop()
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    place, end = len(first), len(name) - len(last)
    for part in middle:
        place = name.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def is_overlap(one: str, other: str) -> bool:
    """Whether some name is what both patterns say."""
    places = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while places:
        at = places.pop()
        if at == (len(one), len(other)):
            return True
        if at in seen:
            continue
        seen.add(at)
        first, second = at
        here, there = one[first : first + 1], other[second : second + 1]
        if here == "*":
            places |= {(first + 1, second)} | ({(first, second + 1)} if there else set())
        if there == "*":
            places |= {(first, second + 1)} | ({(first + 1, second)} if here else set())
        if here == there != "*" and here:
            places.add((first + 1, second + 1))
    return False
