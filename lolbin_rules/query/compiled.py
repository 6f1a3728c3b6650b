"""What the compilation of a rule yields: a query, and the indices that it cannot be asked of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from lolbin_rules.store.port import Query

__all__ = ["Compiled", "Misfit"]


@dataclass(frozen=True, slots=True, order=True)
class Misfit:
    """Indices whose mapping of a field makes a clause mean something else than its author meant.

    Attributes:
        field: the field, by its dotted name.
        found: the type that it has there.
        needed: what the clause needs, in words.
        indices: the concrete indices, sorted.
    """

    field: str
    found: str
    needed: str
    indices: tuple[str, ...]

    def __str__(self) -> str:
        some = ", ".join(self.indices[:3]) + (f" and {len(self.indices) - 3} more" if len(self.indices) > 3 else "")  # noqa: PLR2004
        what = "is not mapped" if self.found == "unmapped" else f"is of type {self.found}"
        return (
            f"field {self.field} {what} in index {some} where the rule needs {self.needed}; "
            f"the rule is not asked of it. Correct the mapping and reindex, or narrow the rule's index"
        )


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule's query, without time.

    Attributes:
        query: one clause of Query DSL.
        misfits: where it cannot be asked; those indices are left out of `query_where_it_fits`.
        unknown: fields of the rule that no index has, sorted; clauses over them match nothing.
    """

    query: Query
    misfits: tuple[Misfit, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """The concrete indices that the query must not be asked of, sorted."""
        return tuple(sorted({index for misfit in self.misfits for index in misfit.indices}))

    def fingerprint(self, *context: Any) -> str:
        """Names the logic: equal for equal queries in an equal context (rule type, index patterns).

        Lists, variables and field types are in it by their effect on the query. Indices that are left out are not: they
        change what was searched, which coverage records, not what was asked.
        """
        text = json.dumps([context, self.query], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
