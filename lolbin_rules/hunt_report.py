"""What a hunt tells: alerts on standard output, a progress bar and everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lolbin_rules.alert import fields
from lolbin_rules.hunt import Hunted
from lolbin_rules.importers.event import Broken, Event
from lolbin_rules.importers.event_files import event_files, read_events, total_bytes
from lolbin_rules.intake import Intake

__all__ = ["HuntReport"]


class HuntReport:
    """Tells of one hunt.

    Args:
        as_json: alerts are printed as JSON documents, one a line.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def reading(self, paths: Sequence[Path], index: str | None) -> Iterator[Event | Broken]:
        """The events of these files, with a progress bar while they are read.

        Raises:
            SettingsError: a path is not there, or holds no event files.
        """
        files = event_files(paths)
        with Progress(
            TextColumn("Reading"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[events]:,} events"),
            console=self._errors,
            transient=True,
            disable=not sys.stderr.isatty(),
        ) as progress:
            task = progress.add_task("read", total=total_bytes(files), events=0)
            read = read_events(files, index=index, read=lambda count: progress.advance(task, count))
            for number, found in enumerate(read, 1):
                if number % 1000 == 0:
                    progress.update(task, events=number)
                yield found

    def took_in(self, intake: Intake, undated: int) -> None:
        """Say what was read, and name what could not be."""
        for fault in intake.named:
            self._say(f"{fault.place}: {fault.reason}. It was left out.")
        if intake.broken > len(intake.named):
            self._say(f"... and {intake.broken - len(intake.named)} more.")
        doubts = {
            "could not be read": intake.broken,
            "were there twice": intake.known,
            "bear the id of another one and were kept beside it": intake.namesakes,
            "have no @timestamp, so that no rule can see them": undated,
        }
        more = "".join(f"; {count:,} {what}" for what, count in doubts.items() if count)
        self._say(f"{intake.taken:,} events in {', '.join(sorted(intake.indices)) or 'no index'}{more}.")

    def tell(self, alert: Mapping[str, Any]) -> None:
        """Print one alert; the building blocks of sequences for programs only."""
        if self._as_json:
            line = orjson.dumps(alert)
        elif fields.GROUP_INDEX in alert:
            return
        else:
            when = alert.get(fields.ORIGINAL_TIME, "no time")
            line = f"{when}  {alert[fields.SEVERITY]:8}  {alert[fields.RULE_ID]}  {alert[fields.REASON]}".encode()
        sys.stdout.buffer.write(line + b"\n")

    def ended(self, intake: Intake, hunted: Sequence[Hunted]) -> bool:
        """Say what each rule found; whether nothing is missing."""
        sys.stdout.buffer.flush()
        for found in hunted:
            for sentence in found.problems:
                self._say(f"{found.rule.id}: {sentence}")
            if found.is_blind and intake.indices:
                self._say(f"{found.rule.id}: it reads {', '.join(found.rule.index)}, where there are no events.")
            elif found.hits:
                self._say(f"{found.rule.id}: {found.hits:,} hits, {found.alerts:,} alerts.")
        for warning in dict.fromkeys(sentence for found in hunted for sentence in found.warnings):
            self._say(f"Note: {warning}")
        alerts = sum(found.alerts for found in hunted)
        self._say(f"{len(hunted)} rules raised {alerts:,} alerts over {intake.taken:,} events; nothing was written.")
        return not intake.broken and not any(found.problems for found in hunted)

    def _say(self, text: str) -> None:
        self._errors.print(text, markup=False)
