"""Stores of every kind to work on, rules, and recorded events, which are loaded into each kind once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from event_indices import MAPPING, SETTINGS, index_of, load_into_folder, load_onto_node, map_indices, recorded_lines
from live_runners import Site
from lolbin_rules.alert.templates import templates
from lolbin_rules.rule.load import read
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.shipped import shipped_rules
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Store
from ticks import Made, Runner, load_two_sets
from worlds import KINDS, RECORDED, World, in_folder, now, on_node, open_world

world = pytest.fixture(params=KINDS)(open_world)


@pytest.fixture
def store(world: World) -> Store:
    """The store under test, the package's templates in place."""
    world.store.prepare(templates(world.written))
    return world.store


@pytest.fixture
def made(world: World) -> Made:
    """Events for two rules, within four minutes before the first tick."""
    return load_two_sets(world)


@pytest.fixture
def runner(all_rules: RuleSet, world: World) -> Runner:
    """Ticks of the two rules."""
    return Runner.of_both(all_rules, world)


@pytest.fixture(scope="session")
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """A client of the tests' own, to do to a node what no store does."""
    with Elasticsearch(elasticsearch_url, request_timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def shipped() -> RuleSet:
    """The rules that come with the package."""
    return read((shipped_rules(),)).raise_if_faulty()


@pytest.fixture(scope="session")
def all_rules(pytestconfig: pytest.Config) -> RuleSet:
    """The shipped rules, and the test rules with the sources' exact logic."""
    return read((shipped_rules(), pytestconfig.rootpath / "tests" / "rules")).raise_if_faulty()


@pytest.fixture(scope="session")
def counted(recordings: Path) -> dict[str, Any]:
    """What was counted in the recorded events independently: the documents, and the hits of each query."""
    found: dict[str, Any] = json.loads((recordings / "expected.json").read_text())
    return found


@pytest.fixture(scope="session")
def recorded_node(
    client: Elasticsearch, elasticsearch_url: str, recordings: Path, counted: dict[str, Any]
) -> Iterator[str]:
    """The URL of a node with the recorded events, which go there directly: through the port it takes far longer."""
    for file in recordings.glob("*.ndjson.gz"):
        client.indices.create(index=index_of(file, RECORDED), mappings=MAPPING, settings=SETTINGS)
    assert load_onto_node(client, recorded_lines(recordings, RECORDED)) == counted["documents"]
    yield elasticsearch_url
    for index in client.indices.get(index=f"{RECORDED}*"):
        client.indices.delete(index=index)


@pytest.fixture(scope="session")
def recorded_folder(tmp_path_factory: pytest.TempPathFactory, recordings: Path, counted: dict[str, Any]) -> Path:
    """The folder of an embedded store with the recorded events."""
    folder = tmp_path_factory.mktemp("recorded")
    with closing(EmbeddedStore(folder, clock=now, is_durable=False, segment_rows=8192)) as store:
        map_indices(store, f"{RECORDED}*")
        assert load_into_folder(store, recorded_lines(recordings, RECORDED)) == counted["documents"]
    return folder


@pytest.fixture(params=KINDS)
def recorded(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world in which the recorded events are, the package's templates in place."""
    if request.param == "elasticsearch":
        url = request.getfixturevalue("recorded_node")
        opened = on_node(url, request.getfixturevalue("index_prefix"))
    else:
        opened = in_folder(request.getfixturevalue("recorded_folder"), f"t{token_hex(4)}-")
    with opened as world:
        world.store.prepare(templates(world.written))
        yield world


@pytest.fixture
def site(world: World, tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Site]:
    """A place for one test; no runner outlives it."""
    site = Site(world, tmp_path, pytestconfig.rootpath / "scheduler.py")
    yield site
    for scheduler in site.schedulers:
        with suppress(ProcessLookupError):
            scheduler.process.kill()
        scheduler.process.wait()
