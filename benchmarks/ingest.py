"""Measures how fast events are read from files, taken into the embedded store, and searched with the shipped rules.

`python benchmarks/ingest.py --events PATH...` takes NDJSON or EVTX files and folders; without them it makes up events.
Every figure is processor time of this process for one event, the best of several rounds. On a busy machine that still
varies by half, so a yardstick stands beside it, measured in the same rounds: `orjson.loads` of such texts, in yards.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from generated import events as generated_events

from lolbin_rules.hunt import hunt
from lolbin_rules.importers.event import Event
from lolbin_rules.importers.event_files import read_events
from lolbin_rules.intake import take_in
from lolbin_rules.opening import open_embedded
from lolbin_rules.rule.load import read
from lolbin_rules.shipped import shipped_rules

LONGEST_SAMPLE = 20_000
"""Texts that the yardstick reads."""


@dataclass(slots=True)
class Best:
    """The best time of each part, in microseconds of processor time for an event."""

    number: int
    parts: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def measuring(self, part: str, number: int | None = None) -> Iterator[None]:
        """Measure one round of a part, for so many events."""
        start = time.process_time()
        yield
        spent = (time.process_time() - start) * 1e6 / (number or self.number)
        self.parts[part] = min(spent, self.parts.get(part, spent))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=Path, nargs="+", help="files or folders; without them, events are generated")
    parser.add_argument("--number", type=int, default=100_000, help="how many events to generate (100000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts (3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = asked.events or [_generated(Path(folder) / "events.ndjson", asked.number)]
        sample, number = _sample(paths)
        best = Best(number)
        for _ in range(asked.rounds):
            _round(best, paths, sample)
    _print(best)


def _round(best: Best, paths: Sequence[Path], sample: Sequence[bytes]) -> None:
    with best.measuring("yardstick", len(sample)):
        for raw in sample:
            orjson.loads(raw)
    with best.measuring("reading"):
        for _ in read_events(paths):
            pass
    rules = read(shipped_rules()).raise_if_faulty()
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 - it has a type this way
    with tempfile.TemporaryDirectory() as folder, open_embedded(Path(folder), clock, is_durable=False) as store:
        with best.measuring("reading and ingest"):
            take_in(read_events(paths), store)
        with best.measuring(f"search with {len(rules.rules)} rules"):
            hunt(rules, store, clock(), lambda _: None)


def _generated(path: Path, number: int) -> Path:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(event) + b"\n" for event in generated_events(number))
    return path


def _sample(paths: Sequence[Path]) -> tuple[list[bytes], int]:
    """Texts from all over the files, and how many there are in all."""
    number = sum(isinstance(each, Event) for each in read_events(paths))
    step = max(1, number // LONGEST_SAMPLE)
    found = (each for each in read_events(paths) if isinstance(each, Event))
    return [each.raw for place, each in enumerate(found) if place % step == 0], number


def _print(best: Best) -> None:
    yard = best.parts["yardstick"]
    print(f"{best.number:,} events; processor time, best round")
    for part, spent in best.parts.items():
        print(f"{part:<24}{spent:>8.1f} us/event{spent / yard:>8.2f} yards{1e6 / spent:>12,.0f} events/s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)
    print(f"peak of memory {peak:,.0f} MB")


if __name__ == "__main__":
    main()
