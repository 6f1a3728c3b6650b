"""Reading answers piece by piece, so that neither a long one nor a slow one takes more than it was given.

The client bounds the time between two pieces of an answer but not the time of the whole, and its length not at all: a
thousand hits of a megabyte each are a gigabyte before anybody has seen the first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

import urllib3
from urllib3.exceptions import ReadTimeoutError

__all__ = ["AnswerTooLong", "LimitedPool", "limited"]

_PIECE: Final = 1 << 18
_MOST: ContextVar[int | None] = ContextVar("most bytes of an answer", default=None)


class AnswerTooLong(Exception):  # noqa: N818 - says what was found; the client wraps it in an error of its own
    """An answer was broken off because it is longer than it may be."""


@contextmanager
def limited(most: int | None) -> Iterator[None]:
    """Answers to what this thread sends meanwhile may have so many bytes; None for any number."""
    token = _MOST.set(most)
    try:
        yield
    finally:
        _MOST.reset(token)


class _Answer(NamedTuple):
    """What the client takes of an answer; `content-length` is that of the data, however they were sent."""

    status: int
    headers: dict[str, str]
    data: bytes


class LimitedPool:
    """A pool of connections whose answers are read within limits; what is broken off takes its connection with it.

    Elasticsearch cancels a search when the connection that asked for it is closed.
    """

    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        self._pool = pool

    def urlopen(self, method: str, target: str, *, timeout: Any = None, **options: Any) -> _Answer:
        """As urllib3's; `timeout` in seconds holds for the whole answer.

        Raises:
            ReadTimeoutError: it took longer.
            AnswerTooLong: it has more bytes than `limited` allows.
        """
        began = time.monotonic()
        given = {} if timeout is None else {"timeout": timeout}
        seconds: Any = self._pool.timeout.total if timeout is None else timeout
        response = self._pool.urlopen(method, target, preload_content=False, **given, **options)
        is_read = False
        try:
            data = self._read(response, target, began, seconds)
            is_read = True
        finally:
            if not is_read:
                response.close()
            response.release_conn()
        return _Answer(response.status, {**response.headers, "content-length": str(len(data))}, data)

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.close()

    def _read(self, response: urllib3.BaseHTTPResponse, target: str, began: float, seconds: float) -> bytes:
        most = _MOST.get()
        pieces = bytearray()
        while piece := response.read1(_PIECE):
            pieces += piece
            if most is not None and len(pieces) > most:
                raise AnswerTooLong(f"the answer has more than {most} bytes")
            if time.monotonic() - began > seconds:
                raise ReadTimeoutError(self._pool, target, f"the answer took more than {seconds} s")
        return bytes(pieces)
