"""How many alerts become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AliasChoices, BeforeValidator, Field, WithJsonSchema, model_serializer

from lolbin_rules.rule.values import Duration, FieldName, Frozen

if TYPE_CHECKING:
    from pydantic import SerializerFunctionWrapHandler

__all__ = ["Suppression"]

MissingFields: TypeAlias = Annotated[
    Literal["suppress", "do_not_suppress"],
    BeforeValidator(lambda value: "do_not_suppress" if value == "doNotSuppress" else value),
    WithJsonSchema({"enum": ["suppress", "do_not_suppress", "doNotSuppress"]}),
]


class Suppression(Frozen):
    """One alert stands for all events of a group within a slot of time.

    Slots lie on a fixed grid of event time (multiples of their length since 1970), so that the same event always
    belongs to the same slot. A rule of type `threshold` has its groups already and gives `duration` only.
    """

    group_by: tuple[FieldName, ...] = Field(
        default=(),
        min_length=1,
        description="Fields whose values together name the group; any number of them.",
        examples=[["host.id", "process.name"]],
    )
    duration: Duration | None = Field(default=None, description="The length of a slot; without it the rule's interval.")
    missing_fields: MissingFields = Field(
        default="suppress",
        validation_alias=AliasChoices("missing_fields", "missing_fields_strategy"),
        description="What becomes of an event that lacks one of the fields: suppress groups it under `missing`, "
        "do_not_suppress gives it an alert of its own.",
    )

    @model_serializer(mode="wrap")
    def _without_what_has_no_meaning(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        return written if self.group_by else {"duration": written["duration"]}
