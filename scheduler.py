"""Run the rules by their intervals until a signal says stop: `python scheduler.py`."""

from __future__ import annotations

import sys

from lolbin_rules.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
