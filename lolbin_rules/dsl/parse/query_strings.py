"""`query_string`: what was written (see `query_string`), as clauses for the fields of a mapping."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lolbin_rules.dsl.analysis import words
from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.combine import ALL, NONE, any_of
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import boolean, check_names, check_rewrite, text, whole
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.dates import Calendar, Limit, read_zone
from lolbin_rules.dsl.parse.exists import exists, has
from lolbin_rules.dsl.parse.families import DATES, KEYWORDS, TEXTS
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.parse.full_text import Matching, counted, leniently, match, word_clauses
from lolbin_rules.dsl.parse.marked import Marked
from lolbin_rules.dsl.parse.minimum import minimum
from lolbin_rules.dsl.parse.patterns import lowered_pattern, prefixed, resembling, spelled
from lolbin_rules.dsl.parse.ranges import between
from lolbin_rules.dsl.parse.several_fields import TYPES, in_fields, read_fields, resolve
from lolbin_rules.dsl.query_pieces import Beginning, Group, Item, Pattern, Phrase, Piece, Run, Similar, Span, Spelling
from lolbin_rules.dsl.query_string import escape, read_query_string
from lolbin_rules.dsl.values import lowercase

__all__ = ["read_query_string_clause"]

_CLAUSE = "query_string"
_IGNORED = frozenset(
    {
        *("auto_generate_synonyms_phrase_query", "enable_position_increments", "fuzziness", "fuzzy_max_expansions"),
        *("fuzzy_prefix_length", "fuzzy_rewrite", "fuzzy_transpositions", "max_determinized_states", "tie_breaker"),
    }
)
"""Options that bear on scores, or on what is not supported anyway."""
_ONLY_IF_LEFT_OUT = ("analyzer", "quote_analyzer", "quote_field_suffix")
_COMPARISON = re.compile(r"(>=|<=|>|<)(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Options:
    """What a query says besides its text.

    Attributes:
        context: where it is read.
        matching: how words have to match; the default operator among them.
        fields: those that are searched where none is written.
        default: the one name or pattern that stands for them, if it is one; `*` where nothing is said.
        kind: as of a `multi_match`.
        calendar: how dates are read.
        allows_leading: patterns may begin with `*` or `?`.
        analyzes_prefixes: what stands before a final `*` is cut into words.
    """

    context: Context
    matching: Matching
    fields: Sequence[Field]
    default: str | None
    kind: str
    calendar: Calendar
    allows_leading: bool
    analyzes_prefixes: bool


_Found = Clause | Marked | None
"""What a piece means; None: nothing, as for words without a letter, which is neither true nor false."""


def read_query_string_clause(body: Mapping[str, Any], context: Context) -> Clause:
    """`query_string`."""
    known = {"query", "fields", "default_field", "default_operator", "lenient", "time_zone", "type", "phrase_slop"}
    known |= {"minimum_should_match", "allow_leading_wildcard", "analyze_wildcard", "escape", "rewrite"}
    check_names(_CLAUSE, body, {*known, *_IGNORED, *_ONLY_IF_LEFT_OUT})
    for name in _ONLY_IF_LEFT_OUT:
        if name in body:
            raise unsupported(_CLAUSE, f"[{name}] is given", "Leave it out.")
    check_rewrite(_CLAUSE, body.get("rewrite"))
    query = text(_CLAUSE, "query", body.get("query"))
    options = _options(body, context)
    if boolean(_CLAUSE, "escape", body.get("escape", False)):
        query = escape(query)
    written = read_query_string(query)
    found = None if written is None else _Compiler(options).group(written)
    if not isinstance(found, Marked):
        return NONE if found is None else found
    if options.matching.minimum is None:
        return found.clause()
    return found.clause(minimum(_CLAUSE, options.matching.minimum, found.optional))


def _options(body: Mapping[str, Any], context: Context) -> _Options:
    names = read_fields(_CLAUSE, body["fields"]) if body.get("fields") else []
    if "fields" in body and not isinstance(body["fields"], list):
        raise rejected(_CLAUSE, f"[fields] is {body['fields']!r}, where a list is expected")
    default = text(_CLAUSE, "default_field", body.get("default_field", "*"))
    if names and "default_field" in body:
        raise rejected(_CLAUSE, "[fields] and [default_field] are given", "Leave one of them out.")
    searched = names or [default]
    zone = read_zone(_CLAUSE, text(_CLAUSE, "time_zone", body["time_zone"])) if "time_zone" in body else None
    kind = text(_CLAUSE, "type", body.get("type", "best_fields"))
    if kind not in TYPES:
        raise rejected(_CLAUSE, f"[type] is {kind!r}, and there is no such type")
    is_lenient = boolean(_CLAUSE, "lenient", body.get("lenient", "*" in searched))
    operator = text(_CLAUSE, "default_operator", body.get("default_operator", "or")).lower()
    if operator not in {"or", "and"}:
        raise rejected(_CLAUSE, f"[default_operator] is {operator!r}", "Name `or` or `and`.")
    return _Options(
        context,
        Matching(
            _CLAUSE,
            needs_all=operator == "and",
            minimum=body.get("minimum_should_match"),
            is_lenient=is_lenient,
            slop=whole(_CLAUSE, "phrase_slop", body.get("phrase_slop", 0)),
        ),
        resolve(_CLAUSE, searched, context, is_list=bool(names) or default == "*"),
        None if names else default,
        kind,
        Calendar(context.now_ms, (), zone),
        allows_leading=boolean(_CLAUSE, "allow_leading_wildcard", body.get("allow_leading_wildcard", True)),
        analyzes_prefixes=boolean(_CLAUSE, "analyze_wildcard", body.get("analyze_wildcard", False)),
    )


class _Compiler:
    """Makes clauses of the pieces of one query."""

    def __init__(self, options: _Options) -> None:
        self._options = options
        self._context = options.context
        self._each = replace(options.matching, minimum=None)

    def group(self, group: Group) -> _Found:
        """Clauses side by side; a single one without a mark stands for itself."""
        parts: list[tuple[str, Clause]] = []
        for item in group.items:
            found = self._piece(item.piece)
            if len(group.items) == 1 and not item.mark:
                return found
            self._add(parts, item, found)
        return Marked(parts) if parts else None

    def _add(self, parts: list[tuple[str, Clause]], item: Item, found: _Found) -> None:
        """Add what was found, and let the conjunction before it mark the clause before that."""
        is_and = self._options.matching.needs_all
        optional = "must" if is_and else "should"
        if parts and parts[-1][0] != "must_not":
            if item.conjunction == "AND":
                parts[-1] = ("must", parts[-1][1])
            elif item.conjunction == "OR" and is_and:
                parts[-1] = ("should", parts[-1][1])
        if found is None:
            return
        if isinstance(found, Marked) and isinstance(item.piece, Run) and not item.piece.is_single:
            parts += [(optional, clause) for _, clause in found.parts]
            return
        mark = optional
        if item.mark == "-":
            mark = "must_not"
        elif is_and:
            mark = "should" if item.conjunction == "OR" else "must"
        elif item.mark == "+" or item.conjunction == "AND":
            mark = "must"
        parts.append((mark, found.clause() if isinstance(found, Marked) else found))

    def _piece(self, piece: Piece) -> _Found:
        match piece:
            case Group():
                return self.group(piece)
            case Run():
                return self._run(piece)
            case Phrase():
                return self._phrase(piece)
            case _:
                return self._single(piece)

    def _single(self, piece: Pattern | Beginning | Spelling | Similar | Span) -> _Found:
        match piece:
            case Pattern():
                return self._pattern(piece)
            case Beginning():
                return self._beginning(piece)
            case Spelling():
                return self._in_fields(piece.field, lambda field: spelled(_CLAUSE, field, piece.text))
            case Similar():
                return self._in_fields(piece.field, _similar)
            case Span():
                low, high = Limit(piece.low, piece.includes_low), Limit(piece.high, piece.includes_high)
                return self._span(piece.field, low, high)

    def _run(self, run: Run) -> _Found:
        if run.field == "_exists_":
            return self._exists(run.text)
        comparison = _COMPARISON.fullmatch(run.text)
        if comparison and (run.field is not None or self._options.default is not None):
            written = None if comparison[2] == "*" else comparison[2]  # a star, escaped as it is, is no limit
            limit = Limit(written, is_included=len(comparison[1]) > 1)
            is_low = comparison[1].startswith(">")
            return self._span(run.field, limit if is_low else Limit(), Limit() if is_low else limit)
        fields = self._fields(run.field)
        some = [field for field in fields if field.type not in TEXTS or words(run.text)]
        if not some:
            return None if fields else NONE
        return self._word(run, some)

    def _word(self, run: Run, fields: Sequence[Field]) -> _Found:
        kind = self._options.kind
        if len(fields) == 1 and fields[0].type in TEXTS and kind in {"best_fields", "most_fields", "cross_fields"}:
            return self._marked(fields[0], run.text)
        if self._options.matching.minimum is not None and kind in {"cross_fields", "bool_prefix"}:
            raise unsupported(_CLAUSE, f"[minimum_should_match] with the type {kind}", "Leave out one of them.")
        if fields[0].type in DATES and self._is_zoned(run, fields):
            return self._span(run.field, Limit(run.text), Limit(run.text))
        return in_fields(kind, self._each, fields, run.text, self._context)

    def _is_zoned(self, run: Run, fields: Sequence[Field]) -> bool:
        """Whether a date is read in the time zone: in phrases, and in a list of fields, it is read in UTC."""
        is_named = run.field is not None or self._options.default is not None
        return is_named and len(fields) == 1 and self._options.calendar.zone is not None

    def _marked(self, field: Field, text_of: str) -> _Found:
        """The words of one text field side by side, as `minimum_should_match` counts them."""
        found = words(text_of)
        if len(found) == 1 or not field.is_indexed:
            return match(self._each, field, text_of, self._context)
        mark = "must" if self._each.needs_all else "should"
        return Marked([(mark, clause) for clause in word_clauses(field, found)])

    def _phrase(self, phrase: Phrase) -> _Found:
        if phrase.field == "_exists_":
            return self._exists(phrase.text)
        fields = self._fields(phrase.field)
        if not fields:
            return NONE
        fields = [field for field in fields if field.type not in TEXTS or words(phrase.text)]
        slop = self._each.slop if phrase.slop is None else phrase.slop
        matching = replace(self._each, slop=slop)
        return in_fields("phrase", matching, fields, phrase.text, self._context) if fields else None

    def _pattern(self, pattern: Pattern) -> Clause:
        name = pattern.field if pattern.field is not None else self._options.default
        if pattern.text == "*" and name == "*":
            return ALL
        if pattern.text == "*":
            fields = self._options.fields
            return self._exists(name) if name is not None else any_of(has(_CLAUSE, field) for field in fields)
        if not self._options.allows_leading and pattern.text[0] in "*?" and self._fields(pattern.field):
            raise rejected(_CLAUSE, f"[{pattern.text}] begins with a wildcard, which [allow_leading_wildcard] forbids")

        def like(field: Field) -> Clause:
            is_text = field.type in TEXTS
            return resembling(_CLAUSE, field, lowered_pattern(pattern.text) if is_text else pattern.text)

        return self._in_fields(pattern.field, like)

    def _beginning(self, beginning: Beginning) -> _Found:
        fields = self._fields(beginning.field)
        if len(fields) == 1 and fields[0].type in TEXTS and fields[0].is_indexed:
            found = self._cut(beginning.text)
            if len(found) > 1:
                mark = "must" if self._each.needs_all else "should"
                clauses = word_clauses(fields[0], found, has_prefix=True)
                return Marked([(mark, clause) for clause in clauses])
        return self._in_fields(beginning.field, lambda field: self._begun(field, beginning.text))

    def _begun(self, field: Field, text_of: str) -> Clause:
        if field.type not in TEXTS:
            return prefixed(_CLAUSE, field, text_of)
        found = self._cut(text_of)
        if found and field.is_indexed:
            return counted(self._each, word_clauses(field, found, has_prefix=True))
        return prefixed(_CLAUSE, field, lowercase(text_of))

    def _cut(self, beginning: str) -> Sequence[str]:
        """The words of what stands before a final `*`, where they are wanted."""
        return words(beginning) if self._options.analyzes_prefixes else ()

    def _span(self, name: str | None, low: Limit, high: Limit) -> Clause:
        def spanned(field: Field) -> Clause:
            limits = (low, high) if field.type not in TEXTS else map(_lowered, (low, high))
            start, end = limits
            return between(_CLAUSE, field, start, end, self._options.calendar)

        return self._in_fields(name, spanned)

    def _exists(self, name: str) -> Clause:
        return exists(_CLAUSE, name, self._context)

    def _fields(self, name: str | None) -> Sequence[Field]:
        if name is None or (name == "*" and self._options.default == "*"):
            return self._options.fields
        return resolve(_CLAUSE, [name], self._context, is_list=False)

    def _in_fields(self, name: str | None, make: Callable[[Field], Clause]) -> Clause:
        """Any of the fields; where the query is lenient, what does not fit a field is passed over."""
        return any_of(_made(self._each, make, self._fields(name)))


def _similar(field: Field) -> Clause:
    if field.type not in KEYWORDS | TEXTS:
        raise rejected(_CLAUSE, f"`~` after a word, and [{field.name}] is of type [{field.type}]")
    raise unsupported(_CLAUSE, f"`~` after a word makes similar words of [{field.name}] match", "Leave it out.")


def _made(matching: Matching, make: Callable[[Field], Clause], fields: Iterable[Field]) -> Iterable[Clause]:
    for field in fields:
        yield leniently(matching, lambda field=field: make(field))  # type: ignore[misc]


def _lowered(limit: Limit) -> Limit:
    return limit if limit.value is None else replace(limit, value=lowercase(limit.value))
