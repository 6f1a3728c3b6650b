"""`lolbin-rules lookback` from events in a store to what is told: delays, losses, advice, and what-if."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_indices import index_events, iso, map_indices, stored
from lolbin_rules.cli import main
from lolbin_rules.execution.delays import Origin, measure
from lolbin_rules.plan.lateness import Delay
from lolbin_rules.plan.window import MILLISECOND, Window
from worlds import World
from written_rules import write_rule

pytestmark = pytest.mark.usefixtures("own_logs")

NOON = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = ("--from", iso(NOON), "--to", iso(NOON + HOUR))
EVENTS = 120

Told = Callable[..., tuple[int, str, str]]


def late(number: int) -> timedelta:
    """Every tenth event is twenty minutes late, the others two seconds."""
    return timedelta(minutes=20) if number % 10 == 3 else timedelta(seconds=2)


def event(number: int, **changes: Any) -> dict[str, Any]:
    """One of two events a minute; every other one is a connection of regsvr32."""
    happened = NOON + number * timedelta(seconds=30)
    return {
        "@timestamp": iso(happened),
        "event": {
            "category": "network",
            "code": "3" if number % 2 else "1",
            "ingested": iso(happened + late(number)),
        },
        "process": {"name": "regsvr32.exe" if number % 2 else "cmd.exe"},
        "agent": {"name": "laptop" if number % 10 == 3 else "server"},
        **changes,
    }


@pytest.fixture
def index(world: World) -> str:
    """The events, two more in an index that does not know when they came in, and one without that in the first."""
    index, other = f"{world.prefix}events-1", f"{world.prefix}events-2"
    map_indices(world.store, index, other)
    documents = [(index, f"e{number:03}", event(number)) for number in range(EVENTS)]
    bare = {"@timestamp": iso(NOON), "event": {"category": "network"}, "process": {"name": "regsvr32.exe"}}
    documents += [(other, "o1", bare), (other, "o2", bare), (index, "bare", bare)]
    index_events(world.store, documents)
    return f"{world.prefix}events-*"


@pytest.fixture
def told(
    world: World, index: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Told:
    """Runs `lookback` with a rule for the events; the exit code, and what was printed."""
    for name, value in world.variables.items():
        environment.setenv(name, value)
    write_rule(tmp_path / "rules", "good", index=[index])

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["lookback", "--rules", str(tmp_path / "rules"), *arguments])
        return (code, *capsys.readouterr())

    return run


def test_every_delay_is_measured_with_its_origin(world: World, index: str) -> None:
    """By index, agent and event code; what has no `event.ingested` is counted by index and left out."""
    measured = measure([index], Window(NOON, NOON + HOUR), world.store)
    name = f"{world.prefix}events-1"
    assert (measured.documents, measured.share, measured.ahead, measured.problems) == (EVENTS, 1.0, 0, [])
    assert measured.lacking == {f"{world.prefix}events-2": 2, name: 1}
    assert measured.delays.keys() == {
        Origin(name, "laptop", "3"),
        Origin(name, "server", "1"),
        Origin(name, "server", "3"),
    }
    laptop = measured.delays[Origin(name, "laptop", "3")]
    seen_at = measured.seen_at
    happened = [NOON + number * timedelta(seconds=30) for number in range(3, EVENTS, 10)]
    assert sorted(laptop) == sorted(Delay(1_201_000, (seen_at - moment) // MILLISECOND) for moment in happened)
    assert {each.delay for each in measured.all} == {3000, 1_201_000}


def test_of_many_documents_a_hash_chooses_some(world: World, index: str) -> None:
    """About as many as were asked for, the same ones each time, all along the window, and their share is told."""
    window = Window(NOON, NOON + HOUR)
    some, again = (measure([index], window, world.store, most=40) for _ in range(2))
    assert some.documents == EVENTS
    assert 0.1 < some.share < 0.5
    assert 10 <= len(some.all) <= 40
    assert [each.delay for each in some.all] == [each.delay for each in again.all]


def test_a_document_that_came_in_before_it_happened_is_not_late(world: World) -> None:
    """It is counted, because it says that a clock is wrong."""
    index = f"{world.prefix}ahead"
    map_indices(world.store, index)
    ahead = event(0, event={"ingested": iso(NOON - HOUR), "code": "1"})
    index_events(world.store, [(index, "a", ahead), (index, "b", event(1))])
    measured = measure([index], Window(NOON, NOON + HOUR), world.store)
    assert (measured.ahead, sorted(each.delay for each in measured.all)) == (1, [0, 3000])


def test_what_a_rule_loses_and_which_lookback_would_do(told: Told) -> None:
    """A tenth of the documents is later than any search of the rule looks back; the cost of meeting them is told."""
    code, out, err = told(*SPAN, "--json", "--loss", "0.001")
    assert (code, err) == (0, "")
    (said,) = map(json.loads, out.splitlines())
    assert (said["documents"], said["measured"]) == (EVENTS, EVENTS)
    assert sum(said["without_event_ingested"].values()) == 3
    assert said["delays"]["all"]["seconds"] == {"0.5": 3.0, "0.9": 3.0, "0.99": 1201.0, "0.999": None, "0.9999": None}
    assert list(said["delays"]["agent"]) == ["laptop", "server"]
    assert said["delays"]["agent"]["laptop"]["documents"] == 12
    (rule,) = said["rules"]
    assert rule["rule"] == "good"
    assert rule["miss_rate"] == pytest.approx(0.1)
    assert rule["late_documents_seen"] == 12
    assert rule["matches_per_day"] == (60 + 3) * 24
    assert rule["lost_per_day"] == pytest.approx(63 * 24 * 0.1)
    assert rule["miss_rate_95"][0] < 0.1 < rule["miss_rate_95"][1]
    assert (rule["advised_lookback"], rule["advised_searched_times"]) == ("now-25m", 5.0)
    assert stored_nothing(told)


def stored_nothing(told: Told) -> bool:
    """Asking again gives the same answer: measuring leaves nothing behind."""
    first, second = (json.loads(told(*SPAN, "--json")[1]) for _ in range(2))
    return {**first, "seen_at": "", "reach_seconds": 0} == {**second, "seen_at": "", "reach_seconds": 0}


def test_people_see_quantiles_a_picture_and_what_is_not_known(told: Told, world: World) -> None:
    """Every part is there, and what so few documents cannot tell is said."""
    code, out, _ = told(*SPAN)
    assert code == 0
    assert f"2 documents of {world.prefix}events-2 are left out: no event.ingested." in out
    assert "Of documents without event.ingested nothing is known" in out
    assert "agent laptop" in out
    assert "now-9m" in out
    assert "<- now\n" in out
    assert "<- advised\n" in out
    assert "120 documents cannot tell a loss of 0.0001; 30,000 could." in out
    lines = out.splitlines()
    (bar,) = (line for line in lines if line.endswith("<- now"))
    assert bar.split()[:2] == ["now-9m", "10%"]
    assert set(bar.split()[2]) == {"#"}


def test_a_shorter_lookback_is_advised_with_a_warning(told: Told) -> None:
    """Where a loss of a half is fine, the interval itself would do; what that is not known to be is said."""
    out = told(*SPAN, "--loss", "0.5")[1]
    assert "now-5m  1.8x -> 1x" in out
    assert "Before a lookback is made shorter: delays beyond" in out


def test_indices_can_be_named_and_may_be_empty(told: Told, world: World) -> None:
    """No document, no advice, and no error."""
    code, out, _ = told("--index", f"{world.prefix}nothing-*", *SPAN)
    assert code == 0
    assert "0 documents with event.ingested" in out
    assert "Nothing was measured, so there is no advice." in out


def test_what_if_names_what_each_schedule_loses_and_delays(told: Told, world: World) -> None:
    """The rule's own schedule, a longer lookback, and both with an outage, which delays and loses nothing more."""
    outage = f"{iso(NOON + 10 * timedelta(minutes=1))}/20m"
    code, out, err = told(*SPAN, "--json", "--what-if", "lookback=now-26m", "--outage", outage)
    assert (code, err) == (0, "")
    (said,) = map(json.loads, out.splitlines())
    assert (said["documents"], said["without_event_ingested"], said["problems"]) == (60, 3, [])
    own, own_out, longer, longer_out = said["replays"]
    assert [each["lookback"] for each in said["replays"]] == ["now-9m", "now-9m", "now-26m", "now-26m"]
    assert (own["lost"], own["alerted"], own["delayed"]) == (12, 48, 0)
    assert (longer["lost"], longer["alerted"], longer["delayed"]) == (0, 60, 0)
    # In an outage late documents arrive before their time is searched: fewer are lost, more wait.
    assert own_out["lost"] < 12
    assert own_out["delayed"] > 0
    assert longer_out["lost"] == 0
    assert longer_out["worst_wait_seconds"] <= 25 * 60
    assert own["first_lost"][0] == {"document": f"{world.prefix}events-1/e003", "late_seconds": 1201.0}
    assert len(own["first_lost"]) == 5
    people = told(*SPAN, "--what-if", "lookback=now-26m", "--outage", outage)[1]
    assert "every 5m, now-9m: 12 lost (20%), 0 delayed" in people
    assert f"lost {world.prefix}events-1/e003, 20m1s late" in people
    assert stored(world.store, f"{world.written}-*") == []


def test_what_if_does_not_replay_what_is_more_than_single_events(told: Told, tmp_path: Path, index: str) -> None:
    """It is named, with the reason."""
    write_rule(tmp_path / "rules", "many", index=[index], type="threshold", threshold={"field": [], "value": 3})
    code, out, _ = told(*SPAN, "--what-if", "interval=10m,lookback=now-20m")
    assert code == 0
    assert "many: not replayed. An alert of a rule of type threshold stands for several events" in out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--what-if", "interval=5m,lookback=now-3m"], "does not reach back"),
        (["--what-if", "interval=five"], "five"),
        (["--what-if", "pace=5m"], "pace"),
        (["--outage", "2024-03-05T12:00"], "--outage"),
        (["--outage", "2024-03-05T12:00/long"], "long"),
        (["--loss", "2"], "--loss"),
    ],
)
def test_what_means_nothing_is_refused(told: Told, arguments: list[str], word: str) -> None:
    """With exit code 2 and the word at fault."""
    code, _, err = told(*SPAN, *arguments)
    assert code == 2
    assert word in err
