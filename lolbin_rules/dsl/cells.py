"""Rows of codes cut into columns."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.column import ABSENT, Column, Numbers, code_type, told_apart
from lolbin_rules.dsl.encoded import NOTHING, Leaf, Taken
from lolbin_rules.dsl.field import Values

__all__ = ["cut"]

_Places = npt.NDArray[np.intp]


def cut(taken: Taken, leaves: Sequence[Leaf]) -> Iterator[tuple[str, Column]]:
    """The columns of the fields that any row has values in, by name; each is made when it is asked for."""
    cells = _Cells(taken, leaves)
    parts: dict[str, list[_Part]] = {}
    for number, leaf in enumerate(leaves):
        if cells.has(number):
            for place, target in enumerate((*leaf.fields, *leaf.copies)):
                parts.setdefault(target.name, []).append(_Part(number, leaf, place))
    for name, found in parts.items():
        column = cells.column(found)
        if len(column.dictionary) > 1:
            yield name, column


@dataclass(frozen=True, slots=True)
class _Part:
    """What one leaf gives a column.

    Attributes:
        number: of the leaf.
        leaf: the leaf.
        place: which of its fields and copies the column is of.
    """

    number: int
    leaf: Leaf
    place: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Bundles whose codes are of the same leaves, place by place.

    Attributes:
        owner: its number among all that own codes.
        places: the places of each leaf, by its number.
        bundles: the codes of the bundles.
        codes: one line for each place: its code in every bundle.
    """

    owner: int
    places: Mapping[int, list[int]]
    bundles: npt.NDArray[np.uint32]
    codes: npt.NDArray[np.uint32]


class _Cells:
    """All codes of all rows, in the order written, and who owns them: a leaf, or a group of bundles."""

    def __init__(self, taken: Taken, leaves: Sequence[Leaf]) -> None:
        self._size = len(taken.lengths)
        self._codes = taken.codes
        self._rows = np.repeat(np.arange(self._size, dtype=np.uint32), taken.lengths)
        self._entries = np.zeros(taken.known, np.uint32)
        owners = np.full(taken.known, len(leaves), np.uint32)
        for number, leaf in enumerate(leaves):
            for codes in (leaf.codes, leaf.number_codes, _plain_codes(leaf)):
                owners[codes] = number
        owners[NOTHING] = len(leaves)
        groups = list(_groups(taken, owners, len(leaves) + 1))
        last = len(leaves) + len(groups) + 1
        self._groups_of: dict[int, list[_Group]] = {}
        for group in groups:
            owners[group.bundles] = group.owner
            for number in group.places:
                self._groups_of.setdefault(number, []).append(group)
        # Numbers of sixteen bits are sorted by their digits, several times faster than longer ones.
        owned = owners.astype(np.uint16 if last < 1 << 16 else np.uint32)[taken.codes]
        self._order = np.argsort(owned, kind="stable").astype(np.uint32)
        self._limits = np.concatenate([[0], np.bincount(owned, minlength=last).cumsum()])

    def has(self, number: int) -> bool:
        """Whether any row has a code of a leaf."""
        return any(self._limits[owner] < self._limits[owner + 1] for owner in self._owners(number))

    def column(self, parts: Sequence[_Part]) -> Column:
        """The column that some leaves give values to."""
        entries, numbers = self._entries, {part.number for part in parts}
        dictionary = _Dictionary()
        for part in parts:
            dictionary.enter(part, entries)
        for group, places in self._groups(numbers):
            if len(places) == 1:
                entries[group.bundles] = entries[group.codes[places[0]]]
            else:
                lines = entries[group.codes[places]].T.tolist()
                entries[group.bundles] = [dictionary.joined(line) for line in lines]
        dense = self._dense({owner for number in numbers for owner in self._owners(number)}, dictionary)
        return dictionary.column(dense)

    def _dense(self, owners: set[int], dictionary: _Dictionary) -> npt.NDArray[np.uint32]:
        """The entry of every row, from the codes of some owners."""
        mine = [self._order[self._limits[owner] : self._limits[owner + 1]] for owner in sorted(owners)]
        cells = np.concatenate(mine) if len(mine) > 1 else mine[0]
        found = self._entries[self._codes[cells]]
        if not found.all():
            has_values = found != ABSENT
            cells, found = cells[has_values], found[has_values]
        rows = self._rows[cells]
        dense = np.zeros(self._size, np.uint32)
        dense[rows] = found
        if np.count_nonzero(dense) < len(rows):
            repeated = np.sort(cells[np.bincount(rows)[rows] > 1])
            pairs = zip(self._rows[repeated].tolist(), self._entries[self._codes[repeated]].tolist(), strict=True)
            for row, several in groupby(pairs, key=itemgetter(0)):
                dense[row] = dictionary.joined([entry for _, entry in several])
        return dense

    def _owners(self, number: int) -> list[int]:
        return [number, *(group.owner for group in self._groups_of.get(number, ()))]

    def _groups(self, numbers: set[int]) -> Iterator[tuple[_Group, list[int]]]:
        """The groups that have codes of some leaves, and in which places."""
        if len(numbers) == 1:
            (number,) = numbers
            yield from ((group, group.places[number]) for group in self._groups_of.get(number, ()))
            return
        found = {group.owner: group for number in numbers for group in self._groups_of.get(number, ())}
        for group in found.values():
            yield group, sorted(place for number in numbers for place in group.places.get(number, ()))


def _plain_codes(leaf: Leaf) -> npt.NDArray[np.uint32]:
    """The codes of all texts of a leaf that takes texts as they are, most of which are in no other list."""
    return np.array(list(leaf.texts.values()) if leaf.unchanged >= 0 else [], np.uint32)


def _plain_texts(leaf: Leaf) -> tuple[Sequence[str], npt.NDArray[np.uint32]]:
    """The texts that are values as they are, and their codes."""
    texts, codes = list(leaf.texts), _plain_codes(leaf)
    if max(map(len, texts)) > leaf.unchanged:
        is_plain = np.fromiter((len(text) <= leaf.unchanged for text in texts), np.bool_, len(texts))
        texts, codes = [text for text in texts if len(text) <= leaf.unchanged], codes[is_plain]
    return texts, codes


def _groups(taken: Taken, owners: npt.NDArray[np.uint32], first: int) -> Iterator[_Group]:
    """The bundles by whose codes they are of; groups are numbered from `first` on."""
    lengths = np.fromiter(map(len, taken.bundles.values()), np.intp, len(taken.bundles))
    codes = np.fromiter(chain.from_iterable(taken.bundles.values()), np.uint32, int(lengths.sum()))
    owned = owners[codes]
    ends = lengths.cumsum()
    alike: dict[bytes, tuple[list[int], list[int]]] = {}
    for bundle, start, end in zip(taken.bundles, (ends - lengths).tolist(), ends.tolist(), strict=True):
        bundles, starts = alike.setdefault(owned[start:end].tobytes(), ([], []))
        bundles.append(bundle)
        starts.append(start)
    for owner, (key, (bundles, starts)) in enumerate(alike.items(), first):
        places: dict[int, list[int]] = {}
        for place, number in enumerate(np.frombuffer(key, np.uint32).tolist()):
            places.setdefault(number, []).append(place)
        length = len(key) // owned.itemsize
        lines = codes[np.arange(length)[:, None] + np.array(starts)]
        yield _Group(owner, places, np.array(bundles, np.uint32), lines)


class _Dictionary:
    """The distinct values of a column. What is known to be distinct is told apart only where more comes."""

    def __init__(self) -> None:
        self._values: list[Values] = [()]
        self._entries: dict[Hashable, int] = {}
        self._numbers: npt.NDArray[np.int64] | None = None
        """All there is, where there are but single numbers."""

    def enter(self, part: _Part, entries: npt.NDArray[np.uint32]) -> None:
        """Set the entries of all codes of a leaf."""
        leaf = part.leaf
        if leaf.codes:
            self._spell_out()
            entries[leaf.codes] = [self._entry(values) for values in leaf.values[part.place]]
        if leaf.texts and leaf.unchanged >= 0:
            texts, codes = _plain_texts(leaf)
            entries[codes] = self._enter_distinct(list(zip(texts, strict=False)))
        if leaf.numbers:
            numbers, places = np.unique(np.array(leaf.numbers, np.int64), return_inverse=True)
            entries[leaf.number_codes] = self._enter_numbers(numbers)[places]

    def _enter_distinct(self, values: list[Values]) -> npt.NDArray[np.uint32]:
        if len(self._values) == 1 and self._numbers is None:
            self._values += values
            return np.arange(1, len(values) + 1, dtype=np.uint32)
        self._spell_out()
        return np.array([self._entry(each) for each in values], np.uint32)

    def _enter_numbers(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        if len(self._values) == 1 and self._numbers is None:
            self._numbers = numbers
            return np.arange(1, len(numbers) + 1, dtype=np.uint32)
        self._spell_out()
        return np.array([self._entry((number,)) for number in numbers.tolist()], np.uint32)

    def joined(self, entries: Sequence[int]) -> int:
        """The entry of the values of several entries together."""
        self._spell_out()
        return self._entry(tuple(value for entry in entries for value in self._values[entry]))

    def _spell_out(self) -> None:
        """Be ready to tell apart what comes from what there is."""
        if self._numbers is not None:
            self._values += [(number,) for number in self._numbers.tolist()]
            self._numbers = None
        if not self._entries:
            self._entries = {told_apart(values): entry for entry, values in enumerate(self._values)}

    def _entry(self, values: Values) -> int:
        found = self._entries.setdefault(told_apart(values), len(self._values))
        if found == len(self._values):
            self._values.append(values)
        return found

    def column(self, dense: npt.NDArray[np.uint32]) -> Column:
        """The column with these entries."""
        if self._numbers is None:
            return Column(dense.astype(code_type(len(self._values))), self._values)
        # Numbers of documents that were refused are among them.
        used = np.zeros(len(self._numbers) + 1, np.uint32)
        used[dense] = 1
        used[ABSENT] = 0
        kept = used.cumsum(dtype=np.uint32) * used
        numbers = self._numbers[used[1:] > 0]
        return Column(kept[dense].astype(code_type(len(numbers) + 1)), Numbers(numbers))
