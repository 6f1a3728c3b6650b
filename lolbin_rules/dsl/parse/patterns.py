"""`wildcard`, `prefix` and `regexp`: patterns for the values of keyword fields and for the words of text fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lolbin_rules.dsl.caseless import fold, fold_any_letter
from lolbin_rules.dsl.clause import Clause, Leaf, OneOf, Test
from lolbin_rules.dsl.combine import ALL, NONE
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import boolean, check_names, check_rewrite, one_field, text, whole
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.exact import constant
from lolbin_rules.dsl.parse.families import (
    CONSTANTS,
    KEYWORDS,
    PATTERNED,
    TEXTS,
    check_known,
    check_searchable,
    normalized,
    present,
)
from lolbin_rules.dsl.parse.faults import rejected
from lolbin_rules.dsl.predicates import Caseless, Prefix, PrefixAnyLetter, Regexp, Wildcard
from lolbin_rules.dsl.regexp import Flags, only_text
from lolbin_rules.dsl.values import lowercase
from lolbin_rules.dsl.wildcard import exact_text
from lolbin_rules.dsl.word_tests import AnyWord

__all__ = ["lowered_pattern", "prefixed", "read_prefix", "read_regexp", "read_wildcard", "resembling", "spelled"]

_LONGEST_REGEXP = 1000
"""`index.max_regex_length` as Elasticsearch ships it, in UTF-16 code units."""
_FLAGS = {name: Flags[name] for name in ("INTERSECTION", "COMPLEMENT", "EMPTY", "ANYSTRING", "INTERVAL", "NONE", "ALL")}
_UNESCAPED = re.compile(r"\\.|[^\\]+|\\$", re.DOTALL)


def read_wildcard(body: Mapping[str, Any], context: Context) -> Clause:
    """`wildcard`."""
    name, options = one_field("wildcard", body, "value")
    clause = f"wildcard [{name}]"
    check_names(clause, options, {"value", "wildcard", "case_insensitive", "rewrite"})
    given = [value for option, value in options.items() if option in {"value", "wildcard"}]
    pattern = text(clause, "value", given[-1] if given else None)
    check_rewrite(clause, options.get("rewrite"))
    is_caseless = boolean(clause, "case_insensitive", options.get("case_insensitive", False))
    return resembling(clause, context.field(name), pattern, is_caseless=is_caseless)


def read_prefix(body: Mapping[str, Any], context: Context) -> Clause:
    """`prefix`."""
    name, options = one_field("prefix", body, "value")
    clause = f"prefix [{name}]"
    check_names(clause, options, {"value", "case_insensitive", "rewrite"})
    beginning = text(clause, "value", options.get("value"))
    check_rewrite(clause, options.get("rewrite"))
    is_caseless = boolean(clause, "case_insensitive", options.get("case_insensitive", False))
    return prefixed(clause, context.field(name), beginning, is_caseless=is_caseless)


def read_regexp(body: Mapping[str, Any], context: Context) -> Clause:
    """`regexp`."""
    name, options = one_field("regexp", body, "value")
    clause = f"regexp [{name}]"
    known = {"value", "flags", "flags_value", "case_insensitive", "max_determinized_states", "rewrite"}
    check_names(clause, options, known)
    pattern = text(clause, "value", options.get("value"))
    check_rewrite(clause, options.get("rewrite"))
    is_caseless = boolean(clause, "case_insensitive", options.get("case_insensitive", False))
    return spelled(clause, context.field(name), pattern, _flags(clause, options), is_caseless=is_caseless)


def _flags(clause: str, options: Mapping[str, Any]) -> Flags:
    flags = Flags.ALL
    for option, value in options.items():
        if option == "flags" and value is not None:
            names = text(clause, "flags", value).upper()
            unknown = [name for name in names.split("|") if name and name not in _FLAGS]
            if unknown:
                raise rejected(clause, f"there is no flag [{unknown[0]}]")
            flags = Flags.NONE
            for name in filter(None, names.split("|")):
                flags |= _FLAGS[name]
            flags = flags if names else Flags.ALL
        elif option == "flags_value":
            flags = Flags(whole(clause, option, value) & Flags.ALL)
    return flags


def resembling(clause: str, field: Field | None, pattern: str, *, is_caseless: bool = False) -> Clause:
    """The field has a value, or a word, that matches a wildcard pattern.

    Raises:
        StoreRejected: the field's type has no patterns.
    """
    if not _has_patterns(clause, field) or field is None:
        return NONE
    if field.type in CONSTANTS:
        return constant(field, pattern, is_caseless=is_caseless)
    if field.normalizer is not None:
        pattern = lowered_pattern(pattern)
    text_of = exact_text(pattern, is_caseless=is_caseless)
    if text_of is not None:
        return _leaf(field, _equal(text_of, is_caseless=is_caseless))
    if pattern and not pattern.strip("*") and field.type not in TEXTS:
        return present(field)
    return _leaf(field, Wildcard(pattern, is_caseless))


def prefixed(clause: str, field: Field | None, beginning: str, *, is_caseless: bool = False) -> Clause:
    """The field has a value, or a word, that begins so; raises as `resembling`."""
    if not _has_patterns(clause, field) or field is None:
        return NONE
    if field.type in CONSTANTS:
        return constant(field, f"{beginning}*", is_caseless=is_caseless)
    beginning = normalized(field, beginning)
    if is_caseless and not field.is_indexed:
        return Leaf(field.name, PrefixAnyLetter(fold_any_letter(beginning)))
    return _leaf(field, Prefix(beginning, is_caseless))


def spelled(
    clause: str, field: Field | None, pattern: str, flags: Flags = Flags.ALL, *, is_caseless: bool = False
) -> Clause:
    """The field has a value, or a word, that matches a regular expression; raises as `resembling`."""
    if len(pattern.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST_REGEXP:
        raise rejected(clause, f"the pattern has more than {_LONGEST_REGEXP} characters", "Split it up.")
    if not check_known(clause, field) or field is None:
        Regexp(pattern, flags, is_caseless)  # refused where it is malformed, whatever the field
        return NONE
    if field.type == "constant_keyword":
        is_match = field.constant is not None and Regexp(pattern, flags, is_caseless).holds((field.constant,))
        return ALL if is_match else NONE
    if field.type not in KEYWORDS | TEXTS:
        raise rejected(clause, f"[{field.name}] is of type [{field.type}], which has no patterns")
    check_searchable(clause, field)
    if is_caseless and not field.is_indexed:
        raise rejected(clause, f"[case_insensitive], and [{field.name}] is not indexed", "Leave it out.")
    pattern = normalized(field, pattern)
    if not pattern and field.type == "wildcard":
        return NONE
    exact = None if is_caseless else only_text(pattern, flags)
    return _leaf(field, Regexp(pattern, flags, is_caseless) if exact is None else OneOf(frozenset({exact})))


def _has_patterns(clause: str, field: Field | None) -> bool:
    if not check_known(clause, field) or field is None:
        return False
    if field.type not in PATTERNED:
        raise rejected(clause, f"[{field.name}] is of type [{field.type}], which has no patterns")
    check_searchable(clause, field)
    return True


def lowered_pattern(pattern: str) -> str:
    """What is not escaped, as the normalizer `lowercase` makes it."""
    parts = _UNESCAPED.findall(pattern)
    return "".join(part if part.startswith("\\") else lowercase(part) for part in parts)


def _equal(text_of: str, *, is_caseless: bool) -> Test:
    return Caseless(frozenset({fold(text_of)})) if is_caseless else OneOf(frozenset({text_of}))


def _leaf(field: Field, test: Test) -> Clause:
    return Leaf(field.name, AnyWord(test) if field.type in TEXTS else test)
