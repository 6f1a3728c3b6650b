"""Severity, risk score and name of an alert where its event says them, by the rule's mappings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from lolbin_rules.alert import fields
from lolbin_rules.alert.source import values
from lolbin_rules.rule.model import Rule, Severity

__all__ = ["name_override", "overrides"]

RISING: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
HIGHEST_RISK: Final = 100
NUMBERED: Final = "event.severity"
"""The one field of severities that is a number in ECS: its values are compared as whole numbers."""


def overrides(rule: Rule, source: Mapping[str, Any]) -> dict[str, Any]:
    """What the event changes of the alert's severity and risk score, as Elastic's rule schema describes it.

    Of several severity mappings that fit, the highest severity wins. Of risk score mappings only the first is looked
    at, and of its field's values the highest number from 0 to 100.
    """
    found: dict[str, Any] = {}
    fitting = [each.severity for each in rule.severity_mapping if _fits(source, each.field, each.value)]
    if fitting:
        found[fields.SEVERITY] = max(fitting, key=RISING.index)
    if rule.risk_score_mapping:
        scores = [score for value in values(source, rule.risk_score_mapping[0].field) if (score := _score(value)) >= 0]
        if scores:
            found[fields.RISK_SCORE] = max(scores)
    return found


def name_override(rule: Rule, source: Mapping[str, Any]) -> str | None:
    """The text that the event gives the alert for a name; None where it gives none."""
    if rule.rule_name_override is None:
        return None
    texts = (value for value in values(source, rule.rule_name_override) if isinstance(value, str) and value.strip())
    return next(texts, None)


def _fits(source: Mapping[str, Any], field: str, wanted: Any) -> bool:
    found = values(source, field)
    if field == NUMBERED:
        number = _whole(wanted)
        return number is not None and any(_whole(value) == number for value in found)
    return any(str(value) == str(wanted) for value in found)


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else math.floor(number)


def _score(value: Any) -> float:
    """The value as a risk score, -1 where it is none."""
    number = _number(value)
    if number is None or not 0 <= number <= HIGHEST_RISK:
        return -1
    return int(number) if number == int(number) else number


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
