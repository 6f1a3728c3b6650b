"""Fields made of their definitions in a mapping, checked as Elasticsearch checks them.

Which parameters a type has, and what is refused, was asked of a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lolbin_rules.dsl.dates import DEFAULT_FORMATS, DEFAULT_NANOS_FORMATS, check_formats
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.index_settings import IndexSettings, flag, whole_number
from lolbin_rules.dsl.mapped import MappedField, MappedObject
from lolbin_rules.dsl.values import READ_TYPES, Malformed, read_value
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["FAMILIES", "Definitions"]

FAMILIES = {"constant_keyword": "keyword", "wildcard": "keyword", "match_only_text": "text"}
"""Types that `_field_caps` tells as another."""

_UNREAD_TYPES = frozenset({
    "aggregate_metric_double", "annotated_text", "binary", "cartesian_point", "cartesian_shape", "completion",
    "counted_keyword", "date_range", "dense_vector", "double_range", "exponential_histogram", "flattened",
    "float_range",
    "geo_point", "geo_shape", "histogram", "icu_collation_keyword", "integer_range", "ip_range", "join",
    "long_range", "murmur3", "passthrough", "percolator", "point", "rank_feature", "rank_features", "rank_vectors",
    "search_as_you_type", "semantic_text", "shape", "sparse_vector", "token_count", "version",
})  # fmt: skip

_ALL = frozenset({"type", "meta", "copy_to", "fields", "synthetic_source_keep"})
_STORED = _ALL | {"index", "doc_values", "store", "null_value"}
_SCRIPTED = _STORED | {"script", "on_script_error", "time_series_dimension"}
_NUMBER = _SCRIPTED | {"time_series_metric", "coerce", "ignore_malformed"}
_DATE = _STORED | {"script", "on_script_error", "ignore_malformed", "format", "locale"}
_TEXT = _ALL | {
    "index", "store", "similarity", "eager_global_ordinals", "norms", "index_options", "analyzer", "search_analyzer",
    "search_quote_analyzer", "fielddata", "fielddata_frequency_filter", "index_prefixes", "index_phrases",
    "position_increment_gap", "term_vector",
}  # fmt: skip
_PARAMETERS: Mapping[str, frozenset[str]] = {
    "keyword": _SCRIPTED
    | {"ignore_above", "normalizer", "similarity", "eager_global_ordinals", "split_queries_on_whitespace", "norms"}
    | {"index_options"},
    "wildcard": _ALL | {"null_value", "ignore_above"},
    "constant_keyword": _ALL - {"copy_to"} | {"value"},
    "text": _TEXT,
    "match_only_text": _ALL | {"analyzer", "search_analyzer", "search_quote_analyzer"},
    **dict.fromkeys(("long", "integer", "short", "byte", "double", "float", "half_float"), _NUMBER),
    "unsigned_long": _NUMBER - {"coerce"},
    "scaled_float": _NUMBER | {"scaling_factor"},
    "boolean": _SCRIPTED | {"ignore_malformed"},
    "date": _DATE,
    "date_nanos": _DATE,
    "ip": _SCRIPTED | {"ignore_malformed"},
}
_ANALYZERS = ("analyzer", "search_analyzer", "search_quote_analyzer")
_LOCALES = ("", "en", "ENGLISH", "english", "root", "ROOT", "en_US", "en-US")


class Definitions:
    """Makes the fields of an index."""

    def __init__(self, settings: IndexSettings) -> None:
        """Know the settings that hold where a definition says nothing."""
        self._settings = settings

    def mapped(self, name: str, definition: Mapping[str, Any], parent: MappedObject) -> MappedField:
        """The field of that full name below that object, with its sub-fields.

        Raises:
            StoreRejected: Elasticsearch refuses the definition.
            Unsupported: the field has values that cannot be known exactly.
        """
        field = self._field(name, name, definition)
        subfields: dict[str, Field] = {}
        for part, inner in (definition.get("fields") or {}).items():
            if "." in part or not isinstance(inner, Mapping) or "fields" in inner or "copy_to" in inner:
                raise _refused(
                    name, f'the sub-field "{part}" may have neither dots in its name nor `fields` nor `copy_to`'
                )
            subfields[part] = self._field(f"{name}.{part}", name, inner)
        copies = definition.get("copy_to") or ()
        copy_to = tuple(map(str, copies)) if isinstance(copies, list | tuple) else (str(copies),)
        is_read = field.type in READ_TYPES
        if not is_read:
            # What the sub-fields of such a field hold is not the value as written.
            subfields = {
                part: replace(each, type=f"{each.type} below a {field.type}") for part, each in subfields.items()
            }
        return MappedField(
            name, field, subfields, copy_to, is_read, parent.scope, parent.is_in_root, parent.is_reached, definition
        )

    def _field(self, name: str, source: str, definition: Mapping[str, Any]) -> Field:
        kind = str(definition.get("type"))
        if kind in _UNREAD_TYPES:
            return Field(name, kind, source, has_doc_values=False)
        if kind not in READ_TYPES:
            raise _refused(name, f"there is no field type [{kind}]")
        given = {key: value for key, value in definition.items() if value is not None}
        unknown = sorted(given.keys() - _PARAMETERS[kind])
        if unknown:
            raise _refused(name, f"a {kind} has no parameter {', '.join(unknown)}")
        if "script" in given or flag(given.get("split_queries_on_whitespace", False), name):
            raise Unsupported(
                f'The field "{name}" has a `script` or `split_queries_on_whitespace`; the embedded store cannot do '
                "the same. Map it without, or use Elasticsearch."
            )
        field = self._of_type(name, source, kind, given)
        return self._with_null_value(field, given.get("null_value"))

    def _of_type(self, name: str, source: str, kind: str, given: Mapping[str, Any]) -> Field:
        above = given.get("ignore_above", self._settings.ignore_above) if kind in ("keyword", "wildcard") else None
        is_text = kind in ("text", "match_only_text")
        return Field(
            name,
            self._text_type(kind, given) if is_text else kind,
            source,
            normalizer=self._normalizer(name, given.get("normalizer")),
            ignore_above=None if above is None else whole_number(above, f'ignore_above of "{name}"'),
            formats=self._formats(name, given) if kind in ("date", "date_nanos") else (),
            ignore_malformed="ignore_malformed" in _PARAMETERS[kind]
            and flag(given.get("ignore_malformed", self._settings.ignores_malformed), f'ignore_malformed of "{name}"'),
            coerce=kind == "unsigned_long" or flag(given.get("coerce", self._settings.coerces), f'coerce of "{name}"'),
            scaling_factor=self._scaling_factor(name, given) if kind == "scaled_float" else None,
            is_indexed=flag(given.get("index", True), f'index of "{name}"'),
            has_doc_values=not is_text and flag(given.get("doc_values", True), f'doc_values of "{name}"'),
            constant=None if given.get("value") is None else str(given["value"]),
        )

    def _normalizer(self, name: str, normalizer: Any) -> str | None:
        if normalizer is None:
            return None
        meaning = self._settings.normalizer(str(normalizer))
        if meaning is None:
            raise _refused(name, f'there is no normalizer "{normalizer}"')
        if meaning != "lowercase":
            raise Unsupported(
                f'The field "{name}" has the normalizer "{normalizer}"; the embedded store only knows `lowercase`. '
                "Use that one, or Elasticsearch."
            )
        return meaning

    def _text_type(self, kind: str, given: Mapping[str, Any]) -> str:
        """The type; of a text that is not analyzed as standard, one that says so and that no query takes."""
        analyzer = str(given.get("analyzer", "default"))
        others = [name for name in (analyzer, *(given.get(key, analyzer) for key in _ANALYZERS)) if name is not None]
        odd = [name for name in others if not self._settings.is_standard(str(name))]
        return f'{kind} with the analyzer "{odd[0]}"' if odd else kind

    @staticmethod
    def _formats(name: str, given: Mapping[str, Any]) -> tuple[str, ...]:
        if "format" not in given:
            return DEFAULT_NANOS_FORMATS if given.get("type") == "date_nanos" else DEFAULT_FORMATS
        formats = tuple(str(given["format"]).split("||"))
        if not all(formats):
            raise _refused(name, f"the date format {given['format']!r} has an empty part")
        check_formats(formats, f'the field "{name}"', is_english=str(given.get("locale", "en")) in _LOCALES)
        return formats

    @staticmethod
    def _scaling_factor(name: str, given: Mapping[str, Any]) -> float:
        factor = given.get("scaling_factor")
        if not isinstance(factor, int | float) or isinstance(factor, bool) or factor <= 0:
            raise _refused(name, f"the scaling_factor is {factor!r}, not a positive number")
        return float(factor)

    @staticmethod
    def _with_null_value(field: Field, written: Any) -> Field:
        if written is None:
            return field
        strict = replace(field, ignore_malformed=False, ignore_above=None)
        try:
            value = read_value(strict, written)
        except Malformed as error:
            raise _refused(field.name, f"the null_value does not fit: {error.reason}") from error
        if isinstance(written, float) and isinstance(value, int) and value != written:
            raise _refused(field.name, f"the null_value {written} has a fraction")
        return replace(field, null_value=read_value(replace(field, ignore_malformed=False), written))


def _refused(name: str, why: str) -> StoreRejected:
    return StoreRejected(f'Elasticsearch refuses the mapping of the field "{name}": {why}. Correct the mapping.')
