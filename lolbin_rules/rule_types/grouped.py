"""Queries whose hits are counted by the values of some fields: which fields can be, and what the logic consists of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lolbin_rules.query.compiled import Compiled, Misfit
from lolbin_rules.query.match import misfits_of
from lolbin_rules.query.rule_query import Given, compile_rule
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import UNMAPPED, FieldTypes

__all__ = ["NO_DATES", "Grouped", "compile_grouped", "text_of"]

UNFIT: Final = frozenset({"text", "object", "nested", "geo_point", "geo_shape", "binary", "dense_vector"})
"""Types whose values no aggregation groups by."""
NO_DATES: Final = frozenset({"date", "date_nanos"})
EXACT: Final = 2**53
"""Whole floating-point numbers below it are written as whole numbers."""

_ALIKE: Final = (
    frozenset({"keyword", "flattened"}),
    frozenset({"long", "integer", "short", "byte"}),
    frozenset({"double", "float", "half_float", "scaled_float"}),
)
"""Types that can be grouped together: of others, Elasticsearch cannot order the values in one `composite`."""


@dataclass(frozen=True, slots=True)
class Grouped(Compiled):
    """A query whose hits are counted.

    Attributes:
        counting: how they are counted, as JSON; a rule that counts otherwise has another logic.
        refusing: the indices that would refuse to count, sorted. Other than `left_out` it has those without documents.
    """

    counting: tuple[Any, ...] = ()
    refusing: tuple[str, ...] = ()

    def fingerprint(self, *context: Any) -> str:
        """See `Compiled.fingerprint`."""
        return Compiled.fingerprint(self, *context, self.counting)


def compile_grouped(
    rule: Rule,
    given: Given,
    counting: tuple[Any, ...],
    *,
    by: Iterable[str],
    counted: Iterable[str] = (),
    unfit: frozenset[str] = frozenset(),
) -> Grouped:
    """The rule's query, kept off indices in which its fields have types that cannot be counted together.

    Args:
        rule: the rule.
        given: what the query depends on; `types` has the fields as well.
        counting: how hits are counted, as JSON.
        by: the fields that name a group.
        counted: the fields whose different values are counted.
        unfit: types that the fields in `by` cannot have, besides those that nothing is grouped by.

    Raises:
        RenderError: a template of the rule cannot be filled, or its query cannot be asked.
    """
    found = compile_rule(rule, given)
    misfits = {misfit for name in by for misfit in _misfits(name, given.types, UNFIT | unfit)}
    for name in counted:
        types = given.types.types.get(name, {})
        misfits.update(misfits_of(name, types, types.keys() - UNFIT, _NEEDED))
    unknown = {name for name in (*by, *counted) if set(given.types.types.get(name, ())) == {UNMAPPED}}
    return Grouped(
        query=found.query,
        misfits=tuple(sorted(misfits.union(found.misfits))),
        unknown=tuple(sorted({*found.unknown, *unknown})),
        keeps=found.keeps,
        exceptions=found.exceptions,
        without_exceptions=found.without_exceptions,
        counting=counting,
        refusing=tuple(sorted({index for misfit in misfits for index in misfit.indices})),
    )


_NEEDED: Final = "a type whose values can be counted, such as keyword"


def _misfits(name: str, types: FieldTypes, unfit: frozenset[str]) -> tuple[Misfit, ...]:
    """The indices that map the field otherwise than most of those do whose values can be grouped."""
    mapped = types.types.get(name, {})
    fitting = _most({found: indices for found, indices in mapped.items() if found not in unfit | {UNMAPPED}})
    misfits = misfits_of(name, mapped, fitting, _NEEDED)
    if not fitting:
        return misfits
    as_most = f"{min(fitting & mapped.keys())} as in the other indices"
    return tuple(misfit if misfit.found in unfit else replace(misfit, needed=as_most) for misfit in misfits)


def _most(mapped: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The types, alike among themselves, that the field has in the most indices; `keyword` where it is undecided."""
    alike = {next((some for some in _ALIKE if found in some), frozenset({found})) for found in mapped}

    def rank(some: frozenset[str]) -> tuple[int, bool, list[str]]:
        return sum(len(mapped.get(found, ())) for found in some), "keyword" in some, sorted(some)

    return max(alike, key=rank, default=frozenset())


def text_of(value: Any) -> str:
    """The value of a group as text, the same in whatever type the value is answered."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return str(value)
