"""What only some types of rules have: the parts of `threshold` and `threat_match`, and Kibana's filters."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema

from lolbin_rules.rule.refusal import Refusal, quoted
from lolbin_rules.rule.values import Duration, FieldName, Frozen, OneOrMore, TrueOrFalse, WholeNumber, Within

__all__ = ["Cardinality", "Filter", "ThreatEntry", "ThreatMapping", "Threshold"]

BESIDE_A_CLAUSE = frozenset({"meta", "$state"})
"""What Kibana keeps beside the clause of a filter."""


def _check_filter(written: dict[str, Any]) -> dict[str, Any]:
    clauses = sorted(written.keys() - BESIDE_A_CLAUSE)
    if len(clauses) == 1:
        return written
    found = " and ".join(map(quoted, clauses)) or "none"
    raise Refusal(
        f"a filter is one clause of Query DSL, found {found}",
        "Write {term: {...}} or another clause, or {meta: {negate: false}, query: {...}} as Kibana does.",
    )


def _check_entries(entries: tuple[ThreatEntry, ...]) -> tuple[ThreatEntry, ...]:
    if all(entry.negate for entry in entries):
        raise Refusal(
            "every entry is negated",
            "Give at least one entry without negate.",
            consequence="nearly every event would be a match",
        )
    return entries


Filter: TypeAlias = Annotated[
    dict[str, Any],
    AfterValidator(_check_filter),
    WithJsonSchema({"type": "object", "minProperties": 1}),
]


class Cardinality(Frozen):
    """How many different values a field must have within a group."""

    field: FieldName = Field(description="The field whose different values are counted.", examples=["process.name"])
    value: Annotated[WholeNumber, Within(1)] = Field(
        description="How many different values it must have at least.", examples=[3]
    )


class Threshold(Frozen):
    """How many events of a group within a slot of time make an alert.

    Slots lie on a fixed grid of event time (multiples of their length since 1970).
    """

    field: Annotated[tuple[FieldName, ...], OneOrMore()] = Field(
        default=(), description="Fields whose values together name a group; without any, all events are one group."
    )
    value: Annotated[WholeNumber, Within(1)] = Field(
        description="How many events of a group make an alert.", examples=[10]
    )
    cardinality: tuple[Cardinality, ...] = Field(
        default=(), description="How many different values other fields must have within the group, besides."
    )
    duration: Duration | None = Field(default=None, description="The length of a slot; without it the rule's interval.")


class ThreatEntry(Frozen):
    """A field of an event and the field of an indicator that it is compared with."""

    field: FieldName = Field(description="The field of the event.", examples=["destination.ip"])
    type: Literal["mapping"] = Field(default="mapping", description="Always mapping.")
    value: FieldName = Field(description="The field of the indicator.", examples=["threat.indicator.ip"])
    negate: TrueOrFalse = Field(default=False, description="true: the two must differ.")


class ThreatMapping(Frozen):
    """Comparisons that must all hold of an event and one indicator."""

    entries: Annotated[tuple[ThreatEntry, ...], AfterValidator(_check_entries)] = Field(
        min_length=1,
        description="The comparisons; all of them must hold.",
        examples=[[{"field": "destination.ip", "type": "mapping", "value": "threat.indicator.ip"}]],
    )
