"""The wheel in an environment of its own, as somebody who installs the package has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

from lolbin_rules import __version__
from lolbin_rules.shipped import shipped_rules

SPAN = ("--from", "2024-03-05T12:00:00Z", "--to", "2024-03-05T13:00:00Z")
SECONDS = 120


def outside(**variables: str) -> dict[str, str]:
    """The environment without anything that would lead back to this project or its settings."""
    ours = ("LOLBIN_", "ELASTICSEARCH_", "PYTHON", "VIRTUAL_ENV")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **variables}


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder, with these variables of ours only."""
    return subprocess.run(
        command, cwd=cwd, env=outside(**variables), capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.fixture(scope="module")
def wheel(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the project's folder; without the network where the build system is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--disable-pip-version-check", "--wheel-dir", str(folder)]
    options += ["--no-build-isolation"] if find_spec("hatchling") else []
    built = run(sys.executable, "-m", "pip", "wheel", *options, pytestconfig.rootpath, cwd=folder)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


class Installed(NamedTuple):
    """The package in a virtual environment of its own, and an empty folder to run it from."""

    programs: Path
    empty: Path

    def lolbin_rules(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        return run(self.programs / "lolbin-rules", *arguments, cwd=self.empty, **variables)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel alone is installed; what it depends on is borrowed from this environment, the package is not."""
    folder = tmp_path_factory.mktemp("environment")
    assert run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder).returncode == 0
    python = folder / "bin" / "python"
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    done = run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    (packages,) = (folder / "lib").glob("python*/site-packages")
    # Of a folder that a *.pth file names, the *.pth files are not read: an editable installation stays out of sight.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return Installed(folder / "bin", tmp_path_factory.mktemp("empty"))


def test_the_wheel_holds_the_shipped_rules_and_everything_else_that_is_no_code(wheel: Path) -> None:
    """Rules, lists, schemas, templates and the mark of types; nothing of tests."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        rules = {path.relative_to(shipped_rules()).as_posix() for path in shipped_rules().rglob("*") if path.is_file()}
        assert {name for name in names if "/rule_defs/" in name} == {f"lolbin_rules/rule_defs/{name}" for name in rules}
        assert {"lolbin_rules/py.typed", "lolbin_rules/alert/index_template.json"} <= names
        assert {name.partition("/")[0] for name in names} == {"lolbin_rules", f"lolbin_rules-{__version__}.dist-info"}
        assert f"lolbin_rules-{__version__}.dist-info/licenses/LICENSE" in names


def test_the_installed_command_finds_the_shipped_rules_from_anywhere(installed: Installed) -> None:
    """Those of the wheel, not those of the checkout that it was built from."""
    checked = installed.lolbin_rules("check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "3 rules and 5 lists are well-formed.\n"
    say_where = "from lolbin_rules.shipped import shipped_rules; print(shipped_rules())"
    where = run(installed.programs / "python", "-c", say_where, cwd=installed.empty).stdout.strip()
    assert Path(where).is_relative_to(installed.programs.parent)
    assert installed.lolbin_rules("--version").stdout == f"lolbin-rules {__version__}\n"


def test_the_installed_package_is_typed_and_a_module_that_runs(installed: Installed) -> None:
    """`python -m lolbin_rules` is the same command."""
    ran = run(installed.programs / "python", "-m", "lolbin_rules", "check", cwd=installed.empty)
    assert (ran.returncode, ran.stdout) == (0, "3 rules and 5 lists are well-formed.\n")


def test_the_installed_command_executes_the_shipped_rules(
    installed: Installed, elasticsearch_url: str, index_prefix: str
) -> None:
    """Every rule once; where the cluster has none of their indices, exit code 1 and that reason."""
    settings = {"ELASTICSEARCH_URL": elasticsearch_url, "LOLBIN_PREFIX": f"{index_prefix}lolbin"}
    ended = installed.lolbin_rules("once", "--json", *SPAN, **settings)
    executions = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(executions) == 3
    unsearched = [one["execution"]["reason"] for one in executions if one["execution"]["status"] != "succeeded"]
    assert all(reason.startswith("No index matches winlogbeat-*") for reason in unsearched)
    assert ended.returncode == (1 if unsearched else 0), ended.stderr
