"""What an alert index would refuse is left out of an alert by name, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from alert.alert_cases import REACHED_OUT, deep, documents, quick
from lolbin_rules.alert.fit import fit


@pytest.mark.parametrize(
    ("source", "kept", "left_out"),
    [
        ({"host": "text"}, {}, ["host"]),
        ({"host": ["text", {"name": "a"}, None]}, {"host": [{"name": "a"}]}, ["host"]),
        ({"host": {"name": {"x": 1}, "id": "a"}}, {"host": {"id": "a"}}, ["host.name"]),
        ({"host.name": {"x": 1}, "host.id": "a"}, {"host.id": "a"}, ["host.name"]),
        ({"host.name.below": 1}, {}, ["host.name.below"]),
        ({"process": [[{"name": ["a", {"b": 1}]}]]}, {"process": [{"name": ["a"]}]}, ["process.name"]),
        ({"labels": "text"}, {}, ["labels"]),
        ({"winlog": {"event_data": ["text", {"a": 1}]}}, {"winlog": {"event_data": [{"a": 1}]}}, ["winlog.event_data"]),
        ({"a..b": 1, "": 2, " ": 3, ".": 4, "host. ": 5, "host": {"": 6}}, {"host": {}}, None),
        ({"winlog.event_data": {"a": {"b": deep(60)}}}, {}, ["winlog.event_data"]),
        ({"winlog.event_data": {"a\0b": 1}, "labels.a\0b": 1}, {}, ["labels.a\0b", "winlog.event_data"]),
        ({"labels": {"a": {"k" * 5000: 1}}, f"labels.{'k' * 5000}": 1}, {}, None),
        ({"labels": {"k" * 5000: {}}}, {}, ["labels"]),
        ({"winlog": {"event_data": "text"}, "labels.a": {"b": 1}}, {"winlog": {}}, ["labels.a", "winlog.event_data"]),
        (
            {"_id": "x", "_source": {}, "_other": 1, "host": {"_id": 1}},
            {"_other": 1, "host": {"_id": 1}},
            ["_id", "_source"],
        ),
        ({"host.name.below": None}, {}, ["host.name.below"]),
        ({"host.geo": {"location": {"": 1}}}, {"host.geo": {}}, ["host.geo.location"]),
    ],
)
def test_what_would_be_refused_is_left_out(
    source: dict[str, Any], kept: dict[str, Any], left_out: list[str] | None
) -> None:
    """Each of these was refused by a real node (8.19.9 and 9.0.0) as it was, and taken as it became."""
    fitted, names = fit(source)
    assert fitted == kept
    assert names
    assert left_out is None or names == left_out


@pytest.mark.parametrize(
    "source",
    [
        dict(REACHED_OUT),
        {"destination": {"ip": "junk", "port": "x", "geo": {"location": {"lat": 1, "lon": 2}}}},
        {"destination.geo.location": "junk", "source.geo.location": [1.5, 2.5]},
        {
            "destination.geo.location": [[1, 2], {"lat": 1, "lon": 2}],
            "host.geo.location.lat": 1,
            "host.geo.location.lon": 2,
        },
        {
            "labels": {"a": {"b": 1}},
            "labels.c": 1,
            "winlog.user_data": [{"a": [{"b": "x"}]}],
            "winlog.event_data.x": "y",
        },
        {"unmapped": {"": {" ": [deep(9)]}}, "host": {"unmapped": {"a..b": 1}}},
        {"host": None, "process": [None], "tags": [], "event": {}, "user": [{"name": None}]},
        {"process.pid": [True, "7", 7.5], "@timestamp": ["junk"], "file.size": 10**40},
    ],
)
def test_what_would_be_taken_is_kept(source: dict[str, Any]) -> None:
    """Values of the wrong kind are the mapping's to pass over, and what it does not know it does not look at."""
    assert fit(source) == (source, [])


@given(documents)
@quick
def test_fitting_fits(source: dict[str, Any]) -> None:
    """A second time nothing is left to leave out."""
    fitted, names = fit(source)
    assert repr(fit(fitted)) == repr((fitted, []))  # as text, since NaN is not equal to itself
    assert names == sorted(set(names))


def test_depth_costs_no_recursion() -> None:
    """However deep lists and objects lie."""
    assert fit({"tags": deep(1)}) == ({"tags": ["bottom"]}, [])
    assert fit({"host": deep(50_000)})[1] in ([], ["host"])
    assert fit({"labels": deep(50_000)})[1] == ["labels"]
    assert fit({"unmapped": deep(50_000)})[1] == []
