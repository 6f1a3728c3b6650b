"""The node that the other tests rest on is a real one, and survives what fault tests do to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from elastic_transport import ConnectionTimeout
from elasticsearch import Elasticsearch

from elasticsearch_node.node import ElasticsearchNode, NodeError, find_java, lay_out_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def client(private_node: ElasticsearchNode) -> Iterator[Elasticsearch]:
    """A client of the private node, with one document in the index `kept`."""
    with Elasticsearch(private_node.url, max_retries=0) as client:
        client.index(index="kept", id="1", document={"process.name": "regsvr32.exe"}, refresh=True)
        yield client


def test_node_is_of_the_version_asked_for(private_node: ElasticsearchNode, client: Elasticsearch) -> None:
    """The node itself says which version it runs."""
    nodes = client.nodes.info(node_id="_local")["nodes"].values()
    assert [node["version"] for node in nodes] == [private_node.version]


def test_killed_node_comes_back_with_its_data(private_node: ElasticsearchNode, client: Elasticsearch) -> None:
    """After a crash the same address answers with the documents that were acknowledged."""
    crashed = private_node.pid
    private_node.kill()
    assert not private_node.answers()
    private_node.start()
    assert private_node.pid != crashed
    assert client.count(index="kept")["count"] == 1


def test_stopped_node_comes_back_with_its_data(private_node: ElasticsearchNode, client: Elasticsearch) -> None:
    """An orderly stop keeps data and address too."""
    private_node.stop()
    with pytest.raises(NodeError, match="does not run"):
        _ = private_node.pid
    private_node.start()
    assert client.count(index="kept")["count"] == 1


def test_suspended_node_answers_nothing_until_it_is_resumed(
    private_node: ElasticsearchNode, client: Elasticsearch
) -> None:
    """A frozen node looks like a network that swallows requests."""
    private_node.suspend()
    started = time.monotonic()
    with pytest.raises(ConnectionTimeout):
        client.options(request_timeout=0.5).count(index="kept")
    assert time.monotonic() - started >= 0.4
    private_node.resume()
    assert client.count(index="kept")["count"] == 1


def test_taken_port_is_refused_by_name(private_node: ElasticsearchNode) -> None:
    """Whatever answers on a taken port would pass for the node, so the node does not start."""
    with (
        pytest.raises(NodeError, match=f"Port {private_node.url.rpartition(':')[2]} is taken"),
        ElasticsearchNode(port=private_node.port),
    ):
        pass


def test_missing_jdk_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a JDK the error says which one is needed."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("elasticsearch_node.node._JAVA_PLACES", ())
    with pytest.raises(NodeError, match=r"No JDK 21 or newer was found for Elasticsearch 9\.0\.0"):
        find_java("9.0.0")


def test_failed_download_leaves_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half a home would be taken for a whole one by every later run."""
    maven = tmp_path / "mvn"
    maven.write_text(
        '#!/bin/sh\nfor word; do case "$word" in -DoutputDirectory=*) out=${word#*=};; esac; done\n'
        '/bin/mkdir -p "$out"; : > "$out/elasticsearch-0.0.0.jar"; echo no route to host; exit 1\n'
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(NodeError, match="no route to host"):
        lay_out_home("0.0.0")
    assert list((tmp_path / "cache" / "lolbin-rules").iterdir()) == []


def test_index_prefix_is_the_tests_own(elasticsearch_url: str, index_prefix: str) -> None:
    """Nothing under the prefix exists before the test."""
    with Elasticsearch(elasticsearch_url) as client:
        assert not client.indices.exists(index=f"{index_prefix}*", allow_no_indices=False)
        client.index(index=f"{index_prefix}left", document={})
        client.indices.put_index_template(name=f"{index_prefix}left", index_patterns=[f"{index_prefix}*"])
