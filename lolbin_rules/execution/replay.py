"""Past time searched by hand: as many executions as the rules' caps call for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.plan.window import Spans, Window
from lolbin_rules.store.port import Store

__all__ = ["replay"]


def replay(orders: Orders, window: Window, store: Store) -> Iterator[Execution]:
    """Execute the rules of `orders` over one window until nothing is left that a cap deferred.

    Each execution is an ordinary one: it has its own record and its own cap, and it writes coverage. Where an execution
    fails, or creates nothing, its rule is not tried again; what it left is in its record.
    """
    left: Mapping[str, tuple[Window, ...]] = {rule.id: (window,) for rule in orders.rules}
    while left:
        rules = [rule for rule in orders.rules if rule.id in left]
        executions = execute(replace(orders, rules=rules, kind="manual", spans=left), store)
        yield from executions
        left = {execution.rule.id: rest for execution in executions if (rest := _rest(execution))}


def _rest(execution: Execution) -> tuple[Window, ...]:
    """What the cap left of an execution that got on."""
    tally = execution.tally
    if tally.failures or not tally.alerts or not tally.is_capped:
        return ()
    return (Spans(execution.planned) - Spans(tuple(tally.searched))).windows
