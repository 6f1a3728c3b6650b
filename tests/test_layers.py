"""The shape of the package, read off its syntax trees: who may import whom, and where the outside world comes in."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lolbin_rules"
FILES = sorted([*PACKAGE.rglob("*.py"), ROOT / "scheduler.py"])

ADAPTER = "store.elasticsearch"
EMBEDDED = "store.embedded"
TOP = frozenset(
    {
        *("cli", "options", "schedule", "settings", "logs", "shipped", "opening", "asked_time"),
        *("feed", "intake", "hunt", "hunt_report"),
        *("rule_paths", "check_report", "preview_report", "coverage_report", "lookback_report", "what_if_report"),
        *("lookback_bounds", "figures"),
    }
)
READERS = ("query.kql.syntax", "query.kql.nodes", "query.eql.syntax", "query.eql.nodes", "query.render")
LAYERS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    # Of the query languages a rule knows how they are read, so that a fault is found where it is written.
    "rule": frozenset({"errors", *READERS}),
    "store.port": frozenset({"errors"}),
    "query": frozenset({"rule", "plan.window", "dsl", "store.port", "errors"}),
    "plan": frozenset({"rule", "errors"}),
    "rule_types": frozenset({"rule", "query", "plan", "alert.source", "alert.identity", "store.port", "errors"}),
    "alert": frozenset({"rule", "query.render", "store.port", "errors"}),
    "execution": frozenset({"rule", "query", "plan", "rule_types", "alert", "store.port", "errors"}),
    "dsl": frozenset({"errors"}),
    ADAPTER: frozenset({"store.port", "errors"}),
    EMBEDDED: frozenset({"dsl", "store.port", "errors"}),
    "importers": frozenset({"alert.source", "store.port", "errors"}),
    "simulation": frozenset({"errors"}),
    **dict.fromkeys(READERS, frozenset({"errors", "query.kql", "query.eql"})),
    "schedule": frozenset({"rule", "alert", "execution", "store.port", "errors", "settings"}),
}
"""For each layer, what of the package it may import besides itself."""

# Spans of time are measured here, never compared with the time of an event.
STOPWATCHES = {
    "execution/patience.py",
    "execution/read.py",
    "execution/run.py",
    "execution/store_clock.py",
    "store/elasticsearch/limits.py",
    "store/elasticsearch/request.py",
    "store/embedded/deadline.py",
}
COMES_WITH = {"elastic_transport": "elasticsearch", "pydantic_core": "pydantic", "yaml": "pyyaml"}
FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "service", "base"}
LONGEST_FILE = 400


def named(file: Path) -> str:
    """The file as it is called below the package."""
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else file.name


@cache
def tree(file: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Every module that the file imports, wherever in it, and every name `a.b` of `from a import b`."""
    return tuple(found(file))


def found(file: Path) -> Iterator[str]:
    """As `imports`."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(file)}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, module: str) -> bool:
    """Whether the dotted name is the module or something in it."""
    return name == module or name.startswith(f"{module}.")


def importers(*modules: str) -> set[str]:
    """The files that import one of the modules or something of it."""
    return {named(file) for file in FILES for name in imports(file) for module in modules if is_within(name, module)}


def calls(*dotted: str) -> set[str]:
    """The files in which a name ending so is used, such as `datetime.now`."""
    endings = tuple(f".{name}" for name in dotted)
    return {named(file) for file in FILES for text in attributes(file) if text in dotted or text.endswith(endings)}


@cache
def attributes(file: Path) -> frozenset[str]:
    """Every `a.b.c` of the file."""
    return frozenset(ast.unparse(node) for node in ast.walk(tree(file)) if isinstance(node, ast.Attribute))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    """The import law: a later layer is never imported by an earlier one."""
    place = PACKAGE / layer.replace(".", "/")
    files = sorted(place.rglob("*.py")) or [place.with_suffix(".py")]
    allowed = [f"lolbin_rules.{module}" for module in (layer, *LAYERS[layer])]
    strangers = {
        f"{named(file)} imports {name}"
        for file in files
        for name in imports(file)
        if is_within(name, "lolbin_rules") and not any(is_within(name, module) for module in allowed)
    }
    assert not strangers


def test_every_module_belongs_to_a_layer() -> None:
    """No folder or file escapes the law by being new."""
    known = {*LAYERS, *TOP, "__init__", "__main__", "store.__init__", "scheduler"}
    modules = {named(file).removesuffix(".py").replace("/", ".") for file in FILES}
    assert not {module for module in modules if not any(is_within(module, layer) for layer in known)}


def test_only_the_adapter_knows_the_client_of_elasticsearch() -> None:
    """Everything else speaks to the store by its port."""
    found = importers("elasticsearch", "elastic_transport")
    assert found
    assert all(name.startswith("store/elasticsearch/") for name in found), found


def test_only_the_schedule_knows_apscheduler() -> None:
    """What ticks can be exchanged in one file."""
    assert importers("apscheduler") == {"schedule.py"}


def test_what_is_imported_is_declared() -> None:
    """Installing the package installs everything that it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower() for requirement in project["dependencies"]}
    tops = {name.partition(".")[0] for file in FILES for name in imports(file)} - {
        *sys.stdlib_module_names,
        "lolbin_rules",
    }
    assert not {top for top in tops if COMES_WITH.get(top, top.replace("_", "-")) not in declared}


def test_adapters_are_named_in_one_place_only() -> None:
    """Which store is used is decided in one place."""
    for adapter in (ADAPTER, EMBEDDED):
        inside = adapter.replace(".", "/")
        outside = {name for name in importers(f"lolbin_rules.{adapter}") if not name.startswith(inside)}
        assert outside == {"opening.py"}


def test_the_present_time_comes_from_the_command_line_only() -> None:
    """Everywhere else `now` is a parameter, so that every plan can be computed again."""
    assert calls("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time") == {"cli.py"}
    assert calls("time.perf_counter", "time.monotonic") <= STOPWATCHES
    assert not importers("time.time", "time.time_ns", "time.monotonic", "time.perf_counter")


def test_one_except_takes_every_error_and_tells_of_it() -> None:
    """A fault of one rule becomes its failed execution; nothing else is caught unnamed, and nothing is swallowed."""
    broad = [
        (named(file), node)
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & {name.id for name in names_in(node.type)})
    ]
    assert [file for file, _ in broad] == ["execution/progress.py"]
    (_, handler) = broad[0]
    assert handler.name in {name.id for statement in handler.body for name in names_in(statement)}


def names_in(node: ast.AST) -> list[ast.Name]:
    """Every plain name in a piece of syntax."""
    return [each for each in ast.walk(node) if isinstance(each, ast.Name)]


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A file is named after what is in it."""
    words = {
        word: named(file)
        for file in FILES
        for part in Path(named(file)).with_suffix("").parts
        for word in part.split("_")
    }
    assert not {words[word] for word in FORBIDDEN_WORDS & words.keys()}


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    """A file that grows beyond this holds two things."""
    lengths = {named(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}
