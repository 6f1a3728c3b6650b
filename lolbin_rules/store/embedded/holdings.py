"""What every search of one store stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lolbin_rules.store.embedded.asked import Clauses
from lolbin_rules.store.embedded.catalog import Catalogs
from lolbin_rules.store.embedded.database import Database
from lolbin_rules.store.embedded.deadline import Stop
from lolbin_rules.store.embedded.seal import Sealer

__all__ = ["Holdings"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a store has; any number of threads may share it.

    Attributes:
        database: holds the documents.
        sealer: has the segments.
        stop: ends every request.
        now_ms: the time, in epoch milliseconds.
        catalogs: knows the indices.
        clauses: parses queries.
    """

    database: Database
    sealer: Sealer
    stop: Stop
    now_ms: Callable[[], int]
    catalogs: Catalogs
    clauses: Clauses
