"""The simulated fleet from outside: what arrives when, the same however time is cut, with an alert due at any time."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated_events import LOGIC, RULE_IDS, judge
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.importers.event_templates import event_templates
from lolbin_rules.query.match import compile_match
from lolbin_rules.rule.load import load
from lolbin_rules.shipped import shipped_rules
from lolbin_rules.simulation import fleet as fleet_module
from lolbin_rules.simulation.attacks import LOUD_SCENARIOS, planned_attack
from lolbin_rules.simulation.defend import INDEX as ENDPOINT_INDEX
from lolbin_rules.simulation.delays import delivery
from lolbin_rules.simulation.fleet import Arrival, Fleet
from lolbin_rules.simulation.hosts import Host, fleet_hosts
from lolbin_rules.simulation.moments import milliseconds, moment
from lolbin_rules.simulation.stage import WINLOGBEAT_INDEX
from lolbin_rules.store.port import FieldTypes

MICROSECOND = timedelta(microseconds=1)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MORNING = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
STRETCH = 60 * MINUTE
LATE, EIGHT = 10 * MINUTE, 8 * MINUTE


class Size(NamedTuple):
    """What a fleet is made of."""

    seed: int
    hosts: int


SMALL = Size(3, 4)  # with a laptop, a server, and one that Defend watches
quick = settings(max_examples=10, deadline=None)


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    """What the default fleet delivers on a morning."""
    return list(Fleet().events(MORNING, MORNING + STRETCH))


@pytest.fixture(scope="module")
def alerting(arrivals: list[Arrival]) -> list[Arrival]:
    """What of it a shipped rule must alert on, by a predicate that shares nothing with the package."""
    return [arrival for arrival in arrivals if is_alerting(arrival)]


def is_alerting(arrival: Arrival) -> bool:
    """Whether one of the shipped rules matches."""
    return any(judge(LOGIC[rule_id], arrival.index, arrival.source) for rule_id in RULE_IDS.values())


def happened(arrival: Arrival) -> datetime:
    """Its `@timestamp`."""
    return datetime.fromisoformat(arrival.source["@timestamp"])


def lateness(arrival: Arrival) -> timedelta:
    """How long after it happened it arrived."""
    return arrival.at - happened(arrival)


def plain(events: Iterator[Arrival] | list[Arrival]) -> list[tuple[object, ...]]:
    """Everything about them, as text, so that they can be compared quickly and seen."""
    return [(arrival.at, arrival.index, arrival.id, repr(arrival.source)) for arrival in events]


@pytest.fixture(scope="module")
def backlog() -> tuple[datetime, list[tuple[object, ...]]]:
    """Eight minutes of a small fleet in whose midst a laptop comes back, and when they begin."""
    laptop = fleet_hosts(SMALL.seed, SMALL.hosts)[1]
    hours = range(milliseconds(MORNING), milliseconds(MORNING + 48 * HOUR), 3_600_000)
    returns = [held.end for hour in hours for held in delivery(SMALL.seed, laptop, hour).interruptions if held.is_away]
    start = moment(returns[0]) - 4 * MINUTE
    found = plain(Fleet(*SMALL).events(start, start + EIGHT))
    assert len(found) > 200
    return start, found


@given(cuts=st.lists(st.integers(0, EIGHT // MICROSECOND), max_size=12), is_restarted=st.booleans())
@quick
def test_however_time_is_cut_the_same_arrives(
    backlog: tuple[datetime, list[tuple[object, ...]]], cuts: list[int], *, is_restarted: bool
) -> None:
    """Pieces of any length, asked for in turn of one fleet or of a new one each, make the whole."""
    start, whole = backlog
    bounds = [start, *(start + cut * MICROSECOND for cut in sorted(cuts)), start + EIGHT]
    fleet = Fleet(*SMALL)
    pieces: list[tuple[object, ...]] = []
    for earlier, later in pairwise(bounds):
        pieces += plain((Fleet(*SMALL) if is_restarted else fleet).events(earlier, later))
    assert pieces == whole


def test_it_goes_on_second_by_second_where_it_stopped() -> None:
    """As a live feed asks: small steps, then a restart in between, then the past once more."""
    end = MORNING + 3 * MINUTE
    whole = plain(Fleet().events(MORNING, end))
    fleet = Fleet()
    steps = [plain(fleet.events(MORNING + second * SECOND, MORNING + (second + 1) * SECOND)) for second in range(100)]
    later = Fleet()
    rest = plain(later.events(MORNING + 100 * SECOND, end))
    assert [one for step in steps for one in step] + rest == whole
    assert plain(later.events(MORNING, end)) == whole


def test_what_arrives_at_a_bound_belongs_to_the_later_piece() -> None:
    """Spans are half open, to the microsecond."""
    whole = list(Fleet(*SMALL).events(MORNING, MORNING + MINUTE))
    bound = whole[len(whole) // 2].at
    expected = plain([arrival for arrival in whole if arrival.at == bound])
    assert expected
    assert plain(Fleet(*SMALL).events(bound, bound + MICROSECOND)) == expected
    before = plain(Fleet(*SMALL).events(MORNING, bound))
    after = plain(Fleet(*SMALL).events(bound, MORNING + MINUTE))
    assert before + after == plain(whole)


def test_moments_of_other_time_zones_are_the_same_moments() -> None:
    """What counts is the moment, not how it is written; arrivals are in UTC."""
    zone = timezone(timedelta(hours=5, minutes=30))
    found = plain(Fleet().events(MORNING.astimezone(zone), (MORNING + MINUTE).astimezone(zone)))
    assert found == plain(Fleet().events(MORNING, MORNING + MINUTE))
    assert {arrival.at.tzinfo for arrival in Fleet().events(MORNING, MORNING + MINUTE)} == {UTC}


def test_a_span_without_length_is_empty_and_a_moment_without_zone_is_refused() -> None:
    """The bounds are checked before anything is made."""
    assert list(Fleet().events(MORNING, MORNING)) == []
    assert list(Fleet().events(MORNING, MORNING - HOUR)) == []
    with pytest.raises(ValueError, match="no time zone"):
        Fleet().events(MORNING.replace(tzinfo=None), MORNING)


def test_another_seed_is_another_fleet() -> None:
    """Nothing of two seeds is the same."""
    first, second = ({arrival.id for arrival in Fleet(seed).events(MORNING, MORNING + MINUTE)} for seed in (1, 2))
    assert first
    assert second
    assert first.isdisjoint(second)


def test_arrivals_are_in_order_and_have_ids_of_their_own(arrivals: list[Arrival]) -> None:
    """Nothing is delivered twice; `event.id` says which it is."""
    assert all(MORNING <= arrival.at < MORNING + STRETCH for arrival in arrivals)
    assert [arrival.at for arrival in arrivals] == sorted(arrival.at for arrival in arrivals)
    assert len({arrival.id for arrival in arrivals}) == len(arrivals)
    assert all(arrival.source["event"]["id"] == arrival.id for arrival in arrivals)


def test_documents_are_the_callers_own() -> None:
    """Changing one changes no other and nothing that is to come."""
    fleet, untouched = Fleet(), plain(Fleet().events(MORNING, MORNING + 2 * MINUTE))
    for arrival in fleet.events(MORNING, MORNING + MINUTE):
        for part in [part for part in arrival.source.values() if isinstance(part, dict)]:
            for value in [value for value in part.values() if isinstance(value, (dict, list))]:
                value.clear()
            part.clear()
    changed = plain(fleet.events(MORNING, MORNING + 2 * MINUTE))
    assert changed == untouched


def test_the_fleet_looks_alive_by_day_and_by_night(arrivals: list[Arrival]) -> None:
    """5 to 15 events a second at noon, not much less at night, from every machine, of every kind."""
    assert 5 < len(arrivals) / STRETCH.total_seconds() < 15
    night = MORNING.replace(hour=1)
    assert 3 < sum(1 for _ in Fleet().events(night, night + 10 * MINUTE)) / 600 < 10
    assert len({arrival.source["host"]["name"] for arrival in arrivals}) == 12
    kinds = Counter(arrival.source["event"].get("code", arrival.source["event"]["module"]) for arrival in arrivals)
    assert kinds.keys() == {"1", "3", "5", "11", "22", "4624", "4688", "endpoint"}
    assert min(kinds.values()) > len(arrivals) / 100


def test_the_indices_are_those_that_rules_read(arrivals: list[Arrival]) -> None:
    """Winlogbeat's and Defend's, each with its own documents."""
    patterns = {"winlogbeat": "winlogbeat-*", "endpoint": "logs-endpoint.events.network-*"}
    assert all(fnmatchcase(arrival.index, patterns[arrival.source["agent"]["type"]]) for arrival in arrivals)
    assert len({arrival.index for arrival in arrivals}) == 2


def test_most_events_arrive_within_seconds_some_within_minutes_and_laptops_much_later(arrivals: list[Arrival]) -> None:
    """The law of delays."""
    delays = sorted(lateness(arrival) for arrival in arrivals)
    assert delays[0] >= SECOND / 2
    assert delays[-1] <= 41 * MINUTE
    prompt = bisect_left(delays, 5 * SECOND) / len(delays)
    assert 0.7 < prompt < 0.97
    stalled = [arrival for arrival in arrivals if 30 * SECOND < lateness(arrival) < 4 * MINUTE]
    assert len({arrival.source["host"]["name"] for arrival in stalled}) >= 4
    late = [arrival for arrival in arrivals if lateness(arrival) > LATE]
    assert len(late) > 100
    assert all(arrival.source["host"]["name"].startswith("SIM-LT-") for arrival in late)


def test_what_comes_late_comes_in_a_batch(arrivals: list[Arrival]) -> None:
    """After a laptop was away, ten minutes and more of its events arrive within less than a minute."""
    late = defaultdict[str, list[Arrival]](list)
    for arrival in arrivals:
        if lateness(arrival) > LATE:
            late[arrival.source["host"]["name"]].append(arrival)
    name = max(late, key=lambda name: len(late[name]))
    batches = {arrival.at.replace(second=0, microsecond=0) for arrival in late[name]}
    assert len(batches) <= 4


def test_a_machine_delivers_in_order(arrivals: list[Arrival]) -> None:
    """Within an hour, what happened later on a machine never arrives earlier; numbers of records grow with time."""
    by_host = defaultdict[tuple[str, datetime], list[Arrival]](list)
    for arrival in arrivals:
        hour = happened(arrival).replace(minute=0, second=0, microsecond=0)
        by_host[arrival.source["host"]["name"], hour].append(arrival)
    for found in by_host.values():
        assert [happened(arrival) for arrival in found] == sorted(happened(arrival) for arrival in found)
        numbers = [int(one.source["winlog"]["record_id"]) for one in found if "winlog" in one.source]
        assert numbers == sorted(set(numbers))


def test_the_times_of_a_document_follow_each_other(arrivals: list[Arrival]) -> None:
    """It happened, was read, was ingested, could be found."""
    for arrival in arrivals:
        event = arrival.source["event"]
        created, ingested = datetime.fromisoformat(event["created"]), datetime.fromisoformat(event["ingested"])
        assert happened(arrival) < created < ingested < arrival.at


def test_any_five_minutes_have_an_alert(arrivals: list[Arrival], alerting: list[Arrival]) -> None:
    """By the time of arrival as by that of the event, wherever the five minutes begin; nor is there a storm."""
    for times in (sorted(arrival.at for arrival in alerting), sorted(map(happened, alerting))):
        within = [time for time in times if MORNING <= time < MORNING + STRETCH]
        bounds = [MORNING, *within, MORNING + STRETCH]
        gaps = [later - earlier for earlier, later in pairwise(bounds)]
        assert max(gaps) < 5 * MINUTE
    assert len(alerting) < len(arrivals) / 100


@given(
    start=st.integers(0, 10 * 365 * 24 * 3600 * 1000),
    seed=st.integers(0, 9),
    hosts=st.sampled_from([1, 2, 5]),
)
@quick
def test_a_first_run_alerts_at_once(start: int, seed: int, hosts: int) -> None:
    """Whenever the first run is, of the last nine minutes something alerts that has arrived by then."""
    end = MORNING + timedelta(milliseconds=start)
    found = [arrival for arrival in Fleet(seed, hosts).events(end - 9 * MINUTE, end) if is_alerting(arrival)]
    assert [arrival for arrival in found if happened(arrival) >= end - 9 * MINUTE]


def test_only_attacks_alert(alerting: list[Arrival], arrivals: list[Arrival]) -> None:
    """Ordinary life never does, although it starts the same programs and lets them connect."""
    assert all("scenario" in arrival.source["labels"] for arrival in alerting)
    ordinary = [
        arrival.source
        for arrival in arrivals
        if "scenario" not in arrival.source["labels"]
        and arrival.source.get("process", {}).get("name", "").lower() in {"regsvr32.exe", "rundll32.exe", "regsvcs.exe"}
    ]
    assert {source["process"]["name"] for source in ordinary} == {"regsvr32.exe", "rundll32.exe", "RegSvcs.exe"}
    assert {source["process"]["name"] for source in ordinary if "destination" in source} == {
        "regsvr32.exe",
        "rundll32.exe",
        "RegSvcs.exe",
    }


@pytest.mark.parametrize("index", [WINLOGBEAT_INDEX, ENDPOINT_INDEX])
def test_the_shipped_rules_find_in_the_embedded_store_what_they_must(arrivals: list[Arrival], index: str) -> None:
    """Mapped as shipped, documents are taken, and the rules' own queries match exactly what the predicate says."""
    rules = load(shipped_rules())
    template = next(one for one in event_templates() if any(fnmatchcase(index, pattern) for pattern in one.patterns))
    mapping = IndexMapping(template.body["mappings"], template.body.get("settings", {}))
    read_here = [rule for rule in rules.rules.values() if any(fnmatchcase(index, pattern) for pattern in rule.index)]
    queries = {rule.id: compile_match(rule, rules.lists, FieldTypes()).query for rule in read_here}
    matcher = Matcher({name: parse(query, mapping, 0) for name, query in queries.items()})
    reader, indexer = Reader(mapping, matcher.fields), Indexer(mapping)
    for number, arrival in enumerate(arrival for arrival in arrivals if arrival.index == index):
        if number % 10 == 0:
            indexer.check(arrival.source)
        expected = {name for name in RULE_IDS.values() if judge(LOGIC[name], index, arrival.source)}
        assert set(matcher.match(reader.read(arrival.source))) == expected


def test_each_rule_has_attacks_of_its_own_and_some_escape_all(alerting: list[Arrival]) -> None:
    """Every shipped rule finds something within hours, and labels name what it was."""
    names = {
        rule: {
            arrival.source["labels"]["scenario"]
            for arrival in alerting
            if judge(LOGIC[rule_id], arrival.index, arrival.source)
        }
        for rule, rule_id in RULE_IDS.items()
    }
    assert names == {
        "regsvr32": {"regsvr32-scriptlet"},
        "rundll32": {"rundll32-javascript", "rundll32-beacon"},
        "regsvcs": {"regsvcs-hollowed"},
    }


def test_some_attacks_are_told_of_late() -> None:
    """On a laptop that is away; later than the rules look back, so that a tool must look again."""
    seed, peers = 1, fleet_hosts(1, 12)
    laptops = [host for host in peers if host.role == "laptop"]
    minutes = range(milliseconds(MORNING), milliseconds(MORNING + 6 * HOUR), 60_000)
    late = [
        (moment(minute), moment(held.end))
        for host in laptops
        for minute in minutes
        for held in delivery(seed, host, minute).interruptions
        if held.is_away and held.start < minute < held.end - 10 * 60_000
        if planned_attack(seed, host, peers, minute, is_away=True) in LOUD_SCENARIOS
    ]
    assert 2 <= len(late) <= 40
    start, end = late[0]
    found = [
        arrival
        for arrival in Fleet(seed, 12).events(end, end + MINUTE)
        if start <= happened(arrival) < start + MINUTE and is_alerting(arrival)
    ]
    assert found
    assert all(lateness(arrival) > 9 * MINUTE for arrival in found)


def test_what_a_span_costs_does_not_depend_on_the_time_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute asked for alone needs the minutes whose events may still come; the next ones need one each."""
    made: list[tuple[int, int]] = []
    pending = Fleet._pending

    def noted(self: Fleet, host: Host, minute: int) -> list[fleet_module._Pending]:
        made.append((host.number, minute))
        return pending(self, host, minute)

    monkeypatch.setattr(Fleet, "_pending", noted)
    fleet = Fleet()
    list(fleet.events(MORNING, MORNING + MINUTE))
    assert len(made) <= 12 * 7 + 4 * 38
    made.clear()
    for second in range(60, 300):
        list(fleet.events(MORNING + second * SECOND, MORNING + (second + 1) * SECOND))
    assert len(made) == len(set(made)) == 12 * 4
