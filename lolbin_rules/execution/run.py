"""Execute rules: search, then alerts, then coverage, then the record of it.

The order is the guarantee. Alerts are confirmed before coverage says that their time was searched; coverage that is
never written costs a second search, whose alerts are there already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lolbin_rules.errors import StoreError
from lolbin_rules.execution.coverage_documents import close_coverage, load_coverage, save_coverage
from lolbin_rules.execution.evaluate import evaluate, matches_of
from lolbin_rules.execution.fields import Exceptions, fit_to_indices
from lolbin_rules.execution.fold import fold_groups, fold_of_rules
from lolbin_rules.execution.growth import grow_alerts
from lolbin_rules.execution.held_back import count_held_back
from lolbin_rules.execution.new_indices import watch_indices, with_first_indices
from lolbin_rules.execution.patience import Patience, by_lag, leave
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.read import convict, read_shards, read_together
from lolbin_rules.execution.record import Execution, Kind, record_document
from lolbin_rules.execution.search import Search
from lolbin_rules.execution.sequence import begin_passes, needs_no_sweep, plan_pass, tell_of_caps, tell_of_expired
from lolbin_rules.execution.write import AlertWriter
from lolbin_rules.plan.coverage import Coverage, opened
from lolbin_rules.plan.logic import Logic
from lolbin_rules.plan.plan import plan, tolerance
from lolbin_rules.plan.window import DAWN, FOREVER, Spans, Window, before, floor
from lolbin_rules.rule.model import NamedList, Rule
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Hit, Store, Verdict

__all__ = ["Orders", "disable", "execute"]

LOG = logging.getLogger(__name__)
COUNT_WITHIN = timedelta(seconds=30)
EVALUATED_AT_ONCE = timedelta(hours=1)
"""Counts and sequences of a window are believed together: so much of the past, or one lookback, is done in time."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be executed.

    Attributes:
        rules: the rules that are due.
        lists: the named lists, by id.
        exceptions: the exception lists that apply to each rule, by the rule's id.
        now: the time to plan for; where it is ahead of the store's clock, the store's clock is believed.
        prefix: what the names of the indices that are written begin with.
        kind: `scheduled`: the current window and what is uncovered; `manual`: just `spans`.
        spans: for a manual execution and a sweep: what to search, by rule id.
        gap_horizon: how far back a scheduled execution looks for uncovered time.
        is_sweep: to search again only what of `spans` was asked, for what has become searchable since.
        goes_on: asked between the windows of a sweep; where it says no, the rest is given up for this time.
        search_within: how long the store may take over one window before it is given up for this time.
        within: how long all windows may take; what is left then is left to the next execution. None: no limit.
    """

    rules: Sequence[Rule]
    lists: Mapping[str, NamedList]
    now: datetime
    prefix: str = "lolbin"
    kind: Kind = "scheduled"
    spans: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)
    gap_horizon: timedelta = timedelta(days=7)
    search_within: timedelta = timedelta(minutes=2)
    within: timedelta | None = None
    exceptions: Exceptions = field(default_factory=dict)
    is_sweep: bool = False
    goes_on: Callable[[], bool] = lambda: True


def execute(orders: Orders, store: Store, convicted: set[str] | None = None) -> list[Execution]:
    """Execute every rule of the orders once; one rule's failure never stops another's.

    Args:
        orders: what is to be executed.
        store: where events are read and alerts written.
        convicted: ids of rules that made a common request fail last time; they are searched alone. Updated in place.

    Returns:
        One execution for each rule, in the order of the rules. Nothing is raised for what the store does.
    """
    courses = [Course(_execution(rule, orders, orders.now)) for rule in orders.rules]
    began = time.perf_counter()
    with _failing(courses, "The store's clock could not be read"):
        started_at = floor(store.clock())
        for course in courses:
            course.execution = _execution(course.rule, orders, started_at)
        _execute(courses, orders, store, set() if convicted is None else convicted)
        for course in courses:
            course.tally.total_time = timedelta(seconds=time.perf_counter() - began)
        _record(courses, orders, store)
    return [course.execution for course in courses]


def disable(orders: Orders, store: Store) -> None:
    """Note that the rules of these orders are disabled: from now on their time is not asked.

    Raises:
        StoreError: their coverage could not be read or written.
    """
    courses = [Course(_execution(rule, orders, orders.now)) for rule in orders.rules]
    if courses:
        close_coverage(courses, store, orders.prefix)
        for course in courses:
            for sentence in course.tally.failures:
                LOG.warning("%s: %s", course.rule.id, sentence)


def _execution(rule: Rule, orders: Orders, started_at: datetime) -> Execution:
    now = floor(min(orders.now, started_at))
    return Execution(rule, orders.kind, started_at=started_at, now=now, is_sweep=orders.is_sweep)


class _failing:  # noqa: N801 - reads as the statement it stands in
    """Fail these courses where the store fails, and go on."""

    def __init__(self, courses: Iterable[Course], doing: str) -> None:
        self._courses = courses
        self._doing = doing

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, StoreError):
            return False
        for course in self._courses:
            course.give_up(f"{self._doing}: {error}")
        return True


def _execute(courses: Sequence[Course], orders: Orders, store: Store, convicted: set[str]) -> None:
    fit_to_indices(courses, orders.lists, orders.exceptions, store)
    ready = [course for course in courses if course.compiled]
    with _failing(ready, "The coverage could not be read or written"):
        _open(ready, orders, store)
        ready = [course for course in ready if not course.tally.failures]
        if orders.kind == "scheduled" and not orders.is_sweep:
            watch_indices(ready, orders.gap_horizon, store, orders.prefix)
            ready = [course for course in ready if not course.tally.failures]
            begin_passes(ready, orders.gap_horizon, store)
        for course in ready:
            with course.isolated("Planning"):
                _plan(course, orders)
    _search_all(ready, orders, store, convicted)
    for course in ready:
        with course.isolated("Settling what was found"):
            _settle_groups(course, store, orders.prefix)
            _tell_what_is_left(course, store)
            count_held_back(course, store)
    with _failing(ready, "The coverage could not be written"):
        _save(ready, orders, store)


def _open(courses: Sequence[Course], orders: Orders, store: Store) -> None:
    """Read each rule's coverage and begin what is new: the rule, or its logic."""

    def begin(course: Course) -> Coverage:
        rule, now = course.rule, course.execution.now
        if orders.kind == "manual":
            return with_first_indices(course, _asked_for(course, _spans(course, orders)))
        return with_first_indices(course, opened(course.coverage, rule.id, now, rule.lookback, course.fingerprint))

    load_coverage(courses, store, orders.prefix)
    before = {course.rule.id: course.coverage for course in courses}
    _settle_edited(courses, orders, store)
    save_coverage([course for course in courses if not course.tally.failures], begin, store, orders.prefix)
    load_coverage([course for course in courses if course.coverage != before[course.rule.id]], store, orders.prefix)


def _settle_edited(courses: Sequence[Course], orders: Orders, store: Store) -> None:
    """Count what earlier logics have left uncounted, before they are followed by others, which do not meet it again."""
    edited = [
        course
        for course in courses
        if course.coverage and course.coverage.logics.current.fingerprint != course.fingerprint
    ]
    if edited:
        since = before(min(course.execution.now for course in edited), orders.gap_horizon)
        with _failing(edited, "The counts of suppressed alerts could not be brought up to date"):
            problems = fold_of_rules([course.rule.id for course in edited], since, store, orders.prefix)
            for course in edited:
                course.tally.problems += problems


def _asked_for(course: Course, spans: Iterable[Window]) -> Coverage:
    """The coverage after a person asked for these spans: nothing else of a rule that never ran becomes asked."""
    rule, coverage = course.rule, course.coverage
    logic = Logic(course.fingerprint, before(course.execution.started_at, rule.lookback))
    if coverage is None:
        coverage = replace(Coverage.begin(rule.id, logic.since, logic.fingerprint), asked=Spans())
    elif coverage.logics.current.fingerprint != logic.fingerprint:
        coverage = replace(coverage, logics=coverage.logics.edited(logic))
    for span in spans:
        coverage = coverage.with_asked(span)
    return coverage


def _spans(course: Course, orders: Orders) -> list[Window]:
    """What a person asked to search, up to the store's present: the machine's clock may be ahead of it."""
    past = Window(DAWN, course.execution.started_at)
    return [part for span in orders.spans[course.rule.id] if (part := span.overlap(past))]


def _plan(course: Course, orders: Orders) -> None:
    if course.coverage is None:
        return
    rule, now = course.rule, course.execution.now
    axes = course.axes
    if course.reading is not None:
        plan_pass(course, orders.gap_horizon)
        return
    if orders.kind == "manual":
        course.stretches = [Stretch(course, window, axis) for window in _spans(course, orders) for axis in axes]
        return
    if orders.is_sweep and needs_no_sweep(course):
        course.tally.warnings.append("It is read by sequence numbers, which miss nothing late; a sweep has no use.")
        return
    if orders.is_sweep:
        course.met = _met(course.coverage, course.fingerprint)
        # Before its beginning, what a logic finds that it never searched there is not late: it was not asked.
        own = course.coverage.asked & (course.met | Spans.between(course.coverage.logics.current.since, FOREVER))
        again = [part for window in _spans(course, orders) for part in Spans((window,)) & own]
        course.stretches = [Stretch(course, window, axis) for window in again for axis in axes]
        return
    chunk = None if course.evaluator is None else max(rule.lookback, EVALUATED_AT_ONCE)
    planned = plan(rule.interval, rule.lookback, course.coverage, now, gap_horizon=orders.gap_horizon, chunk=chunk)
    share = max(1, rule.max_alerts // 4) if planned.backlog else 0
    course.stretches = [Stretch(course, planned.current, axis, reserve=share) for axis in axes]
    oldest_then_newest = [*planned.backlog[-1:], *planned.backlog[:-1]]
    course.stretches += [Stretch(course, window, axis) for window in oldest_then_newest for axis in axes]
    tell_of_expired(course, planned)


def _met(coverage: Coverage, fingerprint: str) -> Spans:
    """The time that a logic has searched, and in which it has left nothing over."""
    found = (stretch.window for stretch in coverage.searched if stretch.logic == fingerprint)
    return Spans(tuple(found)) - coverage.left_over


def _search_all(courses: Sequence[Course], orders: Orders, store: Store, convicted: set[str]) -> None:
    """First everybody's current window, then everybody's backlog, rules with the same window in one request."""
    writer = AlertWriter(store, orders.prefix)
    patience = Patience(orders.search_within, orders.within)
    courses = by_lag(courses)
    read_shards(courses, patience, convicted, store, writer)
    rounds = max((len(course.stretches) for course in courses), default=0)
    for number in range(rounds):
        if number and orders.is_sweep and (patience.is_over or not orders.goes_on()):
            for course in courses:
                course.break_off(number)
            break
        stretches = [course.stretches[number] for course in courses if number < len(course.stretches)]
        seeing = [stretch for stretch in stretches if not stretch.course.is_blind]
        for together in _batches(seeing, convicted):
            if patience.is_over:
                leave(together)
            elif together[0].course.evaluator is not None:
                _evaluate(together[0], patience, store, writer)
            else:
                convict(convicted, together, _search(together, patience, store, writer))


def _evaluate(stretch: Stretch, patience: Patience, store: Store, writer: AlertWriter) -> None:
    """Evaluate one window for a rule whose matches are more than single hits."""
    course = stretch.course
    spent_writing = 0.0

    def take(matches: Sequence[Match]) -> bool:
        nonlocal spent_writing
        began = time.perf_counter()
        writer.take([(stretch, matches)])
        spent_writing += time.perf_counter() - began
        if patience.is_over and stretch.wants_more:
            leave([stretch], at=matches[-1].hit.position if matches else None)
        return stretch.wants_more

    began = time.perf_counter()
    done = evaluate(course, stretch.window, store, patience.within, take)
    course.tally.search_time += timedelta(seconds=time.perf_counter() - began - spent_writing)
    course.tally.write_time += timedelta(seconds=spent_writing)
    course.tally.warnings += done.warnings
    if not done.is_whole:
        stretch.is_doubted = True
        (course.tally.failures if done.is_failed else course.tally.problems).extend(done.problems)


def _batches(stretches: Sequence[Stretch], convicted: AbstractSet[str]) -> list[list[Stretch]]:
    batches: dict[object, list[Stretch]] = {}
    for stretch in stretches:
        rule = stretch.course.rule
        alone = rule.id if rule.id in convicted or stretch.course.evaluator is not None else ""
        batches.setdefault((rule.index, stretch.window, stretch.axis, alone), []).append(stretch)
    return list(batches.values())


def _search(stretches: Sequence[Stretch], patience: Patience, store: Store, writer: AlertWriter) -> set[str]:
    """Search one window for all these rules; the ids of those that had no whole answer."""
    first = stretches[0]
    queries = {stretch.course.rule.id: stretch.course.query for stretch in stretches}
    asked = Search.over(first.course.rule.index, queries, first.window, patience.within, first.axis, patience)

    def matches(course: Course, hits: Sequence[Hit]) -> list[Match]:
        return matches_of(course.compiled, hits, first.axis)

    return read_together(stretches, asked, matches, store, writer)


def _settle_groups(course: Course, store: Store, prefix: str) -> None:
    """Suppressed groups must be counted exactly before anyone may believe that their time is done."""
    try:
        course.tally.problems += fold_groups(sorted(course.groups), store, prefix)
        course.tally.problems += grow_alerts(course.grown, store)
    except StoreError as error:
        course.give_up(f"The counts of suppressed alerts could not be brought up to date: {error}")


def _tell_what_is_left(course: Course, store: Store) -> None:
    for stretch in course.stretches:
        if course.is_blind or (course.compiled and course.compiled.left_out):
            stretch.is_doubted = True
        if stretch.is_capped and stretch.left:
            _tell_of_cap(stretch, stretch.left, store)
    tell_of_caps(course, store)


def _tell_of_cap(stretch: Stretch, left: Window, store: Store) -> None:
    course = stretch.course
    query = {"bool": {"filter": [course.query, stretch.axis.within(left)]}}
    course.tally.is_capped = True
    many = "matches" if course.evaluator else "hits (how many could not be counted)"
    if course.evaluator is None:
        with suppress(StoreError):
            course.tally.deferred += store.count(course.rule.index, query, within=COUNT_WITHIN).value
            many = f"{course.tally.deferred} hits"
    course.tally.problems.append(
        f"The cap of {course.rule.max_alerts} alerts was reached; {many} from {left.start.isoformat()} on "
        "are left to the next executions, none is dropped. Raise max_alerts or make the rule narrower if this goes on."
    )


def _save(courses: Sequence[Course], orders: Orders, store: Store) -> None:
    """Write what was searched with success; only then is it counted as searched."""
    planned = [course for course in courses if course.planned and course.coverage is not None]
    is_all_written = not any(stretch.unwritten() for course in planned for stretch in course.stretches)
    # Not before the searches that met what is unwritten: only one that begins later is sure to meet it as well.
    ended_at = DAWN if is_all_written else floor(store.clock())
    failures = {course.rule.id: len(course.tally.failures) for course in planned}
    save_coverage(planned, lambda course: _searched(course, ended_at, orders.gap_horizon), store, orders.prefix)
    for course in planned:
        if len(course.tally.failures) == failures[course.rule.id]:
            course.tally.searched = [*(course.reading.searched if course.reading else ()), *course.believed()]
            course.tally.has_moved = course.reading is not None and course.reading.has_moved


def _searched(course: Course, ended_at: datetime, horizon: timedelta) -> Coverage:
    """The coverage with what the course may believe, and without what it knows to be unwritten."""
    coverage, rule = course.coverage, course.rule
    if coverage is None:
        raise AssertionError("a course that was planned has a coverage")
    late = tolerance(rule.interval, rule.lookback)
    for window in course.believed():
        coverage = coverage.with_searched(window, course.execution.started_at, course.fingerprint, late)
    for stretch in course.stretches:
        for window in stretch.unwritten():
            coverage = coverage.with_deferred(window, ended_at)
    if course.reading is None:
        return coverage
    return course.reading.noted_in(coverage, late, horizon)


def _record(courses: Sequence[Course], orders: Orders, store: Store) -> None:
    """Write the records but of idle sweeps; an execution whose record is lost has still done what it did."""
    for course in courses:
        is_elsewise = course.mode == "sequence" and course.reading is None
        mode = "event_time" if is_elsewise else course.mode
        course.execution = replace(course.execution, planned=course.planned, mode=mode, logic=course.fingerprint)
    courses = [course for course in courses if not course.execution.is_idle]
    if not courses:
        return
    try:
        outcomes = store.create([record_document(course.execution, orders.prefix) for course in courses])
    except StoreError as error:
        LOG.warning("The records of %d executions could not be written: %s", len(courses), error)
        return
    for course, outcome in zip(courses, outcomes, strict=True):
        if outcome.verdict not in {Verdict.CREATED, Verdict.EXISTS}:
            LOG.warning("The record of %s could not be written: %s", course.rule.id, outcome.reason)
