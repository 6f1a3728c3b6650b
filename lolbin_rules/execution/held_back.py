"""How many events each exception held back, so that nobody forgets what a rule does not tell."""

from __future__ import annotations

from datetime import timedelta

from lolbin_rules.errors import StoreError
from lolbin_rules.execution.progress import Course
from lolbin_rules.store.port import Store

__all__ = ["count_held_back"]

WITHIN = timedelta(seconds=30)
COUNTED = "exceptions"


def count_held_back(course: Course, store: Store) -> None:
    """Count, for each item of the rule's exception lists, the events of the windows that it held back.

    What cannot be counted is a warning: no alert depends on it.
    """
    compiled = course.compiled
    windows = [stretch.axis.within(stretch.window) for stretch in course.stretches]
    if course.reading:  # counted by time: late ones are not seen, and no alert depends on it
        windows += [axis.within(course.reading.window) for axis in course.axes]
    if compiled is None or compiled.without_exceptions is None or not windows or course.is_blind:
        return
    names = [f"{each.list_id}: {each.name}" for each in compiled.exceptions]
    within = {"bool": {"should": windows, "minimum_should_match": 1}}
    query = {"bool": {"filter": [compiled.without_exceptions, within]}}
    counts = {COUNTED: {"filters": {"filters": {str(n): each.query for n, each in enumerate(compiled.exceptions)}}}}
    try:
        answer = store.aggregate(course.rule.index, query, counts, within=WITHIN)
    except StoreError as error:
        course.tally.warnings.append(f"What the rule's exceptions held back could not be counted: {error}")
        return
    buckets = answer.values[COUNTED]["buckets"] if answer.values else {}
    for number, bucket in buckets.items():
        if bucket["doc_count"]:
            name = names[int(number)]
            course.tally.held_back[name] = course.tally.held_back.get(name, 0) + bucket["doc_count"]
