"""An HTTP proxy on loopback that fails on demand: what a test puts between a client and a node to break their talk."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import socketserver
import struct
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

UPSTREAM_SECONDS = 120

# Each hop has its own: the proxy sends bodies whole, and asks for them uncompressed so that it can rewrite them.
_HOP_HEADERS = {"accept-encoding", "connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Respond:
    """Answer in the node's place; the node sees nothing. `bytes` are sent as they are, anything else as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delay:
    """Wait, then forward."""

    seconds: float


@dataclass(frozen=True)
class CutBefore:
    """Close the connection without forwarding: the request is lost."""


@dataclass(frozen=True)
class CutAfter:
    """Forward, then close the connection: the request was carried out and its answer is lost."""


@dataclass(frozen=True)
class Rewrite:
    """Forward, and pass on what `change` makes of the JSON answer."""

    change: Callable[[Any], Any]


@dataclass(frozen=True)
class Reset:
    """Forward, then break the connection off with a reset (RST): what was on its way is lost as well."""


@dataclass(frozen=True)
class Trickle:
    """Forward, and pass on the answer byte by byte, so many seconds apart."""

    seconds: float


Action = Respond | Delay | CutBefore | CutAfter | Rewrite | Reset | Trickle


@dataclass
class Fault:
    """What happens to requests whose `METHOD /path?query` the pattern is found in, so many times (None: always)."""

    pattern: str
    action: Action
    times: int | None = None


class Seen(NamedTuple):
    """A request that reached the proxy; the path includes the query string."""

    method: str
    path: str


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultProxy:
    """Forwards everything to the upstream but what `faults` says otherwise; the first fault that applies wins.

    `faults` may be changed at any time. `requests` holds what was seen, in order of arrival. An upstream that cannot be
    reached shows as a cut connection.
    """

    def __init__(self, upstream_url: str) -> None:
        upstream = urlsplit(upstream_url)
        self.upstream = (upstream.hostname or "127.0.0.1", upstream.port or 80)
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self.closing = threading.Event()
        self.errors: list[Exception] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut_connections()
        if self.errors and kind is None:
            raise self.errors[0]  # a `Rewrite` that failed must not pass for a cut connection

    def count(self, pattern: str) -> int:
        """How many of the requests seen so far match the pattern, which is searched in `METHOD /path?query`."""
        with self._lock:
            return sum(bool(re.search(pattern, " ".join(request))) for request in self.requests)

    def admit(self, request: Seen) -> Action | None:
        """Record a request, and use up one turn of the fault that applies to it."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times != 0 and re.search(fault.pattern, " ".join(request)):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault.action
        return None


class _Exchange(BaseHTTPRequestHandler):
    """One client connection and the requests on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: `requests` has it all."""

    def _exchange(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = self.server.proxy.admit(Seen(self.command, self.path))
        try:
            answer = self._carry_out(action, body)
        except (OSError, http.client.HTTPException):  # the upstream is away
            answer = None
        if answer is None or self.server.proxy.closing.is_set():
            self._cut()
        elif isinstance(action, Reset):
            self._reset()
        else:
            self._send(answer, action.seconds if isinstance(action, Trickle) else 0)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815

    def _carry_out(self, action: Action | None, body: bytes) -> _Answer | None:
        match action:
            case Respond():
                content = action.body if isinstance(action.body, bytes) else json.dumps(action.body).encode()
                defaults = {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}
                return _Answer(action.status, list((defaults | dict(action.headers)).items()), content)
            case CutBefore():
                return None
            case CutAfter():
                self._forward(body)
                return None
            case Delay():
                is_closing = self.server.proxy.closing.wait(action.seconds)
                return None if is_closing else self._forward(body)
            case Rewrite():
                answer = self._forward(body)
                return answer._replace(body=json.dumps(action.change(json.loads(answer.body))).encode())
        return self._forward(body)

    def _forward(self, body: bytes) -> _Answer:
        headers = dict(_without_hop(self.headers.items()))
        # A connection per request, so that a node may be restarted behind the proxy.
        connection = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=UPSTREAM_SECONDS)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return _Answer(response.status, _without_hop(response.getheaders()), response.read())

    def _send(self, answer: _Answer, pause: float) -> None:
        self.send_response_only(answer.status)
        for name, content in answer.headers:
            self.send_header(name, content)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not pause:
            self.wfile.write(answer.body)
            return
        with contextlib.suppress(OSError):  # nobody has to wait for all of it
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.proxy.closing.wait(pause):
                    break
        self._cut()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.connection.close()

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    """Keeps its connections and threads at hand, to end them all with the proxy."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.connections: set[socket.socket] = set()
        self._started: list[threading.Thread] = []
        super().__init__(("127.0.0.1", 0), _Exchange)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self.connections.add(request)
        self._started.append(thread)
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):  # a client may go away at any time
            self.proxy.errors.append(error)

    def cut_connections(self) -> None:
        """End every connection and its thread."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._started:
            thread.join(timeout=5)


def _without_hop(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, content) for name, content in headers if name.lower() not in _HOP_HEADERS]
