"""Rules of type `query`: every document that matches is one match."""

from __future__ import annotations

from collections.abc import Mapping

from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.match import compile_match, fields_of
from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.store.port import FieldTypes

__all__ = ["QueryRule"]


class QueryRule:
    """The rule type `query`, written as `match` and `exclude`."""

    def fields(self, rule: Rule) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of(rule)

    def compile(self, rule: Rule, lists: Mapping[str, NamedList], types: FieldTypes) -> Compiled:
        """See `RuleType.compile`."""
        return compile_match(rule, lists, types)
