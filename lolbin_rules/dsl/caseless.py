"""Letters without their case, as `case_insensitive` has it: A to Z only, whatever other letters there are.

Found by asking an 8.19.9 node: `ü` does not match `Ü` and the Kelvin sign does not match `k`.
"""

from __future__ import annotations

import string

__all__ = ["fold", "has_case", "other_case"]

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(text: str) -> str:
    """The text with A to Z in lower case and every other character as it is; its length stays the same."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def has_case(character: str) -> bool:
    """Whether `case_insensitive` makes a difference to the character."""
    return character.isascii() and character.isalpha()


def other_case(character: str) -> str:
    """The same letter in the other case; the character itself if it is no letter from A to Z."""
    return character.swapcase() if has_case(character) else character
