"""What clauses ask of the words of a text field; see `analysis` for what its words are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lolbin_rules.dsl.analysis import places, words
from lolbin_rules.dsl.clause import OneOf, Test
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.values import lowercase

__all__ = ["AnyWord", "Phrase"]


@dataclass(frozen=True, slots=True)
class AnyWord:
    """The words of the text, taken as the values of a keyword field, pass the test."""

    test: Test

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        if isinstance(self.test, OneOf) and not any(_may_have(str(value), self.test) for value in values):
            return False
        found = tuple(word for value in values for word in words(str(value)))
        return bool(found) and self.test.holds(found)


def _may_have(text: str, wanted: OneOf) -> bool:
    """Looks before texts are cut into words: every word is a part of the text in lower case."""
    lowered = lowercase(text)
    return any(str(word) in lowered for word in wanted.values)


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words stand in this order next to each other.

    Attributes:
        words: at least two.
        slop: how many places words may be off in all; with more than 0, no word may be there twice.
        has_prefix: the last one is only the beginning of a word.
    """

    words: tuple[str, ...]
    slop: int = 0
    has_prefix: bool = False

    def holds(self, values: Values) -> bool:
        """See `Test.holds`."""
        found = {word for value in values for word in words(str(value))}
        whole = self.words[:-1] if self.has_prefix else self.words
        if not found.issuperset(whole):
            return False
        starts = self._starts(places(values))
        if self.slop:
            return _spread(starts) <= self.slop
        return bool(set(starts[0]).intersection(*starts[1:]))

    def _starts(self, found: dict[str, list[int]]) -> list[list[int]]:
        """For each word, where the phrase would begin if the word were in its place."""
        last = self.words[-1]
        ends = [place for word in found if word.startswith(last) for place in found[word]]
        lists = [found[word] for word in self.words[:-1]]
        lists.append(ends if self.has_prefix else found[last])
        return [[place - offset for place in each] for offset, each in enumerate(lists)]


def _spread(lists: list[list[int]]) -> float:
    """The least distance between the first and the last of numbers taken one from each list."""
    numbers = sorted((number, which) for which, each in enumerate(lists) for number in each)
    counts = [0] * len(lists)
    missing = len(lists)
    start = 0
    least = math.inf
    for number, which in numbers:
        missing -= not counts[which]
        counts[which] += 1
        while not missing:
            first, other = numbers[start]
            least = min(least, number - first)
            counts[other] -= 1
            missing += not counts[other]
            start += 1
    return least
