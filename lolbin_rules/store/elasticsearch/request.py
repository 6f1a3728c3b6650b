"""Sending one request: the only place that waits, tries again and turns the client's errors into ours."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from elastic_transport import ApiError
from elasticsearch import Elasticsearch

from lolbin_rules.errors import StoreError, StoreOverwhelmed, StoreRejected, StoreUnavailable
from lolbin_rules.store.elasticsearch import errors, json_text, limits

__all__ = ["Allowance", "Ask", "Requests", "Retries", "empty_if_missing", "path_of"]

logger = logging.getLogger("lolbin_rules.store")

_LONGEST_ASKED_WAIT = timedelta(minutes=2)
_LAST_ATTEMPT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is sent, and how long to wait in between.

    Attributes:
        attempts: how often in all.
        first_wait: about how long to wait after the first attempt; it doubles each time.
        longest_wait: the most it grows to. An answer may ask for more by `Retry-After`, up to two minutes.
    """

    attempts: int = 5
    first_wait: timedelta = timedelta(seconds=0.5)
    longest_wait: timedelta = timedelta(seconds=20)

    def wait(self, attempt: int) -> float:
        """Seconds to wait after attempt 1, 2, ...: half of them by chance, so that many runners do not come at once."""
        most = min(self.first_wait * (1 << min(attempt - 1, 20)), self.longest_wait)
        return most.total_seconds() * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


class Allowance:
    """Time that a verb may spend waiting for the store, over all its requests; the caller's own time is not counted."""

    def __init__(self, within: timedelta) -> None:
        self.within = within
        self.left = within.total_seconds()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        method: of HTTP.
        path: with its leading slash; see `path_of`.
        needs: the privilege it takes, as an operator would look for it.
        parameters: of the query string.
        body: JSON, or bytes that are sent as they are (lines of JSON).
        accept: what to return for an answer that the client takes for an error; None where it is one.
        most_bytes: an answer that is longer is broken off, which is StoreOverwhelmed; None: any length will do.
        smaller: what to ask for instead once this was too much; None where nothing less can be asked for.
    """

    method: str
    path: str
    needs: str
    parameters: Mapping[str, str] | None = None
    body: Mapping[str, Any] | bytes | None = None
    accept: Callable[[ApiError], Any] | None = None
    most_bytes: int | None = None
    smaller: Callable[[], Ask | None] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Requests:
    """Sends requests to one cluster; any number of threads may share it."""

    def __init__(self, client: Elasticsearch, retries: Retries, hide_secrets: Callable[[str], str]) -> None:
        self._client = client
        self._hide_secrets = hide_secrets
        self._stopped = threading.Event()
        self.retries = retries

    def send(self, ask: Ask, allowance: Allowance | None = None) -> Any:
        """The answer's body; with an allowance, one attempt may use all that is left of it.

        Raises:
            StoreError: of the class and with the remedy that `errors` has for what the client raised last.
        """
        return self.send_sized(ask, allowance)[0]

    def send_sized(self, ask: Ask, allowance: Allowance | None = None) -> tuple[Any, int]:
        """As `send`, with the length of the answer in bytes (0 for one that was accepted though it is an error)."""
        body = _text(ask)
        attempt = 0
        while True:
            attempt += 1
            self._check_may_go_on(ask, allowance)
            began = time.monotonic()
            try:
                return self._send_once(ask, body, allowance.left if allowance else None)
            except errors.CLIENT_ERRORS as error:
                accepted = ask.accept(error) if ask.accept and isinstance(error, ApiError) else None
                if accepted is not None:
                    return accepted, 0
                wait = self._wait_before_next(error, attempt)
                spent = time.monotonic() - began
                if wait is None or (allowance and spent + wait >= allowance.left):
                    raise self._ours(error, ask, attempt) from error
                logger.info("%s: %s; trying again in %.1f s", ask, self._hide_secrets(errors.reason(error)), wait)
                self._stopped.wait(wait)
                if errors.meaning(error).raised is StoreOverwhelmed and (less := ask.smaller and ask.smaller()):
                    ask, body = less, _text(less)
            finally:
                if allowance:
                    allowance.left -= time.monotonic() - began

    def try_once(self, ask: Ask) -> None:
        """Send it once, even after `stop`, and do not care for the outcome."""
        try:
            self._send_once(ask, _text(ask), _LAST_ATTEMPT.total_seconds())
        except errors.CLIENT_ERRORS as error:
            logger.debug("%s: %s", ask, self._hide_secrets(errors.reason(error)))

    def pause(self, attempt: int) -> None:
        """Wait as long as before attempt `attempt + 1` of a request."""
        self._stopped.wait(self.retries.wait(attempt))

    def stop(self) -> None:
        """End every wait, and send nothing any more."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopped.is_set()

    def _check_may_go_on(self, ask: Ask, allowance: Allowance | None) -> None:
        if self.is_stopped:
            raise StoreUnavailable(f"{ask} was not sent: the program is stopping. Start it again to go on.")
        if allowance and allowance.left <= 0:
            raise StoreOverwhelmed(
                f"{ask} was not sent: the store has taken {allowance.within} without finishing. "
                "Ask for less at once, or allow more time."
            )

    def _send_once(self, ask: Ask, body: bytes | None, timeout: float | None) -> tuple[Any, int]:
        client = self._client if timeout is None else self._client.options(request_timeout=timeout)
        headers = {"accept": "application/json"}
        if body is not None:
            lines = isinstance(ask.body, bytes)
            headers["content-type"] = "application/x-ndjson" if lines else "application/json"
        with limits.limited(ask.most_bytes):
            told = client.perform_request(ask.method, ask.path, params=ask.parameters, headers=headers, body=body)
        return told.body, int(told.meta.headers["content-length"])

    def _wait_before_next(self, error: Exception, attempt: int) -> float | None:
        if not errors.meaning(error).is_retried or attempt >= self.retries.attempts:
            return None
        asked = errors.retry_after(error) or 0.0
        return None if asked > _LONGEST_ASKED_WAIT.total_seconds() else max(asked, self.retries.wait(attempt))

    def _ours(self, error: Exception, ask: Ask, attempts: int) -> StoreError:
        meant = errors.meaning(error)
        times = f" ({attempts} attempts)" if attempts > 1 else ""
        why = self._hide_secrets(errors.reason(error)).rstrip(".")
        return meant.raised(f"{ask} failed{times}: {why}. {meant.remedy.format(needs=ask.needs)}")


def path_of(*parts: str) -> str:
    """The path of some parts; commas and stars stay what they are."""
    return "/" + "/".join(quote(part, safe=",*") for part in parts)


def empty_if_missing(error: ApiError) -> dict[str, Any] | None:
    """For `Ask.accept`: what is not found is an empty answer."""
    return {} if error.meta.status == HTTPStatus.NOT_FOUND else None


def _text(ask: Ask) -> bytes | None:
    if ask.body is None or isinstance(ask.body, bytes):
        return ask.body
    try:
        return json_text.encode(ask.body)
    except (TypeError, ValueError) as error:
        raise StoreRejected(f"{ask} was not sent: {error}. Use values that JSON has.") from error
