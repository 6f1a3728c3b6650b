"""A store of every kind that there is, with what it takes to work on it from this process and from others.

The fixture is `world = pytest.fixture(params=KINDS)(open_world)`; tests of what only a cluster has are marked
`ON_A_NODE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pytest
from elasticsearch import Elasticsearch

from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Store

__all__ = ["KINDS", "ON_A_NODE", "RECORDED", "World", "in_folder", "on_node", "open_world"]

NODE = pytest.param("elasticsearch", marks=pytest.mark.elasticsearch)
KINDS = [NODE, pytest.param("embedded")]
ON_A_NODE = pytest.mark.parametrize("world", [NODE], indirect=True)
RECORDED = f"recorded{token_hex(4)}-"
"""What the names of the indices of recorded events begin with: the same in every store, as alerts are known by them."""


@dataclass(frozen=True)
class World:
    """Where a test takes place.

    Attributes:
        name: what the option `--store` calls it.
        store: opened for the test.
        prefix: what the names of all indices of the test begin with.
        variables: the environment in which a program works on the same store, and writes under the same prefix.
        remove: deletes an index, and the template that was made for it alone.
    """

    name: str
    store: Store
    prefix: str
    variables: Mapping[str, str]
    remove: Callable[[str], None]

    @property
    def written(self) -> str:
        """What the names of the indices begin with that the package writes."""
        return f"{self.prefix}lolbin"


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@contextmanager
def on_node(url: str, prefix: str) -> Iterator[World]:
    """A world on the node at this URL."""

    def remove(index: str) -> None:
        with Elasticsearch(url) as client:
            client.indices.delete(index=index)
            client.options(ignore_status=404).indices.delete_index_template(name=index)

    with closing(ElasticsearchStore(Connection(url=url), clock=now)) as store:
        yield World(url, store, prefix, {"ELASTICSEARCH_URL": url, "LOLBIN_PREFIX": f"{prefix}lolbin"}, remove)


@contextmanager
def in_folder(folder: Path, prefix: str, segment_rows: int = 256) -> Iterator[World]:
    """A world in this folder; with so few documents to a segment that some are complete."""
    with closing(EmbeddedStore(folder, clock=now, segment_rows=segment_rows)) as store:

        def remove(index: str) -> None:
            store.delete_index([index])

        yield World(
            "embedded", store, prefix, {"LOLBIN_DATA_DIR": str(folder), "LOLBIN_PREFIX": f"{prefix}lolbin"}, remove
        )


def open_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The world of the kind that the fixture is parametrised with; nothing of it outlives the test."""
    if request.param == "elasticsearch":
        opened = on_node(request.getfixturevalue("elasticsearch_url"), request.getfixturevalue("index_prefix"))
    else:
        opened = in_folder(request.getfixturevalue("tmp_path") / "store", f"t{token_hex(4)}-")
    with opened as world:
        yield world
