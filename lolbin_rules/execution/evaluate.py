"""One rule evaluated over one window: what single hits do not say, such as thresholds and sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from lolbin_rules.alert.source import event_time, write_time
from lolbin_rules.errors import LolbinRulesError
from lolbin_rules.execution.progress import Course, isolated
from lolbin_rules.plan.window import Window, from_position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.time_axis import TIMESTAMP, TimeAxis
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.store.port import Hit, Store

__all__ = ["Evaluated", "evaluate", "matches_of"]

Take = Callable[[Sequence[Match]], bool]
"""Takes the matches of one page; answers whether more are wanted."""


class Evaluated:
    """What is known after an evaluation.

    Attributes:
        problems: what may be missing, as sentences; empty where every match was found.
        warnings: what an operator should know although nothing is lost.
        is_failed: there was no answer, or it broke off.
    """

    __slots__ = ("is_failed", "problems", "warnings")

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.is_failed = False

    @property
    def is_whole(self) -> bool:
        """Whether it may be believed that there are no other matches."""
        return not self.problems


def evaluate(course: Course, window: Window, store: Store, within: timedelta, take: Take) -> Evaluated:
    """Find the rule's matches in the window, in order of time, and hand them on page by page."""
    done = Evaluated()

    def note_fault(sentence: str) -> None:
        done.problems.append(sentence)
        done.is_failed = True

    with isolated("The evaluation", note_fault):
        try:
            for page in _pages(course, window, store, within):
                done.problems += page.problems
                done.warnings += page.warnings
                if not take(page.matches):
                    break
        except LolbinRulesError as error:
            note_fault(str(error))
    return done


def _pages(course: Course, window: Window, store: Store, within: timedelta) -> Iterator[MatchPage]:
    evaluator = course.evaluator
    if evaluator is None or course.given is None or course.compiled is None:
        raise AssertionError("only compiled rules with an evaluator are evaluated")
    asked = Asked(
        rule=course.rule,
        given=course.given,
        query=course.query,
        compiled=course.compiled,
        window=window,
        store=store,
        within=within,
        time_field=course.rule.timestamp_field or TIMESTAMP,
    )
    yield from evaluator(asked)


def matches_of(compiled: Compiled | None, hits: Sequence[Hit], axis: TimeAxis) -> list[Match]:
    """Hits that are matches by themselves, less those that only the query could not tell from matches."""
    keeps = compiled.keeps if compiled else None
    return [Match(_dated(hit, axis)) for hit in hits if keeps is None or keeps(hit.source)]


def _dated(hit: Hit, axis: TimeAxis) -> Hit:
    """The hit with a `@timestamp`: where it has none, such as an anomaly, that is the time by which it was found."""
    if axis.field == TIMESTAMP or event_time(hit.source) is not None:
        return hit
    return replace(hit, source={**hit.source, TIMESTAMP: write_time(from_position(hit.position))})
