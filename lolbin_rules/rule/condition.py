"""What one field of an event must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, model_serializer, model_validator

from lolbin_rules.rule.findings import Finding, finding_details, together
from lolbin_rules.rule.refusal import Refusal
from lolbin_rules.rule.values import (
    TRUE_OR_FALSE,
    Bound,
    Frozen,
    Identifier,
    Network,
    OneOrMore,
    Scalar,
    Text,
    TrueOrFalse,
)

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler, SerializerFunctionWrapHandler
    from pydantic.functional_validators import ModelWrapValidatorHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

__all__ = ["Condition"]

BOUNDS = ("gt", "gte", "lt", "lte")
KINDS = ("any_of", "list", "cidr", "wildcard", "range", "exists")
KINDS_REMEDY = "Write one of any_of, list, cidr, wildcard, exists, or bounds (gt, gte, lt, lte)."
CASELESS = frozenset({"any_of", "list", "wildcard"})
SHORT_FORMS = (str, bool, int, float, list, tuple)
NUMBERS = (int, float)


def _required(*keys: str) -> dict[str, Any]:
    return {"required": list(keys)}


ONE_KIND_SCHEMA: dict[str, Any] = {
    "oneOf": [{"anyOf": [_required(key) for key in BOUNDS]} if kind == "range" else _required(kind) for kind in KINDS],
    "not": {"anyOf": [_required("gt", "gte"), _required("lt", "lte")]},
    "if": {"properties": {"case_insensitive": {"const": True}}, **_required("case_insensitive")},
    "then": {"anyOf": [_required(kind) for kind in sorted(CASELESS)]},
}


class Condition(Frozen):
    """What one field of an event must (in `match`) or must not (in `exclude`) hold; exactly one kind of it.

    `field: value` is short for `field: {any_of: [value]}` and `field: [a, b]` for `field: {any_of: [a, b]}`.
    """

    any_of: Annotated[tuple[Scalar, ...], OneOrMore()] = Field(
        default=(),
        min_length=1,
        description="The field has one of these values. On an ip field a value may be a network in CIDR notation.",
    )
    list: Annotated[tuple[Identifier, ...], OneOrMore()] = Field(
        default=(), min_length=1, description="The field has one of the values of these named lists, given by id."
    )
    cidr: Annotated[tuple[Network, ...], OneOrMore()] = Field(
        default=(), min_length=1, description="The field, of type ip, lies in one of these networks."
    )
    wildcard: Annotated[tuple[Text, ...], OneOrMore()] = Field(
        default=(), min_length=1, description="The whole value fits one of these patterns; * and ? are wildcards."
    )
    gt: Bound = Field(default=None, description="The field is greater, or later, than this.")
    gte: Bound = Field(default=None, description="The field is this, greater or later.")
    lt: Bound = Field(default=None, description="The field is smaller, or earlier, than this.")
    lte: Bound = Field(default=None, description="The field is this, smaller or earlier.")
    exists: Annotated[bool | None, TRUE_OR_FALSE] = Field(
        default=None, description="true: the field has a value; false: it has none."
    )
    case_insensitive: TrueOrFalse = Field(
        default=False, description="Compare ASCII letters without case; with any_of, list and wildcard."
    )

    @property
    def range(self) -> dict[str, Any]:
        """The bounds that were given, as the `range` query names them."""
        bounds = {"gt": self.gt, "gte": self.gte, "lt": self.lt, "lte": self.lte}
        return {name: value for name, value in bounds.items() if value is not None}

    @model_validator(mode="wrap")
    @classmethod
    def _of_one_kind(cls, value: Any, validate: ModelWrapValidatorHandler[Condition]) -> Condition:
        written = {"any_of": value} if isinstance(value, SHORT_FORMS) else value
        refusal = _refusal(written) if isinstance(written, Mapping) else None
        try:
            condition = validate(written)
        except ValidationError as error:
            if refusal is None:
                raise
            raise together(error, [finding_details(Finding((), refusal), written)]) from None
        if refusal:
            raise refusal
        return condition

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        return {name: value for name, value in serialize(self).items() if getattr(self, name) != defaults[name]}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        reference = handler(schema)
        definition = handler.resolve_ref_schema(reference)
        long_form = {**definition, **ONE_KIND_SCHEMA}
        values = definition["properties"]["any_of"]["anyOf"]
        description = long_form.pop("description")
        definition.clear()
        definition.update(title="Condition", description=description, anyOf=[*values, long_form])
        return reference


def _refusal(written: Mapping[str, Any]) -> Refusal | None:
    """Why the keys of a condition do not go together; None if they do."""
    bounds = [key for key in BOUNDS if key in written]
    kinds = [kind for kind in KINDS if (bounds if kind == "range" else kind in written)]
    if not kinds and not written.keys() <= Condition.model_fields.keys():
        return None  # the kind is misspelt, which is refused as an unknown key
    if len(kinds) != 1:
        found = " and ".join("/".join(bounds) if kind == "range" else kind for kind in kinds) or "none of them"
        return Refusal(f"a condition is of exactly one kind, found {found}", KINDS_REMEDY)
    if written.get("case_insensitive") is True and kinds[0] not in CASELESS:
        return Refusal(
            f"case_insensitive has no meaning with {'/'.join(bounds) or kinds[0]}",
            "Remove it; it goes with any_of, list and wildcard.",
        )
    return _bounds_refusal(written)


def _bounds_refusal(written: Mapping[str, Any]) -> Refusal | None:
    for pair in (("gt", "gte"), ("lt", "lte")):
        if all(key in written for key in pair):
            return Refusal(f"{pair[0]} and {pair[1]} are both given", "Keep the one that is meant.")
    lower, upper = (written.get(f"{side}e", written.get(side)) for side in ("gt", "lt"))
    if type(lower) in NUMBERS and type(upper) in NUMBERS:
        closed = "gte" in written and "lte" in written
        if lower > upper or (lower == upper and not closed):
            return Refusal(
                f"no number lies between {lower} and {upper}",
                "Exchange or correct the bounds.",
                consequence="the condition could never hold",
            )
    return None
