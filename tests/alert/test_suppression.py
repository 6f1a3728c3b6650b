"""An event always belongs to the same group, and a group's alert is what its members add up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert.alert_cases import CONTEXT, KEY, NOW, REACHED_OUT, hit, make_rule, quick
from lolbin_rules.alert import fields
from lolbin_rules.alert.build import build_group_alert, minimal_alert
from lolbin_rules.alert.identity import alert_id, same_event
from lolbin_rules.alert.source import write_time
from lolbin_rules.alert.suppression import (
    Fold,
    Member,
    fold,
    fold_aggregation,
    member,
    read_fold,
    same_group,
    slot_of,
    with_fold,
)
from lolbin_rules.rule.model import Rule
from lolbin_rules.store.port import Key

moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
lengths = st.integers(1, 366 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
times = st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds))
folds = st.builds(
    lambda count, one, other, detected: Fold(count, min(one, other), max(one, other), detected),
    st.integers(1, 100),
    times,
    times,
    times,
)


def _rule(**suppression: Any) -> Rule:
    return make_rule(suppression={"group_by": ["host.name", "process.name"], **suppression})


def _member(rule: Rule, source: Any = REACHED_OUT, key: Key = KEY) -> Member:
    found = member(rule, hit(source, key), prefix="lolbin", context=CONTEXT)
    assert found is not None
    return found


@given(moments, lengths)
@quick
def test_a_slot_holds_its_moment_and_lies_on_the_grid(moment: datetime, length: timedelta) -> None:
    """Start included, end not; every moment of a slot has that slot, and the next slot begins at its end."""
    slot = slot_of(moment, length)
    assert slot is not None
    assert slot.start <= moment < slot.end
    assert slot.end - slot.start == length
    assert (slot.start - datetime(1970, 1, 1, tzinfo=UTC)) % length == timedelta()
    assert slot_of(slot.start, length) == slot == slot_of(slot.end - timedelta(microseconds=1), length)
    following = slot_of(slot.end, length)
    assert following is not None
    assert following.start == slot.end


def test_there_is_no_slot_beyond_the_calendar() -> None:
    """At its ends an event cannot be a member and gets an alert of its own."""
    week = timedelta(days=7)
    assert slot_of(datetime.max.replace(tzinfo=UTC), week) is None
    assert slot_of(datetime.min.replace(tzinfo=UTC), week) is None
    early = {**REACHED_OUT, "@timestamp": "0001-01-01"}
    assert member(_rule(duration="7d"), hit(early), prefix="p", context=CONTEXT) is None


def test_a_member_names_event_group_and_slot() -> None:
    """Under the id of the event, in the month of the event; its alert in the month of the slot."""
    rule = _rule(duration="1h")
    found = _member(rule)
    assert found.document.key == Key("lolbin-suppressed-2026.11", alert_id(rule.id, KEY))
    assert found.alert == Key("lolbin-alerts-2026.11", found.group_id)
    assert found.document.source == {
        "@timestamp": "2026-11-22T05:16:16.276Z",
        "kibana.alert.uuid": found.group_id,
        "kibana.alert.ancestors": [{"id": KEY.id, "type": "event", "index": KEY.index, "depth": 0}],
        "kibana.alert.original_time": "2026-11-22T05:10:09.123Z",
        "kibana.alert.rule.uuid": "53b133d7-59b3-581c-9be3-492bebd94cb4",
        "kibana.alert.rule.rule_id": rule.id,
        "kibana.alert.rule.execution.uuid": CONTEXT.uuid,
        "kibana.alert.suppression.terms": [
            {"field": "host.name", "value": ["WIN10"]},
            {"field": "process.name", "value": ["regsvr32.exe"]},
        ],
        "lolbin.suppression.slot.start": "2026-11-22T05:00:00.000Z",
        "lolbin.suppression.slot.end": "2026-11-22T06:00:00.000Z",
    }
    assert same_event(found.document.source, rule, KEY)


def test_events_of_a_group_share_its_alert() -> None:
    """Equal values within a slot, whatever else differs; another value, slot or rule is another group."""
    rule = _rule(duration="1h")
    opening = _member(rule).group_id
    assert _member(rule, {**REACHED_OUT, "process.pid": 1}, Key("other", "x")).group_id == opening
    assert _member(rule, {**REACHED_OUT, "@timestamp": "2026-11-22T05:59:59.999Z"}).group_id == opening
    assert _member(rule, {**REACHED_OUT, "@timestamp": "2026-11-22T06:00:00Z"}).group_id != opening
    assert _member(rule, {**REACHED_OUT, "host": {"name": "WIN11"}}).group_id != opening
    assert _member(make_rule(id="other", suppression=rule.suppression)).group_id != opening


def test_without_a_duration_a_slot_is_as_long_as_the_interval() -> None:
    """Five minutes here."""
    slot = _member(_rule()).slot
    assert slot.end - slot.start == timedelta(minutes=5)


def test_a_group_meets_one_index_across_the_end_of_a_month() -> None:
    """The slot's first month holds the alert, the event's own month the membership."""
    rule = _rule(duration="7d")
    before, after = (_member(rule, {**REACHED_OUT, "@timestamp": day}) for day in ("2026-11-30", "2026-12-01"))
    assert before.alert == after.alert
    assert before.document.key.index == "lolbin-suppressed-2026.11"
    assert after.document.key.index == "lolbin-suppressed-2026.12"


def test_a_missing_field_groups_or_sets_apart() -> None:
    """`suppress`: a group of those that lack it; `do_not_suppress`: an alert of their own."""
    source = {"@timestamp": "2026-11-22T05:10:09Z", "host.name": "WIN10", "process": {"name": [None]}}
    found = _member(_rule(), source)
    assert found.terms == (("host.name", ("WIN10",)), ("process.name", None))
    assert found.document.source[fields.SUPPRESSION_TERMS][1] == {"field": "process.name", "value": None}
    strict = _rule(missing_fields="do_not_suppress")
    assert member(strict, hit(source), prefix="p", context=CONTEXT) is None
    assert member(strict, hit(REACHED_OUT), prefix="p", context=CONTEXT) is not None


def test_without_suppression_or_time_there_is_no_member() -> None:
    """Such an event gets an alert of its own."""
    assert member(make_rule(), hit(REACHED_OUT), prefix="p", context=CONTEXT) is None
    assert member(_rule(), hit({**REACHED_OUT, "@timestamp": "junk"}), prefix="p", context=CONTEXT) is None


def test_the_alert_of_a_group_is_that_of_the_event_that_opens_it() -> None:
    """With the group's id, and what its only member adds up to."""
    rule = _rule()
    of = _member(rule)
    built = build_group_alert(rule, hit(REACHED_OUT), of, context=CONTEXT)
    assert built.id == of.group_id
    expected = {
        "kibana.alert.uuid": of.group_id,
        "kibana.alert.suppression.start": "2026-11-22T05:10:09.123Z",
        "kibana.alert.suppression.end": "2026-11-22T05:10:09.123Z",
        "kibana.alert.suppression.docs_count": 0,
        "lolbin.suppression.count": 1,
        "kibana.alert.last_detected": "2026-11-22T05:16:16.276Z",
        "process": REACHED_OUT["process"],
    }
    assert {name: built.source[name] for name in expected} == expected
    alone = Fold(1, of.happened, of.happened, NOW)
    assert with_fold(built.source, alone) is built.source


def test_the_alert_of_a_group_is_told_from_a_collision() -> None:
    """By rule, values and slot; which event opened it does not matter."""
    rule = _rule()
    of = _member(rule)
    stored = build_group_alert(rule, hit(REACHED_OUT), of, context=CONTEXT).source
    later = _member(rule, {**REACHED_OUT, "@timestamp": "2026-11-22T05:11:00Z"}, Key("i", "y"))
    for alert in (stored, minimal_alert(stored)):
        assert same_group(alert, rule, of)
        assert same_group(alert, rule, later)
        assert not same_group(alert, rule, _member(rule, {**REACHED_OUT, "host": {"name": "WIN11"}}))
        assert not same_group(alert, rule, _member(rule, {**REACHED_OUT, "@timestamp": "2026-11-22T05:20:00Z"}))
        assert not same_group(alert, make_rule(id="other"), of)
    assert not same_group({}, rule, of)


def test_the_instance_is_the_group_in_any_slot() -> None:
    """So that the alerts of one group can be found together."""
    rule = _rule()
    slots = ({**REACHED_OUT, "@timestamp": f"2026-11-22T0{hour}:00:00Z"} for hour in (1, 2))
    alerts = [build_group_alert(rule, hit(source), _member(rule, source), context=CONTEXT) for source in slots]
    assert alerts[0].id != alerts[1].id
    assert alerts[0].source[fields.INSTANCE_ID] == alerts[1].source[fields.INSTANCE_ID]


@given(st.lists(folds, min_size=1, max_size=4))
@quick
def test_folding_is_idempotent_and_knows_no_order(found: Sequence[Fold]) -> None:
    """Reads that arrive late, twice or out of order leave the same alert, and it never shrinks."""
    results = []
    for order in permutations(found):
        alert: Any = {"kibana.alert.uuid": "x"}
        for members in order:
            grown = with_fold(alert, members)
            assert with_fold(grown, members) is grown
            assert grown[fields.SUPPRESSION_COUNT] >= alert.get(fields.SUPPRESSION_COUNT, 0)
            alert = grown
        results.append(alert)
    assert all(result == results[0] for result in results)
    assert results[0][fields.SUPPRESSION_COUNT] == max(members.count for members in found)
    assert results[0][fields.SUPPRESSION_START] == write_time(min(members.first for members in found))


def test_an_alert_is_brought_up_to_date_and_not_changed_in_place() -> None:
    """What an analyst wrote into it stays."""
    rule = _rule()
    of = _member(rule)
    alert = {**build_group_alert(rule, hit(REACHED_OUT), of, context=CONTEXT).source, fields.WORKFLOW_STATUS: "closed"}
    before = dict(alert)
    members = Fold(3, of.happened - timedelta(seconds=9), of.happened, NOW + timedelta(minutes=5))
    updated = with_fold(alert, members)
    assert alert == before
    assert {name: value for name, value in updated.items() if before[name] != value} == {
        "kibana.alert.suppression.docs_count": 2,
        "kibana.alert.suppression.start": "2026-11-22T05:10:00.123Z",
        "kibana.alert.last_detected": "2026-11-22T05:21:16.276Z",
        "lolbin.suppression.count": 3,
    }


@pytest.mark.parametrize("damage", [{fields.SUPPRESSION_COUNT: "many"}, {fields.SUPPRESSION_END: None}])
def test_an_alert_that_lost_its_fold_gets_it_back(damage: dict[str, Any]) -> None:
    """What cannot be read does not stop the fold."""
    alert = {**fold(Fold(2, NOW, NOW, NOW)), **damage}
    assert with_fold(alert, Fold(2, NOW, NOW, NOW)) == fold(Fold(2, NOW, NOW, NOW))


def test_members_are_added_up_by_the_store() -> None:
    """One bucket for each group that was asked about, exact on every shard; times come in milliseconds."""
    query, aggregations = fold_aggregation(["g1", "g2"])
    assert query == {"terms": {"kibana.alert.uuid": ["g1", "g2"]}}
    (name, groups), *others = aggregations.items()
    assert not others
    assert groups["terms"] == {"field": "kibana.alert.uuid", "size": 2}
    times = {"first": 1795324209123.0, "last": 1795324210000.0, "detected": 1795324576276.0}
    bucket = {"key": "g1", "doc_count": 3, **{key: {"value": value} for key, value in times.items()}}
    assert groups["aggs"].keys() == times.keys()
    assert read_fold({name: {"buckets": [bucket]}}) == {
        "g1": Fold(
            3,
            datetime(2026, 11, 22, 5, 10, 9, 123000, tzinfo=UTC),
            datetime(2026, 11, 22, 5, 10, 10, tzinfo=UTC),
            datetime(2026, 11, 22, 5, 16, 16, 276000, tzinfo=UTC),
        )
    }
    assert fold_aggregation([])[1][name]["terms"]["size"] == 1
