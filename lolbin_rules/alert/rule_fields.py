"""What an alert says about the rule that made it."""

from __future__ import annotations

from typing import Any, Final

from lolbin_rules.alert import fields
from lolbin_rules.alert.identity import rule_uuid
from lolbin_rules.rule.duration import format_duration, format_lookback
from lolbin_rules.rule.model import Condition, Rule

__all__ = ["rule_fields"]

KINDS: Final = {
    "query": ("siem.queryRule", "Custom Query Rule"),
    "saved_query": ("siem.savedQueryRule", "Saved Query Rule"),
    "eql": ("siem.eqlRule", "Event Correlation Rule"),
    "threshold": ("siem.thresholdRule", "Threshold Rule"),
    "new_terms": ("siem.newTermsRule", "New Terms Rule"),
    "threat_match": ("siem.indicatorRule", "Indicator Match Rule"),
    "esql": ("siem.esqlRule", "ES|QL Rule"),
    "machine_learning": ("siem.mlRule", "Machine Learning Rule"),
}
"""Rule type -> what Elastic's registry calls the type and its category; its interface shows only what it knows."""


def rule_fields(rule: Rule) -> dict[str, Any]:
    """`kibana.alert.rule.*` but for the name and the execution, which differ from alert to alert."""
    type_id, category = KINDS[rule.type]
    return {
        fields.RULE_UUID: rule_uuid(rule.id),
        fields.RULE_ID: rule.id,
        fields.RULE_TYPE: rule.type,
        fields.RULE_TYPE_ID: type_id,
        fields.RULE_CATEGORY: category,
        fields.RULE_CONSUMER: "siem",
        fields.RULE_PRODUCER: "siem",
        fields.RULE_VERSION: rule.version,
        fields.RULE_REVISION: 0,
        fields.RULE_DESCRIPTION: rule.description,
        fields.RULE_ENABLED: rule.enabled,
        fields.RULE_AUTHOR: list(rule.author),
        fields.RULE_LICENSE: rule.license,
        fields.RULE_FROM: format_lookback(rule.lookback),
        fields.RULE_TO: "now",
        fields.RULE_INTERVAL: format_duration(rule.interval),
        fields.RULE_INDICES: list(rule.index),
        fields.RULE_MAX_SIGNALS: rule.max_alerts,
        fields.RULE_NOTE: rule.note,
        fields.RULE_REFERENCES: list(rule.references),
        fields.RULE_FALSE_POSITIVES: list(rule.false_positives),
        fields.RULE_RISK_SCORE: rule.risk_score,
        fields.RULE_SEVERITY: rule.severity,
        fields.RULE_TAGS: list(rule.tags),
        fields.RULE_THREAT: [threat.model_dump(mode="json") for threat in rule.threat],
        fields.RULE_IMMUTABLE: False,
        fields.RULE_PARAMETERS: parameters(rule),
    }


ABOUT_THE_RULE: Final = {
    *("id", "name", "history", "tests", "interval", "lookback", "max_alerts", "enabled", "match", "exclude"),
    *("suppression", "exceptions", "vars", "name_template", "reason", "threshold", "history_window_start"),
}
"""Keys of a rule that its parameters do not have, or have under another name or in another form."""


def parameters(rule: Rule) -> dict[str, Any]:
    """The rule under the names of Elastic's parameters, and its logic as the author wrote it."""
    known = rule.model_dump(mode="json", exclude_defaults=True, exclude=ABOUT_THE_RULE)
    return {
        **DEFAULTS,
        **known,
        "rule_id": rule.id,
        "description": rule.description,
        "type": rule.type,
        "version": rule.version,
        "from": format_lookback(rule.lookback),
        "to": "now",
        "index": list(rule.index),
        "max_signals": rule.max_alerts,
        "exceptions_list": [{"list_id": each, "type": "detection"} for each in rule.exceptions],
        "match": {name: _written(condition) for name, condition in rule.match.items()},
        "exclude": {name: _written(condition) for name, condition in rule.exclude.items()},
        **_threshold(rule),
        **_history(rule),
        **_suppression(rule),
    }


DEFAULTS: Final[dict[str, Any]] = {
    **{key: [] for key in ("severity_mapping", "risk_score_mapping", "threat", "references", "false_positives")},
    **{key: [] for key in ("related_integrations", "required_fields")},
    **dict.fromkeys(("note", "setup", "output_index"), ""),
    "immutable": False,
}


def _threshold(rule: Rule) -> dict[str, Any]:
    if rule.threshold is None:
        return {}
    cardinality = [{"field": each.field, "value": each.value} for each in rule.threshold.cardinality]
    return {
        "threshold": {"field": list(rule.threshold.field), "value": rule.threshold.value, "cardinality": cardinality}
    }


def _history(rule: Rule) -> dict[str, Any]:
    start = rule.history_window_start
    return {} if start is None else {"history_window_start": format_lookback(start)}


def _written(condition: Condition) -> dict[str, Any]:
    return condition.model_dump(mode="json", exclude_defaults=True)


def _suppression(rule: Rule) -> dict[str, Any]:
    if rule.suppression is None:
        return {}
    group_by = rule.suppression.group_by or (rule.threshold.field if rule.threshold else ())
    seconds = int((rule.suppression.duration or rule.interval).total_seconds())
    strategy = "suppress" if rule.suppression.missing_fields == "suppress" else "doNotSuppress"
    return {
        "alert_suppression": {
            "group_by": list(group_by),
            "duration": {"value": seconds, "unit": "s"},
            "missing_fields_strategy": strategy,
        }
    }
