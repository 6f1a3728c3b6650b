"""`python -m lolbin_rules` is the command `lolbin-rules`."""

from __future__ import annotations

import sys

from lolbin_rules.cli import main

if __name__ == "__main__":
    sys.exit(main())
