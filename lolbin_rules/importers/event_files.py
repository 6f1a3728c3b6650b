"""From paths to events: which files are meant, and which reader each of them needs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

from lolbin_rules.errors import SettingsError
from lolbin_rules.importers import evtx
from lolbin_rules.importers.blocks import first_bytes
from lolbin_rules.importers.event import Broken, Found, Read, one_line
from lolbin_rules.importers.index_names import checked_index
from lolbin_rules.importers.ndjson import TextReader

__all__ = ["STDIN", "event_files", "read_events", "total_bytes"]

STDIN: Final = Path("-")
TEXT: Final = (".ndjson", ".json", ".jsonl")
SUFFIXES: Final = (*(f"{text}{packed}" for text in TEXT for packed in ("", ".gz", ".zst")), evtx.SUFFIX)
"""Which files of a folder are read. Files that are named one by one are read whatever they are called."""


def event_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are meant, each once: folders with everything below them, in order of name; `-` is stdin.

    In folders, hidden files and links to other folders are passed over.

    Raises:
        SettingsError: a path does not exist, or a folder holds no file of events.
    """
    files: dict[str, Path] = {}
    for path in paths:
        for file in _named_by(path):
            files.setdefault(_identity(file), file)
    return list(files.values())


def total_bytes(files: Sequence[Path]) -> int | None:
    """What `read_events` will have told its caller at the end; None where stdin is among the files."""
    if STDIN in files:
        return None
    return sum(file.stat().st_size for file in files if file.is_file())


def read_events(paths: Sequence[Path], *, index: str | None = None, read: Read = lambda _: None) -> Found:
    """Every event of the files, and everything in them that is none, in order.

    Args:
        paths: as for `event_files`.
        index: where all events go; None for where each of them says itself, see `index_names.index_of`.
        read: told of every further byte read, compressed as it lies on the disk; see `total_bytes`.

    Raises:
        SettingsError: at once, before anything is read: as for `event_files`; the index cannot have that name; there is
            an event log and the package that reads those is missing.
    """
    files = event_files(paths)
    if index is not None:
        checked_index(index)
    if any(file.suffix.lower() == evtx.SUFFIX for file in files):
        evtx.parser()
    return _read_all(files, index, read)


def _read_all(files: Sequence[Path], index: str | None, read: Read) -> Found:
    for file in files:
        if file == STDIN:
            yield from _read_stream(cast("io.BufferedIOBase", sys.stdin.buffer), "stdin", "-", index, read)
            continue
        try:
            with file.open("rb") as stream:
                yield from _read_stream(stream, str(file), _identity(file), index, read)
        except OSError as error:
            yield Broken(str(file), f"cannot be read ({one_line(error)}), so the rest of it is lost")


def _read_stream(stream: io.BufferedIOBase, name: str, identity: str, index: str | None, read: Read) -> Found:
    head = first_bytes(stream)
    if not head.startswith(evtx.MAGIC):
        return TextReader(name, identity, index).read(head, stream, read)
    if not stream.seekable():
        return iter([Broken(name, "is an event log (EVTX) in a pipe, which cannot be read. Give the file by its name")])
    return evtx.read_evtx(stream, name, index, read)


def _named_by(path: Path) -> list[Path]:
    if path == STDIN:
        return [path]
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read ({one_line(error)}). Correct the path, or make it readable."
        ) from None
    if not path.is_dir():
        return [path]
    files = sorted(_below(path), key=lambda file: file.parts)
    if not files:
        raise SettingsError(
            f"{path} holds no file of events, so there is nothing to read. "
            f"In folders, {', '.join(f'*{suffix}' for suffix in SUFFIXES)} are looked for; name other files one by one."
        )
    return files


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(parent, name)
            if name.lower().endswith(SUFFIXES) and not name.startswith(".") and file.is_file():
                yield file


def _refuse(error: OSError) -> None:
    raise SettingsError(f"{error.filename} cannot be read: {error.strerror}. Make it readable, or name other paths.")


def _identity(file: Path) -> str:
    """What the file is called wherever it is named from; equal lines of two files must not become one event."""
    return "-" if file == STDIN else str(file.resolve())
