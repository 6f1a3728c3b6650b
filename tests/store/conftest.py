"""A store of every kind that there is, for the tests that all of them must pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from elasticsearch import Elasticsearch

from fault_proxy import FaultProxy
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries
from lolbin_rules.store.embedded import EmbeddedStore, search
from store.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lolbin_rules.store.port import Store

SMALL = 16
BRIEF = Retries(attempts=3, first_wait=timedelta(milliseconds=10), longest_wait=timedelta(milliseconds=20))


def open_elasticsearch(url: str, retries: Retries = BRIEF) -> ElasticsearchStore:
    """A store on the node at this URL."""
    return ElasticsearchStore(Connection(url), clock=lambda: datetime.now(UTC), retries=retries)


def open_embedded(folder: Path | None, **more: Any) -> EmbeddedStore:
    """A store in this folder of the machine."""
    return EmbeddedStore(folder, clock=lambda: datetime.now(UTC), **more)


@pytest.fixture(params=["embedded", pytest.param("elasticsearch", marks=pytest.mark.elasticsearch)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """An open store of each kind, with a prefix of the test's own; what it writes there is removed."""
    opened: Store
    if request.param == "embedded":
        opened, prefix = open_embedded(request.getfixturevalue("tmp_path") / "store"), "t-"
    else:
        opened = open_elasticsearch(request.getfixturevalue("elasticsearch_url"))
        prefix = request.getfixturevalue("index_prefix")
    yield Bench(opened, prefix)
    opened.close()


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """A way to the node that can be broken."""
    with FaultProxy(elasticsearch_url) as opened:
        yield opened


@pytest.fixture
def node(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """A client of its own, for what the port cannot do."""
    with Elasticsearch(elasticsearch_url) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store of the test is."""
    return tmp_path / "store"


@pytest.fixture
def small(folder: Path) -> Iterator[Bench]:
    """A bench on a store with small segments."""
    opened = open_embedded(folder, segment_rows=SMALL)
    yield Bench(opened, "t-")
    opened.close()


@pytest.fixture
def columns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read columns wherever there are documents, however few."""
    monkeypatch.setattr(search, "_few", lambda *_, **__: 0)


@pytest.fixture(params=[0, 10**9], ids=["columns", "singly"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read columns only, then documents only."""
    monkeypatch.setattr(search, "_few", lambda *_, **__: request.param)


@pytest.fixture
def store(bench: Bench) -> Store:
    """The store of the bench."""
    return bench.store
