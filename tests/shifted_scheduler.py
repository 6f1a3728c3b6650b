"""The runner on a machine whose clock is off by as many seconds as a file says, which may change at any time.

The file is named by LOLBIN_TEST_SHIFT. The clocks of the store and of the other processes are as they are.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from apscheduler.executors import base as executors
from apscheduler.schedulers import base as schedulers

from lolbin_rules import cli


class Shifted(datetime):
    """A `datetime` whose present is that of the machine's clock."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The present by the machine's clock."""
        shift = float(Path(os.environ["LOLBIN_TEST_SHIFT"]).read_text(encoding="utf-8") or 0)
        return datetime.now(tz) + timedelta(seconds=shift)


if __name__ == "__main__":
    for module in (cli, executors, schedulers):
        module.datetime = Shifted  # type: ignore[union-attr]
    sys.exit(cli.main(["run"]))
