"""What the client's errors mean for us, in one table.

An answer is judged by the kinds of error that Elasticsearch names in it (`KINDS`), else by its HTTP status
(`STATUSES`); what is not an answer, by the client's class (`CLASSES`).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import elastic_transport
import elasticsearch.exceptions as client

from lolbin_rules.errors import (
    StoreError,
    StoreForbidden,
    StoreOverwhelmed,
    StoreRejected,
    StoreUnavailable,
)
from lolbin_rules.store.elasticsearch.limits import AnswerTooLong

__all__ = [
    "CLASSES",
    "CLIENT_ERRORS",
    "KINDS",
    "STATUSES",
    "Meaning",
    "judge",
    "kinds",
    "meaning",
    "reason",
    "retry_after",
]

CLIENT_ERRORS = (elastic_transport.TransportError, elastic_transport.ApiError)
"""Everything that the client raises on purpose."""

_LONGEST_REASON = 600


class Meaning(NamedTuple):
    """What an error of the client means.

    Attributes:
        raised: what is raised in its place.
        is_retried: whether the same request may succeed within seconds.
        remedy: what to do about it; `{needs}` stands for the privilege that the request needs.
    """

    raised: type[StoreError]
    is_retried: bool
    remedy: str


_UNREACHABLE = Meaning(StoreUnavailable, True, "Check that Elasticsearch runs and that its URL is right.")
_BUSY = Meaning(StoreUnavailable, True, "It should recover by itself; look at the cluster's health if it does not.")
_TIMEOUT = Meaning(StoreOverwhelmed, True, "Ask for less at once, or allow more time.")
_OVERLOAD = Meaning(StoreOverwhelmed, True, "Ask for less at once, or give the cluster more memory or nodes.")
_TOO_MUCH = Meaning(StoreOverwhelmed, False, "Ask for less at once.")
_TOO_LONG = Meaning(StoreOverwhelmed, True, "Ask for less at once.")
_UNREADY = Meaning(StoreUnavailable, False, "Look at the cluster's health and at the blocks of the index.")
_GARBLED = Meaning(StoreUnavailable, False, "Check what stands between this program and Elasticsearch.")
_UNTRUSTED = Meaning(StoreRejected, False, "Name the file of the authority's certificates, or check the host name.")
_STRANGER = Meaning(StoreRejected, False, "Check the URL: something other than Elasticsearch answers there.")
_REFUSED = Meaning(StoreRejected, False, "Repeating it is useless; correct the request.")
_UNKNOWN_USER = Meaning(StoreForbidden, False, "Check the user name and password, the API key or the token.")
_NO_PRIVILEGE = Meaning(StoreForbidden, False, "Grant {needs}.")

CLASSES: Mapping[type[Exception], Meaning | None] = {
    client.ApiError: None,  # None: judged by what it says
    client.AuthenticationException: None,
    client.AuthorizationException: None,
    client.BadRequestError: None,
    client.ConflictError: None,
    client.ConnectionError: _UNREACHABLE,
    client.ConnectionTimeout: _TIMEOUT,
    client.ElasticsearchWarning: _GARBLED,  # never raised: connect.py takes the notes off the answers
    client.GeneralAvailabilityWarning: _GARBLED,  # only the client's typed methods warn so; none is used
    client.NotFoundError: None,
    client.SSLError: _UNREACHABLE,
    client.SerializationError: _GARBLED,
    client.TransportError: _UNREACHABLE,
    client.UnsupportedProductError: _STRANGER,
    elastic_transport.ApiError: None,
    elastic_transport.SecurityWarning: _UNTRUSTED,  # never raised: connect.py logs that certificates are not checked
    elastic_transport.SniffingError: _UNREACHABLE,
    elastic_transport.TransportWarning: _GARBLED,
}
"""By the client's class. A test fails on a class of the client that is not here."""

STATUSES: Mapping[int, Meaning] = {
    401: _UNKNOWN_USER,
    403: _NO_PRIVILEGE,
    408: _TIMEOUT,
    429: _BUSY,
    # One query can break a node's thread (a regular expression that is too deep, a bug): asked for less, the rest work.
    500: _TOO_MUCH,
    502: _BUSY,
    503: _BUSY,
    504: _TIMEOUT,
}
"""By HTTP status, where Elasticsearch says nothing more precise; other 4xx are refusals, other 5xx like 500."""

KINDS: Mapping[str, Meaning] = {
    "circuit_breaking_exception": _OVERLOAD,
    # The queue of a thread pool is full. Fewer queries at once would be as many tasks for it, and more requests.
    "es_rejected_execution_exception": _BUSY,
    "too_many_buckets_exception": _TOO_MUCH,
    "task_cancelled_exception": _UNREADY,
    "cluster_block_exception": _UNREADY,
    "index_closed_exception": _UNREADY,
    "index_not_found_exception": _UNREADY,
    "no_shard_available_action_exception": _UNREADY,
    "unavailable_shards_exception": _UNREADY,
    "validation_exception": _UNREADY,  # the cluster has all the shards that it may have
    "search_context_missing_exception": _UNREADY,
}
"""By the kind of error that the answer names anywhere, the first that applies: these mislead by status."""


def meaning(error: Exception) -> Meaning:
    """What an error of the client means."""
    if isinstance(error, elastic_transport.ApiError) and not isinstance(error, client.UnsupportedProductError):
        return judge(error.meta.status, error.body)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error)):
        return _UNTRUSTED
    if any(type(cause).__name__ == "ConnectTimeoutError" for cause in _chain(error)):
        return _UNREACHABLE  # nobody took the call: a smaller request would fare no better
    if any(isinstance(cause, AnswerTooLong) for cause in _chain(error)):
        return _TOO_LONG
    return next(row for parent in type(error).__mro__ if (row := CLASSES.get(parent)) is not None)


def judge(status: int, body: Any) -> Meaning:
    """What an answer of this HTTP status means, or one item of it that has a status and an `error` of its own."""
    named = set(kinds(body))
    if status != HTTPStatus.FORBIDDEN:
        named.discard("cluster_block_exception")  # a block of the whole cluster (503) passes, one of an index stays
    by_kind = next((row for kind, row in KINDS.items() if kind in named), None)
    if by_kind is not None:
        return by_kind
    if status in STATUSES:
        return STATUSES[status]
    return _REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else STATUSES[HTTPStatus.INTERNAL_SERVER_ERROR]


def kinds(body: Any) -> Iterator[str]:
    """Every kind of error that an answer names, outermost first."""
    if isinstance(body, dict):
        kind = body.get("type")
        if isinstance(kind, str):
            yield kind
        for name in ("error", "caused_by", "root_cause", "failed_shards", "reason"):
            yield from kinds(body.get(name))
    elif isinstance(body, list):
        for item in body:
            yield from kinds(item)


def reason(error: Any) -> str:
    """Why, in the words of the client's error or of an `error` object of Elasticsearch, from the outside in."""
    if isinstance(error, elastic_transport.ApiError):
        body = error.body.get("error") if isinstance(error.body, dict) else None
        return f"HTTP {error.meta.status} {reason(body) if body else _line(str(error.message))}".rstrip()
    if isinstance(error, elastic_transport.TransportError):
        return f"{type(error).__name__}: {_line(str(error.message))}"
    return _line("; caused by ".join(dict.fromkeys(_reasons(error))))


def retry_after(error: Exception) -> float | None:
    """How many seconds the answer asks to wait, if it does."""
    if not isinstance(error, elastic_transport.ApiError):
        return None
    asked = error.meta.headers.get("retry-after")
    if asked is None:
        return None
    if asked.isdecimal():
        return float(asked)
    date = error.meta.headers.get("date")
    try:
        # The answer's own date is the clock that its date to come back is told by.
        return (parsedate_to_datetime(asked) - parsedate_to_datetime(date or "")).total_seconds()
    except ValueError:
        return None


def _reasons(error: Any) -> Iterator[str]:
    if isinstance(error, str):
        yield error
    if isinstance(error, dict):
        inner = error.get("failed_shards") or error.get("root_cause") or []
        first = inner[0].get("reason") if inner and isinstance(inner[0].get("reason"), dict) else None
        if first is None:
            text = error.get("reason")
            yield f"{error.get('type', 'error')}: {text}" if text else str(error.get("type", "error"))
        yield from _reasons(first)
        yield from _reasons(error.get("caused_by"))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        inner = [part for part in error.args if isinstance(part, BaseException)]  # urllib3 keeps some causes there
        error = error.__cause__ or error.__context__ or (inner[0] if inner else None)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + " ..."
