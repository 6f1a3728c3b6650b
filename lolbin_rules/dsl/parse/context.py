"""What the readers of clauses share: the mapping, the time that `now` stands for, and the way to the clauses within."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse.faults import rejected

__all__ = ["Context", "Read"]

_DEEPEST = 30
"""`indices.query.bool.max_nested_depth` as Elasticsearch ships it; the outermost query is at depth 1."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a clause is read.

    Attributes:
        mapping: of the index.
        now_ms: what `now` is, in milliseconds since 1970.
        readers: name of a clause -> what reads it.
        depth: how many clauses this one is in.
    """

    mapping: IndexMapping
    now_ms: int
    readers: Mapping[str, Read]
    depth: int = 0

    def clause(self, query: Any) -> Clause:
        """The query, an object with the name of one clause, as a clause.

        Raises:
            StoreRejected: Elasticsearch would refuse it.
            Unsupported: it cannot be answered exactly.
        """
        if not isinstance(query, Mapping):
            raise rejected("query", f"an object is expected, {query!r} was found")
        if len(query) != 1:
            found = f"one clause is expected, {sorted(map(str, query))} were found" if query else "it is empty"
            raise rejected("query", found, "Name one clause; put several into `bool`.")
        (name, body), *_ = query.items()
        if self.depth >= _DEEPEST:
            raise rejected("query", f"clauses are nested deeper than {_DEEPEST} levels")
        read = self.readers.get(name)
        if read is None:
            raise rejected("query", f"there is no clause [{name}]")
        if not isinstance(body, Mapping):
            raise rejected(name, f"an object is expected, {body!r} was found")
        return read(body, replace(self, depth=self.depth + 1))

    def field(self, name: str) -> Field | None:
        """The field of that name; None where nothing has values under it."""
        return self.mapping.field(name)


Read: TypeAlias = Callable[[Mapping[str, Any], Context], Clause]
"""Reads the body of one kind of clause."""
