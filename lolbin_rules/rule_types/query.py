"""Rules of type `query` and `saved_query`: every document that matches is one match."""

from __future__ import annotations

from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.rule_query import Given, compile_rule, fields_of_rule
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.protocol import Evaluator

__all__ = ["QueryRule"]


class QueryRule:
    """A rule written as `match` and `exclude`, or as a query in KQL or Lucene's syntax."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of_rule(rule, given)

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`."""
        return compile_rule(rule, given)

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator | None:  # noqa: ARG002 - others tell rules apart
        """See `RuleType.evaluator`."""
        return None
