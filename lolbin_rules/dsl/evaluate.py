"""Which rows of a segment match which of many clauses.

Every distinct value is asked once, what is alike in several clauses is worked out once, the conjunct that leaves the
fewest rows comes first, and later conjuncts see only the rows that are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.clause_graph import ClauseGraph, Kind, Node
from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.lookup import Lookup
from lolbin_rules.dsl.segment import Segment

__all__ = ["Evaluator", "evaluate"]

_MANY = 16
"""Rows are picked one by one out of an ordering by code if fewer than one in so many has the codes."""
_MOST = 4
"""What several clauses share is worked out for all rows if those asked for are one in so many or more."""
_WEIGHED = 16
"""After so many clauses what is remembered is weighed."""
_KEPT_BYTES = 32 << 20
"""How much may be remembered of a segment before it is forgotten and found out again where needed."""


def evaluate(clauses: Mapping[str, Clause], segment: Segment, within: Rows | None = None) -> dict[str, Rows]:
    """The rows that match each clause.

    Args:
        clauses: name -> clause.
        segment: where to look.
        within: the only rows to look at; all if None.

    Returns:
        name -> rows, ascending.
    """
    return Evaluator(clauses).evaluate(segment, within)


class Evaluator:
    """Many named clauses, taken apart once, to be evaluated on one segment after the other."""

    def __init__(self, clauses: Mapping[str, Clause]) -> None:
        graph = ClauseGraph()
        self._nodes = {name: graph.node(clause) for name, clause in clauses.items()}
        for node in self._nodes.values():
            node.parents += 1
        self.fields = graph.fields()

    def evaluate(self, segment: Segment, within: Rows | None = None) -> dict[str, Rows]:
        """The rows of the segment that match each clause; see `evaluate`."""
        return dict(self.each(segment, within))

    def each(self, segment: Segment, within: Rows | None = None) -> Iterator[tuple[str, Rows]]:
        """As `evaluate`, one name after the other, for callers that do not keep the rows."""
        search = _Search(segment)
        for number, (name, node) in enumerate(self._nodes.items(), 1):
            rows = search.select(node, within)
            yield name, search.all_rows if rows is None else rows
            if number % _WEIGHED == 0:
                search.limit()


class _Search:
    """What has been found out about one segment so far. Rows None means all of them."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._lookups: dict[str, Lookup | None] = {}
        self._selected: dict[Node, Rows | None] = {}
        self._estimates: dict[Node, int] = {}

    @property
    def all_rows(self) -> Rows:
        """Every row."""
        return np.arange(self._segment.size, dtype=np.uint32)

    def limit(self) -> None:
        """Forget what takes too much memory."""
        kept = [rows.nbytes for rows in self._selected.values() if rows is not None]
        if sum(kept) > _KEPT_BYTES:
            self._selected.clear()
        lookups = [lookup for lookup in self._lookups.values() if lookup]
        if sum(lookup.kept_bytes for lookup in lookups) > _KEPT_BYTES:
            for lookup in lookups:
                lookup.forget()

    def select(self, node: Node, rows: Rows | None) -> Rows | None:
        """Those of the rows that match."""
        if node in self._selected:
            return self._intersection(rows, self._selected[node])
        are_most = rows is None or _MOST * len(rows) > self._segment.size
        if node.parents > 1 and are_most and node.kind is not Kind.LEAF:
            whole = self._selected[node] = self._match(node, None)
            return self._intersection(rows, whole)
        return self._match(node, rows)

    def _match(self, node: Node, rows: Rows | None) -> Rows | None:
        if rows is not None and not len(rows):
            return rows
        if node.field is not None:
            return self._by_field(node, node.field, rows)
        match node.kind:
            case Kind.EVERY:
                for child in sorted(node.children, key=self._cost):
                    rows = self.select(child, rows)
                return rows
            case Kind.NOT:
                return self._without(rows, self.select(node.children[0], rows))
            case Kind.AT_LEAST:
                return self._any(node, rows) if node.number == 1 else self._at_least(node, rows)
            case _:
                return _NO_ROWS

    def _by_field(self, node: Node, field: str, rows: Rows | None) -> Rows | None:
        lookup = self._lookup(field)
        if lookup is None:
            return rows if _is_true_of_nothing(node) else _NO_ROWS
        if rows is None:
            return self._by_codes(node, lookup)
        codes = lookup.codes[rows]
        if not node.is_heavy:
            return rows[lookup.table(node)[codes]]
        if _MANY * len(rows) < lookup.entries:
            few, of_rows = np.unique(codes, return_inverse=True)
            return rows[lookup.passing(node, few.astype(np.intp))[of_rows]]
        seen = np.zeros(lookup.entries, dtype=np.bool_)
        seen[codes] = True
        distinct = seen.nonzero()[0]
        seen[distinct] = lookup.passing(node, distinct)
        return rows[seen[codes]]

    def _by_codes(self, node: Node, lookup: Lookup) -> Rows | None:
        """The rows of the whole segment that have a passing code."""
        found = lookup.found(node)
        number = int(lookup.counts[found].sum())
        if number == self._segment.size:
            return None
        if _MANY * number < self._segment.size:
            return lookup.rows_of(found)
        table = np.zeros(lookup.entries, dtype=np.bool_)
        table[found] = True
        return table[lookup.codes].nonzero()[0].astype(np.uint32)

    def _any(self, node: Node, rows: Rows | None) -> Rows | None:
        found, left = np.zeros(self._segment.size, dtype=np.bool_), rows
        for child in sorted(node.children, key=self._cost):
            hits = self.select(child, left)
            if hits is None:
                return rows
            found[hits] = True
            left = self._without(left, hits)
            if left is not None and not len(left):
                return rows
        return found.nonzero()[0].astype(np.uint32)

    def _at_least(self, node: Node, rows: Rows | None) -> Rows | None:
        times = np.zeros(self._segment.size, dtype=np.uint16)
        for child in node.children:
            hits = self.select(child, rows)
            times[slice(None) if hits is None else hits] += 1
        return np.flatnonzero(times >= node.number).astype(np.uint32)

    def _intersection(self, rows: Rows | None, others: Rows | None) -> Rows | None:
        if rows is None or others is None:
            return others if rows is None else rows
        return rows[self._flags(others)[rows]]

    def _without(self, rows: Rows | None, others: Rows | None) -> Rows | None:
        if others is None or (rows is not None and not len(rows)):
            return _NO_ROWS
        if not len(others):
            return rows
        flags = ~self._flags(others)
        return flags.nonzero()[0].astype(np.uint32) if rows is None else rows[flags[rows]]

    def _flags(self, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        flags = np.zeros(self._segment.size, dtype=np.bool_)
        flags[rows] = True
        return flags

    def _lookup(self, field: str) -> Lookup | None:
        if field not in self._lookups:
            column = self._segment.column(field)
            self._lookups[field] = Lookup(column) if column else None
        return self._lookups[field]

    def _cost(self, node: Node) -> tuple[bool, int]:
        """What to begin with among conjuncts: lookups before questions, few rows before many."""
        return node.is_heavy and not self._is_quick(node), self._estimate(node)

    def _is_quick(self, node: Node) -> bool:
        lookup = self._lookup(node.field) if node.field is not None else None
        return lookup is not None and lookup.is_quick(node)

    def _estimate(self, node: Node) -> int:
        """About how many rows of the whole segment match, never far too few."""
        known = self._estimates.get(node)
        if known is None:
            known = self._estimates[node] = self._new_estimate(node)
        return known

    def _new_estimate(self, node: Node) -> int:
        size = self._segment.size
        if node.field is not None:
            lookup = self._lookup(node.field)
            if lookup is None:
                return size if _is_true_of_nothing(node) else 0
            return size if node.is_heavy and not lookup.is_quick(node) else lookup.count(node)
        children = map(self._estimate, node.children)
        match node.kind:
            case Kind.EVERY:
                return min(children, default=size)
            case Kind.AT_LEAST:
                return min(size, sum(children))
            case _:
                return size if node.kind is Kind.NOT else 0


_NO_ROWS: Rows = np.zeros(0, dtype=np.uint32)


def _is_true_of_nothing(node: Node) -> bool:
    """Whether documents without any value of the node's field match it."""
    match node.kind:
        case Kind.NOT:
            return not _is_true_of_nothing(node.children[0])
        case Kind.EVERY:
            return all(map(_is_true_of_nothing, node.children))
        case Kind.AT_LEAST:
            return sum(map(_is_true_of_nothing, node.children)) >= node.number
        case _:
            return False
