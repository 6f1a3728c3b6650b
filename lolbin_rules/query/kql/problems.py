"""What to say of a KQL text where the parser cannot read on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lark import Token

from lolbin_rules.query.kql.tokens import Refused, tokens

__all__ = ["unexpected"]

_JOINS: Final = "Write `and` or `or` between them, with spaces around it."
_QUOTES: Final = 'Put values that hold special characters or keywords in quotes: "...".'
_OPENING: Final = {"_OPEN": ")", "BRACE": "}"}
_CLOSING: Final = frozenset({"_CLOSE", "_UNBRACE"})
_LONGEST: Final = 40


def unexpected(text: str, token: Token) -> Refused:
    """What is wrong where a token cannot stand, or where the text ends too early."""
    is_end = token.type == "$END"
    at = len(text.rstrip()) if is_end else _place(token)
    before = []
    for each in tokens(text):
        if _place(each) >= at:
            break
        before.append(each)
    last = before[-1] if before else None
    if last is not None and (is_end or token.type in _CLOSING or token.type in {"_AND", "_OR"}):
        missing = _missing(last)
        if missing:
            return Refused(at, *missing)
    opened = _opened(before)
    if is_end:
        return Refused(at, *_unclosed(text, opened))
    if token.type in _CLOSING:
        return Refused(at, *_not_closing(text, token, opened))
    return Refused(at, *_misplaced(token, last))


def _missing(last: Token) -> tuple[str, str] | None:
    """Something has to follow the last token, and nothing does."""
    match last.type:
        case "_AND" | "_OR" | "_NOT":
            return f"nothing follows {_shown(last)}", "Write a condition behind it, or leave it out."
        case "_COLON" | "RANGE":
            return f"no value follows {_shown(last)}", "Write one; `*` behind a `:` asks for any value."
        case "_OPEN" | "BRACE":
            return f"nothing stands behind {_shown(last)}", "Write a condition or a value, or leave it out."
    return None


def _opened(before: Sequence[Token]) -> list[Token]:
    """What is still open; the parser has made sure that all before fits."""
    opened: list[Token] = []
    for token in before:
        if token.type in _OPENING:
            opened.append(token)
        elif token.type in _CLOSING:
            opened.pop()
    return opened


def _unclosed(text: str, opened: Sequence[Token]) -> tuple[str, str]:
    closing = _OPENING[opened[-1].type]
    return f"{_shown(opened[-1])} of {_line(text, opened[-1])} is not closed", f"Write `{closing}` where it should end."


def _not_closing(text: str, token: Token, opened: Sequence[Token]) -> tuple[str, str]:
    if not opened:
        return f"{_shown(token)} closes nothing", "Leave it out, or put it in quotes if it is part of a value."
    closing = _OPENING[opened[-1].type]
    return f"{_shown(token)} cannot close {_shown(opened[-1])} of {_line(text, opened[-1])}", f"Write `{closing}`."


def _misplaced(token: Token, last: Token | None) -> tuple[str, str]:
    before = last.type if last is not None else ""
    shown, shown_last = _shown(token), _shown(last)
    said = f"{shown} cannot stand here", _QUOTES
    match token.type:
        case "_NOT" if before == "_COLON":
            said = "`not` stands before a value", "Write `not field:value`, or `field:(not value)`."
        case "_NOT" if before == "_NOT":
            said = "`not` follows `not`", "Leave out both, or write `not (not ...)`."
        case "_NOT" if before == "TEXT":
            said = f"`not` ends the value {shown_last}", f"{_QUOTES} Before a condition write `and not`."
        case "RANGE" if before == "_COLON":
            said = f"{shown} follows `:`", f"Leave out the `:`, as in `field {token} 5`."
        case "_OPEN" if before == "RANGE":
            said = f"{shown_last} is followed by a list", "Write one comparison for each value."
        case "_OPEN" if shown_last.lower().endswith("not`"):
            said = "`not` is followed by `(` without a space", "Write `not (`."
        case "_COLON" | "RANGE" if before in {"TEXT", "QUOTED"}:
            what = f"{shown} follows {shown_last}, which is a value already: unquoted values run on over spaces"
            said = what, f"Write `and` or `or` before the next field. {_QUOTES}"
        case "TEXT" | "QUOTED" | "_OPEN" | "_NOT" if before in {"TEXT", "QUOTED"} | _CLOSING:
            said = f"{shown} follows {shown_last} without `and` or `or`", f"{_JOINS} {_QUOTES}"
    return said


def _shown(token: Token | None) -> str:
    text = (token or "").strip()
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}...`"


def _line(text: str, token: Token) -> str:
    at = _place(token)
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def _place(token: Token) -> int:
    return token.start_pos or 0
