"""Intervals of numbers in regular expressions, such as `<1-100>`, as nodes."""

from __future__ import annotations

from lolbin_rules.dsl.regexp_nodes import Node, Nodes

__all__ = ["numbers_between"]


def numbers_between(nodes: Nodes, low: int, high: int, *, digits: int) -> Node:
    """The numbers from `low` to `high` in so many digits; 0: in any number of digits, with zeros before or without."""
    if digits:
        return _between(nodes, str(low).zfill(digits), str(high).zfill(digits))
    zeros = nodes.repetition(nodes.text("0"), 0, None)
    lengths = range(len(str(low)), len(str(high)) + 1)
    parts = [_between(nodes, *_of_length(length, low, high)) for length in lengths]
    return nodes.concatenation(zeros, nodes.union(parts))


def _of_length(length: int, low: int, high: int) -> tuple[str, str]:
    shortest, longest = (10 ** (length - 1) if length > 1 else 0), 10**length - 1
    return str(max(low, shortest)), str(min(high, longest))


def _between(nodes: Nodes, low: str, high: str) -> Node:
    """The texts of digits between two of the same length, one digit after the other."""
    if not low:
        return nodes.empty
    if low[0] == high[0]:
        return nodes.concatenation(nodes.text(low[0]), _between(nodes, low[1:], high[1:]))
    inner = _digits(nodes, chr(ord(low[0]) + 1), chr(ord(high[0]) - 1))
    return nodes.union(
        [
            nodes.concatenation(nodes.text(low[0]), _at_least(nodes, low[1:])),
            nodes.concatenation(inner, _any(nodes, len(low) - 1)),
            nodes.concatenation(nodes.text(high[0]), _at_most(nodes, high[1:])),
        ]
    )


def _at_least(nodes: Nodes, low: str) -> Node:
    if not low:
        return nodes.empty
    larger = nodes.concatenation(_digits(nodes, chr(ord(low[0]) + 1), "9"), _any(nodes, len(low) - 1))
    return nodes.union([nodes.concatenation(nodes.text(low[0]), _at_least(nodes, low[1:])), larger])


def _at_most(nodes: Nodes, high: str) -> Node:
    if not high:
        return nodes.empty
    smaller = nodes.concatenation(_digits(nodes, "0", chr(ord(high[0]) - 1)), _any(nodes, len(high) - 1))
    return nodes.union([nodes.concatenation(nodes.text(high[0]), _at_most(nodes, high[1:])), smaller])


def _digits(nodes: Nodes, low: str, high: str) -> Node:
    return nodes.characters([(ord(low), ord(high))]) if low <= high else nodes.nothing


def _any(nodes: Nodes, count: int) -> Node:
    return nodes.repetition(_digits(nodes, "0", "9"), count, count)
