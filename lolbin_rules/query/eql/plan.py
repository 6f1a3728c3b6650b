"""What a sequence or sample asks for, once its events are compiled: stages, keys, time, slices.

The meaning of each part is that of Elastic's EQL documentation ("EQL syntax reference").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from lolbin_rules.query.compiled import Compiled

__all__ = ["Key", "SequencePlan", "Slice", "Stage"]

Slice = tuple[Literal["head", "tail"], int]
"""A pipe: which end of the list of results is kept, and how many of them."""


@dataclass(frozen=True, slots=True)
class Key:
    """A field by whose value events are joined.

    Attributes:
        field: its dotted name in the source of a document (the field itself, not its sub-field `.keyword`).
        is_optional: written `?field`: an event without a value takes part, under the value null.
        is_mapped: False where no index has the field: then its value is null in every document.
    """

    field: str
    is_optional: bool = False
    is_mapped: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """One item of a sequence or sample, or the `until` of a sequence.

    Attributes:
        event: which documents it is about.
        keys: the keys of the whole sequence first, then its own; as many at every stage of a plan.
        is_missing: written `![...]`: no such event may come between the items before and after it.
    """

    event: Compiled
    keys: tuple[Key, ...] = ()
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """A sequence or sample, ready to be matched.

    Attributes:
        stages: its items in the order written, `with runs=n` written out n times; at least two, of which at least one
            is not missing.
        until: the event that ends every unfinished sequence of its key.
        maxspan: the longest time from the first to the last event, both counted in; None is no limit.
        slices: its pipes, in the order written.
        is_sample: the items may come in any order; then there is no `until`, `maxspan` or missing item.
        key_types: per position of the keys, the types that its fields are mapped to (`ip`, `date`, `long` ...), so that
            equal values are known as equal however they are written; empty where nothing is known.
    """

    stages: tuple[Stage, ...]
    until: Stage | None = None
    maxspan: timedelta | None = None
    slices: tuple[Slice, ...] = ()
    is_sample: bool = False
    key_types: tuple[frozenset[str], ...] = ()
