"""The three ways to read events, and what a rule that names none of them is read by."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from lolbin_rules.rule.refusal import Refusal

if TYPE_CHECKING:
    from lolbin_rules.rule.model import Rule
    from lolbin_rules.rule.ruleset import RuleSet

__all__ = ["INGESTED", "CoverageMode", "clash_with_override", "in_mode", "why_not"]

CoverageMode: TypeAlias = Literal["event_time", "ingest_time", "sequence"]
INGESTED: Final = "event.ingested"
"""When an event came in; an ingest pipeline sets it."""


def in_mode(ruleset: RuleSet, mode: CoverageMode) -> RuleSet:
    """The rules, those that name no way to be read with this one."""
    if mode == "event_time":
        return ruleset
    rules = {
        name: rule if rule.coverage else rule.model_copy(update={"coverage": mode})
        for name, rule in ruleset.rules.items()
    }
    return replace(ruleset, rules=MappingProxyType(rules))


def clash_with_override(mode: CoverageMode | None, override: str | None) -> Refusal | None:
    """What is wrong with a way to read beside a `timestamp_override`, if anything is."""
    if mode != "ingest_time" or override in {None, INGESTED}:
        return None
    return Refusal(
        f"coverage: ingest_time and timestamp_override: {override} are two answers to one question",
        "Keep one of them.",
        consequence="nobody could tell by which field events are to be read",
    )


def why_not(rule: Rule, *, is_single: bool) -> str:
    """Why a rule cannot be read the way it is to be; empty where it can.

    Args:
        rule: the rule.
        is_single: each of its matches is one document by itself.
    """
    if rule.coverage in {None, "event_time"}:
        return ""
    if not is_single:
        return "its matches are made of several events, which only their own time puts together"
    if rule.coverage == "ingest_time" and rule.type == "machine_learning":
        return f"the results of machine learning have no {INGESTED}"
    if rule.coverage == "ingest_time" and rule.timestamp_override not in {None, INGESTED}:
        return f"its timestamp_override names {rule.timestamp_override}"
    return ""
