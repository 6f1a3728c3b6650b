"""A short run of the fuzzer: the engine against a real node."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from fuzz.differential import Differential
from fuzz.queries import WEIGHTS

SEED = 20261122
QUERIES = 500
DOCUMENTS = 500
LEAST_OF_ITS_SHARE = 0.4
MOST_UNSUPPORTED = 0.02


@pytest.mark.elasticsearch
def test_random_queries_find_the_same_as_on_a_real_node(elasticsearch_url: str, index_prefix: str) -> None:
    """Documents, mappings, typed values and hits are the same; every kind of query has its share."""
    with Elasticsearch(elasticsearch_url, request_timeout=120) as client:
        report = Differential(client, index_prefix, SEED).run(QUERIES, DOCUMENTS)
    assert not report.differences, "\n\n".join(each.told for each in report.differences[:10])
    assert report.counted.total() >= QUERIES
    assert report.unsupported.total() <= MOST_UNSUPPORTED * report.asked, report.figure
    whole = sum(WEIGHTS.values())
    lacking = {
        kind: report.counted[kind]
        for kind, weight in WEIGHTS.items()
        if report.counted[kind] < LEAST_OF_ITS_SHARE * QUERIES * weight / whole
    }
    assert not lacking, report.figure
