"""What the execution asks of a rule type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lolbin_rules.query.compiled import Compiled
from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.store.port import FieldTypes

__all__ = ["RuleType"]


class RuleType(Protocol):
    """One kind of rule. Types whose matches are single documents are searched together, many rules in one request."""

    def fields(self, rule: Rule) -> frozenset[str]:
        """The fields whose types in the rule's indices `compile` needs to know."""
        ...

    def compile(self, rule: Rule, lists: Mapping[str, NamedList], types: FieldTypes) -> Compiled:
        """The rule's query.

        Raises:
            RenderError: a template of the rule cannot be filled.
        """
        ...
