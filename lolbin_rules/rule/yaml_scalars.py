"""Unquoted texts -> values, where every version of YAML reads them alike.

`no`, `010`, `1:30`, `1_000`, `1e3` and `0xC000006D` are booleans or numbers to one reader (YAML 1.1 or 1.2) and texts
to the next; `6.10` is a number to both, but then it is 6.1. In a rule each of them is more often meant as text, and
read wrongly it would search for something else in silence. So they are refused until the author says which is meant.
"""

from __future__ import annotations

import re
from typing import Final

from lolbin_rules.rule.refusal import Refusal, quoted, shortened

__all__ = ["read_scalar"]

CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
SOMETIMES_BOOLEAN: Final = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), "true"),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), "false"),
}
SPECIAL: Final = CONSTANTS.keys() | SOMETIMES_BOOLEAN.keys()
JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
SOMETIMES_NUMBER: Final = re.compile(
    r"""[-+]?(
        0b[01_]+ | 0o?[0-7_]+ | 0x[0-9a-f_]+                      # binary, octal, hexadecimal
      | [1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?                   # sexagesimal: 1:30
      | (\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)(e[-+]?[0-9]+)?  # decimal
      | \.inf | \.nan
    )""",
    re.IGNORECASE | re.VERBOSE,
)
SMALLEST, LARGEST = -(2**63), 2**64 - 1
OTHER_MEANING: Final = "the rule would mean one thing here and another elsewhere"
NUMBER_STARTS: Final = frozenset("+-.0123456789")


def read_scalar(text: str) -> str | bool | int | float | None:
    """The value of an unquoted text.

    Raises:
        Refusal: readers of YAML do not agree on it, or it would not survive being read as a number.
    """
    if text in SPECIAL:
        return _constant(text)
    if text[0] in NUMBER_STARTS and SOMETIMES_NUMBER.fullmatch(text):
        return _number(text)
    return text


def _constant(text: str) -> bool | None:
    if text in CONSTANTS:
        return CONSTANTS[text]
    meaning = SOMETIMES_BOOLEAN[text]
    raise Refusal(
        f"{text} without quotes is {meaning} to some readers of YAML and text to others",
        f'Write "{text}" for the text, or {meaning}.',
        consequence=OTHER_MEANING,
    )


def _number(text: str) -> int | float:
    quoting = f"Quote it: {quoted(text)}"
    if not JSON_NUMBER.fullmatch(text):
        raise Refusal(
            f"{shortened(text)} without quotes is a number to some readers of YAML and text to others",
            f"{quoting}, or write the number in plain decimal digits.",
            consequence=OTHER_MEANING,
        )
    number = float(text) if "." in text else int(text) if len(text) <= len(str(SMALLEST)) + 1 else LARGEST + 1
    if isinstance(number, int) and not SMALLEST <= number <= LARGEST:
        raise Refusal(
            f"{shortened(text)} has more than 64 bits", f"{quoting}.", consequence="Elasticsearch could not store it"
        )
    if repr(number) != text:
        raise Refusal(
            f"{shortened(text)} without quotes is the number {number!r}",
            f"{quoting}, or write {number!r}.",
            consequence="a field that holds the text would not match",
        )
    return number
