"""Cuts a KQL text into tokens.

What a word is depends on what stands around it, which is why no general lexer does this: an unquoted value runs on over
spaces until a special character or a keyword; `and` and `or` are keywords only between spaces and behind an operand,
`not` is one wherever a space follows it, even at the end of a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lark import Token
from lark.lexer import Lexer

from lolbin_rules.query.kql.nodes import Value, Wild, Word

__all__ = ["SPECIAL", "Refused", "TokenSource", "read_quoted", "read_unquoted", "tokens"]

DEEPEST: Final = 40
"""Parentheses and braces within each other. What is made of more, Elasticsearch would hardly take."""
SPECIAL: Final = '\\():<>"*{}'
"""Characters that have to be escaped outside quotes."""

_SPACE = r"[ \t\r\n\u00a0]"
_SPACES = re.compile(f"{_SPACE}*+")
_BETWEEN = re.compile(rf"{_SPACE}++(and|or){_SPACE}++", re.IGNORECASE)
_NOT = re.compile(rf"not{_SPACE}++", re.IGNORECASE)
_KEYWORD = "(?:[aA][nN][dD]|[oO][rR])"
_ESCAPED = rf"\\(?:{_KEYWORD}|[nN][oO][tT]|u[0-9a-fA-F]{{4}}|[trn\\():<>\"*{{}}])"
_LETTER = r'[^\\():<>"*{}nN \t\r\n\u00a0]'
# Every repetition is possessive: a text is read once from left to right, however it is made.
_UNQUOTED = re.compile(rf"(?:{_LETTER}++|[nN](?![oO][tT]{_SPACE})|{_SPACE}++(?!{_KEYWORD}{_SPACE})|\*|{_ESCAPED})++")
_QUOTED = re.compile(r'"(?:[^"\\]++|\\["\\]|\\(?!["\\]))*+"')
_SIGN = re.compile(r"[<>]=?|[():{}]")
_SIGNS: Final = {"(": "_OPEN", ")": "_CLOSE", "{": "BRACE", "}": "_UNBRACE", ":": "_COLON"}
_OPERANDS: Final = frozenset({"TEXT", "QUOTED", "_CLOSE", "_UNBRACE"})

_PIECE = re.compile(rf"{_ESCAPED}|\*|[^\\*]++")
_IN_QUOTES = re.compile(r'\\(?:u[0-9a-fA-F]{4}|[trn"\\])')
_BLANKS: Final = {"t": "\t", "r": "\r", "n": "\n"}


class Refused(Exception):  # noqa: N818 - it carries a fault to where the text is known
    """The text cannot be read on.

    Attributes:
        at: where in the text, from 0.
        what: what was found.
        remedy: what to do.
    """

    def __init__(self, at: int, what: str, remedy: str) -> None:
        self.at, self.what, self.remedy = at, what, remedy
        super().__init__(what)


class TokenSource(Lexer):
    """What lark asks for tokens."""

    def __init__(self, lexer_conf: Any) -> None:
        del lexer_conf

    def lex(self, text: str) -> Iterator[Token]:  # type: ignore[override]
        """See `tokens`; lark hands custom lexers the text alone."""
        return tokens(text)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a query, with their places in `start_pos`, as written.

    Raises:
        Refused: no token can begin where the last one ended.
    """
    at, depth, last = 0, 0, ""
    while True:
        between = _BETWEEN.match(text, at) if last in _OPERANDS else None
        if between:
            last, end = f"_{between[1].upper()}", between.end()
            yield Token(last, between[1], between.start(1))
        else:
            at = _end(_SPACES, text, at)
            if at == len(text):
                return
            last, end = _next(text, at)
            depth += (last in {"_OPEN", "BRACE"}) - (last in {"_CLOSE", "_UNBRACE"})
            if depth > DEEPEST:
                raise Refused(
                    at, f"more than {DEEPEST} parentheses or braces within each other", "Take the query apart."
                )
            yield Token(last, text[at:end], at)
        at = end


def _next(text: str, at: int) -> tuple[str, int]:
    if end := _end(_NOT, text, at):
        return "_NOT", end
    if end := _end(_UNQUOTED, text, at):
        return "TEXT", end
    if end := _end(_QUOTED, text, at):
        return "QUOTED", end
    if end := _end(_SIGN, text, at):
        return _SIGNS.get(text[at], "RANGE"), end
    if text[at] == '"':
        remedy = 'Write `"` at its end. A backslash before that one must be doubled, or it makes the quote a letter.'
        raise Refused(at, "the quote that opens here is not closed", remedy)
    what = f"a backslash before {text[at + 1]!r}" if at + 1 < len(text) else "a backslash at the end"
    raise Refused(
        at, f"{what} means nothing outside quotes", 'Write `\\\\` for a backslash, or "..." around the value.'
    )


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else 0


def read_unquoted(token: Token) -> Value:
    """The value of a token `TEXT`, all escapes resolved.

    Raises:
        Refused: it escapes half a character.
    """
    raw = token.strip()
    if "\\" not in raw:
        parts = raw.split("*")
    else:
        parts = [""]
        for piece in _PIECE.findall(raw):
            if piece == "*":
                parts.append("")
            else:
                parts[-1] += _meant(piece) if piece[0] == "\\" else piece
        parts = [_joined(part, token) for part in parts]
    if len(parts) > 1:
        return Wild(tuple(parts))
    if not raw:  # rarer kinds of space are no separators, and still no value
        raise Refused(token.start_pos or 0, "a value has no visible character", "Put it in quotes.")
    return Word(_BOOLEANS.get(raw, parts[0]))


_BOOLEANS: Final[dict[str, str | bool]] = {"true": True, "false": False}


def read_quoted(token: Token) -> Word:
    """The value of a token `QUOTED`. Raises as `read_unquoted`."""
    inside = token[1:-1]
    if "\\" in inside:
        inside = _joined(_IN_QUOTES.sub(lambda found: _meant(found[0]), inside), token)
    return Word(inside, is_quoted=True)


def _meant(escaped: str) -> str:
    after = escaped[1:]
    if after in _BLANKS:
        return _BLANKS[after]
    return chr(int(after[1:], 16)) if len(after) == len("u0000") else after


def _joined(text: str, token: Token) -> str:
    """The text, where two escapes that are one character together have become that character."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        remedy = "Write the character itself, or both its halves."
        raise Refused(token.start_pos or 0, "an escape stands for half a character", remedy) from None
