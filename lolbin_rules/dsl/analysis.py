"""Text as words: what Elasticsearch's `standard` analyzer makes of it.

Words are cut by the rules of Unicode's text segmentation, pieces of more than 255 UTF-16 code units are cut off there,
and letters are put into lower case as the normalizer `lowercase` does. The positions of words count on over the values
of an array, with a gap between any two. Compared with a node's `_analyze` on random texts of all scripts; what differs
is in rows of pictographs and marks that nobody writes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import groupby

from lolbin_rules.dsl import word_breaks as breaks
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.values import lowercase

__all__ = ["ANALYZERS", "GAP", "cut", "ends_in_word", "places", "words"]

GAP = 100
"""How many positions are left free between two values of an array, so that no phrase reaches from one to the next."""
_LONGEST = 255
_ONE_UNIT = 0xFFFF


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The words of one text in order, in lower case."""
    return tuple(map(lowercase, _cut(text)))


def cut(text: str, analyzer: str) -> tuple[str, ...]:
    """What an analyzer of `ANALYZERS` makes of a text, in order."""
    return words(text) if analyzer == "standard" else ANALYZERS[analyzer](text)


def ends_in_word(text: str, analyzer: str) -> bool:
    """Whether nothing stands behind the last word."""
    if analyzer == "standard":
        ends = [end for _, end in _spans(text, text.translate(_TO_CLASSES))]
        return bool(ends) and ends[-1] == len(text)
    return analyzer == "keyword" or bool(cut(text[-1:], analyzer))


def _letters(text: str) -> tuple[str, ...]:
    runs = ("".join(run) for is_letter, run in groupby(lowercase(text), str.isalpha) if is_letter)
    return tuple(piece for run in runs for piece in _PIECES.findall(run))


_PIECES = re.compile(r".{1,255}", re.DOTALL)
_NO_BLANKS = re.compile(r"[^\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]{1,255}")
ANALYZERS: Mapping[str, Callable[[str], tuple[str, ...]]] = {
    "standard": words,
    "keyword": lambda text: (text,),
    "whitespace": lambda text: tuple(_NO_BLANKS.findall(text)),
    "simple": _letters,
}
"""The analyzers that queries may name: whole texts, what is between blanks, and runs of letters in lower case."""


def places(values: Values) -> dict[str, list[int]]:
    """Word -> its positions, ascending, over all the values."""
    found: dict[str, list[int]] = {}
    position = 0
    for value in values:
        for word in words(str(value)):
            found.setdefault(word, []).append(position)
            position += 1
        position += GAP
    return found


_CLASSES = {
    "L": breaks.LETTERS,
    "H": breaks.HEBREW,
    "N": breaks.DIGITS,
    "K": breaks.KATAKANA,
    "E": breaks.CONNECTORS,
    "S": breaks.SINGLES,
    "P": breaks.PICTOGRAPHS,
    "T": breaks.SKIN_TONES,
    "R": breaks.REGIONAL,
    "U": breaks.UNSPACED,
    "u": breaks.UNSPACED_MARKS,
    "m": breaks.MARKS,
    ":": breaks.MID_LETTERS,
    ",": breaks.MID_DIGITS,
    ".": breaks.MID_EITHER,
}
_OWN_CLASS = {"'": "'", '"': '"', "#": "#", "*": "#", "\u200d": "j", "\ufe0f": "v", "\u20e3": "k"}
_NO_CLASS = "-"


class _Classes(dict[int, str]):
    """Code point -> its class, for `str.translate`; found once for each character that is met."""

    def __init__(self) -> None:
        ranges = sorted(
            (int(low, 16), int(high or low, 16), name)
            for name, pairs in _CLASSES.items()
            for low, _, high in (pair.partition("-") for pair in pairs.split())
        )
        self._starts = [low for low, _, _ in ranges]
        self._ranges = ranges
        super().__init__({ord(character): name for character, name in _OWN_CLASS.items()})

    def __missing__(self, point: int) -> str:
        _, high, name = self._ranges[bisect_right(self._starts, point) - 1]
        found = self[point] = name if self._starts[0] <= point <= high else _NO_CLASS
        return found


def _pattern() -> re.Pattern[str]:
    """Words in a text of classes, in the group `word`; what only looks like the start of one is without the group.

    Every repetition is possessive and the last alternative takes whole runs, so no character is looked at often.
    """
    mark = "[mujvkT]*+"
    letters = f"(?:L{mark}|H{mark}(?:'{mark}|\"{mark}(?=H))?+)++"
    letters = f"{letters}(?:[:.']{mark}{letters})*+"
    digits = f"(?:N{mark})++"
    digits = f"{digits}(?:[,.']{mark}{digits})*+"
    core = f"(?:(?:K{mark})++|(?:{letters}|{digits})++)"
    connectors = f"(?:E{mark})"
    pictograph = f"[PT]{mark}"
    kinds = (
        f"{connectors}*+{core}(?:{connectors}++{core})*+{connectors}*+",
        "[Uu][UumjvkT]*+",
        f"S{mark}",
        f"(?:j(?=P))?{pictograph}(?:(?<=j){pictograph})*+",
        f"R{mark}R{mark}",
        f"#v?k{mark}",
    )
    return re.compile(f"(?P<word>{'|'.join(kinds)})|{connectors}++")


_TO_CLASSES = _Classes()
_WORD = _pattern()
_UNSPACED = re.compile("[Uu][UumjvkT]*+")
_ASCII_WORD = re.compile(
    r"[A-Za-z0-9_]++(?:(?:(?<=[A-Za-z])[.:'](?=[A-Za-z])|(?<=[0-9])[.,;'](?=[0-9]))[A-Za-z0-9_]++)*+"
)
"""The same for plain texts, which nearly all are."""


def _cut(text: str) -> Iterator[str]:
    if text.isascii():
        found = _ASCII_WORD.findall(text)
        if all(len(word) <= _LONGEST for word in found):
            return (word for word in found if word.strip("_"))
    return (text[start:end] for start, end in _spans(text, text.translate(_TO_CLASSES)))


def _spans(text: str, classes: str) -> Iterator[tuple[int, int]]:
    for found in _WORD.finditer(classes):
        start, end = found.span()
        if end - start > _LONGEST // 2:
            yield from _short_spans(text, classes, start, end)
        elif found["word"] is not None:
            yield start, end
        else:  # connectors alone are no word, but marks between them may be one
            yield from (marks.span() for marks in _UNSPACED.finditer(classes, start, end))


def _short_spans(text: str, classes: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The words of a part of the text that may be too long for one."""
    while start < end:
        found = _WORD.search(classes, start, _limit(text, start))
        if found is None:
            start = _limit(text, start)
        elif found.start() > start:
            start = found.start()
        else:
            start = found.end()
            if found["word"] is not None:
                yield found.span()


def _limit(text: str, start: int) -> int:
    """Where a word that begins at `start` ends at the latest."""
    end = min(start + _LONGEST, len(text))
    left = _LONGEST
    for position in range(start, end):
        left -= 2 if ord(text[position]) > _ONE_UNIT else 1
        if left < 0:
            return position
    return end
