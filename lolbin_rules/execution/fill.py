"""Gaps of the past searched by hand, oldest first, until nothing is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import Spans, Window
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Store

__all__ = ["fill"]

LONGEST = timedelta(days=1)
"""The most time of one search: a search that fails is made again as a whole."""


def fill(rule: Rule, gaps: Spans, orders: Orders, store: Store) -> Iterator[Execution]:
    """Execute the rule over the gaps, oldest first, each as often as its caps call for.

    Ends after an execution that failed: the later ones would fare no better.
    """
    for window in gaps:
        for piece in _pieces(window):
            for execution in replay(replace(orders, rules=[rule]), piece, store):
                yield execution
                if execution.status is Status.FAILED:
                    return


def _pieces(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(start + LONGEST, window.end)
        yield Window(start, end)
        start = end
