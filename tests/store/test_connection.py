"""Who asks whom, and that no secret gets out on the way."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from lolbin_rules.errors import SettingsError, StoreRejected, StoreUnavailable
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Speaker(ThreadingHTTPServer):
    """Answers every request as one for a node's time would be at noon, and keeps what each came with."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.authorizations: list[str | None] = []
        self.subjects: list[Any] = []
        self.paths: list[str] = []
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of failed handshakes: they are what is tested."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Speaker

    def do_GET(self) -> None:
        self.server.authorizations.append(self.headers.get("Authorization"))
        self.server.paths.append(self.path)
        if isinstance(self.connection, ssl.SSLSocket):
            self.server.subjects.append((self.connection.getpeercert() or {}).get("subject"))
        body = f'{{"nodes":{{"n":{{"timestamp":{int(NOON.timestamp() * 1000)}}}}}}}'.encode()
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def serve(speaker: Speaker) -> Iterator[Speaker]:
    """Let it answer until the test is over."""
    thread = threading.Thread(target=speaker.serve_forever, args=(0.02,))
    thread.start()
    yield speaker
    speaker.shutdown()
    thread.join()
    speaker.server_close()


@pytest.fixture
def plain() -> Iterator[Speaker]:
    """A server without TLS."""
    yield from serve(Speaker())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority (ca), and certificates by it for a server (server) and for us (client), with keys."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so there are no certificates to test with")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
    return folder


@pytest.fixture
def guarded(certificates: Path) -> Iterator[Speaker]:
    """A server with TLS that looks at the certificates of its callers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    yield from serve(Speaker(context))


def ask(connection: Connection) -> datetime:
    """Open a store, ask for the time, close it."""
    retries = Retries(attempts=2, first_wait=timedelta(milliseconds=10))
    store = ElasticsearchStore(connection, clock=lambda: NOON + timedelta(days=1), retries=retries)
    try:
        return store.clock()
    finally:
        store.close()


def url_of(speaker: Speaker, user: str = "", scheme: str = "http") -> str:
    """The URL of a server, with a user in it if one is given."""
    return f"{scheme}://{user}127.0.0.1:{speaker.server_port}"


@pytest.mark.parametrize(
    ("user", "settings", "sent"),
    [
        ("", {}, None),
        ("", {"username": "elastic", "password": "pass:w\u00f6rd"}, "Basic ZWxhc3RpYzpwYXNzOnfDtnJk"),
        ("elastic:pass%3Aw%C3%B6rd@", {}, "Basic ZWxhc3RpYzpwYXNzOnfDtnJk"),
        (
            "elastic:pass%3Aw%C3%B6rd@",
            {"username": "elastic", "password": "pass:w\u00f6rd"},
            "Basic ZWxhc3RpYzpwYXNzOnfDtnJk",
        ),
        ("", {"api_key": "id:key"}, "ApiKey aWQ6a2V5"),
        ("", {"api_key": "aWQ6a2V5"}, "ApiKey aWQ6a2V5"),
        ("", {"bearer_token": "AAEAAW"}, "Bearer AAEAAW"),
    ],
)
def test_credentials_are_sent(plain: Speaker, user: str, settings: dict[str, str], sent: str | None) -> None:
    """Each way to authenticate reaches the server as its header."""
    assert ask(Connection(url_of(plain, user), **settings)) == NOON  # type: ignore[arg-type] # all are text
    assert plain.authorizations == [sent]


def test_the_path_of_the_url_is_kept(plain: Speaker) -> None:
    """A cluster may live behind a proxy, under a path."""
    assert ask(Connection(url_of(plain) + "/es/")) == NOON
    assert plain.paths[0].startswith("/es/_nodes/_local/stats/breaker?")


def test_another_node_is_asked_when_one_is_away(plain: Speaker) -> None:
    """With several URLs, the next attempt goes to another node."""
    connection = Connection(f"http://127.0.0.1:1, {url_of(plain)}")
    assert connection.urls == ("http://127.0.0.1:1", url_of(plain))
    assert [ask(connection) for _ in range(4)] == [NOON] * 4


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_may_be_left_out(scheme: str) -> None:
    """Plain HTTP is on Elasticsearch's port, HTTPS on the web's, as with Elastic Cloud."""
    port = {"http": 9200, "https": 443}[scheme]
    assert Connection(f"{scheme}://[::1]").url == f"{scheme}://[::1]:{port}"


def test_an_authority_can_be_named(guarded: Speaker, certificates: Path) -> None:
    """With its authority's certificate a server is trusted; without, it is not, and the error says what to do."""
    url = url_of(guarded, scheme="https")
    assert ask(Connection(url, ca_certs=str(certificates / "ca.pem"))) == NOON
    with pytest.raises(StoreRejected, match=r"failed: TlsError.*authority's certificates"):
        ask(Connection(url))


def test_certificates_may_go_unchecked(guarded: Speaker, certificates: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`verify_certs=False` trusts anybody, and a warning says so."""
    assert ask(Connection(url_of(guarded, scheme="https"), verify_certs=False)) == NOON
    assert "Certificates are not checked" in caplog.text


def test_a_certificate_of_our_own_is_shown(guarded: Speaker, certificates: Path) -> None:
    """A client certificate reaches the server, with its key in a file of its own or in the same."""
    both = certificates / "both.pem"
    both.write_text((certificates / "client.pem").read_text() + (certificates / "client.key").read_text())
    trust: dict[str, Any] = {"url": url_of(guarded, scheme="https"), "ca_certs": str(certificates / "ca.pem")}
    ask(Connection(**trust, client_cert=str(certificates / "client.pem"), client_key=str(certificates / "client.key")))
    ask(Connection(**trust, client_cert=str(both)))
    ask(Connection(**trust))
    shown = ((("commonName", "client"),),)
    assert guarded.subjects == [shown, shown, None]


def test_plain_http_on_a_tls_port_is_unavailable(guarded: Speaker) -> None:
    """The wrong scheme is an error with a remedy, not a crash."""
    with pytest.raises(StoreUnavailable, match="its URL is right"):
        ask(Connection(url_of(guarded)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": ""}, "is empty"),
        ({"url": "localhost:9200"}, "cannot be understood"),
        ({"url": "ftp://localhost"}, "cannot be understood"),
        ({"url": "http://user:pa/ss@host"}, "cannot be understood"),
        ({"url": "http://"}, "cannot be understood"),
        ({"url": "https://a@h"}, "lacks a password"),
        ({"url": "https://h", "username": "u"}, "lacks a password"),
        ({"url": "https://h", "password": "p"}, "lacks a user name"),
        ({"url": "https://a:b@h", "username": "u", "password": "p"}, "different users"),
        ({"url": "https://a:b@h,https://c:d@i"}, "different users"),
        ({"url": "https://h", "api_key": "k", "username": "u", "password": "p"}, "a password and an API key"),
        ({"url": "https://a:b@h", "api_key": "k"}, "a password and an API key"),
        ({"url": "https://h", "api_key": "k", "bearer_token": "t"}, "an API key and a bearer token"),
        ({"url": "https://h", "client_key": "k.pem"}, "without a client certificate"),
        ({"url": "http://h", "ca_certs": "ca.pem"}, "is not https"),
    ],
)
def test_contradictions_are_named(settings: dict[str, str], words: str) -> None:
    """What cannot be meant is refused before anything is sent, with both sides named."""
    with pytest.raises(SettingsError, match=words):
        Connection(**settings)  # type: ignore[arg-type] # all are text


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing or broken file of certificates is an error of the settings, at once."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for name in (str(tmp_path / "missing.pem"), str(broken)):
        for connection in (Connection("https://h", ca_certs=name), Connection("https://h", client_cert=name)):
            with pytest.raises(SettingsError, match=f"can be set up.*{name}"):
                ElasticsearchStore(connection, clock=lambda: NOON)


def test_a_key_with_a_passphrase_is_refused(certificates: Path) -> None:
    """Nobody is there to type it."""
    words = ("ec", "-in", "client.key", "-out", "locked.key", "-aes128", "-passout", "pass:x")
    subprocess.run(["openssl", *words], cwd=certificates, check=True, capture_output=True)
    cert, key = str(certificates / "client.pem"), str(certificates / "locked.key")
    with pytest.raises(SettingsError, match=r"can be set up.*passphrase"):
        ElasticsearchStore(Connection("https://h", client_cert=cert, client_key=key), clock=lambda: NOON)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "https://elastic:s3cret@h"},
        {"url": "https://h", "username": "elastic", "password": "s3cret"},
        {"url": "https://h", "api_key": "id:s3cret"},
        {"url": "https://h", "bearer_token": "s3cret"},
    ],
)
def test_secrets_are_not_shown(settings: dict[str, str]) -> None:
    """A connection in a log or a traceback tells no secret, and takes secrets out of other texts."""
    connection = Connection(**settings)  # type: ignore[arg-type] # all are text
    assert "s3cret" not in repr(connection)
    assert "s3cret" not in connection.hide_secrets("it was s3cret, I tell you")


@pytest.mark.parametrize("url", ["https://elastic:s3cret@h:port", "https://elastic:s3cret@[h", "elastic:s3cret@h"])
def test_a_url_that_is_not_understood_is_not_repeated(url: str) -> None:
    """The password in it would be shown."""
    with pytest.raises(SettingsError) as raised:
        Connection(url)
    assert "s3cret" not in f"{raised.value!r}{raised.value.__cause__!r}{raised.value.__context__!r}"
