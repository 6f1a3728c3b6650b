"""Every error of the client means something to us, and says what to do."""

from __future__ import annotations

import inspect
import ssl
from typing import Any

import elastic_transport
import elasticsearch
import elasticsearch.exceptions as client
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig

from lolbin_rules import errors as ours
from lolbin_rules.store.elasticsearch import errors

UNAVAILABLE, OVERWHELMED = ours.StoreUnavailable, ours.StoreOverwhelmed
REJECTED, FORBIDDEN = ours.StoreRejected, ours.StoreForbidden


def answered(status: int, body: Any, headers: dict[str, str] | None = None) -> client.ApiError:
    """The error that the client makes of an answer."""
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(headers or {}), 0.1, NodeConfig("http", "localhost", 9200))
    kind = client.HTTP_EXCEPTIONS.get(status, client.ApiError)
    return kind(message=str(body), meta=meta, body=body)


def failed(kind: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """An answer that names one kind of error."""
    return {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason, **more}}


def all_failed(*kinds: str) -> dict[str, Any]:
    """The answer to a search that failed on every shard, for these reasons."""
    shards = [{"shard": n, "index": "i", "reason": {"type": kind, "reason": None}} for n, kind in enumerate(kinds)]
    causes = [{"type": kind, "reason": None} for kind in kinds]
    return {
        "error": {
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
            "root_cause": causes,
            "failed_shards": shards,
        }
    }


@pytest.mark.parametrize("module", [elasticsearch, client, elastic_transport], ids=lambda module: module.__name__)
def test_every_error_of_the_client_is_in_the_table(module: Any) -> None:
    """A class that a new version of the client brings must be looked at before it is trusted to a parent's row."""
    found = {
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Exception) and each.__module__.startswith(("elastic", module.__name__))
    }
    assert len(found) > 5
    assert found <= errors.CLASSES.keys()


@pytest.mark.parametrize(
    "kind", [kind for kind, row in errors.CLASSES.items() if row and not issubclass(kind, Warning)]
)
def test_every_class_of_the_table_is_judged(kind: type[Exception]) -> None:
    """What is raised is one of our errors, with a remedy in a sentence."""
    error = kind("why") if not issubclass(kind, client.ApiError) else kind("why", answered(200, {}).meta, {})
    meant = errors.meaning(error)
    assert issubclass(meant.raised, ours.StoreError)
    assert meant.remedy.endswith(".")


@pytest.mark.parametrize(
    ("status", "body", "raised", "is_retried"),
    [
        (400, failed("parsing_exception", "unknown query [x]"), REJECTED, False),
        (400, all_failed("query_shard_exception"), REJECTED, False),
        (400, failed("too_many_buckets_exception"), OVERWHELMED, False),
        (400, failed("validation_exception", "maximum normal shards open"), UNAVAILABLE, False),
        (400, failed("index_closed_exception"), UNAVAILABLE, False),
        (401, failed("security_exception", "missing authentication credentials"), FORBIDDEN, False),
        (403, failed("security_exception", "action [x] is unauthorized"), FORBIDDEN, False),
        (403, failed("cluster_block_exception", "FORBIDDEN/8/index write (api)"), UNAVAILABLE, False),
        (404, failed("resource_not_found_exception"), REJECTED, False),
        (405, {"error": "Incorrect HTTP method"}, REJECTED, False),
        (408, "Request Timeout", OVERWHELMED, True),
        (413, "too large", REJECTED, False),
        (429, None, UNAVAILABLE, True),
        (429, failed("circuit_breaking_exception", "Data too large"), OVERWHELMED, True),
        (429, failed("cluster_block_exception", "TOO_MANY_REQUESTS/12/disk usage"), UNAVAILABLE, True),
        (429, all_failed("es_rejected_execution_exception"), UNAVAILABLE, True),
        (500, failed("null_pointer_exception"), OVERWHELMED, False),
        (502, "<html>Bad Gateway</html>", UNAVAILABLE, True),
        (503, failed("cluster_block_exception", "state not recovered"), UNAVAILABLE, True),
        (503, failed("master_not_discovered_exception"), UNAVAILABLE, True),
        (503, all_failed("circuit_breaking_exception", "no_shard_available_action_exception"), OVERWHELMED, True),
        (503, all_failed("no_shard_available_action_exception"), UNAVAILABLE, False),
        (504, "Gateway Timeout", OVERWHELMED, True),
        (599, None, OVERWHELMED, False),
    ],
)
def test_an_answer_is_judged_by_what_it_says(
    status: int, body: Any, raised: type[Exception], *, is_retried: bool
) -> None:
    """The kinds of error that the answer names come first, then its status."""
    meant = errors.meaning(answered(status, body))
    assert (meant.raised, meant.is_retried) == (raised, is_retried)


def test_an_untrusted_certificate_is_for_ever() -> None:
    """A broken handshake may pass; a certificate that is not trusted will not, and the remedy says what to do."""
    error = client.SSLError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    assert errors.meaning(error).raised is REJECTED
    assert "certificates" in errors.meaning(error).remedy
    assert errors.meaning(client.SSLError("EOF occurred")) == errors.meaning(client.ConnectionError("refused"))


def test_nobody_there_is_not_too_much_asked() -> None:
    """A connection that is not even opened in time would not be for a smaller request."""

    class ConnectTimeoutError(Exception):
        """As urllib3 names it."""

    error = client.ConnectionTimeout("Connection timed out during request")
    assert errors.meaning(error).raised is OVERWHELMED
    error.__cause__ = ConnectTimeoutError()
    assert errors.meaning(error).raised is UNAVAILABLE


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
    ],
)
def test_the_answer_says_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    """`Retry-After` in seconds, or as a date by the answer's own clock; anything else is passed over."""
    assert errors.retry_after(answered(429, None, headers)) == seconds


def test_the_reason_goes_to_the_root() -> None:
    """The words of the innermost cause are there, once, and an endless message is cut."""
    body = {
        "error": {
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
            "failed_shards": [
                {
                    "reason": {
                        "type": "query_shard_exception",
                        "reason": "failed to create query",
                        "caused_by": {"type": "number_format_exception", "reason": 'For input string: "abc"'},
                    }
                }
            ],
        }
    }
    assert errors.reason(answered(400, body)) == (
        "HTTP 400 query_shard_exception: failed to create query; caused by "
        'number_format_exception: For input string: "abc"'
    )
    assert len(errors.reason(answered(400, failed("x", "long " * 1000)))) < 700


@pytest.mark.parametrize("body", [None, "", "text", [], {}, {"error": None}, {"error": "text"}, {"error": {}}, b"\0"])
def test_strange_answers_have_a_reason_too(body: Any) -> None:
    """A gateway may answer anything; the status is said in any case."""
    assert errors.reason(answered(502, body)).startswith("HTTP 502")
