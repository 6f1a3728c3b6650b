"""What the execution asks of a rule type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

from lolbin_rules.plan.window import Window
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.rule_query import Given
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.match import MatchPage
from lolbin_rules.store.port import Query, Store

__all__ = ["Asked", "Evaluator", "RuleType"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One window to be evaluated for one rule.

    Attributes:
        rule: the rule.
        given: what its query depends on; `given.types` is filled.
        query: the compiled query, kept off the indices that it cannot be asked of.
        compiled: what it was compiled to.
        window: matches that lie in it are wanted; events before it may be read.
        store: where to read.
        within: how long one request may take.
        time_field: the field that the window is about.
    """

    rule: Rule
    given: Given
    query: Query
    compiled: Compiled
    window: Window
    store: Store
    within: timedelta
    time_field: str = "@timestamp"

    def fitted(self, query: Query) -> Query:
        """Another query of the rule, kept off the indices that the rule cannot be asked of."""
        return self.compiled.fitted(query)


Evaluator: TypeAlias = Callable[[Asked], Iterator[MatchPage]]
"""Finds the matches of a window, in order of time.

Raises:
    StoreError: the store did not answer; nothing may be believed of what was not yielded.
"""


class RuleType(Protocol):
    """One kind of rule."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """The fields, and patterns of field names, whose types in the rule's indices `compile` needs to know.

        Raises:
            RenderError: the rule's query cannot be read.
        """
        ...

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """The rule's query.

        Raises:
            RenderError: a template of the rule cannot be filled, or its query cannot be asked.
        """
        ...

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator | None:
        """What finds the matches of a compiled rule in a window; None where each hit of the query is a match.

        Rules without one are searched together, many in one request.
        """
        ...
