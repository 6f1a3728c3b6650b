"""A certificate says yes where every hit has its alert, and no where anything is missing, hidden, doubled or a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from event_indices import iso, stored
from lolbin_rules.execution.certificate import Certifying
from lolbin_rules.execution.certificate import certify as certificate_of
from lolbin_rules.execution.pictures import look_at
from lolbin_rules.plan.window import Window, floor
from lolbin_rules.store.port import Document, Key, Page, Put, Scan, Store, Verdict
from watched import BASE, Watched, at
from worlds import World

pytestmark = pytest.mark.usefixtures("own_logs", "environment")

HITS = ("one", "two", "three")
RULE_ID = "kibana.alert.rule.rule_id"


@pytest.fixture
def watched(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Watched:
    """One rule that has alerted on three events."""
    watched = Watched(world, tmp_path / "rules", capsys)
    watched.happen(-3, *HITS, ingested=-3)
    watched.happen(-2, "no hit", process={"name": "svchost.exe"})
    watched.ticks(0, 30)
    return watched


def certify(watched: Watched, *options: str, first: float = -9, last: float = 20) -> tuple[int, dict[str, Any]]:
    """The certificate for a period that was searched."""
    code, (certificate,) = watched.coverage("--certify", *options, first=first, last=last)
    return code, certificate


def figures(certificate: dict[str, Any]) -> tuple[Any, ...]:
    """Hits, alerts, doubled, late, unexplained."""
    return tuple(certificate[name] for name in ("hits", "alerts", "doubled", "late", "unexplained"))


def alert_of(watched: Watched, event: str) -> dict[str, Any]:
    """The alert of an event, as it is stored."""
    (found,) = (alert for alert in watched.alerts() if alert["kibana.alert.ancestors"][-1]["id"] == event)
    return found


def source_of(alert: dict[str, Any]) -> dict[str, Any]:
    """The document without what the tests add."""
    return {name: value for name, value in alert.items() if name not in {"_id", "_index"}}


def test_it_says_yes_where_every_hit_has_its_alert(watched: Watched) -> None:
    """With what was recounted, by which executions, and the promise; `--write` stores the same."""
    code, certificate = certify(watched, "--write")
    assert (code, certificate["is_good"]) == (0, True)
    assert figures(certificate) == (3, 3, 0, 0, 0)
    assert certificate["recounted"] == certificate["settled"] == [{"start": iso(at(-9)), "end": iso(at(20))}]
    assert (certificate["gaps"], certificate["problems"], certificate["other_logic"]) == ([], [], [])
    assert len(certificate["executions"]) == 6
    assert certificate["duplicates"] == 3
    assert "event_time" in certificate["promise"]
    assert "no later than 0:04:00" in certificate["promise"]
    assert "no later than 23:00:00 after its time, gets it from a sweep" in certificate["promise"]
    (written,) = stored(watched.world.store, f"{watched.world.written}-certificates")
    assert source_of(written) == certificate


def delete(watched: Watched) -> None:
    """One alert is gone: its index is made again with the others."""
    alerts = watched.alerts()
    (index,) = {alert["_index"] for alert in alerts}
    gone = alert_of(watched, "two")["_id"]
    watched.world.remove(index)
    kept = [Document(Key(index, alert["_id"]), source_of(alert)) for alert in alerts if alert["_id"] != gone]
    assert {outcome.verdict for outcome in watched.world.store.create(kept)} == {Verdict.CREATED}


def hide(watched: Watched) -> None:
    """The document under an alert's id is made that of another rule."""
    alert = alert_of(watched, "two")
    key = Key(alert["_index"], alert["_id"])
    (found,) = watched.world.store.get([key])
    assert found
    other = Document(key, {**found.source, RULE_ID: "another"})
    (outcome,) = watched.world.store.put([Put(other, found.seen)])
    assert outcome.verdict is Verdict.UPDATED


def exchange(watched: Watched) -> None:
    """The document under an alert's id stands for another event."""
    alert = alert_of(watched, "two")
    key = Key(alert["_index"], alert["_id"])
    (found,) = watched.world.store.get([key])
    assert found
    parent = {**found.source["kibana.alert.ancestors"][-1], "id": "another"}
    other = Document(key, {**found.source, "kibana.alert.ancestors": [parent]})
    (outcome,) = watched.world.store.put([Put(other, found.seen)])
    assert outcome.verdict is Verdict.UPDATED


@pytest.mark.parametrize("damage", [delete, hide, exchange])
def test_it_says_no_where_an_alert_is_missing(watched: Watched, damage: Callable[[Watched], None]) -> None:
    """Exit 1; the hit is named, whether its alert was deleted, hidden, or put in the place of another."""
    damage(watched)
    code, certificate = certify(watched)
    assert (code, certificate["is_good"]) == (1, False)
    assert figures(certificate) == (3, 2, 0, 0, 1)
    (missing,) = certificate["unexplained_first"]
    assert (missing["index"], missing["id"]) == (f"{watched.world.prefix}events-1", "two")
    code, out = watched.command("coverage", "live", "--certify", "--from", iso(at(-9)), "--to", iso(at(20)))
    assert code == 1
    assert "live: NOT certified" in out
    assert "unexplained   1\n" in out
    assert f"{watched.world.prefix}events-1/two of {missing['time']}" in out


def test_it_says_no_where_an_event_has_two_alerts(watched: Watched) -> None:
    """Under whatever id the second one is."""
    alert = alert_of(watched, "two")
    double = Document(Key(alert["_index"], "double"), source_of(alert))
    assert watched.world.store.create([double])[0].verdict is Verdict.CREATED
    code, certificate = certify(watched)
    assert (code, figures(certificate)) == (1, (3, 3, 1, 0, 0))


def test_it_says_no_where_there_is_a_gap_or_nothing_was_asked(watched: Watched) -> None:
    """An outage, and the time before the rule began; the settled rest is recounted all the same."""
    code, certificate = certify(watched, last=60)
    assert code == 1
    assert [gap["reason"] for gap in certificate["gaps"]] == ["outage"]
    assert figures(certificate) == (3, 3, 0, 0, 0)
    code, certificate = certify(watched, first=-60)
    assert (code, [gap["reason"] for gap in certificate["gaps"]]) == (1, ["not asked"])


class Forgetful:
    """A store whose searches leave out the last hit of every page of events, and say nothing of it."""

    def __init__(self, store: Store, index: str) -> None:
        self._store = store
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def scan(self, request: Scan) -> Iterator[Page]:
        """The pages of the real store, shortened."""
        for page in self._store.scan(request):
            yield replace(page, hits=page.hits[:-1]) if self._index in request.index else page


def test_it_does_not_trust_its_own_reading(watched: Watched) -> None:
    """What is read is compared with what the store counts: a hit that reading misses is told, not passed over."""
    ruleset, store = watched.ruleset, watched.world.store
    rule = ruleset.rules["live"]
    period = Window(at(-9), at(20))
    (seen,) = look_at([rule], period, store.clock(), store, watched.world.written)
    given = Certifying(ruleset.lists, ruleset.exceptions_by_rule, watched.world.written, floor(store.clock()))
    assert certificate_of(seen, given, store).is_good
    found = certificate_of(seen, given, cast("Store", Forgetful(store, rule.index[0])))
    assert (found.is_good, found.recount.unexplained) == (False, 0)
    assert "counts 3 hits" in found.problems[0]
    assert "2 were read" in found.problems[0]


def test_a_late_event_is_not_unexplained_and_not_hidden(watched: Watched) -> None:
    """By its `event.ingested` it came after its time was searched: the promise did not cover it. A sweep finds it."""
    after = (watched.world.store.clock() - BASE + timedelta(minutes=5)) / timedelta(minutes=1)
    watched.happen(5, "late", ingested=after)
    code, certificate = certify(watched)
    assert (code, figures(certificate)) == (0, (4, 3, 0, 1, 0))
    assert [each["id"] for each in certificate["late_first"]] == ["late"]
    watched.happen(6, "who knows when")
    code, certificate = certify(watched)
    assert (code, figures(certificate)) == (1, (5, 3, 0, 1, 1))
    watched.sweep(40)
    code, certificate = certify(watched)
    assert (code, figures(certificate)) == (0, (5, 5, 0, 0, 0))


def test_a_sequence_is_as_late_as_the_latest_of_its_events(watched: Watched) -> None:
    """It ends in time, and its first event came late: beyond the promise. Where that is not said it is unexplained."""
    step = '[network where process.name == "{}"]'
    watched.edit(
        type="eql",
        language="eql",
        match=None,
        query=f"sequence with maxspan=2m {step.format('a.exe')} {step.format('b.exe')}",
    )
    watched.happen(41, "in time", process={"name": "b.exe"}, ingested=41)
    watched.ticks(35, 60)
    after = (watched.world.store.clock() - BASE + timedelta(minutes=5)) / timedelta(minutes=1)
    watched.happen(40, "late", process={"name": "a.exe"}, ingested=after)
    code, certificate = certify(watched, first=35, last=50)
    assert (code, figures(certificate)) == (0, (1, 0, 0, 1, 0))
    watched.happen(43, "who knows when", process={"name": "a.exe"})
    watched.happen(44, "alone", process={"name": "b.exe"}, ingested=44)
    code, certificate = certify(watched, first=35, last=50)
    assert (code, figures(certificate)) == (1, (2, 0, 0, 1, 1))
    watched.sweep(65)
    code, certificate = certify(watched, first=35, last=50)
    assert (code, figures(certificate)) == (0, (2, 2, 0, 0, 0))


def test_only_what_the_logic_of_today_searched_is_recounted(watched: Watched) -> None:
    """What an earlier logic searched is named with it; the hits of today's logic there are not counted."""
    watched.edit(match={"process.name": "svchost.exe"})
    watched.happen(29, "of the new logic", process={"name": "svchost.exe"})
    watched.ticks(35, 60)
    code, certificate = certify(watched, last=50)
    assert code == 0
    assert figures(certificate) == (1, 1, 0, 0, 0)
    (other,) = certificate["other_logic"]
    assert (other["start"], other["end"]) == (iso(at(-9)), iso(at(26)))
    assert other["logic"] != certificate["logic"]
    assert certificate["recounted"] == [{"start": iso(at(26)), "end": iso(at(50))}]
    assert certify(watched, last=20)[0] == 1


def test_members_of_groups_are_explained_by_the_alert_of_the_group(watched: Watched) -> None:
    """Three hits, one alert; without it they are unexplained, all of them."""
    watched.edit(suppression={"group_by": ["process.name"], "duration": "1h"})
    watched.ticks(35, 60)
    watched.happen(51, *(f"member {number}" for number in range(3)))
    watched.ticks(55, 60)
    watched.tick(65)
    code, certificate = certify(watched, first=51, last=55)
    assert (code, figures(certificate), certificate["suppressed"]) == (0, (3, 1, 0, 0, 0), 3)
    (group,) = (alert for alert in watched.alerts() if "lolbin.suppression.count" in alert)
    key = Key(group["_index"], group["_id"])
    (found,) = watched.world.store.get([key])
    assert found
    (outcome,) = watched.world.store.put([Put(Document(key, {**found.source, RULE_ID: "another"}), found.seen)])
    assert outcome.verdict is Verdict.UPDATED
    code, certificate = certify(watched, first=51, last=55)
    assert (code, figures(certificate)) == (1, (3, 0, 0, 0, 3))


def test_thresholds_are_evaluated_again(watched: Watched) -> None:
    """A slot that reached its threshold has its alert; one without is unexplained, with what it is known by."""
    watched.edit(type="threshold", threshold={"field": ["process.name"], "value": 2})
    watched.happen(40, "fourth", "fifth")
    watched.ticks(35, 60)
    code, certificate = certify(watched, first=30, last=50)
    assert (code, figures(certificate)) == (0, (1, 1, 0, 0, 0))
    alerts = [alert for alert in watched.alerts() if "lolbin.match" in alert]
    (key,) = (Key(alert["_index"], alert["_id"]) for alert in alerts)
    (found,) = watched.world.store.get([key])
    assert found
    (outcome,) = watched.world.store.put([Put(Document(key, {**found.source, RULE_ID: "another"}), found.seen)])
    assert outcome.verdict is Verdict.UPDATED
    code, certificate = certify(watched, first=30, last=50)
    assert (code, figures(certificate)) == (1, (1, 0, 0, 0, 1))
    assert "regsvr32.exe" in certificate["unexplained_first"][0]["match"]


def test_what_exceptions_hold_back_is_said(watched: Watched) -> None:
    """They are no hits, and nobody forgets them."""
    (watched.folder / "exceptions").mkdir()
    (watched.folder / "exceptions" / "known.yml").write_text(
        "id: known\nname: Known\nowner: tests\nitems:\n  - name: the fourth\n    reason: It is known.\n"
        "    entries: [{field: host.name, type: match, value: build}]\n"
    )
    watched.edit(exceptions=["known"])
    watched.happen(40, "fourth", host={"name": "build"})
    watched.ticks(35, 60)
    code, certificate = certify(watched, first=30, last=50)
    assert (code, figures(certificate)) == (0, (0, 0, 0, 0, 0))
    assert certificate["held_back"] == [{"exception": "known: the fourth", "events": 1}]


def test_a_rule_that_cannot_be_asked_is_not_certified(watched: Watched) -> None:
    """Its index is gone: nothing can be recounted. One that never ran has nothing to certify."""
    watched.world.remove(f"{watched.world.prefix}events-1")
    code, certificate = certify(watched)
    assert code == 1
    assert "No index matches" in certificate["problems"][0]
    assert watched.command("coverage", "live", "--write")[0] == 2
