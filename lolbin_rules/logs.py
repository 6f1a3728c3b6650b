"""Logs: readable text for people, ECS JSON for machines."""

from __future__ import annotations

import logging
import sys
import time
from typing import Literal

import ecs_logging

__all__ = ["set_up_logs"]


def set_up_logs(form: Literal["text", "json"], level: str) -> None:
    """Send this package's log records to standard error, one a line; of other packages' only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(ecs_logging.StdlibFormatter(exclude_fields=["process", "log.original"]))
    else:
        text = logging.Formatter("%(asctime)sZ %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        text.converter = time.gmtime
        handler.setFormatter(text)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("lolbin_rules").setLevel(level)
    # The transport logs every failed attempt of a request; the store adapter reports what comes of them.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    # "maximum number of running instances reached" is how two ticks of a slow batch become one.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
