"""Rule files as a test wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

__all__ = ["rule_text", "write_list", "write_rule"]


def rule_text(rule_id: str, **changes: Any) -> str:
    """A small rule for connections of regsvr32, with other values for some of its keys; None leaves a key out."""
    keys = {
        "id": rule_id,
        "name": f"Rule {rule_id}",
        "description": "Connections of regsvr32.",
        "author": "tests",
        "license": "Apache-2.0",
        "index": ["nothing-*"],
        "interval": "5m",
        "lookback": "now-9m",
        "severity": "low",
        "risk_score": 21,
        "match": {"event.category": "network", "process.name": "regsvr32.exe"},
    }
    return yaml.safe_dump(
        {key: value for key, value in {**keys, **changes}.items() if value is not None}, sort_keys=False
    )


def write_rule(folder: Path, rule_id: str, **changes: Any) -> Path:
    """The file of such a rule, in place at once as an editor or a deployment would put it there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{rule_id}.yml"
    draft = folder / f".{rule_id}"
    draft.write_text(rule_text(rule_id, **changes), encoding="utf-8")
    return draft.replace(file)


def write_list(folder: Path, list_id: str, *values: str) -> Path:
    """The file of a named list of words, in the folder of lists below `folder`."""
    lists = folder / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    file = lists / f"{list_id}.yml"
    file.write_text(yaml.safe_dump({"id": list_id, "name": list_id, "type": "keyword", "values": [*values]}))
    return file
