"""The words of an EQL text, as Elastic's EQL documentation ("EQL syntax reference") has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lark import Token

from lolbin_rules.errors import QueryError
from lolbin_rules.query.eql.faults import fault

__all__ = ["DEEPEST", "LONGEST", "is_plain_name", "words"]

LONGEST = 100_000
"""Characters of a query."""
DEEPEST = 100
"""Brackets within brackets."""

_KEYWORDS = (
    *("any", "by", "false", "join", "maxspan", "not", "null", "of"),
    *("sample", "sequence", "true", "until", "where", "with"),
)
_KINDS = {
    **{word: word.upper() for word in _KEYWORDS},
    **dict.fromkeys(("like", "like~", "regex", "regex~"), "MATCH"),
    **dict.fromkeys(("in", "in~"), "IN"),
    "and": "_AND",
    "or": "_OR",
}
BLANKS = " \t\r\n"
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})

_WORD = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<name>[A-Za-z_@][A-Za-z0-9_]*~?)
    |(?P<raw>\"{3}[^\r\n]*?\"{3}\"{0,2})
    |(?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*")
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<span>[0-9][0-9.]*[A-Za-z_][A-Za-z0-9_]*)
    |(?P<remark>//[^\n]*)
    |(?P<comment>/\*)
    |(?P<quoted>`(?:[^`\r\n]|``)+`)
    |(?P<subscript>\[[ \t]*[0-9]+[ \t]*\])
    |(?P<sign>!\[|[=!<>]=|[][:=<>+\-*/%.,()|?])
    |(?P<end>\Z))""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[A-Za-z_@][A-Za-z0-9_]*")
_ESCAPE = re.compile(r"\\(?:u\{(?P<code>[0-9A-Fa-f]{2,8})\}|(?P<letter>.))", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_SIGNS = {
    "(": "_LPAR",
    ")": "_RPAR",
    "[": "LSQB",
    "]": "_RSQB",
    "![": "ABSENT",
    ",": "_COMMA",
    ".": "_DOT",
    "?": "OPTIONAL",
    "|": "_PIPE",
    "=": "_ASSIGN",
    ":": "MATCH",
    "+": "SIGN",
    "-": "SIGN",
    "*": "TIMES",
    "/": "TIMES",
    "%": "TIMES",
}
_UNREADABLE = {
    "'": ("a text stands in single quotes", 'Write it in double quotes: "...".'),
    '"': ("the text is not closed on its line", 'Close it with ", and write a line end as \\n.'),
    "`": ("the quoted name is empty or not closed on its line", "Close it with a backtick."),
    "!": ("! stands alone", "Write `not` to negate, `!=` to compare, `![` for a missing event."),
    "~": (
        "~ stands alone",
        "Write it directly behind in, like, regex or the name of a function, without a blank.",
    ),
    "&": ("& is no operator", "Write `and`."),
    "^": ("^ is no operator", "Elasticsearch has none for powers in EQL."),
}
_LARGEST_LONG = 2**63 - 1
_LARGEST_CODE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def words(text: str) -> list[Token]:
    """All words in order; blanks and comments are left out.

    A word is a text as it was written; its `value` is what it means: a name, a string without its quotes, a number.

    Raises:
        QueryError: a character, string or comment is none of the language; brackets or the text go too far.
    """
    if len(text) > LONGEST:
        what = f"the query has {len(text)} characters, more than {LONGEST}"
        raise fault(text, LONGEST, what, "Split the rule, or put long lists of values into an exception.")
    found = list(_words(text))
    depth = 0
    for word in found:
        if word in {"(", "[", "!["}:
            depth += 1
            if depth > DEEPEST:
                what = f"brackets go deeper than {DEEPEST} levels"
                raise fault(text, word.start_pos or 0, what, "Write it with fewer brackets.")
        elif word in {")", "]"}:
            depth -= 1
    return found


def _words(text: str) -> Iterator[Token]:
    at, before = 0, ""
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise _unreadable(text, at + len(text[at:]) - len(text[at:].lstrip(BLANKS)))
        group = str(found.lastgroup)
        start, at = found.span(group)
        if group == "comment":
            at = _end_of_comment(text, start)
        elif group not in {"remark", "end"}:
            word = _word(text, group, found[group], start)
            if word == "runs" and before == "with":
                word = Token("RUNS", word, start)
            yield word
            before = word


def _word(text: str, group: str, written: str, at: int) -> Token:
    if group == "name":
        return _name(text, written, at)
    if group in {"span", "subscript"}:
        return Token(group.upper(), written, at)
    if group == "sign":
        return Token("COMPARE" if written in COMPARISONS else _SIGNS[written], written, at)
    if group == "number":
        return _token("NUMBER", written, at, _number(text, written, at))
    if group == "quoted":
        return _token("QUOTED", written, at, written[1:-1].replace("``", "`"))
    return _token("STRING", written, at, written[3:-3] if group == "raw" else _unescaped(text, written, at))


def _token(kind: str, written: str, at: int, value: str | float) -> Token:
    token = Token(kind, written, at)
    token.value = value
    return token


def _name(text: str, written: str, at: int) -> Token:
    kind = _KINDS.get(written)
    if kind is not None:
        return Token(kind, written, at)
    if not written.endswith("~"):
        return Token("NAME", written, at)
    if written[:-1] in _KINDS:
        raise fault(text, at + len(written) - 1, f"{written[:-1]} has no caseless form", "Leave the ~ out.")
    return _token("CASELESS", written, at, written[:-1])


def _number(text: str, written: str, at: int) -> float:
    if written.isdigit():
        whole = int(written) if len(written) <= len(str(_LARGEST_LONG)) else None
        if whole is not None and whole <= _LARGEST_LONG:
            return whole
    number = float(written)
    if number == float("inf"):
        raise fault(text, at, f"{written[:30]} is beyond every number that there is", "Write a smaller number.")
    return number


def _unescaped(text: str, written: str, at: int) -> str:
    body = written[1:-1]
    if "\\" not in body:
        return body

    def character(found: re.Match[str]) -> str:
        code, letter = found["code"], found["letter"]
        if code is not None:
            if int(code, 16) <= _LARGEST_CODE and int(code, 16) not in _SURROGATES:
                return chr(int(code, 16))
            what = f"there is no character {code}"
            raise fault(text, at + 1 + found.start(), what, "Write its code as Unicode has it, such as \\u{e9}.")
        if letter not in _ESCAPED:
            remedy = (
                'Write \\\\ for a backslash, or the whole text as """...""", in which backslashes are plain characters.'
            )
            if letter == "u":
                remedy = "Write 2 to 8 hexadecimal digits in braces, such as \\u{e9}."
            raise fault(text, at + 1 + found.start(), f"\\{letter} is no escape", remedy)
        return _ESCAPED[letter]

    return _ESCAPE.sub(character, body)


def _end_of_comment(text: str, start: int) -> int:
    depth, at = 1, start + 2
    while depth:
        opened, closed = text.find("/*", at), text.find("*/", at)
        if closed < 0:
            raise fault(text, start, "the comment is never closed", "Close it with */, once for each /* in it.")
        is_opened = 0 <= opened < closed
        depth += 1 if is_opened else -1
        at = (opened if is_opened else closed) + 2
    return at


def _unreadable(text: str, at: int) -> QueryError:
    character = text[at]
    if character in _UNREADABLE:
        return fault(text, at, *_UNREADABLE[character])
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    remedy = "Write texts in double quotes, and names with other characters than letters, digits and _ in backticks."
    return fault(text, at, f"the character {shown} has no meaning here", remedy)


def is_plain_name(name: str) -> bool:
    """Whether the name of a field needs no backticks."""
    return all(_PLAIN.fullmatch(part) and part not in _KINDS for part in name.split("."))
