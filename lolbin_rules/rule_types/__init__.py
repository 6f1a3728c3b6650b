"""How each type of rule is searched. The dict is the whole registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lolbin_rules.rule_types.eql import EqlRule
from lolbin_rules.rule_types.esql import EsqlRule
from lolbin_rules.rule_types.machine_learning import MachineLearningRule
from lolbin_rules.rule_types.new_terms import NewTermsRule
from lolbin_rules.rule_types.protocol import RuleType
from lolbin_rules.rule_types.query import QueryRule
from lolbin_rules.rule_types.threat_match import ThreatMatchRule
from lolbin_rules.rule_types.threshold import ThresholdRule

__all__ = ["RULE_TYPES", "RuleType"]

RULE_TYPES: Final[Mapping[str, RuleType]] = {
    "query": QueryRule(),
    "saved_query": QueryRule(),
    "eql": EqlRule(),
    "threshold": ThresholdRule(),
    "new_terms": NewTermsRule(),
    "threat_match": ThreatMatchRule(),
    "esql": EsqlRule(),
    "machine_learning": MachineLearningRule(),
}
