"""Buckets by their key, for all buckets of the parent at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lolbin_rules.dsl.aggregations.part import Owners
from lolbin_rules.dsl.column import Places

__all__ = ["Bucket", "Buckets", "Groups", "group"]

_DENSE = 1 << 16
_SPARSE = 4


@dataclass(frozen=True, slots=True)
class Groups:
    """Pairs of an owner and an ordinal, each once.

    Attributes:
        owners: of each group.
        ordinals: of each group.
        counts: how many of the pairs grouped are alike.
        of_pairs: for each pair, its group.
    """

    owners: Places
    ordinals: Places
    counts: Places
    of_pairs: Places


def group(owners: Owners, ordinals: Places, number: int) -> Groups:
    """Group pairs; the ordinals are less than `number`."""
    joined = owners.astype(np.int64) * max(number, 1) + ordinals
    bound = (int(owners.max(initial=0)) + 1) * max(number, 1)
    if bound <= max(_DENSE, _SPARSE * len(joined)):
        all_counts = np.bincount(joined, minlength=bound)
        distinct = np.flatnonzero(all_counts)
        table = np.zeros(bound, dtype=np.intp)
        table[distinct] = np.arange(len(distinct))
        counts, of_pairs = all_counts[distinct], table[joined]
    else:
        distinct, of_pairs, counts = np.unique(joined, return_inverse=True, return_counts=True)
    return Groups(distinct // max(number, 1), distinct % max(number, 1), counts, of_pairs)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket.

    Attributes:
        key: what the rows in it have in common.
        number: by which its children know it.
        count: how many rows are in it.
    """

    key: Any
    number: int
    count: int


class Buckets:
    """The buckets of one aggregation, found part by part."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, Hashable], int] = {}
        self._counts: list[int] = []
        self._owned: dict[int, list[tuple[Hashable, int]]] = {}

    def add(self, groups: Groups, keys: Sequence[Hashable]) -> Owners:
        """Count the rows of each group.

        Args:
            groups: of rows.
            keys: ordinal -> key.

        Returns:
            For each pair that was grouped, the number of its bucket.
        """
        numbers = []
        pairs = zip(groups.owners.tolist(), groups.ordinals.tolist(), groups.counts.tolist(), strict=True)
        for owner, ordinal, count in pairs:
            number = self._number(owner, keys[ordinal])
            self._counts[number] += count
            numbers.append(number)
        return np.array(numbers, dtype=np.intp)[groups.of_pairs]

    def of(self, owner: int) -> list[Bucket]:
        """The buckets of one bucket of the parent, as they were found."""
        return [Bucket(key, number, self._counts[number]) for key, number in self._owned.get(owner, ())]

    def _number(self, owner: int, key: Hashable) -> int:
        number = self._numbers.get((owner, key))
        if number is None:
            number = self._numbers[owner, key] = len(self._counts)
            self._counts.append(0)
            self._owned.setdefault(owner, []).append((key, number))
        return number
