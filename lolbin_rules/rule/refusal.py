"""Why a value cannot stand in a rule: said where the value is checked, shown with its place where it is loaded."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["KEY", "NO_VALUE", "Refusal", "named", "quoted", "shortened", "spoken"]

LONGEST_QUOTE = 80
KEY = "[key]"  # what pydantic calls the key of a mapping, at the end of a location
NO_VALUE = "has no value"
ORDINARY_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,80}")


class Refusal(ValueError):  # noqa: N818 - a finding among others; only its place makes it an error
    """A value that no rule can have.

    Attributes:
        what: what was found.
        consequence: what would follow from it; empty where that goes without saying.
        remedy: what to do.
        beside: the sibling key to point at when the key at fault is not written in the file (its default is at fault).
        shown: the part of a text that is at fault, on lines of its own; empty where the place says enough.
    """

    def __init__(self, what: str, remedy: str, *, consequence: str = "", beside: str = "", shown: str = "") -> None:
        self.what = what
        self.consequence = consequence
        self.remedy = remedy
        self.beside = beside
        self.shown = shown
        sentences = "; ".join(part for part in (what, consequence) if part)
        super().__init__(f"{sentences}. {remedy}")


def spoken(value: Any) -> str:
    """A value as a message names it: `the text "21"`, `the number 101`, `a list`, `nothing`."""
    match value:
        case None | bool():
            return "nothing" if value is None else json.dumps(value)
        case str():
            return f"the text {quoted(value)}" if value else "an empty text"
        case int() | float():
            return f"the number {shortened(str(value))}"
    kind = "list" if isinstance(value, list | tuple) else "mapping" if isinstance(value, dict) else type(value).__name__
    return f"a {kind}" if value else f"an empty {kind}"


def quoted(text: str) -> str:
    """The text, shortened, in quotes and on one line, without anything that a terminal would act on."""
    in_quotes = json.dumps(shortened(text), ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in in_quotes)


def named(key: str) -> str:
    """A key as a message names it: in quotes only where it is no ordinary name."""
    return key if ORDINARY_NAME.fullmatch(key) else quoted(key)


def shortened(text: str) -> str:
    """The text, or its beginning and an ellipsis where it is too long to be quoted in a message."""
    return text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1]}…"
