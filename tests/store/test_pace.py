"""How many hits a scan asks for at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.store.elasticsearch import pace
from lolbin_rules.store.elasticsearch.pace import Pace


@given(st.integers(1, 10_000), st.lists(st.none() | st.integers(0, 10**9), max_size=60))
def test_a_pace_stays_within_its_bounds(most: int, events: list[int | None]) -> None:
    """Whatever comes: a page has a hit at least, no more than was asked for, and grows fourfold at most."""
    tried = Pace(most)
    for event in events:
        before = tried.size
        if event is None:
            assert tried.shrink() == (before > 1)
            assert tried.size == max(1, before // 4)
        else:
            tried.note(before, event)
            assert tried.size <= 4 * before
            assert tried.size * event // before <= pace.MOST_BYTES or tried.size == 1
        assert 1 <= tried.size <= most


def test_a_pace_that_was_too_fast_grows_slowly() -> None:
    """A page that was too much is not tried again with the next one."""
    tried = Pace(1000)
    for _ in range(3):
        tried.note(tried.size, 10)
    assert tried.size == 1000
    tried.shrink()
    sizes = []
    for _ in range(24):
        tried.note(tried.size, 10)
        sizes.append(tried.size)
    assert sizes == [250] * 7 + [500] * 8 + [1000] * 9
