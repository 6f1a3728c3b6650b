"""Conditions as functions of one document.

What Query DSL can say is left to the kernel of the embedded store, which answers as Elasticsearch does; what it cannot
say is worked out here. Fields are read as the mapping says, as far as the types of fields tell it: what a normalizer,
`ignore_above`, `null_value` or a date format of its own would change is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import product
from typing import Any, TypeAlias

from lolbin_rules.dsl.addresses import address_text
from lolbin_rules.dsl.date_printing import date_printer
from lolbin_rules.dsl.field import Typed, Value
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Malformed, Reader
from lolbin_rules.query.eql.clauses import clause_of, only_stores_know
from lolbin_rules.query.eql.columns import Columns
from lolbin_rules.query.eql.logic import found_by
from lolbin_rules.query.eql.misuse import Misuse
from lolbin_rules.query.eql.nodes import (
    And,
    Arithmetic,
    Call,
    Comparison,
    Field,
    Literal,
    Membership,
    Negative,
    Node,
    Not,
    Or,
    Scalar,
    children,
    fields_in,
)
from lolbin_rules.query.eql.values import evaluator
from lolbin_rules.query.eql.writing import write
from lolbin_rules.store.port import Query

__all__ = ["Condition"]

_Decide: TypeAlias = Callable[[Typed, frozenset[str]], bool]
"""Takes the typed values of a document, and the names of the queries that it matches."""

_NANOS_OF_MS = 1_000_000
_print_date = date_printer("strict_date_optional_time")


class Condition:
    """A condition on one document, as `query.compiled.Keeps` has it; immutable but for what it works out once.

    Attributes:
        text: the condition as EQL, and the types that its fields are taken to have.
    """

    def __init__(self, node: Node, columns: Columns) -> None:
        """Take a folded condition with the names of fields as they can be compared.

        Raises:
            Misuse: it can only be answered by a store.
        """
        self._types = _types(node, columns)
        self._columns = columns
        self._queries: dict[str, Query] = {}
        self._decide = self._decided(node)
        self.text = f"eql: {write(node)} [{', '.join(f'{name} {kind}' for name, kind in sorted(self._types.items()))}]"

    def __call__(self, source: Mapping[str, Any], /) -> bool:
        """Whether the document fulfils the condition; one that no index would take does not.

        Raises:
            Unsupported: a regular expression is too complex for what the document has.
        """
        reader, matcher = self._kernel
        try:
            typed = reader.read(source)
        except Malformed:
            return False
        return self._decide(typed, matcher.match(typed))

    @cached_property
    def _kernel(self) -> tuple[Reader, Matcher]:
        """What reads documents, and what answers the parts that are queries."""
        mapping = IndexMapping(self._columns.mapping(self._types))
        matcher = Matcher({name: parse(query, mapping, 0) for name, query in self._queries.items()})
        return Reader(mapping, [*self._types]), matcher

    def _decided(self, node: Node) -> _Decide:
        hidden = only_stores_know(node, self._columns)
        if hidden:
            what = f"{hidden} stands beside what Query DSL cannot say"
            raise Misuse(node.at, what, "Join the two by `and`, or leave one out.")
        match node:
            case Literal(value):
                return lambda _typed, _names: value is True
            case Not(operand):
                inner = self._decided(operand)
                return lambda typed, names: not inner(typed, names)
            case And(parts):
                several = [self._decided(part) for part in parts]
                return lambda typed, names: all(each(typed, names) for each in several)
            case Or(parts):
                several = [self._decided(part) for part in parts]
                return lambda typed, names: any(each(typed, names) for each in several)
        found = found_by(node, self._clause)
        if found.is_exact:
            name = str(len(self._queries))
            self._queries[name] = found.as_query()
            return lambda _typed, names: name in names
        return self._scripted(node)

    def _clause(self, node: Node) -> Query | None:
        return clause_of(node, self._columns)

    def _scripted(self, node: Node) -> _Decide:
        """True where some choice of one value for each field makes it true."""
        value = evaluator(node, self._columns)
        names = list(dict.fromkeys(field.name for field in fields_in(node)))
        prints = [_PRINTS.get(self._types.get(name, "")) for name in names]

        def decide(typed: Typed, _: frozenset[str]) -> bool:
            several: list[list[Scalar]] = []
            for name, printed in zip(names, prints, strict=True):
                values = typed.get(name, ())
                several.append([printed(each) for each in values] if printed else [*values])
            choices = product(*(values or [None] for values in several))
            return any(value(dict(zip(names, choice, strict=True))) is True for choice in choices)

        return decide


_PRINTS: Mapping[str, Callable[[Value], Scalar]] = {
    "ip": lambda number: address_text(int(number)),
    "boolean": bool,
    "date": lambda ms: _print_date(int(ms)),
    "date_nanos": lambda nanos: _print_date(int(nanos) // _NANOS_OF_MS),
}
"""What functions are given of values that are numbers only to the kernel."""


_SUPPOSED: Mapping[type, str] = {bool: "boolean", int: "double", float: "double"}


def _types(node: Node, columns: Columns) -> dict[str, str]:
    """The type of every field, supposed from its use where it is not known; fields that no index has are left out."""
    supposed = {node.name: "boolean"} if isinstance(node, Field) else {}
    stack = [node]
    while stack:
        each = stack.pop()
        stack.extend(children(each))
        for part, kind in _uses(each):
            supposed.setdefault(part.name, kind)
    names = {field.name for field in fields_in(node)}
    known = {name: columns.type(name) or supposed.get(name, "keyword") for name in names}
    return {name: kind for name, kind in known.items() if not columns.is_unmapped(name)}


def _uses(node: Node) -> list[tuple[Field, str]]:
    """Fields of the node whose use tells something of their type."""
    match node:
        case Comparison(_, Field() as field, Literal(value)) | Membership(Field() as field, (Literal(value), *_)):
            return [(field, _SUPPOSED[type(value)])] if type(value) in _SUPPOSED else []
        case Call("cidrMatch", (Field() as field, *_)):
            return [(field, "ip")]
        case Arithmetic() | Negative():
            return [(child, "double") for child in children(node) if isinstance(child, Field)]
        case Not() | And() | Or():
            return [(child, "boolean") for child in children(node) if isinstance(child, Field)]
        case _:
            return []
