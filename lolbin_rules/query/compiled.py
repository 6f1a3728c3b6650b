"""What the compilation of a rule yields: a query, and the indices that it cannot be asked of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lolbin_rules.store.port import Query

if TYPE_CHECKING:
    from lolbin_rules.query.eql.plan import SequencePlan
    from lolbin_rules.query.exception_list import CompiledException

__all__ = ["Compiled", "Keeps", "Misfit"]


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


class Keeps(Protocol):
    """Decides on a document that a query has found, where Query DSL cannot say all that the rule says."""

    @property
    def text(self) -> str:
        """What is decided, so that it can be told from other decisions."""
        ...

    def __call__(self, source: Mapping[str, Any], /) -> bool:
        """Whether the document is a hit."""
        ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule's query, without time.

    Attributes:
        query: one clause of Query DSL.
        misfits: where it cannot be asked; those indices are left out of `query_where_it_fits`.
        unknown: fields of the rule that no index has, sorted; clauses over them match nothing.
        keeps: decides on each document that the query finds; None where the query says all.
        exceptions: the items of exception lists that the query leaves out.
        without_exceptions: the query as it would be without them; None where there are none.
        plan: for a sequence or sample: how the documents that the query finds make matches.
    """

    query: Query
    misfits: tuple[Misfit, ...] = ()
    unknown: tuple[str, ...] = ()
    keeps: Keeps | None = None
    exceptions: tuple[CompiledException, ...] = ()
    without_exceptions: Query | None = None
    plan: SequencePlan | None = field(default=None, compare=False)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The concrete indices that the query must not be asked of, sorted."""
        return tuple(sorted({index for misfit in self.misfits for index in misfit.indices}))

    def fitted(self, query: Query) -> Query:
        """A query of the rule, kept off the indices that the rule cannot be asked of."""
        if not self.left_out:
            return query
        return {"bool": {"filter": [query], "must_not": [{"terms": {"_index": [*self.left_out]}}]}}

    def fingerprint(self, *context: Any) -> str:
        """Names the logic: equal for equal queries in an equal context (rule type, index patterns).

        Lists, variables and field types are in it by their effect on the query. Indices that are left out are not: they
        change what was searched, which coverage records, not what was asked.
        """
        logic = [context, self.query, *([self.keeps.text] if self.keeps else [])]
        text = json.dumps(logic, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
