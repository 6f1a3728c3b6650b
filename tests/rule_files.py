"""Rules as files, for programs that read them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet, used_lists


def write_rules(folder: Path, rules: Iterable[Rule], ruleset: RuleSet) -> Path:
    """Write each rule to a file of its own, and the lists they use beside them."""
    (folder / "lists").mkdir(parents=True, exist_ok=True)
    for rule in rules:
        text = yaml.safe_dump(rule.model_dump(mode="json", exclude_defaults=True, exclude={"tests", "history"}))
        (folder / f"{rule.id}.yml").write_text(text)
        for list_id in used_lists(rule):
            listed = ruleset.lists[list_id].model_dump(mode="json", exclude_defaults=True)
            (folder / "lists" / f"{list_id}.yml").write_text(yaml.safe_dump(listed))
    return folder
