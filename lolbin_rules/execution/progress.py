"""One rule on its way through one execution. These objects change; everything they are made of is frozen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lolbin_rules.alert.build import ExecutionContext
from lolbin_rules.execution.record import Execution, Tally
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.plan import covered_until_cap, without_instants
from lolbin_rules.plan.window import Spans, Window, from_position, position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.rule_query import Given
from lolbin_rules.query.time_axis import EVENT_TIME, TimeAxis, axes_of
from lolbin_rules.rule.coverage_mode import CoverageMode, why_not
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.rule_types.match import Match
from lolbin_rules.rule_types.protocol import Evaluator
from lolbin_rules.store.port import Key, Query, Seen

if TYPE_CHECKING:
    from lolbin_rules.execution.shards import Pass

__all__ = ["Course", "Stretch", "isolated"]

LOG = logging.getLogger(__name__)


@contextmanager
def isolated(doing: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell of any fault in a sentence instead of raising it: what one rule or document brings about stops there.

    Args:
        doing: what is being done, such as "Compiling the rule".
        tell: what to do with the sentence.
    """
    try:
        yield
    except Exception as error:
        LOG.debug("%s failed", doing, exc_info=error)
        tell(f"{doing} failed with {type(error).__name__}: {error}. The time is searched again.")


@dataclass(slots=True)
class Course:
    """One rule's way through one execution.

    Attributes:
        execution: the record to be, with its tally.
        given: what the rule's query depends on besides the rule; None until that is known.
        compiled: the rule's query; None until it is compiled.
        coverage: the rule's state as last read from the store or written to it.
        seen: the state of its document; None while there is none.
        stretches: the windows to be searched, current first.
        reading: what is to be read by sequence numbers; None where nothing is.
        groups: for a rule with suppression: the alerts of the groups that were met.
        grown: alerts that stand for more events than when they were written, with what they are to say.
        created: ids of the alerts that this execution created.
        met: for a sweep: what this very logic had searched before.
        is_blind: the rule's index stands for nothing today, so that there is nothing to search.
    """

    execution: Execution
    given: Given | None = None
    compiled: Compiled | None = None
    fingerprint: str = ""
    coverage: Coverage | None = None
    seen: Seen | None = None
    stretches: list[Stretch] = field(default_factory=list)
    reading: Pass | None = None
    groups: set[Key] = field(default_factory=set)
    grown: dict[Key, Match] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)
    met: Spans = field(default_factory=Spans)
    is_blind: bool = False

    @property
    def rule(self) -> Rule:
        """The rule that is executed."""
        return self.execution.rule

    @property
    def tally(self) -> Tally:
        """What was done so far."""
        return self.execution.tally

    @property
    def context(self) -> ExecutionContext:
        """What every alert of this execution says of it."""
        execution = self.execution
        return ExecutionContext(execution.uuid, execution.started_at, execution.now, execution.kind, execution.is_sweep)

    @property
    def evaluator(self) -> Evaluator | None:
        """What finds the matches of the compiled rule; None where each hit is one."""
        return RULE_TYPES[self.rule.type].evaluator(self.rule, self.compiled) if self.compiled else None

    @property
    def axes(self) -> tuple[TimeAxis, ...]:
        """The axes of time that the compiled rule's hits lie on."""
        return axes_of(self.rule, is_single=self.evaluator is None)

    @property
    def mode(self) -> CoverageMode:
        """How the compiled rule is to be read, as far as a rule of its kind can be."""
        is_possible = not why_not(self.rule, is_single=self.evaluator is None)
        return self.rule.coverage or "event_time" if is_possible else "event_time"

    @property
    def planned(self) -> tuple[Window, ...]:
        """The windows that are searched, each once."""
        read = [self.reading.window] if self.reading else []
        return tuple(dict.fromkeys([*read, *(stretch.window for stretch in self.stretches)]))

    @property
    def query(self) -> Query:
        """The compiled query, kept off the indices that it cannot be asked of."""
        if self.compiled is None:
            raise AssertionError("a rule is compiled before it is searched")
        return self.compiled.fitted(self.compiled.query)

    @property
    def budget(self) -> int:
        """Alerts that may still be created."""
        return self.rule.max_alerts - self.tally.alerts

    def believed(self) -> list[Window]:
        """What was searched on every axis of the rule, with all alerts of it confirmed."""
        by_axis: dict[TimeAxis, list[Window]] = {}
        for stretch in self.stretches:
            by_axis.setdefault(stretch.axis, []).extend(stretch.believed())
        first, *others = by_axis.values() or ([],)
        for other in others:
            first = [part for window in first for part in Spans((window,)) & Spans(tuple(other))]
        return first

    def break_off(self, number: int) -> None:
        """Give up all stretches from this number on; a window that was read on some of its axes is not believed."""
        rest = self.stretches[number:]
        begun = {stretch.window for stretch in self.stretches[:number]}
        for stretch in rest:
            stretch.is_doubted = True
        self.stretches = [*self.stretches[:number], *(stretch for stretch in rest if stretch.window in begun)]
        self.tally.given_up = list(dict.fromkeys(stretch.window for stretch in rest))

    def fail(self, sentence: str) -> None:
        """Note why what was planned was not done."""
        self.tally.failures.append(sentence)

    def give_up(self, sentence: str) -> None:
        """Note why nothing of what was planned may be believed."""
        self.fail(sentence)
        for stretch in self.stretches:
            stretch.is_doubted = True
        if self.reading:
            self.reading.doubt()

    def isolated(self, doing: str) -> AbstractContextManager[None]:
        """Turn any fault of this rule into a failed execution, so that it never stops the others."""
        return isolated(doing, self.give_up)


@dataclass(slots=True)
class Stretch:
    """One rule's reading of one window.

    Attributes:
        course: whose.
        window: what is to be read.
        axis: the field of time that the window is about.
        reserve: alerts that this stretch must leave to later ones of the same execution.
        cut: where belief ends: the position (epoch milliseconds) of the first hit that was not written; None while
            there is none.
        holes: positions of hits that could not be written although later ones were.
        is_doubted: the window was not answered whole, so nothing of it may be believed.
        is_capped: the cut is due to `max_alerts`.
        is_stopped: the cut is due to a store that took no more alerts.
    """

    course: Course
    window: Window
    axis: TimeAxis = EVENT_TIME
    reserve: int = 0
    cut: int | None = None
    holes: list[int] = field(default_factory=list)
    is_doubted: bool = False
    is_capped: bool = False
    is_stopped: bool = False

    @property
    def allowance(self) -> int:
        """Alerts that this stretch may still create."""
        return max(0, self.course.budget - self.reserve)

    @property
    def wants_more(self) -> bool:
        """Whether later pages are of any use."""
        return self.cut is None and not self.is_doubted

    def restart(self) -> None:
        """Forget what was read: the window is read again from its start.

        A cut that is remembered would keep the second reading from writing what the first one left: its pages may have
        lacked a shard, or may not have been written to the end.
        """
        self.cut = None
        self.holes.clear()
        self.is_capped = False
        self.is_stopped = False

    def cut_at(self, place: int) -> None:
        """Believe nothing at or after this position."""
        # A document with several times may be found by a later one than it is ordered by.
        place = max(place, position(self.window.start))
        self.cut = place if self.cut is None else min(self.cut, place)

    def leave_hole(self, places: AbstractSet[int] | None) -> None:
        """Do not believe these positions of one document; None where they are not known."""
        inside = range(position(self.window.start), position(self.window.end))
        holes = [place for place in places or () if place in inside]
        if holes:
            self.holes += holes
        else:
            self.is_doubted = True

    @property
    def left(self) -> Window | None:
        """The part after the cut, where there is one."""
        if self.cut is None:
            return None
        return Window(from_position(self.cut), self.window.end)

    def unwritten(self) -> tuple[Window, ...]:
        """The time that is known to hold hits without their alert, whatever an earlier search found there."""
        holes = [Window(from_position(hole), from_position(hole + 1)) for hole in self.holes]
        left = [self.left] if self.left and (self.is_capped or self.is_stopped) else []
        return (*holes, *left)

    def believed(self) -> tuple[Window, ...]:
        """The parts of the window that were searched and whose alerts are all confirmed."""
        if self.is_doubted:
            return ()
        window = self.window if self.cut is None else covered_until_cap(self.window, self.cut)
        return tuple(without_instants(window, self.holes)) if window else ()
