"""Reading for several rules in one request: their hits become alerts page by page, and each learns what to believe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import TypeAlias

from lolbin_rules.execution.patience import Patience, leave
from lolbin_rules.execution.progress import Course, Stretch
from lolbin_rules.execution.search import Answer, Search, search
from lolbin_rules.execution.sequence import shard_batches, shard_matches, shard_queries
from lolbin_rules.execution.shards import SEQ_NO
from lolbin_rules.execution.write import AlertWriter
from lolbin_rules.rule_types.match import Match
from lolbin_rules.store.port import Hit, Store

__all__ = ["convict", "read_shards", "read_together"]

Matches: TypeAlias = Callable[[Course, Sequence[Hit]], list[Match]]
"""Which of a rule's hits are matches."""


def read_together(
    stretches: Sequence[Stretch], asked: Search, matches: Matches, store: Store, writer: AlertWriter
) -> set[str]:
    """Read what is asked for all these rules; the ids of those that had no whole answer."""
    by_rule = {stretch.course.rule.id: stretch for stretch in stretches}
    spent_writing = 0.0

    def consume(found: Mapping[str, Sequence[Hit]]) -> AbstractSet[str]:
        nonlocal spent_writing
        began = time.perf_counter()
        writer.take(
            [
                (by_rule[name], matches(by_rule[name].course, hits))
                for name, hits in found.items()
                if by_rule[name].wants_more
            ]
        )
        spent_writing += time.perf_counter() - began
        return {name for name, stretch in by_rule.items() if not stretch.wants_more}

    def restart(names: Iterable[str]) -> None:
        for name in names:
            by_rule[name].restart()

    began = time.perf_counter()
    answers = search(asked, store, consume, restart)
    spent = time.perf_counter() - began
    for name, answer in answers.items():
        _believe(by_rule[name], answer)
        by_rule[name].course.tally.search_time += timedelta(seconds=spent - spent_writing)
        by_rule[name].course.tally.write_time += timedelta(seconds=spent_writing)
    return {name for name, answer in answers.items() if not answer.is_whole}


def _believe(stretch: Stretch, answer: Answer) -> None:
    if answer.is_whole:
        return
    if answer.read_until is None:
        stretch.is_doubted = True
    else:
        stretch.cut_at(answer.read_until)
    noted = stretch.course.tally.failures if answer.is_failed else stretch.course.tally.problems
    noted.extend(answer.problems)


def convict(convicted: set[str], together: Iterable[Stretch], failed: AbstractSet[str]) -> None:
    """Of rules that were read together: those that alone had no whole answer are read by themselves from now on."""
    everybody = {stretch.course.rule.id for stretch in together}
    convicted.difference_update(everybody - failed)
    convicted.update(failed if failed != everybody else ())


def read_shards(
    courses: Sequence[Course], patience: Patience, convicted: set[str], store: Store, writer: AlertWriter
) -> None:
    """Read what is unread in the shards for the rules that are read by sequence numbers."""
    for together in shard_batches(courses, convicted):
        if patience.is_over:
            leave(together)
            continue
        first = together[0]
        shard = first.progress.shard
        queries = shard_queries(together)
        asked = Search((shard.index,), queries, first.condition, SEQ_NO.field, patience.within, patience, shard)
        convict(convicted, together, read_together(together, asked, shard_matches, store, writer))
