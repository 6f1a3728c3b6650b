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
from lolbin_rules.dsl.column import ABSENT, Codes, Column, Numbers, Rows, Texts
from lolbin_rules.dsl.field import Value, Values
from lolbin_rules.dsl.needles import Haystack
from lolbin_rules.dsl.predicates import Between, Caseless, Present

__all__ = ["Lookup"]

Flags = npt.NDArray[np.bool_]
CodeList = npt.NDArray[np.intp]

_UNASKED = 2
"""In a table of answers: this entry of the dictionary was not asked yet."""
_FEW = 64
_CHARACTERS_PER_QUESTION = 1000
"""How far a search through all texts gets while one value is tested."""
_SMALL = 1 << 14
"""Entries of a dictionary that are kept as Python objects while its column is in use."""


class Lookup:
    """What has been found out about a column so far."""

    def __init__(self, column: Column) -> None:
        self.codes: Codes = column.codes
        self._dictionary = column.dictionary
        self._answers: dict[Node, npt.NDArray[np.uint8]] = {}
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
        """How much memory the answers of tests take."""
        return sum(answers.nbytes for answers in self._answers.values())

    def forget(self) -> None:
        """Let go of the answers of tests."""
        self._answers.clear()

    def found(self, node: Node) -> CodeList | None:
        """The codes that pass a node, where they can be looked up; None where values have to be asked."""
        codes = self._found.get(node)
        if codes is None and node.leaf is not None:
            codes = self._look_up(node.leaf.test)
            if codes is not None:
                self._found[node] = codes
        return codes

    def passing(self, node: Node, codes: CodeList) -> Flags:
        """Which of the codes pass a node that asks this field only."""
        found = self.found(node)
        if found is not None:
            flags = np.zeros(self.entries, dtype=np.bool_)
            flags[found] = True
            return flags[codes]
        match node.kind:
            case Kind.LEAF:
                return self._asked(node, codes)
            case Kind.NOT:
                return ~self.passing(node.children[0], codes)
            case Kind.EVERY:
                return self._every(node, codes)
            case _:
                return self._at_least(node, codes)

    def rows_of(self, codes: CodeList) -> Rows:
        """The rows that have one of the codes."""
        order, starts = self._postings
        pieces = [order[starts[code] : starts[code + 1]] for code in codes.tolist()]
        if len(pieces) == 1:
            return pieces[0]
        rows = np.concatenate(pieces) if pieces else np.zeros(0, np.uint32)
        rows.sort()
        return rows

    def _look_up(self, test: Test) -> CodeList | None:
        match test:
            case OneOf(values):
                return _code_list(code for value in values for code in self._codes_of(value))
            case Caseless(folded):
                return _code_list(code for text in folded for code in self._folded.get(text, ()))
            case Between(low, high):
                return self._between(low, high)
            case Present():
                return np.arange(1, self.entries)
            case _:
                return None

    def _between(self, low: float, high: float) -> CodeList:
        if isinstance(self._dictionary, Numbers):
            codes = self._dictionary.span(low, high)
            return np.arange(codes.start, codes.stop)
        values, codes_of = self._ascending
        return np.unique(codes_of[bisect_left(values, low) : bisect_right(values, high)])

    def _codes_of(self, value: Value) -> Sequence[int]:
        if isinstance(self._dictionary, Numbers | Texts):
            code = self._dictionary.find(value)
            return () if code == ABSENT else (code,)
        return self._places.get(value, ())

    def _every(self, node: Node, codes: CodeList) -> Flags:
        flags = np.ones(len(codes), dtype=np.bool_)
        for child in sorted(node.children, key=lambda child: child.is_heavy):
            flags[flags] = self.passing(child, codes[flags])
        return flags

    def _at_least(self, node: Node, codes: CodeList) -> Flags:
        missing = np.full(len(codes), node.number)
        for child in sorted(node.children, key=lambda child: child.is_heavy):
            open_ones = np.flatnonzero(missing > 0)
            missing[open_ones] -= self.passing(child, codes[open_ones])
        return missing <= 0

    def _asked(self, node: Node, codes: CodeList) -> Flags:
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
            holds, dictionary = node.leaf.test.holds, self._values
            answers[likely] = [holds(dictionary[code]) for code in likely.tolist()]
        return answers[codes].view(np.bool_)

    def _likely(self, needle: str | None, codes: CodeList) -> CodeList:
        """Those of the codes that may pass: all, unless a search for the needle is quicker than asking them."""
        if needle is None or len(codes) < _FEW:
            return codes
        if len(codes) * _CHARACTERS_PER_QUESTION < self._haystack.length:
            return codes
        return np.intersect1d(self._haystack.codes_with(needle), codes, assume_unique=True)

    @cached_property
    def _haystack(self) -> Haystack:
        return Haystack(self._dictionary)

    @cached_property
    def _values(self) -> Sequence[Values]:
        return list(self._dictionary) if self.entries <= _SMALL else self._dictionary

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
        return [value for value, _ in pairs], np.array([code for _, code in pairs], dtype=np.intp)

    @cached_property
    def _postings(self) -> tuple[Rows, npt.NDArray[np.intp]]:
        """All rows ordered by code, and where the rows of each code begin."""
        order = np.argsort(self.codes, kind="stable").astype(np.uint32)
        return order, np.concatenate([np.zeros(1, np.intp), self.counts.cumsum()])


def _code_list(codes: Iterable[int]) -> CodeList:
    return np.array(sorted(set(codes)), dtype=np.intp)
