"""Letters without their case, as `case_insensitive` has it: A to Z only, in most fields.

Found by asking an 8.19.9 node: `ü` does not match `Ü` and the Kelvin sign does not match `k`.
"""

from __future__ import annotations

import string

__all__ = ["fold", "fold_any_letter", "has_case", "other_case"]

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(text: str) -> str:
    """The text with A to Z in lower case and every other character as it is; its length stays the same."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def fold_any_letter(text: str) -> str:
    """Each character in upper and then in lower case by itself: `case_insensitive` in keyword fields without an index.

    There Java compares: a dotless i is an i, the Kelvin sign a k; what has no single character in the other case stays.
    """
    return fold(text) if text.isascii() else "".join(map(_fold, text))


def _fold(character: str) -> str:
    upper = character.upper()
    return (upper if len(upper) == 1 else character).lower()[0]


def has_case(character: str) -> bool:
    """Whether `case_insensitive` makes a difference to the character."""
    return character.isascii() and character.isalpha()


def other_case(character: str) -> str:
    """The same letter in the other case; the character itself if it is no letter from A to Z."""
    return character.swapcase() if has_case(character) else character
