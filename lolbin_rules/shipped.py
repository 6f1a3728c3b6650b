"""Where the rules are that come with the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_rules"]


def shipped_rules() -> Path:
    """The folder of the shipped rules: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "rule_defs"
    return installed if installed.is_dir() else package.parent / "rule_defs"
