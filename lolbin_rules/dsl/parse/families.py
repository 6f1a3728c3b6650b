"""Families of field types that queries treat alike, and what holds for all fields of a family."""

from __future__ import annotations

from lolbin_rules.dsl.clause import Clause, Leaf
from lolbin_rules.dsl.combine import ALL, NONE
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.faults import rejected, unsupported
from lolbin_rules.dsl.predicates import Present
from lolbin_rules.dsl.values import READ_TYPES, lowercase

__all__ = [
    "CONSTANTS",
    "DATES",
    "FRACTIONS",
    "KEYWORDS",
    "NUMBERS",
    "PATTERNED",
    "SHAPELESS",
    "TEXTS",
    "WHOLES",
    "check_known",
    "check_searchable",
    "normalized",
    "present",
]

KEYWORDS = frozenset({"keyword", "wildcard"})
CONSTANTS = frozenset({"constant_keyword", "_index"})
"""Every document of an index has the same value."""
TEXTS = frozenset({"text", "match_only_text"})
WHOLES = frozenset({"long", "integer", "short", "byte", "unsigned_long", "_seq_no"})
FRACTIONS = frozenset({"double", "float", "half_float", "scaled_float"})
NUMBERS = WHOLES | FRACTIONS
DATES = frozenset({"date", "date_nanos"})
PATTERNED = KEYWORDS | CONSTANTS | TEXTS
"""What prefixes and wildcards can be asked of."""

_READ = frozenset({*READ_TYPES, "_id", "_index", "_seq_no"})
_ABSENT = frozenset({"_routing", "_type", "_primary_term", "nested"})
"""Metadata that no document here has, and fields of nested objects; Elasticsearch finds nothing there either."""
SHAPELESS = frozenset({"binary", "dense_vector", "geo_point", "geo_shape"})
"""Types whose values are neither words nor ordered: asking for values of these is refused, `exists` is not."""
_NOT_SEARCHABLE = frozenset({"_source", "_version", "_doc_count"})


def check_known(clause: str, field: Field | None) -> bool:
    """Whether documents can have values of the field that can be asked about; False where nothing is under the name.

    Raises:
        StoreRejected: it is metadata that Elasticsearch does not search.
        Unsupported: values of the field's type are not read.
    """
    if field is None or field.type in _ABSENT:
        return False
    if field.type in _NOT_SEARCHABLE | SHAPELESS:
        raise rejected(clause, f"[{field.name}] is of type [{field.type}], which is not searched like this")
    if field.type not in _READ:
        raise unsupported(clause, f"fields of type [{field.type}] are not read", "Ask about another field.")
    return True


def check_searchable(clause: str, field: Field) -> None:
    """Refuse to ask a field that is neither indexed nor has doc values (a text field: that is not indexed)."""
    if not field.is_indexed and not field.has_doc_values:
        raise rejected(clause, f"the field [{field.name}] is not indexed", "Ask about another field.")


def normalized(field: Field, text: str) -> str:
    """A text of a query as the field's normalizer makes it."""
    return lowercase(text) if field.normalizer is not None else text


def present(field: Field) -> Clause:
    """The document has the field; nothing where Elasticsearch keeps no trace of it."""
    if field.type in {"_id", "_index", "_seq_no"}:
        return ALL
    if field.type == "constant_keyword":
        return NONE if field.constant is None else ALL
    return Leaf(field.name, Present()) if field.is_indexed or field.has_doc_values else NONE
