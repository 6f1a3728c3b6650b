"""What the generated events promise to the tests that are built on them."""

from __future__ import annotations

import ipaddress
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from generated_events import (
    ENDPOINT,
    GROUP_BY,
    LOGIC,
    MAPPING,
    RULE_IDS,
    RULE_KEYS,
    SLOT,
    SPOILERS,
    WINLOGBEAT_7,
    WINLOGBEAT_8,
    Event,
    GeneratedSet,
    RuleKey,
    boundaries,
    burst,
    generate,
    judge,
    regsvcs_groups,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
each_rule = pytest.mark.parametrize("rule_key", RULE_KEYS)


def destinations(event: Event) -> list[str]:
    """The destination addresses of an event, as written."""
    found = event.source.get("destination", {}).get("ip")
    return [address for address in (found if isinstance(found, list) else [found]) if address]


def name(event: Event) -> str:
    """The name of the program, as written."""
    found = event.source["process"]["name"]
    return str(found[0] if isinstance(found, list) else found)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """The dotted names of the fields of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


def mapped(properties: dict[str, Any], path: str = "") -> Iterator[str]:
    """The dotted names of the fields of a mapping."""
    for key, inner in properties.items():
        if "properties" in inner:
            yield from mapped(inner["properties"], f"{path}{key}.")
        else:
            yield f"{path}{key}"


@each_rule
def test_the_same_seed_makes_the_same_events(rule_key: RuleKey) -> None:
    """Sets of one seed are equal, sets of two seeds share no event."""
    first, again, other = (generate(rule_key, seed, NOON) for seed in (1, 1, 2))
    assert first == again
    assert not {event.id for event in first.events} & {event.id for event in other.events}
    assert [event.source for event in first.events] != [event.source for event in other.events]


@each_rule
def test_no_two_events_share_an_id(rule_key: RuleKey) -> None:
    """Ids are unique over all functions that make events, and each document carries its own."""
    sets: list[GeneratedSet] = [generate(rule_key, 1, NOON), burst(rule_key, 1, NOON), regsvcs_groups(1, NOON)]
    events = [event for each in sets for event in each.events]
    assert len({event.id for event in events}) == len(events)
    assert all(event.source["event"]["id"] == event.id for event in events)


@each_rule
def test_there_are_three_hundred_hits_of_both_families_in_mixed_case(rule_key: RuleKey) -> None:
    """Hits are many, over IPv4 and IPv6, and nearly all spell the program's name differently."""
    hits = generate(rule_key, 1, NOON).hits
    assert len([event for event in hits if event.kind == "hit"]) >= 300
    versions = Counter(ipaddress.ip_address(address).version for event in hits for address in destinations(event))
    assert versions[4] >= 100
    assert versions[6] >= 90
    assert len({name(event) for event in hits}) >= 100
    assert {name(event).casefold() for event in hits} == LOGIC[RULE_IDS[rule_key]].names


@each_rule
def test_hits_come_in_every_shape_that_the_rule_reads(rule_key: RuleKey) -> None:
    """Both Winlogbeat shapes and Elastic Defend occur, with kinds of events as single values and as lists."""
    hits = generate(rule_key, 1, NOON).hits
    expected = {WINLOGBEAT_7, WINLOGBEAT_8} | ({ENDPOINT} if rule_key != "regsvcs" else set())
    assert {event.index for event in hits} == expected
    for key in ("category", "type"):
        assert {type(event.source["event"][key]) for event in hits} == {str, list}
    codes = {type(event.source["event"]["code"]) for event in hits if "code" in event.source["event"]}
    assert codes == {int, str}


@each_rule
def test_every_spoiler_spoils(rule_key: RuleKey) -> None:
    """Each kind of near miss occurs often, and none of them is a hit."""
    events = generate(rule_key, 1, NOON).events
    for kind in SPOILERS:
        verdicts = [event.is_hit for event in events if event.kind == kind]
        assert len(verdicts) >= 10, kind
        assert not any(verdicts), kind


@each_rule
def test_every_edge_of_every_network_occurs(rule_key: RuleKey) -> None:
    """First, last and both neighbours of each excluded network are destinations, judged by arithmetic on integers."""
    logic = LOGIC[RULE_IDS[rule_key]]
    events = generate(rule_key, 1, NOON).events
    spans = [(int(parsed[0]), int(parsed[-1]), parsed.version) for parsed in map(ipaddress.ip_network, logic.networks)]
    for edge in boundaries(logic):
        is_inside = any(
            low <= int(edge.address) <= high and edge.address.version == version for low, high, version in spans
        )
        verdicts = [
            event.is_hit for event in events if event.kind.startswith(f"boundary {edge.position} {edge.network}")
        ]
        assert len(verdicts) == (2 if edge.address.version == 4 else 1)
        assert set(verdicts) == {not is_inside}, edge
        assert is_inside or edge.position in {"before", "after"}


@each_rule
def test_every_network_has_four_edges_but_the_last(rule_key: RuleKey) -> None:
    """Only the end of all addresses has no neighbour; after the last IPv4 address comes an IPv6 one."""
    logic = LOGIC[RULE_IDS[rule_key]]
    edges = boundaries(logic)
    assert len(edges) == 4 * len(logic.networks) - ("ff00::/8" in logic.networks)
    after = {str(edge.address) for edge in edges if edge.position == "after"}
    assert ("::1:0:0:0" in after) == ("240.0.0.0/4" in logic.networks)


@pytest.mark.parametrize(
    ("rule_key", "address", "is_hit"),
    [
        ("regsvr32", "8.8.8.8", True),
        ("regsvr32", "10.0.0.0", False),
        ("regsvr32", "9.255.255.255", True),
        ("regsvr32", "127.0.0.1", True),
        ("regsvr32", "169.254.169.254", False),
        ("regsvr32", "169.254.169.255", True),
        ("regsvr32", "::ffff:172.31.255.255", False),
        ("regsvr32", "::ffff:ac20:0", True),
        ("regsvr32", "::1", True),
        ("rundll32", "127.255.255.255", False),
        ("rundll32", "128.0.0.0", True),
        ("rundll32", "169.254.169.254", True),
        ("rundll32", "192.168.255.255", False),
        ("regsvcs", "100.128.0.0", True),
        ("regsvcs", "192.0.0.171", False),
        ("regsvcs", "192.0.1.255", True),
        ("regsvcs", "203.0.113.255", False),
        ("regsvcs", "255.255.255.255", False),
        ("regsvcs", "0:0:0:0:0:0:0:1", False),
        ("regsvcs", "::2", True),
        ("regsvcs", "FEBF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF", False),
        ("regsvcs", "fec0::", True),
        ("regsvcs", "fd00::1", True),
        ("regsvcs", "ff02::fb", False),
    ],
)
def test_addresses_are_judged_as_by_hand(rule_key: RuleKey, address: str, is_hit: bool) -> None:  # noqa: FBT001
    """The verdict on an address that somebody looked up agrees with what was found."""
    (event,) = burst(rule_key, 1, NOON, size=1).events
    event.source["destination"]["ip"] = address
    assert judge(LOGIC[RULE_IDS[rule_key]], event.index, event.source) is is_hit


@each_rule
def test_sources_are_blind_where_the_shipped_rules_see(rule_key: RuleKey) -> None:
    """The sources' logic misses hits for their case or type, and counts lookups or IPv6 that the shipped do not."""
    made = generate(rule_key, 1, NOON)
    shipped = {event.id: event for event in made.hits}
    source = {event.id: event for event in made.hits_of(f"source-{rule_key}")}
    extra = {event.kind for event in source.values() if event.id not in shipped}
    if rule_key == "regsvcs":
        assert shipped.keys() < source.keys()
        assert all(":" in address for key in source.keys() - shipped.keys() for address in destinations(source[key]))
    else:
        assert 20 < len(shipped.keys() & source.keys()) < len(shipped) / 2
        assert extra == {"lookup", "null destination", "empty destination"}


@each_rule
def test_times_lie_within_the_spread_and_some_are_shared(rule_key: RuleKey) -> None:
    """No event lies outside the asked span, several share one millisecond, and they do not come in order."""
    times = [event.timestamp for event in generate(rule_key, 1, NOON, spread=timedelta(minutes=2)).events]
    assert all(NOON <= at < NOON + timedelta(minutes=2) for at in times)
    assert max(Counter(times).values()) >= 10
    assert times != sorted(times)


@each_rule
def test_a_burst_shares_one_millisecond(rule_key: RuleKey) -> None:
    """All 250 events of a burst are hits at one moment; those of a grouping rule fold into 250 alerts."""
    made = burst(rule_key, 1, NOON)
    assert len(made.hits) == len(made.events) == 250
    assert {event.timestamp for event in made.events} == {NOON}
    assert len(made.folds()) == (250 if rule_key == "regsvcs" else 0)


@each_rule
def test_documents_hold_no_field_that_is_not_mapped(rule_key: RuleKey) -> None:
    """The mapping that goes with the events is complete, and every field to group by is in it."""
    known = set(mapped(MAPPING["properties"]))
    used = {leaf for event in generate(rule_key, 1, NOON).events for leaf in leaves(event.source)}
    assert used <= known
    assert set(GROUP_BY) <= known


def test_generated_hits_of_regsvcs_are_groups_of_their_own() -> None:
    """Plain hits never fold, so that as many alerts are due as there are hits."""
    made = generate("regsvcs", 1, NOON)
    assert len(made.folds()) == len(made.hits)


@pytest.mark.parametrize("spread", [SLOT, timedelta(minutes=4)])
def test_groups_have_sizes_from_one_to_fifty(spread: timedelta) -> None:
    """Each size occurs once, in documents that differ in nothing but time and id."""
    made = regsvcs_groups(1, NOON, spread=spread)
    sizes = Counter(event.group for event in made.hits)
    assert sorted(sizes.values()) == list(range(1, 51))
    assert len(made.events) == sum(range(1, 51))
    assert all(NOON - spread <= event.timestamp < NOON + spread for event in made.events)


def test_folds_are_exact() -> None:
    """Folds count each hit once, within its slot; every third group has two of them, meeting at the slot's edge."""
    made = regsvcs_groups(1, NOON)
    folds = made.folds()
    assert sum(fold.count for fold in folds) == len(made.hits)
    assert all(fold.slot <= fold.first <= fold.last < fold.slot + SLOT for fold in folds)
    assert all(fold.count == len(fold.ids) for fold in folds)
    slots = Counter(fold.group for fold in folds)
    assert Counter(slots.values()) == {1: 33, 2: 17}
    halves = [fold for fold in folds if slots[fold.group] == 2]
    assert {fold.last for fold in halves if fold.slot < NOON} == {NOON - timedelta(milliseconds=1)}
    assert {fold.first for fold in halves if fold.slot == NOON} == {NOON}


def test_some_groups_lack_a_field() -> None:
    """The user and the protocol are missing in some groups and present in others."""
    groups = {event.group for event in regsvcs_groups(1, NOON).hits if event.group is not None}
    for field in ("user.name", "user.domain", "network.protocol"):
        values = {group[GROUP_BY.index(field)] for group in groups}
        assert None in values, field
        assert len(values) > 1, field


def test_groups_start_at_the_next_slot() -> None:
    """A time within a slot is moved to the next slot's start; a slot's start stays."""
    made = regsvcs_groups(1, NOON + timedelta(minutes=1), sizes=[1])
    assert made.events[0].timestamp == NOON + SLOT
