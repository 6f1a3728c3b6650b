"""`match`, `match_phrase`, `match_phrase_prefix` and `match_bool_prefix`: words in text fields, terms in all others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lolbin_rules.dsl.analysis import ANALYZERS, cut, ends_in_word
from lolbin_rules.dsl.clause import Clause, Leaf, OneOf, Test
from lolbin_rules.dsl.combine import ALL, NONE, all_of, any_of, at_least
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import boolean, check_names, one_field, query_text, scalar, text, whole
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.exact import Term, exact
from lolbin_rules.dsl.parse.families import CONSTANTS, DATES, KEYWORDS, TEXTS, check_known, check_searchable
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.parse.minimum import minimum
from lolbin_rules.dsl.parse.patterns import prefixed
from lolbin_rules.dsl.predicates import Prefix
from lolbin_rules.dsl.word_tests import AnyWord, Phrase
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = [
    "FUZZY",
    "Matching",
    "counted",
    "leniently",
    "match",
    "match_phrase",
    "match_phrase_prefix",
    "read_fuzziness",
    "read_match",
    "read_match_bool_prefix",
    "read_match_phrase",
    "read_match_phrase_prefix",
    "read_matching",
    "word_clauses",
]

FUZZY = frozenset({"fuzziness", "prefix_length", "max_expansions", "fuzzy_transpositions", "fuzzy_rewrite"})
"""Options that say which words are similar."""
_AUTO = re.compile(r"AUTO(:(?P<least>[0-9]+),[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Matching:
    """How words have to match.

    Attributes:
        clause: the clause and its field, for messages.
        needs_all: the operator is `and`.
        minimum: `minimum_should_match` as written, or None.
        is_lenient: values that do not fit a field's type match nothing instead of being refused.
        matches_if_empty: what a text without words means.
        analyzer: what cuts the text into words, whatever the field; None: that of text fields, for those alone.
        slop: of phrases.
        has_prefix: the last word is only the beginning of one.
        fuzziness: as `read_fuzziness` has it.
    """

    clause: str
    needs_all: bool = False
    minimum: Any = None
    is_lenient: bool = False
    matches_if_empty: bool = False
    analyzer: str | None = None
    slop: int = 0
    has_prefix: bool = False
    fuzziness: int = 0

    def words(self, field: Field | None, written: str) -> Sequence[str]:
        """The words that are looked for in the field; none where the whole text is."""
        if self.analyzer is None and (field is None or field.type not in TEXTS):
            return ()
        return cut(written, self.analyzer or "standard")


def read_match(body: Mapping[str, Any], context: Context) -> Clause:
    """`match`."""
    known = {"operator", "minimum_should_match", "lenient", "auto_generate_synonyms_phrase_query", *FUZZY}
    name, value, matching = _read("match", body, known)
    return match(matching, context.field(name), value, context)


def read_match_phrase(body: Mapping[str, Any], context: Context) -> Clause:
    """`match_phrase`."""
    name, value, matching = _read("match_phrase", body, {"slop"})
    return match_phrase(matching, context.field(name), value, context)


def read_match_phrase_prefix(body: Mapping[str, Any], context: Context) -> Clause:
    """`match_phrase_prefix`; as many words as begin so are taken, where Elasticsearch gives up after 50 of an index."""
    name, value, matching = _read("match_phrase_prefix", body, {"slop", "max_expansions"})
    return match_phrase_prefix(matching, context.field(name), value)


def read_match_bool_prefix(body: Mapping[str, Any], context: Context) -> Clause:
    """`match_bool_prefix`."""
    name, value, matching = _read("match_bool_prefix", body, {"operator", "minimum_should_match", *FUZZY})
    return match(replace(matching, has_prefix=True), context.field(name), value, context)


def _read(kind: str, body: Mapping[str, Any], known: set[str]) -> tuple[str, Any, Matching]:
    """The field, the text and how it has to match."""
    name, options = one_field(kind, body, "query")
    clause = f"{kind} [{name}]"
    has_zero_terms = set() if kind == "match_bool_prefix" else {"zero_terms_query"}
    check_names(clause, options, {"query", "analyzer", *known, *has_zero_terms})
    return name, scalar(clause, "query", options.get("query")), read_matching(clause, options)


def read_matching(clause: str, options: Mapping[str, Any]) -> Matching:
    """How words have to match, from the options that clauses of this family share; others are left alone."""
    operator = text(clause, "operator", options.get("operator", "or")).lower()
    if operator not in {"or", "and"}:
        raise rejected(clause, f"[operator] is {operator!r}", "Name `or` or `and`.")
    analyzer = text(clause, "analyzer", options["analyzer"]) if "analyzer" in options else None
    if analyzer is not None and analyzer not in ANALYZERS:
        raise unsupported(clause, f"[analyzer] is {analyzer!r}", f"Name one of {', '.join(ANALYZERS)}.")
    slop = whole(clause, "slop", options.get("slop", 0))
    if slop < 0:
        raise rejected(clause, f"[slop] is {slop}, and may not be negative")
    if_empty = text(clause, "zero_terms_query", options.get("zero_terms_query", "none")).lower()
    if if_empty not in {"all", "none"}:
        raise rejected(clause, f"[zero_terms_query] is {if_empty!r}", "Name `all` or `none`.")
    return Matching(
        clause,
        needs_all=operator == "and",
        minimum=options.get("minimum_should_match"),
        is_lenient=boolean(clause, "lenient", options.get("lenient", False)),
        matches_if_empty=if_empty == "all",
        analyzer=analyzer,
        slop=slop,
        fuzziness=read_fuzziness(clause, options.get("fuzziness", 0)),
    )


def read_fuzziness(clause: str, fuzziness: Any) -> int:
    """The length of words from which on other words match; 0: of no length.

    Which words those are depends on all words of an index, so they are not supported; AUTO leaves short words alone.
    """
    written = text(clause, "fuzziness", fuzziness).upper()
    automatic = _AUTO.fullmatch(written)
    if automatic:
        return max(int(automatic["least"] or 3), 1)
    if written in {"0", "0.0"}:
        return 0
    if written not in {"1", "2", "1.0", "2.0"}:
        raise rejected(clause, f"[fuzziness] is {fuzziness!r}", "Name AUTO, 0, 1 or 2.")
    return 1


def match(matching: Matching, field: Field | None, value: Any, context: Context) -> Clause:
    """The field has the value; a text field has its words.

    Raises:
        StoreRejected: the value is none that the field's type could have.
        Unsupported: other words might match as well.
    """
    return leniently(matching, lambda: _match(matching, field, value, context))


def match_phrase(matching: Matching, field: Field | None, value: Any, context: Context) -> Clause:
    """The field has the value; a text field has its words next to each other. Raises as `match`."""
    found = matching.words(field, query_text(value))
    if field is None or len(found) <= 1:
        return match(matching, field, value, context)
    return leniently(matching, lambda: _phrase(matching, field, found))


def match_phrase_prefix(matching: Matching, field: Field | None, value: Any) -> Clause:
    """The same, where the last word is only the beginning of one. Raises as `match`, for any field but a text field."""
    return leniently(matching, lambda: _phrase_prefix(matching, field, value))


def leniently(matching: Matching, make: Callable[[], Clause]) -> Clause:
    """The clause; nothing where it is refused and the query is lenient."""
    try:
        return make()
    except Unsupported:
        raise
    except StoreRejected:
        if matching.is_lenient:
            return NONE
        raise


def _match(matching: Matching, field: Field | None, value: Any, context: Context) -> Clause:
    if not check_known(matching.clause, field) or field is None:
        return NONE
    check_searchable(matching.clause, field)
    written = query_text(value)
    is_text = matching.is_lenient or matching.has_prefix or matching.clause == "multi_match"
    if field.type in DATES and is_text:
        value = written  # a number is then read by the field's formats, not as milliseconds
    if field.type in TEXTS or matching.analyzer is not None:
        # Behind the last word, a blank or a full stop says that it is a whole one.
        has_prefix = matching.has_prefix and ends_in_word(written, matching.analyzer or "standard")
        return _words(replace(matching, has_prefix=has_prefix), field, written, context)
    return _value(matching, field, value, context)


def _value(matching: Matching, field: Field, value: Any, context: Context) -> Clause:
    if matching.fuzziness:
        _check_fuzzy(matching, field, query_text(value))
    if matching.has_prefix and field.type in KEYWORDS | CONSTANTS:
        return prefixed(matching.clause, field, query_text(value))
    return exact(Term(matching.clause, value), field, context)


def _words(matching: Matching, field: Field, written: str, context: Context) -> Clause:
    found = matching.words(field, written)
    if not found:
        return ALL if matching.matches_if_empty else NONE
    for word in found:
        _check_fuzzy(matching, field, word)
    if field.type in TEXTS:
        return counted(matching, word_clauses(field, found, has_prefix=matching.has_prefix))
    # Where the query is lenient, a word that the type does not take is passed over by itself: others may match.
    clauses = [leniently(matching, partial(exact, Term(matching.clause, word), field, context)) for word in found]
    if matching.has_prefix:
        clauses[-1] = leniently(matching, partial(prefixed, matching.clause, field, found[-1]))
    return counted(matching, clauses)


def word_clauses(field: Field, found: Sequence[str], *, has_prefix: bool = False) -> list[Clause]:
    """For each of the words, that the text field has it; of the last one perhaps only the beginning."""
    tests: list[Test] = [OneOf(frozenset({word})) for word in found]
    if has_prefix:
        tests[-1] = Prefix(found[-1])
    return [_leaf(field, test) for test in tests]


def _check_fuzzy(matching: Matching, field: Field, word: str) -> None:
    if matching.fuzziness and field.type not in KEYWORDS | TEXTS:
        raise rejected(matching.clause, f"[fuzziness], and [{field.name}] is of type [{field.type}]")
    if matching.fuzziness and len(word) >= matching.fuzziness:
        raise unsupported(matching.clause, "[fuzziness] makes similar words match", "Leave it out.")


def _phrase(matching: Matching, field: Field, found: Sequence[str], *, has_prefix: bool = False) -> Clause:
    check_searchable(matching.clause, field)
    if field.type not in TEXTS:
        raise rejected(matching.clause, f"a phrase, and [{field.name}] is of type [{field.type}]")
    if matching.slop and len(set(found)) < len(found):
        raise unsupported(matching.clause, "[slop] and a word that is there twice", "Leave out [slop].")
    if matching.slop and has_prefix and any(word.startswith(found[-1]) for word in found[:-1]):
        raise unsupported(matching.clause, "[slop] and a word that begins as the last one does", "Leave out [slop].")
    return Leaf(field.name, Phrase(tuple(found), matching.slop, has_prefix))


def _phrase_prefix(matching: Matching, field: Field | None, value: Any) -> Clause:
    if field is None:
        return NONE
    check_known(matching.clause, field)
    if field.type not in TEXTS:
        raise rejected(matching.clause, f"[{field.name}] is of type [{field.type}], and a text field is expected")
    found = matching.words(field, query_text(value))
    if not found:
        return ALL if matching.matches_if_empty else NONE
    if not field.is_indexed:
        return NONE
    if len(found) == 1:
        return _leaf(field, Prefix(found[0]))
    return _phrase(matching, field, found, has_prefix=True)


def _leaf(field: Field, test: Test) -> Clause:
    return Leaf(field.name, AnyWord(test) if field.type in TEXTS else test)


def counted(matching: Matching, clauses: Sequence[Clause]) -> Clause:
    """All, any or so many of the clauses, as the operator and `minimum_should_match` want it."""
    if len(clauses) == 1:
        return clauses[0]
    count = 0 if matching.needs_all else len(clauses)
    wanted = None if matching.minimum is None else minimum(matching.clause, matching.minimum, count)
    if matching.needs_all:
        return NONE if wanted else all_of(clauses)
    return any_of(clauses) if wanted is None else at_least(max(wanted, 1), clauses)
