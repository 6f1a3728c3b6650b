"""How each type of rule is searched. The dict is the whole registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lolbin_rules.rule_types.protocol import RuleType
from lolbin_rules.rule_types.query import QueryRule

__all__ = ["RULE_TYPES", "RuleType"]

RULE_TYPES: Final[Mapping[str, RuleType]] = {"query": QueryRule()}
