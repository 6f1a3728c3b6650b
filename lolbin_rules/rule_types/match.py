"""What a rule type finds: matches, each of which becomes one alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lolbin_rules.store.port import Hit

__all__ = ["Match", "MatchPage"]


@dataclass(frozen=True, slots=True)
class Match:
    """What one alert stands for: one event, or what several events are together.

    Attributes:
        hit: the event. For several events it is made of what they have in common; its position is where in time the
            match lies, and coverage ends there if its alert is not written.
        identity: what the alert's id is made of besides the rule's id: strings, numbers, None and lists of these, that
            are the same however and whenever the match is found. Empty: the event itself, by index and id.
        dated: where there is an identity: the moment whose month chooses the alert's index; as stable as the identity.
        fields: what the alert says besides what every alert says; dotted names.
        events: the events of a sequence in their order; each gets a building-block alert.
        total: how many events a match with an identity stands for. Where it has grown since the alert was written, the
            alert is brought up to date with `fields`.
    """

    hit: Hit
    identity: tuple[Any, ...] = ()
    dated: datetime | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Hit, ...] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class MatchPage:
    """Some matches in order of their positions, and what may be missing.

    Attributes:
        matches: in order of time, across pages as well.
        problems: why the window cannot be believed to hold no other matches, as sentences.
        warnings: what an operator should know although nothing is lost.
    """

    matches: tuple[Match, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
