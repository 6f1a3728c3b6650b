"""Where simulated chance comes from: one source of random numbers for each thing that is decided."""

from __future__ import annotations

import hashlib
import random

__all__ = ["dice", "digest"]


def dice(*subject: object) -> random.Random:
    """A source of random numbers that is the same whenever it is asked for the same subject, on every machine."""
    return random.Random("/".join(map(str, subject)))  # noqa: S311 - simulated events are no secret


def digest(seed: int, kind: str, subject: object) -> str:
    """The SHA-256 of something of a simulation, as 64 hexadecimal digits."""
    return hashlib.sha256(f"{seed}/{kind}/{subject}".encode()).hexdigest()
