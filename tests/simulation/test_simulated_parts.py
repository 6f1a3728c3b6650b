"""The parts of the simulation: machines, delays, the plan of attacks, and what each activity may do within a minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated_events import LOGIC, RULE_IDS, judge
from lolbin_rules.simulation.attacks import LATEST_START, LOUD_SCENARIOS, SCENARIOS, attack, planned_attack
from lolbin_rules.simulation.delays import USUAL, Delivery, delivery, longest
from lolbin_rules.simulation.envelope import Stamp
from lolbin_rules.simulation.hosts import MOST_HOSTS, Host, fleet_hosts
from lolbin_rules.simulation.images import SYSTEM_PROCESS, hashes_of
from lolbin_rules.simulation.moments import DAY, HOUR, MINUTE, iso, milliseconds, moment, utc_time
from lolbin_rules.simulation.processes import residents
from lolbin_rules.simulation.programs import CLIENT_ACTIVITIES, Activity
from lolbin_rules.simulation.servers import SERVER_ACTIVITIES
from lolbin_rules.simulation.stage import LONGEST_CONNECTION, Stage

NINE = milliseconds(datetime(2026, 3, 1, 9, tzinfo=UTC))
PEERS = fleet_hosts(1, 12)
quick = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32)
any_host = st.sampled_from(PEERS)


def stage_on(host: Host, seed: int, *, is_away: bool = False) -> Stage:
    """A minute of a machine, at nine o'clock."""
    return Stage(host, PEERS, residents(1, host, NINE // DAY), random.Random(seed), is_away=is_away)


def documents(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    """Index and document of everything on the stage."""
    return [
        (one.into, one.shape(Stamp(stage.host, one.at, one.at, one.at, 1, "id", one.scenario), *one.details))
        for one in stage.records
    ]


def alerts(index: str, source: dict[str, Any]) -> set[str]:
    """The shipped rules that match, by their short names."""
    return {rule for rule, rule_id in RULE_IDS.items() if judge(LOGIC[rule_id], index, source)}


def test_machines_are_named_and_numbered_apart() -> None:
    """No two share a name, an address or an id, however many there are; a larger fleet holds the smaller."""
    hosts = fleet_hosts(1, MOST_HOSTS)
    for marks in (
        [host.name for host in hosts],
        [host.ipv4 for host in hosts],
        [host.ipv6 for host in hosts],
        [host.id for host in hosts],
        [host.user.name for host in hosts if host.role != "server"],
    ):
        assert len(set(marks)) == len(marks)
    assert hosts[:12] == PEERS
    assert {host.role for host in PEERS} == {"workstation", "laptop", "server"}
    assert 1 < sum(host.has_defend for host in PEERS) < 6


@pytest.mark.parametrize("count", [0, -1, MOST_HOSTS + 1])
def test_a_fleet_of_an_impossible_size_is_refused(count: int) -> None:
    """The message says what would do."""
    with pytest.raises(ValueError, match=f"{count} hosts cannot be simulated. Ask for 1 to {MOST_HOSTS}"):
        fleet_hosts(1, count)


def test_the_first_machine_is_there_for_every_attack() -> None:
    """A workstation that Sysmon watches and that is never interrupted, whatever the seed."""
    for seed in range(50):
        first = fleet_hosts(seed, 1)[0]
        assert first.role == "workstation"
        assert not first.has_defend
        assert all(not delivery(seed, first, NINE + hour * HOUR).interruptions for hour in range(48))


@given(st.datetimes(timezones=st.just(UTC)))
@quick
def test_moments_are_whole_milliseconds_at_or_after(when: datetime) -> None:
    """Rounded up, so that a bound between two milliseconds parts them; written as Winlogbeat and Sysmon do."""
    at = milliseconds(when)
    if at < milliseconds(datetime.max.replace(tzinfo=UTC)) - 1000:
        assert timedelta() <= moment(at) - when < timedelta(milliseconds=1)
        text = moment(at).isoformat(timespec="milliseconds").replace("+00:00", "")
        if when.year >= 1970:
            assert iso(at) == f"{text}Z"
            assert utc_time(at) == text.replace("T", " ")


@given(seed=seeds, host=any_host, hour=st.integers(0, 10**6))
@quick
def test_interruptions_lie_apart_within_their_hour(seed: int, host: Host, hour: int) -> None:
    """Laptops are away for 10 to 40 minutes, everything else stalls for 5 s to 4 min."""
    found = delivery(seed, host, hour * HOUR + 7).interruptions
    assert found == delivery(seed, host, hour * HOUR + HOUR - 1).interruptions
    bounds = [hour * HOUR, *(bound for held in found for bound in (held.start, held.end)), (hour + 1) * HOUR]
    assert bounds == sorted(bounds)
    for held in found:
        length = held.end - held.start
        assert (10 * MINUTE if held.is_away else 5000) <= length <= (40 if held.is_away else 4) * MINUTE
        assert not held.is_away or host.role == "laptop"


@given(seed=seeds, host=any_host, moments=st.lists(st.integers(0, HOUR - 1), min_size=2, max_size=30))
@quick
def test_passages_keep_the_order_and_the_bounds(seed: int, host: Host, moments: list[int]) -> None:
    """Later never arrives earlier; nothing is faster than half a second or slower than `longest`."""
    way = delivery(seed, host, NINE)
    passages = [(NINE + at, way.passage(NINE + at)) for at in sorted(moments)]
    arrivals = [passage.arrival for _, passage in passages]
    assert arrivals == sorted(arrivals)
    for at, passage in passages:
        assert at < passage.created < passage.ingested < passage.arrival <= at + longest(host)
        assert passage.arrival >= at + 500
        if way.is_prompt(at, at + 1):
            assert passage.arrival <= at + USUAL
        if any(held.start <= at < held.end for held in way.interruptions):
            assert not way.is_prompt(at, at + 1)


def test_a_share_of_the_hours_is_interrupted() -> None:
    """Laptops are away in some of their hours, not in most."""
    laptop = PEERS[1]
    away = [any(held.is_away for held in delivery(1, laptop, hour * HOUR).interruptions) for hour in range(1000)]
    assert 0.3 < sum(away) / 1000 < 0.5
    assert Delivery(1000, ()).is_prompt(0, HOUR)


@given(seed=seeds, count=st.integers(1, 12), minute=st.integers(0, 10**7))
@quick
def test_every_fourth_minute_one_machine_is_attacked_that_tells_at_once(seed: int, count: int, minute: int) -> None:
    """By something that the rules see, on a machine whose recorder they read."""
    at, peers = 4 * minute * MINUTE, PEERS[:count]
    found = {host: planned_attack(seed, host, peers, at, is_away=False) for host in peers}
    victims = [host for host, scenario in found.items() if scenario is not None]
    assert len(victims) == 1
    assert found[victims[0]] in LOUD_SCENARIOS
    assert delivery(seed, victims[0], at).is_prompt(at, at + MINUTE)
    assert not (victims[0].has_defend and found[victims[0]] == "regsvcs-hollowed")


def test_all_scenarios_and_machines_have_their_turn() -> None:
    """Over a day no loud scenario and no person is left out; over weeks, no scenario at all."""
    day = range(0, DAY, 4 * MINUTE)
    plans = {(host.name, planned_attack(1, host, PEERS, at, is_away=False)) for at in day for host in PEERS}
    assert {scenario for _, scenario in plans} >= set(LOUD_SCENARIOS)
    assert {name for name, scenario in plans if scenario} == {host.name for host in PEERS if host.role != "server"}
    rare = {planned_attack(1, PEERS[1], PEERS, at, is_away=True) for at in range(0, DAY, MINUTE)}
    assert rare == {None, *SCENARIOS}


@pytest.mark.parametrize("name", SCENARIOS)
@given(seed=seeds, host=any_host.filter(lambda host: host.role != "server"), is_away=st.booleans())
@settings(max_examples=25, deadline=None)
def test_an_attack_alerts_exactly_the_rule_it_is_for(name: str, seed: int, host: Host, *, is_away: bool) -> None:
    """From beginning to end within a minute, on any machine; what Defend tells of RegSvcs no shipped rule reads."""
    stage = stage_on(host, seed, is_away=is_away)
    attack(stage, NINE + LATEST_START, name)
    assert all(NINE <= one.at < NINE + MINUTE and one.scenario == name for one in stage.records)
    assert stage.scenario is None
    found = [rule for index, source in documents(stage) for rule in alerts(index, source)]
    tool = name.partition("-")[0]
    is_seen = name in LOUD_SCENARIOS and not (tool == "regsvcs" and host.has_defend)
    assert set(found) == ({tool} if is_seen else set())
    assert len(found) <= 4


@pytest.mark.parametrize("activity", [*CLIENT_ACTIVITIES, *SERVER_ACTIVITIES])
@given(seed=seeds, place=st.integers(0, 11), is_away=st.booleans())
@settings(max_examples=20, deadline=None)
def test_an_activity_is_over_in_time_and_alerts_nobody(
    activity: Activity, seed: int, place: int, *, is_away: bool
) -> None:
    """Within what it declares and the end of its last connection; from out of the office, nothing in it is reached."""
    fitting = [host for host in PEERS if (host.role == "server") == (activity in SERVER_ACTIVITIES)]
    host = fitting[place % len(fitting)]
    stage = stage_on(host, seed, is_away=is_away and host.role == "laptop")
    activity.act(stage, NINE)
    assert all(NINE <= one.at < NINE + activity.longest + LONGEST_CONNECTION for one in stage.records)
    for index, source in documents(stage):
        assert alerts(index, source) == set()
        if stage.is_away and "destination" in source:
            assert not source["destination"]["ip"].startswith("10.20.")
            assert not source["source"]["ip"].startswith("10.20.")


def test_a_days_programs_are_the_same_all_day_and_others_the_next() -> None:
    """Unique by machine, each below another or below nothing; parents are told."""
    host = PEERS[0]
    today, tomorrow = residents(1, host, 20_000), residents(1, host, 20_001)
    marks = [process.entity_id for process in today.values()]
    assert len(set(marks)) == len(marks)
    assert set(marks).isdisjoint(process.entity_id for process in tomorrow.values())
    assert today["outlook"].parent is today["explorer"]
    assert today["system"].image is SYSTEM_PROCESS
    assert today["outlook"].command_line == '"C:\\Program Files\\Microsoft Office\\root\\Office16\\OUTLOOK.EXE"'


def test_hashes_are_of_the_length_that_they_claim() -> None:
    """One file, one set of hashes; another version, another set."""
    first, second = hashes_of(SYSTEM_PROCESS, "1"), hashes_of(SYSTEM_PROCESS, "2")
    assert [len(text) for text in (first.md5, first.sha1, first.sha256, first.imphash)] == [32, 40, 64, 32]
    assert first != second
    assert first == hashes_of(SYSTEM_PROCESS, "1")
