"""A short run of the comparison of EQL with a real node."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from fuzz.eql_differential import compare

SEED = 20261122
QUERIES = 300
DOCUMENTS = 500
LEAST_OPEN = 0.2


@pytest.mark.elasticsearch
def test_random_eql_queries_find_what_they_describe(elasticsearch_url: str, index_prefix: str) -> None:
    """Node, store, decision on the document and a reference agree; what is left open finds too many, never too few."""
    with Elasticsearch(elasticsearch_url, request_timeout=120) as client:
        report = compare(client, index_prefix, queries=QUERIES, number=DOCUMENTS, seed=SEED)
    assert not report.differences, "\n\n".join(report.differences[:10])
    assert not report.refused, report.refused[:5]
    assert report.counted >= QUERIES
    assert report.open >= LEAST_OPEN * QUERIES
    assert report.found > report.kept
