"""JSON as this package writes and reads it: fast, and not to be beaten by a single odd document.

Whoever may write one event must not be able to hide others by making the page they share unreadable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["decode", "encode"]

_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Every escape: a pair of surrogates, a surrogate alone (in a group), or any other."""


def encode(value: Any) -> bytes:
    """The value as UTF-8 JSON on one line; NaN and the infinities, which JSON lacks, become null.

    Raises:
        TypeError, ValueError: something in it has no form in JSON, or it is nested too deeply.
    """
    try:
        return orjson.dumps(value, default=_plain)
    except orjson.JSONEncodeError:
        pass  # lone surrogates, integers beyond 64 bits and deep nesting are beyond it, and JSON all the same
    try:
        text = json.dumps(value, default=_plain)
        return json.dumps(json.loads(text, parse_constant=lambda _: None), separators=(",", ":")).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def decode(text: bytes) -> Any:
    """What `text` says; a surrogate without its other half, which some Windows programs write, becomes U+FFFD.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(_ESCAPES.sub(_mended, text))


def _mended(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
