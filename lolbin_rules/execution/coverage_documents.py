"""Each rule's coverage as one document, written only over the state it was read in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lolbin_rules.execution.progress import Course
from lolbin_rules.plan.coverage import Coverage, closed
from lolbin_rules.plan.document import from_document, to_document
from lolbin_rules.store.port import Document, Key, Put, Store, Verdict

__all__ = ["close_coverage", "load_coverage", "save_coverage"]

ATTEMPTS = 5

Change = Callable[[Course], Coverage]
"""The coverage that a course should have, computed from the one it was last read with; must be safe to repeat."""


def load_coverage(courses: Sequence[Course], store: Store, prefix: str) -> None:
    """Read the state of each course's rule.

    Raises:
        StoreError: it could not be read.
    """
    keys = [_key(course, prefix) for course in courses]
    for course, stored in zip(courses, store.get(keys) if keys else [], strict=True):
        course.coverage, course.seen = None, None
        if stored is not None:
            with course.isolated("Reading the coverage"):
                course.coverage, course.seen = from_document(stored.source), stored.seen


def save_coverage(courses: Iterable[Course], change: Change, store: Store, prefix: str) -> None:
    """Write the changed state of each course's rule, in one request; nothing where nothing changes.

    Where somebody else wrote meanwhile, their state is read and the change made to that. A state that cannot be written
    fails the execution: its alerts are there, and its time will be searched again.

    Raises:
        StoreError: the state could not be read again.
    """
    left = [course for course in courses if _change(course, change)]
    for _ in range(ATTEMPTS):
        if not left:
            return
        left = _put(left, store, prefix)
        if left:
            load_coverage(left, store, prefix)
            left = [course for course in left if _change(course, change)]
    for course in left:
        course.fail("The coverage kept changing under this execution and was not written; the time is searched again.")


def close_coverage(courses: Sequence[Course], store: Store, prefix: str) -> None:
    """Note that the rules of these courses are disabled: from now on their time is not asked.

    Raises:
        StoreError: the state could not be read or written.
    """
    load_coverage(courses, store, prefix)
    save_coverage([course for course in courses if course.coverage], _close, store, prefix)


def _close(course: Course) -> Coverage:
    if course.coverage is None:
        raise AssertionError("a document that was read does not vanish; coverage is never deleted")
    return closed(course.coverage, course.execution.now)


def _change(course: Course, change: Change) -> bool:
    before = course.coverage
    with course.isolated("Computing the coverage"):
        course.coverage = change(course)
        return course.coverage != before
    return False


def _put(courses: Sequence[Course], store: Store, prefix: str) -> list[Course]:
    """Write; the courses whose document somebody else changed."""
    puts = [
        Put(Document(_key(course, prefix), to_document(course.coverage)), course.seen)
        for course in courses
        if course.coverage is not None
    ]
    conflicts = []
    for course, outcome in zip(courses, store.put(puts), strict=True):
        if outcome.verdict is Verdict.CONFLICT:
            conflicts.append(course)
        elif outcome.verdict not in {Verdict.CREATED, Verdict.UPDATED}:
            course.fail(f"The coverage could not be written: {outcome.reason}. The time is searched again.")
    return conflicts


def _key(course: Course, prefix: str) -> Key:
    return Key(f"{prefix}-coverage", course.rule.id)
