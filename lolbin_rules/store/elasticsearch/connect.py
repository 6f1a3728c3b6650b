"""How to reach a cluster, and the client that does."""

from __future__ import annotations

import base64
import logging
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from elastic_transport import JsonSerializer, NodeConfig, SerializationError, Urllib3HttpNode
from elasticsearch import Elasticsearch

from lolbin_rules.errors import SettingsError
from lolbin_rules.store.elasticsearch import json_text
from lolbin_rules.store.elasticsearch.limits import LimitedPool

__all__ = ["Connection", "open_client"]

logger = logging.getLogger("lolbin_rules.store")

_PORTS = {"http": 9200, "https": 443}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the cluster is and who asks. Secrets are kept out of `repr`.

    Attributes:
        url: one URL or several with commas between them. A user and password in it become `username` and `password`.
        username: for basic authentication, together with `password`.
        password: see `username`.
        api_key: `id:key`, or the same in base64 as Kibana shows it.
        bearer_token: a token of a token service, or a service account's.
        ca_certs: file of the certificates of authorities to trust instead of the usual ones.
        client_cert: file of the certificate that this client shows.
        client_key: file of its key, where that is not in the same file.
        verify_certs: False trusts whoever answers.
        request_timeout: how long one request may take, for those that come without a limit of their own.

    Raises:
        SettingsError: the parts contradict each other.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    bearer_token: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify_certs: bool = True
    request_timeout: timedelta = timedelta(seconds=60)

    def __post_init__(self) -> None:
        parts = [_split(url) for url in self.url.split(",") if url.strip()]
        if not parts:
            raise SettingsError("The URL of Elasticsearch is empty. Name one, such as https://localhost:9200.")
        users = {(unquote(part.username), unquote(part.password or "")) for part in parts if part.username}
        if self.username is not None or self.password is not None:
            users.add((self.username or "", self.password or ""))
        if len(users) > 1:
            raise SettingsError("The URL of Elasticsearch and the settings name different users. Name one user once.")
        for username, password in users:
            object.__setattr__(self, "username", username)
            object.__setattr__(self, "password", password)
        object.__setattr__(self, "url", ",".join(_without_user(part) for part in parts))
        self._check_authentication()
        self._check_certificates()

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs one by one, each with its port, none with a user."""
        return tuple(self.url.split(","))

    def hide_secrets(self, text: str) -> str:
        """The text with every secret of this connection blotted out, in case an answer repeats what was sent."""
        secrets = [self.password, self.api_key, self.bearer_token]
        if self.api_key is not None and ":" in self.api_key:
            secrets += [self.api_key.partition(":")[2], _base64(self.api_key)]
        if self.password is not None:
            secrets.append(_base64(f"{self.username}:{self.password}"))
        for secret in secrets:
            text = text.replace(secret, "***") if secret else text
        return text

    def _check_authentication(self) -> None:
        if self.username is not None and not (self.username and self.password):
            lacking = "a password" if self.username else "a user name"
            raise SettingsError(f"Basic authentication lacks {lacking}. Give both the user name and the password.")
        given = {
            "a password": self.password is not None,
            "an API key": self.api_key is not None,
            "a bearer token": self.bearer_token is not None,
        }
        ways = [way for way, is_given in given.items() if is_given]
        if len(ways) > 1:
            raise SettingsError(f"Both {' and '.join(ways)} are given for Elasticsearch. Keep one of them.")

    def _check_certificates(self) -> None:
        if self.client_key is not None and self.client_cert is None:
            raise SettingsError("A client key is given without a client certificate. Give the certificate as well.")
        named = [name for name in (self.ca_certs, self.client_cert, self.client_key) if name is not None]
        plain = [url for url in self.urls if url.startswith("http:")]
        if named and plain:
            raise SettingsError(f"{named[0]} cannot be used with {plain[0]}, which is not https. Use an https URL.")


class _QuietNode(Urllib3HttpNode):
    """Takes deprecation notes off the answers: the client would raise each as a Python warning, which may be an error.

    Filtering warnings instead would change state that all threads share. Answers are read with limits (`limits`).
    """

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self.pool: Any = LimitedPool(self.pool)

    def perform_request(self, *arguments: Any, **options: Any) -> Any:
        answer = super().perform_request(*arguments, **options)
        note = answer.meta.headers.get("warning")
        if note is not None:
            del answer.meta.headers["warning"]
            logger.debug("Elasticsearch remarked: %s", note)
        return answer


class _Json(JsonSerializer):
    def loads(self, data: bytes) -> Any:
        try:
            return json_text.decode(data) if data else None
        except ValueError as error:
            # The client's own message has the whole answer in it.
            raise SerializationError(f"{len(data)} bytes are no JSON: {error}") from error


def open_client(connection: Connection) -> Elasticsearch:
    """A client that sends each request once; nothing is sent yet.

    Raises:
        SettingsError: a file cannot be read, or the client refuses a setting.
    """
    options: dict[str, Any] = {}
    if connection.username is not None:
        # Encoded here: the client takes nothing but ASCII.
        options["basic_auth"] = _base64(f"{connection.username}:{connection.password}")
    if connection.api_key is not None:
        key = connection.api_key
        options["api_key"] = _base64(key) if ":" in key else key
    if connection.bearer_token is not None:
        options["bearer_auth"] = connection.bearer_token
    if any(url.startswith("https:") for url in connection.urls):
        options |= _tls_options(connection)
    try:
        _check_files(connection)
        return Elasticsearch(
            list(connection.urls),
            max_retries=0,
            retry_on_timeout=False,
            request_timeout=connection.request_timeout.total_seconds(),
            node_class=_QuietNode,
            serializer=_Json(),
            **options,
        )
    except (ValueError, OSError) as error:
        reason = connection.hide_secrets(str(error))
        files = [name for name in (connection.ca_certs, connection.client_cert, connection.client_key) if name]
        check = f" and the files {', '.join(files)}; a key must not have a passphrase." if files else "."
        raise SettingsError(
            f"No connection to {connection.url} can be set up: {reason}. Check the URL{check}"
        ) from error


def _tls_options(connection: Connection) -> dict[str, Any]:
    if not connection.verify_certs:
        logger.warning("Certificates are not checked: whoever answers at %s is trusted.", connection.url)
    options = {
        "verify_certs": connection.verify_certs,
        "ssl_show_warn": False,
        "ca_certs": connection.ca_certs,
        "client_cert": connection.client_cert,
        "client_key": connection.client_key,
    }
    return {name: value for name, value in options.items() if value is not None}


def _check_files(connection: Connection) -> None:
    """Load the certificates now; the client would with its first request, and ask the terminal for a passphrase."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if connection.ca_certs is not None:
        context.load_verify_locations(connection.ca_certs)
    if connection.client_cert is not None:
        context.load_cert_chain(connection.client_cert, connection.client_key, password="")


def _split(url: str) -> SplitResult:
    parts = None
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if parts is None or not host or not port or parts.scheme not in _PORTS:
        # The text itself is not repeated: it may hold a password.
        raise SettingsError(
            "A URL of Elasticsearch cannot be understood. Write it as https://host:port, with special characters of a "
            "user or password as %XX."
        )
    host = f"[{host}]" if ":" in host else host
    user = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{user}@{host}:{port}" if user else f"{host}:{port}", query="", fragment="")


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
