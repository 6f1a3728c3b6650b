"""The reference models, and the table that compares them with ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from lolbin_rules.execution.sweep import Sweeps
from simulated_executions.comparison import ALGORITHMS, BEGIN, END, KINDS, compare, main
from simulated_executions.reference import Came, Course, Tick, elastalert, kibana
from simulated_executions.scenario import MINUTE

DOCUMENT = Path(__file__).parents[2] / "docs" / "comparison.md"


def course(*ticks: Tick, cap: int = 100, events: tuple[Came, ...]) -> Course:
    """A rule at every 5 minutes that looks back 9."""
    return Course(5 * MINUTE, 9 * MINUTE, cap, events, ticks)


def at(minute: float, late: float = 0, number: int = 1) -> Came:
    """An event that is searchable so many minutes after its time."""
    return Came(number, round(minute * MINUTE), round((minute + late) * MINUTE))


def test_kibana_never_searches_a_failed_window_again() -> None:
    """One failed execution of a rule at 5m that looks back 9m loses the oldest minute of it."""
    ticks = (Tick(0), Tick(5 * MINUTE, "fails"), Tick(10 * MINUTE))
    events = (at(0.5, number=1), at(1.5, number=2))
    assert kibana(course(*ticks, events=events)) == {2: 1}


@pytest.mark.parametrize(("missed", "found"), [(4, True), (5, True), (6, False)])
def test_kibana_catches_up_four_intervals_at_most(missed: int, *, found: bool) -> None:
    """After a longer pause what lies behind them is lost: 9 minutes and four times 5."""
    back = (missed + 1) * 5 * MINUTE
    assert bool(kibana(course(Tick(0), Tick(back), events=(at(1),)))) == found


def test_kibana_drops_what_is_over_the_cap() -> None:
    """Unless the next window still reaches it, oldest first."""
    events = tuple(at(1 + number / 100, number=number) for number in range(6))
    alerts = kibana(course(Tick(5 * MINUTE), Tick(12 * MINUTE), cap=2, events=events))
    assert alerts == {0: 1, 1: 1}
    assert len(kibana(course(Tick(5 * MINUTE), Tick(9 * MINUTE), cap=2, events=events))) == 4


def test_elastalert_goes_on_from_its_last_success_while_it_lives() -> None:
    """An outage loses nothing to it."""
    ticks = (Tick(0), *(Tick(minute * MINUTE, "fails") for minute in (5, 10, 15)), Tick(20 * MINUTE))
    assert elastalert(course(*ticks, events=(at(2),))) == {1: 1}


def test_elastalert_never_looks_behind_its_status_after_a_restart() -> None:
    """What came late, though within the window, is lost."""
    events = (at(4, late=2),)
    assert elastalert(course(Tick(5 * MINUTE), Tick(10 * MINUTE), events=events)) == {1: 1}
    assert elastalert(course(Tick(5 * MINUTE), Tick(10 * MINUTE, is_fresh=True), events=events)) == {}


def test_elastalert_sends_again_after_a_kill_and_from_two_copies() -> None:
    """What it has sent is known in memory only."""
    events = (at(1, number=1), at(2, number=2))
    ticks = (Tick(0), Tick(5 * MINUTE, "killed"), Tick(10 * MINUTE, is_fresh=True))
    assert elastalert(course(*ticks, events=events)) == {1: 2, 2: 1}
    assert elastalert(course(Tick(5 * MINUTE), Tick(5 * MINUTE, runner=1), events=events[:1]))[1] >= 1


def test_both_believe_shards_that_do_not_answer() -> None:
    """Events of the silent shards are lost once the window has passed."""
    ticks = (Tick(5 * MINUTE, "partial"), Tick(14 * MINUTE))
    events = (at(1, number=2), at(1, number=3))
    assert kibana(course(*ticks, events=events)).keys() == elastalert(course(*ticks, events=events)).keys() == {3}


@pytest.mark.parametrize("kind", KINDS)
def test_ours_misses_nothing_and_doubles_nothing(kind: str) -> None:
    """Under the same arrivals and the same trouble."""
    row = compare(KINDS[kind], 2)
    assert row.events
    assert row.missed["lolbin-rules"] == row.doubled["lolbin-rules"] == 0


def test_without_sweeps_what_comes_late_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is they that find it."""
    monkeypatch.setattr(Sweeps, "owed", lambda sweeps, rules, now: {})
    assert compare(KINDS["one event in twenty comes 30 to 90 minutes late"], 2).missed["lolbin-rules"]


def test_the_table_is_as_documented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same command that wrote the document writes rows and columns of the same names."""
    copy = tmp_path / "comparison.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["--courses", "1", "--write", str(copy)]) == 0
    there, made = (rows(file.read_text(encoding="utf-8")) for file in (DOCUMENT, copy))
    assert [row[0] for row in there] == [row[0] for row in made] == ["what happens", "---", *KINDS]
    assert there[0] == made[0]
    assert len(there[0]) == 2 + len(ALGORITHMS)
    assert all(row[2] == "0 / 0" for row in there[2:])
    assert "regenerate" in copy.read_text(encoding="utf-8")
    assert capsys.readouterr().out


def rows(text: str) -> list[list[str]]:
    """The cells of the table in a document."""
    lines = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
