"""Reads queries: Query DSL and the mapping of an index in, a tree of clauses out.

One module for each family of clauses. What Elasticsearch refuses raises `StoreRejected`, what cannot be answered in the
same way `Unsupported`, both with the name of the clause and the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.parse.compound import (
    read_all,
    read_bool,
    read_boosting,
    read_constant_score,
    read_dis_max,
    read_none,
)
from lolbin_rules.dsl.parse.context import Context, Read
from lolbin_rules.dsl.parse.exact import read_ids, read_term, read_terms
from lolbin_rules.dsl.parse.exists import read_exists
from lolbin_rules.dsl.parse.faults import unsupported
from lolbin_rules.dsl.parse.full_text import (
    read_match,
    read_match_bool_prefix,
    read_match_phrase,
    read_match_phrase_prefix,
)
from lolbin_rules.dsl.parse.patterns import read_prefix, read_regexp, read_wildcard
from lolbin_rules.dsl.parse.query_strings import read_query_string_clause
from lolbin_rules.dsl.parse.ranges import read_range
from lolbin_rules.dsl.parse.several_fields import read_multi_match
from lolbin_rules.dsl.parse.simple_query_strings import read_simple_query_string

__all__ = ["parse"]


def parse(query: Mapping[str, Any], mapping: IndexMapping, now_ms: int) -> Clause:
    """What has to be true of a document for the query to match it.

    Args:
        query: an object with one clause, as in the `query` part of a search.
        mapping: of the index.
        now_ms: what `now` is, in milliseconds since 1970.

    Raises:
        StoreRejected: Elasticsearch would refuse the query.
        Unsupported: it cannot be answered exactly.
    """
    return Context(mapping, now_ms, _READERS).clause(query)


def _not_here(name: str) -> Read:
    def read(body: Mapping[str, Any], context: Context) -> Clause:
        del body, context
        raise unsupported(name, "it is not known here")

    return read


_NOT_HERE = (
    *("combined_fields", "distance_feature", "function_score", "fuzzy", "geo_bounding_box", "geo_distance"),
    *("geo_grid", "geo_polygon", "geo_shape", "has_child", "has_parent", "intervals", "knn", "more_like_this"),
    *("nested", "parent_id", "percolate", "pinned", "rank_feature", "rule", "script", "script_score", "semantic"),
    *("shape", "span_containing", "span_field_masking", "span_first", "span_gap"),
    *("span_multi", "span_near", "span_not", "span_or", "span_term", "span_within", "sparse_vector", "terms_set"),
    *("text_expansion", "weighted_tokens", "wrapper"),
)

_READERS: Mapping[str, Read] = {
    "bool": read_bool,
    "boosting": read_boosting,
    "constant_score": read_constant_score,
    "dis_max": read_dis_max,
    "exists": read_exists,
    "ids": read_ids,
    "match": read_match,
    "match_all": read_all,
    "match_bool_prefix": read_match_bool_prefix,
    "match_none": read_none,
    "match_phrase": read_match_phrase,
    "match_phrase_prefix": read_match_phrase_prefix,
    "multi_match": read_multi_match,
    "prefix": read_prefix,
    "query_string": read_query_string_clause,
    "range": read_range,
    "regexp": read_regexp,
    "simple_query_string": read_simple_query_string,
    "term": read_term,
    "terms": read_terms,
    "wildcard": read_wildcard,
    **{name: _not_here(name) for name in _NOT_HERE},
}
