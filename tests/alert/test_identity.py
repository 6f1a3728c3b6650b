"""Ids and index names depend on what never changes about an event, and on all of it."""

from __future__ import annotations

import hashlib
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert.alert_cases import CONTEXT, KEY, REACHED_OUT, documents, hit, make_rule, quick
from lolbin_rules.alert.build import build_alert, minimal_alert
from lolbin_rules.alert.identity import (
    alert_id,
    alert_index,
    group_id,
    group_terms,
    instance_id,
    monthly_index,
    rule_uuid,
    same_event,
    stable_index,
    suppressed_index,
)
from lolbin_rules.store.port import Key

plain = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True).filter(
    lambda name: not name.startswith(("partial-", "restored-", "shrink-"))
)
keys = st.builds(Key, plain, st.text(max_size=12))


GOLDEN = {
    '["r","winlogbeat-8.6.2","kx2mE5MBn0"]': "b55d8cf114415a04b94d76ea067093d8924ac278488000443e552cd250266ebc",
    r"""["\u00e9\ud800","i","\u2028\"\\"]""": "e21daa108f8920b413deebc7cf41bda138cc4e7cf57af98772aa6f4b429a6039",
    '["r","group",[["host.name",["a","b"]],["n",["3"]],["missing",null]],1795324500000]': (
        "4672875b925cef53d493d0be2879392adcd3a88d4b47c3815fc899a1ec82475b"
    ),
    '["r","group",[["host.name",["a","b"]],["n",["3"]],["missing",null]]]': (
        "52c4b6f05cb5797081daa2523b428313c7336f2ef2d7bad9dd87ca36570f9820"
    ),
}
"""The bytes that are hashed, and what `sha256sum` makes of them."""


def test_ids_never_change() -> None:
    """An id that came out differently would alert the past again."""
    terms = group_terms({"host.name": ["b", "a"], "n": 3}, ["host.name", "n", "missing"])
    ids = [
        alert_id("r", KEY),
        alert_id("\u00e9\ud800", Key("i", '\u2028"\\')),
        group_id("r", terms, datetime(2026, 11, 22, 5, 15, tzinfo=UTC)),
        instance_id("r", terms),
    ]
    assert ids == list(GOLDEN.values())
    assert ids == [hashlib.sha256(text.encode("ascii")).hexdigest() for text in GOLDEN]
    assert rule_uuid("network-connection-via-regsvr32") == "53b133d7-59b3-581c-9be3-492bebd94cb4"


@pytest.mark.parametrize(
    ("name", "stable"),
    [
        (".ds-winlogbeat-8.6.2-2026.11.20-000003", "winlogbeat-8.6.2"),
        (".ds-logs-endpoint.events.network-default-2026.11.20-1234567", "logs-endpoint.events.network-default"),
        ("partial-.ds-logs-x-2026.11.20-000003", "logs-x"),
        ("restored-.ds-logs-x-2026.11.20-000003", "logs-x"),
        ("shrink-ab_1-.ds-logs-x-2026.11.20-000003", "logs-x"),
        ("partial-restored-shrink-ab-1-winlogbeat", "winlogbeat"),
        ("eu:partial-.ds-logs-x-2026.11.20-000003", "eu:logs-x"),
        (".ds-a-2026.11.20-000001-2026.11.21-000002", "a-2026.11.20-000001"),
        (".ds-partial-x-2026.11.20-000003", "partial-x"),
        *((name, name) for name in ("winlogbeat-8.6.2-2026.11.22", "winlogbeat-2026.11.22-000001", "logs", "")),
        *((name, name) for name in ("partial-", "restored-", "shrink-abcd-", "shrink-abcde", "shrink-ABCD-x")),
        *((name, name) for name in (".ds-x-2026.11.20-00003", ".ds-x-2026.11-000003", ".ds--2026.11.20-000003")),
        *((name, name) for name in (".ds-x-2026.11.20-000003x", "x.ds-x-2026.11.20-000003", ".fs-x-2026.11.20-000003")),
        (".ds-x-２026.11.20-000003", ".ds-x-２026.11.20-000003"),  # noqa: RUF001 - a digit that is none to Elasticsearch
    ],
)
def test_decoration_is_stripped_exactly(name: str, stable: str) -> None:
    """What a rollover, a shrink or a mounted snapshot adds goes; everything else stays, dates in plain names too."""
    assert stable_index(name) == stable


@given(
    plain,
    st.lists(st.sampled_from(["partial-", "restored-"]) | st.text("abc012_-", min_size=4, max_size=4), max_size=4),
    st.dates().map(lambda date: f"{date.year:04}.{date.month:02}.{date.day:02}"),
    st.integers(1, 10**9),
)
@quick
def test_an_event_keeps_its_id_wherever_its_data_move(name: str, moves: list[str], day: str, generation: int) -> None:
    """A backing index, and each way of mounting or shrinking it, is the data stream itself."""
    prefix = "".join(move if move.endswith(("l-", "d-")) else f"shrink-{move}-" for move in moves)
    moved = Key(f"{prefix}.ds-{name}-{day}-{generation:06}", "1")
    assert alert_id("r", moved) == alert_id("r", Key(name, "1"))
    if prefix:
        assert stable_index(f"{prefix}{name}") == name


@given(st.tuples(st.text(max_size=6), keys), st.tuples(st.text(max_size=6), keys))
@quick
def test_different_events_have_different_ids(one: tuple[str, Key], other: tuple[str, Key]) -> None:
    """Two alerts share an id only if rule, stable index and document id are the same."""
    parts = [(rule, stable_index(key.index), key.id) for rule, key in (one, other)]
    assert (alert_id(*one) == alert_id(*other)) == (parts[0] == parts[1])


def test_borders_between_the_parts_matter() -> None:
    """What a concatenation would confuse is told apart."""
    assert alert_id("r", Key("logs-a", "1x")) != alert_id("r", Key("logs-", "a1x"))
    assert alert_id("r", Key("a", '","b')) != alert_id("r", Key('a","', "b"))
    assert len(alert_id("r", KEY)) == 64
    assert set(alert_id("r", KEY)) <= set(string.hexdigits.lower())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"f": 3}, {"f": "3"}),
        ({"f": 3.0}, {"f": 3}),
        ({"f": True}, {"f": "true"}),
        ({"f": ["a", "b"]}, {"f": ["b", "a", "b", None]}),
        ({"f": "a"}, {"f": ["a"]}),
        ({"f": []}, {}),
        ({"f": None}, {"f": {"sub": 1}}),
        ({"g": {"f": "a"}, "f": 1}, {"g.f": "a", "f": 1}),
        ({"ip": "2001:db8::1"}, {"ip": "2001:0DB8:0:0:0:0:0:1"}),
        ({"source.ip": "::ffff:10.0.0.1"}, {"source": {"ip": "10.0.0.1"}}),
    ],
)
def test_equal_values_are_one_group(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What Elasticsearch indexes alike is one group, however it is written."""
    by = ("f", "g.f", "ip", "source.ip")
    assert group_terms(one, by) == group_terms(other, by)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"f": ""}, {}),
        ({"f": "A"}, {"f": "a"}),
        ({"f": ["a", "b"]}, {"f": "a"}),
        ({"f": ["a,b"]}, {"f": ["a", "b"]}),
        ({"f": "::1"}, {"f": "0:0:0:0:0:0:0:1"}),
        ({"f": 3.5}, {"f": 3}),
        ({"ip": "junk"}, {"ip": "junk2"}),
    ],
)
def test_different_values_are_different_groups(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Nothing else is taken for the same."""
    by = ("f", "ip")
    terms, others = group_terms(one, by), group_terms(other, by)
    assert terms != others
    assert group_id("r", terms, CONTEXT.created_at) != group_id("r", others, CONTEXT.created_at)


@given(documents, st.lists(st.sampled_from(["host.name", "kind", "event", "ip", "labels"]), max_size=3))
@quick
def test_any_event_has_a_group(source: dict[str, Any], by: list[str]) -> None:
    """Whatever the values are, the id can be computed and is the same the next time."""
    terms = group_terms(source, by)
    assert group_id("r", terms, CONTEXT.created_at) == group_id("r", group_terms(dict(source), by), CONTEXT.created_at)


@pytest.mark.parametrize(
    ("timestamp", "suffix"),
    [
        ("2026-11-22T05:10:09.123Z", "2026.11"),
        ("2026-11-30T23:59:59-01:00", "2026.12"),
        (["2026-12-01", "2026-11-30T23:59:59.999999999Z"], "2026.11"),
        (946684800000, "2000.01"),
        (946684799999, "overflow"),
        ("2099-12-31T23:59:59.999Z", "2099.12"),
        ("2100-01-01", "overflow"),
        ("junk", "overflow"),
        (None, "overflow"),
    ],
)
def test_the_event_chooses_the_month(timestamp: Any, suffix: str) -> None:
    """Its earliest time in UTC within 2000 to 2099, else one index for all others."""
    source = {"@timestamp": timestamp}
    assert alert_index("lolbin", source) == f"lolbin-alerts-{suffix}"
    assert suppressed_index("lolbin", source) == f"lolbin-suppressed-{suffix}"


def test_another_field_may_choose_the_month() -> None:
    """Where a rule's indices keep the time of the event elsewhere."""
    assert alert_index("p", {"@timestamp": "2026", "t": "2025-02"}, "t") == "p-alerts-2025.02"
    assert monthly_index("x", None) == "x-overflow"


def test_a_stored_alert_is_told_from_a_collision() -> None:
    """The same event behind another backing index is the same; another event, index or rule is not."""
    rule, other = make_rule(), make_rule(id="other")
    stored = build_alert(rule, hit(REACHED_OUT), alert_id="x", context=CONTEXT).source
    for alert in (stored, minimal_alert(stored)):
        assert same_event(alert, rule, KEY)
        assert same_event(alert, rule, Key("partial-.ds-winlogbeat-8.6.2-2026.11.20-000003", KEY.id))
        assert not same_event(alert, rule, Key(KEY.index, "other"))
        assert not same_event(alert, rule, Key("winlogbeat-8.6.3", KEY.id))
        assert not same_event(alert, other, KEY)
    assert not same_event({}, rule, KEY)
    assert not same_event({"kibana.alert.rule.rule_id": rule.id, "kibana.alert.ancestors": "text"}, rule, KEY)


def test_an_alert_of_an_alert_is_that_of_its_parent() -> None:
    """The last ancestor is the event; those before it are not."""
    rule, parent = make_rule(id="second"), Key("lolbin-alerts-2026.11", "a1")
    first = build_alert(make_rule(), hit(REACHED_OUT), alert_id="a1", context=CONTEXT).source
    stored = build_alert(rule, hit(first, parent), alert_id="a2", context=CONTEXT).source
    assert same_event(stored, rule, parent)
    assert not same_event(stored, rule, KEY)
