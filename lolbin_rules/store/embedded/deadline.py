"""How long one request may take; the only place of this store that looks at a stopwatch."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from lolbin_rules.errors import StoreOverwhelmed, StoreUnavailable

__all__ = ["Deadline", "Stop"]


class Stop:
    """Whether the store was told to stop; any thread may ask and tell."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """From now on nothing is begun, and waits end."""
        self._event.set()

    def wait(self, span: timedelta) -> None:
        """Wait so long, or until it is set."""
        self._event.wait(span.total_seconds())

    def check(self) -> None:
        """Go on only if it is not set.

        Raises:
            StoreUnavailable: it is.
        """
        if self._event.is_set():
            raise StoreUnavailable("The store was not asked: the program is stopping. Start it again to go on.")


class Deadline:
    """Time that one request may spend in the store; the caller's own, between `pause` and `resume`, is not counted.

    Args:
        stop: ends the request as well.
        within: how long it may take; None for as long as it takes.
    """

    def __init__(self, stop: Stop, within: timedelta | None = None) -> None:
        self.stop = stop
        self._within = within
        self._left = within.total_seconds() if within is not None else 0.0
        self._since = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self._within is not None and time.monotonic() - self._since >= self._left

    def check(self) -> None:
        """Go on only if there is time left.

        Raises:
            StoreOverwhelmed: there is none.
            StoreUnavailable: the store was told to stop.
        """
        self.stop.check()
        if self.is_over:
            raise StoreOverwhelmed(
                f"The store has taken {self._within} without finishing. Ask for less at once, or allow more time."
            )

    def wait(self, span: timedelta) -> None:
        """Wait so long, or until the store is told to stop."""
        self.stop.wait(span)

    def pause(self) -> None:
        """Stop counting."""
        self._left -= time.monotonic() - self._since

    def resume(self) -> None:
        """Go on counting."""
        self._since = time.monotonic()
