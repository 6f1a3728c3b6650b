"""The times of the command line: what they mean, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lolbin_rules.asked_time import asked_span, asked_time
from lolbin_rules.errors import SettingsError
from lolbin_rules.plan.window import Window

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)


def test_no_time_is_the_present() -> None:
    """Nothing asked, nothing answered."""
    assert asked_time(NOW, None, None, None) is None


def test_a_past_time_is_floored_to_a_millisecond() -> None:
    """As every time of a plan is."""
    assert asked_time(NOW, "2026-01-01T00:00:00.1239Z", None, None) == datetime(
        2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC
    )


def test_a_span_without_an_end_ends_now() -> None:
    """The present, floored."""
    assert asked_span(NOW, "2026-01-01", None) == Window(
        datetime(2026, 1, 1, tzinfo=UTC), NOW.replace(microsecond=678_000)
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("2026-01-01", "2026-01-01", None), "two ways"),
        ((None, None, "2026-01-01"), "Give both"),
        ((None, "2026-01-02", "2026-01-01"), "nothing between"),
        ((None, "2027-01-01", None), "lies ahead"),
        (("soon", None, None), "is no time"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: tuple[str | None, str | None, str | None], said: str) -> None:
    """With a sentence that says what to do."""
    with pytest.raises(SettingsError, match=said):
        asked_time(NOW, *given)
