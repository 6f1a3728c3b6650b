"""Which files are read, and what is said of those that cannot be."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lolbin_rules.errors import RuleSetError
from lolbin_rules.rule import load as loading
from lolbin_rules.rule.load import load, read, rule_files

BASE = Path(__file__).with_name("base.yml").read_text(encoding="utf-8")
EXCEPTIONS = (
    "{id: agents, name: A, owner: A, rules: one, items: [{name: A, reason: A, entries: [{field: a, type: exists}]}]}"
)
LIST = "{id: private, name: Private, type: cidr, values: [10.0.0.0/8]}\n"


def write(path: Path, text: str) -> Path:
    """A file, with the folders it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rule(rule_id: str, *lines: str) -> str:
    """The rule of `base.yml` under another id, with lines below it."""
    return "".join([BASE.replace("id: example", f"id: {rule_id}"), *(f"{line}\n" for line in lines)])


def test_a_folder_is_read_with_the_folders_in_it(tmp_path: Path) -> None:
    """Every *.yml and *.yaml, in order; lists from folders named `lists`; nothing else, nothing hidden."""
    write(tmp_path / "b/deep/two.yaml", rule("two", "exclude: {source.ip: {list: private}}"))
    write(tmp_path / "a/one.yml", rule("one"))
    write(tmp_path / "a/lists/sub/private.YML", LIST)
    write(tmp_path / "a/notes.txt", "no rule")
    write(tmp_path / ".hidden/three.yml", "no rule")
    write(tmp_path / "a/.three.yml", "no rule")
    write(tmp_path / "rule.schema.json", "{}")
    ruleset = load(tmp_path)
    assert list(ruleset.rules) == ["one", "two"]
    assert list(ruleset.lists) == ["private"]
    assert ruleset.origin == {"one": f"{tmp_path}/a/one.yml:1", "two": f"{tmp_path}/b/deep/two.yaml:1"}


def test_files_are_found_without_being_read(tmp_path: Path) -> None:
    """Whoever watches rules for changes asks for their paths, whatever is in them."""
    one, two = write(tmp_path / "a/one.yml", "["), write(tmp_path / "a/lists/two.yml", "]")
    write(tmp_path / "a/notes.txt", "")
    assert rule_files([tmp_path / "a", one]) == [two, one, one]


def test_files_and_folders_may_be_mixed_and_repeated(tmp_path: Path) -> None:
    """A file that is reached twice is read once, and lists serve the rules of every path."""
    one = write(tmp_path / "rules/one.yml", rule("one", "exclude: {source.ip: {list: private}}"))
    private = write(tmp_path / "other/lists/private.yml", LIST)
    ruleset = load([str(one), private, tmp_path / "rules", tmp_path / "rules/../rules/one.yml"])
    assert list(ruleset.rules) == ["one"]


def test_a_folder_named_lists_may_be_given_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the folder's own name that counts, not how the path is written, nor the folders above it."""
    write(tmp_path / "lists/rules/lists/private.yml", LIST)
    write(tmp_path / "lists/rules/one.yml", rule("one"))
    assert list(load(tmp_path / "lists/rules/lists").lists) == ["private"]
    assert list(load(tmp_path / "lists/rules").rules) == ["one"]
    monkeypatch.chdir(tmp_path / "lists/rules/lists")
    assert list(load(".").lists) == list(load("private.yml").lists) == ["private"]


def test_lists_that_are_known_already(tmp_path: Path) -> None:
    """A rule may name lists that were loaded before; a list in the files goes before one of them."""
    known = load(write(tmp_path / "lists/private.yml", LIST)).lists
    one = write(tmp_path / "one.yml", rule("one", "exclude: {source.ip: {list: private}}"))
    assert list(load(one, lists=known).rules) == ["one"]
    newer = write(tmp_path / "newer/lists/private.yml", LIST.replace("10.0.0.0/8", "127.0.0.0/8"))
    assert load([one, newer], lists=known).lists["private"].values == ("127.0.0.0/8",)


def test_exception_lists_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    """Wherever it is; the innermost of such folders decides what a file holds."""
    write(tmp_path / "one.yml", rule("one"))
    agents = write(tmp_path / "deep/lists/exceptions/more/agents.yml", EXCEPTIONS)
    private = write(tmp_path / "exceptions/lists/private.yml", LIST)
    ruleset = load(tmp_path)
    assert (list(ruleset.rules), list(ruleset.lists), list(ruleset.exceptions)) == (["one"], ["private"], ["agents"])
    assert [each.id for each in ruleset.exceptions_of("one")] == ["agents"]
    assert list(load(private).lists) == ["private"]
    assert not read(tmp_path / "deep/lists/exceptions/more").rules
    agents.rename(agents.parents[1] / "agents.yml")
    assert list(load([agents.parents[1], tmp_path / "one.yml"]).exceptions) == ["agents"]


def test_exception_lists_that_are_known_already(tmp_path: Path) -> None:
    """A rule may name exception lists that were loaded before; they are not checked against these files again."""
    one = write(tmp_path / "one.yml", rule("one"))
    agents = write(tmp_path / "exceptions/agents.yml", EXCEPTIONS)
    known = load([one, agents]).exceptions
    two = write(tmp_path / "two.yml", rule("two", "exceptions: [agents]"))
    assert list(load(two, exceptions=known).rules) == ["two"]
    newer = write(tmp_path / "newer/exceptions/agents.yml", EXCEPTIONS.replace("name: A, owner", "name: B, owner"))
    assert load([one, two, newer], exceptions=known).exceptions["agents"].name == "B"


def test_exceptions_that_are_over_are_told_of_when_the_time_is_told(tmp_path: Path) -> None:
    """The loader has no clock."""
    over = EXCEPTIONS.replace("reason: A,", "reason: A, expires: 2026-11-22,")
    paths = [write(tmp_path / "one.yml", rule("one")), write(tmp_path / "exceptions/agents.yml", over)]
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert load(paths).warnings == load(paths, now=now - timedelta(microseconds=1)).warnings == ()
    assert [warning.column for warning in load(paths, now=now).warnings] == [over.index("2026") + 1]


def test_good_rules_survive_faulty_ones(tmp_path: Path) -> None:
    """`read` returns what can run with the faults of what cannot; `load` raises all of them at once."""
    write(tmp_path / "a.yml", rule("one") + "---\n" + rule("two").replace("severity: low", "severity: hihg"))
    write(tmp_path / "b.yml", "id: [\n")
    write(tmp_path / "c.yml", rule("three"))
    ruleset = read(tmp_path)
    assert list(ruleset.rules) == ["one", "three"]
    assert [(Path(fault.path).name, fault.line) for fault in ruleset.faults] == [("a.yml", 22), ("b.yml", 1)]
    with pytest.raises(RuleSetError) as error:
        load(tmp_path)
    assert error.value.faults == ruleset.faults


def test_mounts_of_containers(tmp_path: Path) -> None:
    """A mounted config map holds links into a hidden folder; each rule is found once."""
    write(tmp_path / "..2026_11_03/one.yml", rule("one"))
    (tmp_path / "..data").symlink_to("..2026_11_03")
    (tmp_path / "one.yml").symlink_to("..data/one.yml")
    assert load(tmp_path).origin == {"one": f"{tmp_path}/one.yml:1"}


def test_linked_folders(tmp_path: Path) -> None:
    """Links to folders are followed, also those that lead back."""
    write(tmp_path / "rules/one.yml", rule("one"))
    write(tmp_path / "elsewhere/two.yml", rule("two"))
    (tmp_path / "rules/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "rules/back").symlink_to(tmp_path / "rules")
    assert list(load(tmp_path / "rules").rules) == ["one", "two"]


def said_of(path: Path) -> str:
    """The one thing that is said of a path, without it."""
    (fault,) = read(path).faults
    assert (fault.path, fault.line, fault.column) == (str(path), 0, 0)
    return str(fault).removeprefix(f"{path}: ")


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    """A path that is not there, a broken link, a link to itself."""
    nowhere = "there is no such file or folder; nothing was loaded from it. Correct the path."
    (tmp_path / "broken.yml").symlink_to("nowhere.yml")
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    assert said_of(tmp_path / "nowhere") == nowhere
    assert said_of(tmp_path / "broken.yml") == nowhere
    assert said_of(tmp_path / "loop.yml").startswith("it cannot be read (Too many levels of symbolic links)")


def test_an_empty_folder(tmp_path: Path) -> None:
    """A wrong mount must not look like a quiet day."""
    assert said_of(tmp_path).startswith("no *.yml or *.yaml file is in the folder; nothing was loaded from it.")


def test_a_pipe(tmp_path: Path) -> None:
    """Reading it would wait for ever."""
    os.mkfifo(tmp_path / "pipe.yml")
    assert said_of(tmp_path / "pipe.yml").startswith("this is neither a file nor a folder;")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_this_user_may_not_read(tmp_path: Path) -> None:
    """Files and folders without permission are named, and the others are read."""
    write(tmp_path / "closed/one.yml", rule("one"))
    write(tmp_path / "two.yml", rule("two")).chmod(0)
    write(tmp_path / "three.yml", rule("three"))
    (tmp_path / "closed").chmod(0)
    ruleset = read(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert list(ruleset.rules) == ["three"]
    assert [fault.what for fault in ruleset.faults] == ["it cannot be read (Permission denied)"] * 2


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails while it is read")
def test_a_file_that_fails_while_it_is_read(tmp_path: Path) -> None:
    """A failing disk is a fault of that file only."""
    (tmp_path / "one.yml").symlink_to("/proc/self/mem")
    assert said_of(tmp_path / "one.yml").startswith("it cannot be read (")


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `os.walk` meets on its way becomes a fault."""

    def walk(top: Path, *, onerror: object, followlinks: bool) -> list[object]:
        assert callable(onerror)
        assert followlinks
        onerror(PermissionError(13, "Permission denied", str(top)))
        return []

    monkeypatch.setattr(os, "walk", walk)
    assert said_of(tmp_path).startswith("it cannot be read (Permission denied); nothing was loaded from it.")


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is parsed."""
    monkeypatch.setattr(loading, "LARGEST_FILE", 5)
    assert said_of(write(tmp_path / "one.yml", "id: one\n")).startswith("the file is larger than 0 MiB;")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"id: x\nname: \xff\n", "2:7: byte 0xff is not UTF-8 text"),
        (b"\xef\xbb\xbfid: x\nname: \xc3\xa9\xc3\n", "2:8: byte 0xc3 is not UTF-8 text"),
        (b"\xff\xfei\x00d\x00", "1:1: byte 0xff is not UTF-8 text"),
        (b"MZ\x90\x00", "1:3: byte 0x90 is not UTF-8 text"),
        (b"id: x\r\nname: a\x00\n", "2:8: the control character U+0000 cannot stand in YAML"),
        (b"id: \x1b[1m\n", "1:5: the control character U+001B cannot stand in YAML"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, data: bytes, expected: str) -> None:
    """The first byte that is no text is named with its place."""
    path = tmp_path / "one.yml"
    path.write_bytes(data)
    (fault,) = read(path).faults
    assert str(fault).startswith(f"{path}:{expected}; nothing of the file was read.")


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    """Some editors of Windows begin every file with one."""
    path = tmp_path / "one.yml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.encode().replace(b"\n", b"\r\n"))
    assert list(load(path).rules) == ["example"]
