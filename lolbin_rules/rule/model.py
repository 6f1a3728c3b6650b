"""What a rule author wrote, typed and frozen.

Field names and their meaning follow Elastic's detection rules where Elastic has the field; Elastic's own names are
accepted as aliases (`rule_id`, `from`, `max_signals`, `alert_suppression`). The JSON Schema that editors use is made
from these classes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from lolbin_rules.rule.condition import Condition
from lolbin_rules.rule.duration import format_duration, format_lookback
from lolbin_rules.rule.refusal import Refusal, spoken
from lolbin_rules.rule.threat import Named, Subtechnique, Tactic, Technique, Threat
from lolbin_rules.rule.values import (
    TEXT,
    Duration,
    FieldName,
    Frozen,
    Identifier,
    IndexPattern,
    Lookback,
    OneOrMore,
    Scalar,
    Text,
    TrueOrFalse,
    VariableName,
    WholeNumber,
    Within,
    check_network,
)

__all__ = [
    "Condition",
    "Named",
    "NamedList",
    "Rule",
    "RuleTest",
    "Scalar",
    "Severity",
    "Subtechnique",
    "Suppression",
    "Tactic",
    "Technique",
    "Threat",
    "Version",
]

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
Conditions: TypeAlias = dict[FieldName, Condition]
MissingFields: TypeAlias = Annotated[
    Literal["suppress", "do_not_suppress"],
    BeforeValidator(lambda value: "do_not_suppress" if value == "doNotSuppress" else value),
    WithJsonSchema({"enum": ["suppress", "do_not_suppress", "doNotSuppress"]}),
]


class Suppression(Frozen):
    """One alert stands for all events of a group within a slot of time.

    Slots lie on a fixed grid of event time (multiples of their length since 1970), so that the same event always
    belongs to the same slot.
    """

    group_by: tuple[FieldName, ...] = Field(
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


class Rule(Frozen):
    """One detection rule. Times: every `interval` the last `lookback` is searched."""

    id: Identifier = Field(
        validation_alias=AliasChoices("id", "rule_id"),
        description="The stable id of the rule; alerts are identified by it, so it never changes.",
        examples=["network-connection-via-regsvr32"],
    )
    name: Text = Field(description="What an analyst reads first.", examples=["Network connection by regsvr32"])
    description: Text = Field(
        description="What the rule finds and why that matters.",
        examples=["regsvr32 loads scripts from the network past application control."],
    )
    type: Literal["query"] = Field(default="query", description="How the rule looks for events.")
    enabled: TrueOrFalse = Field(default=True, description="false: the rule is checked and tested, but not run.")
    author: Annotated[tuple[Text, ...], OneOrMore()] = Field(
        min_length=1, description="Who wrote it.", examples=["Jane Doe"]
    )
    license: Text = Field(description="The licence of the rule, as an SPDX identifier.", examples=["Apache-2.0"])
    version: Annotated[WholeNumber, Within(1)] = Field(
        default=1, description="The number of the version, raised with each change of what the rule finds."
    )
    history: tuple[Version, ...] = Field(
        default=(), description="What each version changed, the present one included, and the logic it replaced."
    )
    index: Annotated[tuple[IndexPattern, ...], OneOrMore()] = Field(
        min_length=1,
        description="The indices that are searched; * is the wildcard.",
        examples=[["winlogbeat-*", "logs-endpoint.events.*"]],
    )
    interval: Duration = Field(
        default=timedelta(minutes=5),
        description="The time between two runs, such as 5m.",
        json_schema_extra={"default": "5m"},
    )
    lookback: Lookback = Field(
        default=timedelta(minutes=9),
        validate_default=True,
        validation_alias=AliasChoices("lookback", "from"),
        description="How far back each run searches, such as now-9m; what exceeds the interval is the tolerance for "
        "late events.",
        json_schema_extra={"default": "now-9m"},
    )
    max_alerts: Annotated[WholeNumber, Within(1, 10_000)] = Field(
        default=100,
        validation_alias=AliasChoices("max_alerts", "max_signals"),
        description="How many alerts one run creates at most; what is left over comes with the next runs.",
    )
    severity: Severity = Field(description="How bad it is if it is true.", examples=["low"])
    risk_score: Annotated[WholeNumber, Within(0, 100)] = Field(
        description="The severity as a number: low 0-21, medium 22-47, high 48-73, critical 74-100.", examples=[21]
    )
    match: Conditions = Field(
        min_length=1,
        description="What an event must hold: every one of these fields.",
        examples=[{"process.name": "regsvr32.exe"}],
    )
    exclude: Conditions = Field(default={}, description="What an event must not hold: none of these fields.")
    vars: dict[VariableName, Scalar] = Field(default={}, description="Values for the templates, as vars.<name>.")
    suppression: Suppression | None = Field(
        default=None,
        validation_alias=AliasChoices("suppression", "alert_suppression"),
        description="Let one alert stand for all events of a group within a slot of time.",
    )
    name_template: Text | None = Field(
        default=None, description="A Jinja2 template for the name of each alert; without it the rule's name."
    )
    reason: Text | None = Field(default=None, description="A Jinja2 template that says why an alert was made.")
    threat: tuple[Threat, ...] = Field(default=(), description="Where the rule stands in MITRE ATT&CK.")
    tags: tuple[Text, ...] = Field(default=(), description="Words to select rules by.")
    references: tuple[Text, ...] = Field(default=(), description="Addresses of pages that explain the technique.")
    false_positives: tuple[Text, ...] = Field(default=(), description="Harmless causes of the same events.")
    note: Annotated[str, TEXT] = Field(default="", description="How to investigate an alert, in Markdown.")
    setup: Annotated[str, TEXT] = Field(default="", description="What has to be logged for the rule to work.")
    tests: tuple[RuleTest, ...] = Field(default=(), description="Events with the number of alerts they must make.")

    @field_validator("history")
    @classmethod
    def _history_ends_with_the_present(cls, history: tuple[Version, ...], info: ValidationInfo) -> tuple[Version, ...]:
        version, numbers = info.data.get("version"), [entry.version for entry in history]
        if repeated := sorted({number for number in numbers if numbers.count(number) > 1}):
            raise Refusal(f"history names version {repeated[0]} more than once", "Give each version one entry.")
        if version is None or not numbers or max(numbers) == version:
            return history
        raise Refusal(
            f"history ends with version {max(numbers)}, the rule is at version {version}",
            f"Set version: {max(numbers)}, or add an entry for version {version}.",
            consequence="nobody could tell what the last change was",
        )

    @field_validator("lookback")
    @classmethod
    def _lookback_reaches_the_last_run(cls, lookback: timedelta, info: ValidationInfo) -> timedelta:
        interval = info.data.get("interval")
        if interval is None or lookback >= interval:
            return lookback
        raise Refusal(
            f"lookback {format_lookback(lookback)} is shorter than interval {format_duration(interval)}",
            f"Use a lookback of at least {format_lookback(interval)}.",
            consequence="events would be missed between runs",
            beside="interval",
        )


def _fits_type(value: Any, info: ValidationInfo) -> Any:
    if info.data.get("type") != "cidr":
        return value
    if not isinstance(value, str):
        raise Refusal(f"{spoken(value)} is no address or network", "Quote it, or set type: keyword.")
    return check_network(value)


class NamedList(Frozen):
    """Values that several rules share: networks, program names."""

    id: Identifier = Field(
        description="The id by which conditions name the list: {list: <id>}.", examples=["private_networks"]
    )
    name: Text = Field(description="What the list is called.", examples=["Private networks"])
    description: Annotated[str, TEXT] = Field(default="", description="What is in the list, and what is not.")
    type: Literal["cidr", "keyword"] = Field(
        description="cidr: addresses and networks; keyword: any values.", examples=["cidr"]
    )
    values: tuple[Annotated[Scalar, AfterValidator(_fits_type)], ...] = Field(
        min_length=1, description="The values.", examples=[["10.0.0.0/8"]]
    )
