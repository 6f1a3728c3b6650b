"""What rules would alert on, without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import is_own_alert
from lolbin_rules.alert.build import Told, build_alert, build_blocks, build_group_alert
from lolbin_rules.alert.identity import Identity, alert_key
from lolbin_rules.alert.suppression import Fold, Member, member, with_fold
from lolbin_rules.execution.evaluate import evaluate, matches_of
from lolbin_rules.execution.fields import Exceptions, fit_to_indices
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.search import Search, search
from lolbin_rules.plan.window import Window
from lolbin_rules.query.time_axis import TimeAxis
from lolbin_rules.rule.model import NamedList
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Hit, Store

__all__ = ["Preview", "preview"]

WITHIN = timedelta(minutes=10)
"""A person waits for it, and may look at years."""


@dataclass(slots=True)
class Preview:
    """The alerts that a rule would raise.

    Attributes:
        course: the rule, with its compiled query and what stands in its way.
        most: how many alerts are built.
        alerts: the first of them by id, as they would be stored.
        ids: all of them.
        hits: documents that matched.
    """

    course: Course
    most: int
    alerts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    hits: int = 0

    def take(self, matches: Sequence[Match]) -> None:
        """Add what these matches would raise."""
        rule = self.course.rule
        for match in matches:
            if any(is_own_alert(rule.id, hit.source) for hit in match.events or (match.hit,)):
                continue
            self.hits += 1
            known = Identity(match.identity, match.dated)
            joined = member(rule, match.hit, prefix="preview", context=self.course.context, identity=known)
            name = joined.group_id if joined else alert_key("preview", rule.id, match.hit, known).id
            if name in self.ids:
                self._fold(name, joined)
            elif len(self.ids) < self.most:
                self._build(match, name, joined, known)
            self.ids.add(name)

    def restart(self) -> None:
        """Everything is read again from the start; alerts of single events are known by their ids, groups grow anew."""
        self.hits = 0
        if self.course.rule.suppression is not None:
            self.alerts.clear()
            self.ids.clear()

    def _build(self, match: Match, name: str, joined: Member | None, known: Identity) -> None:
        rule, context = self.course.rule, self.course.context
        told = Told(match.fields, known, match.events)
        if joined:
            self.alerts[name] = build_group_alert(rule, match.hit, joined, context=context, told=told).source
            return
        self.alerts[name] = build_alert(rule, match.hit, alert_id=name, context=context, told=told).source
        for block in build_blocks(rule, match.events, group=name, context=context):
            self.alerts[block.id] = block.source

    def _fold(self, name: str, joined: Member | None) -> None:
        if joined is None or name not in self.alerts:
            return
        alert = self.alerts[name]
        count = int(alert[fields.SUPPRESSION_COUNT]) + 1
        times = Fold(count, joined.happened, joined.happened, self.course.context.created_at)
        self.alerts[name] = with_fold(alert, times)


def preview(
    previews: Sequence[Preview],
    window: Window,
    lists: Mapping[str, NamedList],
    exceptions: Exceptions,
    store: Store,
    after_page: Callable[[Preview], None] = lambda _: None,
) -> None:
    """Search one window for the rules of all previews; problems are in their courses' tallies.

    Args:
        previews: what is found is added to these.
        window: the time that is searched.
        lists: the named lists that rules refer to.
        exceptions: the exception lists that apply to each rule.
        store: where.
        after_page: called for each preview that got hits, page by page.
    """
    fit_to_indices([found.course for found in previews], lists, exceptions, store)
    together: dict[tuple[tuple[str, ...], TimeAxis], list[Preview]] = {}
    for found in previews:
        if found.course.compiled is None or found.course.is_blind:
            continue
        if found.course.evaluator is not None:
            _evaluate(found, window, store, after_page)
        else:
            for axis in found.course.axes:
                together.setdefault((found.course.rule.index, axis), []).append(found)
    for (index, axis), some in together.items():
        _search(index, some, window, axis, store, after_page)


def _evaluate(found: Preview, window: Window, store: Store, after_page: Callable[[Preview], None]) -> None:
    course = found.course

    def take(matches: Sequence[Match]) -> bool:
        found.take(matches)
        after_page(found)
        return True

    done = evaluate(course, window, store, WITHIN, take)
    course.tally.warnings += done.warnings
    (course.tally.failures if done.is_failed else course.tally.problems).extend(done.problems)
    course.execution = replace(course.execution, planned=(window,))


def _search(
    index: tuple[str, ...],
    previews: Sequence[Preview],
    window: Window,
    axis: TimeAxis,
    store: Store,
    after_page: Callable[[Preview], None],
) -> None:
    by_id = {found.course.rule.id: found for found in previews}

    def consume(pages: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
        for name, hits in pages.items():
            by_id[name].take(matches_of(by_id[name].course.compiled, hits, axis))
            after_page(by_id[name])
        return set()

    def restart(names: Iterable[str]) -> None:
        for name in names:
            by_id[name].restart()

    queries = {name: found.course.query for name, found in by_id.items()}
    for name, answer in search(Search.over(index, queries, window, WITHIN, axis), store, consume, restart).items():
        course = by_id[name].course
        (course.tally.failures if answer.is_failed else course.tally.problems).extend(answer.problems)
        course.execution = replace(course.execution, planned=(window,))
