"""What tests need from outside the process: an Elasticsearch node, and recorded Windows events.

A test asks by fixture: `elasticsearch_url` and `index_prefix`, `private_node`, `recordings`. Where one cannot be had,
its tests are skipped and the summary says so in red; where `LOLBIN_TEST_REQUIRE` names it, they fail.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import pytest
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from elasticsearch_node.node import DEFAULT_VERSION, ElasticsearchNode, NodeError, find_java, lay_out_home

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTAINER_SECONDS = 180
PROBE_SECONDS = 2

_RESOURCES = ("elasticsearch", "full_cluster", "recordings")
_MARKER_OF = {"elasticsearch_url": "elasticsearch", "private_node": "elasticsearch", "recordings": "recordings"}
_CONTAINER_SETTINGS = {
    "discovery.type": "single-node",
    "xpack.security.enabled": "false",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
    "ES_JAVA_OPTS": "-Xms1g -Xmx1g",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by what its fixtures need, so that `-m` selects by need even where the marker was forgotten."""
    for item in items:
        for name in _MARKER_OF.keys() & getattr(item, "fixturenames", ()):
            item.add_marker(_MARKER_OF[name])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line for each thing missing how many tests did not run for want of it."""
    for what in _RESOURCES:
        reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", [])]
        reasons = [reason for reason in reasons if reason.startswith(f"Skipped: no {what}: ")]
        if reasons:
            why = " ".join(reasons[0].removeprefix("Skipped: ").split())
            terminalreporter.write_line(f"{len(reasons)} TESTS WERE SKIPPED: {why}", red=True, bold=True)


@pytest.fixture(autouse=True)
def _no_pass_without_a_node(request: pytest.FixtureRequest) -> None:
    """Hold a marked test to its marker: without a node it is skipped or fails, whatever its fixtures are."""
    if request.node.get_closest_marker("elasticsearch") and "private_node" not in request.fixturenames:
        request.getfixturevalue("elasticsearch_url")
    if request.node.get_closest_marker("full_cluster") and not _is_full(request.getfixturevalue("elasticsearch_url")):
        _lack("full_cluster", "this node lacks the modules that are not published. Use Docker or ELASTICSEARCH_URL.")


@pytest.fixture(scope="session")
def elasticsearch_version() -> str:
    """The version of the nodes that the tests start."""
    return os.environ.get("LOLBIN_TEST_ELASTICSEARCH_VERSION") or DEFAULT_VERSION


@pytest.fixture(scope="session")
def elasticsearch_url(elasticsearch_version: str) -> Iterator[str]:
    """The cluster for all tests: ELASTICSEARCH_URL, else a container, else a node run from jars.

    It may hold somebody's data. Tests write under their `index_prefix` only.
    """
    with contextlib.ExitStack() as stack:
        url = os.environ.get("ELASTICSEARCH_URL")
        if url:
            _await_answer(url, PROBE_SECONDS)
        elif _docker_answers():
            url = stack.enter_context(_container(elasticsearch_version))
        else:
            _lay_out_or_lack(elasticsearch_version)
            url = stack.enter_context(ElasticsearchNode(elasticsearch_version)).url
        yield url


@pytest.fixture
def index_prefix(elasticsearch_url: str) -> Iterator[str]:
    """A prefix of this test's own; indices, data streams and templates named so are deleted after the test."""
    prefix = f"t{secrets.token_hex(4)}-"
    yield prefix
    _delete_all(elasticsearch_url, f"{prefix}*")


@pytest.fixture(scope="module")
def _module_node(elasticsearch_version: str) -> Iterator[ElasticsearchNode]:
    _lay_out_or_lack(elasticsearch_version)
    with ElasticsearchNode(elasticsearch_version) as node:
        yield node


@pytest.fixture
def private_node(_module_node: ElasticsearchNode) -> Iterator[ElasticsearchNode]:
    """A running, empty node to stop, kill, suspend and start; the tests of a module have it one after the other."""
    yield _module_node
    with contextlib.suppress(NodeError):
        _module_node.resume()
    if not _module_node.answers():
        with contextlib.suppress(NodeError):
            _module_node.kill()
        _module_node.start()
    _delete_all(_module_node.url, "*")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without any setting of this package; what a test sets in it is gone after the test."""
    for name in list(os.environ):
        if name.startswith(("LOLBIN_", "ELASTICSEARCH_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def own_logs() -> Iterator[None]:
    """A test that sets up logs has them for itself."""
    root = logging.getLogger()
    changed = [root, *map(logging.getLogger, ("lolbin_rules", "elastic_transport", "apscheduler"))]
    handlers, levels = root.handlers[:], [logger.level for logger in changed]
    root.handlers = []  # or setting up would close them
    yield
    root.handlers = handlers
    for logger, level in zip(changed, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def recordings(pytestconfig: pytest.Config) -> Path:
    """The folder of recorded Windows events: LOLBIN_TEST_DATA, else `shared/data` beside the project's folder."""
    named = os.environ.get("LOLBIN_TEST_DATA")
    folder = Path(named) if named else pytestconfig.rootpath.parent / "shared" / "data"
    if named and not folder.is_dir():
        pytest.fail(f"LOLBIN_TEST_DATA is {named}, which is no folder. Correct or unset it.", pytrace=False)
    if not folder.is_dir():
        _lack("recordings", "LOLBIN_TEST_DATA is not set. Set it to the folder of the recorded events.")
    return folder


def _lack(what: str, why: str) -> NoReturn:
    if what in os.environ.get("LOLBIN_TEST_REQUIRE", "").split(","):
        pytest.fail(f"no {what}: {why} (LOLBIN_TEST_REQUIRE demands it)", pytrace=False)
    pytest.skip(f"no {what}: {why}")


def _lay_out_or_lack(version: str) -> None:
    """A node that cannot be had is lacking; one that was had and does not start is an error."""
    try:
        find_java(version)
        lay_out_home(version)
    except NodeError as error:
        _lack("elasticsearch", f"{error} Or start Docker, or set ELASTICSEARCH_URL.")


def _docker_answers() -> bool:
    """Whether there is an engine, not just a client; a client alone would wait or fail in its own ways."""
    host = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    is_file = host.scheme == "unix"
    address = host.path if is_file else (host.hostname or "", host.port or 2375)
    with socket.socket(socket.AF_UNIX if is_file else socket.AF_INET) as connection:
        connection.settimeout(PROBE_SECONDS)
        try:
            connection.connect(address)
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(32)
        except OSError:
            return False


@contextlib.contextmanager
def _container(version: str) -> Iterator[str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - it costs half a second to import

    container = DockerContainer(f"elasticsearch:{version}").with_exposed_ports(9200)
    for name, setting in _CONTAINER_SETTINGS.items():
        container.with_env(name, setting)
    with container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(9200)}"
        _await_answer(url, CONTAINER_SECONDS)
        yield url


def _await_answer(url: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with Elasticsearch(url, max_retries=0) as client:
        while True:
            try:
                client.options(request_timeout=10).cluster.health()
            except (TransportError, ApiError) as error:
                if time.monotonic() > deadline:
                    pytest.fail(f"Elasticsearch does not answer, so its tests cannot run: {error}", pytrace=False)
                time.sleep(0.5)
            else:
                return


def _is_full(url: str) -> bool:
    with Elasticsearch(url) as client:
        return client.options(ignore_status=405).info().meta.status != 405


def _delete_all(url: str, pattern: str) -> None:
    with Elasticsearch(url) as client:
        quiet = client.options(ignore_status=[400, 404, 405])  # a node run from jars has no data streams
        quiet.indices.delete_data_stream(name=pattern, expand_wildcards="all")
        for index in client.indices.get(index=pattern, expand_wildcards="all"):
            quiet.indices.delete(index=index)
        quiet.indices.delete_index_template(name=pattern)
        quiet.cluster.delete_component_template(name=pattern)
