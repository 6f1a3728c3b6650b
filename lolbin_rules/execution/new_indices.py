"""Indices that came after time was searched which they hold documents of: noticed, and that time searched again.

Which indices there are comes with the types of their fields. Only those that are not known yet are looked at, and
everything that follows from a look is written before anything is searched: who is interrupted in between looks again.
A rule that is read by sequence numbers reads the shards of an index that is new from their start, but only for time
since its beginning: what lies before that is searched by time. When all is read, the rest of the gap is closed as well.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from lolbin_rules.alert.identity import undecorated
from lolbin_rules.errors import StoreError, StoreUnavailable
from lolbin_rules.execution.coverage_documents import load_coverage, save_coverage
from lolbin_rules.execution.progress import Course
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.indices import Bounds, Indices, Look, Named, hour_of
from lolbin_rules.plan.window import DAWN, Spans, Window, before, floor, from_position, position
from lolbin_rules.query.time_axis import TimeAxis
from lolbin_rules.rule_types.sequence_candidates import reach, settling
from lolbin_rules.store.port import Query, Store

__all__ = ["watch_indices", "with_first_indices"]

WITHIN = timedelta(seconds=30)
MOST_KNOWN = 5000
"""Indices that are remembered of a rule, at some 30 bytes each."""
MOST_LOOKS = 100
"""Indices that are looked at in one execution; the others are looked at by the next."""
MOST_NAMES = 50
"""Indices in one request; their names stand in its address."""
MOST_LISTED = 3


@dataclass(slots=True)
class Watched:
    """The indices of one rule, and what is to be seen of them.

    Attributes:
        course: whose.
        names: what is known of each that there is -> its name.
        wanted: which are to be looked at, and with which bounds.
        looks: what was seen.
    """

    course: Course
    names: Mapping[str, str]
    wanted: dict[str, Bounds] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)

    @property
    def present(self) -> dict[str, Named]:
        """As they are remembered."""
        return _as_remembered(self.names)


def watch_indices(courses: Iterable[Course], horizon: timedelta, store: Store, prefix: str) -> None:
    """Notice indices that are new to the rules' searches, and write what of their time is to be searched again.

    Raises:
        StoreError: what was noticed could not be written, or the store's clock not be read.
    """
    watched = {course.rule.id: each for course in courses if (each := _watched(course, horizon)) is not None}
    _look(list(watched.values()), store)
    has_looked = any(each.looks for each in watched.values())
    looked_at = floor(store.clock()) if has_looked else DAWN
    own = [each.course for each in watched.values()]
    was = {course.rule.id: course.coverage for course in own}
    save_coverage(own, lambda course: _after(course, watched[course.rule.id], looked_at), store, prefix)
    changed = [course for course in own if course.coverage != was[course.rule.id]]
    load_coverage(changed, store, prefix)
    if not (has_looked and changed):
        return
    begun_at = floor(store.clock())
    for course in changed:
        # What is searched from now on has met the new indices, which must be told from what was searched before.
        course.execution = replace(course.execution, started_at=begun_at)
        _tell(watched[course.rule.id], was[course.rule.id], horizon)


def with_first_indices(course: Course, coverage: Coverage) -> Coverage:
    """The coverage before a search: by a pattern that was never searched, the indices that are there will be known."""
    index, known = course.rule.index, coverage.indices
    if not index or (known is not None and known.of == index) or len(listed := _listed_names(course)) > MOST_KNOWN:
        return coverage
    # By a version that did not know which there are, it may have been; what is there is known all the same.
    return replace(coverage, indices=Indices.begin(index, _as_remembered(listed)))


def _listed_names(course: Course) -> dict[str, str]:
    """What is known of the rule's indices -> their names; not of those that it cannot be asked of."""
    if course.given is None or course.compiled is None:
        return {}
    types, left_out = course.given.types, course.compiled.left_out
    names = frozenset[str]().union(*types.indices.values()).difference(left_out)
    # An index of another cluster is known by its name alone.
    return {
        _digest(types.identities.get(name, name)): name for name in names if name in types.identities or ":" in name
    }


def _as_remembered(names: Mapping[str, str]) -> dict[str, Named]:
    return {identity: _named(name) for identity, name in names.items()}


# Every execution of every rule asks for nearly the same indices.
@lru_cache(maxsize=2 * MOST_KNOWN)
def _named(name: str) -> Named:
    bare = undecorated(name)
    return Named(_digest(bare), bare != name)


@lru_cache(maxsize=4 * MOST_KNOWN)
def _digest(identity: str) -> str:
    return base64.urlsafe_b64encode(hashlib.blake2b(identity.encode(), digest_size=9).digest()).decode()


def _watched(course: Course, horizon: timedelta) -> Watched | None:
    rule, coverage = course.rule, course.coverage
    if coverage is None or not rule.index:
        return None
    watched = Watched(course, _listed_names(course))
    if len(watched.names) > MOST_KNOWN:
        course.tally.warnings.append(
            f"{', '.join(rule.index)} stands for more than {MOST_KNOWN} indices; new ones with earlier events are not "
            "noticed."
        )
        return None
    known = coverage.indices
    if known is not None and known.of == rule.index:
        now, present = course.execution.now, course.execution.started_at
        recent = before(now, rule.lookback)
        bounds = Bounds(min(hour_of(before(now, horizon)), hour_of(recent)), recent, present)
        unknown = known.unknown(watched.present)
        newest_first = sorted(unknown, key=lambda name: (name in known.young, name))
        for name in newest_first[:MOST_LOOKS]:
            young = known.young.get(name)
            watched.wanted[name] = young.look.bounds if young else bounds
    return watched


def _after(course: Course, watched: Watched, looked_at: datetime) -> Coverage:
    if course.coverage is None:
        raise AssertionError("coverage is opened before it is planned with")
    # Somebody else may have searched by another pattern meanwhile.
    known = with_first_indices(course, course.coverage)
    return known.with_looks(watched.present, watched.looks, looked_at, _reach(course))


def _reach(course: Course) -> timedelta:
    """How far behind an event the sequences may lie that it is a part of; all else lies where its events do."""
    plan = course.compiled.plan if course.compiled else None
    return reach(plan, course.rule.lookback) + settling(plan) if plan and not plan.is_sample else timedelta()


def _look(watched: Sequence[Watched], store: Store) -> None:
    """Look at what is to be looked at, the same for several rules once."""
    together: dict[tuple[tuple[TimeAxis, ...], Bounds], dict[str, list[tuple[Watched, str]]]] = {}
    for each in watched:
        for digest, bounds in each.wanted.items():
            found = together.setdefault((each.course.axes, bounds), {})
            found.setdefault(each.names[digest], []).append((each, digest))
    for (axes, bounds), asking in together.items():
        names = sorted(asking)
        for start in range(0, len(names), MOST_NAMES):
            some = names[start : start + MOST_NAMES]
            try:
                looks = _looks(some, axes, bounds, store)
            except StoreError as error:
                _regret(some, asking, error)
                continue
            for name in some:
                for each, digest in asking[name]:
                    each.looks[digest] = looks[name]


def _regret(names: Sequence[str], asking: Mapping[str, list[tuple[Watched, str]]], error: StoreError) -> None:
    courses = {each.course.rule.id: each.course for name in names for each, _ in asking[name]}
    for course in courses.values():
        course.tally.warnings.append(
            f"Whether new indices ({_listed(names)}) hold events of time that was searched before could not be told: "
            f"{error} The next execution asks again."
        )


def _looks(names: Sequence[str], axes: Sequence[TimeAxis], bounds: Bounds, store: Store) -> dict[str, Look]:
    """What each of these indices holds.

    Raises:
        StoreError: not everything answered.
    """
    looks = {name: Look(bounds) for name in names}
    for axis in axes:
        by_hour = {"hours": {"date_histogram": {"field": axis.field, "fixed_interval": "1h", "min_doc_count": 1}}}
        for window in Spans.between(bounds.start, bounds.recent):
            for name, bucket in _by_index(names, axis.within(window), by_hour, store):
                hours = dict(looks[name].hours)
                for hour, count in _hours(bucket, window):
                    hours[hour] = hours.get(hour, 0) + count
                looks[name] = replace(looks[name], hours=hours)
        for window in Spans.between(bounds.recent, bounds.end):
            for name, bucket in _by_index(names, axis.within(window), {}, store):
                looks[name] = replace(looks[name], recent=looks[name].recent + int(bucket["doc_count"]))
        edges = {"first": {"min": {"field": axis.field}}, "last": {"max": {"field": axis.field}}}
        for name, bucket in _by_index(names, _older(axis, bounds.start), edges, store):
            looks[name] = _with_older(looks[name], bucket)
    return looks


def _by_index(
    names: Sequence[str], query: Query, inner: Mapping[str, Any], store: Store
) -> list[tuple[str, Mapping[str, Any]]]:
    terms = {"terms": {"field": "_index", "size": len(names)}}
    by_index = {"indices": {**terms, "aggs": inner} if inner else terms}
    answer = store.aggregate(names, query, by_index, within=WITHIN)
    if not answer.is_whole:
        raise StoreUnavailable(f"not every shard of {_listed(names)} answered.")
    buckets = answer.values.get("indices", {}).get("buckets", ())
    return [(bucket["key"], bucket) for bucket in buckets if bucket["key"] in names]


def _older(axis: TimeAxis, start: datetime) -> Query:
    """Events of this axis before a moment."""
    earlier: Query = {"range": {axis.field: {"lt": position(start), "format": "epoch_millis"}}}
    if axis.unless is None:
        return earlier
    return {"bool": {"filter": [earlier], "must_not": [{"exists": {"field": axis.unless}}]}}


def _hours(bucket: Mapping[str, Any], window: Window) -> Iterator[tuple[datetime, int]]:
    for each in bucket["hours"]["buckets"]:
        # A document with several times is counted with all of them.
        if position(window.start) <= each["key"] < position(window.end):
            yield from_position(int(each["key"])), int(each["doc_count"])


def _with_older(look: Look, bucket: Mapping[str, Any]) -> Look:
    first = from_position(max(int(bucket["first"]["value"]), position(DAWN)))
    last = min(from_position(max(int(bucket["last"]["value"]), position(DAWN))), look.bounds.start)
    if look.oldest is not None:
        first, last = min(first, look.oldest[0]), max(last, look.oldest[1])
    return replace(look, older=look.older + int(bucket["doc_count"]), oldest=(first, last))


def _tell(watched: Watched, was: Coverage | None, horizon: timedelta) -> None:
    course = watched.course
    if course.coverage is None or was is None:
        return
    now = course.execution.now
    again = (course.coverage.unmet - was.unmet) & Spans.between(DAWN, before(now, course.rule.lookback))
    if course.mode == "sequence" and (numbered := course.coverage.sequence):
        again &= Spans.between(DAWN, numbered.since)  # the rest is read by numbers right now
    if not again:
        return
    names = sorted(watched.names[digest] for digest, look in watched.looks.items() if look.total)
    expired = " What lies beyond the gap horizon is searched only where somebody asks for it: coverage --fill."
    is_expired = again.windows[0].start < before(now, horizon)
    course.tally.warnings.append(
        f"Indices that are new ({_listed(names)}) hold events of time that was searched before; {again.duration} of "
        f"it, from {again.windows[0].start.isoformat()} on, is searched again.{expired if is_expired else ''}"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more
