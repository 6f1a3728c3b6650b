"""Which files of rules are meant, with the lists and exceptions that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lolbin_rules.errors import SettingsError
from lolbin_rules.rule.coverage_mode import in_mode
from lolbin_rules.rule.load import read
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.settings import RunnerSettings
from lolbin_rules.shipped import shipped_rules

__all__ = ["one_rule", "read_rules", "rule_paths"]

BESIDE = ("lists", "exceptions")
"""The folders that rules take their named lists and their exceptions from."""


def rule_paths(given: Sequence[Path] | None, settings: RunnerSettings) -> tuple[Path, ...]:
    """The paths that were given, else LOLBIN_RULES, else the shipped rules.

    For a single file, the folders of lists and exceptions are added that lie beside it or one level up.
    """
    return _with_what_is_beside(given or settings.rules or [shipped_rules()])


def read_rules(given: Sequence[Path] | None, settings: RunnerSettings, ids: Sequence[str] | None = None) -> RuleSet:
    """The rules at those paths, or of them those with the ids.

    Raises:
        RuleSetError: anything is at fault.
    """
    found = read(rule_paths(given, settings)).raise_if_faulty()
    return in_mode(found, settings.coverage).select(ids or ())


def one_rule(name: str, given: Sequence[Path] | None, settings: RunnerSettings) -> tuple[Rule, RuleSet]:
    """The rule with an id, or the only rule in a file; and what it was read with.

    Raises:
        RuleSetError: anything is at fault.
        SettingsError: the file holds none or several.
    """
    path = Path(name)
    if not path.is_file():
        ruleset = read_rules(given, settings, [name])
        return ruleset.rules[name], ruleset
    beside = _folders_in(rule_paths(given, settings))
    ruleset = read(_with_what_is_beside([path, *beside])).raise_if_faulty()
    if len(ruleset.rules) != 1:
        raise SettingsError(f"{path} holds {len(ruleset.rules)} rules; one is previewed at a time. Name it by its id.")
    ruleset = in_mode(ruleset, settings.coverage)
    (chosen,) = ruleset.rules.values()
    return chosen, ruleset


def _with_what_is_beside(paths: Sequence[Path]) -> tuple[Path, ...]:
    files = [path for path in paths if path.is_file()]
    beside = _folders_in([folder for file in files for folder in (file.parent, file.parent.parent)])
    return tuple(dict.fromkeys([*paths, *beside]))


def _folders_in(folders: Sequence[Path]) -> list[Path]:
    return [found for folder in folders for name in BESIDE if (found := folder / name).is_dir()]
