"""The kinds of values that keys of a rule take.

Each checks one value, refuses it in a sentence and describes itself in JSON Schema.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import core_schema

from lolbin_rules.rule.duration import (
    DURATION_PATTERN,
    LOOKBACK_PATTERN,
    format_duration,
    format_lookback,
    parse_duration,
    parse_lookback,
)
from lolbin_rules.rule.refusal import NO_VALUE, Refusal, spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

__all__ = [
    "IDENTIFIER_PATTERN",
    "TEXT",
    "TRUE_OR_FALSE",
    "Bound",
    "Duration",
    "FieldName",
    "Frozen",
    "Identifier",
    "IndexPattern",
    "Lookback",
    "Network",
    "OneOrMore",
    "Scalar",
    "Shape",
    "Text",
    "TrueOrFalse",
    "VariableName",
    "WholeNumber",
    "Within",
    "check_network",
]

IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
NUMERAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Frozen(BaseModel):
    """Immutable; keys that it does not know are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Kind:
    """Only values of these types pass, and none is turned into another: `"21"` is no number, `1` is not true."""

    types: tuple[type, ...]
    words: str
    schema: tuple[str, ...]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": self.schema[0] if len(self.schema) == 1 else list(self.schema)}

    def check(self, value: Any) -> Any:
        """The value itself.

        Raises:
            Refusal: it is of another type.
        """
        if type(value) in self.types:
            return value
        if value is None:
            raise Refusal(NO_VALUE, f"Write {self.words}.")
        raise Refusal(f"{spoken(value)} is not {self.words}", self._remedy(value))

    def _remedy(self, value: Any) -> str:
        if self.types == (str,) and isinstance(value, bool | int | float):
            return f'Quote it: "{str(value).lower() if isinstance(value, bool) else value}".'
        if int in self.types and isinstance(value, str) and NUMERAL.fullmatch(value):
            return f"Write {value} without quotes."
        return f"Write {self.words}."


@dataclass(frozen=True, slots=True)
class Shape:
    """The whole text fits a pattern."""

    pattern: str
    words: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def check(self, value: str) -> str:
        """The text itself.

        Raises:
            Refusal: it does not fit.
        """
        if re.fullmatch(self.pattern, value):
            return value
        raise Refusal(f"{spoken(value)} is {self.words}", self.remedy)


@dataclass(frozen=True, slots=True)
class Within:
    """A number between two bounds, both included."""

    least: int
    most: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        upper = {} if self.most is None else {"maximum": self.most}
        return {**handler(schema), "minimum": self.least, **upper}

    def check(self, value: int) -> int:
        """The number itself.

        Raises:
            Refusal: it lies outside.
        """
        span = f"from {self.least} up" if self.most is None else f"from {self.least} to {self.most}"
        if value < self.least or (self.most is not None and value > self.most):
            raise Refusal(f"{spoken(value)} lies outside of what is possible", f"Use a whole number {span}.")
        return value


class OneOrMore:
    """A list; a single value is short for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | bool | int | float) else value


def check_network(value: str) -> str:
    """An address or a network in CIDR notation, as Elasticsearch reads them.

    Raises:
        Refusal: it is neither, or bits are set outside of the network's prefix.
    """
    remedy = "Write an address or a network in CIDR notation, such as 10.0.0.0/8 or fe80::/10."
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise Refusal(f"{spoken(value)} is no address or network", remedy) from None
    address, slash, prefix = value.partition("/")
    if "%" in value or (slash and not prefix.isdecimal()):
        raise Refusal(f"{spoken(value)} is no CIDR notation", f"Write {network}." if "%" not in value else remedy)
    if slash and ipaddress.ip_address(address) != network.network_address:
        raise Refusal(
            f"{spoken(value)} sets bits outside of its /{prefix} prefix",
            f"Write {network} for the network or {address} for the one address.",
            consequence="Elasticsearch would refuse the whole query",
        )
    return value


def _timed(parse: Callable[[str], timedelta], example: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        if isinstance(value, timedelta):
            return value
        if not isinstance(value, str):
            found = NO_VALUE if value is None else f"{spoken(value)} has no unit of time"
            raise Refusal(found, f"Write a whole number and one of s, m, h, d, such as {example}.")
        return parse(value)

    return BeforeValidator(read)


TEXT = Kind((str,), "text", ("string",))
TRUE_OR_FALSE = Kind((bool,), "true or false", ("boolean",))
NUMBER = Kind((int,), "a whole number", ("integer",))

Scalar: TypeAlias = Annotated[
    str | bool | int | float,
    Kind((str, bool, int, float), "text, a number, true or false", ("string", "boolean", "number")),
]
Bound: TypeAlias = Annotated[
    str | int | float | None, Kind((str, int, float), "a number or a date as text", ("string", "number"))
]
TrueOrFalse: TypeAlias = Annotated[bool, TRUE_OR_FALSE]
WholeNumber: TypeAlias = Annotated[int, NUMBER]
Text: TypeAlias = Annotated[str, TEXT, Shape(r"^[\s\S]*\S[\s\S]*$", "nothing to read", "Write a text.")]
Identifier: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(
        IDENTIFIER_PATTERN,
        "no id",
        "Use 1 to 128 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit.",
    ),
]
FieldName: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(
        r"^[A-Za-z0-9_@][A-Za-z0-9_@-]*(\.[A-Za-z0-9_@-]+)*$",
        "no field name",
        "Write the full name of one field, such as process.name, without blanks or wildcards.",
    ),
]
IndexPattern: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(
        r'^[^\s,"\\/<>|?#A-Z_+-][^\s,"\\/<>|?#A-Z]*$',
        "no index pattern",
        "Write one lower-case index name, with * as the only wildcard, such as winlogbeat-*; several are a list.",
    ),
]
VariableName: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(
        r"^[A-Za-z_][A-Za-z0-9_]*$",
        "no name of a variable",
        "Use letters, digits and underscores, and do not begin with a digit; templates read it as vars.name.",
    ),
]
Network: TypeAlias = Annotated[str, TEXT, AfterValidator(check_network), Field(examples=["10.0.0.0/8"])]
Duration: TypeAlias = Annotated[
    timedelta,
    _timed(parse_duration, "5m"),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["5m"]}),
]
Lookback: TypeAlias = Annotated[
    timedelta,
    _timed(parse_lookback, "now-9m"),
    PlainSerializer(format_lookback),
    WithJsonSchema({"type": "string", "pattern": LOOKBACK_PATTERN, "examples": ["now-9m"]}),
]
