"""Rules read by sequence numbers: which they are, what is unread in the shards behind their indices, and reading that.

The order is the guarantee here too. How far the shards have come is asked first, then they are refreshed, then they are
read up to there: what has a number up to a global checkpoint is on every copy of its shard, and after the refresh every
copy finds it. A cursor moves only after the alerts of everything before it are confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lolbin_rules.alert.source import event_time, write_time
from lolbin_rules.errors import StoreError
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.shards import SEQ_NO, Pass, ShardStretch, key_of
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.plan import Plan, plan, tolerance
from lolbin_rules.plan.sequence import UNREAD
from lolbin_rules.plan.sequence import Sequence as SequenceAxis
from lolbin_rules.plan.window import DAWN, FOREVER, Spans, Window, before
from lolbin_rules.query.time_axis import TIMESTAMP, lies_within
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Hit, Query, ShardFailure, ShardProgress, Store

__all__ = [
    "begin_passes",
    "needs_no_sweep",
    "plan_pass",
    "shard_batches",
    "shard_matches",
    "shard_queries",
    "tell_of_caps",
    "tell_of_expired",
]

LOOK_WITHIN = timedelta(seconds=30)
MANY: Final = 10
"""So many shards that were never read are worth a request that tells which indices hold anything that is asked."""
MOST_NAMES: Final = 50
"""Indices in one request; their names stand in its address."""
PATIENCE = timedelta(hours=1)
NOTHING: Query = {"match_none": {}}


def needs_no_sweep(course: Course) -> bool:
    """Whether a sweep could find nothing that the next execution does not find, late documents included.

    While reading by numbers keeps failing, the rule is swept as others are.
    """
    rule, coverage = course.rule, course.coverage
    if course.mode != "sequence" or coverage is None or coverage.sequence is None:
        return False
    known = coverage.sequence
    return known.goes_on(coverage.logics.current, coverage.asked) and known.is_current(
        course.execution.started_at, max(PATIENCE, 2 * rule.interval)
    )


def begin_passes(courses: Iterable[Course], horizon: timedelta, store: Store) -> None:
    """Look what is unread for the rules that are read by sequence numbers, and make it searchable.

    Where the store does not tell or does not do that, their execution is one of event time, and says so.
    """
    together: dict[tuple[str, ...], list[Course]] = {}
    for course in courses:
        if course.mode == "sequence" and course.coverage is not None and not course.is_blind:
            together.setdefault(course.rule.index, []).append(course)
    for index, some in together.items():
        try:
            _begin(index, some, horizon, store)
        except StoreError as error:
            for course in some:
                course.reading = None
                course.tally.warnings.append(_falls_back(course, error))


def _falls_back(course: Course, error: StoreError) -> str:
    late = tolerance(course.rule.interval, course.rule.lookback)
    return (
        f"The shards of {', '.join(course.rule.index)} could not be read by sequence numbers: {error} This execution "
        f"searched by event_time instead: what becomes searchable later than {late} after its time is left to sweeps, "
        "or to the first execution that can read by numbers again."
    )


def _begin(index: tuple[str, ...], courses: Sequence[Course], horizon: timedelta, store: Store) -> None:
    progress = store.shard_progress(index)
    for course in courses:
        course.reading = _pass(course, course.coverage, horizon)
        _list_unread(course.reading, progress)
    # A shard that is nowhere has no progress to tell of; a search names it.
    failures = store.count(index, NOTHING, within=LOOK_WITHIN).failures
    failing = {failure.index for failure in failures}
    unread = {shard.progress.shard.index for course in courses for shard in _unread(course)}
    names = sorted(name for name in unread if failing.isdisjoint({name, ""}))
    for start in range(0, len(names), MOST_NAMES):
        store.refresh(names[start : start + MOST_NAMES])
    for course in courses:
        _doubt_failing(course, failures)
    _pass_over_empty(index, courses, store)


def _pass(course: Course, coverage: Coverage | None, horizon: timedelta) -> Pass:
    if coverage is None:
        raise AssertionError("coverage is opened before it is planned with")
    logic, now = coverage.logics.current, course.execution.now
    known = coverage.sequence
    if known is None or not known.goes_on(logic, coverage.asked):
        begun = SequenceAxis.begin(logic, now, max(horizon, course.rule.lookback))
        # That more is asked of it must not take anything from what was promised.
        since = known.since if known is not None and known.goes_on(logic, Spans()) else begun.since
        known = replace(begun, since=min(since, begun.since))
    owed = (coverage.asked - coverage.covered) & Spans.between(known.since, now)
    start = min([before(now, course.rule.lookback), *(window.start for window in owed)])
    return Pass(course, known, coverage.asked, Window(start, now))


def _list_unread(reading: Pass, progress: Sequence[ShardProgress]) -> None:
    course = reading.course
    left_out = course.compiled.left_out if course.compiled else ()
    reading.present = frozenset(key_of(each) for each in progress)
    reading.is_doubted = bool(left_out)
    reading.shards = [
        ShardStretch(course, reading.window, SEQ_NO, progress=each, before=cursor)
        for each in progress
        if each.shard.index not in left_out
        for cursor in [reading.cursor_of(each)]
        if each.global_checkpoint >= cursor.next or cursor.left
    ]


def _unread(course: Course) -> list[ShardStretch]:
    return course.reading.shards if course.reading else []


def _doubt_failing(course: Course, failures: Sequence[ShardFailure]) -> None:
    """What is not refreshed may be read, but not believed."""
    if not failures or course.reading is None:
        return
    course.reading.is_doubted = True
    failing = {failure.index for failure in failures}
    for shard in course.reading.shards:
        shard.is_stale = not failing.isdisjoint({shard.progress.shard.index, ""})
    course.tally.problems += dict.fromkeys(
        f"A shard of {failure.index or 'some index'} did not answer: {failure.reason}; it is read when it does."
        for failure in failures
    )


def _pass_over_empty(index: tuple[str, ...], courses: Sequence[Course], store: Store) -> None:
    """Of many shards that were never read, most are old: one request tells which hold nothing that is asked."""
    never = [shard for course in courses for shard in _unread(course) if shard.before == UNREAD]
    names = {shard.progress.shard.index for shard in never}
    if len(names) < MANY:
        return
    asked: Query = {"bool": {"should": [_asked(course) for course in courses], "minimum_should_match": 1}}
    by_index = {"indices": {"terms": {"field": "_index", "size": 2 * len(names) + 1000}}}
    answer = store.aggregate(index, asked, by_index, within=LOOK_WITHIN)
    buckets = answer.values["indices"] if answer.is_whole and "indices" in answer.values else None
    if buckets is None or buckets.get("sum_other_doc_count"):
        return
    full = {bucket["key"] for bucket in buckets["buckets"]}
    for shard in never:
        shard.is_empty = shard.progress.shard.index not in full


def _asked(course: Course) -> Query:
    """Documents of time that is asked, and those that lie nowhere in time; no others, however late they come."""
    if course.reading is None:
        raise AssertionError("only what is read by numbers is asked so")
    spans = course.reading.asked & Spans.between(course.reading.begun.since, FOREVER)
    return lies_within(course.axes, spans, or_is_undated=not course.rule.timestamp_override_fallback_disabled)


def plan_pass(course: Course, horizon: timedelta) -> None:
    """Plan the searches by time that are needed besides: of what was asked before the rule was read by numbers."""
    reading, coverage, rule = course.reading, course.coverage, course.rule
    if reading is None or coverage is None:
        return
    early = Spans.between(DAWN, reading.begun.since)
    before_it = replace(coverage, asked=coverage.asked & early)
    planned = plan(rule.interval, rule.lookback, before_it, course.execution.now, gap_horizon=horizon)
    tell_of_expired(course, planned)
    # What a cap left over may lie beyond what is asked, where a clock was set back since; numbers do not ask for it.
    by_time = (early & coverage.asked) | (coverage.left_over - coverage.asked)
    owed = (by_time & Spans((planned.current, *planned.backlog))).windows
    oldest_then_newest = [*owed[:1], *reversed(owed[1:])]
    course.stretches = [Stretch(course, window, axis) for window in oldest_then_newest for axis in course.axes]
    share = max(1, rule.max_alerts // 4) if course.stretches else 0
    for shard in reading.shards:
        shard.reserve = share


def tell_of_expired(course: Course, planned: Plan) -> None:
    """Say which time is searched only where somebody asks for it."""
    course.tally.warnings += [
        f"The time {window} was never searched and lies beyond the gap horizon; search it with once --from --to."
        for window in planned.expired
    ]


def shard_batches(courses: Iterable[Course], convicted: Iterable[str]) -> list[list[ShardStretch]]:
    """What is read in one request each: the same numbers of the same shard.

    The one that was not read for longest comes first, so that a cap that one shard uses up comes to the others too.
    """
    alone = frozenset(convicted)
    found: dict[object, list[ShardStretch]] = {}
    for course in courses:
        for shard in _unread(course):
            if not shard.is_empty:
                name = course.rule.id if course.rule.id in alone else ""
                found.setdefault((shard.progress, shard.before.next, shard.before.left, name), []).append(shard)
    return sorted(found.values(), key=lambda some: min((shard.before.read_at, shard.unread) for shard in some))


def shard_queries(together: Iterable[ShardStretch]) -> dict[str, Query]:
    """The queries of these rules, each for what is asked of it."""
    return {
        shard.course.rule.id: {"bool": {"filter": [shard.course.query, _asked(shard.course)]}} for shard in together
    }


def shard_matches(course: Course, hits: Sequence[Hit]) -> list[Match]:
    """Hits that are matches, dated as a search by time dates them: alerts are known by that."""
    keeps = course.compiled.keeps if course.compiled else None
    return [Match(_dated(course, hit)) for hit in hits if keeps is None or keeps(hit.source)]


def _dated(course: Course, hit: Hit) -> Hit:
    if event_time(hit.source) is not None:
        return hit
    moments = (event_time(hit.source, axis.field) for axis in course.axes)
    moment = next((moment for moment in moments if moment is not None), None)
    return hit if moment is None else replace(hit, source={**hit.source, TIMESTAMP: write_time(moment)})


def tell_of_caps(course: Course, store: Store) -> None:
    """Say what a cap left in the shards to later executions."""
    if course.reading is None:
        return
    capped = [shard for shard in course.reading.shards if shard.is_capped and shard.cut is not None]
    if not capped:
        return
    course.tally.is_capped = True
    counts = [_left_in(shard, course.reading, store) for shard in capped]
    known = sum(count for count in counts if count is not None)
    course.tally.deferred += known
    many = f"{known} hits" if None not in counts else f"{known} hits, and more that could not be counted,"
    course.tally.problems.append(
        f"The cap of {course.rule.max_alerts} alerts was reached; {many} in {len(capped)} shards are left to the next "
        "executions, none is dropped. Raise max_alerts or make the rule narrower if this goes on."
    )


def _left_in(shard: ShardStretch, reading: Pass, store: Store) -> int | None:
    """How many hits are left; None where that cannot be told: counts are of whole indices."""
    index = shard.progress.shard.index
    if sum(other.progress.shard.index == index for other in reading.shards) > 1 or shard.progress.shard.number:
        return None
    numbers: Query = {
        "range": {SEQ_NO.field: {"gte": shard.cut, "lte": shard.progress.global_checkpoint}},
    }
    query: Query = {"bool": {"filter": [*shard_queries([shard]).values(), numbers]}}
    with suppress(StoreError):
        return store.count([index], query, within=LOOK_WITHIN).value
    return None
