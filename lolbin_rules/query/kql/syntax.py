"""Reads KQL: text in, a tree out.

The language is the one that Elastic's documentation of KQL describes, as Kibana 8 and 9 read it: `not` binds closest,
then `and`, then `or`; keywords are written in any case; an unquoted value runs on over spaces; a no-break space is a
space; the empty query asks for every document.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final, Literal, cast

from lark import Lark, Token, Transformer, UnexpectedToken, v_args

from lolbin_rules.errors import QueryError
from lolbin_rules.query.kql.nodes import And, Everything, Is, Name, Nested, Node, Not, Or, Range, Value, Wild, Word
from lolbin_rules.query.kql.problems import unexpected
from lolbin_rules.query.kql.tokens import Refused, TokenSource, read_quoted, read_unquoted

__all__ = ["LONGEST", "And", "Everything", "Is", "Nested", "Node", "Not", "Or", "Range", "Wild", "Word", "parse_kql"]

LONGEST: Final = 100_000
"""Characters that a query may have."""
_MOST_REMEMBERED: Final = 1024
"""Queries. A rule's is read twice in every execution of it."""

_GRAMMAR: Final = """
?start: either
    | -> everything
?either: both
    | both (_OR both)+ -> any_of
?both: inverse
    | inverse (_AND inverse)+ -> all_of
?inverse: condition
    | _NOT condition -> opposite
?condition: _OPEN either _CLOSE
    | name _COLON BRACE either _UNBRACE -> nested
    | name RANGE value -> range
    | name _COLON values -> condition
    | value -> free
?values: value
    | _OPEN any_value _CLOSE
?any_value: all_values
    | all_values (_OR all_values)+ -> any_of
?all_values: one_value
    | one_value (_AND one_value)+ -> all_of
?one_value: values
    | _NOT values -> opposite
name: QUOTED -> quoted_name
    | TEXT -> unquoted_name
value: QUOTED -> quoted
    | TEXT -> unquoted
%declare _OR _AND _NOT _OPEN _CLOSE BRACE _UNBRACE _COLON RANGE QUOTED TEXT
"""
_COMPARISONS: Final[dict[str, Literal["gt", "gte", "lt", "lte"]]] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """Makes nodes as the parser recognises them. A list of values is a tree of values until its field is known."""

    def everything(self) -> Node:
        return Everything()

    def any_of(self, *parts: Node) -> Node:
        return Or(parts)

    def all_of(self, *parts: Node) -> Node:
        return And(parts)

    def opposite(self, part: Node) -> Node:
        return Not(part)

    def nested(self, name: Name, brace: Token, part: Node) -> Node:
        if isinstance(name, Wild):
            raise Refused(_place(brace), f"the nested field {name} has a wildcard in its name", "Write its whole name.")
        return Nested(name, part)

    def range(self, name: Name, sign: Token, limit: Value) -> Node:
        if isinstance(limit, Wild):
            raise Refused(_place(sign), f"the limit {limit} has a wildcard in it", "Write one value as the limit.")
        return Range(name, _COMPARISONS[sign], limit)

    def condition(self, name: Name, values: Node | Value) -> Node:
        return _of_field(name, values)

    def free(self, value: Value) -> Node:
        return Is(None, value)

    def quoted_name(self, word: Token) -> Name:
        return _named(word, read_quoted(word))

    def unquoted_name(self, word: Token) -> Name:
        found = read_unquoted(word)
        return found if isinstance(found, Wild) else _named(word, found)

    def quoted(self, word: Token) -> Value:
        return read_quoted(word)

    def unquoted(self, word: Token) -> Value:
        found = read_unquoted(word)
        if found == _NULL:
            remedy = 'Write `not field:*` for events without the field, or "null" for that text.'
            raise Refused(_place(word), "null is no value that could be compared with", remedy)
        return found


_NULL: Final = Word("null")


def _named(word: Token, found: Word) -> str:
    if found.text == "":
        raise Refused(_place(word), "a field name is empty", "Write the name of a field.")
    return str(found.text).lower() if isinstance(found.text, bool) else found.text


def _place(token: Token) -> int:
    return token.start_pos or 0


def _of_field(name: Name, found: Node | Value) -> Node:
    match found:
        case Word() | Wild():
            return Is(name, found)
        case And(parts):
            return And(tuple([_of_field(name, part) for part in parts]))
        case Or(parts):
            return Or(tuple([_of_field(name, part) for part in parts]))
        case Not(part):
            return Not(_of_field(name, part))
        case _:
            return found


@cache
def _parser() -> Lark:
    """Made when it is needed first, as that takes longer than to read many queries."""
    return Lark(_GRAMMAR, parser="lalr", lexer=TokenSource, transformer=_Builder())


@lru_cache(maxsize=_MOST_REMEMBERED)
def parse_kql(text: str) -> Node:
    """What a KQL query says.

    Raises:
        QueryError: the text is no KQL, has more than 100,000 characters, or more than 40 parentheses and braces within
            each other. Unquoted `null` is refused as well: Elasticsearch compares nothing with it.
    """
    try:
        _check(text)
        return cast("Node", _parser().parse(text))
    except UnexpectedToken as error:
        refused = unexpected(text, error.token)
    except Refused as error:
        refused = error
    line = text.count("\n", 0, refused.at) + 1
    column = refused.at - text.rfind("\n", 0, refused.at)
    raise QueryError(refused.what, refused.remedy, text, line, column)


def _check(text: str) -> None:
    if len(text) > LONGEST:
        raise Refused(
            LONGEST, f"the query has {len(text):,} characters and may have {LONGEST:,}", "Make several rules."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refused(error.start, "half a character", "Write the whole character.") from None
