"""A store of every kind that there is, for the tests that all of them must pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries
from store.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lolbin_rules.store.port import Store

BRIEF = Retries(attempts=3, first_wait=timedelta(milliseconds=10), longest_wait=timedelta(milliseconds=20))


def open_elasticsearch(url: str, retries: Retries = BRIEF) -> ElasticsearchStore:
    """A store on the node at this URL."""
    return ElasticsearchStore(Connection(url), clock=lambda: datetime.now(UTC), retries=retries)


@pytest.fixture(params=[pytest.param("elasticsearch", marks=pytest.mark.elasticsearch)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """An open store of each kind, with a prefix of the test's own; what it writes there is removed."""
    opened: Store = open_elasticsearch(request.getfixturevalue("elasticsearch_url"))
    yield Bench(opened, request.getfixturevalue("index_prefix"))
    opened.close()


@pytest.fixture
def store(bench: Bench) -> Store:
    """The store of the bench."""
    return bench.store
