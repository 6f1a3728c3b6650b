"""The store of the simulation does what every adapter of the port does: the same tests, run on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lolbin_rules.store.port import Store
from simulated_executions.memory_store import MemoryStore
from store import test_conformance
from store.bench import Bench

globals().update({name: test for name, test in vars(test_conformance).items() if name.startswith("test_")})


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A store in memory, open."""
    opened = MemoryStore(clock=lambda: datetime.now(UTC))
    yield Bench(opened, "t-")
    opened.close()


@pytest.fixture
def store(bench: Bench) -> Store:
    """The store of the bench."""
    return bench.store
