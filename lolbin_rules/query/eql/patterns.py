"""The patterns of `:`, `like` and `regex`."""

from __future__ import annotations

import re
from collections.abc import Callable

from lolbin_rules.dsl.regexp import Flags, compile_regexp
from lolbin_rules.dsl.wildcard import compile_wildcard
from lolbin_rules.errors import StoreRejected
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import Like, Literal, Regex
from lolbin_rules.query.eql.texts import fold

__all__ = ["as_wildcard", "check_expression", "has_wildcards", "is_anything", "matcher"]

_JAVA_ONLY = re.compile(r'\\.|\[(?:\\.|[^\\\]])*\]|(?P<found>[\^$"]|\(\?|[*+?}]\+)', re.DOTALL)
"""What Java reads otherwise than Lucene does without its optional operators; escaped and in sets both read alike."""

_SET = re.compile(r"\\.|\[(?:\\.|[^\\\]])*\]", re.DOTALL)
_RANGE = re.compile(r"[a-z]-[a-z]|[A-Z]-[A-Z]")


def has_wildcards(pattern: str) -> bool:
    """Whether there is a `*` or `?`; without them a pattern is a plain text."""
    return "*" in pattern or "?" in pattern


def is_anything(pattern: str) -> bool:
    """Whether every text matches."""
    return bool(pattern) and not pattern.strip("*")


def as_wildcard(pattern: str) -> str:
    """The pattern for a `wildcard` query, in which a backslash would mean something."""
    return pattern.replace("\\", "\\\\")


def check_expression(pattern: Literal, *, is_caseless: bool) -> None:
    """See that Elasticsearch can use a regular expression on a field.

    Raises:
        Misuse: it cannot.
    """
    try:
        compile_regexp(str(pattern.value), is_caseless=is_caseless)
    except StoreRejected as error:
        raise _no_expression(pattern, error) from None


def matcher(node: Like | Regex, *, is_field: bool) -> Callable[[str], bool]:
    """Whether a text matches one of the patterns.

    On what functions yield, Elasticsearch uses the regular expressions of Java; those are refused that Lucene, whose
    reading is used here, reads otherwise.

    Raises:
        Misuse: an expression is no regular one, or is read differently.
    """
    if isinstance(node, Like):
        each = [_like(str(pattern.value), is_caseless=node.is_caseless) for pattern in node.patterns]
    else:
        each = [_regex(pattern, is_caseless=node.is_caseless, is_field=is_field) for pattern in node.patterns]
    return each[0] if len(each) == 1 else lambda text: any(matches(text) for matches in each)


def _like(pattern: str, *, is_caseless: bool) -> Callable[[str], bool]:
    if has_wildcards(pattern):
        return compile_wildcard(as_wildcard(pattern), is_caseless=is_caseless)
    if is_caseless:
        folded = fold(pattern)
        return lambda text: fold(text) == folded
    return lambda text: text == pattern


def _regex(pattern: Literal, *, is_caseless: bool, is_field: bool) -> Callable[[str], bool]:
    written = str(pattern.value)
    if not is_field:
        found = next((each["found"] for each in _JAVA_ONLY.finditer(written) if each["found"]), None)
        if found is not None:
            what = f"{found} in an expression means one thing for a field and another for the result of a function"
            raise Misuse(pattern.at, what, "Write the expression without it, or put a backslash before it.")
    if not is_field and is_caseless:
        written = _SET.sub(lambda found: _RANGE.sub(_in_both_cases, found[0]), written)
    if not is_field and not written:  # a caseless empty expression matches nothing in Lucene, the empty text in Java
        return lambda text: not text
    try:
        return compile_regexp(written, Flags.ALL if is_field else Flags.NONE, is_caseless=is_caseless)
    except StoreRejected as error:
        raise _no_expression(pattern, error) from None


def _in_both_cases(found: re.Match[str]) -> str:
    """A range of letters in a set, which Java takes in either case and Lucene as it is."""
    return found[0] + found[0].swapcase()


def _no_expression(pattern: Literal, error: StoreRejected) -> Misuse:
    said = str(error).partition("]: ")[2] or str(error)
    return Misuse(pattern.at, f"the expression cannot be used: {said.rstrip('.')}", "Correct it, or write it simpler.")
