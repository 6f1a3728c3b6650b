"""Unquoted texts: a value only where YAML 1.1 and YAML 1.2 read the same."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yaml.resolver import Resolver

from lolbin_rules.rule.refusal import Refusal
from lolbin_rules.rule.yaml_scalars import read_scalar

# YAML 1.2.2, section 10.3.2: the core schema.
CORE_1_2 = {
    "null": re.compile(r"null|Null|NULL|~|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
    ),
}
KINDS = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}
plain_texts = st.one_of(
    st.from_regex(r"[-+]?[0-9_.:exobXEn]{1,8}", fullmatch=True),
    st.sampled_from(
        ["", "~", "null", "Null", "NULL", "true", "False", "yes", "Yes", "NO", "on", "Off", "nO", "y", "n"]
    ),
    st.text(min_size=1, max_size=6),
)


def kind_in_1_1(text: str) -> str:
    """What PyYAML, a reader of YAML 1.1, makes of an unquoted text; to it a date is more than text, to us it is not."""
    resolved: str = Resolver().resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    tag = resolved.removeprefix("tag:yaml.org,2002:")
    return "str" if tag in {"timestamp", "value", "merge", "yaml"} else tag


def kind_in_1_2(text: str) -> str:
    """What a reader of YAML 1.2 makes of an unquoted text."""
    return next((kind for kind, pattern in CORE_1_2.items() if pattern.fullmatch(text)), "str")


@given(plain_texts)
def test_all_readers_agree_on_what_is_read(text: str) -> None:
    """What is read is of the same kind in both versions, and where they differ it is refused."""
    try:
        value = read_scalar(text)
    except Refusal:
        assert {kind_in_1_1(text), kind_in_1_2(text)} != {"str"} or "_" in text or ":" in text or text[0] in "0+-."
        return
    assert {kind_in_1_1(text), kind_in_1_2(text)} == {KINDS[type(value)]}
    assert value == text or json.dumps(value) == text.lower() or value is None


@given(st.integers(-(2**63), 2**64 - 1))
def test_whole_numbers_of_64_bits(number: int) -> None:
    """Every number that Elasticsearch can store is read."""
    assert read_scalar(str(number)) == number


@given(st.floats(-1e15, 1e15, allow_nan=False).filter(lambda number: "e" not in repr(number)))
def test_fractions(number: float) -> None:
    """A fraction is read as it is written, or refused where its text would change."""
    value = read_scalar(repr(number))
    assert repr(value) == repr(number)


@pytest.mark.parametrize(
    "text",
    [
        "regsvr32.exe",
        "*.exe",
        "7.12.1",
        "2020-01-01",
        "10.0.0.1",
        "::1",
        "y",
        "nO",
        "-",
        "+",
        ".",
        "-enc",
        "0x",
        "1,5",
        "1:99",
        "=",
        "<",
    ],
)
def test_texts(text: str) -> None:
    """What no version of YAML takes for anything but text is text."""
    assert read_scalar(text) == text


def test_digits_of_other_scripts_are_text() -> None:
    """Python would read them as numbers; YAML does not."""
    assert read_scalar("١٢") == "١٢"


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    """Python refuses to convert it; the loader does not even try."""
    with pytest.raises(Refusal, match="more than 64 bits"):
        read_scalar("9" * 1_000_000)
