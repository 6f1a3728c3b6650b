"""Many worlds, in several processes, and one line about them."""

from __future__ import annotations

import argparse
import logging
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from simulated_executions.scenario import draw
from simulated_executions.world import Ended, run

__all__ = ["Figures", "main", "quiet", "simulate"]

CHUNK = 50
MOST_TOLD = 20


@dataclass(slots=True)
class Figures:
    """What came of some seeds.

    Attributes:
        broken: seed -> what was not kept.
    """

    seeds: int = 0
    events: int = 0
    owed: int = 0
    alerts: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: dict[int, list[str]] = field(default_factory=dict)

    def add(self, seed: int, ended: Ended) -> None:
        """One more world."""
        self.seeds += 1
        self.events += ended.events
        self.owed += ended.owed
        self.alerts += ended.alerts
        self.lost += len(ended.lost)
        self.doubled += len(ended.doubled)
        self.wrong += len(ended.wrong)
        self.faults += ended.faults
        if not ended.is_good:
            told = (("lost", ended.lost), ("doubled", ended.doubled), ("wrong", ended.wrong))
            self.broken[seed] = [f"{what}: {each}" for what, those in told for each in those]

    def take(self, other: Figures) -> None:
        """Add what came of others."""
        for name in ("seeds", "events", "owed", "alerts", "lost", "doubled", "wrong"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        self.broken |= other.broken

    def __str__(self) -> str:
        faults = ", ".join(f"{number} x {what}" for what, number in sorted(self.faults.items()))
        return (
            f"{self.seeds} seeds, {self.events} events, {self.owed} alerts owed, {self.alerts} alerts, "
            f"{self.lost} lost, {self.doubled} doubled, {self.wrong} wrong ({faults})"
        )


def some(seeds: Sequence[int]) -> Figures:
    """What comes of these seeds, one after the other."""
    figures = Figures()
    with quiet():
        for seed in seeds:
            try:
                figures.add(seed, run(draw(seed)))
            except Exception:  # noqa: BLE001 - a fault of the simulation is told with its seed, like any other
                figures.seeds += 1
                figures.wrong += 1
                figures.broken[seed] = [traceback.format_exc()]
    return figures


@contextmanager
def quiet() -> Iterator[None]:
    """Nobody reads what millions of executions have to say."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def simulate(seeds: Sequence[int], processes: int, tell: Callable[[Figures], None] | None = None) -> Figures:
    """What comes of all seeds."""
    figures = Figures()
    for found in _chunked(seeds, processes):
        figures.take(found)
        if tell:
            tell(figures)
    return figures


def _chunked(seeds: Sequence[int], processes: int) -> Iterator[Figures]:
    chunks: Iterable[Sequence[int]] = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    if processes == 1:
        yield from map(some, chunks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(some, chunks)


def main(arguments: Sequence[str]) -> int:
    """The program; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulated_executions", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--seed-from", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    seeds = range(asked.seed_from, asked.seed_from + asked.seeds)
    figures = simulate(seeds, asked.processes)
    for seed, sentences in sorted(figures.broken.items())[:MOST_TOLD]:
        print(f"seed {seed} (python -m simulated_executions --seeds 1 --seed-from {seed}):")  # noqa: T201
        print("".join(f"  {sentence}\n" for sentence in sentences))  # noqa: T201
    print(figures)  # noqa: T201 - this is what it is for
    return 1 if figures.broken else 0
