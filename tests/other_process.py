"""Work in processes of its own that are killed, or that lack room or rights, on purpose.

A server process imports the program once, and each process is a fork of it: that takes milliseconds, not a second.
"""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

from lolbin_rules.cli import main

__all__ = ["Elsewhere", "Ended", "die_at_write", "drop_privileges", "end_of_room", "run_program"]

SECONDS = 60
CONTEXT = multiprocessing.get_context("forkserver")
# What takes long to import; modules of the tests themselves are not found by the server.
CONTEXT.set_forkserver_preload(
    [
        "lolbin_rules.cli",
        "lolbin_rules.store.elasticsearch",
        "lolbin_rules.store.embedded",
        "lolbin_rules.importers.event_templates",
        "pytest",
    ]
)


class Ended(NamedTuple):
    """How a process ended: its exit code, or the negative number of the signal that ended it, and what it wrote."""

    code: int | None
    said: str


class Elsewhere:
    """Work in a new process, which sees none of our variables; it has begun.

    Args:
        work: what is done; its answer is the exit code. It must be one that can be pickled, as must `spoil`.
        log: the file that gets what the process writes.
        spoil: what to do to the process before it begins.
    """

    def __init__(self, work: Callable[[], int], log: Path, spoil: Callable[[], None] | None = None) -> None:
        self._log = log
        self._process = CONTEXT.Process(target=_run, args=(work, log, spoil))
        self._process.start()

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead; any thread may call this."""
        self._process.kill()
        wait([self._process.sentinel], SECONDS)

    def ended(self) -> Ended:
        """Wait for its end."""
        self._process.join(SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        return Ended(self._process.exitcode, self._log.read_text(encoding="utf-8"))


def _run(work: Callable[[], int], log: Path, spoil: Callable[[], None] | None) -> None:
    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    for name in list(os.environ):
        if name.startswith(("LOLBIN_", "ELASTICSEARCH_")):
            del os.environ[name]
    if spoil is not None:
        spoil()
    sys.exit(work())


def run_program(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the command line with these of our variables; its exit code."""
    os.environ.update(variables)
    return main(arguments)


def die_at_write(number: int) -> Callable[[], None]:
    """SIGKILL before the beginning or the commit of a transaction, whichever has this number, counted from 0."""
    return partial(_trace_writes, number)


def _trace_writes(number: int) -> None:
    counting = itertools.count()
    connect = sqlite3.connect

    def strike(statement: str) -> None:
        if statement in {"BEGIN IMMEDIATE", "COMMIT"} and next(counting) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect_traced(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **more)
        connection.set_trace_callback(strike)
        return connection

    sqlite3.connect = connect_traced  # type: ignore[assignment]


def end_of_room(size: int) -> Callable[[], None]:
    """No file may grow beyond this many bytes."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))


def drop_privileges() -> None:
    """Root, too, may from here on do only what the modes of files allow."""
    if os.geteuid() != 0:
        return
    header = _CapabilityHeader(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), ctypes.byref(none)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")
