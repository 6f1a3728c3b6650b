"""The grammar of EQL, and its parser, which builds the tree as it reads.

The words come from `tokens`. From loose to tight: `or`, `and`, `not`, one comparison, `+ -`, `* / %`, a sign, and what
stands behind an operand (`in`, `:`, `like`, `regex`). What may be long is written as a rule that holds itself and grows
part by part: what lark makes of `*` takes time with the square of the length.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import cast

from lark import Lark, Token, UnexpectedToken
from lark.common import LexerConf
from lark.lexer import Lexer, LexerState

from lolbin_rules.query.eql.builder import Builder
from lolbin_rules.query.eql.faults import fault
from lolbin_rules.query.eql.misplaced import misplaced
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import EventQuery, SampleQuery, SequenceQuery
from lolbin_rules.query.eql.tokens import words

__all__ = ["read"]

_GRAMMAR = r"""
start: event pipe*                          -> event_query
    | sequence pipe*                        -> sequence_query
    | sample pipe*                          -> sample_query
event: category WHERE condition
category: NAME | STRING | ANY

sequence: SEQUENCE keys? span? item+ until?
span: WITH MAXSPAN _ASSIGN (SPAN | NUMBER)
item: (LSQB | ABSENT) event _RSQB keys? runs?
runs: WITH RUNS _ASSIGN NUMBER
until: UNTIL LSQB event _RSQB keys?
sample: SAMPLE keys? sampled+
sampled: (LSQB | ABSENT) event _RSQB keys?
keys: BY field (_COMMA field)*

pipe: _PIPE NAME (condition (_COMMA condition)*)?

?condition: conjunction
    | alternatives                          -> disjunction
alternatives: (conjunction | alternatives) _OR conjunction
?conjunction: negation
    | conditions                            -> conjunction
conditions: (negation | conditions) _AND negation
?negation: NOT negation                     -> negation
    | comparison
?comparison: sum
    | sum COMPARE sum                       -> compared
?sum: product
    | sum SIGN product                      -> arithmetic
?product: signed
    | product TIMES signed                  -> arithmetic
?signed: SIGN signed                        -> signed
    | tested
?tested: primary
    | primary IN items                      -> member
    | primary NOT IN items                  -> no_member
    | primary MATCH pattern                 -> matched
?primary: constant
    | call
    | field
    | _LPAR condition _RPAR                 -> grouped

?items: _LPAR expressions _RPAR
expressions: (expressions _COMMA)? condition
?pattern: constant                          -> constants
    | _LPAR constants _RPAR
constants: (constants _COMMA)? constant
constant: STRING | NUMBER | TRUE | FALSE | NULL
call: (NAME | CASELESS) _LPAR expressions? _RPAR
field: OPTIONAL? part (_DOT part | SUBSCRIPT)*
part: NAME | QUOTED

%declare NAME CASELESS QUOTED STRING NUMBER SPAN SUBSCRIPT
%declare WHERE ANY SEQUENCE SAMPLE UNTIL BY WITH MAXSPAN RUNS NOT IN TRUE FALSE NULL
%declare _OR _AND _LPAR _RPAR _RSQB _COMMA _DOT _PIPE _ASSIGN
%declare LSQB ABSENT OPTIONAL MATCH COMPARE SIGN TIMES
"""


class _Words(Lexer):
    """Hands on the words that were read before."""

    __future_interface__ = 2

    def __init__(self, _: LexerConf) -> None:
        """Take what the parser hands to every lexer; there is nothing to configure."""

    def lex(self, lexer_state: LexerState, parser_state: object) -> Iterator[Token]:
        """The words, one by one."""
        del parser_state
        yield from cast(list[Token], lexer_state.text)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer=_Words, transformer=Builder(), maybe_placeholders=False)


def read(text: str) -> EventQuery | SequenceQuery | SampleQuery:
    """The tree of a text.

    Raises:
        QueryError: it is no EQL.
    """
    found = words(text)
    try:
        tree = _parser().parse(cast(str, found))
    except UnexpectedToken as error:
        raise misplaced(text, found, error) from None
    except Misuse as error:
        raise fault(text, error.at, error.what, error.remedy) from None
    return cast(EventQuery | SequenceQuery | SampleQuery, tree)
