"""The proxy breaks exactly what it is told to break, and passes the rest on unchanged."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from elasticsearch import Elasticsearch

from fault_proxy import CutAfter, CutBefore, Delay, Fault, FaultProxy, Reset, Respond, Rewrite, Seen, Trickle

if TYPE_CHECKING:
    from collections.abc import Iterator


_ARRIVED: Counter[str] = Counter()


class _Echo(BaseHTTPRequestHandler):
    """Answers with the request, and counts the requests that arrived."""

    protocol_version = "HTTP/1.1"

    def _echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _ARRIVED[self.path] += 1
        answer = json.dumps({"path": self.path, "body": body.decode()}).encode()
        self.send_response(201)
        self.send_header("Warning", "299 first")
        self.send_header("Warning", "299 second")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = _echo  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def echo_url() -> Iterator[str]:
    """A server that echoes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo_url: str) -> Iterator[FaultProxy]:
    """A proxy before the echo."""
    _ARRIVED.clear()
    with FaultProxy(echo_url) as proxy:
        yield proxy


@pytest.fixture
def connection(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    """A connection to the proxy."""
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
    yield connection
    connection.close()


def _send(connection: http.client.HTTPConnection, method: str, path: str, body: str = "") -> tuple[int, Any]:
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_requests_pass_unchanged_on_one_connection(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    """Status, body and repeated headers come back, and a connection is kept for the next request."""
    assert _send(connection, "POST", "/a?b=c", "text") == (201, {"path": "/a?b=c", "body": "text"})
    kept = connection.sock
    connection.request("GET", "/next")
    response = connection.getresponse()
    response.read()
    assert response.headers.get_all("Warning") == ["299 first", "299 second"]
    assert connection.sock is kept
    assert proxy.requests == [Seen("POST", "/a?b=c"), Seen("GET", "/next")]
    assert proxy.count("^GET ") == 1


def test_respond_answers_without_the_upstream(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    """A refusal comes with its headers, as often as told, and the upstream sees nothing of it."""
    proxy.faults.append(Fault("^POST /_bulk", Respond(429, {"error": "busy"}, {"Retry-After": "1"}), times=1))
    assert _send(connection, "POST", "/_search")[0] == 201
    connection.request("POST", "/_bulk")
    response = connection.getresponse()
    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert json.loads(response.read()) == {"error": "busy"}
    assert _ARRIVED["/_bulk"] == 0
    assert _send(connection, "POST", "/_bulk")[0] == 201


@pytest.mark.parametrize(("action", "arrivals"), [(CutBefore(), 0), (CutAfter(), 1)])
def test_cut_loses_the_request_or_its_answer(
    proxy: FaultProxy, connection: http.client.HTTPConnection, action: CutBefore | CutAfter, arrivals: int
) -> None:
    """The client sees the same either way; whether the upstream did the work is the difference."""
    proxy.faults.append(Fault("/cut", action, times=1))
    with pytest.raises(http.client.RemoteDisconnected):
        _send(connection, "POST", "/cut")
    assert _ARRIVED["/cut"] == arrivals
    assert _send(connection, "POST", "/cut")[0] == 201


def test_delay_forwards_late(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    """A delayed request is answered in the end."""
    proxy.faults.append(Fault("/slow", Delay(0.2)))
    started = time.monotonic()
    assert _send(connection, "GET", "/slow")[0] == 201
    assert time.monotonic() - started >= 0.2


def test_reset_breaks_off(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    """The upstream has done its work, and the client's connection is reset."""
    proxy.faults.append(Fault("/broken", Reset(), times=1))
    with pytest.raises(ConnectionResetError):
        _send(connection, "POST", "/broken")
    assert _ARRIVED["/broken"] == 1


def test_trickle_is_slow_and_whole(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    """The answer comes byte by byte."""
    proxy.faults.append(Fault("/slow", Trickle(0.005)))
    started = time.monotonic()
    status, answer = _send(connection, "GET", "/slow")
    assert (status, answer["path"]) == (201, "/slow")
    assert time.monotonic() - started >= 0.005 * len(json.dumps(answer))


def test_rewrite_changes_the_answer(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    """The client gets the changed document."""
    proxy.faults.append(Fault("/odd", Rewrite(lambda answer: answer | {"timed_out": True})))
    assert _send(connection, "GET", "/odd") == (201, {"path": "/odd", "body": "", "timed_out": True})


def test_failed_rewrite_fails_the_test(echo_url: str) -> None:
    """A mistake in a test's own callable is not taken for a cut connection."""
    proxy = FaultProxy(echo_url).__enter__()
    proxy.faults.append(Fault("/", Rewrite(lambda answer: answer["absent"])))
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
    with pytest.raises(http.client.RemoteDisconnected):
        _send(connection, "GET", "/")
    connection.close()
    with pytest.raises(KeyError, match="absent"):
        proxy.__exit__(None)


def test_leaving_ends_waiting_requests_and_threads(echo_url: str) -> None:
    """A test that ends early is not held up by a long delay, and leaves no thread behind."""
    before = set(threading.enumerate())
    started = time.monotonic()
    with FaultProxy(echo_url) as proxy:
        proxy.faults.append(Fault("/", Delay(60)))
        connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
        connection.request("GET", "/")
        while not proxy.requests:
            time.sleep(0.01)
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()
    assert time.monotonic() - started < 5
    assert set(threading.enumerate()) <= before


def test_absent_upstream_is_a_cut_connection() -> None:
    """A node that is away looks like one."""
    with FaultProxy("http://127.0.0.1:1") as proxy:
        connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
        with pytest.raises(http.client.RemoteDisconnected):
            _send(connection, "GET", "/")
        connection.close()


def test_client_repeats_a_bulk_whose_answer_was_lost(elasticsearch_url: str, index_prefix: str) -> None:
    """The official client speaks through the proxy, and meets its own document again after a lost answer."""
    operations: list[dict[str, Any]] = [{"create": {"_index": f"{index_prefix}alerts", "_id": "1"}}, {"rule": "r"}]
    with FaultProxy(elasticsearch_url) as proxy, Elasticsearch(proxy.url, max_retries=1) as client:
        proxy.faults.append(Fault("_bulk", CutAfter(), times=1))
        items = client.bulk(operations=operations)["items"]
        assert [item["create"]["status"] for item in items] == [409]
        assert proxy.count("_bulk") == 2
