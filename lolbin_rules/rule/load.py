"""Files and folders -> RuleSet.

A file holds rules, one to a YAML document, unless it lies in a folder named `lists` or `exceptions`: then it holds
named lists or exception lists. One faulty file or rule never hides the faults of another, nor keeps a good rule from
being loaded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from lolbin_rules.errors import Fault
from lolbin_rules.rule.crosscheck import Known, rule_set_of
from lolbin_rules.rule.document import HOMES, Source, read_documents
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule

if TYPE_CHECKING:
    from datetime import datetime

    from lolbin_rules.rule.document import Definition, Document
    from lolbin_rules.rule.ruleset import RuleSet

__all__ = ["load", "read", "read_sources", "rule_files"]

PathLike: TypeAlias = "str | os.PathLike[str]"
SUFFIXES: Final = frozenset({".yml", ".yaml"})
FOLDERS: Final[Mapping[str, type[Definition]]] = {home: model for model, home in HOMES.items()}
NO_LISTS: Final[Mapping[str, NamedList]] = MappingProxyType({})
NO_EXCEPTIONS: Final[Mapping[str, ExceptionList]] = MappingProxyType({})
LARGEST_FILE: Final = 16 * 1024 * 1024


class File(NamedTuple):
    """A file to read, and what it holds."""

    path: Path
    model: type[Definition]


def load(
    paths: PathLike | Iterable[PathLike],
    *,
    lists: Mapping[str, NamedList] = NO_LISTS,
    exceptions: Mapping[str, ExceptionList] = NO_EXCEPTIONS,
    now: datetime | None = None,
) -> RuleSet:
    """Every rule and list in files and folders; see `read`.

    Raises:
        RuleSetError: anything is at fault; it names every fault of every file.
    """
    return read(paths, lists=lists, exceptions=exceptions, now=now).raise_if_faulty()


def read(
    paths: PathLike | Iterable[PathLike],
    *,
    lists: Mapping[str, NamedList] = NO_LISTS,
    exceptions: Mapping[str, ExceptionList] = NO_EXCEPTIONS,
    now: datetime | None = None,
) -> RuleSet:
    """Every rule and list in files and folders that is free of faults, and all faults of the others.

    Folders are searched, with the folders in them, for *.yml and *.yaml; hidden ones are left out, for container
    platforms keep second copies of mounted files in them. A file that is named twice is read once.

    Args:
        paths: files and folders.
        lists: lists that rules may name besides those in the files; one in the files goes before one of them.
        exceptions: exception lists besides those in the files, likewise.
        now: the present time; without it nothing is said of exceptions that are over.
    """
    files: dict[str, File] = {}
    faults: list[Fault] = []
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        found, missed = _files(Path(path))
        faults += missed
        for file in found:
            files.setdefault(os.path.realpath(file.path), file)
    sources = [_source(file) for file in files.values()]
    faults += [source for source in sources if isinstance(source, Fault)]
    return read_sources(
        (source for source in sources if isinstance(source, Source)), faults, lists, exceptions=exceptions, now=now
    )


def rule_files(paths: Iterable[PathLike]) -> list[Path]:
    """The files that `read` would read, without reading them."""
    return [file.path for path in paths for file in _files(Path(path))[0]]


def read_sources(
    sources: Iterable[Source],
    faults: Iterable[Fault] = (),
    lists: Mapping[str, NamedList] = NO_LISTS,
    *,
    exceptions: Mapping[str, ExceptionList] = NO_EXCEPTIONS,
    now: datetime | None = None,
) -> RuleSet:
    """The same from the contents of files, with the faults that were met on the way."""
    documents: list[Document] = []
    strays = [*faults]
    for source in sources:
        found, stray = read_documents(source)
        documents += found
        strays += stray
    return rule_set_of(documents, strays, Known(lists, exceptions), now)


def _files(path: Path) -> tuple[list[File], list[Fault]]:
    """The file, or every file below the folder; and what could not be looked at."""
    place = Path(os.path.realpath(path))
    if not os.path.isdir(place):  # noqa: PTH112 - unlike Path.is_dir it is false where it may not look
        return [File(path, _model([place.parent.name]))], []
    faults: list[Fault] = []
    files = [
        File(folder / name, _model([place.name, *folder.relative_to(path).parts]))
        for folder, names in _folders(path, faults)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
    ]
    if not files and not faults:
        faults.append(_file_fault(path, "no *.yml or *.yaml file is in the folder", "Name the folder of the rules."))
    return sorted(files, key=lambda file: file.path), faults


def _model(folders: Iterable[str]) -> type[Definition]:
    """What a file holds, by the names of the folders that it lies in: the innermost decides."""
    return next((FOLDERS[name] for name in reversed([*folders]) if name in FOLDERS), Rule)


def _folders(root: Path, faults: list[Fault]) -> Iterator[tuple[Path, list[str]]]:
    """Every folder that is not hidden, links included, each once; with the names of its files."""

    def note(error: OSError) -> None:
        faults.append(_unreadable(Path(error.filename), error))

    seen: set[str] = set()
    for folder, folders, names in os.walk(root, onerror=note, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if (place := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(place)
        yield Path(folder), names


def _source(file: File) -> Source | Fault:
    """What is in a file, or why it cannot be read."""
    path = file.path
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _file_fault(path, "this is neither a file nor a folder", "Name a file of rules or a folder of them.")
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return _file_fault(path, "there is no such file or folder", "Correct the path.")
    except OSError as error:
        return _unreadable(path, error)
    if len(data) > LARGEST_FILE:
        return _file_fault(path, f"the file is larger than {LARGEST_FILE >> 20} MiB", "Split it.")
    return Source(str(path), data, file.model)


def _unreadable(path: Path, error: OSError) -> Fault:
    return _file_fault(path, f"it cannot be read ({error.strerror})", "Let this user read it.")


def _file_fault(path: Path, what: str, remedy: str) -> Fault:
    return Fault(str(path), 0, 0, "", what, "nothing was loaded from it", remedy)
