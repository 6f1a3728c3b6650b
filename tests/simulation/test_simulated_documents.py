"""The shape of simulated documents: marked, as ECS types fields, and as recorded documents of the same kind are."""

from __future__ import annotations

import gzip
import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lolbin_rules.simulation.attacks import SCENARIOS
from lolbin_rules.simulation.fleet import Arrival, Fleet
from lolbin_rules.simulation.wire import Connection, Endpoint

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
RECORDED = ("winlogbeat-otrf-empire_launcher_sct_regsvr32", "logs-endpoint.events.network-public")
LISTS = {
    *("event.category", "event.type", "tags", "related.user", "related.ip", "related.hosts", "related.hash"),
    *(
        "process.args",
        "process.parent.args",
        "dns.answers",
        "dns.resolved_ip",
        "host.ip",
        "host.mac",
        "winlog.keywords",
    ),
}
NUMBERS = {
    *("process.pid", "process.parent.pid", "process.args_count", "process.parent.args_count", "source.port"),
    *("destination.port", "source.bytes", "destination.bytes", "network.bytes", "winlog.process.pid", "event.sequence"),
    *("winlog.process.thread.id", "winlog.version"),
}
ADDRESSES = {"source.ip", "destination.ip", "host.ip", "related.ip", "dns.resolved_ip"}
OFFICE = [ipaddress.ip_network(network) for network in ("10.20.0.0/16", "192.168.0.0/16")]
EXAMPLES = [
    ipaddress.ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    """A while of the default fleet."""
    return list(Fleet().events(NOON, NOON + timedelta(minutes=8)))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field with its value; a list is a value."""
    if not isinstance(value, dict):
        yield path, value
        return
    for name, part in value.items():
        yield from leaves(part, f"{path}.{name}" if path else name)


def kind_of(source: dict[str, Any]) -> str:
    """What a document tells of, such as `sysmon 3`."""
    return f"{source['event'].get('module')} {source['event'].get('code', '')}".strip()


def recorded(folder: Path) -> Iterator[dict[str, Any]]:
    """Recorded documents of either collector."""
    for name in RECORDED:
        with gzip.open(folder / f"{name}.ndjson.gz") as lines:
            yield from map(orjson.loads, lines)


def test_every_document_says_that_it_is_simulated(arrivals: list[Arrival]) -> None:
    """By label, tag, and the name of its machine, which belongs to a domain that cannot exist."""
    for arrival in arrivals:
        source = arrival.source
        assert source["labels"]["simulated"] == "true"
        assert source["tags"] == ["simulated"]
        assert re.fullmatch(r"SIM-(WS|LT|SRV)-\d\d", source["host"]["name"])
        assert source["host"]["domain"] == "SIM.EXAMPLE"
        assert source["user"]["domain"] in {"SIM", "NT AUTHORITY"}
        assert source.get("winlog", {"computer_name": ".SIM.EXAMPLE"})["computer_name"].endswith(".SIM.EXAMPLE")


def test_attacks_say_which_they_are(arrivals: list[Arrival]) -> None:
    """The scenario is a label of every document that is part of one, and of no other."""
    found = {arrival.source["labels"].get("scenario") for arrival in arrivals}
    assert found - {None} <= set(SCENARIOS)
    assert None in found
    assert all(arrival.source["labels"].keys() <= {"simulated", "scenario"} for arrival in arrivals)


def test_no_document_names_a_real_machine(arrivals: list[Arrival]) -> None:
    """Addresses are private or set aside for documentation, names that are looked up end in `example`."""
    seen = set[str]()
    for arrival in arrivals:
        fields = dict(leaves(arrival.source))
        for name in ADDRESSES & fields.keys():
            seen.update(fields[name] if isinstance(fields[name], list) else [fields[name]])
        names = [fields.get("dns.question.name"), fields.get("destination.domain")]
        assert all(name.endswith(".example") for name in names if name)
        urls = re.findall(r"https?://([^/:\s]+)", str(fields.get("process.command_line")))
        assert all(host.endswith(".example") for host in urls)
    for text in seen:
        address = ipaddress.ip_address(text)
        assert any(address in network for network in OFFICE + EXAMPLES), text


def test_fields_have_the_types_of_ecs(arrivals: list[Arrival]) -> None:
    """Lists where ECS has arrays, numbers where it has numbers, text elsewhere, and nothing empty."""
    for arrival in arrivals:
        for name, value in leaves(arrival.source):
            expected = list if name in LISTS else int if name in NUMBERS else str
            assert type(value) is expected, (name, value)
            assert value or value == 0, name
        for name in ("@timestamp", "event.created", "event.ingested"):
            assert MOMENT.fullmatch(dict(leaves(arrival.source))[name])


def test_documents_survive_json(arrivals: list[Arrival]) -> None:
    """What is stored reads back the same; it is small."""
    sizes = [len(orjson.dumps(arrival.source)) for arrival in arrivals]
    assert all(orjson.loads(orjson.dumps(arrival.source)) == arrival.source for arrival in arrivals[:500])
    assert sum(sizes) / len(sizes) < 3000


def test_recorded_documents_of_each_kind_have_the_same_fields(arrivals: list[Arrival], recordings: Path) -> None:
    """A field that both have has one type, and what nearly every recorded document of a kind has is there."""
    kinds = {kind_of(arrival.source) for arrival in arrivals}
    simulated, real = defaultdict[str, dict[str, type]](dict), defaultdict[str, dict[str, set[type]]](dict)
    for arrival in arrivals:
        simulated[kind_of(arrival.source)] |= {name: type(value) for name, value in leaves(arrival.source)}
    counts, having = defaultdict[str, int](int), defaultdict[tuple[str, str], int](int)
    for source in recorded(recordings):
        kind = kind_of(source)
        if kind not in kinds:
            continue
        counts[kind] += 1
        for name, value in leaves(source):
            real[kind].setdefault(name, set()).add(type(value))
            having[kind, name] += 1
    assert counts.keys() == kinds
    for kind, fields in simulated.items():
        assert {name: found for name, found in fields.items() if {found} != real[kind].get(name, {found})} == {}
        needed = {name for name in real[kind] if having[kind, name] > 0.9 * counts[kind]}
        unneeded = {"agent.hostname", "labels.dataset"}
        details = {name for name in needed if name.startswith("winlog.event_data.")}
        assert needed - unneeded - details - fields.keys() == set(), kind


def test_flows_have_the_community_id_that_was_recorded_for_them(recordings: Path) -> None:
    """Computed as Winlogbeat does, for either version of IP."""
    sources = [source for source in recorded(recordings) if "community_id" in source.get("network", {})]
    assert {source["network"]["type"] for source in sources} == {"ipv4", "ipv6"}
    for source in sources:
        first, second = (Endpoint(source[end]["ip"], source[end]["port"]) for end in ("source", "destination"))
        flow = Connection(first, second, is_outbound=True, transport=source["network"]["transport"])
        assert flow.community_id == source["network"]["community_id"]


def test_recorded_connections_differ_from_simulated_ones_in_values_alone(
    arrivals: list[Arrival], recordings: Path
) -> None:
    """Category, type, action, module and provider are those that rules ask for."""

    def asked(source: dict[str, Any]) -> str:
        event = source["event"]
        return str([event.get(name) for name in ("kind", "category", "type", "module", "provider", "code", "action")])

    real = {asked(source) for source in recorded(recordings)}
    made = {asked(arrival.source): kind_of(arrival.source) for arrival in arrivals}
    assert {kind for text, kind in made.items() if text not in real} <= {"endpoint"}
    assert any(text in real for text, kind in made.items() if kind == "endpoint")


def test_a_process_is_the_same_in_all_its_events(arrivals: list[Arrival]) -> None:
    """By its entity id, Sysmon's events tell of one start, one name and pid, and of nothing after its end."""
    starts, ends = dict[str, str](), dict[str, str]()
    names = defaultdict[str, set[tuple[str, int]]](set)
    last = defaultdict[str, str](str)
    for arrival in arrivals:
        source = arrival.source
        if source["event"]["module"] != "sysmon":
            continue
        process, at = source["process"], source["@timestamp"]
        entity = process["entity_id"]
        names[entity].add((process["name"], process["pid"]))
        last[entity] = max(last[entity], at)
        if source["event"]["code"] == "1":
            assert entity not in starts
            starts[entity] = at
            assert process["parent"]["entity_id"] != entity
        if source["event"]["code"] == "5":
            assert entity not in ends
            ends[entity] = at
    assert all(len(found) == 1 for found in names.values())
    assert all(starts[entity] < at for entity, at in ends.items() if entity in starts)
    assert all(last[entity] == at for entity, at in ends.items())
    assert len(starts.keys() & ends.keys()) > 0.9 * len(starts)


def test_the_message_tells_what_the_fields_tell(arrivals: list[Arrival]) -> None:
    """Sysmon's own text holds the command line, the address, the name and the path."""
    told = {
        "1": ("process", "command_line", "CommandLine"),
        "3": ("destination", "ip", "DestinationIp"),
        "11": ("file", "path", "TargetFilename"),
    }
    for arrival in arrivals:
        source = arrival.source
        part, name, heading = told.get(source["event"].get("code"), ("", "", ""))
        if part:
            assert f"\n{heading}: {source[part][name]}\n" in source["message"] + "\n"
