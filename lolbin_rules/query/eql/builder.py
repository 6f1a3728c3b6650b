"""What the parser makes of each rule of the grammar."""

from __future__ import annotations

import difflib
from datetime import timedelta
from typing import Literal as Choice
from typing import TypeAlias, cast

from lark import Token, Transformer, v_args

from lolbin_rules.query.eql.constants import check_depth, with_constants
from lolbin_rules.query.eql.functions import FUNCTIONS
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import (
    And,
    Arithmetic,
    Call,
    Comparison,
    EventQuery,
    Field,
    Item,
    Like,
    Literal,
    Membership,
    Negative,
    Node,
    Not,
    Or,
    Pipe,
    Regex,
    SampleQuery,
    SequenceQuery,
)

__all__ = ["Builder"]

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST_SPAN = timedelta(days=36_500)
_MOST_RUNS = 100
_FUNCTIONS = {name.lower(): function for name, function in FUNCTIONS.items()}
_INSTEAD = {
    "wildcard": "Write `field : (...)`, or `like` to respect the case.",
    "match": "Write `field regex~ (...)`, or `regex` to respect the case.",
    "matchlite": "Write `field regex~ (...)`, or `regex` to respect the case.",
    "arraycontains": "Write `field : (...)` or `field in (...)`: one value that fits is enough.",
    "arraysearch": "Write `field : (...)` or `field in (...)`: one value that fits is enough.",
    "arraycount": "Elasticsearch cannot count the values of a field in EQL. Leave it out.",
    "safe": "Write ?field for a field that need not be mapped.",
}
_UNSUPPORTED_PIPES = ("count", "filter", "sort", "unique", "unique_count")

Keys: TypeAlias = tuple[Field, ...]


def _at(token: Token) -> int:
    return token.start_pos or 0


@v_args(inline=True)
class Builder(Transformer[Token, Node]):
    """One method for each rule; each takes what stands in the rule, in order."""

    def event_query(self, event: EventQuery, *pipes: Pipe) -> EventQuery:
        """The whole query."""
        return EventQuery(event.category, event.condition, pipes, at=event.at)

    def sequence_query(self, sequence: SequenceQuery, *pipes: Pipe) -> SequenceQuery:
        """The whole query."""
        return SequenceQuery(sequence.items, sequence.keys, sequence.until, sequence.maxspan, pipes, at=sequence.at)

    def sample_query(self, sample: SampleQuery, *pipes: Pipe) -> SampleQuery:
        """The whole query."""
        if pipes:
            raise Misuse(pipes[0].at, "a sample takes no pipes", "Leave the pipe out.")
        return sample

    def event(self, category: Token, _where: Token, condition: Node) -> EventQuery:
        """`category where condition`."""
        return EventQuery(None if category.type == "ANY" else category.value, condition, at=_at(category))

    def category(self, name: Token) -> Token:
        """The category of an event."""
        return name

    def sequence(self, start: Token, *parts: Keys | timedelta | Item | Token) -> SequenceQuery:
        """The sequence without its pipes."""
        keys = next((part for part in parts if isinstance(part, tuple)), ())
        span = next((part for part in parts if isinstance(part, timedelta)), None)
        items = [part for part in parts if isinstance(part, Item)]
        until = items.pop() if items[-1].runs == 0 else None
        return SequenceQuery(tuple(items), keys, until, span, at=_at(start))

    def span(self, _with: Token, _maxspan: Token, written: Token) -> timedelta:
        """`with maxspan=1m`."""
        digits = str(written).rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = str(written)[len(digits) :]
        if not digits.isdigit() or unit not in _UNITS or not int(digits[:20]):
            what = f"maxspan is {str(written)[:40]}"
            raise Misuse(
                _at(written), what, "Write a whole number above 0 with its unit ms, s, m, h or d, such as 90s."
            )
        try:
            span = timedelta(**{_UNITS[unit]: int(digits[:20])})
        except OverflowError:
            span = timedelta.max
        if span > _LONGEST_SPAN:
            raise Misuse(_at(written), f"maxspan is {str(written)[:40]}, more than 100 years", "Write a shorter time.")
        return span

    def item(self, bracket: Token, event: EventQuery, *parts: Keys | int) -> Item:
        """One event of a sequence."""
        keys = next((part for part in parts if isinstance(part, tuple)), ())
        runs = next((part for part in parts if isinstance(part, int)), 1)
        return Item(event, keys, is_missing=bracket.type == "ABSENT", runs=runs, at=_at(bracket))

    def sampled(self, bracket: Token, event: EventQuery, *parts: Keys) -> Item:
        """One event of a sample."""
        if bracket.type == "ABSENT":
            raise Misuse(_at(bracket), "a sample has no missing events", "Write [ instead of ![.")
        return Item(event, parts[0] if parts else (), at=_at(bracket))

    def runs(self, _with: Token, _runs: Token, written: Token) -> int:
        """`with runs=3`."""
        if not isinstance(written.value, int) or not 1 <= written.value <= _MOST_RUNS:
            what = f"runs is {str(written)[:40]}"
            raise Misuse(_at(written), what, f"Write a whole number from 1 to {_MOST_RUNS}.")
        return written.value

    def until(self, start: Token, bracket: Token, event: EventQuery, *parts: Keys) -> Item:
        """`until [...]`; it is known by its runs of 0."""
        del bracket
        return Item(event, parts[0] if parts else (), runs=0, at=_at(start))

    def sample(self, start: Token, *parts: Keys | Item) -> SampleQuery:
        """The sample."""
        keys = next((part for part in parts if isinstance(part, tuple)), ())
        return SampleQuery(tuple(part for part in parts if isinstance(part, Item)), keys, at=_at(start))

    def keys(self, _by: Token, *fields: Field) -> Keys:
        """`by a, ?b`."""
        return fields

    def pipe(self, name: Token, *arguments: Node) -> Pipe:
        """`| head 5`."""
        if name not in {"head", "tail"}:
            is_known = name in _UNSUPPORTED_PIPES
            what = f"the pipe {name} is {'not supported by Elasticsearch' if is_known else 'not known'}"
            raise Misuse(_at(name), what, "Only head and tail are there.")
        for argument in arguments:
            check_depth(argument)
        count = with_constants(arguments[0]) if len(arguments) == 1 else None
        if not isinstance(count, Literal) or not isinstance(count.value, int) or isinstance(count.value, bool):
            raise Misuse(_at(name), f"{name} needs a whole number", f"Write how many are kept, such as `| {name} 5`.")
        return Pipe(cast(Choice["head", "tail"], str(name)), count.value, _at(name))

    def disjunction(self, parts: list[Node]) -> Node:
        """`a or b`."""
        return Or(tuple(parts), parts[0].at)

    def conjunction(self, parts: list[Node]) -> Node:
        """`a and b`."""
        return And(tuple(parts), parts[0].at)

    def alternatives(self, *parts: Node | list[Node]) -> list[Node]:
        """What `or` joins, one more each time."""
        return _grown(*parts)

    conditions = expressions = constants = alternatives

    def negation(self, word: Token, operand: Node) -> Node:
        """`not a`."""
        return Not(operand, _at(word))

    def compared(self, left: Node, operator: Token, right: Node) -> Node:
        """`a == b`."""
        return Comparison(str(operator), left, right, _at(operator))

    def arithmetic(self, left: Node, operator: Token, right: Node) -> Node:
        """`a + b`."""
        return Arithmetic(str(operator), left, right, _at(operator))

    def signed(self, sign: Token, operand: Node) -> Node:
        """`-a` or `+a`."""
        return Negative(operand, _at(sign)) if sign == "-" else Arithmetic("+", Literal(0), operand, _at(sign))

    def member(self, subject: Node, word: Token, items: list[Node]) -> Node:
        """`a in (b, c)`."""
        return Membership(subject, tuple(items), word == "in~", _at(word))

    def no_member(self, subject: Node, negation: Token, word: Token, items: list[Node]) -> Node:
        """`a not in (b, c)`."""
        return Not(self.member(subject, word, items), _at(negation))

    def matched(self, subject: Node, word: Token, patterns: list[Literal]) -> Node:
        """`a : "b"`, and `like` and `regex`."""
        for pattern in patterns:
            if not isinstance(pattern.value, str):
                remedy = "Write texts in double quotes, or compare with ==."
                raise Misuse(pattern.at, f"{word} compares with texts only, and this is none", remedy)
        node = Regex if word.startswith("regex") else Like
        return node(subject, tuple(patterns), word == ":" or word.endswith("~"), _at(word))

    def grouped(self, inner: Node) -> Node:
        """`(a)`."""
        return inner

    def constant(self, word: Token) -> Node:
        """A text, a number, true, false or null."""
        match word.type:
            case "NULL":
                return Literal(None, _at(word))
            case "TRUE" | "FALSE":
                return Literal(word.type == "TRUE", _at(word))
            case _:
                return Literal(word.value, _at(word))

    def call(self, name: Token, *several: list[Node]) -> Node:
        """`length(a)`."""
        arguments = tuple(several[0]) if several else ()
        function = _FUNCTIONS.get(name.value.lower())
        if function is None:
            raise _unknown_function(name)
        if name.type == "CASELESS" and not function.has_caseless:
            some = ", ".join(each.name for each in FUNCTIONS.values() if each.has_caseless)
            raise Misuse(_at(name), f"{function.name} has no caseless form", f"Leave the ~ out; only {some} have one.")
        least, most = function.required, len(function.parameters)
        if len(arguments) < least or (len(arguments) > most and not function.is_variadic):
            many = f"{least} or more" if function.is_variadic else str(least) if least == most else f"{least} to {most}"
            names = ", ".join(each.name for each in function.parameters)
            what = f"{function.name} takes {many} arguments and is given {len(arguments)}"
            raise Misuse(_at(name), what, f"Write {function.name}({names}{', ...' if function.is_variadic else ''}).")
        return Call(function.name, arguments, name.type == "CASELESS", _at(name))

    def field(self, *parts: Token) -> Node:
        """`?a.b.c`."""
        is_optional = parts[0].type == "OPTIONAL"
        for part in parts:
            if part.type == "SUBSCRIPT":
                remedy = "Leave the index out: one value that fits is enough."
                raise Misuse(_at(part), "Elasticsearch cannot ask for one element of an array", remedy)
        name = ".".join(part.value for part in parts[is_optional:])
        return Field(name, is_optional, _at(parts[0]))

    def part(self, name: Token) -> Token:
        """One part of the name of a field."""
        return name


def _grown(*parts: Node | list[Node]) -> list[Node]:
    """The parts in one list, which is the first of them where that is a list already."""
    first, *others = parts
    grown = first if isinstance(first, list) else [first]
    grown += [other for other in others if not isinstance(other, list)]
    return grown


def _unknown_function(name: Token) -> Misuse:
    lowered = name.value.lower()
    near = difflib.get_close_matches(lowered, _FUNCTIONS, n=1)
    remedy = _INSTEAD.get(lowered, f"Did you mean {_FUNCTIONS[near[0]].name}?" if near else "")
    return Misuse(
        _at(name), f"there is no function {name.value[:60]}", remedy or f"There are {', '.join(sorted(FUNCTIONS))}."
    )
