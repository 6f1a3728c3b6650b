"""JSON is read and written whatever odd things are in a document."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.store.elasticsearch import json_text

ANY_TEXT = st.text(st.characters(codec=None, categories=None))  # surrogates included
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)


def _whole(value: Any) -> Any:
    """The value with U+FFFD for every surrogate that is alone."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(part) for key, part in value.items()}
    return [_whole(part) for part in value] if isinstance(value, list) else value


@given(JSON)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Reading gives back what was written, but for surrogates that are alone."""
    assert json_text.decode(json_text.encode(value)) == _whole(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"\udc00\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\\ud800 \ud800"', "\\ud800 \ufffd"),
        (rb'"\\\ud800\\"', "\\\ufffd\\"),
    ],
)
def test_half_a_surrogate_pair_is_replaced(text: bytes, expected: str) -> None:
    """Only what is alone is replaced; pairs and escaped backslashes stay what they are."""
    assert json_text.decode(text) == expected


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":/* */1}', b"<html>", b'"\xff"'])
def test_what_is_no_json_is_an_error(text: bytes) -> None:
    """There is one kind of error for all that cannot be read."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the words are
        json_text.decode(text)


def test_numbers_that_json_lacks_are_null() -> None:
    """NaN and the infinities are null, also beside something that takes the slow way."""
    value = [float("nan"), float("inf"), -float("inf"), 1.5]
    assert json_text.encode(value) == b"[null,null,null,1.5]"
    assert json_text.encode([*value, 1 << 70]) == b"[null,null,null,1.5,1180591620717411303424]"


def test_any_mapping_is_an_object() -> None:
    """Read-only mappings are as good as dicts."""
    assert orjson.loads(json_text.encode({"a": MappingProxyType({"b": 1})})) == {"a": {"b": 1}}


@pytest.mark.parametrize("value", [{"a": object()}, {"a": {1, 2}}, ["\ud800", object()]])
def test_what_has_no_form_in_json_is_an_error(value: object) -> None:
    """Nothing is guessed for other types."""
    with pytest.raises(TypeError):
        json_text.encode(value)


def test_deep_nesting_is_written_or_refused() -> None:
    """As deep as Elasticsearch takes documents, or an error; never a crash."""

    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = {"a": value}
        return value

    assert json_text.encode(nested(500)).startswith(b'{"a":{"a":')
    with pytest.raises(ValueError, match="deep"):
        json_text.encode(nested(200_000))
