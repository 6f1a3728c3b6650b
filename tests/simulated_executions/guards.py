"""The guards of the executions, each taken away: with any of them gone, the simulation must find a broken promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from lolbin_rules.alert import identity
from lolbin_rules.execution import item, new_indices, run, search, sweep, write
from lolbin_rules.execution.item import Fate
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.record import Execution
from lolbin_rules.execution.shards import ShardStretch
from lolbin_rules.plan import indices, plan, sequence
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.window import DAWN, Spans, Window, floor, from_position
from lolbin_rules.rule_types import buckets
from lolbin_rules.store.port import Key, Outcome, Page, Put, Scan, Verdict
from simulated_executions.faults import FaultyStore
from simulated_executions.memory_store import MemoryStore

__all__ = ["GUARDS"]

Removed = Callable[[], AbstractContextManager[Any]]


def _partial_flag() -> AbstractContextManager[Any]:
    """A page that is not whole is believed."""
    return patch.object(search, "_problems", lambda page: [])


def _partial_flag_of_counts() -> AbstractContextManager[Any]:
    """So is an aggregation."""
    return patch.object(buckets, "doubts", lambda answer: ())


@contextmanager
def _partial_flag_of_sequences() -> Iterator[None]:
    """So are the events of a sequence."""
    with patch.object(Page, "is_whole", property(lambda page: True)), patch.object(search, "_problems", _problems):
        yield


def _problems(page: Page) -> list[str]:
    return ["partial"] if page.failures or page.timed_out else []


def _item_verdict() -> AbstractContextManager[Any]:
    """An alert that was not written passes for written."""
    return patch.object(write, "FATES", {**write.FATES, Verdict.UNAVAILABLE: Fate.CREATED})


def _compare_and_set() -> AbstractContextManager[Any]:
    """What is stored is written over, whatever state it is in."""
    keep = MemoryStore.put

    def put(store: MemoryStore, puts: Sequence[Put]) -> list[Outcome]:
        seen = [
            replace(each, seen=found.seen if found else None)
            for each in puts
            for found in store.get([each.document.key])
        ]
        return keep(store, seen)

    return patch.object(MemoryStore, "put", put)


def _order_of_writes() -> AbstractContextManager[Any]:
    """Coverage is written before the alerts of its time."""
    search_all = run._search_all

    def eager(courses: Sequence[Course], orders: Any, store: Any, convicted: set[str]) -> None:
        with run._failing(courses, "The coverage could not be written"):
            run._save(courses, orders, store)
            search_all(courses, orders, store, convicted)

    return patch.object(run, "_search_all", eager)


def _deferral() -> AbstractContextManager[Any]:
    """What is over the cap is dropped."""

    def up_to_cap(items: Sequence[item.Item], there: Any) -> list[item.Item]:
        cut = items[0].stretch.cut
        kept = item.up_to_cap(items, there)
        items[0].stretch.cut = cut
        items[0].stretch.is_capped = False
        return kept

    return patch.object(write, "up_to_cap", up_to_cap)


@contextmanager
def _tolerance() -> Iterator[None]:
    """Time is done once it was searched, however early."""
    with patch.object(plan, "tolerance", _none), patch.object(run, "tolerance", _none):
        yield


def _none(*_: timedelta) -> timedelta:
    return timedelta()


def _whole_millisecond() -> AbstractContextManager[Any]:
    """The millisecond in which a cap cut is believed."""

    def covered(window: Window, first_unwritten: int) -> Window | None:
        return Window(window.start, min(window.end, max(window.start, from_position(first_unwritten + 1))))

    return patch("lolbin_rules.execution.progress.covered_until_cap", covered)


def _tie_breaker() -> AbstractContextManager[Any]:
    """A page begins after the last position of the page before, so that ties at its edge are skipped."""
    pages = MemoryStore.scan

    def scan(store: MemoryStore, request: Scan) -> Iterator[Page]:
        last = -(2**63)
        for page in pages(store, request):
            hits = tuple(hit for hit in page.hits if hit.position > last)
            yield replace(page, hits=hits)
            last = page.hits[-1].position if page.hits else last

    return patch.object(MemoryStore, "scan", scan)


def _order_of_pages() -> AbstractContextManager[Any]:
    """Hits come newest first."""
    pages = MemoryStore.scan

    def scan(store: MemoryStore, request: Scan) -> Iterator[Page]:
        every = list(pages(store, request))
        for place, page in enumerate(every):
            yield replace(every[-1 - place], hits=every[-1 - place].hits[::-1], failures=page.failures)

    return patch.object(MemoryStore, "scan", scan)


def _fixed_ids() -> AbstractContextManager[Any]:
    """An alert's id depends on its execution."""
    build = identity.alert_key

    def alert_key(prefix: str, rule_id: str, hit: Any, known: Any) -> Key:
        key = build(prefix, rule_id, hit, known)
        _fixed_ids.counted = getattr(_fixed_ids, "counted", 0) + 1  # type: ignore[attr-defined]
        return Key(key.index, f"{key.id}-{_fixed_ids.counted}")  # type: ignore[attr-defined]

    return patch.object(write, "alert_key", alert_key)


def _belief_up_to_a_break() -> AbstractContextManager[Any]:
    """A search that broke off is believed to its end."""
    return patch.object(Stretch, "cut_at", lambda stretch, place: None)


def _refresh_before_counting() -> AbstractContextManager[Any]:
    """Members that are not searchable yet are not counted."""
    refresh = MemoryStore.refresh
    return patch.object(MemoryStore, "refresh", lambda store, index: refresh(store, [n for n in index if "ev-" in n]))


def _clock_of_the_store() -> AbstractContextManager[Any]:
    """The runner's clock is believed, wherever it stands."""

    def execution(rule: Any, orders: Any, started_at: Any) -> Any:
        return Execution(rule, orders.kind, started_at=orders.now, now=floor(orders.now))

    return patch.object(run, "_execution", execution)


def _holes() -> AbstractContextManager[Any]:
    """The moment of a single alert that could not be written is believed."""
    return patch.object(Stretch, "leave_hole", lambda stretch, places: None)


def _members_of_groups() -> AbstractContextManager[Any]:
    """Whether members of groups were written is not looked at."""
    return patch.object(write, "_has_joined", lambda item, outcome: True)


@contextmanager
def _members_before_alerts() -> Iterator[None]:
    """The alert of a group is written before its members."""
    join, create = write.AlertWriter._joined, write.AlertWriter._create
    waiting: list[item.Item] = []

    def joined(writer: write.AlertWriter, items: Sequence[item.Item]) -> list[item.Item]:
        waiting[:] = items
        return list(items)

    def created(writer: write.AlertWriter, openers: Any, there: Any) -> dict[Key, item.Settled]:
        settled = create(writer, openers, there)
        join(writer, waiting)
        return settled

    with patch.object(write.AlertWriter, "_joined", joined), patch.object(write.AlertWriter, "_create", created):
        yield


def _sweeps() -> AbstractContextManager[Any]:
    """Nothing is ever swept."""
    return patch.object(sweep.Sweeps, "owed", lambda sweeps, rules, now: {})


def _counting_before_belief() -> AbstractContextManager[Any]:
    """Groups whose counts could not be brought up to date are believed to be done."""
    return patch.object(run, "_settle_groups", lambda course, store, prefix: None)


def _counting_before_an_edit() -> AbstractContextManager[Any]:
    """What an earlier logic left uncounted is left to hits of the new one."""
    return patch.object(run, "_settle_edited", lambda courses, orders, store: None)


def _refresh_before_reading() -> AbstractContextManager[Any]:
    """Shards are read without a refresh, up to numbers that searches do not find yet."""
    refresh = FaultyStore.refresh
    return patch.object(
        FaultyStore, "refresh", lambda store, index: refresh(store, [n for n in index if not n.startswith("ev-")])
    )


def _belief_in_shards() -> AbstractContextManager[Any]:
    """A shard is read to its end whatever failed, and whatever a cap left."""
    return patch.object(
        ShardStretch,
        "after",
        lambda stretch, moment: sequence.Cursor(max(stretch.before.next, stretch.progress.global_checkpoint + 1)),
    )


def _new_indices() -> AbstractContextManager[Any]:
    """Which indices there are is not looked at."""
    return patch.object(run, "watch_indices", lambda courses, horizon, store, prefix: None)


def _young_indices() -> AbstractContextManager[Any]:
    """A new index is looked at once."""
    return patch.object(indices, "QUIET", timedelta(-1))


def _looks_before_searches() -> AbstractContextManager[Any]:
    """What was searched before an index was looked at passes for searched with it."""
    with_looks = Coverage.with_looks
    return patch.object(
        Coverage, "with_looks", lambda coverage, there, looks, _, reach: with_looks(coverage, there, looks, DAWN, reach)
    )


def _sequences_of_new_indices() -> AbstractContextManager[Any]:
    """Only the hours of a new index's events are searched again, not where sequences end that they begin."""
    return patch.object(new_indices, "_reach", lambda _: timedelta())


def _passed_over() -> AbstractContextManager[Any]:
    """Cursors go on though time was asked for of which they have passed over documents."""
    goes_on = sequence.Sequence.goes_on
    return patch.object(sequence.Sequence, "goes_on", lambda known, logic, _: goes_on(known, logic, Spans()))


GUARDS: Mapping[str, tuple[Removed, int]] = {
    "a partial page is not believed": (_partial_flag, 40),
    "a partial aggregation is not believed": (_partial_flag_of_counts, 70),
    "partial events of sequences are not believed": (_partial_flag_of_sequences, 30),
    "every item of a bulk is looked at": (_item_verdict, 0),
    "compare and set": (_compare_and_set, 0),
    "alerts before coverage": (_order_of_writes, 0),
    "a cap defers": (_deferral, 0),
    "time is settled only once late documents had come": (_tolerance, 0),
    "a cut leaves out its whole millisecond": (_whole_millisecond, 0),
    "ties at the edge of a page": (_tie_breaker, 10),
    "pages come in order": (_order_of_pages, 0),
    "alerts have fixed ids": (_fixed_ids, 0),
    "a search that breaks off is believed up to there": (_belief_up_to_a_break, 0),
    "members are refreshed before they are counted": (_refresh_before_counting, 0),
    "the store's clock decides": (_clock_of_the_store, 25),
    "an alert that cannot be written leaves a hole": (_holes, 36),
    "members of groups are looked at one by one": (_members_of_groups, 5),
    "memberships before the alert of their group": (_members_before_alerts, 44),
    "sweeps": (_sweeps, 5),
    "counts are exact before time is done": (_counting_before_belief, 0),
    "counts are exact before another logic takes over": (_counting_before_an_edit, 140),
    "shards are refreshed before they are read": (_refresh_before_reading, 303),
    "a cursor stands before what is not confirmed": (_belief_in_shards, 10),
    "new indices are looked at": (_new_indices, 0),
    "new indices are looked at until nothing more comes": (_young_indices, 235),
    "only searches after a look have met a new index": (_looks_before_searches, 0),
    "a new index is searched for the sequences that it begins": (_sequences_of_new_indices, 752739),
    "what was passed over and asked for by hand is read": (_passed_over, 20),
}
"""What each guard is for -> what takes it away, and a seed not long before the first that shows it."""
