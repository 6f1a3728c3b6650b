"""What to say of a word that stands where the grammar has no place for it."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token, UnexpectedToken

from lolbin_rules.errors import QueryError
from lolbin_rules.query.eql.faults import fault

__all__ = ["misplaced"]

_NAMES = {
    "_LPAR": "(",
    "_RPAR": ")",
    "LSQB": "[",
    "_RSQB": "]",
    "ABSENT": "![",
    "_COMMA": ",",
    "_DOT": ".",
    "_PIPE": "|",
    "_ASSIGN": "=",
    "_AND": "and",
    "_OR": "or",
    "NOT": "not",
    "IN": "in",
    "MATCH": ":",
    "COMPARE": "==",
    "SIGN": "+",
    "TIMES": "*",
    "NAME": "a name",
    "STRING": "a text",
    "NUMBER": "a number",
    "SPAN": "a time such as 30s",
    "$END": "the end",
}
_OPERAND_ENDS = {"NAME", "QUOTED", "STRING", "NUMBER", "TRUE", "FALSE", "NULL", "_RPAR", "SUBSCRIPT"}
_CONDITION = {"NAME", "STRING", "NUMBER"}
_KEYWORDS = {"and", "or", "not", "where", "true", "false", "null", "in", "like", "regex", "sequence", "by", "with"}


def misplaced(text: str, words: Sequence[Token], error: UnexpectedToken) -> QueryError:
    """The error about the first word that does not fit."""
    is_end = error.token.type == "$END"
    number = next((at for at, each in enumerate(words) if each is error.token), 0) if not is_end else len(words)
    word = words[number] if number < len(words) else Token("$END", "", len(text))
    before = words[number - 1] if number else Token("", "", 0)
    what, remedy = _told(word, before, words[max(0, number - 6) : number], error.accepts or error.expected)
    return fault(text, _end(text) if is_end else word.start_pos or 0, what, remedy)


def _end(text: str) -> int:
    """Behind the last character that is not blank."""
    return len(text.rstrip(" \t\r\n"))


def _told(word: Token, before: Token, earlier: Sequence[Token], expected: set[str]) -> tuple[str, str]:
    """What is wrong, and what to do."""
    if word.type == "JOIN":
        return "join is not supported by Elasticsearch", "Write a sequence, or a sample if the order does not matter."
    if word.type == "OF":
        return (
            "relations such as `child of` are not supported by Elasticsearch",
            "Write a sequence that joins by a key.",
        )
    if word.type == "_ASSIGN":
        return "= alone compares nothing", "Write == for equal texts and numbers, or : for texts in any case."
    if before.type == "OPTIONAL" and word.type == "STRING":
        return 'raw texts are not written ?"..."', 'Write them as """...""".'
    if not earlier:
        return "a query begins with an event category, sequence or sample", "Write such as `process where ...`."
    return _misordered(word, before, earlier) or _after(word, before, expected)


def _after(word: Token, before: Token, expected: set[str]) -> tuple[str, str]:
    if word.type == "MATCH" and before.type == "NOT":
        return f"there is no `not {word}`", f"Put the `not` before the field: `not field {word} ...`."
    if word.type in {"COMPARE", "MATCH", "IN"} and before.type in _OPERAND_ENDS:
        return f"{word} follows another comparison", "Compare once, and join comparisons with `and`."
    if word.type == "_RPAR" and before.type in {"_COMMA", "_LPAR"}:
        return _nothing_before_bracket(before)
    if before.type == "MATCH" or (before.type in {"_LPAR", "_COMMA"} and "SIGN" not in expected and "TRUE" in expected):
        return _no_pattern(word)
    return _generally(word, before, expected)


def _misordered(word: Token, before: Token, earlier: Sequence[Token]) -> tuple[str, str] | None:
    if before.type == "WITH":
        remedy = "Write `with maxspan=...` behind sequence, `with runs=...` behind ]."
        return f"{_shown(word)} stands behind with", remedy
    if word.type == "BY" and "MAXSPAN" in [each.type for each in earlier[-4:]]:
        return "by stands behind with maxspan", "Write `sequence by ... with maxspan=...`."
    return _mistyped(word, before)


def _mistyped(word: Token, before: Token) -> tuple[str, str] | None:
    """Words that are close to what was meant."""
    for each in (word, before):
        if each.lower() in _KEYWORDS and each.type == "NAME":
            return f"{each} is no keyword", f"Write {each.lower()}; keywords are in lower case."
    if word.type == "SPAN":
        return f"{word} is neither a name nor a number", "Put a name that begins with a digit in backticks."
    return None


def _nothing_before_bracket(before: Token) -> tuple[str, str]:
    if before.type == "_COMMA":
        return "nothing stands between the last comma and )", "Leave the comma out."
    return "nothing stands between the brackets", "Write what belongs there, or leave the brackets out."


def _no_pattern(word: Token) -> tuple[str, str]:
    if word.type == "SIGN":
        return "a sign stands where only a text can", "Compare numbers with == or in."
    if word.type in {"NAME", "QUOTED", "OPTIONAL"}:
        return "a field or function stands where only a text can", "Write a text in double quotes, or compare with ==."
    return (
        f"{_shown(word)} stands where only a text can",
        "Write a text in double quotes, or a list of them in brackets.",
    )


def _generally(word: Token, before: Token, expected: set[str]) -> tuple[str, str]:
    if word.islower() and word.type == word.upper() and "NAME" in expected:
        return f"{word} is a keyword of EQL", f"A field of that name is written in backticks: `{word}`."
    if before.type in _OPERAND_ENDS and word.type in {"NAME", "QUOTED", "STRING", "NUMBER", "OPTIONAL"}:
        return f"an operator is missing before {_shown(word)}", "Write such as == or : or and."
    return ("the query ends too early" if word.type == "$END" else f"{_shown(word)} has no place here"), _fitting(
        expected
    )


def _fitting(expected: set[str]) -> str:
    """What could stand there."""
    if expected >= _CONDITION:
        return "A condition or a value can stand there."
    some = sorted({_NAMES.get(each, each.lower().strip("_")) for each in expected})
    return f"What can stand there: {', '.join(some)}." if some else "Leave it out."


def _shown(word: Token) -> str:
    return "the end" if word.type == "$END" else str(word) if len(word) <= 40 else f"{word[:40]}..."  # noqa: PLR2004
