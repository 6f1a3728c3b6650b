"""What an alert says about the run that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["ExecutionContext"]


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The run that makes an alert.

    Attributes:
        uuid: names the run.
        created_at: the actual time; what `@timestamp` of its alerts will say.
        intended: the time the run was planned for.
        kind: `scheduled`, or `manual` where a person asked for it.
        is_sweep: the run searched again what was searched before, for what has come since.
    """

    uuid: str
    created_at: datetime
    intended: datetime
    kind: Literal["scheduled", "manual"] = "scheduled"
    is_sweep: bool = False
