"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "Begin", "End", "RuleIds", "Rules", "StoreName"]

Rules = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules", help="A file or folder of rules; may be repeated. Else LOLBIN_RULES, else the shipped rules."
    ),
]
StoreName = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="embedded|URL",
        help="The embedded store (in LOLBIN_DATA_DIR) or a cluster. Else ELASTICSEARCH_URL, else the embedded store.",
    ),
]
Begin = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Search from this time on.")]
End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="... until (excluded) this; else now.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RuleIds = Annotated[list[str] | None, typer.Option("--rule", help="Only the rule with this id; may be repeated.")]
