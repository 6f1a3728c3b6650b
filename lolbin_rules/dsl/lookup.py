"""One column made ready for questions: which codes stand for a value, which rows have a code, which codes pass."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.caseless import fold
from lolbin_rules.dsl.clause import OneOf, Test
from lolbin_rules.dsl.clause_graph import Kind, Node
from lolbin_rules.dsl.column import ABSENT, Codes, Column, Numbers, Places, Rows, Texts, entries_of
from lolbin_rules.dsl.field import Value
from lolbin_rules.dsl.needles import Haystack
from lolbin_rules.dsl.predicates import Between, Caseless

__all__ = ["Lookup"]

Flags = npt.NDArray[np.bool_]
CodeList = npt.NDArray[np.uint32]
"""Codes, each once, ascending."""

_UNASKED = 2
"""In a table of answers: this entry of the dictionary was not asked yet."""
_FEW = 64
_CHARACTERS_PER_QUESTION = 4000
"""How far a search through all texts gets while one value is tested."""
_MANY_CODES = 32
_SMALL = 1 << 14
"""Entries of a dictionary of texts that are kept as Python objects while its column is in use."""
_QUICK = 1 << 17
"""Characters that are searched so quickly that it need not be put off until other conjuncts have left few rows."""


class Lookup:
    """What has been found out about a column so far."""

    def __init__(self, column: Column) -> None:
        self.codes: Codes = column.codes
        self._dictionary = column.dictionary
        self._answers: dict[Node, npt.NDArray[np.uint8]] = {}
        self._needles: dict[str, Places] = {}
        self._tables: dict[Node, Flags] = {}
        self._found: dict[Node, CodeList] = {}

    @property
    def entries(self) -> int:
        """How many entries its dictionary has, the absent one included."""
        return len(self._dictionary)

    @cached_property
    def counts(self) -> npt.NDArray[np.intp]:
        """How many rows have each code."""
        return np.bincount(self.codes, minlength=self.entries)

    @property
    def kept_bytes(self) -> int:
        """How much memory the answers of nodes take."""
        kept = (*self._answers.values(), *self._tables.values(), *self._found.values())
        return sum(array.nbytes for array in kept)

    def forget(self) -> None:
        """Let go of the answers of nodes."""
        self._answers.clear()
        self._tables.clear()
        self._found.clear()

    def count(self, node: Node) -> int:
        """How many rows pass a node that asks this field only."""
        return int(self.counts[self.found(node)].sum())

    def found(self, node: Node) -> CodeList:
        """The codes that pass a node that asks this field only."""
        if node.is_heavy:
            return self.passing(node, np.arange(self.entries)).nonzero()[0].astype(np.uint32)
        if node.leaf is None:
            return self.table(node).nonzero()[0].astype(np.uint32)
        codes = self._found.get(node)
        if codes is None:
            codes = self._found[node] = self._look_up(node.leaf.test)
        return codes

    def table(self, node: Node) -> Flags:
        """For every code whether it passes a node that asks this field only and is not heavy."""
        table = self._tables.get(node)
        if table is None:
            table = self._new_table(node)
            if node.children and node.parents > 1:
                self._tables[node] = table
        return table

    def passing(self, node: Node, codes: Places) -> Flags:
        """Which of the codes pass a node that asks this field only."""
        if not node.is_heavy:
            return self.table(node)[codes]
        match node.kind:
            case Kind.LEAF:
                return self._asked(node, codes)
            case Kind.NOT:
                return ~self.passing(node.children[0], codes)
            case Kind.EVERY:
                return self._every(node, codes)
            case _:
                return self._at_least(node, codes)

    def is_quick(self, node: Node) -> bool:
        """Whether asking about all entries at once takes hardly longer than a lookup."""
        return self.entries <= _SMALL and _has_needles(node) and self._haystack.length <= _QUICK

    def rows_of(self, codes: CodeList) -> Rows:
        """The rows that have one of the codes."""
        order, starts = self._postings
        if len(codes) > _MANY_CODES and int(codes[-1]) - int(codes[0]) >= len(codes):
            table = np.zeros(self.entries, dtype=np.bool_)
            table[codes] = True
            return table[self.codes].nonzero()[0].astype(np.uint32)
        if len(codes) > _MANY_CODES:
            return np.sort(order[starts[codes[0]] : starts[codes[-1] + 1]])
        pieces = [order[starts[code] : starts[code + 1]] for code in codes.tolist()]
        if len(pieces) == 1:
            return pieces[0]
        rows = np.concatenate(pieces) if pieces else np.zeros(0, np.uint32)
        rows.sort()
        return rows

    def _new_table(self, node: Node) -> Flags:
        if node.kind is Kind.NOT:
            return ~self.table(node.children[0])
        if node.kind is Kind.EVERY:
            flags: Flags = np.logical_and.reduce([self.table(child) for child in node.children])
            return flags
        if node.kind is Kind.AT_LEAST:
            times = np.zeros(self.entries, dtype=np.uint16)
            for child in node.children:
                times += self.table(child)
            return times >= node.number
        table: Flags = np.zeros(self.entries, dtype=np.bool_)
        table[self.found(node)] = True
        return table

    def _look_up(self, test: Test) -> CodeList:
        match test:
            case OneOf(values):
                return _code_list(code for value in values for code in self._codes_of(value))
            case Caseless(folded):
                return _code_list(code for text in folded for code in self._folded.get(text, ()))
            case Between(low, high):
                return self._between(low, high)
            case _:  # it asks for nothing but values
                return np.arange(1, self.entries, dtype=np.uint32)

    def _between(self, low: float, high: float) -> CodeList:
        if isinstance(self._dictionary, Numbers):
            codes = self._dictionary.span(low, high)
            return np.arange(codes.start, codes.stop, dtype=np.uint32)
        values, codes_of = self._ascending
        return np.unique(codes_of[bisect_left(values, low) : bisect_right(values, high)])

    def _codes_of(self, value: Value) -> Sequence[int]:
        if isinstance(self._dictionary, Numbers) or (isinstance(self._dictionary, Texts) and self.entries > _SMALL):
            code = self._dictionary.find(value)
            return () if code == ABSENT else (code,)
        return self._places.get(value, ())

    def _every(self, node: Node, codes: Places) -> Flags:
        flags = np.ones(len(codes), dtype=np.bool_)
        for child in sorted(node.children, key=lambda child: child.is_heavy):
            flags[flags] = self.passing(child, codes[flags])
        return flags

    def _at_least(self, node: Node, codes: Places) -> Flags:
        missing = np.full(len(codes), node.number)
        for child in sorted(node.children, key=lambda child: child.is_heavy):
            open_ones = (missing > 0).nonzero()[0]
            missing[open_ones] -= self.passing(child, codes[open_ones])
        return missing <= 0

    def _asked(self, node: Node, codes: Places) -> Flags:
        """Ask the test of a leaf about those of the values that it was not asked about before."""
        assert node.leaf is not None  # noqa: S101 - leaves have one; this tells the type checker
        answers = self._answers.get(node)
        if answers is None:
            answers = self._answers[node] = np.full(self.entries, _UNASKED, dtype=np.uint8)
            answers[ABSENT] = False
        unasked = codes[answers[codes] == _UNASKED]
        if len(unasked):
            likely = self._likely(node.needle, unasked)
            answers[unasked] = False
            answers[likely] = [*map(node.leaf.test.holds, entries_of(self._dictionary, likely))]
        return answers[codes].view(np.bool_)

    def _likely(self, needle: str | None, codes: Places) -> Places:
        """Those of the codes that may pass: all, unless a search for the needle is quicker than asking them."""
        if needle is None or len(codes) < _FEW:
            return codes
        if len(codes) * _CHARACTERS_PER_QUESTION < self._haystack.length:
            return codes
        found = self._needles.get(needle)
        if found is None:
            found = self._needles[needle] = self._haystack.codes_with(needle)
        return np.intersect1d(found, codes, assume_unique=True)

    @cached_property
    def _haystack(self) -> Haystack:
        return Haystack(self._dictionary)

    @cached_property
    def _places(self) -> dict[Value, list[int]]:
        """Each value and the codes of the entries that it is in."""
        places: dict[Value, list[int]] = {}
        for code, values in enumerate(self._dictionary):
            for value in values:
                places.setdefault(value, []).append(code)
        return places

    @cached_property
    def _folded(self) -> dict[str, list[int]]:
        """Each text in lower case (A to Z only) and the codes of the entries that it is in."""
        places: dict[str, list[int]] = {}
        for code, values in enumerate(self._dictionary):
            for value in values:
                places.setdefault(fold(str(value)), []).append(code)
        return places

    @cached_property
    def _ascending(self) -> tuple[list[Any], CodeList]:
        """All values in order, and for each the code of its entry."""
        pairs = sorted((value, code) for code, values in enumerate(self._dictionary) for value in values)
        return [value for value, _ in pairs], np.array([code for _, code in pairs], dtype=np.uint32)

    @cached_property
    def _postings(self) -> tuple[Rows, npt.NDArray[np.intp]]:
        """All rows ordered by code, and where the rows of each code begin."""
        order = np.argsort(self.codes, kind="stable").astype(np.uint32)
        return order, np.concatenate([np.zeros(1, np.intp), self.counts.cumsum()])


def _has_needles(node: Node) -> bool:
    """Whether there is something to search for in place of every question."""
    if node.kind is Kind.LEAF:
        return node.needle is not None or not node.is_heavy
    return all(map(_has_needles, node.children))


def _code_list(codes: Iterable[int]) -> CodeList:
    return np.array(sorted(set(codes)), dtype=np.uint32)
