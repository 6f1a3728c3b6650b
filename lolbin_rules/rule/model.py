"""What a rule author wrote, typed and frozen.

Field names and their meaning follow Elastic's detection rules where Elastic has the field; Elastic's own names are
accepted as aliases (`rule_id`, `from`, `max_signals`, `alert_suppression`). The JSON Schema that editors use is made
from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AliasChoices,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from lolbin_rules.rule.condition import Condition
from lolbin_rules.rule.coverage_mode import CoverageMode, clash_with_override
from lolbin_rules.rule.duration import format_duration, format_lookback
from lolbin_rules.rule.exception_list import ExceptionEntry, ExceptionId, ExceptionItem, ExceptionList, InnerEntry
from lolbin_rules.rule.findings import finding_details, together
from lolbin_rules.rule.history import Conditions, RuleTest, Version
from lolbin_rules.rule.named_list import NamedList
from lolbin_rules.rule.overrides import (
    InvestigationFields,
    RelatedIntegration,
    RequiredField,
    RiskScoreMapping,
    Severity,
    SeverityMapping,
)
from lolbin_rules.rule.refusal import Refusal
from lolbin_rules.rule.rule_kinds import (
    TYPED_KEYS,
    AnyLanguage,
    Language,
    RuleTypeName,
    kind_findings,
    with_kind_defaults,
)
from lolbin_rules.rule.suppression import Suppression
from lolbin_rules.rule.threat import Named, Subtechnique, Tactic, Technique, Threat
from lolbin_rules.rule.type_keys import Cardinality, Filter, ThreatEntry, ThreatMapping, Threshold
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
)

if TYPE_CHECKING:
    from pydantic import SerializerFunctionWrapHandler
    from pydantic.functional_validators import ModelWrapValidatorHandler

__all__ = [
    "Cardinality",
    "Condition",
    "ExceptionEntry",
    "ExceptionItem",
    "ExceptionList",
    "InnerEntry",
    "InvestigationFields",
    "Language",
    "Named",
    "NamedList",
    "RelatedIntegration",
    "RequiredField",
    "RiskScoreMapping",
    "Rule",
    "RuleTest",
    "RuleTypeName",
    "Scalar",
    "Severity",
    "SeverityMapping",
    "Subtechnique",
    "Suppression",
    "Tactic",
    "Technique",
    "Threat",
    "ThreatEntry",
    "ThreatMapping",
    "Threshold",
    "Version",
]

ThreatLanguage: TypeAlias = Literal["kuery", "lucene"]


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
    type: RuleTypeName = Field(
        default="query", description="How the rule looks for events; it decides which of the other keys it has."
    )
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
        default=(),
        min_length=1,
        description="The indices that are searched; * is the wildcard. Types esql and machine_learning need none.",
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
        default={},
        min_length=1,
        description="What an event must hold: every one of these fields. Instead of query.",
        examples=[{"process.name": "regsvr32.exe"}],
    )
    exclude: Conditions = Field(default={}, description="What an event must not hold: none of these fields.")
    query: Text | None = Field(
        default=None,
        description="What an event must hold, in the rule's language. Instead of match.",
        examples=['process.name: "regsvr32.exe"'],
    )
    language: AnyLanguage = Field(
        default=None, description="What query is written in; without it kuery, or what the type says (eql, esql)."
    )
    case_insensitive: TrueOrFalse = Field(
        default=False, description="Compare ASCII letters without case; with a query in language kuery."
    )
    filters: tuple[Filter, ...] = Field(
        default=(), description="Filters of Kibana, or clauses of Query DSL, that must hold besides."
    )
    saved_id: Text | None = Field(
        default=None,
        description="The id of a saved query in Kibana. It cannot be read from here: query holds its text.",
        examples=["my-saved-query"],
    )
    event_category_override: FieldName | None = Field(
        default=None, description="The field of an event's category in EQL; without it event.category."
    )
    timestamp_field: FieldName | None = Field(
        default=None, description="The field that orders events in EQL; without it the rule's own time field."
    )
    tiebreaker_field: FieldName | None = Field(
        default=None, description="The field that orders events of the same time in EQL, such as event.sequence."
    )
    eql_engine: Literal["own", "native"] = Field(
        default="own", description="Who answers EQL: own works on any store, native asks Elasticsearch's EQL search."
    )
    threshold: Threshold | None = Field(
        default=None,
        description="How many events of a group make an alert.",
        examples=[{"field": ["host.id"], "value": 10}],
    )
    new_terms_fields: tuple[FieldName, ...] = Field(
        default=(),
        min_length=1,
        max_length=3,
        validation_alias=AliasChoices("new_terms_fields", "new_terms.fields"),
        description="Fields whose values together must not have been seen before; one to three.",
        examples=[["host.id", "process.name"]],
    )
    history_window_start: Lookback | None = Field(
        default=None,
        description="How far back a value must not have been seen to be new, such as now-14d.",
        examples=["now-14d"],
    )
    threat_index: Annotated[tuple[IndexPattern, ...], OneOrMore()] = Field(
        default=(), min_length=1, description="The indices of the indicators.", examples=[["logs-ti_*"]]
    )
    threat_mapping: tuple[ThreatMapping, ...] = Field(
        default=(),
        min_length=1,
        description="How an event and an indicator are compared; one of the mappings must hold.",
        examples=[[{"entries": [{"field": "destination.ip", "type": "mapping", "value": "threat.indicator.ip"}]}]],
    )
    threat_query: Text = Field(default="*:*", description="Which indicators count, in threat_language.")
    threat_language: ThreatLanguage = Field(default="kuery", description="What threat_query is written in.")
    threat_filters: tuple[Filter, ...] = Field(
        default=(), description="Filters of Kibana, or clauses of Query DSL, that indicators must hold besides."
    )
    threat_indicator_path: FieldName = Field(
        default="threat.indicator", description="The field of an indicator document that holds the indicator."
    )
    concurrent_searches: Annotated[WholeNumber, Within(1)] | None = Field(
        default=None, description="Has no effect; Elastic's rules may give it."
    )
    items_per_search: Annotated[WholeNumber, Within(1)] | None = Field(
        default=None, description="Has no effect; Elastic's rules may give it."
    )
    anomaly_threshold: Annotated[WholeNumber, Within(0, 100)] | None = Field(
        default=None, description="The least score of an anomaly that makes an alert.", examples=[75]
    )
    machine_learning_job_id: Annotated[tuple[Text, ...], OneOrMore()] = Field(
        default=(),
        min_length=1,
        description="The machine learning jobs whose anomalies are looked at.",
        examples=["v3_windows_rare_user"],
    )
    vars: dict[VariableName, Scalar] = Field(default={}, description="Values for the templates, as vars.<name>.")
    suppression: Suppression | None = Field(
        default=None,
        validation_alias=AliasChoices("suppression", "alert_suppression"),
        description="Let one alert stand for all events of a group within a slot of time.",
    )
    exceptions: tuple[ExceptionId, ...] = Field(
        default=(),
        validation_alias=AliasChoices("exceptions", "exceptions_list"),
        description="The ids of the exception lists that apply to the rule, besides those that name the rule.",
    )
    timestamp_override: FieldName | None = Field(
        default=None, description="The field that says when an event happened, such as event.ingested."
    )
    timestamp_override_fallback_disabled: TrueOrFalse = Field(
        default=False, description="true: events without the timestamp_override field are left out."
    )
    coverage: CoverageMode | None = Field(
        default=None,
        description="How events are read: by their own time, by event.ingested, or by the sequence numbers of shards; "
        "without it as LOLBIN_COVERAGE says.",
        examples=["sequence"],
    )
    severity_mapping: tuple[SeverityMapping, ...] = Field(
        default=(), description="Severities of alerts by values of their events; the highest that fits is taken."
    )
    risk_score_mapping: tuple[RiskScoreMapping, ...] = Field(
        default=(), description="Fields of the event that hold the alert's risk score."
    )
    rule_name_override: FieldName | None = Field(
        default=None, description="The field of the event whose value becomes the name of the alert."
    )
    building_block_type: Literal["default"] | None = Field(
        default=None, description="default: the alerts are for other rules to search, not for analysts to look at."
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
    investigation_fields: InvestigationFields | None = Field(
        default=None, description="The fields that an analyst should look at first."
    )
    related_integrations: tuple[RelatedIntegration, ...] = Field(
        default=(), description="Integrations of Elastic's that ship the events; for information."
    )
    required_fields: tuple[RequiredField, ...] = Field(
        default=(), description="Fields that the events should have; for information."
    )
    timeline_id: Text | None = Field(default=None, description="The id of a timeline template; for information.")
    timeline_title: Text | None = Field(default=None, description="The title of it; for information.")
    tests: tuple[RuleTest, ...] = Field(default=(), description="Events with the number of alerts they must make.")

    @model_validator(mode="wrap")
    @classmethod
    def _fits_its_type(cls, value: Any, validate: ModelWrapValidatorHandler[Rule]) -> Rule:
        if not isinstance(value, Mapping):
            return validate(value)
        findings = [finding_details(finding, value) for finding in kind_findings(value, cls, SPELLINGS)]
        try:
            rule = validate(with_kind_defaults(value))
        except ValidationError as error:
            raise (together(error, findings) if findings else error) from None
        if findings:
            raise ValidationError.from_exception_data(cls.__name__, findings)
        return rule

    @model_serializer(mode="wrap")
    def _without_the_keys_of_other_types(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        defaults = {name: type(self).model_fields[name].default for name in TYPED_KEYS}
        return {
            name: value
            for name, value in serialize(self).items()
            if name not in TYPED_KEYS or getattr(self, name) != defaults[name]
        }

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

    @field_validator("coverage")
    @classmethod
    def _coverage_fits_the_override(cls, mode: CoverageMode | None, info: ValidationInfo) -> CoverageMode | None:
        if refusal := clash_with_override(mode, info.data.get("timestamp_override")):
            raise refusal
        return mode

    @field_validator("history_window_start")
    @classmethod
    def _history_reaches_behind_the_lookback(cls, start: timedelta | None, info: ValidationInfo) -> timedelta | None:
        lookback = info.data.get("lookback")
        if start is None or lookback is None or start > lookback:
            return start
        raise Refusal(
            f"history_window_start {format_lookback(start)} does not reach behind lookback {format_lookback(lookback)}",
            "Use a longer one, such as now-14d.",
            consequence="every value would be new",
        )


SPELLINGS: Final[Mapping[str, str]] = {
    str(spelling): name
    for name, field in Rule.model_fields.items()
    for spelling in (field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else [name])
}
"""Every name of a key of a rule, its own and Elastic's -> the key."""
