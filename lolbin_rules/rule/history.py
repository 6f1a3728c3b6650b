"""What each version of a rule changed, and events that show what the present one does."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field

from lolbin_rules.rule.condition import Condition
from lolbin_rules.rule.values import FieldName, Frozen, Text, WholeNumber, Within

__all__ = ["Conditions", "RuleTest", "Version"]

Conditions: TypeAlias = dict[FieldName, Condition]


class Version(Frozen):
    """One earlier or present version of a rule: what it changed, and the logic that it replaced."""

    version: Annotated[WholeNumber, Within(1)] = Field(description="The number of the version.", examples=[2])
    changes: Text = Field(description="What this version changed.", examples=["Leaves out private networks."])
    match: Conditions | None = Field(default=None, description="The `match` that this version replaced.")
    exclude: Conditions | None = Field(default=None, description="The `exclude` that this version replaced.")
    query: Text | None = Field(default=None, description="The `query` that this version replaced.")


class RuleTest(Frozen):
    """Events and how many alerts the rule must make of them; zero says that it must stay silent."""

    name: Text = Field(description="What the case shows.", examples=["regsvr32 reaches a public address"])
    events: tuple[dict[str, Any], ...] = Field(
        min_length=1,
        description="Events as documents; keys may be dotted.",
        examples=[[{"event.category": "network", "process.name": "regsvr32.exe"}]],
    )
    alerts: Annotated[WholeNumber, Within(0)] = Field(
        description="How many alerts the rule must make of them; 0 if it must stay silent.", examples=[1]
    )
