"""How indices of events are mapped, and that nothing which is no conflict of shapes is refused."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.importers import Event, event_files, event_templates, read_events
from lolbin_rules.importers.winlogbeat import to_ecs
from lolbin_rules.store.port import IndexTemplate

TYPES = {
    "boolean", "constant_keyword", "date", "double", "flattened", "float", "geo_point", "ip", "keyword", "long",
    "match_only_text", "nested", "object", "scaled_float", "text", "wildcard",
}  # fmt: skip
OF_A_FULL_NODE: dict[str, dict[str, Any]] = {
    "match_only_text": {"type": "text"},
    "scaled_float": {"type": "double"},
    "wildcard": {"type": "keyword", "ignore_above": 8191},
}
"""Types that a node run from published jars does not have, and what takes the same documents there."""
LISTS = ("ecs.csv", "winlogbeat.csv", "endpoint.csv")
ODD: list[dict[str, Any]] = [
    {
        "destination": {"ip": "-", "port": "-"},
        "source": {"ip": ["10.0.0.1", "junk"], "port": 5.5},
        "process": {"pid": "x"},
    },
    {"event": {"created": "yesterday", "severity": "high", "id": 5}, "host": {"uptime": True, "ip": 5}},
    {"file": {"size": "big", "code_signature": {"valid": "maybe"}}, "event.risk_score": "a lot"},
    {"process.command_line": "x" * 40_000, "process.args": ["y" * 2000, 5, True, None], "host.geo.location": "nowhere"},
    {"data_stream": {"dataset": "a"}, "labels": {"a": "1", "b": 2, "c": True}},
    {"data_stream": {"dataset": "b"}, "winlog": {"event_data": {"a.b": "c", "N": 5}, "user_data": {"x": {"y": "z"}}}},
    {"new": {"ip": "10.0.0.1"}, "other": {"resolved_ip": "::1"}, "at": "2026-03-01T12:00:00Z", "number": "5"},
]
"""Documents that indices without `ignore_malformed` would partly refuse."""


def record(channel: str, code: int, data: dict[str, str]) -> dict[str, Any]:
    """A Windows record as its parser hands it over."""
    system = {
        "Channel": channel,
        "EventID": code,
        "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T12:00:00Z"}},
    }
    return {"Event": {"System": system, "EventData": data}}


RECORDS = [
    record("Microsoft-Windows-Sysmon/Operational", 3, {"DestinationIp": "192.0.2.7", "DestinationPort": "443"}),
    record("Microsoft-Windows-Sysmon/Operational", 22, {"QueryName": "a.b", "QueryResults": "type:  5 c.d;192.0.2.7;"}),
    record("Microsoft-Windows-Sysmon/Operational", 13, {"TargetObject": "HKLM\\x", "Details": "DWORD (0x00000001)"}),
    record("Security", 4732, {"MemberName": "CN=Eve,DC=d", "TargetUserName": "Administrators", "TargetSid": "S-1"}),
    record("Windows PowerShell", 800, {"param2": "HostName=a", "param3": "CommandInvocation(a): b"}),
]
"""One of each of Winlogbeat's modules."""


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a list of fields."""
    text = (files("lolbin_rules.importers") / "fields" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def defined(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field and sub-field of a mapping by its full name."""
    for name, field in properties.items():
        yield prefix + name, field
        for below in ("properties", "fields"):
            yield from defined(field.get(below, {}), f"{prefix}{name}.")


def fields_of(template: IndexTemplate) -> dict[str, Mapping[str, Any]]:
    """Every field of the template's mapping."""
    return dict(defined(template.body["mappings"]["properties"]))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_names_each_field_once(name: str) -> None:
    """With a type that Elasticsearch has; a sub-field comes after its field."""
    fields = [row["Field"] for row in rows(name)]
    assert len(fields) == len(set(fields))
    assert {row["Type"] for row in rows(name)} <= TYPES
    assert {row["Indexed"] for row in rows(name)} <= {"true", "false"}
    assert all(field.removesuffix(".text") in fields for field in fields if field.endswith(".text"))


def test_the_lists_do_not_contradict_each_other() -> None:
    """What ECS defines is not defined again."""
    fields = [row["Field"] for name in LISTS for row in rows(name)]
    assert len(fields) == len(set(fields))


def test_the_templates_map_what_the_lists_say() -> None:
    """Winlogbeat's without what only Elastic Defend has."""
    winlogbeat, logs = event_templates()
    assert (winlogbeat.patterns, logs.patterns) == (("winlogbeat-*",), ("logs-*",))
    for template, lists in ((winlogbeat, LISTS[:2]), (logs, LISTS)):
        mapped = {name: field.get("type", "object") for name, field in fields_of(template).items()}
        for row in (row for name in lists for row in rows(name)):
            expected = "keyword" if row["Type"] == "constant_keyword" else row["Type"]
            assert mapped.pop(row["Field"]) == expected, row
        assert set(mapped.values()) == {"object"}
    assert len(rows("ecs.csv")) > 1700


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("@timestamp", {"type": "date"}),
        ("message", {"type": "match_only_text"}),
        ("process.name", {"type": "keyword", "ignore_above": 1024}),
        ("process.name.text", {"type": "match_only_text"}),
        ("process.command_line", {"type": "wildcard"}),
        ("process.command_line.text", {"type": "match_only_text"}),
        ("process.pid", {"type": "long"}),
        ("destination.ip", {"type": "ip"}),
        ("destination.port", {"type": "long"}),
        ("related.ip", {"type": "ip"}),
        ("event.category", {"type": "keyword", "ignore_above": 1024}),
        ("event.original", {"type": "keyword", "ignore_above": 1024, "index": False, "doc_values": False}),
        ("host.cpu.usage", {"type": "scaled_float", "scaling_factor": 1000}),
        ("winlog.event_id", {"type": "keyword", "ignore_above": 1024}),
        ("winlog.event_data", {"type": "object"}),
        ("powershell.file.script_block_text", {"type": "text"}),
        ("data_stream.dataset", {"type": "keyword", "ignore_above": 1024}),
    ],
)
def test_fields_that_rules_ask_for(field: str, expected: dict[str, Any]) -> None:
    """The same in both templates."""
    for template in event_templates():
        found = fields_of(template)[field]
        assert {name: value for name, value in found.items() if name not in {"fields", "properties"}} == expected


def test_an_index_that_was_asked_for_is_mapped_as_well() -> None:
    """One that a pattern covers already needs nothing more."""
    winlogbeat, logs = event_templates(["case-42", "winlogbeat-case", "logs-x", "case-42"])
    assert winlogbeat.patterns == ("winlogbeat-*", "case-42")
    assert logs.patterns == ("logs-*",)


@pytest.mark.parametrize("template", event_templates(), ids=lambda template: template.name)
def test_the_kernel_takes_odd_documents(template: IndexTemplate) -> None:
    """What does not fit is left out of its field; what is new is typed by its name or as a keyword."""
    mapping = IndexMapping(template.body["mappings"], template.body["settings"])
    indexer = Indexer(mapping)
    for source in ODD:
        indexer.add(source)
    assert indexer.size == len(ODD)
    added = {"new.ip": "ip", "other.resolved_ip": "ip", "at": "keyword", "number": "keyword", "labels.a": "keyword",
             "winlog.event_data.a.b": "keyword", "winlog.user_data.x.y": "keyword"}  # fmt: skip
    assert {name: mapping.types(name) for name in added} == added


@pytest.mark.recordings
def test_the_kernel_takes_recorded_events(recordings: Path) -> None:
    """Every fortieth of each file."""
    templates = {template.patterns[0].removesuffix("*"): template for template in event_templates()}
    for file in event_files([recordings]):
        template = next((found for prefix, found in templates.items() if file.name.startswith(prefix)), None)
        if template is None or file.stat().st_size > 200_000:
            continue
        indexer = Indexer(IndexMapping(template.body["mappings"], template.body["settings"]))
        events = [event for event in read_events([file]) if isinstance(event, Event)][::40]
        for event in events:
            assert event.index.startswith(template.patterns[0].removesuffix("*"))
            indexer.add(event.source)
        assert indexer.size == len(events) > 10


def published(body: Any) -> Any:
    """The same for a node that has no types but the published ones."""
    if isinstance(body, list):
        return [published(item) for item in body]
    if not isinstance(body, dict):
        return body
    if isinstance(kind := body.get("type"), str):
        body = {**body, **OF_A_FULL_NODE.get(kind, {})}
        body.pop("scaling_factor", None)
    return {name: published(value) for name, value in body.items()}


def accepted(url: str, prefix: str, template: IndexTemplate) -> dict[str, str]:
    """The type of every field after a node took odd documents, and one of each of Winlogbeat's modules."""
    index = f"{prefix}{template.patterns[0].removesuffix('*')}x"
    body = {name: template.body[name] for name in ("settings", "mappings")}
    sources = [*ODD, *map(to_ecs, RECORDS)]
    with Elasticsearch(url) as client:
        client.indices.put_index_template(
            name=f"{prefix}{template.name}", index_patterns=[index], priority=500, template=body
        )
        lines: list[Mapping[str, Any]] = []
        for source in sources:
            lines += [{"create": {}}, source]
        answer = client.bulk(index=index, operations=lines, refresh=True)
        assert [item["create"].get("error") for item in answer["items"]] == [None] * len(sources)
        assert client.count(index=index, query={"term": {"source.ip": "10.0.0.1"}})["count"] == 1
        properties = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    return {name: field.get("type", "object") for name, field in defined(properties)}


@pytest.mark.parametrize("template", event_templates(), ids=lambda template: template.name)
def test_a_node_takes_the_mapping_and_odd_documents(
    elasticsearch_url: str, index_prefix: str, template: IndexTemplate
) -> None:
    """Any node: types that are not published are replaced. New fields become what the kernel makes of them."""
    mapping = IndexMapping(template.body["mappings"], template.body["settings"])
    indexer = Indexer(mapping)
    for source in [*ODD, *map(to_ecs, RECORDS)]:
        indexer.add(source)
    told = accepted(elasticsearch_url, index_prefix, replace(template, body=published(template.body)))
    known = fields_of(template)
    new = {name: kind for name, kind in told.items() if name not in known}
    assert new == {name: mapping.types(name) for name in new}
    assert {name for name, _ in defined(mapping.to_json()["properties"])} == set(told)


@pytest.mark.full_cluster
def test_a_full_cluster_takes_the_mappings_as_they_are(elasticsearch_url: str, index_prefix: str) -> None:
    """With every type that Elastic's own mappings use."""
    for template in event_templates():
        assert accepted(elasticsearch_url, index_prefix, template)["process.command_line"] == "wildcard"
