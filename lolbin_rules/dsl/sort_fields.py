"""What a `sort` asks for, as Elasticsearch takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["SortField", "parse_sort", "sorted_field"]

_OPTIONS = {"order", "missing", "mode", "unmapped_type", "numeric_type", "format"}
_UNSUPPORTED_OPTIONS = {"nested", "nested_path", "nested_filter"}
_MODES = {"min", "max"}
_UNSUPPORTED_MODES = {"sum", "avg", "median"}
_NUMERIC_TYPES = {"date", "date_nanos"}
_UNSUPPORTED_NUMERIC_TYPES = {"long", "double"}
_SPECIAL = {"_score", "_doc", "_shard_doc", "_geo_distance", "_script"}
_TEXTS = {"text", "match_only_text"}
SORTED_TYPES = {
    *("keyword", "wildcard", "constant_keyword", "ip", "date", "date_nanos", "boolean"),
    *("long", "integer", "short", "byte", "double", "float", "half_float"),
}


@dataclass(frozen=True, slots=True)
class SortField:
    """One field that hits are ordered by.

    Attributes:
        name: of the field.
        is_descending: the greatest value comes first, and of several values of a hit the greatest counts.
        missing: "_last", "_first", or the value that hits without one are taken to have.
        mode: "min" or "max" where another of several values is to count; else None.
        unmapped_type: the type that the field is taken to have in indices without it; None: they refuse.
        numeric_type: "date" or "date_nanos": what dates are converted to; else None.
        format: how dates are printed; None: as numbers.
    """

    name: str
    is_descending: bool = False
    missing: Any = "_last"
    mode: str | None = None
    unmapped_type: str | None = None
    numeric_type: str | None = None
    format: str | None = None


def parse_sort(sort: Any) -> tuple[SortField, ...]:
    """The fields of a `sort`: a name, `{name: order}`, `{name: {options}}`, or a list of those.

    Raises:
        StoreRejected: Elasticsearch would refuse it.
        Unsupported: it orders by scores, by the place in the index, by scripts, or in a way that is not known here.
    """
    fields = []
    for item in sort if isinstance(sort, list) else [sort]:
        asked = {item: {}} if isinstance(item, str) else item
        if not isinstance(asked, Mapping):
            raise StoreRejected(
                f'"sort" holds {item!r}, so it is refused. Name fields, or give them with their options.'
            )
        fields += [_sort_field(name, options) for name, options in asked.items()]
    return tuple(fields)


def sorted_field(sort: SortField, mapping: IndexMapping) -> Field | None:
    """The field of an index that hits are ordered by; None if it is unmapped there and has an `unmapped_type`.

    Raises:
        StoreRejected, Unsupported: hits of this index cannot be ordered by it.
    """
    field = mapping.field(sort.name)
    if field is None and sort.unmapped_type is None:
        raise StoreRejected(
            f'No mapping was found for "{sort.name}", so hits cannot be sorted by it. Map it, or give "unmapped_type".'
        )
    kind = field.type if field else str(sort.unmapped_type)
    is_sorted = kind in SORTED_TYPES or sort.name in ("_index", "_seq_no")
    if kind in _TEXTS or (is_sorted and field and not field.has_doc_values):
        raise StoreRejected(
            f'Field "{sort.name}" of type {kind} keeps no values to sort by, so the sort is refused. '
            f"Sort by a keyword sub-field."
        )
    if sort.name == "_id":
        raise StoreRejected('Sorting by "_id" is refused as Elasticsearch refuses it. Sort by another field.')
    if not is_sorted:
        raise Unsupported(f'Sorting by field "{sort.name}" of type {kind} is not supported by the embedded store.')
    return field


def _sort_field(name: str, options: Any) -> SortField:
    if name in _SPECIAL:
        raise Unsupported(f'Sorting by "{name}" is not supported by the embedded store. Sort by a field.')
    if isinstance(options, str):
        options = {"order": options}
    if not isinstance(options, Mapping):
        raise StoreRejected(f'The sort by "{name}" holds {options!r}, so it is refused. Give an order or options.')
    for option in options:
        if option in _UNSUPPORTED_OPTIONS:
            raise Unsupported(f'"{option}" in the sort by "{name}" is not supported by the embedded store.')
        if option not in _OPTIONS:
            raise StoreRejected(f'The sort by "{name}" has the unknown option "{option}", so it is refused.')
    given = {option: value for option, value in options.items() if value is not None}
    order = _choice(name, "order", given.get("order", "asc"), {"asc", "desc"}, set())
    mode = _choice(name, "mode", given.get("mode"), _MODES, _UNSUPPORTED_MODES)
    numeric = _choice(name, "numeric_type", given.get("numeric_type"), _NUMERIC_TYPES, _UNSUPPORTED_NUMERIC_TYPES)
    missing, unmapped = given.get("missing", "_last"), given.get("unmapped_type")
    return SortField(name, order == "desc", missing, mode, unmapped, numeric, given.get("format"))


def _choice(name: str, option: str, value: Any, known: set[str], unsupported: set[str]) -> str | None:
    """The value of an option, in lower case as Elasticsearch takes it."""
    text = None if value is None else str(value).lower()
    if text is None or text in known:
        return text
    if text in unsupported:
        raise Unsupported(f'"{option}": "{text}" in the sort by "{name}" is not supported by the embedded store.')
    raise StoreRejected(
        f'"{option}" of the sort by "{name}" is {value!r}, so it is refused. Give one of {sorted(known)}.'
    )
