"""A short run of the comparison of KQL: compiled for a real node and for the embedded store, and a reference."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from fuzz.kql_differential import KqlDifferential
from fuzz.kql_queries import WEIGHTS

SEED = 20261122
QUERIES = 300
DOCUMENTS = 500
LEAST_OF_ITS_SHARE = 0.9
LEAST_REFERENCED = 0.6


@pytest.mark.elasticsearch
def test_random_kql_finds_the_same_everywhere(elasticsearch_url: str, index_prefix: str) -> None:
    """The same hits by every way, and every construct has its share."""
    with Elasticsearch(elasticsearch_url, request_timeout=120) as client:
        report = KqlDifferential(client, elasticsearch_url, index_prefix, SEED).run(QUERIES, DOCUMENTS)
    assert not report.differences, "\n\n".join(each.told for each in report.differences[:10])
    assert report.counted.total() >= QUERIES, report.figure
    assert report.referenced >= LEAST_REFERENCED * QUERIES, report.figure
    assert set(report.unsupported) <= {"nested"}, report.figure
    whole = sum(WEIGHTS.values())
    lacking = {
        kind: report.counted[kind]
        for kind, weight in WEIGHTS.items()
        if report.counted[kind] < LEAST_OF_ITS_SHARE * QUERIES * weight / whole
    }
    assert not lacking, report.figure
