"""Executions that were refused before they began: recorded as failed, with the reason, and nothing searched."""

from __future__ import annotations

import logging

from lolbin_rules.errors import StoreError
from lolbin_rules.execution.record import Execution, Tally, record_document
from lolbin_rules.execution.run import Orders
from lolbin_rules.plan.window import floor
from lolbin_rules.store.port import Store

__all__ = ["refuse"]

LOG = logging.getLogger(__name__)


def refuse(orders: Orders, reason: str, store: Store) -> list[Execution]:
    """A failed execution for each rule of the orders, recorded where the store takes that; coverage stays as it is."""
    now = floor(orders.now)
    refused = [
        Execution(rule, orders.kind, started_at=now, now=now, tally=Tally(failures=[reason])) for rule in orders.rules
    ]
    try:
        store.create([record_document(execution, orders.prefix) for execution in refused])
    except StoreError as error:
        LOG.warning("The records of %d executions could not be written: %s", len(refused), error)
    return refused
