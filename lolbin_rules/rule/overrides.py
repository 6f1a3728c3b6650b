"""What an alert takes from its event in place of the rule's own values, and what is told to analysts."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from lolbin_rules.rule.values import TEXT, TRUE_OR_FALSE, FieldName, Frozen, Scalar, Text, WholeNumber, Within

__all__ = [
    "InvestigationFields",
    "RelatedIntegration",
    "RequiredField",
    "RiskScoreMapping",
    "Severity",
    "SeverityMapping",
]

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]


class SeverityMapping(Frozen):
    """A severity for alerts whose event has a certain value; the highest that fits is taken."""

    field: FieldName = Field(description="The field of the event.", examples=["event.severity"])
    operator: Literal["equals"] = Field(default="equals", description="Always equals.")
    value: Scalar = Field(description="The value that the field must have.", examples=["73"])
    severity: Severity = Field(description="The severity of the alert then.", examples=["high"])


class RiskScoreMapping(Frozen):
    """A field of the event that holds the risk score: the greatest number from 0 to 100 in it is taken."""

    field: FieldName = Field(description="The field of the event.", examples=["event.risk_score"])
    operator: Literal["equals"] = Field(default="equals", description="Always equals.")
    value: Annotated[str, TEXT] = Field(default="", description="Has no effect; Elastic's rules give it.")
    risk_score: Annotated[WholeNumber, Within(0, 100)] | None = Field(
        default=None, description="Has no effect; Elastic's rules may give it."
    )


class InvestigationFields(Frozen):
    """The fields that an analyst should look at first."""

    field_names: tuple[FieldName, ...] = Field(
        min_length=1, description="The fields, the most telling first.", examples=[["process.command_line"]]
    )


class RelatedIntegration(Frozen):
    """An integration of Elastic's that ships the events."""

    package: Text = Field(description="The name of the integration's package.", examples=["endpoint"])
    version: Text = Field(description="The versions that will do.", examples=["^8.2.0"])
    integration: Text | None = Field(default=None, description="The part of the package.")


class RequiredField(Frozen):
    """A field that the rule's events should have."""

    name: FieldName = Field(description="The field.", examples=["process.name"])
    type: Text = Field(description="The type that it is mapped to.", examples=["keyword"])
    ecs: Annotated[bool | None, TRUE_OR_FALSE] = Field(default=None, description="Whether ECS has it.")
