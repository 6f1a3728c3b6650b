"""Events made from a seed, and what each of the seed rules must say of them.

Nothing here uses the package. Names and networks are written out again and a document is judged in plain Python, so
that a rule or a list that loses its content disagrees with this file. The same seed and time always make the same
events.
"""

from __future__ import annotations

import copy
import ipaddress
import string
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "ENDPOINT",
    "GROUP_BY",
    "LOGIC",
    "MAPPING",
    "RULE_IDS",
    "RULE_KEYS",
    "SLOT",
    "SPOILERS",
    "WINLOGBEAT_7",
    "WINLOGBEAT_8",
    "Boundary",
    "Event",
    "Fold",
    "GeneratedSet",
    "Logic",
    "RuleKey",
    "boundaries",
    "burst",
    "fold_key",
    "generate",
    "judge",
    "regsvcs_groups",
]

RuleKey: TypeAlias = Literal["regsvr32", "rundll32", "regsvcs"]
Source: TypeAlias = dict[str, Any]
Group: TypeAlias = tuple[str | int | None, ...]
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

RULE_KEYS: tuple[RuleKey, ...] = ("regsvr32", "rundll32", "regsvcs")
RULE_IDS: dict[RuleKey, str] = {
    "regsvr32": "network-connection-via-regsvr32",
    "rundll32": "unusual-network-connection-via-rundll32",
    "regsvcs": "network-connection-via-regsvcs",
}

WINLOGBEAT_7 = "winlogbeat-7.12.1-2026.11"
WINLOGBEAT_8 = "winlogbeat-8.6.2-2026.11"
ENDPOINT = "logs-endpoint.events.network-default"

MILLISECOND = timedelta(milliseconds=1)
SLOT = timedelta(hours=1)
GROUP_BY = (
    "host.name",
    "user.domain",
    "user.name",
    "process.name",
    "process.executable",
    "process.entity_id",
    "process.pid",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "network.direction",
    "network.transport",
    "network.protocol",
)

REGSVR32_NETWORKS = ("10.0.0.0/8", "169.254.169.254/32", "172.16.0.0/12", "192.168.0.0/16")
RUNDLL32_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")
REGSVCS_IPV4_NETWORKS = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
REGSVCS_IPV6_NETWORKS = ("::1/128", "fe80::/10", "ff00::/8")

BOTH_SOURCES = ("winlogbeat-*", "logs-endpoint.events.*")
WINLOGBEAT_ONLY = ("winlogbeat-*",)


@dataclass(frozen=True, slots=True)
class Logic:
    """What one rule asks of an event, told apart from how the package writes rules.

    Attributes:
        names: the programs, in lower case.
        networks: where no destination may lie.
        indices: the patterns of the indices that the rule reads.
        types: one of these must be an `event.type`; empty: a record of Sysmon's event 3 is asked for instead.
        any_case: names are compared without the case of their ASCII letters.
        needs_destination: an event without a destination address is none.
    """

    names: frozenset[str]
    networks: tuple[str, ...]
    indices: tuple[str, ...]
    types: frozenset[str] = frozenset()
    any_case: bool = True
    needs_destination: bool = True


REGSVR32 = Logic(
    names=frozenset({"regsvr32.exe", "regsvr64.exe"}),
    networks=REGSVR32_NETWORKS,
    indices=BOTH_SOURCES,
    types=frozenset({"connection", "start"}),
)
RUNDLL32 = replace(REGSVR32, names=frozenset({"rundll32.exe"}), networks=RUNDLL32_NETWORKS)
REGSVCS = Logic(
    names=frozenset({"regsvcs.exe"}),
    networks=REGSVCS_IPV4_NETWORKS + REGSVCS_IPV6_NETWORKS,
    indices=WINLOGBEAT_ONLY,
)
AS_ELASTIC = {"types": frozenset({"connection"}), "any_case": False, "needs_destination": False}
LOGIC: dict[str, Logic] = {
    RULE_IDS["regsvr32"]: REGSVR32,
    RULE_IDS["rundll32"]: RUNDLL32,
    RULE_IDS["regsvcs"]: REGSVCS,
    "source-regsvr32": replace(REGSVR32, **AS_ELASTIC),  # type: ignore[arg-type]
    "source-rundll32": replace(RUNDLL32, **AS_ELASTIC),  # type: ignore[arg-type]
    "source-regsvcs": replace(REGSVCS, networks=REGSVCS_IPV4_NETWORKS),
}

KEYWORD = {"type": "keyword"}
IP = {"type": "ip"}
LONG = {"type": "long"}
DATE = {"type": "date"}
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "@timestamp": DATE,
        "agent": {"properties": {"id": KEYWORD, "type": KEYWORD, "version": KEYWORD}},
        "data_stream": {"properties": {"dataset": KEYWORD, "namespace": KEYWORD, "type": KEYWORD}},
        "destination": {"properties": {"address": KEYWORD, "ip": IP, "port": LONG}},
        "dns": {"properties": {"question": {"properties": {"name": KEYWORD}}, "resolved_ip": IP}},
        "ecs": {"properties": {"version": KEYWORD}},
        "event": {
            "properties": {
                "action": KEYWORD,
                "category": KEYWORD,
                "code": KEYWORD,
                "created": DATE,
                "dataset": KEYWORD,
                "id": KEYWORD,
                "kind": KEYWORD,
                "module": KEYWORD,
                "provider": KEYWORD,
                "type": KEYWORD,
            }
        },
        "host": {"properties": {"name": KEYWORD, "os": {"properties": {"type": KEYWORD}}}},
        "network": {"properties": {"direction": KEYWORD, "protocol": KEYWORD, "transport": KEYWORD, "type": KEYWORD}},
        "process": {"properties": {"entity_id": KEYWORD, "executable": KEYWORD, "name": KEYWORD, "pid": LONG}},
        "source": {"properties": {"address": KEYWORD, "ip": IP, "port": LONG}},
        "user": {"properties": {"domain": KEYWORD, "id": KEYWORD, "name": KEYWORD}},
        "winlog": {"properties": {"channel": KEYWORD, "event_id": KEYWORD, "provider_name": KEYWORD}},
    },
}


@dataclass(frozen=True, slots=True)
class Event:
    """One document for an index, and whether its seed rule must alert on it.

    Attributes:
        kind: what the event is there for: `hit`, `boundary ...`, or the name of what spoils it.
        group: of a hit of a grouping rule, its values of `GROUP_BY`, None where the field is missing.
    """

    index: str
    id: str
    source: Source
    is_hit: bool
    group: Group | None
    kind: str

    @property
    def timestamp(self) -> datetime:
        """The time of the event."""
        return datetime.fromisoformat(self.source["@timestamp"])


@dataclass(frozen=True, slots=True)
class Fold:
    """The one alert that must stand for all hits of a group within a slot."""

    group: Group
    slot: datetime
    count: int
    first: datetime
    last: datetime
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class GeneratedSet:
    """Events for one seed rule, in an order that is not that of their times."""

    rule_key: RuleKey
    events: tuple[Event, ...]

    @property
    def rule_id(self) -> str:
        """The id of the shipped rule."""
        return RULE_IDS[self.rule_key]

    @property
    def hits(self) -> tuple[Event, ...]:
        """The events on which the shipped rule must alert."""
        return tuple(event for event in self.events if event.is_hit)

    def hits_of(self, rule_id: str) -> tuple[Event, ...]:
        """The events on which another rule of `LOGIC` must alert, such as `source-regsvr32`."""
        return tuple(event for event in self.events if judge(LOGIC[rule_id], event.index, event.source))

    def by_index(self) -> dict[str, tuple[Event, ...]]:
        """The events to be written to each index."""
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            found[event.index].append(event)
        return {index: tuple(events) for index, events in sorted(found.items())}

    def folds(self, slot: timedelta = SLOT) -> tuple[Fold, ...]:
        """What suppression must make of the hits: one alert per group and slot, in order of slot and first time."""
        members: defaultdict[tuple[datetime, Group], list[Event]] = defaultdict(list)
        for event in self.hits:
            if event.group is not None:
                members[_slot_start(event.timestamp, slot), event.group].append(event)
        folds = (_fold(start, group, events) for (start, group), events in members.items())
        return tuple(sorted(folds, key=lambda fold: (fold.slot, fold.first, min(fold.ids))))


def _fold(slot: datetime, group: Group, events: list[Event]) -> Fold:
    times = [event.timestamp for event in events]
    return Fold(
        group=group,
        slot=slot,
        count=len(events),
        first=min(times),
        last=max(times),
        ids=frozenset(event.id for event in events),
    )


def _slot_start(at: datetime, slot: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // slot * slot


# --- What a rule must say of a document ------------------------------------------------------------------------------

ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def judge(logic: Logic, index: str, source: Source) -> bool:
    """Whether a rule with this logic must alert on this document."""
    return (
        any(fnmatchcase(index, pattern) for pattern in logic.indices)
        and _is_asked_kind(logic, source["event"])
        and _has_asked_name(logic, source.get("process", {}))
        and _has_asked_destination(logic, source.get("destination", {}))
    )


def _is_asked_kind(logic: Logic, event: Source) -> bool:
    if not logic.types:
        return "sysmon" in _many(event.get("module")) and "3" in [str(code) for code in _many(event.get("code"))]
    return "network" in _many(event.get("category")) and not logic.types.isdisjoint(_many(event.get("type")))


def _has_asked_name(logic: Logic, process: Source) -> bool:
    names = _many(process.get("name"))
    return any((name.translate(ASCII_LOWER) if logic.any_case else name) in logic.names for name in names)


def _has_asked_destination(logic: Logic, destination: Source) -> bool:
    addresses = _many(destination.get("ip"))
    if logic.needs_destination and not addresses:
        return False
    return not any(_is_excluded(logic, ipaddress.ip_address(address)) for address in addresses)


def _is_excluded(logic: Logic, address: Address) -> bool:
    """Elasticsearch stores an IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) as what it is: IPv4."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in _network(network) for network in logic.networks)


@cache
def _network(text: str) -> Network:
    return ipaddress.ip_network(text)


def _many(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if each is not None]


# --- Addresses -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Boundary:
    """An address at the edge of an excluded network: its first or last, or the neighbour before or after it."""

    network: str
    position: Literal["first", "last", "before", "after"]
    address: Address


def boundaries(logic: Logic) -> tuple[Boundary, ...]:
    """The four edges of every excluded network.

    As Elasticsearch stores both families in one order of 128 bits, the neighbour after the last IPv4 address is an IPv6
    address; only the very last address of all has none.
    """
    return tuple(edge for network in logic.networks for edge in _edges(network))


def _edges(network: str) -> Iterator[Boundary]:
    parsed = _network(network)
    first, last = parsed[0], parsed[-1]
    yield Boundary(network, "first", first)
    yield Boundary(network, "last", last)
    yield Boundary(network, "before", _moved(first, -1))
    if int(_as_ipv6(last)) + 1 < 1 << 128:
        yield Boundary(network, "after", _moved(last, 1))


def _moved(address: Address, step: int) -> Address:
    moved = ipaddress.IPv6Address(int(_as_ipv6(address)) + step)
    return moved.ipv4_mapped or moved


def _as_ipv6(address: Address) -> ipaddress.IPv6Address:
    return address if address.version == 6 else ipaddress.IPv6Address((0xFFFF << 32) + int(address))


def _spelled(random: Random, address: Address) -> str:
    """One of the ways in which collectors write an address; Sysmon writes IPv6 with its zeros."""
    if address.version == 4:
        return str(address)
    groups = [f"{int(group, 16):x}" for group in address.exploded.split(":")]
    return random.choice([str(address), address.exploded, ":".join(groups), str(address).upper()])


def _spelled_as_ipv6(random: Random, address: Address) -> str:
    """An IPv4 address in the two spellings that IPv6 has for it: `::ffff:10.0.0.1` and `::ffff:a00:1`."""
    high, low = divmod(int(address), 1 << 16)
    return random.choice([f"::ffff:{address}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:FFFF:{high:X}:{low:X}"])


def _public_ipv4(random: Random, logic: Logic) -> Address:
    while _is_excluded(logic, address := ipaddress.IPv4Address(random.getrandbits(32))):
        pass
    return address


def _public_ipv6(random: Random, logic: Logic) -> Address:
    """Mostly of the blocks in use (2000::/3), sometimes unique local, which no list of the seed rules leaves out."""
    block = random.choice([0x2001, 0x2600, 0x2A00, 0x2606, 0x3FFE, 0xFC00, 0xFD12])
    address = ipaddress.IPv6Address((block << 112) + random.getrandbits(112))
    return address if not _is_excluded(logic, address) else _public_ipv6(random, logic)


def _excluded(random: Random, logic: Logic) -> Address:
    parsed = _network(random.choice(logic.networks))
    return parsed[random.randrange(parsed.num_addresses)]


# --- Documents -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connection:
    """What happened, before a collector writes it down in its own shape."""

    host: str
    user: str | None
    name: str
    folder: str
    entity_id: str
    pid: int
    source_ip: str
    source_port: int
    destination_ip: str | list[str]
    destination_port: int
    transport: str
    direction: str
    protocol: str | None


def _connection(random: Random, logic: Logic, destination: str | list[str]) -> Connection:
    return Connection(
        host=f"WS-{random.randrange(1, 400):03d}",
        user=random.choice(["j.barber", "r.moss", "d.reynholm", "m.trenneman"]),
        name=_in_any_case(random, random.choice(sorted(logic.names))),
        folder=random.choice(["C:\\Windows\\System32", "C:\\Windows\\SysWOW64", "C:\\Users\\Public"]),
        entity_id=f"{{{random.getrandbits(128):032x}}}",
        pid=random.randrange(4, 1 << 16, 4),
        source_ip=f"10.20.{random.randrange(256)}.{random.randrange(1, 255)}",
        source_port=random.randrange(49152, 65536),
        destination_ip=destination,
        destination_port=random.choice([25, 80, 443, 587, 8080, 8443]),
        transport=random.choice(["tcp", "tcp", "tcp", "udp"]),
        direction=random.choice(["egress", "egress", "ingress"]),
        protocol=random.choice([None, None, "https"]),
    )


def _in_any_case(random: Random, name: str) -> str:
    """Every fourth name as rules write it, every eighth in capitals, the rest with each letter in a case of its own."""
    match random.randrange(8):
        case 0 | 1:
            return name.lower()
        case 2:
            return name.upper()
    return "".join(random.choice([letter.lower(), letter.upper()]) for letter in name)


def _common(connection: Connection, event: Source, agent: Source) -> Source:
    first = connection.destination_ip if isinstance(connection.destination_ip, str) else connection.destination_ip[0]
    source: Source = {
        "@timestamp": "",
        "agent": agent,
        "ecs": {"version": "1.12.0"},
        "event": {"kind": "event", **event},
        "host": {"name": connection.host, "os": {"type": "windows"}},
        "process": {
            "entity_id": connection.entity_id,
            "executable": f"{connection.folder}\\{connection.name}",
            "name": connection.name,
            "pid": connection.pid,
        },
        "source": {"ip": connection.source_ip, "port": connection.source_port},
        "destination": {"ip": connection.destination_ip, "port": connection.destination_port},
        "network": {
            "direction": connection.direction,
            "transport": connection.transport,
            "type": "ipv6" if ":" in first else "ipv4",
        },
    }
    if connection.user is not None:
        source["user"] = {"domain": "EXAMPLE", "id": "S-1-5-18", "name": connection.user}
    if connection.protocol is not None:
        source["network"]["protocol"] = connection.protocol
    return source


def _winlogbeat_7(connection: Connection) -> Source:
    return _winlogbeat(connection, code=3, version="7.12.1", types=["connection", "start", "protocol"])


def _winlogbeat_8(connection: Connection) -> Source:
    return _winlogbeat(connection, code="3", version="8.6.2", types=["start", "connection", "protocol"])


def _winlogbeat(connection: Connection, *, code: int | str, version: str, types: list[str]) -> Source:
    event = {
        "action": "Network connection detected (rule: NetworkConnect)",
        "category": ["network"],
        "code": code,
        "module": "sysmon",
        "provider": "Microsoft-Windows-Sysmon",
        "type": types,
    }
    source = _common(connection, event, {"type": "winlogbeat", "version": version})
    source["winlog"] = {
        "channel": "Microsoft-Windows-Sysmon/Operational",
        "event_id": code,
        "provider_name": "Microsoft-Windows-Sysmon",
    }
    return source


def _endpoint(connection: Connection) -> Source:
    event = {
        "action": "connection_attempted" if connection.direction == "egress" else "connection_accepted",
        "category": ["network"],
        "dataset": "endpoint.events.network",
        "module": "endpoint",
        "type": ["start"],
    }
    source = _common(connection, event, {"type": "endpoint", "version": "8.6.2"})
    source["data_stream"] = {"dataset": "endpoint.events.network", "namespace": "default", "type": "logs"}
    source["source"]["address"] = connection.source_ip
    source["destination"]["address"] = connection.destination_ip
    return source


SHAPES: dict[str, Callable[[Connection], Source]] = {
    WINLOGBEAT_7: _winlogbeat_7,
    WINLOGBEAT_8: _winlogbeat_8,
    ENDPOINT: _endpoint,
}


def _indices(logic: Logic) -> list[str]:
    return [index for index in SHAPES if any(fnmatchcase(index, pattern) for pattern in logic.indices)]


def _vary(random: Random, source: Source) -> None:
    """Write the same facts as other collectors would: one value bare or in a list, another value beside it."""
    event = source["event"]
    match random.randrange(4):
        case 0:
            event["category"] = "network"
        case 1:
            event["category"] = ["process", "network"]
    match random.randrange(4):
        case 0:
            event["type"] = "start"
        case 1 if event["module"] == "sysmon":
            event["type"] = random.choice(["connection", ["connection"], ["protocol", "connection"]])
    if random.randrange(8) == 0:
        source["process"]["name"] = [source["process"]["name"]]
        source["destination"]["ip"] = [source["destination"]["ip"]]


# --- What spoils a hit -----------------------------------------------------------------------------------------------


def _other_program(random: Random, source: Source, _logic: Logic) -> None:
    others = ["svchost.exe", "regasm.exe", "RegAsm.exe", "msiexec.exe", "chrome.exe", "EXCEL.EXE", "<unknown process>"]
    source["process"]["name"] = random.choice(others)


def _similar_name(random: Random, source: Source, logic: Logic) -> None:
    name = random.choice(sorted(logic.names))
    similar = [f"{name}.exe", f"x{name}", f"{name} ", name.removesuffix(".exe"), name.replace("32", "23"), f"{name}*"]
    source["process"]["name"] = random.choice([each for each in similar if each != name])


def _name_beyond_ascii(random: Random, source: Source, logic: Logic) -> None:
    """Letters that some case foldings, but not that of Elasticsearch, take for ASCII ones."""
    name = random.choice(sorted(logic.names))
    source["process"]["name"] = name.replace("s", "\N{LATIN SMALL LETTER LONG S}").replace(
        "d", "\N{FULLWIDTH LATIN SMALL LETTER D}"
    )


def _no_name(_random: Random, source: Source, _logic: Logic) -> None:
    del source["process"]["name"]


def _lookup(random: Random, source: Source, logic: Logic) -> None:
    answer = _spelled(random, _public_ipv4(random, logic))
    for absent in ("source", "destination"):
        source.pop(absent)
    source["network"] = {"protocol": "dns"}
    source["dns"] = {"question": {"name": "cdn.example.com"}, "resolved_ip": [answer]}
    if source["event"]["module"] == "endpoint":
        source["event"] |= {"action": "lookup_result", "type": ["protocol", "info"]}
    else:
        code = "22" if source["event"]["code"] == "3" else 22
        source["event"] |= {
            "action": "Dns query (rule: DnsQuery)",
            "code": code,
            "type": ["connection", "protocol", "info"],
        }
        source["winlog"]["event_id"] = code


def _null_destination(_random: Random, source: Source, _logic: Logic) -> None:
    source["destination"] = {"ip": None, "port": 443}


def _empty_destination(_random: Random, source: Source, _logic: Logic) -> None:
    source["destination"] = {"ip": [], "port": 443}


def _public_and_excluded(random: Random, source: Source, logic: Logic) -> None:
    both = [_spelled(random, _public_ipv4(random, logic)), _spelled(random, _excluded(random, logic))]
    random.shuffle(both)
    source["destination"] = {"ip": both, "port": 443}


def _excluded_destination(random: Random, source: Source, logic: Logic) -> None:
    source["destination"] = {"ip": _spelled(random, _excluded(random, logic)), "port": 443}


def _excluded_as_ipv6(random: Random, source: Source, logic: Logic) -> None:
    while (address := _excluded(random, logic)).version != 4:
        pass
    source["destination"] = {"ip": _spelled_as_ipv6(random, address), "port": 443}


def _end(_random: Random, source: Source, _logic: Logic) -> None:
    """The end of a connection as Elastic Defend reports it, or the end of the process by Sysmon."""
    source["event"]["type"] = ["end"]
    if "code" in source["event"]:
        source["event"] |= {"category": ["process"], "code": 5}


def _start_of_process(_random: Random, source: Source, _logic: Logic) -> None:
    source["event"] |= {"category": ["process"], "type": ["start"]}
    if "code" in source["event"]:
        source["event"]["code"] = "1"


def _other_log(random: Random, source: Source, _logic: Logic) -> None:
    """A record of another log that happens to have the number 3, or a number that only begins alike."""
    event = source["event"]
    event |= {"category": ["configuration"], "type": ["info"]}
    if random.randrange(2):
        event |= {"code": "3", "module": "security", "provider": "Microsoft-Windows-Security-Auditing"}
    else:
        event |= {"code": random.choice([13, 30, "33", "255"]), "module": "sysmon"}


SPOILERS: dict[str, Callable[[Random, Source, Logic], None]] = {
    "other program": _other_program,
    "similar name": _similar_name,
    "name beyond ASCII": _name_beyond_ascii,
    "no name": _no_name,
    "lookup": _lookup,
    "null destination": _null_destination,
    "empty destination": _empty_destination,
    "public and excluded destination": _public_and_excluded,
    "excluded destination": _excluded_destination,
    "excluded destination as IPv6": _excluded_as_ipv6,
    "end": _end,
    "start of the process": _start_of_process,
    "other log": _other_log,
}


# --- Sets of events --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Maker:
    """Turns documents into events: gives each an id, a time and its judgement."""

    rule_key: RuleKey
    prefix: str
    random: Random
    count: int = 0

    @property
    def logic(self) -> Logic:
        return LOGIC[RULE_IDS[self.rule_key]]

    def event(self, kind: str, index: str, source: Source, at: datetime) -> Event:
        self.count += 1
        event_id = f"{self.prefix}-{self.count:05d}"
        source = copy.deepcopy(source)
        source["@timestamp"] = _written(at)
        source["event"] |= {
            "id": event_id,
            "created": _written(at + timedelta(milliseconds=self.random.randrange(5000))),
        }
        is_hit = judge(self.logic, index, source)
        group = fold_key(source) if is_hit and self.rule_key == "regsvcs" else None
        return Event(index=index, id=event_id, source=source, is_hit=is_hit, group=group, kind=kind)

    def hit(self, number: int) -> tuple[str, Source]:
        """A document that the rule must alert on, every third one over IPv6, in one of the shapes that it reads."""
        make = _public_ipv6 if number % 3 == 2 else _public_ipv4
        destination = _spelled(self.random, make(self.random, self.logic))
        return self.document(destination)

    def document(self, destination: str | list[str]) -> tuple[str, Source]:
        index = self.random.choice(_indices(self.logic))
        return index, SHAPES[index](_connection(self.random, self.logic, destination))


def _maker(rule_key: RuleKey, seed: int, purpose: str) -> _Maker:
    prefix = f"{rule_key}-{purpose}-{seed}"
    return _Maker(rule_key=rule_key, prefix=prefix, random=Random(prefix))


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fold_key(source: Source) -> Group:
    """The values by which regsvcs groups a document, None where the field is missing."""
    return tuple(_value(source, field) for field in GROUP_BY)


def _value(source: Source, field: str) -> str | int | None:
    value: Any = source
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    values = _many(value)
    return values[0] if values else None


def generate(
    rule_key: RuleKey,
    seed: int,
    base_time: datetime,
    *,
    spread: timedelta = timedelta(minutes=4),
    hits: int = 300,
    near_misses: int = 15,
) -> GeneratedSet:
    """Hits, edges of every excluded network and near misses of each kind, within `spread` after `base_time`.

    Args:
        rule_key: the seed rule.
        seed: other seeds make other events with other ids.
        base_time: aware; the earliest possible time of an event.
        spread: events lie before `base_time + spread`; every fifth shares its millisecond with others.
        hits: how many plain hits; the neighbours of the excluded networks come on top.
        near_misses: how many of each kind in `SPOILERS`.
    """
    maker = _maker(rule_key, seed, "event")
    times = _times(maker.random, base_time, spread)
    kinds = (
        _plain_hits(maker, hits),
        _at_the_edges(maker),
        _spoiled(maker, near_misses),
        _elsewhere(maker, near_misses),
    )
    events = [maker.event(kind, index, source, next(times)) for each in kinds for kind, index, source in each]
    maker.random.shuffle(events)
    return GeneratedSet(rule_key, tuple(events))


def _times(random: Random, base_time: datetime, spread: timedelta) -> Iterator[datetime]:
    length = max(1, spread // MILLISECOND)
    shared = [random.randrange(length) for _ in range(5)]
    number = 0
    while True:
        number += 1
        offset = random.choice(shared) if number % 5 == 0 else random.randrange(length)
        yield base_time + offset * MILLISECOND


def _plain_hits(maker: _Maker, count: int) -> Iterator[tuple[str, str, Source]]:
    for number in range(count):
        index, source = maker.hit(number)
        _vary(maker.random, source)
        yield "hit", index, source


def _at_the_edges(maker: _Maker) -> Iterator[tuple[str, str, Source]]:
    """Every edge as it is; those of IPv4 also written as IPv6."""
    for edge in boundaries(maker.logic):
        kind = f"boundary {edge.position} {edge.network}"
        yield kind, *maker.document(_spelled(maker.random, edge.address))
        if edge.address.version == 4:
            yield f"{kind} as IPv6", *maker.document(_spelled_as_ipv6(maker.random, edge.address))


def _spoiled(maker: _Maker, count: int) -> Iterator[tuple[str, str, Source]]:
    for kind, spoil in SPOILERS.items():
        for number in range(count):
            index, source = maker.hit(number)
            spoil(maker.random, source, maker.logic)
            yield kind, index, source


def _elsewhere(maker: _Maker, count: int) -> Iterator[tuple[str, str, Source]]:
    """Documents that fit but for their index, where the rule does not read all; else with two public addresses."""
    unread = [index for index in SHAPES if index not in _indices(maker.logic)]
    for _ in range(count):
        one, other = (_spelled(maker.random, _public_ipv4(maker.random, maker.logic)) for _ in range(2))
        if unread:
            source = _winlogbeat_8(_connection(maker.random, maker.logic, one))
            yield "index that is not read", maker.random.choice(unread), source
        else:
            yield "two public destinations", *maker.document([one, other])


def burst(rule_key: RuleKey, seed: int, at: datetime, *, size: int = 250) -> GeneratedSet:
    """Hits that all share one millisecond; those of a grouping rule each form a group of their own."""
    maker = _maker(rule_key, seed, "burst")
    documents = [maker.hit(number) for number in range(size)]
    return GeneratedSet(rule_key, tuple(maker.event("hit", index, source, at) for index, source in documents))


def regsvcs_groups(
    seed: int,
    base_time: datetime,
    *,
    sizes: Iterable[int] = range(1, 51),
    spread: timedelta = SLOT,
) -> GeneratedSet:
    """Groups of hits of regsvcs, around the first start of a slot at or after `base_time`.

    By turns a group lies within one slot, across two slots (with events in the last millisecond of the one and the
    first of the other), or within one millisecond. Some lack `network.protocol` or the user.

    Args:
        seed: other seeds make other events with other ids.
        base_time: aware.
        sizes: how many events each group has.
        spread: how far from the start of the slot events may lie, at most one slot.
    """
    maker = _maker("regsvcs", seed, "group")
    boundary = _slot_start(base_time + SLOT - timedelta(microseconds=1), SLOT)
    events: list[Event] = []
    for number, size in enumerate(sizes):
        index, source = _group_member(maker, number)
        times = _group_times(maker.random, number, size, boundary, spread)
        events += [maker.event("hit", index, source, at) for at in times]
    maker.random.shuffle(events)
    return GeneratedSet("regsvcs", tuple(events))


def _group_member(maker: _Maker, number: int) -> tuple[str, Source]:
    index, source = maker.hit(number)
    if number % 5 == 4:
        source.pop("user")
    return index, source


def _group_times(random: Random, number: int, size: int, boundary: datetime, spread: timedelta) -> list[datetime]:
    length = spread // MILLISECOND
    match number % 3:
        case 0:
            offsets = [0, length - 1, *(random.randrange(length) for _ in range(size))]
        case 1:
            offsets = [-1, 0, *(random.randrange(-length, length) for _ in range(size))]
        case _:
            offsets = [random.randrange(length)] * size
    return [boundary + offset * MILLISECOND for offset in offsets[:size]]
