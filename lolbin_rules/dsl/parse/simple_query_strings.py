"""`simple_query_string`: what was written (see `simple_query`), as clauses for some fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lolbin_rules.dsl.analysis import words
from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.combine import ALL, NONE, any_of
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import boolean, check_names, text
from lolbin_rules.dsl.parse.context import Context
from lolbin_rules.dsl.parse.families import CONSTANTS, KEYWORDS, TEXTS
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.parse.full_text import Matching, counted, leniently, match, word_clauses
from lolbin_rules.dsl.parse.marked import Marked
from lolbin_rules.dsl.parse.minimum import minimum
from lolbin_rules.dsl.parse.patterns import prefixed
from lolbin_rules.dsl.parse.several_fields import in_fields, read_fields, resolve
from lolbin_rules.dsl.query_pieces import Beginning, Phrase, Run, Similar
from lolbin_rules.dsl.simple_query import SimpleFlags, SimpleItem, SimplePiece, read_simple_query
from lolbin_rules.dsl.values import lowercase

__all__ = ["read_simple_query_string"]

_CLAUSE = "simple_query_string"
_KNOWN = frozenset(
    {
        *("query", "fields", "default_operator", "flags", "lenient", "minimum_should_match", "analyze_wildcard"),
        *("analyzer", "quote_field_suffix", "auto_generate_synonyms_phrase_query", "fuzzy_prefix_length"),
        *("fuzzy_max_expansions", "fuzzy_transpositions"),
    }
)


def read_simple_query_string(body: Mapping[str, Any], context: Context) -> Clause:
    """`simple_query_string`."""
    check_names(_CLAUSE, body, _KNOWN)
    for name in ("analyzer", "quote_field_suffix"):
        if name in body:
            raise unsupported(_CLAUSE, f"[{name}] is given", "Leave it out.")
    query = text(_CLAUSE, "query", body.get("query"))
    names = read_fields(_CLAUSE, body["fields"]) if body.get("fields") else ["*"]
    operator = text(_CLAUSE, "default_operator", body.get("default_operator", "or")).lower()
    if operator not in {"or", "and"}:
        raise rejected(_CLAUSE, f"[default_operator] is {operator!r}", "Name `or` or `and`.")
    matching = Matching(
        _CLAUSE,
        needs_all=operator == "and",
        is_lenient=boolean(_CLAUSE, "lenient", body.get("lenient", "*" in names)),
    )
    flags = _flags(body.get("flags"))
    if query.strip() == "*":
        return ALL
    analyzes = boolean(_CLAUSE, "analyze_wildcard", body.get("analyze_wildcard", False))
    fields = resolve(_CLAUSE, names, context, is_list=True)
    found = _Compiler(matching, fields, context, analyzes_prefixes=analyzes).joined(read_simple_query(query, flags))
    if not isinstance(found, Marked):
        return NONE if found is None else found
    wanted = body.get("minimum_should_match")
    return found.clause() if wanted is None else found.clause(minimum(_CLAUSE, wanted, found.optional))


def _flags(given: Any) -> SimpleFlags:
    if given is None:
        return SimpleFlags.ALL
    if isinstance(given, int) and not isinstance(given, bool):
        return SimpleFlags(given & SimpleFlags.ALL) if given >= 0 else SimpleFlags.ALL
    flags = SimpleFlags.NONE
    for name in text(_CLAUSE, "flags", given).upper().split("|"):
        if name and name not in SimpleFlags.__members__:
            raise rejected(_CLAUSE, f"there is no flag [{name}]")
        if name == "ALL":
            return SimpleFlags.ALL
        if name == "NONE":
            return SimpleFlags.NONE
        flags |= SimpleFlags[name] if name else SimpleFlags.NONE
    return flags if text(_CLAUSE, "flags", given) else SimpleFlags.ALL


_Found = Clause | Marked | None
"""What a part means; None: nothing, as for words without a letter."""


@dataclass(slots=True)
class _Compiler:
    """Makes clauses of the parts of one query."""

    matching: Matching
    fields: Sequence[Field]
    context: Context
    analyzes_prefixes: bool

    def joined(self, items: Sequence[SimpleItem]) -> _Found:
        """The parts from left to right; where the operator changes, all that came before is one part.

        An operator before a part that means nothing is that of the next part; empty brackets take it away.
        """
        top: _Found = None
        previous = operator = ""
        for item in items:
            operator = operator or (item.operator if top is not None else "")
            found = None if item.piece is None else self._found(item.piece)
            if item.piece is None:
                operator = ""
            if found is None:
                continue
            if item.is_negated:
                found = Marked([("must_not", _whole(found)), ("should", ALL)])
            if top is None:
                top = found
                continue
            operator = operator or ("must" if self.matching.needs_all else "should")
            if previous != operator or not isinstance(top, Marked):
                top = Marked([(operator, _whole(top))])
            top.parts.append((operator, _whole(found)))
            previous, operator = operator, ""
        return top

    def _found(self, piece: SimplePiece) -> _Found:
        match piece:
            case Run():
                return self._run(piece.text)
            case Phrase():
                return self._phrase(piece)
            case Beginning():
                return self._in_any(lambda field: self._begun(field, piece.text)) if self.fields else None
            case Similar():
                return self._in_any(_similar)
            case _:
                return self.joined(piece)

    def _run(self, written: str) -> _Found:
        fields = self._with_words(written)
        if not self.fields:
            return NONE
        if len(fields) == 1 and fields[0].type in TEXTS and fields[0].is_indexed and len(words(written)) > 1:
            mark = "must" if self.matching.needs_all else "should"
            return Marked([(mark, clause) for clause in word_clauses(fields[0], words(written))])
        return any_of(match(self.matching, field, written, self.context) for field in fields) if fields else None

    def _phrase(self, phrase: Phrase) -> _Found:
        fields = self._with_words(phrase.text)
        if not self.fields:
            return NONE
        matching = replace(self.matching, slop=phrase.slop or 0)
        return in_fields("phrase", matching, fields, phrase.text, self.context) if fields else None

    def _with_words(self, written: str) -> list[Field]:
        return [field for field in self.fields if field.type not in TEXTS or words(written)]

    def _begun(self, field: Field, written: str) -> Clause:
        if field.type not in TEXTS:
            is_passed_over = self.analyzes_prefixes and field.type not in KEYWORDS | CONSTANTS
            return NONE if is_passed_over else prefixed(_CLAUSE, field, written)
        found = words(written) if self.analyzes_prefixes else ()
        if found and field.is_indexed:
            return counted(self.matching, word_clauses(field, found, has_prefix=True))
        return prefixed(_CLAUSE, field, lowercase(written))

    def _in_any(self, make: Callable[[Field], Clause]) -> Clause:
        return any_of(leniently(self.matching, lambda field=field: make(field)) for field in self.fields)  # type: ignore[misc]


def _whole(found: Clause | Marked) -> Clause:
    return found.clause() if isinstance(found, Marked) else found


def _similar(field: Field) -> Clause:
    if field.type not in KEYWORDS | TEXTS:
        raise rejected(_CLAUSE, f"`~` after a word, and [{field.name}] is of type [{field.type}]")
    raise unsupported(_CLAUSE, f"`~` after a word makes similar words of [{field.name}] match", "Leave it out.")
