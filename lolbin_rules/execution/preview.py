"""What a rule would alert on, without writing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        alerts: the first of them by id, as they would be stored, at most the rule's `max_alerts`.
        ids: all of them.
        hits: documents that matched.
    """

    course: Course
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
            elif len(self.alerts) < rule.max_alerts:
                self.alerts[name] = self._build(hit, name, joined)
            self.ids.add(name)

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


def preview(course: Course, window: Window, lists: Mapping[str, NamedList], store: Store) -> Preview:
    """Search one window for the course's rule; problems are in the course's tally."""
    found = Preview(course)
    fit_to_indices([course], lists, store)
    if course.compiled is None or course.is_blind:
        return found

    def consume(pages: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
        for hits in pages.values():
            found.take(hits)
        return set()

    rule = course.rule
    answers = search(Search(rule.index, {rule.id: course.query}, window, WITHIN), store, consume)
    for answer in answers.values():
        (course.tally.failures if answer.is_failed else course.tally.problems).extend(answer.problems)
    course.execution = replace(course.execution, planned=(window,))
    return found
