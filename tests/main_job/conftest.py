"""Recorded events on a real node, loaded once, and the store that rules are executed on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from event_indices import create_index, index_events, recorded_events
from lolbin_rules.alert.templates import templates
from lolbin_rules.rule.load import read
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.shipped import shipped_rules
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore


@pytest.fixture(scope="session")
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """A client of the tests' own, to look at what the package did."""
    with Elasticsearch(elasticsearch_url, request_timeout=120) as client:
        yield client


@pytest.fixture
def store(elasticsearch_url: str, index_prefix: str) -> Iterator[ElasticsearchStore]:
    """The store under test, its templates in place."""
    store = ElasticsearchStore(Connection(url=elasticsearch_url), clock=lambda: datetime.now(UTC))
    store.prepare(templates(f"{index_prefix}lolbin"))
    yield store
    store.close()


@pytest.fixture
def prefix(index_prefix: str) -> str:
    """What the names of the indices that are written begin with."""
    return f"{index_prefix}lolbin"


@pytest.fixture(scope="session")
def shipped() -> RuleSet:
    """The rules that come with the package."""
    return read((shipped_rules(),)).raise_if_faulty()


@pytest.fixture(scope="session")
def all_rules(pytestconfig: pytest.Config) -> RuleSet:
    """The shipped rules, and the test rules with the sources' exact logic."""
    return read((shipped_rules(), pytestconfig.rootpath / "tests" / "rules")).raise_if_faulty()


@pytest.fixture(scope="session")
def recorded(client: Elasticsearch, recordings: Path) -> Iterator[str]:
    """The recorded events in indices of their own; the prefix of their names."""
    prefix = f"recorded{secrets.token_hex(4)}-"
    for file in recordings.glob("*.ndjson.gz"):
        create_index(client, prefix + file.name.removesuffix(".ndjson.gz").lower())
    expected = json.loads((recordings / "expected.json").read_text())
    assert index_events(client, recorded_events(recordings, prefix)) == expected["documents"]
    yield prefix
    for index in client.indices.get(index=f"{prefix}*"):
        client.indices.delete(index=index)


@pytest.fixture(scope="session")
def expected_hits(recordings: Path) -> dict[str, Any]:
    """The hits of each query over the recorded events, counted independently."""
    rules: dict[str, Any] = json.loads((recordings / "expected.json").read_text())["rules"]
    return rules
