"""What other programs do to a store while a test looks on: started as `python embedded_child.py JOB FOLDER ...`."""

from __future__ import annotations

import itertools
import os
import resource
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, Key, Scan

SMALL = 64
ALL: dict[str, Any] = {"match_all": {}}


def open_store(folder: str) -> EmbeddedStore:
    """The store that the test looks at, too."""
    return EmbeddedStore(Path(folder), clock=lambda: datetime.now(UTC), segment_rows=SMALL)


def event(number: int) -> dict[str, object]:
    """One event of many; some bring a field that none had before."""
    moment = datetime.fromtimestamp(number, UTC).isoformat(timespec="milliseconds")
    return {"@timestamp": moment, "size": number, f"new_{number % 40}": "x" * (number % 300)}


def write(folder: str, name: str) -> None:
    """Write events without end, and tell each id once it is acknowledged."""
    store = open_store(folder)
    numbers = itertools.count()
    for length in itertools.cycle((1, 7, 30)):
        keys = [Key("events", f"{name}-{next(numbers)}") for _ in range(length)]
        outcomes = store.create([Document(key, event(place)) for place, key in enumerate(keys)])
        assert {outcome.verdict.value for outcome in outcomes} == {"created"}, outcomes
        sys.stdout.write("".join(f"{key.id}\n" for key in keys))
        sys.stdout.flush()


def write_and_be_killed(folder: str) -> None:
    """For every name read, a program that writes until it is killed: its process id, the ids it wrote, `end`."""
    for name in sys.stdin:
        # A fork saves the half second in which a new program would read its modules; no store was open so far.
        process = os.fork()
        if not process:
            sys.stdout.write(f"{os.getpid()}\n")
            sys.stdout.flush()
            try:
                write(folder, name.strip())
            finally:
                os._exit(1)
        os.waitpid(process, 0)
        sys.stdout.write("end\n")
        sys.stdout.flush()


def share(folder: str, name: str) -> None:
    """Write and read beside others for a while; nobody may notice anybody's locks."""
    store = open_store(folder)
    for turn in range(25):
        documents = [Document(Key("events", f"{name}-{turn}-{number}"), event(number)) for number in range(10)]
        outcomes = store.create(documents)
        assert {outcome.verdict.value for outcome in outcomes} == {"created"}, outcomes
        found = {
            hit.key.id for page in store.scan(Scan(("events",), {"all": ALL}, ALL, page_size=100)) for hit in page.hits
        }
        assert {document.key.id for document in documents} <= found
    store.close()


def fill(folder: str, name: str) -> None:
    """Write until no file may grow any more, then, when they may again, write the rest. Verdicts are told in runs."""
    store = open_store(folder)
    documents = [Document(Key("events", f"{name}-{number}"), event(number)) for number in range(3000)]
    limit = 600_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    outcomes = [store.create(documents[start : start + 100]) for start in range(0, len(documents), 100)]
    flat = [outcome for some in outcomes for outcome in some]
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    verdicts = [outcome.verdict.value for outcome in flat]
    again = [outcome.verdict.value for outcome in store.create(documents)]
    for one in (verdicts, again):
        runs = [(verdict, len(list(run))) for verdict, run in itertools.groupby(one)]
        sys.stdout.write(f"{runs}\n")
    sys.stdout.write(next((outcome.reason for outcome in flat if outcome.reason), "") + "\n")
    store.close()


JOBS: dict[str, Callable[..., None]] = {"killed": write_and_be_killed, "share": share, "fill": fill}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
