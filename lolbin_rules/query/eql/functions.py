"""The functions of EQL: what they take, and what they make of constants and of the values of documents.

As Elastic's EQL function reference has them. Positions and lengths count code units of UTF-16, as Java does. A null
among the arguments makes the result null, except where a parameter says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lolbin_rules.query.eql import networks, numbers, texts
from lolbin_rules.query.eql.nodes import Scalar

__all__ = ["FUNCTIONS", "Function", "Kind", "Parameter", "apply"]

Kind: TypeAlias = Literal["text", "number", "boolean", "address", "any"]
"""What a parameter takes; an address is an `ip` field or a text."""

_Evaluate: TypeAlias = Callable[..., Scalar]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        name: for messages.
        kind: what it takes.
        is_nullable: null is as good as not given.
        is_constant: no field may be in it.
    """

    name: str
    kind: Kind
    is_nullable: bool = False
    is_constant: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes:
        name: as the reference spells it; queries may spell it in any case.
        result: what it yields.
        parameters: in order.
        required: how many must be given.
        is_variadic: the last parameter may be given again and again.
        has_caseless: `name~` exists; `evaluate` then takes `fold`, what makes texts caseless.
        evaluate: the result for arguments none of which is null; raises ValueError where there is none.
    """

    name: str
    result: Kind
    parameters: tuple[Parameter, ...]
    evaluate: _Evaluate
    required: int
    is_variadic: bool = False
    has_caseless: bool = False

    def parameter(self, place: int) -> Parameter:
        """The parameter of the argument at a place, counted from 0."""
        return self.parameters[min(place, len(self.parameters) - 1)]


def apply(function: Function, arguments: Sequence[Scalar], *, is_caseless: bool = False) -> Scalar:
    """What the function makes of the arguments, some of which may be null.

    Raises:
        ValueError: they have no result, such as `number("x")`; says why.
    """
    for place, argument in enumerate(arguments):
        if argument is None and not function.parameter(place).is_nullable:
            return None
    if function.has_caseless:
        return function.evaluate(*arguments, fold=texts.fold if is_caseless else str)
    return function.evaluate(*arguments)


def _texts(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, "text") for name in names)


_NUMBERS = (Parameter("left", "number"), Parameter("right", "number"))

_ALL = (
    *(
        Function(name, "number", _NUMBERS, numbers.OPERATORS[operator], required=2)
        for name, operator in numbers.NAMES.items()
    ),
    Function(
        "between",
        "text",
        (*_texts("source", "left", "right"), Parameter("greedy", "boolean", is_nullable=True)),
        texts.between,
        required=3,
        has_caseless=True,
    ),
    Function(
        "cidrMatch",
        "boolean",
        (Parameter("address", "address"), Parameter("block", "text", is_constant=True)),
        networks.is_within,
        required=2,
        is_variadic=True,
    ),
    Function("concat", "text", (Parameter("value", "any"),), texts.concat, required=1, is_variadic=True),
    Function("endsWith", "boolean", _texts("source", "ending"), texts.ends_with, required=2, has_caseless=True),
    Function(
        "indexOf",
        "number",
        (*_texts("source", "part"), Parameter("start", "number")),
        texts.index_of,
        required=2,
        has_caseless=True,
    ),
    Function("length", "number", _texts("text"), texts.length, required=1),
    Function(
        "number",
        "number",
        (Parameter("text", "text"), Parameter("base", "number", is_nullable=True)),
        numbers.number,
        required=1,
    ),
    Function("startsWith", "boolean", _texts("source", "beginning"), texts.starts_with, required=2, has_caseless=True),
    Function("string", "text", (Parameter("value", "any"),), texts.string, required=1),
    Function("stringContains", "boolean", _texts("source", "part"), texts.contains, required=2, has_caseless=True),
    Function(
        "substring",
        "text",
        (Parameter("text", "text"), Parameter("start", "number"), Parameter("end", "number")),
        texts.substring,
        required=2,
    ),
)

FUNCTIONS: Mapping[str, Function] = {function.name: function for function in _ALL}
"""By their names as the reference spells them."""
