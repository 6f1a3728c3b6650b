"""Events that rules must not alert on although they match: written down with owner, reason and an end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from lolbin_rules.rule.findings import Finding, finding_details, together
from lolbin_rules.rule.refusal import KEY, NO_VALUE, Refusal, spoken
from lolbin_rules.rule.values import (
    IDENTIFIER_PATTERN,
    TEXT,
    FieldName,
    Frozen,
    Identifier,
    OneOrMore,
    Scalar,
    Shape,
    Text,
)

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler, SerializerFunctionWrapHandler
    from pydantic.functional_validators import ModelWrapValidatorHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

__all__ = ["EVERY_RULE", "ExceptionEntry", "ExceptionId", "ExceptionItem", "ExceptionList", "InnerEntry"]

EVERY_RULE: Final = "*"
NEEDS: Final[Mapping[str, str]] = {
    "match": "value",
    "match_any": "value",
    "wildcard": "value",
    "exists": "",
    "list": "list",
    "nested": "entries",
}
"""What an entry of each type has besides its field."""
OF_TYPES: Final = (
    "match: the field has exactly the value; match_any: one of the values; wildcard: the whole value fits a pattern of "
    "* and ?; exists: it has any value; list: it has a value of a named list"
)
ONE_VALUE: Final = frozenset({"match", "wildcard"})
PARTS: Final = ("value", "list", "entries")
MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
OF_ELASTIC: Final = frozenset({"id", "list_id", "type", "namespace_type"})
"""What Elastic's rules say of each of their exception lists."""


def _moment(value: Any) -> datetime:
    """A date, or a date and time, in UTC where no offset is given; a date is its first moment."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    remedy = "Write a date such as 2026-12-31, or a date and time in UTC such as 2026-12-31T18:00:00Z."
    if value is None:
        raise Refusal(NO_VALUE, remedy)
    if not isinstance(value, str) or not re.fullmatch(MOMENT, value):
        raise Refusal(f"{spoken(value)} is no date", remedy)
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal(f"{spoken(value)} is no date of the calendar", remedy) from None


def _list_id(value: Any) -> Any:
    """Elastic's rules name an exception list by an object with its `list_id`."""
    if not isinstance(value, Mapping):
        return value
    if "list_id" in value and value.keys() <= OF_ELASTIC:
        return value["list_id"]
    raise Refusal("a mapping without list_id, or with other keys, names no exception list", "Write the list's id.")


def _every_or_some(rules: tuple[str, ...]) -> tuple[str, ...]:
    if EVERY_RULE in rules and len(rules) > 1:
        raise Refusal('"*" stands for every rule, but there are ids beside it', 'Keep "*", or remove it.')
    return rules


Moment: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(lambda moment: moment.isoformat().replace("+00:00", "Z")),
    WithJsonSchema({"type": "string", "pattern": MOMENT, "examples": ["2026-12-31"]}),
]
ExceptionId: TypeAlias = Annotated[
    Identifier,
    BeforeValidator(_list_id),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": IDENTIFIER_PATTERN},
                {
                    "type": "object",
                    "properties": {
                        **{key: {} for key in sorted(OF_ELASTIC)},
                        "list_id": {"type": "string", "pattern": IDENTIFIER_PATTERN},
                    },
                    "required": ["list_id"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
RuleReference: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(rf"^(\*|{IDENTIFIER_PATTERN[1:-1]})$", "no id of a rule", 'Write the id of a rule, or "*" for every rule.'),
]


class FieldEntry(Frozen):
    """What one field of an event must hold (`included`) or must not (`excluded`)."""

    field: FieldName = Field(description="The field of the event.", examples=["process.executable"])
    type: str
    operator: Literal["included", "excluded"] = Field(
        default="included", description="included: the entry must hold; excluded: it must not."
    )
    value: Annotated[tuple[Scalar, ...], OneOrMore()] = Field(
        default=(), min_length=1, description="The value, or the values of match_any.", examples=["C:\\Tools\\a.exe"]
    )
    list: Identifier | None = Field(
        default=None, description="The id of the named list, for type list.", examples=["private_networks"]
    )

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_type(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, Mapping):
            return validate(value)
        findings = [finding_details(finding, value) for finding in _entry_findings(value)]
        try:
            entry = validate(value)
        except ValidationError as error:
            raise (together(error, findings) if findings else error) from None
        if findings:
            raise ValidationError.from_exception_data(cls.__name__, findings)
        return entry

    @model_serializer(mode="wrap")
    def _without_the_parts_of_other_types(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        others = {part for part in PARTS if part != NEEDS[self.type]}
        return {name: value for name, value in serialize(self).items() if name not in others}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        reference = handler(schema)
        definition = handler.resolve_ref_schema(reference)
        kinds = definition["properties"]["type"]["enum"]
        definition["allOf"] = [_entry_schema(kind, definition["properties"].keys() & set(PARTS)) for kind in kinds]
        return reference


class InnerEntry(FieldEntry):
    """What one field of a nested object must hold (`included`) or must not (`excluded`)."""

    type: Literal["match", "match_any", "exists", "wildcard", "list"] = Field(
        description=OF_TYPES + ".", examples=["match"]
    )


class ExceptionEntry(FieldEntry):
    """What one field of an event must hold (`included`) or must not (`excluded`), or the fields of a nested object."""

    type: Literal["match", "match_any", "exists", "wildcard", "list", "nested"] = Field(
        description=OF_TYPES + "; nested: one of the nested objects of the field holds all entries.",
        examples=["match"],
    )
    entries: tuple[InnerEntry, ...] = Field(
        default=(),
        min_length=1,
        description="What one nested object must hold, for type nested; fields are named below it.",
        examples=[[{"field": "subject_name", "type": "match", "value": "Example"}]],
    )


class ExceptionItem(Frozen):
    """One exception: an event that holds all of its entries is left out."""

    name: Text = Field(description="What is left out.", examples=["Backup agent"])
    reason: Text = Field(description="Why it is harmless.", examples=["Runs regsvr32 at every start."])
    owner: Text | None = Field(default=None, description="Who answers for it; without it the owner of the list.")
    expires: Moment | None = Field(
        default=None,
        description="From this moment on it no longer applies: a date (its first moment) or a date and time, in UTC.",
        examples=["2026-12-31"],
    )
    entries: tuple[ExceptionEntry, ...] = Field(
        min_length=1,
        description="What an event must hold to be left out: all of it.",
        examples=[[{"field": "process.name", "type": "match", "value": "agent.exe"}]],
    )

    def is_over(self, now: datetime) -> bool:
        """Whether it no longer applies."""
        return self.expires is not None and now >= self.expires


class ExceptionList(Frozen):
    """Exceptions from rules: an event that fits one of the items makes no alert."""

    id: Identifier = Field(
        description="The id by which rules name the list: exceptions: [<id>].", examples=["backup_agents"]
    )
    name: Text = Field(description="What the list is called.", examples=["Backup agents"])
    description: Annotated[str, TEXT] = Field(default="", description="What is in the list, and what is not.")
    owner: Text = Field(description="Who answers for it.", examples=["Jane Doe"])
    rules: Annotated[tuple[RuleReference, ...], OneOrMore(), AfterValidator(_every_or_some)] = Field(
        default=(),
        description='The ids of the rules that it applies to, besides those that name it; "*" for every rule.',
        examples=[["network-connection-via-regsvr32"]],
    )
    items: tuple[ExceptionItem, ...] = Field(
        min_length=1,
        description="The exceptions; each of them applies by itself.",
        examples=[
            [
                {
                    "name": "Backup agent",
                    "reason": "Runs regsvr32 at every start.",
                    "entries": [{"field": "process.name", "type": "match", "value": "agent.exe"}],
                }
            ]
        ],
    )

    @property
    def lists(self) -> tuple[str, ...]:
        """The ids of the named lists that its entries name, in order."""
        entries = (entry for item in self.items for entry in item.entries)
        named = (each.list for entry in entries for each in (entry, *entry.entries))
        return tuple(sorted({list_id for list_id in named if list_id}))

    def names(self, rule_id: str) -> bool:
        """Whether the list says by itself that it applies to the rule."""
        return EVERY_RULE in self.rules or rule_id in self.rules


def _entry_findings(written: Mapping[str, Any]) -> Iterator[Finding]:
    kind = written.get("type")
    needed = NEEDS.get(kind) if isinstance(kind, str) else None
    if needed is None:
        return
    for part in PARTS:
        if part in written and part != needed:
            owners = " or ".join(other for other, its in NEEDS.items() if its == part)
            what = f"key {part} has no meaning with type {kind}"
            refusal = Refusal(what, f"Remove it, or set type: {owners}.", consequence="it would be ignored")
            yield Finding((part, KEY), refusal)
    if needed and needed not in written:
        yield Finding((needed,), None)
    if needed == "list" and "list" in written and written["list"] is None:
        yield Finding(("list",), Refusal(NO_VALUE, "Write the id of a named list."))
    values = written.get("value")
    if kind in ONE_VALUE and isinstance(values, list | tuple) and len(values) > 1:
        remedy = "Set type: match_any." if kind == "match" else "Write one item for each pattern."
        yield Finding(("value",), Refusal(f"{len(values)} values are given for type {kind}, which has one", remedy))
    for value in _listed(values) if kind == "wildcard" else ():
        if isinstance(value, int | float):
            yield Finding(("value",), Refusal(f"{spoken(value)} is no pattern", f'Quote it: "{value}".'))
    if kind == "nested" and written.get("operator") == "excluded":
        remedy = "Write operator: excluded in the entries within."
        yield Finding(("operator",), Refusal("a nested entry is always included", remedy))


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,) if isinstance(value, str | bool | int | float) else ()


def _entry_schema(kind: str, parts: set[str]) -> dict[str, Any]:
    """What an entry of one type has, as JSON Schema."""
    needed = NEEDS[kind]
    properties: dict[str, Any] = dict.fromkeys(sorted(parts - {needed}), False)
    if kind == "wildcard":
        properties["value"] = {"type": ["string", "array"], "maxItems": 1, "items": {"type": "string"}}
    elif kind == "match":
        properties["value"] = {"maxItems": 1}
    elif kind == "list":
        properties["list"] = {"type": "string"}
    elif kind == "nested":
        properties["operator"] = {"const": "included"}
    then: dict[str, Any] = {"properties": properties}
    if needed:
        then["required"] = [needed]
    return {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": then}
