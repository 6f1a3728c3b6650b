"""What rules would alert on, without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from lolbin_rules.alert import fields
from lolbin_rules.alert.ancestors import is_own_alert
from lolbin_rules.alert.build import build_alert, build_group_alert
from lolbin_rules.alert.identity import alert_id
from lolbin_rules.alert.suppression import Fold, Member, member, with_fold
from lolbin_rules.execution.fields import fit_to_indices
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.search import Search, search
from lolbin_rules.plan.window import Window
from lolbin_rules.rule.model import NamedList
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

    def take(self, hits: Sequence[Hit]) -> None:
        """Add what these hits would raise."""
        rule = self.course.rule
        for hit in hits:
            if is_own_alert(rule.id, hit.source):
                continue
            self.hits += 1
            joined = member(rule, hit, prefix="preview", context=self.course.context)
            name = joined.group_id if joined else alert_id(rule.id, hit.key)
            if name in self.ids:
                self._fold(name, joined)
            elif len(self.ids) < self.most:
                self.alerts[name] = self._build(hit, name, joined)
            self.ids.add(name)

    def restart(self) -> None:
        """Everything is read again from the start; alerts of single events are known by their ids, groups grow anew."""
        self.hits = 0
        if self.course.rule.suppression is not None:
            self.alerts.clear()
            self.ids.clear()

    def _build(self, hit: Hit, name: str, joined: Member | None) -> Mapping[str, Any]:
        rule, context = self.course.rule, self.course.context
        if joined:
            return build_group_alert(rule, hit, joined, context=context).source
        return build_alert(rule, hit, alert_id=name, context=context).source

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
    store: Store,
    after_page: Callable[[Preview], None] = lambda _: None,
) -> None:
    """Search one window for the rules of all previews; problems are in their courses' tallies.

    Args:
        previews: what is found is added to these.
        window: the time that is searched.
        lists: the named lists that rules refer to.
        store: where.
        after_page: called for each preview that got hits, page by page.
    """
    fit_to_indices([found.course for found in previews], lists, store)
    together: dict[tuple[str, ...], list[Preview]] = {}
    for found in previews:
        if found.course.compiled is not None and not found.course.is_blind:
            together.setdefault(found.course.rule.index, []).append(found)
    for index, some in together.items():
        _search(index, some, window, store, after_page)


def _search(
    index: tuple[str, ...],
    previews: Sequence[Preview],
    window: Window,
    store: Store,
    after_page: Callable[[Preview], None],
) -> None:
    by_id = {found.course.rule.id: found for found in previews}

    def consume(pages: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
        for name, hits in pages.items():
            by_id[name].take(hits)
            after_page(by_id[name])
        return set()

    def restart(names: Iterable[str]) -> None:
        for name in names:
            by_id[name].restart()

    queries = {name: found.course.query for name, found in by_id.items()}
    for name, answer in search(Search(index, queries, window, WITHIN), store, consume, restart).items():
        course = by_id[name].course
        (course.tally.failures if answer.is_failed else course.tally.problems).extend(answer.problems)
        course.execution = replace(course.execution, planned=(window,))
